package elevation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
)

// service is an Elevator whose answers a test writes, and what honours its right.
type service struct {
	mu       sync.Mutex
	delay    time.Duration // until the right is honoured
	fixed    time.Duration // how long it lasts whatever is asked; 0 for what is asked
	approval time.Duration // until somebody approves; negative: nobody does
	denied   bool
	errs     []error // of the next Takes
	lostEnd  int     // how often the answer to a Release is lost

	until, honoured time.Time
	asked           time.Time
	log             []string
	calls, refused  int // of what is under the right
}

func (s *service) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

func (s *service) Right() driver.Right {
	return driver.Right{Key: "k", Role: "Officer", Place: "vault v", How: "test"}
}

func (s *service) Preflight(context.Context, driver.Ask) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("preflight")
	return nil
}

func (s *service) Take(_ context.Context, ask driver.Ask) (driver.Elevation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("take")
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		if err != nil {
			e := driver.Elevation{}
			if driver.KindOf(err) == driver.Ambiguous {
				e.ID = "1"
			}
			return e, err
		}
	}
	now := time.Now()
	if !s.until.After(now) {
		s.honoured = now.Add(s.delay)
	}
	s.asked = now
	d := ask.For
	if s.fixed > 0 {
		d = s.fixed
	}
	if end := now.Add(d); end.After(s.until) {
		s.until = end
	}
	return s.state(now), nil
}

func (s *service) state(now time.Time) driver.Elevation {
	e := driver.Elevation{State: driver.Elevated, ID: "1", Until: s.until, Bound: s.until, Date: now}
	switch {
	case s.approval < 0, s.approval > 0 && now.Before(s.asked.Add(s.approval)):
		e.State, e.Approval = driver.Asked, true
	case s.denied:
		e.State, e.Why = driver.Refused, "the request is Denied"
	case !s.until.After(now):
		e.State = driver.NotElevated
	}
	return e
}

func (s *service) Look(context.Context, driver.Elevation) (driver.Elevation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state(time.Now()), nil
}

func (s *service) Release(ctx context.Context, _ driver.Elevation, _ string) (driver.Elevation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return driver.Elevation{}, &driver.Error{Kind: driver.Unavailable, Op: "release", Detail: "interrupted"}
	}
	s.note("release")
	s.until = time.Time{}
	if s.lostEnd > 0 {
		s.lostEnd--
		return driver.Elevation{}, &driver.Error{Kind: driver.Ambiguous, Op: "release"}
	}
	return driver.Elevation{Date: time.Now()}, nil
}

func (s *service) Find(context.Context) ([]driver.Found, error) { return nil, nil }
func (s *service) End(context.Context, driver.Found) (driver.Elevation, error) {
	return driver.Elevation{}, nil
}

// work is a call that needs the right.
func (s *service) work(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if now := time.Now(); !s.until.After(now) || now.Before(s.honoured) {
		s.refused++
		return &driver.Error{Kind: driver.Denied, Op: "write", Code: "ForbiddenByRbac"}
	}
	return nil
}

func (s *service) said(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.log, want) {
		t.Errorf("it was asked for %q, want %q", s.log, want)
	}
}

// play is a run in a bubble.
func play(t *testing.T, s *service, length time.Duration, f func(t *testing.T, m *Manager, g *Grant)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		g := m.Grant(s, length)
		m.Begin("run1", func(e ledger.Entry, do func(*ledger.Entry) error) error { return do(&e) })
		f(t, m, g)
	})
}

