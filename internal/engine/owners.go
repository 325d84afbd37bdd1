package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// appointFor bounds what a replacement waits for owners to be made: the credential is what matters.
const appointFor = time.Minute

// owners are who the manifest wants to own the account and does not yet, as far as this run knows.
type owners struct {
	lacking []string
	sure    bool // the account's list names all that there are
	tried   bool // once in a run: a refusal is not another one a moment later
	refused []string
}

// heard takes who the owners are out of the account's list.
func (o *owners) heard(i driver.Issuer, l driver.Listing) {
	owned, ok := i.(driver.Owned)
	if !ok {
		return
	}
	_, wanted := owned.Owners()
	o.sure = l.OwnersWhole
	o.lacking = slices.DeleteFunc(slices.Clone(wanted), func(id string) bool { return slices.Contains(l.Owners, id) })
}

// appoint makes those owners whom the manifest lists and who are none. It is part of a replacement, so that no run has
// an effect that was not due; and what comes of it stops none: an error is one of the ledger alone.
func (p *pass) appoint(ctx context.Context) error {
	owned, ok := p.c.Issuer.(driver.Owned)
	if !ok || p.owners.tried {
		return nil
	}
	p.owners.tried = true
	bounded, cancel := context.WithTimeout(ctx, appointFor)
	defer cancel()
	of, _ := owned.Owners()
	var left []string
	for i, id := range p.owners.lacking {
		err := p.appointOne(bounded, owned, id, of)
		switch driver.KindOf(err) {
		case 0:
			if err != nil {
				return err
			}
			continue
		case driver.Missing, driver.Rejected: // of this one
			left = append(left, id)
			p.owners.refused = append(p.owners.refused, refusedOwner(err))
			continue
		}
		left = append(left, p.owners.lacking[i:]...)
		p.owners.refused = append(p.owners.refused, refusedOwner(err))
		break
	}
	p.owners.lacking = left
	return nil
}

// appointOne repeats what was lost on its way once, because that is harmless.
func (p *pass) appointOne(ctx context.Context, owned driver.Owned, id, of string) (err error) {
	for range 2 {
		e := ledger.Entry{Effect: "appoint", Target: id + " owner of " + of, Reason: "the manifest lists it among the owners"}
		err = p.effect(e, func(*ledger.Entry) error { return owned.Appoint(ctx, id) })
		if driver.KindOf(err) != driver.Ambiguous || ctx.Err() != nil {
			break
		}
	}
	return err
}

func refusedOwner(err error) string {
	var e *driver.Error
	if errors.As(err, &e) && e.Hint != "" {
		return fmt.Sprintf("%v; %s", err, e.Hint)
	}
	return err.Error()
}

// ownerNotes are what a person should know of the owners that the manifest lists.
func (p *pass) ownerNotes(d rotation.Decision) (out []rotation.Note) {
	owned, ok := p.c.Issuer.(driver.Owned)
	if !ok {
		return nil
	}
	note := func(format string, args ...any) {
		out = append(out, rotation.Note{Code: "owners", Text: fmt.Sprintf(format, args...)})
	}
	for _, text := range p.owners.refused {
		note("%s. Nothing else depends on it, and the next replacement tries again", text)
	}
	of, wanted := owned.Owners()
	_, issues := d.Action.(rotation.Issue)
	switch {
	case p.owners.tried || len(wanted) == 0:
	case issues && !p.obs.Issued.Known:
		note("who of these does not own %s yet is made its owner: %s", of, strings.Join(wanted, ", "))
	case issues && len(p.owners.lacking) > 0:
		note("these do not own %s and are made its owners: %s", of, strings.Join(p.owners.lacking, ", "))
	case p.owners.sure && len(p.owners.lacking) > 0:
		note("these do not own %s, and are made its owners when the credential is next replaced: %s", of, strings.Join(p.owners.lacking, ", "))
	}
	return out
}
