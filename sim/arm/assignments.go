package arm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

const assignmentType = "Microsoft.Authorization/roleAssignments"

func (c *call) listRoleAssignments() (int, any, *fault) {
	if f := c.Authorize(assignmentType+"/read", c.route.scope); f != nil {
		return 0, nil, f
	}
	if f := c.checkScope(); f != nil {
		return 0, nil, f
	}
	terms, f := c.filter("principalId", "atScope()", "assignedTo()")
	if f != nil {
		return 0, nil, f
	}
	_, notBelow := terms.calls["atScope()"]
	var out []map[string]any
	for _, a := range c.W.Assignments() {
		switch {
		case !c.there(a) || a.Schedule != "" && c.Now.Before(a.Created.Add(time.Duration(c.W.Knobs.PIM.ListLag))):
		case !within(c.route.scope, a.Scope) && (notBelow || !within(a.Scope, c.route.scope)):
		case !terms.match(map[string]string{"principalId": a.PrincipalID}):
		case terms.calls["assignedTo()"] != "" && !c.W.IsPrincipal(terms.calls["assignedTo()"], a.PrincipalID):
		default:
			out = append(out, c.assignmentBody(a))
		}
	}
	return http.StatusOK, list(out), nil
}

func (c *call) getRoleAssignment() (int, any, *fault) {
	if f := c.Authorize(assignmentType+"/read", c.route.scope); f != nil {
		return 0, nil, f
	}
	if f := c.checkScope(); f != nil {
		return 0, nil, f
	}
	a := c.assignment(c.route.name)
	if a == nil || !sameScope(a.Scope, c.route.scope) {
		return 0, nil, &fault{Status: http.StatusNotFound, Code: "RoleAssignmentNotFound",
			Message: fmt.Sprintf("The role assignment '%s' is not found.", c.route.name)}
	}
	return http.StatusOK, c.assignmentBody(a), nil
}

// assignment finds one that was not removed by its name, at whatever scope.
func (c *call) assignment(name string) *world.RoleAssignment {
	all := c.W.Assignments()
	i := slices.IndexFunc(all, func(a *world.RoleAssignment) bool { return c.there(a) && strings.EqualFold(a.Name, name) })
	if i < 0 {
		return nil
	}
	return all[i]
}

// there says whether an assignment has begun and was not removed; one of PIM's ends at a time that is known before.
func (c *call) there(a *world.RoleAssignment) bool {
	return !c.Now.Before(a.Created) && (a.Removed.IsZero() || c.Now.Before(a.Removed))
}

type assignmentInput struct {
	RoleDefinitionID string  `json:"roleDefinitionId"`
	PrincipalID      string  `json:"principalId"`
	PrincipalType    string  `json:"principalType"`
	Description      *string `json:"description"`
	Condition        *string `json:"condition"`
	ConditionVersion *string `json:"conditionVersion"`
}

