package arm

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// checkCondition refuses a condition that could not be enforced. The words are documented; the code, and what follows
// the words, are not.
func checkCondition(text, version *string) *fault {
	const words = "The given role assignment condition is invalid."
	switch {
	case text == nil || *text == "":
		return nil
	case version == nil || *version != "2.0":
		return badRequest("InvalidRoleAssignmentCondition", words+" The conditionVersion must be '2.0'.")
	}
	if _, err := world.ParseCondition(*text); err != nil {
		return badRequest("InvalidRoleAssignmentCondition", fmt.Sprintf("%s %v.", words, err))
	}
	return nil
}

// authorizeAssignment judges the caller and its conditions by what the request asks for. A request that cannot be read
// has no attributes: without a condition the caller is told so later, with one it is refused here.
func (c *call) authorizeAssignment() *fault {
	var body struct {
		Properties assignmentInput `json:"properties"`
	}
	d := world.Deed{Action: assignmentType + "/write"}
	if json.Unmarshal(c.Body, &body) == nil {
		d.Request = c.attributes(body.Properties.RoleDefinitionID, body.Properties.PrincipalID, body.Properties.PrincipalType)
	}
	return c.AuthorizeDeed(d, c.route.scope)
}

// attributes are those of an assignment that is asked for. What a principal is, the directory says before the request.
func (c *call) attributes(definition, principal, principalType string) map[string]string {
	if kind := c.kindOf(principal); kind != "" {
		principalType = kind
	}
	role := ""
	if definition != "" {
		role = path.Base(definition)
	}
	return world.AssignmentAttributes(role, principal, principalType)
}

// authorizeRemoval judges the caller and its conditions by the assignment that is to go, nil if there is none.
func (c *call) authorizeRemoval(a *world.RoleAssignment) *fault {
	d := world.Deed{Action: assignmentType + "/delete"}
	if a != nil {
		d.Resource = world.AssignmentAttributes(a.RoleID, a.PrincipalID, a.PrincipalType)
		return c.AuthorizeDeed(d, c.route.scope)
	}
	if c.W.Knobs.ARM.AbsentDeletesUnconditioned && c.hasRoleFor(d.Action) {
		return nil
	}
	return c.AuthorizeDeed(d, c.route.scope)
}

// hasRoleFor says whether a role of the caller's has an action here, whatever its condition.
func (c *call) hasRoleFor(action string) bool {
	return slices.ContainsFunc(c.W.RolesAt(c.Token.ObjectID, c.route.scope), func(r world.Role) bool { return r.Grants(action) })
}

// lastOwner says whether an assignment is the last one of Owner at its subscription.
func (c *call) lastOwner(a *world.RoleAssignment) bool {
	owns := func(b *world.RoleAssignment) bool {
		return b.Removed.IsZero() && strings.EqualFold(b.RoleID, world.RoleOwner) && sameScope(b.Scope, a.Scope)
	}
	return owns(a) && c.Sub != nil && sameScope(a.Scope, "/subscriptions/"+c.Sub.ID) &&
		!slices.ContainsFunc(c.W.RoleAssignments, func(b *world.RoleAssignment) bool { return b != a && owns(b) })
}
