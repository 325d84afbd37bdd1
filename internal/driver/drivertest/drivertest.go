// Package drivertest is one conformance suite per port: every sentence of a port's contract is a subtest, and every
// adapter runs it.
//
// It is not a test of one service's wire format, which lies beside the adapter, and it knows no adapter and no
// simulator: a test hands it a bed, which makes the port over a service that can be told to fail. What always holds:
// each subtest has a fresh service in a bubble of its own, so that waits cost nothing; no error of a port may hold a
// secret of that service.
package drivertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Fault is what a bed has happen to the calls of one method.
type Fault int

const (
	// Lost is applied, and the answer never comes.
	Lost Fault = iota + 1
	// Late is applied, but only after the caller has seen the connection break.
	Late
	// Cut breaks the connection, and nothing is applied.
	Cut
	// Throttled is 429, and nothing is applied.
	Throttled
	// Unavailable is 503: nobody knows whether it is applied.
	Unavailable
	// Truncated is applied, and half of the answer comes.
	Truncated
	// Malformed is applied, and the answer is no JSON.
	Malformed
	// Page answers with a page for people in place of data.
	Page
	// Refused is 400 in the service's own form, quoting what was sent; nothing is applied.
	Refused
	// Denied is 403, and nothing is applied.
	Denied
	// Hung is a call that nobody answers for hours.
	Hung
)

var faultNames = map[Fault]string{Lost: "an answer that is lost", Late: "a call that is applied after its connection broke", Cut: "a connection that breaks",
	Throttled: "a 429", Unavailable: "a 503", Truncated: "an answer that breaks off", Malformed: "an answer that is not JSON", Page: "a page for people",
	Refused: "a refusal", Denied: "a 403", Hung: "a call that hangs"}

func (f Fault) String() string { return faultNames[f] }

// Service is what a bed has behind a port.
type Service struct {
	// Now is the service's clock, and Advance moves it.
	Now     func() time.Time
	Advance func(time.Duration)
	// Fault has the nth call of a method from now on, counted from 1, fail so, and the times-1 after it too.
	Fault func(method string, f Fault, nth, times int)
	// Sent is how many calls of a method reached the service in all.
	Sent func(method string) int
	// Secrets are all values that the service holds or was handed.
	Secrets func() []string
}

// bed is a service in a bubble for one subtest.
type bed[P any] struct {
	*testing.T
	Service
	port P
}

// each runs a subtest in a bubble.
func each[P any](t *testing.T, name string, make func(*testing.T) (P, Service), f func(b *bed[P])) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			port, service := make(t)
			f(&bed[P]{T: t, Service: service, port: port})
		})
	})
}

// ok wants no error.
func (b *bed[P]) ok(what string, err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// kind wants an error of a kind, with words of ours for what was being done.
func (b *bed[P]) kind(what string, err error, want ...driver.Kind) *driver.Error {
	b.Helper()
	var e *driver.Error
	if !errors.As(err, &e) {
		b.Fatalf("%s: %v, want a driver.Error", what, err)
	}
	fits := false
	for _, k := range want {
		fits = fits || e.Kind == k
	}
	if !fits {
		b.Errorf("%s: %v, want kind %v", what, err, want)
	}
	if e.Op == "" {
		b.Errorf("%s: the error does not say what was being done", what)
	}
	b.clean(what, err)
	return e
}

// clean wants no secret in an error.
func (b *bed[P]) clean(what string, err error) {
	b.Helper()
	for err := err; err != nil; err = errors.Unwrap(err) {
		text := err.Error()
		if e, is := err.(*driver.Error); is {
			text += e.Hint + e.Code + e.Detail
		}
		for _, v := range b.Secrets() {
			if v != "" && strings.Contains(text, v) {
				b.Errorf("%s: the error holds a secret of the service", what)
			}
		}
	}
}

// once wants a method to have been called a number of times since it was counted before.
func (b *bed[P]) calls(method string, before, want int) {
	b.Helper()
	if got := b.Sent(method) - before; got != want {
		b.Errorf("%s was sent %d times, want %d", method, got, want)
	}
}

// dated wants a date that is the service's own, to the second.
func (b *bed[P]) dated(what string, date time.Time) {
	b.Helper()
	if d := b.Now().Sub(date); d < 0 || d > 2*time.Second {
		b.Errorf("%s: the date is %v, the service's clock says %v", what, date, b.Now())
	}
}

// value is a secret of our own.
func value(s string) secret.Value { return secret.New([]byte(s)) }

// plain reads a value; tests alone may.
func plain(v secret.Value) (s string) {
	_ = v.Use(func(b []byte) error { s = string(b); return nil })
	return s
}

var target = rotation.Target{Vault: "kv-conformance.vault.azure.net", Name: "conformance"}

// stamp makes a new stamp.
func stamp(now time.Time, n byte) rotation.Stamp {
	return rotation.Stamp{Credential: "conformance", Hash: target.Hash(), Generation: rotation.NewGeneration(now, [5]byte{n})}
}

// permit has the core allow the revocation of an id at a time: of what a run issued and did not publish.
func permit(t testing.TB, id string, now time.Time) rotation.Permit {
	t.Helper()
	d := rotation.Decide(rotation.Spec{Name: "conformance", Target: target, Enabled: true},
		rotation.Observation{Attempt: &rotation.Attempt{Generation: rotation.NewGeneration(now, [5]byte{}), IssuerID: id}}, now)
	r, ok := d.Action.(rotation.Revoke)
	if !ok || r.Permit.IssuerID() != id {
		t.Fatalf("the core gives no permit: %v %s", d.Kind, d.Why)
	}
	return r.Permit
}

// ended is a context that ended already.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
