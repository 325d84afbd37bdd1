package devops

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

var readGroups = []string{"variablegroups_read", "variablegroups_write", "variablegroups_manage"}

// groupView is where a group is shown: what is filled in differs (recorded).
type groupView int

const (
	inGet groupView = iota
	inList
	inWrite
)

// shownGroup is a group as answers show it. Secrets are null; in a list the references are, and in the answer to a
// write the names of people.
func (c *call) shownGroup(g *world.VariableGroup, project *world.Project, view groupView) map[string]any {
	name, description := g.Name, g.Description
	if project != nil {
		if r := world.In(g.Projects, project.ID); r != nil {
			name, description = r.Name, cmp.Or(r.Description, g.Description)
		}
	}
	out := map[string]any{
		"id": g.ID, "type": g.Type, "name": name, "description": description, "isShared": len(g.Projects) > 1,
		"createdBy": c.person(g.CreatedBy, view), "createdOn": sqlTime(g.Created),
		"modifiedBy": c.person(g.ModifiedBy, view), "modifiedOn": sqlTime(g.Modified),
		"variableGroupProjectReferences": any(nil), "variables": c.shownVariables(g),
	}
	if view != inList {
		out["variableGroupProjectReferences"] = c.shownReferences(g.Projects)
	}
	if g.Type == "AzureKeyVault" {
		out["providerData"] = map[string]any{"serviceEndpointId": g.EndpointID, "vault": g.Vault, "lastRefreshedOn": sqlTime(g.Modified)}
	}
	return out
}

func (c *call) person(id string, view groupView) map[string]any {
	who := c.identityOf(id)
	if view == inWrite {
		return map[string]any{"id": who["id"], "displayName": nil}
	}
	return map[string]any{"id": who["id"], "displayName": who["displayName"], "uniqueName": who["uniqueName"]}
}

// shownVariables never has a secret's value, and says isSecret and isReadOnly only where they are true (recorded).
func (c *call) shownVariables(g *world.VariableGroup) map[string]any {
	out := map[string]any{}
	for name, v := range g.Variables {
		shown := map[string]any{"value": v.Value}
		if v.Secret {
			shown["value"], shown["isSecret"] = nil, true
		}
		if v.ReadOnly {
			shown["isReadOnly"] = true
		}
		if g.Type == "AzureKeyVault" {
			shown["enabled"], shown["contentType"], shown["expires"] = true, "", nil
		}
		out[name] = shown
	}
	return out
}

func (c *call) groupAdmin(g *world.VariableGroup) bool {
	return has(g.Administrators, c.who.id) || c.projectAdmin(g.Projects)
}

func (c *call) listGroups() {
	if !c.may(readGroups...) {
		return
	}
	top, ok := c.number("$top", 0)
	if !ok {
		return
	}
	from, ok := c.number("continuationToken", 0)
	if !ok {
		return
	}
	project := c.findProject(c.route.project)
	all := slices.Clone(c.org.VariableGroups)
	ascending := strings.EqualFold(c.query.get("queryOrder"), "IdAscending")
	slices.SortFunc(all, func(a, b *world.VariableGroup) int {
		if ascending {
			return a.ID - b.ID
		}
		return b.ID - a.ID
	})
	found := []any{}
	for _, g := range all {
		r := world.In(g.Projects, project.ID)
		switch {
		case r == nil, !c.asked("groupIds", strconv.Itoa(g.ID)), !c.like("groupName", r.Name):
		case strings.EqualFold(c.query.get("actionFilter"), "manage") && !c.groupAdmin(g):
		case from > 0 && (ascending && g.ID < from || !ascending && g.ID > from):
		case top > 0 && len(found) == top:
			c.w.Header().Set("X-MS-ContinuationToken", strconv.Itoa(g.ID))
			c.ok(listOf(found))
			return
		default:
			found = append(found, c.shownGroup(g, project, inList))
		}
	}
	c.ok(listOf(found))
}

// like says whether a value fits a query member with "*" as a wildcard, or the member is not there.
func (c *call) like(member, value string) bool {
	pattern := strings.ToLower(c.query.get(member))
	if pattern == "" {
		return true
	}
	ok, err := path.Match(pattern, strings.ToLower(value))
	return err == nil && ok
}

// group finds the group of the address; missing reads are for the caller to answer.
func (c *call) group() (*world.VariableGroup, bool) {
	id, err := strconv.Atoi(c.route.rest[1])
	if err != nil || id < 0 {
		c.badParameter("groupId")
		return nil, false
	}
	return c.org.Group(id), true
}

func (c *call) getGroup() {
	if !c.may(readGroups...) {
		return
	}
	g, ok := c.group()
	if !ok {
		return
	}
	project := c.findProject(c.route.project)
	if g == nil || world.In(g.Projects, project.ID) == nil {
		c.missing(c.s.w.Knobs.VariableGroups.Missing, c.noSuchGroup, c.route.rest[1])
		return
	}
	c.ok(c.shownGroup(g, project, inGet))
}

func (c *call) noSuchGroup(id string) {
	c.fail(http.StatusNotFound, typed(taskAPI, "VariableGroupNotFoundException"), "Variable group with id "+id+" does not exist.")
}

func (c *call) badGroup(message string) {
	c.fail(http.StatusBadRequest, typed(taskAPI, "InvalidRequestException"), message)
}

// Neither words nor status are on record.
func (c *call) notGroupAdministrator() {
	c.fail(http.StatusForbidden, typed(taskAPI, "AccessDeniedException"),
		"You do not have permissions to perform this operation on the variable group. A variable group administrator should add you to the Administrator role.")
}
