package graph

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// Limit is one of the published limits of facts 3.5.
type Limit struct {
	Name   string
	N      int
	Window time.Duration
}

// The limits that are kept. A limit across all tenants never binds in a world of a few.
var (
	// AppWrites is for writes of one client application in one tenant.
	AppWrites = Limit{"WriteLimitExceeded", 3000, 150 * time.Second}
	// TenantWrites is for writes in one tenant.
	TenantWrites = Limit{"WriteLimitExceeded", 18000, 300 * time.Second}
	// PersonalWrites is for writes to applications for personal accounts, by one client application.
	PersonalWrites = Limit{"WriteLimitExceeded", 60, time.Minute}
	// ResourceUnits is for one client application in one tenant with fewer than 50 users; larger tenants have more.
	ResourceUnits = Limit{"ResourceUnitLimitExceeded", 3500, 10 * time.Second}
)

// bucket counts what was accepted in the current window. Windows begin with the first request after the last one.
type bucket struct {
	start time.Time
	n     int
	limit Limit
	all   int // since the service began
}

// charge is what one request costs under one limit.
type charge struct {
	scope string
	limit Limit
	cost  int
}

// throttle refuses what is over a limit; what is refused costs nothing.
func (c *call) throttle() *fault {
	if c.w.Knobs.Graph.Unthrottled || c.op.name == "Batch" {
		return nil
	}
	pair := c.token.AppID + "/" + c.token.Tenant
	units := ResourceUnits
	switch n := len(c.w.Users); {
	case n > 500:
		units.N = 8000
	case n >= 50:
		units.N = 5000
	}
	charges := []charge{{"Tenant_Application/ResourceUnit/" + pair, units, c.cost()}}
	if c.op.method != http.MethodGet {
		charges = append(charges,
			charge{"Tenant_Application/ReadWrite/" + pair, AppWrites, 1},
			charge{"Tenant/ReadWrite/" + c.token.Tenant, TenantWrites, 1})
		if c.personal() {
			charges = append(charges, charge{"Tenant_Application_Personal/ReadWrite/" + pair, PersonalWrites, 1})
		}
	}
	for _, x := range charges {
		b := c.buckets[x.scope]
		if b == nil || c.now.Sub(b.start) >= x.limit.Window || c.now.Before(b.start) {
			b = &bucket{start: c.now, limit: x.limit, all: b.used()}
			c.buckets[x.scope] = b
		}
		if b.n+x.cost > x.limit.N {
			return c.tooMany(x, b)
		}
	}
	for _, x := range charges {
		c.buckets[x.scope].n += x.cost
		c.buckets[x.scope].all += x.cost
	}
	c.header.Set("x-ms-resource-unit", strconv.Itoa(charges[0].cost))
	b := c.buckets[charges[0].scope]
	if share := float64(b.n) / float64(units.N); share >= 0.8 {
		c.header.Set("x-ms-throttle-limit-percentage", strconv.FormatFloat(share, 'f', 2, 64))
	}
	return nil
}

func (b *bucket) used() int {
	if b == nil {
		return 0
	}
	return b.all
}

// Quotas implements wire.Limited.
func (s *Service) Quotas() []wire.Quota {
	s.w.Lock()
	defer s.w.Unlock()
	var out []wire.Quota
	for scope, b := range s.buckets {
		out = append(out, wire.Quota{Scope: scope, N: b.limit.N, Window: b.limit.Window, Used: b.all})
	}
	return out
}

func (c *call) tooMany(x charge, b *bucket) *fault {
	if !c.w.Knobs.Graph.NoRetryAfter {
		left := b.start.Add(x.limit.Window).Sub(c.now)
		c.header.Set("Retry-After", strconv.Itoa(int((left+time.Second-1)/time.Second)))
	}
	c.header.Set("x-ms-throttle-scope", x.scope)
	c.header.Set("x-ms-throttle-information", x.limit.Name)
	return &fault{status: http.StatusTooManyRequests, code: "TooManyRequests", message: "Too many requests."}
}

// cost is in resource units.
func (c *call) cost() int {
	n := 1
	if c.op.name == "ListApplications" || c.op.name == "GetApplication" {
		n = 2
	}
	if c.query.Has("$select") {
		n--
	}
	if c.query.Has("$expand") {
		n++
	}
	if top, err := strconv.Atoi(c.query.Get("$top")); err == nil && top < 20 {
		n--
	}
	return max(n, 1)
}

// personal says whether a request changes an application for personal accounts.
func (c *call) personal() bool {
	if !strings.HasPrefix(c.op.path, "applications/{}") || len(c.keys) == 0 {
		return false
	}
	a := c.appBy(c.keys[0], false)
	return a != nil && a.Personal()
}

// appBy finds the application that a key names, or the one whose service principal it names, as it is now.
func (c *call) appBy(k key, servicePrincipal bool) *world.App {
	for _, a := range c.w.Apps {
		if strings.EqualFold(a.TenantID, c.token.Tenant) && k.names(a, servicePrincipal) {
			return a
		}
	}
	return nil
}

func (k key) names(a *world.App, servicePrincipal bool) bool {
	switch {
	case strings.EqualFold(k.property, "appId"):
		return strings.EqualFold(a.ClientID, k.value)
	case k.property != "":
		return false
	case servicePrincipal:
		return a.ServicePrincipalID != "" && strings.EqualFold(a.ServicePrincipalID, k.value)
	}
	return strings.EqualFold(a.ID, k.value)
}

func (k key) String() string {
	if k.property != "" {
		return fmt.Sprintf("%s=%s", k.property, k.value)
	}
	return k.value
}
