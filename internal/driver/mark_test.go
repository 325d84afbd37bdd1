package driver_test

import (
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// FuzzMark: what somebody may have written where a mark is.
func FuzzMark(f *testing.F) {
	for _, s := range []string{"", "x", "[rekey 01m7y2pqh4tqpq43th]", "a [rekey 01m7y2pqh4tqpq43th 2026-11-21T10:00:00Z] b", "[rekey [rekey ]]", "[rekey 01m7y2pqh4tqpq43th 2026-02-30T10:00:00Z]", "é [rekey \x00]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, before string) {
		one, two := rotation.NewPublication(time.Unix(1e9, 0), [5]byte{1}), rotation.NewPublication(time.Unix(1e9, 0), [5]byte{2})
		at := time.Unix(1e9, 0).UTC()
		once := driver.Marked(before, driver.Mark{Publication: one, Told: at})
		if m := driver.MarkIn(once); m.Publication != one || !m.Told.Equal(at) {
			t.Errorf("%q: read back as %v", once, m)
		}
		again := driver.Marked(once, driver.Mark{Publication: two, Told: at})
		if m := driver.MarkIn(again); m.Publication != two || len(again) != len(once) {
			t.Errorf("%q becomes %q", once, again)
		}
	})
}
