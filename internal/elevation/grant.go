package elevation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
)

// margin is how much of a right must be left before something is begun under it: a replacement goes from its first look
// to its publication within ten minutes, and should not lose the right between.
const margin = 12 * time.Minute

// Grant is one right, shared by all that need it.
type Grant struct {
	m        *Manager
	elevator driver.Elevator
	right    driver.Right
	length   time.Duration

	// turn is had by the one that takes, renews or tries the right; the others wait for what it finds out.
	turn chan struct{}

	mu      sync.Mutex
	held    driver.Elevation
	asked   driver.Elevation // what was asked for and may be in force, while nothing is held
	heard   time.Time        // wall clock when what held says was asked for
	taken   time.Time        // wall clock when it was asked for last
	from    time.Time        // the service's clock when it was asked for first
	since   time.Time        // wall clock then
	margin  time.Duration
	settled bool      // what honours it has let something through
	term    int       // counts how often it was taken
	refused time.Time // wall clock when a prompt call was refused first, since one was let through
	pauses  int       // since then
	allowed bool      // the manifest's rules, or a person
	checked bool      // the service's rules were read
	failed  error
}

// Right is what it is.
func (g *Grant) Right() driver.Right { return g.right }

// Length is for how long it is taken at a time.
func (g *Grant) Length() time.Duration { return g.length }

// patience says what is done when the service refuses a call because the right is not known there yet.
type patience bool

const (
	// patient calls are made again until they are let through: those that a decision begins with, and those that change
	// nothing.
	patient patience = true
	// prompt calls are not: what they rest on gets too old. Who makes one looks anew, and makes it again: see NotYet.
	prompt patience = false
)

// Do takes the right and does something under it, again and again until it is let through.
func (g *Grant) Do(ctx context.Context, do func(context.Context) error) error {
	return g.use(ctx, patient, do)
}

// Held is what is had of it by now.
func (g *Grant) Held() driver.Elevation {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// use does something under the right.
func (g *Grant) use(ctx context.Context, p patience, do func(context.Context) error) error {
	if _, effect := g.m.begun(); effect == nil {
		return do(ctx)
	}
	if term, ready := g.ready(); ready {
		err := g.bounded(ctx, do)
		if !lacks(err) {
			return g.letThrough(p, err)
		}
		g.doubt(term)
		if p == prompt {
			return g.notYet(ctx, err)
		}
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return &driver.Error{Kind: driver.Unavailable, Op: "take " + g.right.String(), Detail: "interrupted, or no turn in time"}
	}
	refused, err := g.first(ctx, p, do)
	<-g.turn
	switch {
	case refused && p == prompt:
		return g.notYet(ctx, err)
	case refused:
		return notHonoured(g.right, err)
	}
	return g.letThrough(p, err)
}

// letThrough is what a call leaves that was not refused for want of the right.
func (g *Grant) letThrough(p patience, err error) error {
	if p == prompt && err == nil {
		g.mu.Lock()
		g.refused, g.pauses = time.Time{}, 0
		g.mu.Unlock()
	}
	return err
}

// notHonouredYet is the code of a refusal that may be none a moment later.
const notHonouredYet = "RoleNotHonouredYet"

// NotYet says of an error that a call was refused, with nothing done, although its right is had: what honours it may not
// know of it yet, or somebody has taken it away. What the call rests on is to be looked at anew, then it can be made again.
func NotYet(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Code == notHonouredYet
}

// notYet waits a little after a prompt call was refused. When the right should long be known, the refusal stands.
func (g *Grant) notYet(ctx context.Context, err error) error {
	g.mu.Lock()
	now := g.m.wall()
	if g.refused.IsZero() {
		g.refused = now
	}
	pause, until, standing := min(5*time.Second<<min(g.pauses, 10), time.Minute), g.refused.Add(g.m.cfg.Settle), g.held.Standing
	g.pauses++
	g.mu.Unlock()
	if standing || now.Add(pause).After(until) || g.m.pause(ctx, pause, until, "%s was granted, and is not honoured yet", g.right) != nil {
		return notHonoured(g.right, err)
	}
	var e *driver.Error
	errors.As(err, &e)
	return &driver.Error{Kind: driver.Unavailable, Op: e.Op, Code: notHonouredYet, Detail: g.right.String() + " was granted, and is not honoured yet"}
}

// first is use for the one whose turn it is. refused says that the call was made under the right, and refused for want of
// it.
func (g *Grant) first(ctx context.Context, p patience, do func(context.Context) error) (refused bool, err error) {
	for again := 0; ; again++ {
		term, ready := g.ready()
		if !ready {
			if err := g.take(ctx); err != nil {
				return false, err
			}
			term, _ = g.ready()
		}
		if !g.lasts(0) { // this machine was suspended while it took it
			if again+1 == tries {
				return false, driver.Errorf(driver.Unavailable, "work under "+g.right.String(), "", "it was over each time that it was had: this process was suspended")
			}
			continue
		}
		err := g.through(ctx, p, do)
		if !lacks(err) {
			return false, err
		}
		g.doubt(term)
		if p == prompt || again+1 == tries || ctx.Err() != nil {
			return true, err
		}
	}
}

// through tries until the call is let through, or the right should long be known.
func (g *Grant) through(ctx context.Context, p patience, do func(context.Context) error) error {
	g.mu.Lock()
	until := g.taken.Add(g.m.cfg.Settle)
	settled, standing := g.settled, g.held.Standing
	g.mu.Unlock()
	for pause := 2 * time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := g.bounded(ctx, do)
		switch {
		case err == nil:
			g.mu.Lock()
			g.settled = true
			g.mu.Unlock()
			return nil
		case !lacks(err) || settled || standing || p == prompt || g.m.wall().Add(pause).After(until) || !g.lasts(pause):
			return err
		}
		if perr := g.m.pause(ctx, pause, until, "%s was granted, and is not honoured yet", g.right); perr != nil {
			return err
		}
	}
}

