package engine

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// slot is what a pass knows of a credential with one slot.
type slot struct {
	next     secret.Value // the prepared value, from its last direct read
	nextRead time.Time    // wall clock when that read was asked for
	proved   time.Time    // wall clock when the last probe of it was asked for
}

func (p *pass) pendingName() string { return p.c.Spec.Target.Name + rotation.PendingSuffix }

// pendingFromIndex takes the second secret out of the vault's list.
func (p *pass) pendingFromIndex(in indexed) {
	if s, ok := in.Secrets[strings.ToLower(p.pendingName())]; ok {
		p.obs.Slot.Pending = rotation.Known(s)
	}
}

func (p *pass) readPending(ctx context.Context) error {
	asked := p.wall()
	r, err := p.c.Store.Read(ctx, p.pendingName())
	p.obs.Slot.Direct, p.obs.Slot.Check = true, rotation.Fact[rotation.Check]{}
	if err != nil {
		p.obs.Slot.Pending = failed[rotation.Secret](err, p.now())
		return err
	}
	p.slot.next.Wipe()
	p.slot.next, p.slot.nextRead = r.Value, asked
	p.obs.Slot.Pending = rotation.Known(r.Secret)
	p.obs.StoreDate, p.storeAt = r.Date, p.wall()
	return nil
}

func (p *pass) checkPending(ctx context.Context) error {
	p.slot.proved = p.wall()
	checked, err := p.c.Issuer.Check(ctx, p.slot.next)
	if err != nil {
		p.obs.Slot.Check = failed[rotation.Check](err, p.now())
		return err
	}
	p.obs.Slot.Check = rotation.Known(checked.Check)
	return nil
}

// forgetSlot throws away what was observed of it, but not what this run knows of itself.
func (p *pass) forgetSlot() rotation.Slot {
	return rotation.Slot{Mine: p.obs.Slot.Mine, Refused: p.obs.Slot.Refused}
}

// prepare makes a new value and writes it into the second secret, which nobody reads.
func (p *pass) prepare(ctx context.Context, d rotation.Decision, a rotation.Prepare) error {
	if p.tries++; p.tries > maxTries {
		return fmt.Errorf("gave up after %d tries to replace it; the next run goes on from what is there", maxTries)
	}
	port, ok := p.c.Issuer.(driver.Slot)
	if !ok {
		return fmt.Errorf("%s is no issuer of one slot", p.c.Issuer.ListKey())
	}
	value, err := port.Make(p.cfg.Random)
	if err != nil {
		return err
	}
	defer value.Wipe()
	now := p.now()
	gen := rotation.NewGeneration(p.laterThanAll(now), p.random())
	// An account has no ids for its passwords, so the generation is the value's.
	r := rotation.Record{Generation: gen, IssuerID: string(gen), Publication: rotation.NewPublication(now, p.random()),
		Shape: p.c.Spec.Shape, Expires: now.Add(a.Lifetime), RevokeAfter: now, Compromised: a.Compromised}
	tag, err := r.Encode()
	if err != nil {
		return err
	}
	put := driver.Put{Name: p.pendingName(), Value: value, Tags: maps.Clone(p.obs.Slot.Pending.Value.Tags), ContentType: p.c.ContentType}
	if put.Tags == nil {
		put.Tags = map[string]string{}
	}
	put.Tags[rotation.RecordTag] = tag
	e := ledger.Entry{Effect: "prepare", Target: p.c.Store.Host() + "/" + put.Name, Reason: d.Why, Generation: string(r.Generation), Publication: string(r.Publication), Expires: r.Expires}
	p.obs.Slot.Mine = r.Generation
	var done driver.Reading
	err = p.effect(e, func(e *ledger.Entry) error {
		if p.outdated(a) {
			return driver.Errorf(driver.Unavailable, "prepare "+e.Target, "", "what was observed is %s old; this process was suspended", p.age(p.since).Round(time.Second))
		}
		bounded, cancel := context.WithTimeout(ctx, maxIssueAge)
		defer cancel()
		var err error
		done, err = p.c.Store.Put(bounded, put)
		e.Version = done.Secret.Version
		return err
	})
	switch {
	case driver.KindOf(err) == driver.Ambiguous, err != nil && p.outdated(a):
		p.again() // if it is there, it is gone on with
		return nil
	case err != nil:
		return err
	}
	done.Value.Wipe()
	// Nobody has set it: it was made here and now.
	p.obs.Slot.Pending, p.obs.Slot.Check = rotation.Known(done.Secret), rotation.Known(rotation.Check{Why: "it was not set yet"})
	return nil
}

// laterThanAll is a time for a generation that is to be newer than every one that is known: which of two values is the
// newer one decides which is set, so two of one millisecond, or of clocks that disagree, must not leave it to chance.
func (p *pass) laterThanAll(now time.Time) time.Time {
	known := []rotation.Generation{p.obs.Slot.Mine}
	for _, s := range []rotation.Secret{p.obs.Secret.Value, p.obs.Slot.Pending.Value} {
		if r, err := rotation.ParseRecord(s.Tags[rotation.RecordTag]); err == nil {
			known = append(known, r.Generation)
		}
	}
	for _, g := range known {
		if at := g.Time(); !at.IsZero() && !now.After(at.Add(time.Millisecond)) {
			now = at.Add(2 * time.Millisecond)
		}
	}
	return now
}

