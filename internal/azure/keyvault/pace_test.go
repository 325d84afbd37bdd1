package keyvault

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
)

func TestNewVersionsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		began := time.Now()
		var last time.Duration
		turns := make(chan time.Duration, 1000)
		for range cap(turns) {
			go func() {
				if err := p.turn(t.Context(), "write", 0); err != nil {
					t.Error(err)
				}
				turns <- time.Since(began)
			}()
		}
		in := map[time.Duration]int{}
		for range cap(turns) {
			at := <-turns
			in[at/createWindow]++
			last = max(last, at)
		}
		if want := 3 * (createWindow + paceMargin); last != want {
			t.Errorf("the last of %d is sent after %s, want %s", cap(turns), last, want)
		}
		for w, n := range in {
			if n > creates {
				t.Errorf("%d are sent in the %dth window", n, w)
			}
		}
	})
}

func TestWhatWouldWaitTooLongFailsAtOnceAndTakesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		for range creates {
			if err := p.turn(t.Context(), "write", time.Nanosecond); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		for range 3 {
			if err := p.turn(t.Context(), "write", 9*time.Second); driver.KindOf(err) != driver.Throttled || time.Since(began) != 0 {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.turn(gone, "write", time.Minute); !driver.NotApplied(err) || time.Since(began) != time.Second {
			t.Errorf("given up after a second, it ends after %s: %v", time.Since(began), err)
		}
		if err := p.turn(t.Context(), "write", time.Minute); err != nil || time.Since(began) != createWindow+paceMargin {
			t.Errorf("those that failed took its turn: it waited %s, %v", time.Since(began), err)
		}
	})
}
