package azhttp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/driver"
)

const (
	maxTries = 5
	// longestWait is how long a call waits for a service that asked to be left alone; longer is the engine's to decide.
	longestWait = 60 * time.Second
)

// invalidator is a credential that can be told that its token was refused.
type invalidator interface{ Invalidate() }

// retry sends a call again where that is safe.
type retry struct {
	cred invalidator // nil where the client signs in by itself
}

func (r *retry) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	renewed := false
	for try := 1; ; try++ {
		if err := req.RewindBody(); err != nil {
			return nil, err
		}
		clone := req.Clone(ctx)
		resp, err := clone.Next()
		if ctx.Err() != nil {
			return resp, err
		}
		if err == nil && resp.StatusCode == http.StatusUnauthorized && r.cred != nil && !renewed {
			// The token may have been ended before its date. Once, because a 401 may also mean what it says.
			renewed = true
			r.cred.Invalidate()
			discard(resp)
			continue
		}
		if try == maxTries || !again(req.Raw().Method, resp, err) {
			return resp, err
		}
		wait := Backoff(try)
		if resp != nil {
			if after := retryAfter(resp); after > longestWait {
				return resp, err
			} else if after > wait {
				wait = after
			}
			discard(resp)
		}
		if sleep(ctx, wait) != nil {
			return nil, ctx.Err()
		}
	}
}

// overdue says whether a call's deadline has passed by the wall clock. A context's own timer stands still while a
// machine sleeps, and a call that is sent again after that would do what was decided long ago.
func overdue(ctx context.Context) bool {
	at, ok := ctx.Deadline()
	return ok && time.Now().Round(0).After(at.Round(0))
}

// again says whether a call may be sent again. 429 means not applied, for every method.
func again(method string, resp *http.Response, err error) bool {
	read := method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
	if err != nil {
		return neverLeft(err) || read && !permanent(err)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return read
	}
	return false
}

// neverLeft says whether a transport's error proves that the request was not sent: the connection to the host, or to
// the proxy, was never made.
func neverLeft(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// permanent says whether a transport's error would only come again. An error of ours is a verdict and no accident.
func permanent(err error) bool {
	var nr interface{ NonRetriable() }
	return errors.As(err, &nr) || driver.KindOf(err) != 0 || errors.Is(err, ErrTooLarge) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Backoff is how long to wait after the try-th call: 1, 2, 4, 8 s (facts: overview-throttling.md), of which up to half is
// taken off by chance, so that many callers do not come back at once.
func Backoff(try int) time.Duration {
	base := time.Second << (try - 1)
	return base/2 + jitter(base/2)
}

// jitter is a share of most that no two moments agree on. It is drawn from the clock and not from a source of chance,
// because in a bubble of testing/synctest the clock is all that there is: what went wrong there goes wrong again.
func jitter(most time.Duration) time.Duration {
	x := uint64(time.Now().UnixNano()) * 0x9E3779B97F4A7C15
	x = (x ^ x>>32) * 0xD6E8FEB86659FD93
	return time.Duration((x ^ x>>32) % uint64(most))
}

// retryAfter reads how long the service wants to be left alone, in any of the forms that Azure uses.
func retryAfter(resp *http.Response) time.Duration {
	for _, h := range []struct {
		name string
		unit time.Duration
	}{{"retry-after-ms", time.Millisecond}, {"x-ms-retry-after-ms", time.Millisecond}, {"Retry-After", time.Second}} {
		v := resp.Header.Get(h.name)
		if v == "" {
			continue
		}
		if n, err := strconv.ParseFloat(v, 64); err == nil && n >= 0 && n < 1e7 {
			return time.Duration(n * float64(h.unit))
		}
		if at, err := http.ParseTime(v); err == nil {
			if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && at.After(date) {
				return at.Sub(date)
			}
		}
	}
	return 0
}

func discard(resp *http.Response) {
	if resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gate is the throttle budget: when a service says for how long it wants to be left alone, even on a success, every
// call to that host waits, not only the one that was told. Rekey calls a host as one principal per client, and a
// process has few of them, so the host alone is the key.
type gate struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func newGate() *gate { return &gate{until: map[string]time.Time{}} }

func (g *gate) Do(req *policy.Request) (*http.Response, error) {
	host := req.Raw().URL.Host
	g.mu.Lock()
	wait := time.Until(g.until[host])
	g.mu.Unlock()
	if wait > 0 {
		if err := sleep(req.Raw().Context(), wait+jitter(wait/4+time.Millisecond)); err != nil {
			return nil, err
		}
	}
	if overdue(req.Raw().Context()) {
		return nil, context.DeadlineExceeded
	}
	resp, err := req.Next()
	if err == nil {
		if after := min(retryAfter(resp), longestWait); after > 0 {
			g.mu.Lock()
			if until := time.Now().Add(after); until.After(g.until[host]) {
				g.until[host] = until
			}
			g.mu.Unlock()
		}
	}
	return resp, err
}