func TestARightIsTakenOnceAndGivenBackOnce(t *testing.T) {
	s := &service{}
	play(t, s, time.Hour, func(t *testing.T, m *Manager, g *Grant) {
		s.said(t)
		for range 3 {
			if err := g.use(t.Context(), patient, s.work); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(90 * time.Second)
		taken := m.End(t.Context())
		if len(taken) != 1 || taken[0].Had != 90*time.Second || taken[0].Left || taken[0].Err != nil {
			t.Errorf("%+v", taken)
		}
		s.said(t, "preflight", "take", "release")
		if again := m.End(t.Context()); len(again) != 0 {
			t.Errorf("once more: %+v", again)
		}
	})
}

func TestNothingIsTakenOutsideOfARun(t *testing.T) {
	s := &service{}
	m := New(Config{})
	if err := m.Grant(s, time.Hour).use(t.Context(), patient, s.work); driver.KindOf(err) != driver.Denied {
		t.Error(err)
	}
	if got := m.End(t.Context()); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	s.said(t)
}

func TestWhatNeedsTheSameSharesIt(t *testing.T) {
	m := New(Config{})
	a, b := m.Grant(&service{}, time.Hour), m.Grant(&service{}, 2*time.Hour)
	if a != b || a.Length() != 2*time.Hour {
		t.Errorf("two rights of %s and %s", a.Length(), b.Length())
	}
}

func TestOneTriesWhileTheOthersWait(t *testing.T) {
	s := &service{delay: 5 * time.Minute}
	play(t, s, time.Hour, func(t *testing.T, m *Manager, g *Grant) {
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				if err := g.use(t.Context(), patient, s.work); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s.said(t, "preflight", "take")
		// 2, 4, 8, 16 and then 30 s apart: a dozen tries in five minutes, and one call of each of the others.
		if s.calls > 199+15 {
			t.Errorf("%d calls for 200", s.calls)
		}
		m.End(t.Context())
	})
}

// What a prompt call rests on gets too old, so who makes it has to look anew between two of them.
func TestAPromptCallIsMadeOnceAndItsCallerIsToldToComeAgain(t *testing.T) {
	for name, c := range map[string]struct {
		delay time.Duration
		again bool // until it is let through
	}{
		"honoured minutes later": {5 * time.Minute, true},
		"never honoured":         {48 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &service{delay: c.delay}
			play(t, s, 8*time.Hour, func(t *testing.T, m *Manager, g *Grant) {
				began := time.Now()
				for n := 1; ; n++ {
					err := g.use(t.Context(), prompt, s.work)
					if s.calls != n {
						t.Fatalf("%d calls were made by %d", s.calls, n)
					}
					if NotYet(err) && driver.NotApplied(err) && n < 40 {
						continue
					}
					took := time.Since(began)
					if c.again && (err != nil || took < c.delay || took > c.delay+time.Minute) {
						t.Errorf("after %s: %v", took, err)
					}
					if !c.again && (driver.KindOf(err) != driver.Denied || NotYet(err) || took < settle-2*time.Minute || took > settle) {
						t.Errorf("after %s: %v", took, err)
					}
					break
				}
				m.End(t.Context())
			})
		})
	}
}

func TestARoleThatIsNeverHonouredIsSaidToBe(t *testing.T) {
	s := &service{delay: 48 * time.Hour}
	play(t, s, 8*time.Hour, func(t *testing.T, m *Manager, g *Grant) {
		began := time.Now()
		err := g.use(t.Context(), patient, s.work)
		var e *driver.Error
		if !errors.As(err, &e) || e.Kind != driver.Denied || e.Detail == "" || e.Hint == "" || time.Since(began) < settle-time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		m.End(t.Context())
	})
}

func TestAFirewallIsNotWaitedFor(t *testing.T) {
	s := &service{}
	play(t, s, time.Hour, func(t *testing.T, m *Manager, g *Grant) {
		began := time.Now()
		err := g.use(t.Context(), patient, func(context.Context) error {
			return &driver.Error{Kind: driver.Denied, Op: "write", Code: "ForbiddenByFirewall"}
		})
		if driver.KindOf(err) != driver.Denied || time.Since(began) > 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		m.End(t.Context())
		s.said(t, "preflight", "take", "release")
	})
}

func TestWhatOutlastsItsTimeIsAskedForAgain(t *testing.T) {
	for name, fixed := range map[string]time.Duration{"an end that is moved": 0, "one that is not": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := &service{fixed: fixed}
			play(t, s, 30*time.Minute, func(t *testing.T, m *Manager, g *Grant) {
				for range 40 {
					if err := g.use(t.Context(), patient, s.work); err != nil {
						t.Fatal(err)
					}
					<-time.After(3 * time.Minute)
				}
				m.End(t.Context())
				takes := len(slices.DeleteFunc(slices.Clone(s.log), func(x string) bool { return x != "take" }))
				if takes < 4 || takes > 15 || s.refused > 0 {
					t.Errorf("it was taken %d times in two hours, and %d calls were refused", takes, s.refused)
				}
			})
		})
	}
}

