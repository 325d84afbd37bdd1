package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/examples"
)

// maxRollback is without lists and sign-ins.
const maxRollback = 7

// BenchmarkRollback counts the calls of a rollback of a PAT: they come when something is on fire.
func BenchmarkRollback(b *testing.B) {
	for b.Loop() {
		a, manifest := example(b, examples.Manifest("pat"))
		a.rekey(b, []int{0}, "apply", "-q", "-f", manifest)
		a.World().Advance(25*day + time.Minute)
		a.rekey(b, []int{0}, "apply", "-q", "-f", manifest)
		a.World().Advance(time.Minute)
		calls := a.rekey(b, []int{0}, "rollback", "-q", "--yes", "-f", manifest, "devops-pat").calls
		t := newTable("Calls of a PAT's rollback, from the simulator's request log", "run", "call", "counted")
		for _, c := range of(own, calls) {
			t.row("rollback", c.Method+" "+c.Host+c.Path+" "+fmt.Sprint(c.Status), "1")
		}
		n := tally(calls)
		t.row("rollback", "list pages", fmt.Sprintf("(%d)", n[list]))
		t.row("whole", fmt.Sprintf("at most %d", maxRollback), fmt.Sprint(n[own]))
		b.ReportMetric(float64(n[own]), "calls/rollback")
		if n[own] > maxRollback || n[own] == 0 {
			b.Errorf("a rollback of %d calls; at most %d are allowed", n[own], maxRollback)
		}
	}
}
