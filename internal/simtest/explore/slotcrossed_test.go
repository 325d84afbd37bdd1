package explore

import (
	"testing"
)

// The manifest has said that no two runs of a password are under way at once. Should they be all the same, somebody may
// stand still until the next run that tries the published password, at the latest that of the daily census, and no longer:
// that one ends with the account's password in the secret, either what the second secret holds or another one.
func TestTwoRunsOfAPasswordAreMendedByTheNext(t *testing.T) {
	t.Parallel()
	changes := 2
	if testing.Short() {
		changes = 1 // for the race detector
	}
	agree := func(n *node) bool {
		v := secret(&n.state).Versions
		return v[len(v)-1].Value == batchOf(&n.state).Password
	}
	due := then(t, slotOrigin(false, nil), "run", "+4d1m")
	apart := 0
	for _, j := range crossed(due, play(t, due, undisturbed), changes, false) {
		e := play(t, j.n, j.s)
		for _, v := range e.violations {
			t.Errorf("%s: %v", j.s.name, v)
		}
		if agree(e.next) {
			continue
		}
		apart++
		if e = play(t, e.next, undisturbed); !agree(e.next) {
			t.Errorf("%s: what is published is not the account's after another run", j.s.name)
		}
	}
	if apart == 0 && changes > 1 {
		t.Error("no order leaves anything to mend: this shows nothing")
	}
}
