package explore

import (
	"slices"
	"testing"
)

// A run sleeps after it has read the vault's list, in which there is no secret yet, and another one publishes. Then a
// person deletes the secret, or deletes and recovers it, between the calls by which the first one sees that there is
// none: what was published is no orphan for that.
func TestASecretThatAPersonMovesBetweenTwoLooksIsNotAbsent(t *testing.T) {
	named := func(name string) deed {
		return vaultDeeds[slices.IndexFunc(vaultDeeds, func(d deed) bool { return d.name == name })]
	}
	for name, start := range map[string]*node{"a token": origin(), "a client secret": secretOrigin(nil)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone := play(t, start, undisturbed)
			list := slices.IndexFunc(alone.points[0], func(p point) bool { return p.Label == "GetSecrets" })
			for first := list + 1; first < list+8; first++ {
				for second := first; second < list+8; second++ {
					s := script{persons: true, plans: []map[int]outcome{{list: overtaken}}, during: map[int]deed{first: named("deletes the secret")}}
					if second > first {
						s.during[second] = named("recovers the secret")
					}
					e := play(t, start, s)
					if len(e.violations) > 0 {
						t.Errorf("deleted before %d, recovered before %d: %v", first, second, e.violations)
						continue
					}
					if _, broken, _ := calmDown(t, e.next, nil); len(broken) > 0 {
						t.Errorf("deleted before %d, recovered before %d, and then calm: %v", first, second, broken)
					}
				}
			}
		})
	}
}

// The answer of a PUT is lost, and the request is handled when the process sleeps, after it has looked in vain: what it
// saw then says nothing of what it published.
func TestAPUTThatComesWhileItsProcessSleepsIsNotEnded(t *testing.T) {
	for name, start := range map[string]*node{"a token": then(t, origin(), "run", "+4d1m"), "a client secret": then(t, secretOrigin(nil), "run", "+4d1m")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone := play(t, start, undisturbed)
			put := slices.IndexFunc(alone.points[0], func(p point) bool { return p.Label == "SetSecret" })
			for asleep := put + 1; asleep < put+8; asleep++ {
				e := play(t, start, script{plans: []map[int]outcome{{put: muchLater, asleep: suspendAfter}}})
				if len(e.violations) > 0 {
					t.Errorf("asleep at %d: %v", asleep, e.violations)
					continue
				}
				if _, broken, _ := calmDown(t, e.next, nil); len(broken) > 0 {
					t.Errorf("asleep at %d, and then calm: %v", asleep, broken)
				}
			}
		})
	}
}
