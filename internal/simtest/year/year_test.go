package year

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim"
)

// size is what a year is made from. It repeats it.
type size struct {
	seed        uint64
	credentials int
	days        int
	every       time.Duration // the schedule
}

func (s size) String() string {
	return fmt.Sprintf("go test ./internal/simtest/year -run TestAYear -year.seed %d -year.credentials %d -year.days %d -year.every %s", s.seed, s.credentials, s.days, s.every)
}

// plan is a size with what a test wants besides.
type plan struct {
	size
	keepLines bool
	// plant is done to the world after the last run, before it is judged.
	plant    func(*year)
	progress func(string)
}

// year is a year that is being lived.
type year struct {
	*testing.T
	plan
	srv     *sim.Server
	fleet   *fleet
	book    *book
	weather *weather
	people  *crew
	began   time.Time

	calmFrom, end time.Time

	mu        sync.Mutex
	current   *edition
	dirty     bool
	accountOf map[string]int // object id -> number
	byAccount [][]*life
	others    invariant.History // of what is none of the product's business
	beside    map[string]map[string]string
	processes int
	lates     int
	pending   sync.WaitGroup
	sinks     *sinks
	stats     stats
	broken    []broken
	sum       hash.Hash
	lines     []string
}

// broken is a violation with the credential's own events around it.
type broken struct {
	invariant.Violation
	life  int
	story []string
}

// live lives a year in a bubble.
func live(t *testing.T, p plan) (out *year) {
	t.Helper()
	real := time.Now()
	synctest.Test(t, func(t *testing.T) {
		out = liveHere(t, p)
	})
	out.stats.real = time.Since(real)
	return out
}

func liveHere(t *testing.T, p plan) *year {
	y := &year{T: t, plan: p, began: time.Now(), accountOf: map[string]int{}, sinks: newSinks(), stats: newStats(), sum: sha256.New()}
	y.end = y.began.Add(time.Duration(p.days) * day)
	calm := 8 * day
	if p.days > 60 {
		calm = 21 * day
	}
	y.calmFrom = y.end.Add(-calm)
	y.fleet = newFleet(p.seed, p.credentials, p.every)
	state := y.fleet.world(p.seed)
	srv, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	y.srv = srv
	y.current = y.fleet.edition(1)
	y.byAccount = make([][]*life, len(y.fleet.accounts))
	w := srv.World()
	w.Lock()
	y.book = newBook(y.fleet, y.current, &w.State)
	y.others, y.beside = bystanders(y, &w.State), y.fleet.beside(&w.State)
	for _, l := range y.book.lives {
		l.history.Note(w, w.Now())
	}
	w.Unlock()
	for _, l := range y.book.lives {
		y.byAccount[l.account] = append(y.byAccount[l.account], l)
	}
	for i, a := range y.fleet.accounts {
		y.accountOf[a.id] = i
	}
	y.weather = newWeather(p.seed, y.fleet, y.began.Add(2*day), y.calmFrom)
	y.people = newCrew(y, y.began.Add(3*day), y.calmFrom, 2*p.credentials*p.days/365+1)

	for i, a := range y.fleet.accounts {
		if a.sealed {
			y.people.login(i)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { y.replica(replicaA, 50*time.Millisecond) })
	wg.Go(func() { y.replica(replicaB, 400*time.Millisecond) })
	wg.Go(func() { y.people.live(y.end.Add(-4 * day)) })
	wg.Go(y.audit)
	wg.Wait()
	y.pending.Wait()
	y.settle()
	return y
}

// edition is the manifest of now. The year is locked.
func (y *year) edition() *edition {
	if y.dirty {
		y.dirty = false
		y.current = y.fleet.edition(y.current.n + 1)
		y.hash(fmt.Sprintf("%s edition %d", y.at(), y.current.n))
	}
	return y.current
}

// replica runs the product on schedule until the year ends.
func (y *year) replica(l lane, slow time.Duration) {
	rng := newRNG(y.seed, 100+uint64(l))
	for slot := y.began; slot.Before(y.end); slot = slot.Add(y.every) {
		at := slot.Add(time.Minute)
		if rng.IntN(2) == 0 {
			at = at.Add(time.Duration(rng.Int64N(int64(y.every / 8))))
		}
		off := rng.IntN(60) == 0 && slot.Before(y.calmFrom) // the machine is being mended
		if time.Now().After(at.Add(y.every)) || off {
			y.mu.Lock()
			for _, x := range y.book.lives {
				x.calmSince[l] = time.Time{}
			}
			y.mu.Unlock()
			continue
		}
		l.until(at)
		y.mu.Lock()
		p := y.process(l, slow, !time.Now().Before(y.calmFrom))
		y.mu.Unlock()
		p.run(rotation.Converge)
	}
}

// audit turns the knobs, and once a day searches for secrets and looks at what is none of the product's business.
func (y *year) audit() {
	turns := y.weather.turns()
	for at := y.began.Add(day); at.Before(y.end); at = at.Add(day) {
		turns = append(turns, at)
	}
	slices.SortFunc(turns, time.Time.Compare)
	w := y.srv.World()
	days := 0
	for _, at := range turns {
		auditor.until(at)
		w.Lock()
		who := w.Knobs.Entra.DeviceAutoApprove
		w.Knobs = y.weather.knobs(calmKnobs)
		w.Knobs.Entra.DeviceAutoApprove = who
		w.Unlock()
		if d := int(time.Since(y.began) / day); d > days {
			days = d
			y.daily(days)
		}
	}
}

func (y *year) daily(days int) {
	requests, _ := json.Marshal(y.srv.Requests())
	y.srv.ResetRequests()
	w := y.srv.World()
	w.Lock()
	defer w.Unlock()
	y.mu.Lock()
	defer y.mu.Unlock()
	y.keep("request log", string(requests))
	for _, s := range w.Secrets() {
		y.sinks.know(s)
	}
	for _, where := range y.sinks.search() {
		y.breaks(broken{invariant.Violation{Invariant: "leak", What: where}, -1, nil})
	}
	y.others.Now = w.Now()
	for _, v := range invariant.Foreign.Check(&y.others) {
		y.breaks(broken{v, -1, nil})
	}
	y.besideIsAsItWas(&w.State)
	y.teams()
	for _, l := range y.book.lives {
		l.history.Held = l.history.Lately(w.Now().Add(-day))
		if w.Now().Before(y.end.Add(-5 * day)) {
			y.stuck(l, w.Now())
		}
	}
	if days%7 == 0 || days == y.days-1 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		y.stats.heap = max(y.stats.heap, m.HeapAlloc)
	}
	if days%7 == 0 && y.progress != nil {
		y.progress(fmt.Sprintf("day %d of %d: %s", days, y.days, y.stats.short()))
	}
}