// ready says whether the right is there, was seen to be honoured, and lasts long enough to begin something.
func (g *Grant) ready() (term int, ready bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.term, g.settled && g.left() > g.margin
}

// left is how much of the right is left. Locked.
func (g *Grant) left() time.Duration {
	switch {
	case g.held.State != driver.Elevated:
		return 0
	case g.held.Standing:
		return time.Hour
	}
	return g.held.Until.Sub(g.held.Date) - g.m.wall().Sub(g.heard)
}

// bounded does something that is given up when the right ends: what is held up on its way must not be done under one that
// nobody has ended yet.
func (g *Grant) bounded(ctx context.Context, do func(context.Context) error) error {
	g.mu.Lock()
	left := g.left()
	g.mu.Unlock()
	ctx, cancel := context.WithDeadline(ctx, g.m.wall().Add(left))
	defer cancel()
	return do(ctx)
}

func (g *Grant) lasts(d time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.left() > d
}

// doubt is what a refusal leaves: the right may have been taken away.
func (g *Grant) doubt(term int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.term == term {
		g.settled = false
	}
}

// take asks for the right, or for more of it.
func (g *Grant) take(ctx context.Context) error {
	g.mu.Lock()
	failed, checked := g.failed, g.checked
	g.mu.Unlock()
	if failed != nil {
		return failed
	}
	run, effect := g.m.begun()
	g.mu.Lock()
	if g.since.IsZero() {
		g.since = g.m.wall()
	}
	g.mu.Unlock()
	if err := g.Allowed(ctx); err != nil {
		return g.fail(err)
	}
	ask := driver.Ask{Run: run, For: g.length, Reason: g.m.cfg.Reason, Ticket: g.m.cfg.Ticket}
	if !checked {
		if err := g.elevator.Preflight(ctx, ask); err != nil {
			return g.fail(err)
		}
	}
	e, at, err := g.ask(ctx, ask, effect)
	if err != nil {
		return g.fail(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.checked = true
	fresh := g.held.State != driver.Elevated || g.held.ID != e.ID
	g.held, g.asked, g.heard = e, driver.Elevation{}, at
	if g.from.IsZero() {
		g.from = e.Date
	}
	if fresh {
		g.taken = g.m.wall()
		g.term++
	}
	// What the service does not let last longer is used as long as it lasts, and asked for again when half of it is gone.
	g.margin = min(margin, max(g.left()/2, 0))
	g.settled = g.settled && !fresh
	return nil
}

// Allowed says whether the right may be taken, without taking it. Where a person has to decide that, they are asked.
func (g *Grant) Allowed(ctx context.Context) error {
	g.mu.Lock()
	allowed := g.allowed || g.m.cfg.Allow == nil
	g.mu.Unlock()
	if allowed {
		return nil
	}
	if err := g.m.cfg.Allow(ctx, g.right, g.length, false); err != nil {
		return err
	}
	g.mu.Lock()
	g.allowed = true
	g.mu.Unlock()
	return nil
}

// Would says what would be said if the right were to be taken. Nobody is asked.
func (g *Grant) Would(ctx context.Context) error {
	if g.m.cfg.Allow == nil {
		return nil
	}
	return g.m.cfg.Allow(ctx, g.right, g.length, true)
}

// fail remembers what asking again in this run would not change.
func (g *Grant) fail(err error) error {
	switch driver.KindOf(err) {
	case driver.Denied, driver.Rejected, driver.Missing:
		g.mu.Lock()
		g.failed = err
		g.mu.Unlock()
	}
	return err
}

// ask asks until the service has decided. at is when the answer was asked for, since a machine can be suspended before it
// hears of it.
func (g *Grant) ask(ctx context.Context, ask driver.Ask, effect Effect) (e driver.Elevation, at time.Time, err error) {
	until := g.m.wall().Add(g.m.cfg.Wait)
	for lost := 0; ; {
		e, at = driver.Elevation{}, g.m.wall()
		entry := ledger.Entry{Effect: "elevate", Target: g.right.String(), Reason: ask.Reason}
		err := effect(entry, func(entry *ledger.Entry) error {
			var err error
			e, err = g.elevator.Take(ctx, ask)
			entry.IssuerID, entry.Expires = e.ID, e.Until
			return err
		})
		if err != nil && e.State == driver.NotElevated && e.ID == "" && driver.KindOf(err) != driver.Ambiguous && driver.KindOf(err) != driver.Conflict {
			return e, at, err
		}
		g.mayBe(e)
		switch driver.KindOf(err) {
		case driver.Ambiguous:
			at = g.m.wall()
			if e, err = g.elevator.Look(ctx, e); err != nil {
				return e, at, err
			}
			if lost++; e.State == driver.NotElevated && lost < tries {
				continue
			}
		case driver.Conflict:
			var de *driver.Error
			errors.As(err, &de)
			after := max(de.RetryAfter, time.Second)
			if g.m.wall().Add(after).After(until) {
				return e, at, err
			}
			if perr := g.m.pause(ctx, after, until, "%s was given back a moment ago, and cannot be had again yet", g.right); perr != nil {
				return e, at, perr
			}
			continue
		default:
			if err != nil {
				return e, at, err
			}
		}
		return g.granted(ctx, e, at, until)
	}
}

// mayBe notes what may come into force, so that it is given back whatever happens from here on.
func (g *Grant) mayBe(e driver.Elevation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.ID == "" || g.held.State == driver.Elevated {
		return // what is held is given back, and with it what was asked for besides
	}
	if e.State == driver.NotElevated {
		e.State = driver.Asked
	}
	g.asked = e
}

// granted waits until a right that was asked for is in force.
func (g *Grant) granted(ctx context.Context, e driver.Elevation, at, until time.Time) (driver.Elevation, time.Time, error) {
	op := "take " + g.right.String()
	for pause := 2 * time.Second; ; pause = min(2*pause, 15*time.Second) {
		switch e.State {
		case driver.Elevated:
			return e, at, nil
		case driver.Refused:
			return e, at, &driver.Error{Kind: driver.Denied, Op: op, Detail: e.Why, Person: true,
				Hint: "ask who approves it for the reason, then run again"}
		case driver.NotElevated:
			return e, at, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "it was taken away again"}
		}
		why := "%s was asked for, and is not in force yet"
		if e.Approval {
			why = "%s waits for somebody to approve it"
		}
		if g.m.wall().Add(pause).After(until) {
			err := &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the service has not put it in force in time"}
			if e.Approval {
				err = &driver.Error{Kind: driver.Denied, Op: op, Detail: "nobody approved it in time; the request is taken back", Person: true,
					Hint: "run again when somebody is there to approve it, or let the run wait for longer"}
			}
			return e, at, err
		}
		if err := g.m.pause(ctx, pause, until, why, g.right); err != nil {
			return e, at, err
		}
		at = g.m.wall()
		next, err := g.elevator.Look(ctx, e)
		switch driver.KindOf(err) {
		case 0:
			if err != nil {
				return e, at, err
			}
			e = next
		case driver.Unavailable, driver.Throttled:
		default:
			return e, at, err
		}
	}
}

// giveBack ends the right, if it was had or may be.
func (g *Grant) giveBack(ctx context.Context) (t Taken, had bool) {
	ctx, cancel := context.WithTimeout(ctx, releaseFor)
	defer cancel()
	g.mu.Lock()
	e, since := g.held, g.since
	if e.State == driver.NotElevated {
		e = g.asked
	}
	t = Taken{Right: g.right, ID: e.ID, From: g.from, Until: e.Until, Bound: e.Bound, Standing: e.Standing}
	g.held, g.asked, g.settled, g.from, g.since = driver.Elevation{}, driver.Elevation{}, false, time.Time{}, time.Time{}
	g.mu.Unlock()
	if e.State == driver.NotElevated || e.State == driver.Refused {
		return t, false
	}
	if t.From.IsZero() {
		t.From = e.Date
	}
	if e.Standing {
		return t, true
	}
	run, effect := g.m.begun()
	if effect == nil {
		effect = func(e ledger.Entry, do func(*ledger.Entry) error) error { return do(&e) }
	}
	var left driver.Elevation
	var err error
	for range tries {
		entry := ledger.Entry{Effect: "release", Target: g.right.String(), IssuerID: e.ID, Reason: "the run is over"}
		err = effect(entry, func(entry *ledger.Entry) error {
			var err error
			left, err = g.elevator.Release(ctx, e, run)
			entry.Expires = left.Until
			return err
		})
		// To give back what was given back already is success, so a lost answer is asked for again.
		if k := driver.KindOf(err); k != driver.Ambiguous && k != driver.Unavailable {
			break
		}
	}
	t.Had = g.m.wall().Sub(since)
	switch {
	case err != nil:
		t.Err, t.Left, t.To = err, true, t.Bound
	case left.State == driver.Elevated:
		t.Left, t.Until, t.Bound, t.To = true, left.Until, left.Bound, left.Until
	default:
		t.To = left.Date
	}
	if t.Left {
		t.Had += max(t.To.Sub(e.Date)-g.m.wall().Sub(since), 0)
	}
	return t, true
}

// codes are what services answer to who lacks a role. A firewall's refusal is none of them, and no role helps with it.
var codes = []string{"ForbiddenByRbac", "AuthorizationFailed", "AuthorizationPermissionMismatch", "LinkedAuthorizationFailed", "Authorization_RequestDenied", "Forbidden", "HTTP Forbidden"}

// lacks says whether a call was refused for want of a role.
func lacks(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Kind == driver.Denied && slices.Contains(codes, e.Code)
}

// notHonoured says of a refusal that it came although the right was granted.
func notHonoured(r driver.Right, err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Detail = "although " + r.String() + " was taken for it"
	out.Hint = "does that role allow it, and is the place the right one? A new role is honoured after 10 minutes at the latest"
	return &out
}