func (c *call) putRoleAssignment() (int, any, *fault) {
	if f := c.authorizeAssignment(); f != nil {
		return 0, nil, f
	}
	if f := c.checkScope(); f != nil {
		return 0, nil, f
	}
	in, role, f := c.assignmentInput()
	if f != nil {
		return 0, nil, f
	}
	if a := c.assignment(c.route.name); a != nil {
		return c.updateRoleAssignment(a, in, role)
	}
	principalType, f := c.principalType(in)
	if f != nil {
		return 0, nil, f
	}
	n := 0
	gap := time.Duration(c.W.Knobs.ARM.ExistsAfterRemoval)
	for _, a := range c.W.Assignments() {
		if !c.there(a) && (a.Removed.IsZero() || !c.Now.Before(a.Removed.Add(gap))) {
			continue
		}
		if strings.EqualFold(a.PrincipalID, in.PrincipalID) && strings.EqualFold(a.RoleID, role.ID) && sameScope(a.Scope, c.route.scope) {
			return 0, nil, &fault{Status: http.StatusConflict, Code: "RoleAssignmentExists",
				Message: "The role assignment already exists. The ID of the existing role assignment is " + undashed(a.Name) + "."}
		}
		if c.there(a) && c.Sub != nil && within(a.Scope, "/subscriptions/"+c.Sub.ID) {
			n++
		}
	}
	limit := c.W.Knobs.ARM.MaxRoleAssignments
	if limit == 0 {
		limit = 4000
	}
	if n >= limit {
		return 0, nil, badRequest("RoleAssignmentLimitExceeded", "No more role assignments can be created")
	}
	c.forgetRemoved()
	a := &world.RoleAssignment{
		Name: c.route.name, Scope: c.route.scope, RoleID: role.ID, PrincipalID: in.PrincipalID, PrincipalType: principalType,
		Description: in.Description, Condition: in.Condition, ConditionVer: in.ConditionVersion,
		CreatedBy: c.Token.ObjectID, UpdatedBy: c.Token.ObjectID, Created: c.Now, Updated: c.Now,
	}
	c.W.RoleAssignments = append(c.W.RoleAssignments, a)
	b := c.assignmentBody(a)
	b["properties"].(map[string]any)["createdBy"] = nil // recorded: only later reads say who made it
	return http.StatusCreated, b, nil
}

