package elevation

import (
	"context"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
)

// Ended is what became of one that was to be ended.
type Ended struct {
	driver.Found
	// Left is what is left of it: one that is too young for its service to take it away.
	Left driver.Elevation
	Err  error
}

// Over says whether what was found should be gone by now.
func Over(f driver.Found) bool { return f.State != driver.Asked && !f.Until.After(f.Date) }

// End ends some of what an elevator finds, whoever has it, each with an entry before it and one after it. What could not
// be ended is among what comes back; an error says that nothing could be looked for.
func End(ctx context.Context, e driver.Elevator, effect Effect, why string, some func(driver.Found) bool) ([]Ended, error) {
	found, err := e.Find(ctx)
	if err != nil {
		return nil, err
	}
	var out []Ended
	for _, f := range found {
		if !some(f) {
			continue
		}
		x := Ended{Found: f}
		entry := ledger.Entry{Effect: "release", Target: e.Right().String(), IssuerID: f.ID, Reason: why}
		x.Err = effect(entry, func(entry *ledger.Entry) error {
			var err error
			x.Left, err = e.End(ctx, f)
			entry.Expires = x.Left.Until
			return err
		})
		out = append(out, x)
	}
	return out, nil
}
