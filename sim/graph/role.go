package graph

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

var (
	roleDefinitionSet = set{
		path: "roleManagement/directory/roleDefinitions", context: "roleManagement/directory/roleDefinitions", kind: "UnifiedRoleDefinition",
		filters: []string{"id", "displayName", "isBuiltIn", "templateId"},
		known:   func(p string) bool { return hasProperty(roleBody(world.DirectoryRole{}), p) },
	}
	roleAssignmentSet = set{
		path: "roleManagement/directory/roleAssignments", context: "roleManagement/directory/roleAssignments", kind: "UnifiedRoleAssignment",
		filters: []string{"id", "principalId", "roleDefinitionId", "directoryScopeId"},
		known:   func(p string) bool { return hasProperty(roleAssignmentBody(&world.DirectoryRoleAssignment{}), p) },
	}
)

func roleBody(r world.DirectoryRole) entity {
	return entity{
		"id": r.ID, "templateId": r.ID, "displayName": r.Name, "description": nil, "isBuiltIn": true, "isEnabled": true,
		"resourceScopes": []string{"/"}, "rolePermissions": []any{}, "version": "1",
	}
}

func roleAssignmentBody(a *world.DirectoryRoleAssignment) entity {
	return entity{"id": a.ID, "principalId": a.PrincipalID, "roleDefinitionId": a.RoleID, "directoryScopeId": "/"}
}

func (c *call) listRoleDefinitions() (int, any, *fault) {
	if f := c.authorize(roleRead...); f != nil {
		return 0, nil, f
	}
	var all []entity
	for _, r := range world.DirectoryRoles {
		all = append(all, roleBody(r))
	}
	return c.page(roleDefinitionSet, all)
}

func (c *call) getRoleDefinition() (int, any, *fault) {
	if f := c.authorize(roleRead...); f != nil {
		return 0, nil, f
	}
	r, ok := world.DirectoryRoleByID(c.keys[0].value)
	if !ok {
		return 0, nil, notFound(c.keys[0].value)
	}
	return c.one(roleDefinitionSet, roleBody(r))
}

func (c *call) listRoleAssignments() (int, any, *fault) {
	if f := c.authorize(roleRead...); f != nil {
		return 0, nil, f
	}
	var all []entity
	for _, a := range c.w.DirectoryAssignments() {
		if a.TenantID == "" || strings.EqualFold(a.TenantID, c.token.Tenant) {
			all = append(all, roleAssignmentBody(a))
		}
	}
	return c.page(roleAssignmentSet, all)
}

func (c *call) roleAssignment() (*world.DirectoryRoleAssignment, *fault) {
	id := c.keys[0].value
	for _, a := range c.w.DirectoryRoleAssignments {
		if strings.EqualFold(a.ID, id) && strings.EqualFold(a.TenantID, c.token.Tenant) {
			return a, nil
		}
	}
	return nil, notFound(id)
}

func (c *call) getRoleAssignment() (int, any, *fault) {
	if f := c.authorize(roleRead...); f != nil {
		return 0, nil, f
	}
	a, f := c.roleAssignment()
	if f != nil {
		return 0, nil, f
	}
	return c.one(roleAssignmentSet, roleAssignmentBody(a))
}

// authorizeRoles is who may give and take directory roles: with a user behind the token, an administrator of roles.
func (c *call) authorizeRoles() *fault {
	if f := c.authorize("RoleManagement.ReadWrite.Directory"); f != nil {
		return f
	}
	if c.delegated() && !c.w.HasDirectoryRole(c.token.ObjectID, world.RoleGlobalAdministrator, world.RolePrivilegedRoleAdministrator) {
		return denied()
	}
	return nil
}

func (c *call) createRoleAssignment() (int, any, *fault) {
	if f := c.authorizeRoles(); f != nil {
		return 0, nil, f
	}
	var principal, role, scope string
	if _, f := c.decode("UnifiedRoleAssignment", map[string]any{"principalId": &principal, "roleDefinitionId": &role, "directoryScopeId": &scope}); f != nil {
		return 0, nil, f
	}
	r, ok := world.DirectoryRoleByID(role)
	e := c.fullObject(principal)
	switch {
	case !ok:
		return 0, nil, notFound(role)
	case e == nil:
		return 0, nil, notFound(principal)
	case scope != "/":
		return 0, nil, badRequest("The simulator gives directory roles in the whole directory alone: directoryScopeId \"/\".")
	case slices.ContainsFunc(c.w.DirectoryRoleAssignments, func(a *world.DirectoryRoleAssignment) bool {
		return strings.EqualFold(a.PrincipalID, principal) && strings.EqualFold(a.RoleID, r.ID)
	}):
		return 0, nil, badRequest("A conflicting object with one or more of the specified property values is present in the directory.")
	}
	a := &world.DirectoryRoleAssignment{ID: c.w.NewID(), TenantID: c.token.Tenant, RoleID: r.ID, PrincipalID: e.text("id")}
	c.w.DirectoryRoleAssignments = append(c.w.DirectoryRoleAssignments, a)
	body := roleAssignmentBody(a)
	body["@odata.context"] = Root + "/$metadata#" + roleAssignmentSet.context + "/$entity"
	return http.StatusCreated, body, nil
}

func (c *call) deleteRoleAssignment() (int, any, *fault) {
	if f := c.authorizeRoles(); f != nil {
		return 0, nil, f
	}
	a, f := c.roleAssignment()
	if f != nil {
		return 0, nil, f
	}
	c.w.DirectoryRoleAssignments = slices.DeleteFunc(c.w.DirectoryRoleAssignments, func(x *world.DirectoryRoleAssignment) bool { return x == a })
	return http.StatusNoContent, nil, nil
}
