// Package gateway is the front of Azure Resource Manager that the simulated resource providers stand behind: it reads
// the address, checks token, subscription and api-version, and asks the role assignments.
//
// It is no service and knows no provider. What always holds: a provider is not asked before the caller's token, the
// subscription and the resource group are found to be good; a refusal by the gateway is wrapped in "error", whatever
// form a provider's own refusals have.
package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// Path is an address below Azure Resource Manager.
type Path struct {
	Subscription string
	Group        string
	// Provider is the namespace of the last provider in the address, in lower case: "microsoft.automation".
	Provider string
	// Rest is what follows it, as sent.
	Rest []string
}

// PathOf reads an address. What has no provider has an empty Provider.
func PathOf(r *http.Request) Path {
	segs := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' })
	var p Path
	if len(segs) >= 2 && strings.EqualFold(segs[0], "subscriptions") {
		p.Subscription = segs[1]
		if len(segs) >= 4 && strings.EqualFold(segs[2], "resourceGroups") {
			p.Group = segs[3]
		}
	}
	for i := len(segs) - 2; i >= 0; i-- {
		if strings.EqualFold(segs[i], "providers") {
			p.Provider, p.Rest = strings.ToLower(segs[i+1]), segs[i+2:]
			break
		}
	}
	return p
}

// Type is the resource type of the address, in lower case; "" if there is none.
func (p Path) Type() string {
	if len(p.Rest) == 0 {
		return ""
	}
	return strings.ToLower(p.Rest[0])
}

// Is says whether what follows the provider has a shape: names are compared whatever their case, and "*" stands for
// one name of any kind.
func (p Path) Is(shape ...string) bool {
	return slices.EqualFunc(p.Rest, shape, func(have, want string) bool { return want == "*" || strings.EqualFold(have, want) })
}

// Call is one request that a provider serves, with the world locked.
type Call struct {
	W       *world.World
	R       *http.Request
	Path    Path
	Body    []byte
	Now     time.Time
	Token   world.Token
	Version string // api-version
	Sub     *world.Subscription
}

// Answer is what a provider answers. JSON is marshalled; Text is plain text; neither is no body.
type Answer struct {
	Status int
	JSON   any
	Text   *string
}

// OK is the answer 200.
func OK(v any) (Answer, *Fault) { return Answer{Status: http.StatusOK, JSON: v}, nil }

// Fault is a refusal.
type Fault struct {
	Status  int
	Code    string
	Message string
	// Flat refusals are not wrapped in "error".
	Flat bool

	gateway bool   // it was not the provider who refused
	reason  string // of the challenge of a 401
}

// Refusal is one by the gateway itself, before any provider was asked.
func Refusal(status int, code, format string, args ...any) *Fault {
	return &Fault{Status: status, Code: code, Message: fmt.Sprintf(format, args...), gateway: true}
}

// NotSimulated is the answer for what the real service has and this one does not.
func NotSimulated(format string, args ...any) *Fault {
	return &Fault{Status: http.StatusNotImplemented, Code: "NotImplemented", Message: fmt.Sprintf(format, args...)}
}

func (f *Fault) body() any {
	inner := map[string]string{"code": f.Code, "message": f.Message}
	if f.Flat {
		return inner
	}
	return map[string]any{"error": inner}
}

// Gateway serves one provider over a world.
type Gateway struct {
	W *world.World
	// AnyScope is for Resource Manager's own operations: they may be about no subscription, and find out themselves
	// whether what their scope names exists.
	AnyScope bool
	requests uint64
}

// Serve goes through what every request goes through and hands what is good to do. known is false for an operation that
// the provider does not have.
func (g *Gateway) Serve(w http.ResponseWriter, r *http.Request, known bool, do func(*Call) (Answer, *Fault)) {
	status, header, contentType, body := g.answer(r, known, do)
	for k, v := range header {
		w.Header()[k] = v
	}
	if body == nil {
		w.WriteHeader(status)
		return
	}
	wire.Bytes(w, status, contentType, body)
}

