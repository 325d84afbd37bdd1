// Package arm is the simulated Azure Resource Manager: subscriptions, resource groups and vaults to read, role
// definitions, and role assignments to make, list and remove.
//
// It is not a data plane (a vault's secrets are in package keyvault) and deploys nothing: what it does not have it
// answers with 501. What always holds: paths are compared without regard to case; nothing is answered without a
// token for it; every operation needs its action at its scope, by the role assignments of this very moment.
package arm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// Service is Azure Resource Manager over a world.
type Service struct {
	w        *world.World
	requests uint64 // guarded by the world's lock
}

// New returns the service over w.
func New(w *world.World) *Service { return &Service{w: w} }

// Name implements wire.Service.
func (s *Service) Name() string { return "arm" }

// Operation implements wire.Service.
func (s *Service) Operation(r *http.Request) string { return routeOf(r).op }

// call is one request while it is served, with the world locked.
type call struct {
	*Service
	r     *http.Request
	route route
	sub   *world.Subscription // of the path, nil if it names none
	token world.Token
	body  []byte
	now   time.Time
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	status, header, body := s.answer(r, wire.Body(r))
	for k, v := range header {
		rw.Header()[k] = v
	}
	if body == nil {
		rw.WriteHeader(status)
		return
	}
	wire.Bytes(rw, status, "", body)
}

func (s *Service) answer(r *http.Request, body []byte) (int, http.Header, []byte) {
	s.w.Lock()
	defer s.w.Unlock()

	c := &call{Service: s, r: r, route: routeOf(r), body: body, now: s.w.Now()}
	c.sub = c.subscription(c.route.sub)
	h := c.headers()
	status, v, f := c.serve()
	if f != nil {
		status, v = f.status, f.body()
		if f.status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", c.challenge(f))
		}
		if f.gateway {
			h.Set("X-Ms-Failure-Cause", "gateway")
		}
	}
	if v == nil {
		return status, h, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return http.StatusInternalServerError, h, []byte(`{"error":{"code":"InternalServerError","message":"simulator: the answer could not be encoded"}}`)
	}
	return status, h, b
}

var apiVersionForm = regexp.MustCompile(`(?i)^\d{4}-\d{2}-\d{2}(-[a-z]+)?$`)

// serve goes through what every request goes through.
func (c *call) serve() (int, any, *fault) {
	if f := c.authenticate(); f != nil {
		return 0, nil, f
	}
	switch v := c.r.URL.Query().Get("api-version"); {
	case v == "":
		return 0, nil, gatewayFault(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case !apiVersionForm.MatchString(v):
		return 0, nil, gatewayFault(http.StatusBadRequest, "InvalidApiVersionParameter", fmt.Sprintf("The api-version '%s' is invalid.", v))
	}
	do, ok := operations[c.route.op]
	if !ok {
		return 0, nil, &fault{status: http.StatusNotImplemented, code: "NotImplemented",
			message: fmt.Sprintf("The simulator does not have this part of Azure Resource Manager: %s %s", c.r.Method, c.r.URL.Path)}
	}
	if f := c.checkSubscription(); f != nil {
		return 0, nil, f
	}
	return do(c)
}

// operations are the operations of the service. Each checks its own authorization, because some lists are cut down
// to what the caller may see instead of being refused.
var operations = map[string]func(*call) (int, any, *fault){
	"ListTenants":          (*call).listTenants,
	"ListSubscriptions":    (*call).listSubscriptions,
	"GetSubscription":      (*call).getSubscription,
	"ListResources":        (*call).listResources,
	"ListResourceGroups":   (*call).listResourceGroups,
	"GetResourceGroup":     (*call).getResourceGroup,
	"ListVaults":           (*call).listVaults,
	"GetVault":             (*call).getVault,
	"ListRoleDefinitions":  (*call).listRoleDefinitions,
	"GetRoleDefinition":    (*call).getRoleDefinition,
	"ListRoleAssignments":  (*call).listRoleAssignments,
	"GetRoleAssignment":    (*call).getRoleAssignment,
	"PutRoleAssignment":    (*call).putRoleAssignment,
	"DeleteRoleAssignment": (*call).deleteRoleAssignment,
}

func (c *call) headers() http.Header {
	c.requests++
	sum := sha256.Sum256(fmt.Appendf(nil, "arm request %d of %d", c.requests, c.w.Seed))
	x := hex.EncodeToString(sum[:16])
	id := x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
	h := http.Header{}
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Date", c.now.Format(http.TimeFormat))
	h.Set("X-Ms-Request-Id", id)
	h.Set("X-Ms-Correlation-Request-Id", id)
	h.Set("X-Ms-Routing-Request-Id", "WESTEUROPE:"+c.now.Format("20060102T150405Z")+":"+id)
	return h
}

// list is the answer of every list: all of it in one page.
func list[T any](items []T) any {
	if items == nil {
		items = []T{}
	}
	return map[string]any{"value": items}
}

func (s *Service) subscription(id string) *world.Subscription {
	for _, x := range s.w.Subscriptions {
		if strings.EqualFold(x.ID, id) {
			return x
		}
	}
	return nil
}
