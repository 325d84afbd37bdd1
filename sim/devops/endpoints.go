package devops

import (
	"net/http"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

var readEndpoints = []string{"serviceendpoint", "serviceendpoint_query", "serviceendpoint_manage"}

// role is what a caller may do with one service connection.
type role int

const (
	roleReader role = iota // sees that it is there
	roleUser
	roleAdministrator
)

// endpointRole is the caller's role: the endpoint's own roles, and the organisation's administrators. Administrators of
// a project may use what is shared with it, and rename it; its credential is not theirs (facts 3.3).
func (c *call) endpointRole(e *world.ServiceEndpoint) role {
	switch {
	case c.organizationAdmin(), has(e.Administrators, c.who.id):
		return roleAdministrator
	case c.projectAdmin(e.Projects) && c.s.w.Knobs.Endpoints.ProjectAdministrators:
		return roleAdministrator
	case has(e.Users, c.who.id), c.projectAdmin(e.Projects):
		return roleUser
	}
	return roleReader
}

// state is the operation status: its name, its message, and whether the connection is ready.
func (c *call) state(e *world.ServiceEndpoint) (state, message string, ready bool) {
	switch {
	case c.s.w.Now().Before(e.BusyUntil):
		return "InProgress", "", false
	case e.Failure != "":
		return "Failed", e.Failure, false
	}
	return "Ready", "", true
}

// shownEndpoint is a connection as answers show it in a project; project is nil at the organisation's address. Secrets
// are null where one connection is answered, and absent from lists.
func (c *call) shownEndpoint(e *world.ServiceEndpoint, project *world.Project, inList bool) map[string]any {
	name, description := e.Name, e.Description
	if project != nil {
		if r := world.In(e.Projects, project.ID); r != nil {
			name, description = r.Name, r.Description
		}
	}
	out := map[string]any{}
	for k, v := range e.More {
		out[k] = v
	}
	state, message, ready := c.state(e)
	out["id"], out["name"], out["url"], out["description"] = e.ID, name, e.URL, description
	out["owner"], out["isShared"], out["isReady"] = e.Owner, len(e.Projects) > 1, ready
	out["createdBy"] = c.identityOf(e.CreatedBy)
	out["serviceEndpointProjectReferences"] = c.shownReferences(e.Projects)
	if c.version.atLeast(7, 2) {
		out["isDisabled"], out["modifiedBy"] = e.Disabled, c.identityOf(e.ModifiedBy)
		out["creationDate"], out["modificationDate"] = sqlTime(e.Created), sqlTime(e.Modified)
	}
	// Who may not use it gets it without what it is.
	if c.endpointRole(e) == roleReader {
		out["authorization"] = map[string]any{"scheme": e.Scheme}
		return out
	}
	out["type"], out["operationStatus"] = e.Type, map[string]string{"state": state, "statusMessage": message}
	data := map[string]string{}
	for k, v := range e.Data {
		data[k] = v
	}
	out["data"] = data
	parameters := map[string]*string{}
	for k, v := range e.Parameters {
		switch {
		case !world.SecretEndpointParameter(k):
			parameters[k] = &v
		case !inList:
			parameters[k] = nil
		}
	}
	out["authorization"] = map[string]any{"scheme": e.Scheme, "parameters": parameters}
	return out
}

func (c *call) listEndpoints() {
	if !c.may(readEndpoints...) {
		return
	}
	project := c.findProject(c.route.project)
	found := []any{}
	for _, e := range c.org.ServiceEndpoints {
		r := world.In(e.Projects, project.ID)
		state, _, _ := c.state(e)
		switch {
		case r == nil, !c.asked("type", e.Type), !c.asked("authSchemes", e.Scheme), !c.asked("endpointIds", e.ID),
			!c.asked("endpointNames", r.Name), !c.asked("owner", e.Owner):
		case state == "Failed" && !strings.EqualFold(c.query.get("includeFailed"), "true"):
		case strings.EqualFold(c.query.get("actionFilter"), "manage") && c.endpointRole(e) != roleAdministrator:
		case strings.EqualFold(c.query.get("actionFilter"), "use") && c.endpointRole(e) == roleReader:
		default:
			found = append(found, c.shownEndpoint(e, project, true))
		}
	}
	c.ok(listOf(found))
}

// asked says whether a value is in a query member's list, or the member is not there.
func (c *call) asked(member, value string) bool {
	list := c.query.get(member)
	if list == "" {
		return true
	}
	for v := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(v), value) {
			return true
		}
	}
	return false
}

func (c *call) getEndpoint() {
	if !c.may(readEndpoints...) {
		return
	}
	id, ok := guid(c.route.rest[1])
	if !ok {
		c.badParameter("endpointId")
		return
	}
	project := c.findProject(c.route.project)
	e := c.org.Endpoint(id)
	// That the filter works here as in a list is what the parameter's description says, and not on record.
	hidden := e != nil && strings.EqualFold(c.query.get("actionFilter"), "manage") && c.endpointRole(e) != roleAdministrator
	if e == nil || hidden || world.In(e.Projects, project.ID) == nil {
		c.missing(c.s.w.Knobs.Endpoints.Missing, c.noSuchEndpoint, id)
		return
	}
	c.ok(c.shownEndpoint(e, project, false))
}

// missing answers a read of what is not there: null, or an error where the knob says so.
func (c *call) missing(knob string, refuse func(string), id string) {
	if knob == "404" {
		refuse(id)
		return
	}
	c.ok(nil)
}

const taskAPI = "Microsoft.TeamFoundation.DistributedTask.WebApi"

func (c *call) noSuchEndpoint(id string) {
	c.fail(http.StatusNotFound, typed(taskAPI, "ServiceEndpointNotFoundException"),
		"The service endpoint with id "+id+" does not exist or you do not have permission to access it.")
}

// badEndpoint refuses what cannot be a connection.
func (c *call) badEndpoint(message string) {
	c.fail(http.StatusBadRequest, typed(taskAPI, "ServiceEndpointException"), message)
}

// The words of facts 3.3; their status is not on record.
func (c *call) notEndpointAdministrator() {
	c.fail(http.StatusForbidden, typed(taskAPI, "ServiceEndpointException"),
		"You need to be an organisation/collection level Administrator of the service endpoint to perform this operation.")
}
