package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Begin lets what needs a right take it from now on. Run does it itself.
func (e *Engine) Begin() {
	if e.cfg.Rights == nil {
		return
	}
	e.cfg.Rights.Begin(e.run, e.Effect)
}

// GiveBack gives back what was taken. Run does it itself.
func (e *Engine) GiveBack(ctx context.Context) {
	if e.cfg.Rights != nil {
		e.taken = append(e.taken, e.cfg.Rights.End(ctx)...)
	}
}

// Taken are the rights that this run had.
func (e *Engine) Taken() []elevation.Taken { return e.taken }

// underRight is a store whose values are read and written under a right.
type underRight interface{ Right() *elevation.Grant }

// assumeRead stands in for a direct read in a plan, which takes no right: the vault's list is taken for what is there.
func (p *pass) assumeRead() (assumed string, ok bool) {
	if _, ok := p.c.Store.(underRight); !ok || !p.obs.Secret.Known && !p.listed {
		return "", false
	}
	if p.listed {
		p.obs.Secret = rotation.Known(rotation.Secret{State: rotation.Absent})
	}
	p.obs.Direct = true
	return "that the secret is as the vault's list shows it", true
}

// rightNotes say which right a run would take, and what keeps it from that.
func (p *pass) rightNotes(ctx context.Context, d rotation.Decision) []rotation.Note {
	s, ok := p.c.Store.(underRight)
	if !ok || d.Kind != rotation.Act {
		return nil
	}
	g := s.Right()
	notes := []rotation.Note{{Code: "elevation", Text: fmt.Sprintf("takes %s for %s, and gives it back", g.Right(), g.Length())}}
	if err := g.Would(ctx); err != nil {
		text := err.Error()
		if e := (*driver.Error)(nil); errors.As(err, &e) && e.Person {
			text = fmt.Sprintf("needs approval: to take %s: %s", g.Right(), e.Detail)
		}
		notes = append(notes, rotation.Note{Code: "elevation", Text: text})
	}
	return notes
}

// mayTake says whether a look may be made for which the store's right is taken. What would most likely follow from it is
// asked for along with the right, so that none is taken for what must not be done, and a person hears of both at once. A
// decision in its place says why nothing is done.
func (p *pass) mayTake(ctx context.Context, look rotation.Decision) (instead rotation.Decision, ok bool, err error) {
	s, under := p.c.Store.(underRight)
	if !under || look.Need != rotation.NeedDirect || p.cfg.Approve == nil {
		return look, true, nil
	}
	held := look
	if d := p.ahead(); d.Kind == rotation.Act {
		if held, ok, err = p.approved(ctx, d, false); err != nil {
			return held, false, err
		}
		if ok {
			held = look
		}
	}
	right := s.Right()
	err = right.Allowed(ctx)
	if err == nil {
		return held, held.Kind == rotation.Look, nil
	}
	var e *driver.Error
	if !errors.As(err, &e) || !e.Person {
		return look, false, err
	}
	why := fmt.Sprintf("to take %s: %s", right.Right(), e.Detail)
	if held.Kind == rotation.Look {
		return rotation.Decision{Kind: rotation.Hold, Code: e.Code, Why: why, Do: e.Hint}, false, nil
	}
	held.Why, held.Do = held.Why+"; "+why, held.Do+"; "+e.Hint
	return held, false, nil
}

// ahead is what most likely follows from reading the secret.
func (p *pass) ahead() rotation.Decision {
	seen := *p
	if _, known := seen.assumeRead(); known {
		d, _ := rotation.Forecast(seen.asked(), seen.observed(), seen.now())
		d.Notes = nil
		return d
	}
	act := func(a rotation.Action) rotation.Decision {
		return rotation.Decision{Kind: rotation.Act, Why: "asked for", Action: a}
	}
	switch p.c.Spec.Command { // for which the vault is not listed
	case rotation.Rotate, rotation.Compromised:
		return act(rotation.Issue{Compromised: p.c.Spec.Command == rotation.Compromised})
	case rotation.Retire:
		return act(rotation.Revoke{})
	case rotation.Rollback:
		return act(rotation.Restore{})
	}
	return rotation.Decision{}
}

// Effect does one thing that is no credential's, with an entry before it and one after it.
func (e *Engine) Effect(entry ledger.Entry, do func(*ledger.Entry) error) error {
	_, err := e.effect(entry, func() time.Time { return e.wall().UTC() }, do)
	return err
}