// assign makes the prepared value the account's, once it is sure that what comes of it can be published, and proves it.
func (p *pass) assign(ctx context.Context, d rotation.Decision, a rotation.Assign) error {
	if p.failure != nil {
		return p.failure
	}
	if p.assigns++; p.assigns > 2*maxTries {
		return fmt.Errorf("gave up after %d tries to set the prepared value; the next run goes on from what is there", 2*maxTries)
	}
	if stop, err := p.deliverable(ctx, rotation.Issue{First: a.First}); stop || err != nil {
		return err
	}
	// From a fresh read of the store, never from memory: it is what every later run will find there.
	if err := p.readPending(ctx); err != nil {
		return err
	}
	if r, err := rotation.ParseRecord(p.obs.Slot.Pending.Value.Tags[rotation.RecordTag]); err != nil || r.Generation != a.Generation || p.slot.next.Empty() {
		return nil // another run has prepared one since
	}
	port := p.c.Issuer.(driver.Slot)
	e := ledger.Entry{Effect: "set", Target: p.c.Issuer.ListKey(), Reason: d.Why, Generation: string(a.Generation), Version: p.obs.Slot.Pending.Value.Version}
	suspended := false
	err := p.effect(e, func(*ledger.Entry) error {
		// Here and not earlier, because a process can be suspended anywhere: what another run has set since would end.
		if suspended = p.age(p.slot.nextRead) > rotation.SetFor || p.outdated(a); suspended {
			return driver.Errorf(driver.Unavailable, "set "+e.Target, "", "what was read is %s old; this process was suspended, and another run may have acted meanwhile", p.age(p.slot.nextRead).Round(time.Second))
		}
		bounded, cancel := context.WithTimeout(ctx, rotation.SetFor-p.age(p.slot.nextRead))
		defer cancel()
		date, err := port.Set(bounded, p.slot.next)
		p.clock(date, p.wall())
		return err
	})
	switch {
	case suspended:
		p.again()
		return nil
	case driver.KindOf(err) == driver.Ambiguous:
		p.obs.Slot.Check = rotation.Fact[rotation.Check]{} // a sign-in says whether it is set
		return nil
	case elevation.NotYet(err):
		p.assigns--
		return err
	case driver.KindOf(err) == driver.Rejected && p.tries < maxTries:
		p.obs.Slot.Refused = a.Generation // another one may be taken
		return nil
	case err != nil:
		return err
	}
	return p.proveAssigned(ctx)
}

// proveAssigned probes the value that was set until it works: the change travels.
func (p *pass) proveAssigned(ctx context.Context) error {
	set, pause := p.wall(), time.Second
	for {
		err := p.checkPending(ctx)
		if err == nil && p.obs.Slot.Check.Value.Works {
			return nil
		}
		if err == nil {
			err = &driver.Error{Kind: driver.Rejected, Op: "check the value that was set", Detail: p.obs.Slot.Check.Value.Why}
		}
		if p.age(set)+pause > rotation.ProveFor || ctx.Err() != nil {
			p.failure = err
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		pause = min(2*pause, 15*time.Second)
	}
}

// promote publishes the prepared value, and reads it back.
func (p *pass) promote(ctx context.Context, d rotation.Decision, a rotation.Promote) error {
	if p.tries++; p.tries > 2*maxTries {
		return fmt.Errorf("gave up after %d tries to publish the value that is set; the next run goes on from what is there", maxTries)
	}
	r, now := a.Record, p.now()
	r.Publication, r.RevokeAfter = rotation.NewPublication(now, p.random()), now
	r = p.witnessed(r)
	tag, err := r.Encode()
	if err != nil {
		return err
	}
	put := driver.Put{Name: p.c.Spec.Target.Name, Value: p.slot.next, Tags: p.tags(), ContentType: p.c.ContentType, Expires: r.Expires}
	put.Tags[rotation.RecordTag] = tag
	e := ledger.Entry{Effect: "publish", Target: p.c.Spec.Target.String(), Reason: d.Why,
		Generation: string(r.Generation), Publication: string(r.Publication), IssuerID: r.IssuerID, Expires: r.Expires}
	var done driver.Reading
	stale := false
	err = p.effect(e, func(e *ledger.Entry) error {
		if stale = p.age(p.slot.proved) > maxCheckAge || p.age(p.slot.nextRead) > maxIssueAge; stale {
			return driver.Errorf(driver.Unavailable, "publish "+e.Target, "", "the last check is %s old; this process was suspended, and another run may have acted meanwhile", p.age(p.slot.proved).Round(time.Second))
		}
		bounded, cancel := context.WithTimeout(ctx, rotation.PublishFor)
		defer cancel()
		var err error
		done, err = p.c.Store.Put(bounded, put)
		e.Version = done.Secret.Version
		return err
	})
	switch {
	case stale, driver.KindOf(err) == driver.Ambiguous && done.Secret.Version == "":
		p.again() // the secret says whether it was published; if not, it is published again
		return nil
	case err != nil && done.Secret.Version == "":
		return err
	}
	done.Value.Wipe()
	if r.Generation == p.obs.Slot.Mine {
		p.c.Spec.Command = rotation.Converge // what was asked for is done
	}
	p.obs.Consumers = nil
	if err != nil {
		return err // the ledger's
	}
	if err := p.readSecret(ctx, false); err != nil {
		return fmt.Errorf("published, but not read back: %w", err)
	}
	back, err := rotation.ParseRecord(p.obs.Secret.Value.Tags[rotation.RecordTag])
	if err == nil && back.Publication == r.Publication {
		p.obs.Consumers, p.justPublished = p.behind(), true
		p.obs.Check = rotation.Known(p.obs.Slot.Check.Value)
		if !p.value.Equal(p.slot.next) {
			return fmt.Errorf("published, but vault %s gave back another value", p.c.Store.Host())
		}
	}
	return nil
}
