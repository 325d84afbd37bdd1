package explore

import (
	"testing"

	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// rollingBack is a person who asks for it. It is none of the commands that each world is explored with, since what
// happens around a rollback is played from one world below, and by scenarios.
var rollingBack = script{name: "an operator asks to roll back", persons: true, plans: []map[int]outcome{nil},
	set: func(x *engine.Credential) { x.Spec.Command = rotation.Rollback }}

// TestWhateverHappensAtARollbackLeavesWhatRunsMend has a person roll back what was just replaced, with every outcome at
// each of the run's points; then faults stop, and all that must hold is looked at.
func TestWhateverHappensAtARollbackLeavesWhatRunsMend(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of runs")
	}
	t.Parallel()
	start := then(t, toldOrigin("pat", "serviceConnection"), "run", "+4d1m", "run")
	alone := play(t, start, rollingBack)
	before, after := newest(&start.state).Value, newest(&alone.next.state).Value
	if len(alone.violations) > 0 || before == after || alone.next.held[len(alone.next.held)-1].Value != after {
		t.Fatalf("it was not rolled back: %v", alone.violations)
	}
	plays := 0
	for i, p := range alone.points[0] {
		for _, o := range outcomes(p) {
			disturbed := rollingBack
			disturbed.plans = []map[int]outcome{{i: o}}
			e := play(t, start, disturbed)
			if plays++; len(e.violations) > 0 {
				t.Errorf("%s at %s: %v", o, p.Label, e.violations)
				continue
			}
			if _, broken, _ := calmDown(t, e.next, nil); len(broken) > 0 {
				t.Errorf("%s at %s, and then calm: %v", o, p.Label, broken)
			}
		}
	}
	if t.Logf("%d plays of %d points", plays, len(alone.points[0])); plays < 100 {
		t.Error("so few show nothing")
	}
}