func TestWhatIsTakenAwayInTheMiddleIsTakenAgain(t *testing.T) {
	s := &service{}
	play(t, s, time.Hour, func(t *testing.T, m *Manager, g *Grant) {
		if err := g.use(t.Context(), patient, s.work); err != nil {
			t.Fatal(err)
		}
		s.until = time.Time{} // another run has given it back
		if err := g.use(t.Context(), patient, s.work); err != nil {
			t.Fatal(err)
		}
		m.End(t.Context())
		s.said(t, "preflight", "take", "take", "release")
	})
}

func TestWhatSomebodyHasToApprove(t *testing.T) {
	for name, c := range map[string]struct {
		service *service
		want    driver.Kind
		log     []string
	}{
		"is had when it is approved":        {&service{approval: 3 * time.Minute}, 0, []string{"preflight", "take", "release"}},
		"is said to be denied":              {&service{approval: 3 * time.Minute, denied: true}, driver.Denied, []string{"preflight", "take", "release"}},
		"is taken back when nobody decides": {&service{approval: -1}, driver.Denied, []string{"preflight", "take", "release"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.service
			play(t, s, time.Hour, func(t *testing.T, m *Manager, g *Grant) {
				err := g.use(t.Context(), patient, s.work)
				var e *driver.Error
				if driver.KindOf(err) != c.want || c.want != 0 && (!errors.As(err, &e) || !e.Person || e.Hint == "") {
					t.Errorf("%v", err)
				}
				// Asking again in this run would change nothing.
				if err := g.use(t.Context(), patient, s.work); driver.KindOf(err) != c.want {
					t.Errorf("again: %v", err)
				}
				m.End(t.Context())
				s.said(t, c.log...)
			})
		})
	}
}

func TestALostAnswerIsLookedUp(t *testing.T) {
	lost := &driver.Error{Kind: driver.Ambiguous, Op: "take"}
	s := &service{errs: []error{lost, lost}, lostEnd: 1}
	play(t, s, time.Hour, func(t *testing.T, m *Manager, g *Grant) {
		if err := g.use(t.Context(), patient, s.work); err != nil {
			t.Fatal(err)
		}
		taken := m.End(t.Context())
		if len(taken) != 1 || taken[0].Err != nil {
			t.Errorf("%+v", taken)
		}
		s.said(t, "preflight", "take", "take", "take", "release", "release")
	})
}

func TestWhatWasJustGivenBackIsWaitedFor(t *testing.T) {
	exists := &driver.Error{Kind: driver.Conflict, Op: "take", RetryAfter: time.Minute}
	s := &service{errs: []error{exists, exists}}
	play(t, s, time.Hour, func(t *testing.T, m *Manager, g *Grant) {
		began := time.Now()
		if err := g.use(t.Context(), patient, s.work); err != nil || time.Since(began) != 2*time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		m.End(t.Context())
	})
}

func TestItIsGivenBackWhenTheRunIsInterrupted(t *testing.T) {
	s := &service{}
	play(t, s, time.Hour, func(t *testing.T, m *Manager, g *Grant) {
		ctx, stop := context.WithCancel(t.Context())
		if err := g.use(ctx, patient, s.work); err != nil {
			t.Fatal(err)
		}
		stop()
		m.End(ctx)
		s.said(t, "preflight", "take", "release")
	})
}

func TestWhatCannotBeRecordedIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		m := New(Config{})
		g := m.Grant(s, time.Hour)
		m.Begin("run1", func(ledger.Entry, func(*ledger.Entry) error) error {
			return &driver.Error{Kind: driver.Unavailable, Op: "record the intent to elevate"}
		})
		if err := g.use(t.Context(), patient, s.work); driver.KindOf(err) != driver.Unavailable {
			t.Error(err)
		}
		m.End(t.Context())
		s.said(t, "preflight")
	})
}
