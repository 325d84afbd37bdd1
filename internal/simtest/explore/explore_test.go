package explore

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/app"
)

var update = flag.Bool("update", false, "write the golden files")

func (x *search) finish(t *testing.T, name string) {
	t.Helper()
	for _, f := range x.found {
		t.Errorf("%v", f)
	}
	points, outcomes := x.struckPoints()
	t.Logf("%s: %d points, %d of their outcomes, %d worlds (%d of them not gone through), %d runs, %d violations", name, points, outcomes, x.worlds, len(x.frontier), x.played, len(x.found))
}

// struckPoints counts the points at which something happened, and what could happen there.
func (x *search) struckPoints() (points, outcomes int) {
	for _, o := range x.points {
		outcomes += len(o)
	}
	return len(x.points), outcomes
}

// starts are those of the fields in which services behave, and variants those in which they do not.
func starts() []start   { return startsOf(false) }
func variants() []start { return startsOf(true) }

func startsOf(alone bool) (out []start) {
	for _, f := range fields() {
		if f.alone == alone {
			out = append(out, f.starts...)
		}
	}
	return out
}

// TestEveryKindIsExplored is what brings a new kind into every exploration.
func TestEveryKindIsExplored(t *testing.T) {
	t.Parallel()
	explored := map[string]bool{}
	for _, f := range fields() {
		explored[f.kind] = true
	}
	for _, k := range app.Kinds() {
		if k.Consumer {
			continue // see TestEveryKindOfConsumerIsExplored
		}
		if !explored[k.Name] {
			t.Errorf("the manifest can name %s, and no field explores it", k.Name)
		}
		delete(explored, k.Name)
	}
	for kind := range explored {
		t.Errorf("%s is explored, and the manifest cannot name it", kind)
	}
}

// TestEveryWorld goes from every start, at every point with every outcome, and through the worlds next to it as far as
// the bound allows. With -prove, see TestProof.
func TestEveryWorld(t *testing.T) {
	notWithProve(t)
	for _, f := range fields() {
		for _, s := range f.starts {
			persons, runs := 1, 200
			if f.alone {
				persons, runs = 0, 130
			}
			if f.short > 0 {
				runs = f.short
			}
			if testing.Short() {
				runs = min(runs, 8) // for the race detector
			}
			t.Run(s.name, func(t *testing.T) {
				x := newSearch(s.make(t))
				x.workers, x.persons = runtime.GOMAXPROCS(0), persons
				x.runs, x.skip = runs, f.leaveOut
				x.explore(t)
				x.finish(t, s.name)
			})
		}
	}
}

// leaveOut is what a short exploration of a field has no time for, and what is said not to hold.
func (f field) leaveOut(p point, o outcome) bool {
	// Else the bound is reached before the tell is.
	beforeTheTell := (p.Label == "SetSecret" || p.Label == "GetSecret") && !changes(p, o)
	return onTheWay(p, o) || f.at != nil && (!f.at(p) || beforeTheTell) || f.except != nil && f.except(p, o)
}

// onTheWay leaves out most of what can happen on the way to an access token, where nothing has been done yet.
func onTheWay(p point, o outcome) bool {
	return p.signingIn() && o != cut && o != suspendAfter
}

// TestTwoThingsInOneRun has answers lost and calls throttled in pairs.
func TestTwoThingsInOneRun(t *testing.T) {
	notWithProve(t)
	for _, s := range starts()[:5] {
		t.Run(s.name, func(t *testing.T) {
			n := s.make(t)
			x := newSearch(n)
			x.workers = runtime.GOMAXPROCS(0)
			first := x.all(t, []job{{n, undisturbed}})
			if first[0].points == nil {
				t.Fatal("no points")
			}
			var jobs []job
			for i, p := range first[0].points[0] {
				for _, o := range survived(p) {
					jobs = append(jobs, job{n, script{plans: []map[int]outcome{{i: o}}}})
				}
			}
			x.second(t, jobs, x.all(t, jobs))
			x.settle(t)
			x.finish(t, s.name)
		})
	}
}

