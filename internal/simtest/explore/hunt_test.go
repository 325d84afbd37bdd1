package explore

import (
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var hunting = flag.String("hunt", "", "what package mutant hunts for, as JSON")

// hunt is a short exploration that ends at the first thing that it is for. Package mutant runs it on products that are
// broken on purpose.
type hunt struct {
	// World is where it begins: "absent", "adoptable", or one of the variants by its name.
	World string
	// Steps lead on from there, as in a start; but what is broken on the way has been found, and is no failure of the
	// start.
	Steps []string
	// With is what happens to the world then: "faults", "people" or "two runs".
	With string
	// For is the checker that is to find it, and Saying is part of what it says.
	For, Saying string
	Runs        int
	// Report is the file that what was found is written to, one JSON object a line.
	Report string
}

// caught is one line of the report.
type caught struct {
	Checker, What string
	// Wanted says that it is what is hunted for.
	Wanted bool
	After  int // runs
	Path   []string
}

func (h hunt) wants(f finding) bool {
	return f.Invariant == h.For && strings.Contains(f.What, h.Saying)
}

// TestHunt fails if it has found anything at all.
func TestHunt(t *testing.T) {
	if *hunting == "" {
		t.Skip("nothing is hunted for")
	}
	var h hunt
	if err := json.Unmarshal([]byte(*hunting), &h); err != nil {
		t.Fatal(err)
	}
	report, err := os.Create(h.Report)
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()

	n := h.world(t)
	x := newSearch(n)
	x.workers, x.runs, x.part, x.persons = runtime.GOMAXPROCS(0), h.Runs, 20, 0
	x.enough = func() bool { return slices.ContainsFunc(x.found, h.wants) }
	x.tell = func(f finding) {
		if err := json.NewEncoder(report).Encode(caught{f.Invariant, f.What, h.wants(f), x.played, f.path}); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range h.Steps {
		if x.enough() {
			break
		}
		e := play(t, n, named(t, n, text))
		x.take(job{n, script{name: text}}, &e)
		n = e.next
	}
	n.persons = 0
	x.frontier = []*node{n}
	switch h.With {
	case "people", "two runs":
		x.skip = func(point, outcome) bool { return true }
		if x.persons = 1; h.With == "two runs" {
			x.persons, x.crossings = 0, 2
		}
	}
	x.explore(t)
	x.finish(t, h.World)
}

// world is the one that a hunt begins in.
func (h hunt) world(t *testing.T) *node {
	switch h.World {
	case "absent":
		return origin()
	case "adoptable":
		return adoptable(t)
	}
	for _, s := range variants() {
		if s.name == h.World {
			return s.make(t)
		}
	}
	t.Fatalf("there is no world %q to begin in", h.World)
	return nil
}