// stuck holds if no Hold outlives what people do about it. The year is locked.
func (y *year) stuck(l *life, now time.Time) {
	if !l.held.IsZero() && now.Sub(l.held) > 12*day {
		y.report(l, []invariant.Violation{{Invariant: "hold", What: fmt.Sprintf("%s: it is held since %s (%s), although people do what the Hold says: %s",
			l.promise().Target, l.held.Format(time.DateOnly), l.result.Code, l.result.Do)}})
	}
}

// settle makes the last runs, and judges what there is then. The last run of all must have nothing to do; what comes
// due between two runs gets a third one.
func (y *year) settle() {
	y.mu.Lock()
	first := y.process(replicaA, 20*time.Millisecond, true)
	y.mu.Unlock()
	first.run(rotation.Converge)
	open := map[int]bool{}
	for _, l := range y.book.lives {
		open[l.n] = true
	}
	for round := range 3 {
		for _, l := range y.book.lives {
			l.history.Events = nil
		}
		y.mu.Lock()
		p := y.process(replicaA, 20*time.Millisecond, true)
		p.late++ // so that it is not forgotten
		y.mu.Unlock()
		results := p.run(rotation.Converge)
		if y.plant != nil && round == 0 {
			y.plant(y)
		}
		w := y.srv.World()
		w.Lock()
		y.mu.Lock()
		for _, r := range results {
			l := y.book.lives[p.ed.byName[string(r.Spec.Name)]]
			if !open[l.n] {
				continue
			}
			res := shown(r)
			y.stats.ends(res)
			if res.Kind == rotation.Wait && (res.Code == "overlap" || res.Code == "young") && l.reached.After(y.calmFrom) {
				res.Kind = rotation.Done // it came to Done in the calm, and its next life has begun
			}
			l.history.Events = append(l.history.Events, invariant.Event{Process: p.id, Ended: &invariant.Ended{At: w.Now(), Calm: true, Results: []invariant.Result{res}}})
			y.look(l, p.ed.promises[l.n])
			if !p.ed.enabled[l.n] {
				delete(open, l.n)
				continue
			}
			found := invariant.Check(&l.history, invariant.Settled)
			if len(found) > 0 && round < 2 && slices.ContainsFunc(found, func(v invariant.Violation) bool { return v.Invariant == invariant.Idle.Name }) {
				continue // due just now: once more
			}
			for _, v := range found {
				if v.Invariant == invariant.Stray.Name {
					y.stats.orphans++
				}
			}
			y.report(l, found)
			delete(open, l.n)
		}
		y.mu.Unlock()
		w.Unlock()
		if len(open) == 0 {
			break
		}
	}
	y.daily(y.days)
}

// keep has a text searched for secrets. The year is locked.
func (y *year) keep(where, text string) { y.sinks.keep(where, text) }

func (y *year) at() string { return time.Now().UTC().Format("01-02 15:04:05.000000000") }

// event writes a line of the year's log, and of a credential's own story. The year is locked.
func (y *year) event(l *life, format string, args ...any) {
	line := y.at() + " " + fmt.Sprintf(format, args...)
	if l != nil {
		l.tell(line)
	}
	y.hash(line)
}

func (y *year) hash(line string) {
	y.sum.Write([]byte(line))
	y.sum.Write([]byte{'\n'})
	y.stats.events++
	if y.keepLines {
		y.lines = append(y.lines, line)
	}
}

// breaks keeps a violation for the verdict. In a proof it is said at once too: a test's errors are shown when the last of
// its worlds has ended. The year is locked.
func (y *year) breaks(b broken) {
	if y.broken = append(y.broken, b); y.progress != nil {
		y.progress(y.tale(b))
	}
}

// tale is a violation with what led to it, and the command that repeats the year.
func (y *year) tale(b broken) string {
	return fmt.Sprintf("%v\nits own events:\n  %s\nrepeat it with:\n  %s", b.Violation, strings.Join(b.story, "\n  "), y.size)
}

// verdict fails the test for each violation, with the command that repeats the year.
func (y *year) verdict(t *testing.T) {
	t.Helper()
	for i, b := range y.broken {
		if i == 5 {
			t.Errorf("and %d more", len(y.broken)-i)
			break
		}
		t.Error(y.tale(b))
	}
	t.Log(y.stats.table(y))
}
