package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// maxCheckAge and maxIssueAge bound, by the wall clock, how old the last check and the issue may be when a value
	// is published. A process that was suspended must not publish what another run has swept meanwhile: the sweep
	// window is an hour, so ten minutes leave room for a PUT that arrives late.
	maxCheckAge = time.Minute
	maxIssueAge = 10 * time.Minute
	// checkFor is how long a new credential may take to be accepted.
	checkFor = 2 * time.Minute
)

// replace is the one action in which a value is in memory: prove that it can be delivered, issue, check, publish,
// read back. Every way out but the last leaves either nothing behind or an attempt, which the next decision ends.
func (p *pass) replace(ctx context.Context, d rotation.Decision, act rotation.Issue) error {
	if p.failure != nil {
		return p.failure
	}
	if p.tries++; p.tries > maxTries {
		return fmt.Errorf("gave up after %d tries to replace it; the next run looks at what is left", maxTries)
	}
	if stop, err := p.deliverable(ctx, act); stop || err != nil {
		return err
	}
	if err := p.appoint(ctx); err != nil {
		return err
	}
	if p.outdated(act) {
		// Suspended since it was decided: another run may have replaced it, and what is issued as the answer to a
		// compromise would have that one's credential revoked at once.
		p.again()
		return nil
	}

	gen := rotation.NewGeneration(p.now(), p.random())
	attempt := &rotation.Attempt{Generation: gen}
	p.issueAsked = p.wall()
	issue, err := p.issue(ctx, d, act, attempt)
	if err != nil {
		if driver.KindOf(err) == driver.Ambiguous {
			p.obs.Attempt = attempt // Decide looks it up by its stamp
			p.obs.Issued = rotation.Fact[[]rotation.Issued]{}
			return nil
		}
		return err
	}
	defer issue.Value.Wipe()
	p.obs.Attempt = attempt

	if p.failure = p.checkNew(ctx, issue.Value); p.failure != nil {
		if p.age(p.issueAsked) > maxIssueAge {
			// This process was suspended, and another run may have swept what it issued: no failure of the issuer's.
			p.failure = nil
			p.again()
		}
		return nil // Decide ends the attempt, and the next turn through here reports the failure
	}
	return p.publish(ctx, act, issue)
}

// deliverable shows that every consumer can be told and that the store takes a write, before anything is issued. stop
// says that the store turned out to be different from what was decided on. Consumers come first, since they are only
// read: while one waits for a person, no run writes anything.
func (p *pass) deliverable(ctx context.Context, act rotation.Issue) (stop bool, err error) {
	for _, c := range p.c.Consumers {
		if err := c.Preflight(ctx); err != nil {
			return true, fmt.Errorf("consumer %s could not be told: %w", c.ID(), err)
		}
	}
	name := p.c.Spec.Target.Name
	e := ledger.Entry{Effect: "prove", Target: p.c.Spec.Target.String(), Reason: "the store must take a write before anything is issued"}
	switch {
	case act.First && p.mayWrite:
	case act.First:
		var r driver.Reading
		err := p.effect(e, func(*ledger.Entry) error {
			var err error
			r, err = p.c.Store.Vacant(ctx, name)
			return err
		})
		if err != nil {
			return true, err
		}
		if r.Secret.State != rotation.Absent {
			p.took(r, p.wall())
			return true, nil
		}
	default:
		e.Version = p.obs.Secret.Value.Version
		if err := p.effect(e, func(*ledger.Entry) error { return p.c.Store.Prove(ctx, name, e.Version) }); err != nil {
			return true, err
		}
	}
	return false, nil
}

func (p *pass) issue(ctx context.Context, d rotation.Decision, act rotation.Issue, attempt *rotation.Attempt) (driver.Issue, error) {
	// Asked from now on: proving the store can take a while, and a life that looks shortened would be taken for one
	// that the issuer clamped.
	until := p.now().Add(act.Lifetime)
	stamp := rotation.Stamp{Credential: p.c.Spec.Name, Hash: p.c.Spec.Target.Hash(), Generation: attempt.Generation}
	e := ledger.Entry{Effect: "issue", Target: stamp.String(), Reason: d.Why, Generation: string(attempt.Generation), Expires: until}
	var issue driver.Issue
	effect := p.effect
	if p.c.Spec.Order == rotation.ChosenByUs { // nothing happens anywhere before it is published
		effect = func(e ledger.Entry, do func(*ledger.Entry) error) error { return do(&e) }
	}
	err := effect(e, func(e *ledger.Entry) error {
		var err error
		issue, err = p.c.Issuer.Issue(ctx, driver.IssueRequest{Stamp: stamp, Until: until, Random: p.cfg.Random})
		e.IssuerID, e.Expires = issue.Issued.ID, issue.Issued.To
		return err
	})
	if err != nil && issue.Issued.ID == "" {
		return issue, err
	}
	// Issued, whatever became of the ledger's second entry.
	attempt.IssuerID = issue.Issued.ID
	if i := issue.Issued; i.Shape != "" && i.Shape != p.c.Spec.Shape {
		p.failure = &driver.Error{Kind: driver.Rejected, Op: "issue " + stamp.String(), Detail: "the issuer granted something else than was asked for"}
	}
	if err != nil {
		p.failure = err
	}
	p.clock(issue.Date, p.wall())
	return issue, nil
}

