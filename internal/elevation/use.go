package elevation

import (
	"context"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// looking is under for what only looks, which less than the right is often enough for: it is taken only where that turns
// out to be wrong, so that a run with nothing to do takes none.
func looking[T any](ctx context.Context, g *Grant, do func(context.Context) (T, error)) (T, error) {
	out, err := do(ctx)
	if !lacks(err) {
		return out, err
	}
	return under(ctx, g, patient, do)
}

// NewIssuer puts an issuer under a right. What its account has besides (one slot, owners) stays.
func NewIssuer(i driver.Issuer, right *Grant) driver.Issuer {
	out := issuer{i, right}
	switch x := i.(type) {
	case driver.Slot:
		return slot{out, x}
	case driver.Owned:
		return owned{out, x}
	}
	return out
}

type issuer struct {
	driver.Issuer
	right *Grant
}

func (i issuer) List(ctx context.Context) (driver.Listing, error) {
	return looking(ctx, i.right, i.Issuer.List)
}

func (i issuer) Issue(ctx context.Context, req driver.IssueRequest) (driver.Issue, error) {
	// A refusal proves that nothing was issued, and what takes too long after that is ended and issued again.
	return under(ctx, i.right, patient, func(ctx context.Context) (driver.Issue, error) { return i.Issuer.Issue(ctx, req) })
}

func (i issuer) Extend(ctx context.Context, id string, until time.Time) (rotation.Issued, error) {
	return under(ctx, i.right, prompt, func(ctx context.Context) (rotation.Issued, error) { return i.Issuer.Extend(ctx, id, until) })
}

func (i issuer) Revoke(ctx context.Context, permit rotation.Permit, now time.Time) error {
	return i.right.use(ctx, prompt, func(ctx context.Context) error { return i.Issuer.Revoke(ctx, permit, now) })
}

type slot struct {
	issuer
	slot driver.Slot
}

func (s slot) Make(random func([]byte)) (secret.Value, error) { return s.slot.Make(random) }

func (s slot) Set(ctx context.Context, value secret.Value) (time.Time, error) {
	return under(ctx, s.right, prompt, func(ctx context.Context) (time.Time, error) { return s.slot.Set(ctx, value) })
}

type owned struct {
	issuer
	owned driver.Owned
}

func (o owned) Owners() (of string, ids []string) { return o.owned.Owners() }

func (o owned) Appoint(ctx context.Context, id string) error {
	return o.right.use(ctx, prompt, func(ctx context.Context) error { return o.owned.Appoint(ctx, id) })
}

// NewConsumer puts a consumer under a right. One that is marked in a tag of the credential's secret stays one.
func NewConsumer(c driver.Consumer, right *Grant) driver.Consumer {
	out := consumer{c, right}
	if t, ok := c.(tagged); ok {
		return taggedConsumer{out, t}
	}
	return out
}

type tagged interface{ Tag() string }

type taggedConsumer struct {
	consumer
	tagged
}

type consumer struct {
	driver.Consumer
	right *Grant
}

func (c consumer) Preflight(ctx context.Context) error {
	return c.right.use(ctx, patient, c.Consumer.Preflight)
}

func (c consumer) State(ctx context.Context, published []rotation.Publication) (rotation.ConsumerState, error) {
	return looking(ctx, c.right, func(ctx context.Context) (rotation.ConsumerState, error) { return c.Consumer.State(ctx, published) })
}

// fresh is how old what is told may be before it is read again.
const fresh = 5 * time.Second

// Tell implements driver.Consumer. Until the right is honoured a preflight is made; where that took a while, the engine
// reads the store again and tells what is in it then.
func (c consumer) Tell(ctx context.Context, p rotation.Publication, value secret.Value) (rotation.ConsumerState, error) {
	asked := c.right.m.wall()
	if _, ready := c.right.ready(); !ready {
		if err := c.right.use(ctx, patient, c.Consumer.Preflight); err != nil {
			return rotation.ConsumerState{}, err
		}
		if took := c.right.m.wall().Sub(asked); took > fresh {
			return rotation.ConsumerState{}, driver.Errorf(driver.Unavailable, "tell "+c.Place(), "", "%s was honoured after %s; what is in the vault is read again", c.right.right, took.Round(time.Second))
		}
	}
	return under(ctx, c.right, prompt, func(ctx context.Context) (rotation.ConsumerState, error) { return c.Consumer.Tell(ctx, p, value) })
}

// Notes implements driver.Noted.
func (c consumer) Notes() []string {
	if n, ok := c.Consumer.(driver.Noted); ok {
		return n.Notes()
	}
	return nil
}