func (c *call) updateRoleAssignment(a *world.RoleAssignment, in assignmentInput, role world.Role) (int, any, *fault) {
	if !strings.EqualFold(a.PrincipalID, in.PrincipalID) || !strings.EqualFold(a.RoleID, role.ID) || !sameScope(a.Scope, c.route.scope) {
		return 0, nil, badRequest("RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
	}
	if s := c.W.ScheduleNamed(a.Schedule); s != nil {
		// No fact says what becomes of one that PIM made; it stays as it is.
		return 0, nil, badRequest("RoleAssignmentUpdateNotPermitted", "The role assignment is managed by Privileged Identity Management.")
	}
	if !same(a.Description, in.Description) || !same(a.Condition, in.Condition) || !same(a.ConditionVer, in.ConditionVersion) {
		a.Description, a.Condition, a.ConditionVer = in.Description, in.Condition, in.ConditionVersion
		a.Updated, a.UpdatedBy = c.Now, c.Token.ObjectID
	}
	return http.StatusOK, c.assignmentBody(a), nil
}

// deleteRoleAssignment keeps what it removes, as the data plane goes on honouring it for a while.
func (c *call) deleteRoleAssignment() (int, any, *fault) {
	a := c.assignment(c.route.name)
	if a != nil && !sameScope(a.Scope, c.route.scope) {
		a = nil
	}
	if f := c.authorizeRemoval(a); f != nil {
		return 0, nil, f
	}
	if f := c.checkScope(); f != nil {
		return 0, nil, f
	}
	if a == nil {
		return http.StatusNoContent, nil, nil
	}
	if c.lastOwner(a) {
		// The words are documented, their status and code are not.
		return 0, nil, badRequest("RoleAssignmentDeleteNotPermitted", "Cannot delete the last RBAC admin assignment")
	}
	if s := c.W.ScheduleNamed(a.Schedule); s != nil {
		s.Ended, s.Updated = c.Now, c.Now
	}
	a.Removed = c.Now
	return http.StatusOK, c.assignmentBody(a), nil
}

// forgetRemoved drops the removed assignments that nothing remembers any more.
func (c *call) forgetRemoved() {
	delay := time.Duration(max(c.W.Knobs.ARM.RBACDelay, c.W.Knobs.ARM.ExistsAfterRemoval))
	c.W.RoleAssignments = slices.DeleteFunc(c.W.RoleAssignments, func(a *world.RoleAssignment) bool {
		return !a.Removed.IsZero() && !c.Now.Before(a.Removed.Add(delay))
	})
}

func (c *call) assignmentInput() (in assignmentInput, role world.Role, f *fault) {
	var body struct {
		Properties *assignmentInput `json:"properties"`
	}
	if json.Unmarshal(c.Body, &body) != nil || body.Properties == nil {
		return in, role, badRequest("InvalidRequestContent", "The request content was invalid and could not be deserialized.")
	}
	in = *body.Properties
	switch {
	case !gateway.IsGUID(c.route.name):
		return in, role, badRequest("InvalidRoleAssignmentId", fmt.Sprintf("The role assignment ID '%s' is not valid. The role assignment ID must be a GUID.", c.route.name))
	case in.RoleDefinitionID == "":
		return in, role, badRequest("InvalidRequestContent", "The property 'roleDefinitionId' is required.")
	case !gateway.IsGUID(in.PrincipalID):
		return in, role, badRequest("InvalidPrincipalId", "A valid principal ID must be provided for role assignment.")
	}
	role, ok := world.RoleByID(path.Base(in.RoleDefinitionID))
	if !ok {
		return in, role, badRequest("RoleDefinitionDoesNotExist", noSuchRole(path.Base(in.RoleDefinitionID)))
	}
	return in, role, checkCondition(in.Condition, in.ConditionVersion)
}

// principalType finds the principal in the directory of the caller. Naming the type of a principal that is not
// there is how callers get past replication, so a service principal that is named as one is taken on trust.
func (c *call) principalType(in assignmentInput) (string, *fault) {
	kind := c.kindOf(in.PrincipalID)
	switch {
	case kind == "" && strings.EqualFold(in.PrincipalType, "ServicePrincipal"):
		return "ServicePrincipal", nil
	case kind == "":
		return "", badRequest("PrincipalNotFound", fmt.Sprintf("Principal %s does not exist in the directory %s. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype", undashed(in.PrincipalID), c.Token.Tenant))
	case in.PrincipalType != "" && !strings.EqualFold(in.PrincipalType, kind):
		return "", badRequest("UnmatchedPrincipalType", fmt.Sprintf("The PrincipalId '%s' has type '%s' , which is different from specified PrincipalType '%s'.", undashed(in.PrincipalID), kind, in.PrincipalType))
	}
	return kind, nil
}

func (c *call) kindOf(id string) string {
	is := func(x, tenant string) bool {
		return strings.EqualFold(x, id) && strings.EqualFold(tenant, c.Token.Tenant)
	}
	for _, u := range c.W.Users {
		if is(u.ID, u.TenantID) {
			return "User"
		}
	}
	for _, a := range c.W.Apps {
		if is(a.ServicePrincipalID, a.TenantID) && !c.Now.Before(a.Created.Add(time.Duration(c.W.Knobs.ARM.PrincipalDelay))) {
			return "ServicePrincipal"
		}
	}
	for _, m := range c.W.ManagedIdentities {
		if is(m.ID, m.TenantID) {
			return "ServicePrincipal"
		}
	}
	for _, g := range c.W.Groups {
		if is(g.ID, g.TenantID) {
			return "Group"
		}
	}
	return ""
}

// assignmentBody has every property, null if it was not set (recorded).
func (c *call) assignmentBody(a *world.RoleAssignment) map[string]any {
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	scope := a.Scope
	if scope == "" {
		scope = "/"
	}
	return map[string]any{
		"id": strings.TrimRight(a.Scope, "/") + "/providers/" + assignmentType + "/" + a.Name, "name": a.Name, "type": assignmentType,
		"properties": map[string]any{
			"roleDefinitionId": c.definitionID(a.RoleID), "principalId": a.PrincipalID, "principalType": a.PrincipalType,
			"scope": scope, "condition": a.Condition, "conditionVersion": a.ConditionVer,
			"createdOn": date(a.Created), "updatedOn": date(a.Updated), "createdBy": orNull(a.CreatedBy), "updatedBy": orNull(a.UpdatedBy),
			"delegatedManagedIdentityResourceId": nil, "description": a.Description,
		},
	}
}

func same(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func undashed(id string) string { return strings.ToLower(strings.ReplaceAll(id, "-", "")) }