// crossable are the starts from which two runs at once are gone through. Where somebody is told they are those in which
// there is something to tell; two runs from every other world are in the fields themselves.
func crossable() (out []field) {
	for _, f := range fields() {
		for _, s := range f.starts {
			told := f.at != nil
			switch strings.TrimPrefix(s.name, f.name+", ") {
			case "due", "half told":
				if !f.crossings && !told {
					continue
				}
			case "absent", "after the overlap", "with an orphan", "absent with an orphan", "with a loser":
				if !f.crossings || told {
					continue
				}
			case "to be adopted":
			default:
				continue
			}
			out = append(out, field{kind: f.kind, name: s.name, starts: []start{s}, alone: f.alone})
		}
	}
	return out
}

// TestTwoRunsAtOnce has two runs take turns in every order with one or two changes of turn.
func TestTwoRunsAtOnce(t *testing.T) {
	notWithProve(t)
	for _, f := range crossable() {
		if f.alone {
			continue // TestPeopleAndRunsThatCross has some of these
		}
		s := f.starts[0]
		t.Run(s.name, func(t *testing.T) {
			n := s.make(t)
			x := newSearch(n)
			x.workers = runtime.GOMAXPROCS(0)
			first := x.all(t, []job{{n, undisturbed}})
			changes := 1
			if s.name == "due" || s.name == "absent with an orphan" {
				changes = 2
			}
			x.all(t, crossed(n, first[0], changes, false))
			x.settle(t)
			x.finish(t, s.name)
		})
	}
}

// TestPoints holds what an undisturbed run does to the outside, from every start, to a golden file: a new call or write
// shows in review.
func TestPoints(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("what a run does is the same under the race detector")
	}
	var b strings.Builder
	first := map[string]string{} // by points, the start that they were listed for
	for _, f := range fields() {
		for _, s := range f.starts {
			e := play(t, s.make(t), undisturbed)
			fmt.Fprintf(&b, "%s, %s: %s\n", f.kind, s.name, told(&e))
			var points strings.Builder
			for _, p := range e.points[0] {
				fmt.Fprintf(&points, "    %s\n", p.Label)
			}
			name := fmt.Sprintf("%s, %s", f.kind, s.name)
			if as, ok := first[points.String()]; ok {
				fmt.Fprintf(&b, "    as %s\n", as)
				continue
			}
			first[points.String()] = name
			b.WriteString(points.String())
		}
	}
	const file = "testdata/points.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("what runs do to the outside has changed; look at it, and write it with -update:\n%s", got)
	}
}

// TestAnExplorationIsTheSameEachTime is what makes a counterexample worth anything.
func TestAnExplorationIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	once := func(workers int) string {
		x := newSearch(origin())
		x.workers, x.runs, x.persons = workers, 80, 0
		x.explore(t)
		return fmt.Sprint(x.worlds, x.played, slices.Sorted(maps.Keys(x.seen)))
	}
	if a, b := once(1), once(3); a != b {
		t.Errorf("one worker finds\n%s\nthree find\n%s", a, b)
	}
}

// TestAnExplorationGoesOnWhereItWasInterrupted compares one that was kept half-way with one that was not.
func TestAnExplorationGoesOnWhereItWasInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of runs")
	}
	t.Parallel()
	explore := func(file string, runs int) *search {
		n := origin()
		x := newSearch(n)
		x.workers, x.runs, x.persons = 2, runs, 0
		x.skip = func(p point, _ outcome) bool { return !p.Write || p.ledger() }
		if file != "" {
			k, err := resume(file, x, n)
			if err != nil {
				t.Fatal(err)
			}
			defer k.f.Close()
			x.keep = k
		}
		x.explore(t)
		return x
	}
	whole := explore("", 350)
	file := filepath.Join(t.TempDir(), "state")
	explore(file, 120)
	rest := explore(file, 350)
	for key := range rest.seen {
		delete(whole.seen, key)
	}
	// The bound cuts the two off at different places, so that only the first worlds can be compared.
	if len(whole.seen) > len(rest.seen)/2 || rest.worlds < 8 {
		t.Errorf("%d worlds, and %d of the other one's are missing", rest.worlds, len(whole.seen))
	}
}
