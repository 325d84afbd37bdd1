package wire

import (
	"testing"
	"time"
)

func TestAFloorIsTheWindowsThatHaveToPass(t *testing.T) {
	q := Quota{N: 300, Window: 10 * time.Second}
	for used, want := range map[int]time.Duration{0: 0, 1: 0, 300: 0, 301: 10 * time.Second, 600: 10 * time.Second, 1000: 30 * time.Second} {
		now, before := q, q
		before.Used, now.Used = 77, 77+used
		if got := now.Floor(before); got != want {
			t.Errorf("%d more take %s at least, want %s", used, got, want)
		}
	}
}
