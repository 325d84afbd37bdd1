package report

import (
	"time"

	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Consumer is something that is told of each new value.
type Consumer struct {
	Name  string `json:"name"`
	Place string `json:"place"` // what and where it is
	// State is current (on the newest publication, and it works), behind, failing, or unknown; absent where it was not
	// looked at.
	State string `json:"state,omitempty"`
	Why   string `json:"why,omitempty"`
	// Weak says that it cannot be tried: that it works rests on its mark alone.
	Weak  bool      `json:"weak,omitempty"`
	Told  time.Time `json:"told,omitzero"`
	Cache string    `json:"cache,omitempty"` // how long it may use what it held before
}

// States of a consumer.
const (
	Current = "current"
	Behind  = "behind"
	Failing = "failing"
	Unknown = "unknown"
)

func consumers(r engine.Result) (out []Consumer) {
	rec, err := rotation.ParseRecord(r.Secret.Value.Tags[rotation.RecordTag])
	for _, x := range r.Consumers {
		c := Consumer{Name: x.ID, Place: x.Place}
		if x.Cache > 0 {
			c.Cache = manifest.FormatDuration(x.Cache)
		}
		s := x.State.Value
		switch {
		case !x.State.Known && x.State.Failed != "":
			c.State, c.Why = Unknown, x.State.Failed
		case !x.State.Known || err != nil:
		case s.Publication != rec.Publication:
			c.State = Behind
		case !s.Works:
			c.State, c.Why, c.Told = Failing, s.Why, s.Told
		default:
			c.State, c.Weak, c.Told = Current, s.Weak, s.Told
		}
		out = append(out, c)
	}
	return out
}
