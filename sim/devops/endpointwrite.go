package devops

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// sentEndpoint is a connection as clients send it. What it does not know is kept.
type sentEndpoint struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Type          string            `json:"type"`
	URL           string            `json:"url"`
	Description   string            `json:"description"`
	Owner         string            `json:"owner"`
	Disabled      bool              `json:"isDisabled"`
	Data          map[string]string `json:"data"`
	Authorization struct {
		Scheme     string             `json:"scheme"`
		Parameters map[string]*string `json:"parameters"`
	} `json:"authorization"`
	Projects []sentReference `json:"serviceEndpointProjectReferences"`

	more map[string]json.RawMessage
}

// ours are the members that a connection has, in lower case: those above, and those that only the service sets.
var ours = []string{
	"id", "name", "type", "url", "description", "owner", "isdisabled", "data", "authorization", "serviceendpointprojectreferences",
	"isshared", "isready", "isoutdated", "operationstatus", "createdby", "modifiedby", "creationdate", "modificationdate",
}

func (e *sentEndpoint) UnmarshalJSON(b []byte) error {
	type plain sentEndpoint
	if err := json.Unmarshal(b, (*plain)(e)); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(k string, v json.RawMessage) bool {
		return slices.Contains(ours, strings.ToLower(k)) || string(v) == "null"
	})
	if len(all) > 0 {
		e.more = all
	}
	return nil
}

// stored is what of a sent connection is stored, in place of before (nil for a new one), or the call is refused.
func (c *call) stored(sent *sentEndpoint, before *world.ServiceEndpoint) (*world.ServiceEndpoint, bool) {
	switch {
	case sent.Name == "":
		c.badEndpoint("Value cannot be null. Parameter name: endpoint.Name")
		return nil, false
	case sent.Type == "":
		c.badEndpoint("Value cannot be null. Parameter name: endpoint.Type")
		return nil, false
	case sent.Authorization.Scheme == "":
		c.badEndpoint("Value cannot be null. Parameter name: endpoint.Authorization.Scheme")
		return nil, false
	case len(sent.Projects) == 0:
		c.badEndpoint("Value cannot be null. Parameter name: endpoint.ServiceEndpointProjectReferences")
		return nil, false
	}
	refs, ok := c.references(sent.Projects, sent.Name)
	if !ok {
		return nil, false
	}
	now := c.s.w.Now()
	k := c.s.w.Knobs.Endpoints
	e := &world.ServiceEndpoint{
		Name: sent.Name, Type: sent.Type, URL: sent.URL, Description: sent.Description, Owner: sent.Owner, Disabled: sent.Disabled,
		Scheme: sent.Authorization.Scheme, Data: sent.Data, Projects: refs, More: sent.more,
		ModifiedBy: c.who.id, Modified: now, BusyUntil: now.Add(time.Duration(k.BusyFor)), Failure: k.Fails,
	}
	if e.Owner == "" {
		e.Owner = "library"
	}
	if k.BusyFor == 0 {
		e.BusyUntil = time.Time{}
	}
	e.Parameters = c.parameters(sent.Authorization.Parameters, before)
	if before != nil {
		e.ID, e.Administrators, e.Users = before.ID, before.Administrators, before.Users
		e.CreatedBy, e.Created = before.CreatedBy, before.Created
	}
	return e, true
}

// parameters are those that are stored. Null keeps the secret that is there, and so does the text "null", which
// Microsoft's own provider relies on (facts 3.3).
func (c *call) parameters(sent map[string]*string, before *world.ServiceEndpoint) map[string]string {
	k := c.s.w.Knobs.Endpoints
	out := map[string]string{}
	kept := func(name string) (string, bool) {
		if before == nil {
			return "", false
		}
		key, v := before.Parameter(name)
		return v, key != ""
	}
	for name, v := range sent {
		secret := world.SecretEndpointParameter(name)
		switch {
		case secret && (v == nil || *v == "null" || *v == "" && k.KeepEmpty):
			if old, ok := kept(name); ok {
				out[name] = old
			}
		case v != nil:
			out[name] = *v
			if secret {
				c.s.w.Remember(*v)
			}
		}
	}
	if before != nil && k.KeepAbsent {
		for name, v := range before.Parameters {
			if world.SecretEndpointParameter(name) && !slices.ContainsFunc(slices.Collect(maps.Keys(out)), func(x string) bool { return strings.EqualFold(x, name) }) {
				out[name] = v
			}
		}
	}
	return out
}

func (c *call) createEndpoint() {
	if !c.may("serviceendpoint_manage") {
		return
	}
	var sent sentEndpoint
	if !c.read(&sent) {
		return
	}
	e, ok := c.stored(&sent, nil)
	if !ok {
		return
	}
	for _, r := range e.Projects {
		if !c.projectAdmin([]*world.ProjectReference{r}) {
			c.notEndpointAdministrator()
			return
		}
		if c.taken(r, "") {
			return
		}
	}
	e.ID = c.s.w.NewID()
	e.CreatedBy, e.Created, e.Administrators = c.who.id, e.Modified, []string{c.who.id}
	c.org.ServiceEndpoints = append(c.org.ServiceEndpoints, e)
	c.ok(c.shownEndpoint(e, nil, false))
}

// taken refuses the call if another connection has a reference's name in its project.
func (c *call) taken(r *world.ProjectReference, self string) bool {
	for _, e := range c.org.ServiceEndpoints {
		if other := world.In(e.Projects, r.ProjectID); other != nil && e.ID != self && strings.EqualFold(other.Name, r.Name) {
			c.fail(http.StatusConflict, typed(taskAPI, "DuplicateServiceConnectionException"),
				"Service connection with name "+r.Name+" already exists. Only a user having Administrator/User role permissions on service connection "+r.Name+" can see it.")
			return true
		}
	}
	return false
}

