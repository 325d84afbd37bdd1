package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
)

const (
	// tellFor bounds one tell, and one look at a consumer: one that hangs must not keep the others waiting.
	tellFor = 5 * time.Minute
	// freshFor is how old the read of the store may be that a tell begins from. Only one that directly follows its
	// publication is not read again.
	freshFor = 10 * time.Second
	// longestPause is how long one run leaves a consumer alone that could not be told.
	longestPause = 15 * time.Minute
)

// tell hands a consumer what is in the store now. That it could not is no end of the run: the others are told, and the
// next decision says when it is tried again.
func (p *pass) tell(ctx context.Context, d rotation.Decision, a rotation.Tell) error {
	i := slices.IndexFunc(p.c.Consumers, func(c driver.Consumer) bool { return c.ID() == a.Consumer })
	if i < 0 || len(p.obs.Consumers) != len(p.c.Consumers) {
		return fmt.Errorf("no consumer %s", a.Consumer)
	}
	// From a fresh read of the store, never from memory: another run may have published since.
	if !p.justPublished || p.age(p.readAt) > freshFor {
		if err := p.readSecret(ctx, false); err != nil {
			return err
		}
		if len(p.obs.Consumers) != len(p.c.Consumers) {
			return nil // a publication of this run is there that it had given up: everything is looked at anew
		}
	}
	p.justPublished = false
	r, err := rotation.ParseRecord(p.obs.Secret.Value.Tags[rotation.RecordTag])
	if err != nil || p.value.Empty() {
		p.again()
		return nil
	}
	c := p.c.Consumers[i]
	e := ledger.Entry{Effect: "tell", Target: c.ID() + ", " + c.Place(), Reason: d.Why, Publication: string(r.Publication), Generation: string(r.Generation), Version: p.obs.Secret.Value.Version}
	var state rotation.ConsumerState
	var told error // by the consumer, or by the guard; what else goes wrong is the ledger's
	suspended := false
	err = p.effect(e, func(e *ledger.Entry) error {
		// Here and not earlier, because a process can be suspended anywhere, the ledger's write included: what it read
		// may be revoked by now, and a consumer that is told that has an outage.
		if suspended = p.age(p.readAt) > maxCheckAge; suspended {
			told = driver.Errorf(driver.Unavailable, "tell "+c.ID(), "", "what was read is %s old; this process was suspended, and another run may have published meanwhile", p.age(p.readAt).Round(time.Second))
			return told
		}
		bounded, cancel := context.WithTimeout(ctx, tellFor-p.age(p.readAt))
		defer cancel()
		state, told = c.Tell(bounded, r.Publication, p.value)
		if told == nil && state.Publication < r.Publication {
			told = &driver.Error{Kind: driver.Rejected, Op: "tell " + c.ID() + ", " + c.Place(), Detail: "it answered well, and is not on the publication"}
		}
		e.Said = state.Said
		return told
	})
	var de *driver.Error
	switch {
	case suspended:
		p.again()
		return nil
	case err == nil && state.Publication > r.Publication:
		p.again() // another run has published and told it since
		return p.triedToTell(i, nil)
	case err == nil:
		p.obs.Told[i] = r.Publication
		p.obs.Consumers[i] = rotation.Known(state)
		return nil
	case told == nil, ctx.Err() != nil, !errors.As(told, &de):
		return err
	}
	return p.triedToTell(i, de)
}

// triedToTell is what became of a tell that failed; nil for one that another run overtook.
func (p *pass) triedToTell(i int, err *driver.Error) error {
	c := p.c.Consumers[i]
	p.tells[i]++
	if err != nil {
		if r, parsed := rotation.ParseRecord(p.obs.Secret.Value.Tags[rotation.RecordTag]); parsed == nil {
			p.obs.Tried[i] = r.Publication
		}
	}
	if err == nil {
		if p.tells[i] > maxTries {
			return fmt.Errorf("gave up telling %s: other runs publish all the time", c.ID())
		}
		return nil
	}
	p.lastErr = err
	if err.Kind == driver.Ambiguous && p.tells[i] < maxTries {
		p.obs.Consumers = nil // it may have been told: ask it
		return nil
	}
	f := failed[rotation.ConsumerState](err, p.now())
	if again := p.now().Add(min(time.Minute<<min(p.tells[i]-1, 8), longestPause)); f.Retry.Before(again) {
		f.Retry = again
	}
	p.obs.Consumers[i] = f
	return nil
}

func (p *pass) readConsumers(ctx context.Context) {
	p.obs.Consumers = nil
	for _, c := range p.c.Consumers {
		s, err := p.stateOf(ctx, c)
		if err != nil {
			p.lastErr = err
			p.obs.Consumers = append(p.obs.Consumers, failed[rotation.ConsumerState](err, p.now()))
			continue
		}
		p.obs.Consumers = append(p.obs.Consumers, rotation.Known(s))
	}
}

func (p *pass) stateOf(ctx context.Context, c driver.Consumer) (rotation.ConsumerState, error) {
	bounded, cancel := context.WithTimeout(ctx, tellFor)
	defer cancel()
	return c.State(bounded, p.published())
}

// consumerNotes are what a person should know of the consumers that this run tells, or would tell.
func (p *pass) consumerNotes(d rotation.Decision) (out []rotation.Note) {
	if d.Kind != rotation.Act && !slices.ContainsFunc(p.effects, func(e ledger.Entry) bool { return e.Effect == "tell" }) {
		return nil
	}
	for _, c := range p.c.Consumers {
		if n, ok := c.(driver.Noted); ok {
			for _, text := range n.Notes() {
				out = append(out, rotation.Note{Code: "consumer", Text: c.ID() + ": " + text})
			}
		}
	}
	return out
}

// published are the publications that the secret's versions name, the newest last.
func (p *pass) published() (out []rotation.Publication) {
	for _, r := range p.obs.Versions.Value {
		out = append(out, r.Publication)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if r, err := rotation.ParseRecord(p.obs.Secret.Value.Tags[rotation.RecordTag]); err == nil {
		out = append(slices.DeleteFunc(out, func(x rotation.Publication) bool { return x == r.Publication }), r.Publication)
	}
	return out
}

// behind is what all consumers are on right after a publication of this run: another one, whichever.
func (p *pass) behind() []rotation.Fact[rotation.ConsumerState] {
	out := make([]rotation.Fact[rotation.ConsumerState], len(p.c.Consumers))
	for i := range out {
		out[i] = rotation.Known(rotation.ConsumerState{Why: "it was not told yet"})
	}
	return out
}

// seen are the consumers for the result.
func (p *pass) seen() []Consumer {
	var out []Consumer
	for i, c := range p.c.Consumers {
		x := Consumer{ID: c.ID(), Place: c.Place(), Cache: p.c.Spec.Consumers[i].Cache}
		if i < len(p.obs.Consumers) {
			x.State = p.obs.Consumers[i]
		}
		out = append(out, x)
	}
	return out
}
