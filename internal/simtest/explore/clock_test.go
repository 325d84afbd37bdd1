package explore

import (
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// clock is the clock of a machine that can sleep: its wall clock goes on meanwhile, and its monotonic one stands still,
// as CLOCK_MONOTONIC does on Linux. A bubble has no monotonic clock, so what is measured with the wrong one looks right
// there.
type clock struct{ slept time.Duration }

// now is what time.Now gives on such a machine.
func (c *clock) now() time.Time {
	t := time.Now()
	r := reading{
		wall:      hasMonotonic | uint64(t.Unix()-wallEpoch.Unix())<<30 | uint64(t.Nanosecond()),
		monotonic: int64(t.Sub(born) - c.slept),
		location:  time.Local,
	}
	return *(*time.Time)(unsafe.Pointer(&r))
}

// reading is how package time keeps a Time that has both readings; TestAClockThatSleeps fails if that changes.
type reading struct {
	wall      uint64 // hasMonotonic, 33 bits of seconds since wallEpoch, 30 bits of nanoseconds
	monotonic int64
	location  *time.Location
}

const hasMonotonic = 1 << 63

var wallEpoch = time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC)

func TestAClockThatSleeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &clock{}
		before := c.now()
		pause(time.Minute)
		pause(suspendFor)
		c.slept += suspendFor
		after := c.now()
		if d := after.Sub(before); d != time.Minute {
			t.Errorf("by its monotonic clock %v have passed, want a minute", d)
		}
		if d := after.Round(0).Sub(before.Round(0)); d != time.Minute+suspendFor {
			t.Errorf("by its wall clock %v have passed, want %v", d, time.Minute+suspendFor)
		}
		if now := time.Now(); !after.Round(0).Equal(now.Round(0)) {
			t.Errorf("its wall clock says %v and it is %v", after, now)
		}
	})
}
