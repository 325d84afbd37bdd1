package rotation_test

import (
	"math/rand/v2"
	"testing"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

func TestTheCensusReachesEveryAccountAtLeastOnceADay(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for _, interval := range []time.Duration{10 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 5 * time.Hour, 11 * time.Hour, 12 * time.Hour, 16 * time.Hour, 23 * time.Hour, day} {
		for range 60 {
			account := r.Uint32()
			last := t0.Add(-time.Duration(r.Int64N(int64(interval))))
			asked, runs := 0, 0
			const days = 10
			seen := map[int]bool{}
			for at := last; at.Before(t0.Add(days * day)); runs++ {
				if CensusDue(account, at, interval) {
					asked++
					// The slot that this run answers for is the last one before it.
					slot := time.Duration(account) * time.Second % day
					seen[int(at.Add(-slot).Unix()/int64(day/time.Second))] = true
				}
				// Each run is late by up to half an interval, and the next one counts from there.
				at = at.Add(interval + time.Duration(r.Int64N(int64(interval/2)+1)))
			}
			if interval*3/2 < day && len(seen) < days-1 {
				t.Fatalf("every %s, account %d: asked on %d of %d days", interval, account, len(seen), days)
			}
			if interval*3/2 >= day && asked != runs {
				t.Fatalf("every %s, account %d: asked in %d of %d runs", interval, account, asked, runs)
			}
			if most := 2 * (days + 1); interval*3/2 < day && asked > most {
				t.Fatalf("every %s, account %d: asked %d times in %d days", interval, account, asked, days)
			}
		}
	}
}

func TestTheCensusSpreadsTheAccounts(t *testing.T) {
	const accounts = 2400
	r := rand.New(rand.NewPCG(10, 11))
	hashes := make([]uint32, accounts)
	for i := range hashes {
		hashes[i] = r.Uint32()
	}
	total := 0
	for hour := range 24 {
		n := 0
		for _, h := range hashes {
			if CensusDue(h, t0.Add(time.Duration(hour)*time.Hour), time.Hour) {
				n++
			}
		}
		// An hour and a half of the day's 24 hours.
		if want := accounts / 16; n < want/2 || n > want*2 {
			t.Errorf("%d of %d accounts in hour %d, want about %d", n, accounts, hour, want)
		}
		total += n
	}
	if total < accounts {
		t.Errorf("%d asked for %d accounts", total, accounts)
	}
}

func TestWithoutAnIntervalEveryRunIsACensus(t *testing.T) {
	for _, interval := range []time.Duration{0, -time.Hour, day, 1 << 62, 1<<63 - 1} {
		if !CensusDue(12345, t0, interval) {
			t.Errorf("not with an interval of %s", interval)
		}
	}
}
