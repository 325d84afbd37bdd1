package azhttp

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A life in a bubble can be lived again only if what it waits for is the same each time.
func TestBackoffRepeatsItselfInABubbleAndDiffersFromMomentToMoment(t *testing.T) {
	t.Parallel()
	live := func() (out []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			for try := range 200 {
				out = append(out, Backoff(1+try%4))
				<-time.After(time.Millisecond)
			}
		})
		return out
	}
	first := live()
	if second := live(); !slices.Equal(first, second) {
		t.Error("two lives wait differently")
	}
	seen := map[time.Duration]bool{}
	for i, d := range first {
		seen[d] = true
		if base := time.Second << (i % 4); d < base/2 || d >= base {
			t.Errorf("try %d waits %s", 1+i%4, d)
		}
	}
	if len(seen) < 190 {
		t.Errorf("only %d of 200 waits differ", len(seen))
	}
}
