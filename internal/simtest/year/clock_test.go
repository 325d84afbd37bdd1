package year

import (
	"context"
	"math/rand/v2"
	"time"
)

// A lane is who changes the world. Who wakes at one instant goes on in any order, so each lane acts at instants of its
// own: those whose nanoseconds, divided by lanes, leave its number.
type lane int

const (
	replicaA lane = iota
	replicaB
	people // and what they run
	auditor
	lateFirst // requests that arrive late

	lanes = 1 << 20
)

// nth is the lane of the nth late request.
func (l lane) nth(n int) lane { return l + lane(n%(lanes/2)) }

// align is the first instant of the lane that is not before t.
func (l lane) align(t time.Time) time.Time {
	return t.Add(time.Duration(((int64(l)-t.UnixNano())%lanes + lanes) % lanes))
}

// until waits for the lane's first instant that is not before t.
func (l lane) until(t time.Time) { _ = l.untilOr(context.Background(), t) }

// untilOr is until, or the end of what it is done for.
func (l lane) untilOr(ctx context.Context, t time.Time) error {
	t = l.align(t)
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// quiet is when a host may be called again such that when a call leaves does not depend on the product's jitter, which
// is not of the seed. A call that waited between from and to is handled at to.
type quiet map[string]time.Time

// longestBackoff is the longest jittered wait before a call is sent again, and longestAsked the longest that a service
// can ask for.
const (
	longestBackoff = 8 * time.Second
	longestAsked   = time.Minute
)

// after notes an answer after which the product may wait.
func (q quiet) after(host string, asked time.Duration) {
	asked = min(asked, longestAsked)
	q[host] = time.Now().Add(max(longestBackoff, asked) + asked/4 + 2*time.Millisecond)
}

// from is what a call's latency is counted from.
func (q quiet) from(host string) time.Time {
	now := time.Now()
	if until := q[host]; now.Before(until) {
		return until
	}
	return now
}

// between is a duration from the seed, the shorter ones the likelier.
func between(rng *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(float64(most-least)*rng.Float64()*rng.Float64())
}
