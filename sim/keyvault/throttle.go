package keyvault

import (
	"net/http"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
)

// The limits of facts 1.5, for one vault. The limit of a subscription (five times a vault's) is not kept.
const (
	window      = 10 * time.Second
	createLimit = 300
	otherLimit  = 4000
)

type limiter struct{ creates, others bucket }

// bucket counts what was accepted in the current window. Windows begin with the first request after the last one.
type bucket struct {
	start time.Time
	n     int
	all   int // since the service began
}

func (b *bucket) take(now time.Time, limit int) bool {
	if now.Sub(b.start) >= window || now.Before(b.start) {
		b.start, b.n = now, 0
	}
	if b.n >= limit {
		return false // what is refused does not count
	}
	b.n++
	b.all++
	return true
}

// Quotas implements wire.Limited.
func (s *Service) Quotas() []wire.Quota {
	s.w.Lock()
	defer s.w.Unlock()
	var out []wire.Quota
	for v, l := range s.limits {
		for _, x := range []struct {
			what string
			n    int
			b    bucket
		}{{"new versions", createLimit, l.creates}, {"other requests", otherLimit, l.others}} {
			if x.b.all > 0 {
				out = append(out, wire.Quota{Scope: "vault " + v.Name + ", " + x.what, N: x.n, Window: window, Used: x.b.all})
			}
		}
	}
	return out
}

// throttle refuses what is over the limit, without Retry-After.
func (c *call) throttle() *fault {
	if c.w.Knobs.KeyVault.Unthrottled {
		return nil
	}
	l := c.limits[c.vault]
	if l == nil {
		l = &limiter{}
		c.limits[c.vault] = l
	}
	b, limit := &l.others, otherLimit
	if c.route.op == "SetSecret" {
		b, limit = &l.creates, createLimit
	}
	if b.take(c.now, limit) {
		return nil
	}
	return &fault{status: http.StatusTooManyRequests, code: "Throttled",
		message: "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"}
}
