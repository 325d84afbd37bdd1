package explore

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/proof"
)

var (
	prove = flag.Bool("prove", false, "explore until no new world appears, which takes hours")
	state = flag.String("prove.state", "", "a folder that keeps explorations, so that they can be interrupted and go on")
	only  = flag.String("prove.only", "", "only explorations whose kind or name contains this")
	full  = flag.Bool("prove.all", false, "give every world everything, which takes days: those in which a person has acted or a request is late, and difficult services")
	rows  = flag.String("prove.json", "", "a file that a line is added to for each exploration that has ended; what it holds is not repeated")
)

func notWithProve(t *testing.T) {
	if *prove {
		t.Skip("TestProof goes further")
	}
}

// TestProof explores every field until no new world appears, and goes through two runs at once to which things happen.
func TestProof(t *testing.T) {
	if !*prove {
		t.Skip("takes hours: -prove")
	}
	for _, f := range fields() {
		exploration(t, f.kind, f.name, func(t *testing.T, row *proof.Exploration) { f.proof(t, row) })
	}
	for _, f := range crossable() {
		exploration(t, f.kind, "two runs, "+f.name, func(t *testing.T, row *proof.Exploration) { twoRuns(t, f.starts[0], row) })
	}
}

// exploration has one done whose row is not there yet.
func exploration(t *testing.T, kind, name string, do func(*testing.T, *proof.Exploration)) {
	t.Run(kind+" "+name, func(t *testing.T) {
		if !strings.Contains(kind+" "+name, *only) {
			t.Skip("not asked for")
		}
		row := &proof.Exploration{Kind: kind, Name: name}
		if proof.Has(*rows, row.Title()) {
			t.Skip("done before")
		}
		began := time.Now()
		do(t, row)
		row.Seconds = int(time.Since(began).Seconds())
		if !t.Failed() || row.Violations > 0 {
			if err := proof.Add(*rows, proof.Row{Exploration: row}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func (f field) proof(t *testing.T, row *proof.Exploration) {
	var nodes []*node
	for _, s := range f.starts {
		nodes = append(nodes, s.make(t))
	}
	x := newSearch(nodes...)
	x.skip = f.except
	x.workers, x.everything = runtime.GOMAXPROCS(0), *full
	x.pairs, x.latecomers, x.persons, x.crossings = f.pairs || *full, f.latecomers || *full, 0, 0
	if f.people || *full {
		x.persons = 1
	}
	if f.crossings || *full {
		x.crossings = 1
	}
	if f.at != nil && !*full {
		x.skip, x.calm = func(p point, o outcome) bool { return !f.at(p) || p.Label == "SetSecret" && !handled(o) }, true
	}
	if *state != "" {
		k, err := resume(filepath.Join(*state, strings.ReplaceAll(f.kind+" "+f.name, " ", "-")+".jsonl"), x, nodes[0])
		if err != nil {
			t.Fatal(err)
		}
		defer k.f.Close()
		x.keep = k
	}
	x.announce(row.Title())
	x.explore(t)
	x.fill(row)
	x.finish(t, row.Title())
}

// twoRuns has two runs take turns in every order, with three changes of turn; and with one, or with -prove.all two, and
// something that happens to one of them.
func twoRuns(t *testing.T, s start, row *proof.Exploration) {
	n := s.make(t)
	x := newSearch(n)
	x.workers = runtime.GOMAXPROCS(0)
	x.announce(row.Title())
	first := x.all(t, []job{{n, undisturbed}})
	changes := 1
	if *full {
		changes = 2
	}
	x.all(t, crossed(n, first[0], changes, true))
	x.all(t, crossed(n, first[0], 3, false))
	x.settle(t)
	x.frontier = nil // what follows from these worlds is the fields' to explore
	x.fill(row)
	x.finish(t, row.Title())
}

// announce says how it goes, and what is found when it is found.
func (x *search) announce(title string) {
	x.tell = func(f finding) { fmt.Fprintln(os.Stderr, f) }
	began, last := time.Now(), time.Time{}
	x.progress = func(x *search) {
		if time.Since(last) < 10*time.Second {
			return
		}
		last = time.Now()
		fmt.Fprintf(os.Stderr, "%8s  %s: %d worlds, %d of them to go through, %d runs, %d violations\n",
			time.Since(began).Round(time.Second), title, x.worlds, len(x.frontier), x.played, len(x.found))
	}
}

func (x *search) fill(row *proof.Exploration) {
	row.Points, row.Outcomes = x.struckPoints()
	row.Worlds, row.Left, row.Runs, row.Violations = x.worlds, len(x.frontier), x.played, len(x.found)
}
