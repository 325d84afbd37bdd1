// Package appservice is the simulated Microsoft.Web/sites, as far as Key Vault references go: apps of App Service and
// Functions and their slots, whose settings name secrets that the platform reads in their place.
//
// It runs no code, and of an app's configuration it has the settings alone. What always holds: a reference is read as
// the app's own managed identity, with the roles that this has at the vault; what was read is gone on with until it is
// fetched again, which happens once in 24 hours, at a refresh, and when settings change; no answer about references
// has a value in it.
package appservice

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

// Service is Microsoft.Web/sites over a world.
type Service struct{ gate gateway.Gateway }

// New returns the service over w.
func New(w *world.World) *Service { return &Service{gateway.Gateway{W: w}} }

// Name implements wire.Service.
func (s *Service) Name() string { return "appservice" }

// Provider is the namespace that the service answers for, in lower case, of its type sites.
const Provider = "microsoft.web"

// Operation implements wire.Service.
func (s *Service) Operation(r *http.Request) string {
	if o, _, ok := find(r); ok {
		return o.name
	}
	return "unknown"
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, at, known := find(r)
	s.gate.Serve(w, r, known, func(c *gateway.Call) (answer, *fault) { return o.run(c, at) })
}

type (
	answer = gateway.Answer
	fault  = gateway.Fault
)

type call struct {
	*gateway.Call
	place
	app *world.Site
	key string // the setting that is asked for
}

// place is the app or the slot that an address names, and what follows it.
type place struct {
	name, slot string
	rest       []string
}

func (p place) kind() string {
	if p.slot != "" {
		return "Microsoft.Web/sites/slots"
	}
	return "Microsoft.Web/sites"
}

func placeOf(p gateway.Path) (place, bool) {
	switch {
	case p.Provider != Provider || p.Group == "" || p.Type() != "sites" || len(p.Rest) < 2:
		return place{}, false
	case len(p.Rest) > 3 && strings.EqualFold(p.Rest[2], "slots"):
		return place{p.Rest[1], p.Rest[3], p.Rest[4:]}, true
	}
	return place{p.Rest[1], "", p.Rest[2:]}, true
}

type operation struct {
	name   string
	method string
	shape  []string
	action string // below Microsoft.Web/sites
	do     func(*call) (answer, *fault)
}

// operations are those of the service. Which action a refresh takes is on no page; it is what Resource Manager's rule
// for names makes of its address.
func operations() []operation {
	references := []string{"config", "configreferences", "appsettings"}
	return []operation{
		{"GetSite", "GET", nil, "Read", (*call).site},
		{"GetKeyVaultReferences", "GET", references, "config/appsettings/read", (*call).references},
		{"GetKeyVaultReference", "GET", append(slices.Clone(references), "*"), "config/appsettings/read", (*call).reference},
		{"RefreshKeyVaultReferences", "POST", append(slices.Clone(references), "refresh"), "config/appsettings/refresh/action", (*call).refresh},
		{"ListApplicationSettings", "POST", []string{"config", "appsettings", "list"}, "config/list/Action", (*call).settings},
		{"UpdateApplicationSettings", "PUT", []string{"config", "appsettings"}, "config/Write", (*call).update},
	}
}

func find(r *http.Request) (operation, place, bool) {
	at, ok := placeOf(gateway.PathOf(r))
	if !ok {
		return operation{}, at, false
	}
	for _, o := range operations() {
		if r.Method == o.method && (gateway.Path{Rest: at.rest}).Is(o.shape...) {
			return o, at, true
		}
	}
	return operation{}, at, false
}

func (o operation) run(g *gateway.Call, at place) (answer, *fault) {
	c := &call{Call: g, place: at, app: g.W.Site(g.Path.Subscription, g.Path.Group, at.name, at.slot)}
	scope := g.Scope() + "/providers/Microsoft.Web/sites/" + at.name
	if at.slot != "" {
		scope += "/slots/" + at.slot
	}
	if f := g.Authorize(at.kind()+"/"+o.action, scope); f != nil {
		return answer{}, f
	}
	if c.app == nil {
		return answer{}, g.NotFound(at.kind(), strings.TrimSuffix(at.name+"/"+at.slot, "/"))
	}
	g.W.SettleSites()
	if len(at.rest) > 3 {
		c.key = at.rest[3]
	}
	return o.do(c)
}

func (c *call) body(kind, below string, properties any) map[string]any {
	name := c.app.Name
	if c.app.Slot != "" {
		name += "/" + c.app.Slot
	}
	if below != "" {
		name = below[strings.LastIndexByte(below, '/')+1:]
	}
	return map[string]any{"id": c.app.ResourceID() + below, "name": name, "type": kind, "location": c.app.Location, "properties": properties}
}

func (c *call) site() (answer, *fault) {
	host := c.app.Name
	if c.app.Slot != "" {
		host += "-" + c.app.Slot
	}
	out := c.body(c.kind(), "", map[string]any{
		"state": "Running", "enabled": true, "defaultHostName": host + ".azurewebsites.net", "hostNames": []string{host + ".azurewebsites.net"}, "keyVaultReferenceIdentity": "SystemAssigned",
	})
	out["kind"] = c.app.Kind
	if c.app.IdentityID != "" {
		out["identity"] = map[string]string{"type": "SystemAssigned", "principalId": c.app.IdentityID, "tenantId": c.Sub.TenantID}
	}
	return gateway.OK(out)
}

// settings are answered with their values: references as they are written, whatever they came to.
func (c *call) settings() (answer, *fault) {
	out := map[string]string{}
	for k, v := range c.app.Settings {
		out[k] = v
	}
	return gateway.OK(c.body(c.kind()+"/config", "/config/appsettings", out))
}

// update replaces all settings, restarts the app, and has every reference fetched again.
func (c *call) update() (answer, *fault) {
	var in struct {
		Properties map[string]string `json:"properties"`
	}
	if f := c.Decode(&in); f != nil {
		return answer{}, f
	}
	if in.Properties == nil {
		return answer{}, &fault{Status: http.StatusBadRequest, Code: "BadRequest", Message: "The parameter properties has an invalid value."}
	}
	c.app.Settings = in.Properties
	for name, v := range in.Properties {
		if _, used := c.app.Uses[name]; used {
			c.W.Remember(v)
		}
	}
	c.W.Fetch(c.app, c.Now)
	return c.settings()
}
