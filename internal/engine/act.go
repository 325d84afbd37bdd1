package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// act carries out one action. An error ends the credential's run; what can be mended by looking again is not one.
func (p *pass) act(ctx context.Context, d rotation.Decision) error {
	switch a := d.Action.(type) {
	case rotation.Issue:
		return p.replace(ctx, d, a)
	case rotation.Revoke:
		return p.revoke(ctx, a)
	case rotation.Extend:
		return p.extend(ctx, d, a)
	case rotation.Amend:
		return p.amend(ctx, d, a)
	case rotation.Restore:
		return p.restore(ctx, d, a)
	case rotation.Tell:
		return p.tell(ctx, d, a)
	case rotation.Prepare:
		return p.prepare(ctx, d, a)
	case rotation.Assign:
		return p.assign(ctx, d, a)
	case rotation.Promote:
		return p.promote(ctx, d, a)
	}
	return fmt.Errorf("unknown action %T", d.Action)
}

// effect is the engine's, of the pass's credential.
func (p *pass) effect(e ledger.Entry, do func(*ledger.Entry) error) error {
	e.Credential = string(p.c.Spec.Name)
	e, err := p.Engine.effect(e, p.now, do)
	if e.Phase == ledger.Done || e.Phase == ledger.Unknown {
		p.effects = append(p.effects, e)
	}
	if e.Phase == ledger.Unknown {
		p.unsure = append(p.unsure, e)
	}
	return err
}

func (p *pass) revoke(ctx context.Context, a rotation.Revoke) error {
	permit := a.Permit
	if a := p.obs.Attempt; p.absent() && (a == nil || a.PutSent) {
		// That a secret is nowhere takes two calls, and a person who deletes or recovers it between them makes it look
		// so. What it holds must not be ended for that, so it is looked for once more.
		if p.look(ctx, rotation.Decision{Need: rotation.NeedDirect}, false); !p.absent() {
			return nil
		}
	}
	e := ledger.Entry{Effect: "revoke", Target: permit.Name(), IssuerID: permit.IssuerID(), Reason: permit.Reason()}
	// The permit bounds the call too: one that was held up, or sent again with a new token, must not rest on an
	// observation of long ago.
	bounded, cancel := context.WithTimeout(ctx, rotation.PermitLife)
	defer cancel()
	err := p.effect(e, func(*ledger.Entry) error { return p.c.Issuer.Revoke(bounded, permit, p.now()) })
	if err != nil {
		if driver.KindOf(err) == driver.Ambiguous && p.tries < maxTries {
			p.tries++
			p.again()
			return nil
		}
		return err
	}
	p.forget(permit.IssuerID())
	if a := p.obs.Attempt; a != nil && !a.PutSent && (a.IssuerID == permit.IssuerID() || a.IssuerID == "") {
		p.obs.Attempt = nil
	}
	return nil
}

// forget takes a revoked credential out of what was observed, and of the account's shared list.
func (p *pass) forget(id string) {
	gone := func(i rotation.Issued) bool { return i.ID == id }
	p.obs.Issued.Value = slices.DeleteFunc(p.obs.Issued.Value, gone)
	l := p.lists.of(p.c.Issuer.ListKey())
	l.mu.Lock()
	l.Issued = slices.DeleteFunc(slices.Clone(l.Issued), gone)
	l.mu.Unlock()
}

// learn adds a new credential to them.
func (p *pass) learn(i rotation.Issued) {
	if p.obs.Issued.Known {
		p.obs.Issued.Value = append(p.obs.Issued.Value, i)
	}
	l := p.lists.of(p.c.Issuer.ListKey())
	l.mu.Lock()
	l.Issued = append(slices.Clone(l.Issued), i)
	l.mu.Unlock()
}

func (p *pass) extend(ctx context.Context, d rotation.Decision, a rotation.Extend) error {
	p.obs.Attempt = &rotation.Attempt{Extended: true}
	var moved rotation.Issued
	e := ledger.Entry{Effect: "extend", Target: p.c.Spec.Target.String(), IssuerID: a.IssuerID, Reason: d.Why, Expires: a.Until}
	err := p.effect(e, func(e *ledger.Entry) error {
		// Here and not earlier, because a process can be suspended anywhere, the ledger's write included: the date was
		// computed before, and would turn back what another run has moved since.
		if p.outdated(a) {
			return driver.Errorf(driver.Unavailable, "extend "+a.IssuerID, "", "what was observed is %s old; this process was suspended, and another run may have acted meanwhile", p.age(p.since).Round(time.Second))
		}
		bounded, cancel := context.WithTimeout(ctx, maxIssueAge-p.age(p.since))
		defer cancel()
		var err error
		moved, err = p.c.Issuer.Extend(bounded, a.IssuerID, a.Until)
		e.Expires = moved.To
		return err
	})
	if err != nil && p.outdated(a) {
		p.obs.Attempt = nil
		p.again()
		return nil
	}
	switch driver.KindOf(err) {
	case 0:
		if err != nil {
			return err
		}
	case driver.Rejected, driver.Conflict, driver.Missing:
		p.cfg.Log.Debug("not extended, so it is replaced", "credential", p.c.Spec.Name, "error", err)
		return nil // Decide replaces what this run could not extend
	case driver.Ambiguous:
		p.again() // the issuer's list says whether the date moved
		return nil
	default:
		return err
	}
	r, err := rotation.ParseRecord(p.obs.Secret.Value.Tags[rotation.RecordTag])
	if err != nil {
		return err
	}
	r.Expires = moved.To
	return p.writeRecord(ctx, "the issuer moved the date", r)
}

func (p *pass) amend(ctx context.Context, d rotation.Decision, a rotation.Amend) error {
	r := a.Record
	if a.Adopt {
		r.Generation = rotation.NewGeneration(a.Born, p.random())
		r.Publication = rotation.NewPublication(p.now(), p.random())
		r.RevokeAfter = p.now()
		r = p.witnessed(r)
	}
	return p.writeRecord(ctx, d.Why, r)
}

// writeRecord puts a record onto the newest version without changing its value.
func (p *pass) writeRecord(ctx context.Context, why string, r rotation.Record) error {
	tag, err := r.Encode()
	if err != nil {
		return err
	}
	s := p.obs.Secret.Value
	tags := p.tags()
	tags[rotation.RecordTag] = tag
	e := ledger.Entry{Effect: "amend", Target: p.c.Spec.Target.String(), Reason: why, Version: s.Version,
		Generation: string(r.Generation), Publication: string(r.Publication), IssuerID: r.IssuerID, Expires: r.Expires}
	err = p.effect(e, func(*ledger.Entry) error {
		return p.c.Store.Amend(ctx, p.c.Spec.Target.Name, s.Version, tags, r.Expires)
	})
	if driver.KindOf(err) == driver.Ambiguous && p.tries < maxTries {
		p.tries++
		p.again()
		return nil
	}
	if err != nil {
		return err
	}
	s.Tags = tags
	p.obs.Secret = rotation.Known(s)
	for i := range p.obs.Issued.Value {
		if p.obs.Issued.Value[i].ID == r.IssuerID {
			p.obs.Issued.Value[i].To = r.Expires
		}
	}
	return nil
}

// age is how long ago a wall-clock time was.
func (p *pass) age(t time.Time) time.Duration { return p.wall().Sub(t) }
