// Package elevation holds the rights that a run takes for its work and gives back: it asks an Elevator for each when it
// is first needed, waits until what it is needed for is let through, renews it when the work outlasts it, shares it among
// all that need it, and gives everything back at the end.
//
// It asks no service itself and knows none: adapters are driver.Elevators. It does not say who may have what; that is
// the approval's and Azure's. What always holds: nothing is taken before there is something to do, and nothing without an
// entry in the ledger; a call is repeated only if the service said that the right is missing, so that nothing happened;
// what was taken is given back whatever became of the run, and is over at its stated end where that fails.
package elevation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
)

// Config is what a Manager needs.
type Config struct {
	// Reason and Ticket are told to the service with each right that is taken.
	Reason, Ticket string
	// Allow is asked once in a run before a right is taken; nil lets all be taken. An error says why it must not be, and
	// what a person can do about it. Of a plan nobody is asked anything: it only says what would become of it.
	Allow func(ctx context.Context, r driver.Right, length time.Duration, plan bool) error
	// Settle is how long what honours a right may take to know of it; 0 for 12 minutes. Azure says ten (facts 2.1).
	Settle time.Duration
	// Wait is how long a person may take to approve, and a right that was given back to be had again; 0 for 5 minutes.
	Wait time.Duration
	// Waiting hears what is waited for, and until when at the latest; nil for nobody.
	Waiting func(what string, until time.Time)
	// Now is the wall clock, time.Now unless set.
	Now func() time.Time
}

const (
	settle = 12 * time.Minute
	wait   = 5 * time.Minute
	// releaseFor bounds what gives one right back. A process that is told to end has little time.
	releaseFor = 30 * time.Second
	// tries bounds how often one write is sent again whose answer was lost.
	tries = 3
)

// Effect records an intent in the ledger, does it, and records how it ended. What cannot be recorded is not done.
type Effect func(e ledger.Entry, do func(*ledger.Entry) error) error

// Manager has the rights of one process.
type Manager struct {
	cfg    Config
	mu     sync.Mutex
	grants []*Grant
	run    string
	effect Effect // nil outside of a run: then nothing is taken
}

// New makes a Manager. Nothing is sent.
func New(cfg Config) *Manager {
	if cfg.Settle == 0 {
		cfg.Settle = settle
	}
	if cfg.Wait == 0 {
		cfg.Wait = wait
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Manager{cfg: cfg}
}

// Grant is a right that can be taken for at most so long at a time. Whoever asks for the same right shares it, and the
// longest time counts.
func (m *Manager) Grant(e driver.Elevator, length time.Duration) *Grant {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.grants {
		if g.right.Key == e.Right().Key {
			g.length = max(g.length, length)
			return g
		}
	}
	g := &Grant{m: m, elevator: e, right: e.Right(), length: length, turn: make(chan struct{}, 1)}
	m.grants = append(m.grants, g)
	return g
}

// Begin starts a run: from now on rights are taken when they are needed.
func (m *Manager) Begin(run string, effect Effect) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.run, m.effect = run, effect
}

// Tell sets who hears what is waited for, and how long a person may take to approve.
func (m *Manager) Tell(waiting func(what string, until time.Time), longest time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cfg.Waiting = waiting
	if longest > 0 {
		m.cfg.Wait = longest
	}
}

func (m *Manager) begun() (run string, effect Effect) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.run, m.effect
}

// Taken is what a run had of a right.
type Taken struct {
	Right driver.Right
	ID    string
	// From is when it was asked for, and To when it was given back, or when it ends where it was left, by the service's
	// clock.
	From, To time.Time
	// Until is its stated end, and Bound when it is over at the latest.
	Until, Bound time.Time
	// Left says that it is still there: others share it, its service ends it soon, or it could not be given back.
	Left bool
	// Standing says that it was there anyway.
	Standing bool
	// Had is how long it was had, from when it was asked for to when it was given back, by this machine's clock; until
	// its end, where it was left.
	Had time.Duration
	// Err is why it could not be given back.
	Err error
}

// End gives everything back, the newest first, and ends the run. It goes on where ctx is cancelled: a person who
// interrupts a run wants it to be over, and not its rights to stay.
func (m *Manager) End(ctx context.Context) []Taken {
	ctx = context.WithoutCancel(ctx)
	m.mu.Lock()
	grants := m.grants
	m.mu.Unlock()
	var out []Taken
	for i := len(grants) - 1; i >= 0; i-- {
		if t, had := grants[i].giveBack(ctx); had {
			out = append([]Taken{t}, out...)
		}
	}
	m.mu.Lock()
	m.effect = nil
	m.mu.Unlock()
	return out
}

// wall is the wall clock without Go's monotonic reading, which stands still while a machine sleeps.
func (m *Manager) wall() time.Time { return m.cfg.Now().Round(0) }

// pause waits, and says what for.
func (m *Manager) pause(ctx context.Context, d time.Duration, until time.Time, format string, args ...any) error {
	m.mu.Lock()
	waiting := m.cfg.Waiting
	m.mu.Unlock()
	if waiting != nil {
		waiting(fmt.Sprintf(format, args...), until)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &driver.Error{Kind: driver.Unavailable, Op: "wait", Detail: "interrupted, or not in time"}
	}
}