// checkNew probes a new value until it works: some issuers take a while to know their own credentials.
func (p *pass) checkNew(ctx context.Context, value secret.Value) error {
	if p.failure != nil {
		return p.failure
	}
	pause := time.Second
	for {
		p.checked = p.wall()
		c, err := p.c.Issuer.Check(ctx, value)
		if err == nil && c.Works {
			p.checkedDate = c.Date
			return nil
		}
		if err == nil {
			err = &driver.Error{Kind: driver.Rejected, Op: "check the new credential", Detail: c.Why}
		}
		if p.age(p.issueAsked)+pause > checkFor || ctx.Err() != nil {
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

// publish commits the value and its record, and reads them back.
func (p *pass) publish(ctx context.Context, act rotation.Issue, issue driver.Issue) error {
	attempt := p.obs.Attempt
	now := p.now()
	r := rotation.Record{
		Generation: attempt.Generation, IssuerID: issue.Issued.ID, Publication: rotation.NewPublication(now, p.random()),
		Shape: p.c.Spec.Shape, Expires: issue.Issued.To, Failures: act.Failures,
		Predecessor: act.Predecessor, PredecessorExpires: act.PredecessorExpires,
		RevokeAfter: now.Add(p.c.Spec.Overlap), Compromised: act.Compromised,
	}
	if act.Compromised {
		r.RevokeAfter = p.reported()
	}
	r = p.witnessed(r)
	tag, err := r.Encode()
	if err != nil {
		p.failure = err
		return nil
	}
	put := driver.Put{Name: p.c.Spec.Target.Name, Value: issue.Value, Tags: p.tags(), ContentType: p.c.ContentType, Expires: r.Expires}
	for name, v := range issue.Tags {
		if put.Tags[name] = v; v == "" {
			delete(put.Tags, name)
		}
	}
	put.Tags[rotation.RecordTag] = tag
	e := ledger.Entry{Effect: "publish", Target: p.c.Spec.Target.String(), Reason: "the new credential works",
		Generation: string(r.Generation), Publication: string(r.Publication), IssuerID: r.IssuerID, Expires: r.Expires}
	var done driver.Reading
	err = p.effect(e, func(e *ledger.Entry) error {
		// Here and not earlier, because a process can be suspended anywhere, the ledger's write included.
		if check, born := p.age(p.checked), p.age(p.issueAsked); check > maxCheckAge || born > maxIssueAge {
			return driver.Errorf(driver.Unavailable, "publish "+p.c.Spec.Target.String(), "", "the last check is %s old and the issue %s; this process was suspended or the network hung, and another run may have acted meanwhile",
				check.Round(time.Second), born.Round(time.Second))
		}
		attempt.PutSent, attempt.PutAt = true, p.now()
		// The same bound holds for a call that is held up on its way, or sent again with a new token.
		bounded, cancel := context.WithTimeout(ctx, maxIssueAge-p.age(p.issueAsked))
		defer cancel()
		var err error
		put.Within = max(maxCheckAge-p.age(p.checked), time.Nanosecond)
		done, err = p.c.Store.Put(bounded, put)
		if driver.NotApplied(err) {
			attempt.PutSent = false
		}
		e.Version = done.Secret.Version
		return err
	})
	switch {
	case err == nil, done.Secret.Version != "":
	case driver.KindOf(err) == driver.Ambiguous:
		p.sent = append(p.sent, r.Generation)
		p.obs.Direct, p.obs.Secret = false, rotation.Fact[rotation.Secret]{}
		return nil // Decide looks whether it was committed
	case p.age(p.checked) > maxCheckAge || p.age(p.issueAsked) > maxIssueAge:
		p.again() // end the attempt and look at the world anew
		return nil
	default:
		p.failure = err
		p.obs.Direct, p.obs.Secret = false, rotation.Fact[rotation.Secret]{}
		return nil
	}
	return p.readBack(ctx, issue, r, done, err)
}

// reported is when a person asked to replace what is compromised. What this run has published since, and does not know of,
// is not what they meant, whatever the services' clocks say.
func (p *pass) reported() time.Time {
	at := p.asked().Asked
	for _, g := range p.sent {
		if !g.Time().After(at) {
			at = g.Time().Add(-time.Second)
		}
	}
	return at
}

// readBack makes what is in the store now the observation, which the next decision rests on.
func (p *pass) readBack(ctx context.Context, issue driver.Issue, r rotation.Record, done driver.Reading, ledgerErr error) error {
	p.obs.Attempt = nil
	p.learn(issue.Issued)
	if p.absent() {
		// That there was no version is as old as the issue, and somebody who slept may have published since.
		p.obs.Versions = rotation.Fact[[]rotation.Record]{}
	} else {
		p.obs.Versions.Value = append(p.obs.Versions.Value, r)
	}
	if late := done.Date.Sub(p.checkedDate); late > maxIssueAge && !p.checkedDate.IsZero() {
		// The services' clocks say that the PUT took far longer than this machine's. What was published may be dead.
		p.c.Spec.Verify = true
	}
	if ledgerErr != nil {
		p.c.Spec.Command, p.obs.Consumers = rotation.Converge, nil
		return ledgerErr
	}
	return p.readPublished(ctx, r, issue.Value)
}

// readPublished reads what this run has just published.
func (p *pass) readPublished(ctx context.Context, r rotation.Record, value secret.Value) error {
	p.c.Spec.Command, p.obs.Consumers = rotation.Converge, nil
	if err := p.readSecret(ctx, false); err != nil {
		return fmt.Errorf("published, but not read back: %w", err)
	}
	back, err := rotation.ParseRecord(p.obs.Secret.Value.Tags[rotation.RecordTag])
	if err == nil && back.Publication == r.Publication {
		p.obs.Consumers, p.justPublished = p.behind(), true
	}
	if err == nil && back.Publication == r.Publication && !p.value.Equal(value) {
		return fmt.Errorf("published, but vault %s gave back another value", p.c.Store.Host())
	}
	return nil
}
