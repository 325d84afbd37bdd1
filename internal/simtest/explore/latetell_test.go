package explore

import (
	"slices"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/consumer"
)

// No service has a condition on what a consumer is told. A tell that was held up on its way comes after a newer one here,
// and puts the consumer back: the next run mends that, before what it was put back on ends.
func TestAnOlderTellThatComesAfterANewerOneIsMendedBeforeTheOldOneEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		issuer, consumer string
	}{{"pat", "serviceConnection"}, {"pat", "variableGroup"}, {"pat", "automationVariable"}, {"pat", "automationCredential"}, {"appSecret", "apiConnection"}} {
		t.Run(c.consumer, func(t *testing.T) {
			t.Parallel()
			n := then(t, toldOrigin(c.issuer, c.consumer), "run")
			rotate := commands(n)[0]
			tell := consumer.Of(c.consumer).Tells[0]
			alone := play(t, n, rotate)
			i := slices.IndexFunc(alone.points[0], func(p point) bool { return p.Label == tell })
			if i < 0 {
				t.Fatalf("nobody calls %s", tell)
			}
			held := func(n *node) string { return n.held[len(n.held)-1].Value }

			late := rotate
			late.plans = []map[int]outcome{{i: muchLater}}
			n = steadily(t, n, late)
			older := newest(&n.state).Value
			n = steadily(t, n, rotate)
			if held(n) != newest(&n.state).Value || older == held(n) {
				t.Fatal("it is not on the second publication")
			}
			n = steadily(t, n, script{until: 25 * time.Minute})
			if held(n) != older {
				t.Fatal("the late tell has not come")
			}
			n = steadily(t, n, undisturbed)
			if held(n) != newest(&n.state).Value {
				t.Error("the next run leaves it on the older publication")
			}
			if _, broken, _ := calmDown(t, n, nil); len(broken) > 0 {
				t.Error(broken)
			}
		})
	}
}
