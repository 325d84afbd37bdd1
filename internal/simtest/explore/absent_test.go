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