func (c *call) updateEndpoint() {
	if !c.may("serviceendpoint_manage") {
		return
	}
	var sent sentEndpoint
	if !c.read(&sent) {
		return
	}
	if e, ok := c.update(c.route.rest[1], &sent); ok {
		c.ok(c.shownEndpoint(e, nil, false))
	}
}

// updateEndpoints changes several: none of them if one is refused.
func (c *call) updateEndpoints() {
	if !c.may("serviceendpoint_manage") {
		return
	}
	var sent []*sentEndpoint
	if !c.read(&sent) {
		return
	}
	before := slices.Clone(c.org.ServiceEndpoints)
	shown := []any{}
	for _, one := range sent {
		if one == nil {
			c.badEndpoint("Value cannot be null. Parameter name: endpoints")
			return
		}
		e, ok := c.update(one.ID, one)
		if !ok {
			c.org.ServiceEndpoints = before
			return
		}
		shown = append(shown, c.shownEndpoint(e, nil, false))
	}
	c.ok(listOf(shown))
}

// update replaces one connection, or refuses the call. It never changes the one that is there, so that it can be put
// back.
func (c *call) update(id string, sent *sentEndpoint) (*world.ServiceEndpoint, bool) {
	k := c.s.w.Knobs.Endpoints
	before := c.org.Endpoint(id)
	if before == nil {
		c.noSuchEndpoint(id)
		return nil, false
	}
	if sent.ID != "" && !strings.EqualFold(sent.ID, id) {
		c.badEndpoint("The id of the endpoint in the body is not the one in the address.")
		return nil, false
	}
	after, ok := c.stored(sent, before)
	if !ok {
		return nil, false
	}
	if c.endpointRole(before) != roleAdministrator && !(c.projectAdmin(before.Projects) && onlyRenamed(before, after)) {
		c.notEndpointAdministrator()
		return nil, false
	}
	for _, r := range after.Projects {
		if c.taken(r, before.ID) {
			return nil, false
		}
		if world.In(before.Projects, r.ProjectID) == nil && !c.projectAdmin([]*world.ProjectReference{r}) {
			c.notEndpointAdministrator()
			return nil, false
		}
	}
	if automatic(before) && !strings.EqualFold(after.Datum("creationMode"), "Manual") && !maps.Equal(before.Parameters, after.Parameters) {
		if k.AutomaticKey == "ignore" {
			return before, true
		}
		c.badEndpoint("The authorization of a service connection that was created automatically cannot be changed. Set creationMode to Manual to supply your own service principal key.")
		return nil, false
	}
	if k.Ignore {
		return before, true
	}
	i := slices.Index(c.org.ServiceEndpoints, before)
	c.org.ServiceEndpoints = slices.Clone(c.org.ServiceEndpoints)
	c.org.ServiceEndpoints[i] = after
	return after, true
}

func automatic(e *world.ServiceEndpoint) bool {
	return strings.EqualFold(e.Type, "azurerm") && strings.EqualFold(e.Datum("creationMode"), "Automatic")
}

// onlyRenamed says whether nothing but names and descriptions differ.
func onlyRenamed(a, b *world.ServiceEndpoint) bool {
	return a.Type == b.Type && a.URL == b.URL && a.Scheme == b.Scheme && a.Disabled == b.Disabled &&
		maps.Equal(a.Parameters, b.Parameters) && maps.Equal(a.Data, b.Data) &&
		slices.EqualFunc(a.Projects, b.Projects, func(x, y *world.ProjectReference) bool { return x.ProjectID == y.ProjectID })
}

func (c *call) shareEndpoint() {
	if !c.may("serviceendpoint_manage") {
		return
	}
	var sent []sentReference
	if !c.read(&sent) {
		return
	}
	e := c.org.Endpoint(c.route.rest[1])
	if e == nil {
		c.noSuchEndpoint(c.route.rest[1])
		return
	}
	refs, ok := c.references(sent, e.Name)
	if !ok {
		return
	}
	if c.endpointRole(e) != roleAdministrator {
		c.notEndpointAdministrator()
		return
	}
	for _, r := range refs {
		if c.taken(r, e.ID) {
			return
		}
	}
	for _, r := range refs {
		e.Projects = append(slices.DeleteFunc(e.Projects, func(x *world.ProjectReference) bool { return x.ProjectID == r.ProjectID }), r)
	}
	c.empty(http.StatusNoContent)
}

// deleteEndpoint takes a connection from the projects that are named; without any it is gone.
func (c *call) deleteEndpoint() {
	if !c.may("serviceendpoint_manage") {
		return
	}
	e := c.org.Endpoint(c.route.rest[1])
	if e == nil {
		c.noSuchEndpoint(c.route.rest[1])
		return
	}
	if c.endpointRole(e) != roleAdministrator {
		c.notEndpointAdministrator()
		return
	}
	from, ok := c.named("projectIds")
	if !ok {
		return
	}
	e.Projects = slices.DeleteFunc(e.Projects, func(r *world.ProjectReference) bool { return has(from, r.ProjectID) })
	if len(e.Projects) == 0 {
		c.org.ServiceEndpoints = slices.DeleteFunc(slices.Clone(c.org.ServiceEndpoints), func(x *world.ServiceEndpoint) bool { return x == e })
	}
	c.empty(http.StatusNoContent)
}

// named are the projects that a delete is for: those of the query, or that of the address.
func (c *call) named(member string) ([]string, bool) {
	if list := c.query.get(member); list != "" {
		return strings.Split(list, ","), true
	}
	if p := c.findProject(c.route.project); p != nil {
		return []string{p.ID}, true
	}
	c.badParameter(member)
	return nil, false
}