func (g *Gateway) answer(r *http.Request, known bool, do func(*Call) (Answer, *Fault)) (status int, h http.Header, contentType string, body []byte) {
	g.W.Lock()
	defer g.W.Unlock()
	c := &Call{W: g.W, R: r, Path: PathOf(r), Body: wire.Body(r), Now: g.W.Now()}
	i := slices.IndexFunc(g.W.Subscriptions, func(s *world.Subscription) bool { return strings.EqualFold(s.ID, c.Path.Subscription) })
	if i >= 0 {
		c.Sub = g.W.Subscriptions[i]
	}
	h = g.headers(c)
	f := c.admit(g.AnyScope)
	if f == nil && !known {
		f = NotSimulated("The simulator does not have this part of Azure Resource Manager: %s %s", r.Method, r.URL.Path)
	}
	var a Answer
	if f == nil {
		a, f = do(c)
	}
	if f != nil {
		a = Answer{Status: f.Status, JSON: f.body()}
		if f.Status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", c.challenge(f))
		}
		if f.gateway {
			h.Set("X-Ms-Failure-Cause", "gateway")
		}
	}
	switch {
	case a.Text != nil:
		return a.Status, h, "text/plain; charset=utf-8", []byte(*a.Text)
	case a.JSON == nil:
		return a.Status, h, "", nil
	}
	b, err := json.Marshal(a.JSON)
	if err != nil {
		return http.StatusInternalServerError, h, "", []byte(`{"error":{"code":"InternalServerError","message":"simulator: the answer could not be encoded"}}`)
	}
	return a.Status, h, "", b
}

func (g *Gateway) headers(c *Call) http.Header {
	g.requests++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s request %d of %d", c.Path.Provider, g.requests, g.W.Seed))
	x := hex.EncodeToString(sum[:16])
	id := x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
	h := http.Header{}
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Date", c.Now.Format(http.TimeFormat))
	h.Set("X-Ms-Request-Id", id)
	h.Set("X-Ms-Correlation-Request-Id", id)
	h.Set("X-Ms-Routing-Request-Id", "WESTEUROPE:"+c.Now.Format("20060102T150405Z")+":"+id)
	return h
}

// audiences are what a token must be for. Issued audiences carry no trailing slash.
var audiences = []string{"https://management.azure.com", "https://management.core.windows.net"}

