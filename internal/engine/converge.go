package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// converge takes one credential as far as this run can.
func (e *Engine) converge(ctx context.Context, p *pass) Result {
	var d rotation.Decision
	for steps := 0; steps < maxSteps; steps++ {
		d = rotation.Decide(p.asked(), p.observed(), p.now())
		switch d.Kind {
		case rotation.Look:
			instead, ok, err := p.mayTake(ctx, d)
			if !ok {
				return p.result(instead, err)
			}
			p.look(ctx, d, true)
		case rotation.Act:
			instead, ok, err := p.approved(ctx, d, false)
			if !ok {
				return p.result(instead, err)
			}
			if p.outdated(d.Action) {
				p.again()
				continue
			}
			err = p.act(ctx, d)
			if elevation.NotYet(err) && ctx.Err() == nil {
				// It bounds itself: the right says when it should long be honoured.
				p.failure, steps = nil, 0
				p.again()
				continue
			}
			if err != nil {
				return p.ended(d, err)
			}
		case rotation.Wait:
			if !p.sleep(ctx, d) {
				return p.waiting(d)
			}
			p.again()
		default:
			return p.result(d, nil)
		}
		if ctx.Err() != nil {
			return p.result(d, fmt.Errorf("interrupted: %w", ctx.Err()))
		}
	}
	return p.result(d, fmt.Errorf("gave up after %d steps without coming to an end; the last one was: %s", maxSteps, d.Why))
}

// asked is what the manifest asks for and, where a person asked for something in this run, when that was.
func (p *pass) asked() rotation.Spec {
	s := p.c.Spec
	if s.Command != rotation.Converge {
		s.Asked = p.now().Add(-p.age(p.started))
	}
	return s
}

// plan takes one credential as far as reading goes.
func (e *Engine) plan(ctx context.Context, p *pass) Result {
	var assumed []string
	for range maxSteps {
		d := rotation.Decide(p.c.Spec, p.observed(), p.now())
		if d.Kind == rotation.Look && d.Need == rotation.NeedDirect {
			if text, ok := p.assumeRead(); ok {
				assumed = append(assumed, text)
				continue
			}
		}
		if p.c.Spec.Command == rotation.Rollback && p.obs.Secret.Known && p.obs.Direct && !p.obs.Versions.Known && p.obs.Versions.Failed == "" {
			// What it would go back to is in a version, and the vault is asked by a plan anyway.
			p.look(ctx, rotation.Decision{Need: rotation.NeedVersions}, false)
			continue
		}
		if d.Kind == rotation.Look && (d.Need == rotation.NeedDirect || d.Need == rotation.NeedPending || d.Need == rotation.NeedIssued && d.Open && p.c.Issuer.Quiet()) {
			p.look(ctx, d, false)
			continue
		}
		d, more := rotation.Forecast(p.c.Spec, p.observed(), p.now())
		if _, issues := d.Action.(rotation.Issue); issues && p.c.Makes != "" {
			d.Notes = append(d.Notes, rotation.Note{Code: "makes", Text: "makes " + p.c.Makes})
		}
		d.Notes = append(d.Notes, p.rightNotes(ctx, d)...)
		if d.Kind == rotation.Act {
			instead, ok, err := p.approved(ctx, d, true)
			switch {
			case err != nil:
				return p.result(d, err)
			case !ok:
				d.Notes = append(d.Notes, rotation.Note{Code: instead.Code, Text: "needs approval: " + strings.TrimPrefix(instead.Why, d.Why+"; ")})
			}
		}
		r := p.waiting(d)
		if d.Kind != rotation.Wait {
			r.Err = nil
		}
		r.Assumed = append(assumed, more...)
		return r
	}
	return p.result(rotation.Decision{}, errors.New("the plan does not come to an end"))
}

// Status reads the vaults' lists and nothing else, and says what they show.
func (e *Engine) Status(ctx context.Context, creds []Credential) []Result {
	return e.each(ctx, creds, never, func(_ context.Context, p *pass) Result {
		d := rotation.Decide(p.c.Spec, p.observed(), p.now())
		r := p.result(d, nil)
		if !p.obs.Secret.Known && p.lastErr != nil {
			r.Err = p.lastErr
		}
		return r
	})
}

// Alive lists what Rekey issued for a credential's secret and is still alive, newest last: what Retire would revoke.
func (e *Engine) Alive(ctx context.Context, c Credential) ([]rotation.Issued, error) {
	if c.Several != nil {
		var err error
		if c, err = e.one(ctx, c); err != nil {
			return nil, err
		}
	}
	p := e.newPass(c, nil)
	needs := []rotation.Need{rotation.NeedDirect, rotation.NeedIssued, rotation.NeedVersions}
	if _, ok := c.Store.(underRight); ok {
		// To be shown it takes no right: the vault's list has what is asked of the secret.
		p.fromIndex(e.readIndex(ctx, []Credential{{Spec: rotation.Spec{Enabled: true}, Store: c.Store}})[c.Store.Host()])
		if p.lastErr != nil {
			return nil, p.lastErr
		}
		p.assumeRead()
		needs = needs[1:]
	}
	for _, need := range needs {
		if p.look(ctx, rotation.Decision{Need: need}, false); p.lastErr != nil {
			return nil, p.lastErr
		}
	}
	p.value.Wipe()
	return rotation.Alive(p.c.Spec, p.obs, p.now()), nil
}

// sleep waits for a decision's time if that is near, and says whether it did.
func (p *pass) sleep(ctx context.Context, d rotation.Decision) bool {
	if d.Code == "unknown" && !transient(p.lastErr) {
		return false // waiting does not help against a refusal
	}
	wait := d.Until.Sub(p.now()) + time.Second // dates are whole seconds
	if p.slept+wait > p.cfg.MaxWait {
		return false
	}
	p.slept += wait
	if p.cfg.Waiting != nil {
		p.cfg.Waiting(p.c.Spec.Name, d.Until, d.Why)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// waiting is the result of a Wait that outlasts the run. Waiting on the unknown is a failure of the run.
func (p *pass) waiting(d rotation.Decision) Result {
	switch {
	case d.Code == "unknown" && p.lastErr != nil:
		return p.result(d, p.lastErr)
	case d.Code == "check":
		return p.result(d, &driver.Error{Kind: driver.Rejected, Op: "prove it", Detail: d.Why,
			Hint: "the old credential is kept until every check passes with the new one; each run tries again"})
	case d.Code == "consumer":
		// Nobody hears of a wait, and something that uses the credential stands still.
		return p.result(d, &driver.Error{Kind: driver.Rejected, Op: "hand it over", Detail: d.Why,
			Hint: "the old credential is kept until every consumer works with the new one; each run tries again"})
	}
	return p.result(d, nil)
}

func transient(err error) bool {
	switch driver.KindOf(err) {
	case driver.Unavailable, driver.Throttled, driver.Ambiguous:
		return true
	}
	return false
}

// ended is the result of an act that failed. What only a person can mend is a Hold.
func (p *pass) ended(d rotation.Decision, err error) Result {
	var e *driver.Error
	if errors.As(err, &e) && e.Person {
		return p.result(rotation.Decision{Kind: rotation.Hold, Code: "person", Why: e.Error(), Do: e.Hint, Notes: d.Notes}, nil)
	}
	return p.result(d, err)
}
