package report

import "github.com/rekeyhq/rekey/internal/engine"

// Check is one of the manifest's checks of a credential.
type Check struct {
	Name  string `json:"name"`
	Place string `json:"place"` // what it asks or runs
	// State is passing, failing or unknown; absent where it was not tried.
	State string `json:"state,omitempty"`
	Why   string `json:"why,omitempty"`
}

// Passing is the state of a check that a consumer has no word for.
const Passing = "passing"

func checks(r engine.Result) (out []Check) {
	for _, x := range r.Checks {
		c := Check{Name: x.ID, Place: x.Place}
		switch o := x.Outcome; {
		case !o.Known && o.Failed != "":
			c.State, c.Why = Unknown, o.Failed
		case !o.Known:
		case !o.Value.Works:
			c.State, c.Why = Failing, o.Value.Why
		default:
			c.State = Passing
		}
		out = append(out, c)
	}
	return out
}
