// Package connections is the simulated Microsoft.Web/connections: the API connections through which Logic Apps use
// credentials.
//
// It runs no workflows and asks nobody for consent. What always holds: the parameter values of a connection are in no
// answer, the client id no more than the secret; a PUT replaces all of it; whether what is stored works is found out
// when a test link is called, and not before.
package connections

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

// Service is Microsoft.Web/connections over a world.
type Service struct{ gate gateway.Gateway }

// New returns the service over w.
func New(w *world.World) *Service { return &Service{gateway.Gateway{W: w}} }

// Name implements wire.Service.
func (s *Service) Name() string { return "connections" }

// Provider is the namespace that the service answers for, in lower case.
const Provider = "microsoft.web"

// Operation implements wire.Service.
func (s *Service) Operation(r *http.Request) string {
	if o, ok := find(r); ok {
		return o.name
	}
	return "unknown"
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, known := find(r)
	s.gate.Serve(w, r, known, func(c *gateway.Call) (answer, *fault) { return o.run(c) })
}

type (
	answer = gateway.Answer
	fault  = gateway.Fault
)

type call struct {
	*gateway.Call
	name string
	conn *world.Connection // nil if there is none
}

type operation struct {
	name   string
	method string
	shape  []string
	action string // below Microsoft.Web/connections
	do     func(*call) (answer, *fault)
}

const kind = "Microsoft.Web/connections"

// operations are those of the service. What a test of a connection takes is on no page; reading is the least that
// it can be.
func operations() []operation {
	one := func(rest ...string) []string { return append([]string{"connections", "*"}, rest...) }
	return []operation{
		{"ListConnections", "GET", []string{"connections"}, "Read", (*call).list},
		{"GetConnection", "GET", one(), "Read", (*call).get},
		{"PutConnection", "PUT", one(), "Write", (*call).put},
		{"UpdateConnection", "PATCH", one(), "Write", (*call).patch},
		{"DeleteConnection", "DELETE", one(), "Delete", (*call).remove},
		{"TestConnection", "GET", one("extensions", "proxy", "testconnection"), "Read", (*call).test},
		{"InvokeConnection", "POST", one("dynamicInvoke"), "Read", (*call).invoke},
	}
}

func find(r *http.Request) (operation, bool) {
	p := gateway.PathOf(r)
	if p.Provider == Provider && p.Group != "" {
		for _, o := range operations() {
			if r.Method == o.method && p.Is(o.shape...) {
				return o, true
			}
		}
	}
	return operation{}, false
}

func (o operation) run(g *gateway.Call) (answer, *fault) {
	c := &call{Call: g}
	scope := g.Scope()
	if len(g.Path.Rest) > 1 {
		c.name = g.Path.Rest[1]
		c.conn = g.W.Connection(g.Path.Subscription, g.Path.Group, c.name)
		scope += "/providers/" + kind + "/" + c.name
	}
	if f := g.Authorize(kind+"/"+o.action, scope); f != nil {
		return answer{}, f
	}
	if c.name != "" && c.conn == nil && o.method != "PUT" && o.method != "DELETE" {
		return answer{}, g.NotFound(kind, c.name)
	}
	return o.do(c)
}

func refuse(status int, code, format string, args ...any) (answer, *fault) {
	return answer{}, &fault{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func (c *call) list() (answer, *fault) {
	var out []any
	for _, x := range c.W.Connections {
		if strings.EqualFold(x.SubscriptionID, c.Path.Subscription) && strings.EqualFold(x.ResourceGroup, c.Path.Group) {
			out = append(out, c.body(x))
		}
	}
	return gateway.OK(gateway.List(out))
}

func (c *call) get() (answer, *fault) { return gateway.OK(c.body(c.conn)) }

func (c *call) remove() (answer, *fault) {
	if c.conn == nil {
		return answer{Status: http.StatusNoContent}, nil
	}
	for i, x := range c.W.Connections {
		if x == c.conn {
			c.W.Connections = append(c.W.Connections[:i:i], c.W.Connections[i+1:]...)
			break
		}
	}
	return answer{Status: http.StatusOK}, nil
}

// documented is the version that Microsoft describes; the portal's preview has more members.
const documented = "2016-06-01"

func (c *call) body(x *world.Connection) map[string]any {
	at := "/subscriptions/" + x.SubscriptionID + "/providers/Microsoft.Web/locations/" + x.Location + "/managedApis/" + x.API
	status := map[string]any{"status": "Connected"}
	if code, message := problem(x); code != "" {
		status = map[string]any{"status": "Error", "target": "token", "error": map[string]any{"properties": map[string]string{"code": code, "message": message}}}
		if c.Version != documented {
			status["error"] = map[string]string{"code": code, "message": message}
		}
	}
	p := map[string]any{
		"displayName": x.DisplayName, "statuses": []any{status}, "customParameterValues": orEmpty(x.CustomValues),
		"nonSecretParameterValues": orEmpty(x.NonSecret), "createdTime": x.Created.UTC().Format(time.RFC3339Nano), "changedTime": x.Changed.UTC().Format(time.RFC3339Nano),
		"api": map[string]any{
			"id": at, "name": x.API, "displayName": x.API, "description": "", "iconUri": "https://connectoricons.example/" + x.API + ".png",
			"brandColor": "#0079D6", "type": "Microsoft.Web/locations/managedApis",
		},
		"testLinks": []any{},
	}
	if !c.W.Knobs.Connections.NoTestLinks {
		base := "https://management.azure.com:443" + x.ResourceID()
		p["testLinks"] = []any{map[string]string{"requestUri": base + "/extensions/proxy/testconnection?api-version=2018-07-01-preview", "method": "get"}}
		if c.Version != documented {
			p["testRequests"] = []any{map[string]any{
				"requestUri": base + "/dynamicInvoke?api-version=2018-07-01-preview", "method": "POST",
				"body": map[string]any{"request": map[string]string{"method": "get", "path": "testconnection"}},
			}}
		}
	}
	out := map[string]any{"id": x.ResourceID(), "name": x.Name, "type": kind, "location": x.Location, "properties": p}
	if len(x.Tags) > 0 {
		out["tags"] = x.Tags
	}
	if c.Version != documented {
		out["kind"] = x.Kind
		if x.Set != "" {
			p["parameterValueSet"] = map[string]any{"name": x.Set, "values": map[string]any{}}
		}
	}
	return out
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// needed are the parameters of a connection that signs in as an app (facts 5).
var needed = []string{"token:clientId", "token:clientSecret", "token:TenantId", "token:grantType"}

// problem is why the status of a connection is Error, by what was put; whether it works is another question.
func problem(x *world.Connection) (code, message string) {
	const unauthenticated = "This connection is not authenticated."
	switch {
	case x.Broken:
		return "ConfigurationNeeded", "The parameters of this connection could not be read."
	case x.Refused:
		return "Unauthorized", "The credentials of this connection were refused."
	case len(x.Values) == 0:
		return "Unauthenticated", unauthenticated
	}
	for k := range x.Values {
		if strings.HasPrefix(strings.ToLower(k), "token:") {
			for _, n := range needed {
				if x.Value(n) == "" {
					return "Unauthenticated", unauthenticated
				}
			}
		}
	}
	return "", ""
}