var (
	versionForm = regexp.MustCompile(`(?i)^\d{4}-\d{2}-\d{2}(-[a-z]+)?$`)
	guidForm    = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// IsGUID says whether a text has the form of an id.
func IsGUID(s string) bool { return guidForm.MatchString(s) }

// admit refuses what no provider gets to see.
func (c *Call) admit(anyScope bool) *Fault {
	if f := c.authenticate(); f != nil {
		return f
	}
	c.Version = c.R.URL.Query().Get("api-version")
	id := c.Path.Subscription
	switch {
	case c.Version == "":
		return Refusal(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case !versionForm.MatchString(c.Version):
		return Refusal(http.StatusBadRequest, "InvalidApiVersionParameter", "The api-version '%s' is invalid.", c.Version)
	case id == "" && anyScope:
		return nil
	case !IsGUID(id):
		return Refusal(http.StatusBadRequest, "InvalidSubscriptionId", "The provided subscription identifier '%s' is malformed or invalid.", id)
	case c.Sub == nil:
		return Refusal(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", id)
	case !strings.EqualFold(c.Sub.TenantID, c.Token.Tenant):
		const reason = "The access token is from the wrong issuer"
		return unauthorized("InvalidAuthenticationTokenTenant", reason+fmt.Sprintf(" 'https://sts.windows.net/%s/'. It must match the tenant 'https://sts.windows.net/%s/' associated with this subscription.", c.Token.Tenant, c.Sub.TenantID), reason+".")
	case c.Path.Group != "" && !anyScope && !slices.ContainsFunc(c.Sub.ResourceGroups, func(g string) bool { return strings.EqualFold(g, c.Path.Group) }):
		return Refusal(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", c.Path.Group)
	}
	return nil
}

func (c *Call) authenticate() *Fault {
	scheme, raw, _ := strings.Cut(c.R.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.", "The authentication failed because of missing 'Authorization' header.")
	}
	t, ok := c.W.TokenOf(raw)
	if !ok {
		c.W.Remember(raw)
		return unauthorized("InvalidAuthenticationToken", "The access token is invalid.", "The access token is invalid.")
	}
	c.Token = t
	wire.CallFrom(c.R.Context()).Principal = cmp.Or(t.Name, t.ObjectID)
	if !slices.ContainsFunc(audiences, func(a string) bool { return strings.EqualFold(a, strings.TrimRight(t.Audience, "/")) }) {
		const reason = "The access token has been obtained for wrong audience or resource"
		return unauthorized("InvalidAuthenticationTokenAudience", fmt.Sprintf("%s '%s'. It should exactly match with one of the allowed audiences 'https://management.core.windows.net/','https://management.core.windows.net','https://management.azure.com/','https://management.azure.com'.", reason, t.Audience), reason+".")
	}
	if !c.Now.Before(t.Expires) {
		const form = "1/2/2006 3:04:05 PM"
		return unauthorized("ExpiredAuthenticationToken", fmt.Sprintf("The access token expiry UTC time '%s' is earlier than current UTC time '%s'.", t.Expires.UTC().Format(form), c.Now.Format(form)), "The access token has expired.")
	}
	return nil
}

func unauthorized(code, message, reason string) *Fault {
	return &Fault{Status: http.StatusUnauthorized, Code: code, Message: message, gateway: true, reason: reason}
}

func (c *Call) challenge(f *Fault) string {
	tenant := "common"
	if len(c.W.Tenants) > 0 {
		tenant = c.W.Tenants[0].ID
	}
	if c.Sub != nil {
		tenant = c.Sub.TenantID
	}
	return fmt.Sprintf(`Bearer authorization_uri="https://login.windows.net/%s", error="invalid_token", error_description="%s"`, tenant, f.reason)
}

// Allowed says whether a role lets the caller do an action at a scope, by the role assignments of this moment.
func (c *Call) Allowed(action, scope string) bool {
	return c.W.Allowed(c.Token.ObjectID, action, scope)
}

// Authorize refuses a caller that is not allowed.
func (c *Call) Authorize(action, scope string) *Fault {
	return c.AuthorizeDeed(world.Deed{Action: action}, scope)
}

// AuthorizeDeed is Authorize for an action with attributes. For role assignments the words speak of conditions too
// (facts 2.1).
func (c *Call) AuthorizeDeed(d world.Deed, scope string) *Fault {
	if c.W.AllowedDeed(c.Token.ObjectID, d, scope) {
		return nil
	}
	action := d.Action
	client := c.Token.AppID
	if c.Token.User {
		client = c.Token.Name
	}
	why := "authorization"
	if strings.HasPrefix(action, "Microsoft.Authorization/roleAssignments/") && !strings.HasSuffix(action, "/read") {
		why = "authorization or an ABAC condition not fulfilled"
	}
	return Refusal(http.StatusForbidden, "AuthorizationFailed", "The client '%s' with object id '%s' does not have %s to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		client, c.Token.ObjectID, why, action, cmp.Or(scope, "/"))
}

// Scope is the resource group of the address, or its subscription.
func (c *Call) Scope() string {
	s := "/subscriptions/" + c.Path.Subscription
	if c.Path.Group != "" {
		s += "/resourceGroups/" + c.Path.Group
	}
	return s
}

// NotFound refuses a resource that is not there.
func (c *Call) NotFound(kind, name string) *Fault {
	return Refusal(http.StatusNotFound, "ResourceNotFound", "The Resource '%s/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", kind, name, c.Path.Group)
}

// Decode reads the request's body.
func (c *Call) Decode(v any) *Fault {
	if len(c.Body) == 0 || json.Unmarshal(c.Body, v) != nil {
		return Refusal(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized.")
	}
	return nil
}

// List is a list in one page.
func List(items []any) any {
	if items == nil {
		items = []any{}
	}
	return map[string]any{"value": items}
}
