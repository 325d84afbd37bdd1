package graph

import (
	"slices"
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

// What a list is filtered by must be what its entities say.
func TestFiltersSeeWhatIsAnswered(t *testing.T) {
	x := newBed(t)
	h := holder{app: x.app(world.AppShop)}
	for _, c := range []struct {
		s    set
		h    holder
		full entity
	}{
		{applicationSet, h, applicationBody(h, false)},
		{principalSet, holder{app: h.app, principal: true}, principalBody(holder{app: h.app, principal: true}, false)},
	} {
		light := filterBody(c.h)
		for _, p := range c.s.filters {
			have, ok := light[p]
			switch want := c.full[p].(type) {
			case []string:
				if !ok || !slices.Equal(have.([]string), want) {
					t.Errorf("%s %s is %v, filtered by %v", c.s.kind, p, want, have)
				}
			default:
				if !ok || have != want {
					t.Errorf("%s %s is %v, filtered by %v", c.s.kind, p, want, have)
				}
			}
		}
	}
}
