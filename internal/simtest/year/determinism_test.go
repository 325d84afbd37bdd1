package year

import (
	"fmt"
	"testing"
	"time"
)

func TestASeedRepeatsAYear(t *testing.T) {
	t.Parallel()
	p := plan{size: size{seed: 5, credentials: 20, days: 35, every: 12 * time.Hour}, keepLines: true}
	first, second := live(t, p), live(t, p)
	for i := range max(len(first.lines), len(second.lines)) {
		if a, b := at(first.lines, i), at(second.lines, i); a != b {
			t.Fatalf("line %d of the event log differs:\n  %s\n  %s\nafter\n  %s", i, a, b, at(first.lines, i-1))
		}
	}
	if a, b := fmt.Sprintf("%x", first.sum.Sum(nil)), fmt.Sprintf("%x", second.sum.Sum(nil)); a != b {
		t.Errorf("the event logs hash to %s and %s", a, b)
	}
	if first.stats.rotations == 0 || sum(first.stats.faults) == 0 || sum(first.stats.acts) == 0 {
		t.Errorf("nothing happened: %s", first.stats.short())
	}
	p.seed, p.days = p.seed+1, 12
	if third := live(t, p); at(third.lines, 100) == at(first.lines, 100) {
		t.Error("another seed makes the same year")
	}
}

func at(lines []string, i int) string {
	if i < 0 || i >= len(lines) {
		return "(nothing)"
	}
	return lines[i]
}
