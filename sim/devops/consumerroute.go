package devops

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// Operation names of service connections and variable groups.
const (
	opListEndpoints   = "ListServiceEndpoints"
	opGetEndpoint     = "GetServiceEndpoint"
	opCreateEndpoint  = "CreateServiceEndpoint"
	opUpdateEndpoint  = "UpdateServiceEndpoint"
	opUpdateEndpoints = "UpdateServiceEndpoints"
	opShareEndpoint   = "ShareServiceEndpoint"
	opDeleteEndpoint  = "DeleteServiceEndpoint"
	opTestEndpoint    = "TestServiceEndpoint"

	opListGroups  = "ListVariableGroups"
	opGetGroup    = "GetVariableGroup"
	opAddGroup    = "AddVariableGroup"
	opUpdateGroup = "UpdateVariableGroup"
	opShareGroup  = "ShareVariableGroup"
	opDeleteGroup = "DeleteVariableGroup"
)

// consumerOperation is what an address of the areas serviceendpoint and distributedtask asks for, "" if nothing that
// is built. Reading is a matter of a project; writing is the organisation's, and a project's address does for it.
func (rt route) consumerOperation(r *http.Request) string {
	if rt.host.kind != hostCore || rt.org == "" || len(rt.rest) == 0 {
		return ""
	}
	key := r.Method + " " + strings.ToLower(rt.rest[0])
	switch len(rt.rest) {
	case 1:
	case 2:
		key += "/id"
	default:
		return ""
	}
	op := map[string]string{
		"serviceendpoint GET endpoints":            opListEndpoints,
		"serviceendpoint GET endpoints/id":         opGetEndpoint,
		"serviceendpoint POST endpoints":           opCreateEndpoint,
		"serviceendpoint PUT endpoints":            opUpdateEndpoints,
		"serviceendpoint PUT endpoints/id":         opUpdateEndpoint,
		"serviceendpoint PATCH endpoints/id":       opShareEndpoint,
		"serviceendpoint DELETE endpoints/id":      opDeleteEndpoint,
		"serviceendpoint POST endpointproxy":       opTestEndpoint,
		"distributedtask GET variablegroups":       opListGroups,
		"distributedtask GET variablegroups/id":    opGetGroup,
		"distributedtask POST variablegroups":      opAddGroup,
		"distributedtask PUT variablegroups/id":    opUpdateGroup,
		"distributedtask PATCH variablegroups":     opShareGroup,
		"distributedtask DELETE variablegroups/id": opDeleteGroup,
	}[rt.area+" "+key]
	reads := []string{opListEndpoints, opGetEndpoint, opTestEndpoint, opListGroups, opGetGroup}
	if rt.project == "" && slices.Contains(reads, op) {
		return ""
	}
	// With ids in the query it is another operation: refreshed authentication, which is not built.
	if op == opCreateEndpoint && queryOf(r).get("endpointIds") != "" {
		return ""
	}
	return op
}

// consumerHandlers are the handlers of service connections and variable groups.
func consumerHandlers() map[string]handler {
	endpoints, groups := resource{latest: 4, released: true}, resource{latest: 2, released: true}
	return map[string]handler{
		opListEndpoints:   {endpoints, (*call).listEndpoints},
		opGetEndpoint:     {endpoints, (*call).getEndpoint},
		opCreateEndpoint:  {endpoints, (*call).createEndpoint},
		opUpdateEndpoint:  {endpoints, (*call).updateEndpoint},
		opUpdateEndpoints: {endpoints, (*call).updateEndpoints},
		opShareEndpoint:   {endpoints, (*call).shareEndpoint},
		opDeleteEndpoint:  {endpoints, (*call).deleteEndpoint},
		opTestEndpoint:    {resource{latest: 1, released: true}, (*call).testEndpoint},

		opListGroups:  {groups, (*call).listGroups},
		opGetGroup:    {groups, (*call).getGroup},
		opAddGroup:    {groups, (*call).addGroup},
		opUpdateGroup: {groups, (*call).updateGroup},
		opShareGroup:  {groups, (*call).shareGroup},
		opDeleteGroup: {groups, (*call).deleteGroup},
	}
}

// may says whether the caller's credential has any of the scopes, or refuses it.
func (c *call) may(scopes ...string) bool {
	if c.who.scopes.has(scopes...) {
		return true
	}
	c.lacksScope()
	return false
}

func has(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(x string) bool { return strings.EqualFold(x, id) })
}

// organizationAdmin says whether the caller administers the organisation.
func (c *call) organizationAdmin() bool { return has(c.org.Administrators, c.who.id) }

// projectAdmin says whether the caller administers a project that something is shared with, by the project or the
// organisation.
func (c *call) projectAdmin(refs []*world.ProjectReference) bool {
	return c.organizationAdmin() || slices.ContainsFunc(c.org.Projects, func(p *world.Project) bool {
		return has(p.Administrators, c.who.id) && world.In(refs, p.ID) != nil
	})
}

// identityOf is an identity as answers show it.
func (c *call) identityOf(id string) map[string]any {
	name, shown := id, id
	w := c.s.w
	for _, u := range w.Users {
		if strings.EqualFold(u.ID, id) {
			name, shown = u.UPN, u.Name
		}
	}
	for _, a := range w.Apps {
		if strings.EqualFold(a.ServicePrincipalID, id) {
			name, shown = a.ServicePrincipalID, a.Name
		}
	}
	for _, m := range w.ManagedIdentities {
		if strings.EqualFold(m.ID, id) {
			name, shown = m.ID, m.Name
		}
	}
	key := c.s.storageKey(id)
	return map[string]any{
		"id": key, "displayName": shown, "uniqueName": name,
		"url":        spsHost + c.org.Name + "/_apis/Identities/" + key,
		"imageUrl":   coreHost + c.org.Name + "/_apis/GraphProfile/MemberAvatars/" + key,
		"descriptor": "aad." + key,
	}
}

// shownReferences are project references as answers show them.
func (c *call) shownReferences(refs []*world.ProjectReference) []any {
	out := []any{}
	for _, r := range refs {
		shown := map[string]any{"projectReference": map[string]any{"id": r.ProjectID, "name": c.projectName(r.ProjectID)}, "name": r.Name}
		if r.Description != "" {
			shown["description"] = r.Description
		}
		out = append(out, shown)
	}
	return out
}

func (c *call) projectName(id string) string {
	if p := c.findProject(id); p != nil {
		return p.Name
	}
	return ""
}

// sentReference is a project reference as clients send it.
type sentReference struct {
	Project struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"projectReference"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// references finds the projects that were sent, or refuses the call. What has no name there is called name.
func (c *call) references(sent []sentReference, name string) ([]*world.ProjectReference, bool) {
	var out []*world.ProjectReference
	for _, s := range sent {
		wanted := s.Project.ID
		if wanted == "" {
			wanted = s.Project.Name
		}
		p := c.findProject(wanted)
		if p == nil {
			c.noSuchProject(wanted)
			return nil, false
		}
		r := &world.ProjectReference{ProjectID: p.ID, Name: s.Name, Description: s.Description}
		if r.Name == "" {
			r.Name = name
		}
		out = append(out, r)
	}
	return out, true
}
