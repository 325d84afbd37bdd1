package arm

import (
	"fmt"
	"net/http"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const definitionType = "Microsoft.Authorization/roleDefinitions"

// ticks is how Resource Manager writes dates: always with seven digits (recorded).
const ticks = "2006-01-02T15:04:05.0000000Z"

// longAgo is the date of what the world has no date for.
var longAgo = time.Date(2015, 2, 2, 21, 55, 9, 880642300, time.UTC)

func date(t time.Time) string {
	if t.IsZero() {
		t = longAgo
	}
	return t.UTC().Format(ticks)
}

// authorizeDefinitions lets anyone who is signed in read the built-in roles at the root; elsewhere it takes a role.
func (c *call) authorizeDefinitions() *fault {
	if c.route.scope == "" {
		return nil
	}
	return c.Authorize(definitionType+"/read", c.route.scope)
}

func (c *call) listRoleDefinitions() (int, any, *fault) {
	if f := c.authorizeDefinitions(); f != nil {
		return 0, nil, f
	}
	if f := c.checkScope(); f != nil {
		return 0, nil, f
	}
	// All roles are built in, so where they can be assigned makes no difference.
	terms, f := c.filter("roleName", "type", "atScopeAndBelow()", "atScope()")
	if f != nil {
		return 0, nil, f
	}
	var out []map[string]any
	for _, r := range world.Roles {
		if terms.match(map[string]string{"roleName": r.Name, "type": "BuiltInRole"}) {
			out = append(out, c.definitionBody(r))
		}
	}
	return http.StatusOK, list(out), nil
}

func (c *call) getRoleDefinition() (int, any, *fault) {
	if f := c.authorizeDefinitions(); f != nil {
		return 0, nil, f
	}
	if f := c.checkScope(); f != nil {
		return 0, nil, f
	}
	r, ok := world.RoleByID(c.route.name)
	if !ok {
		return 0, nil, &fault{Status: http.StatusNotFound, Code: "RoleDefinitionDoesNotExist", Message: noSuchRole(c.route.name)}
	}
	return http.StatusOK, c.definitionBody(r), nil
}

func noSuchRole(id string) string {
	return fmt.Sprintf("The specified role definition with ID '%s' does not exist.", id)
}

func (c *call) definitionBody(r world.Role) map[string]any {
	return map[string]any{
		"id": c.definitionID(r.ID), "name": r.ID, "type": definitionType,
		"properties": map[string]any{
			"roleName": r.Name, "type": "BuiltInRole", "description": r.Description, "assignableScopes": []string{"/"},
			"permissions": []any{map[string]any{
				"actions": orEmpty(r.Actions), "notActions": orEmpty(r.NotActions),
				"dataActions": orEmpty(r.DataActions), "notDataActions": orEmpty(r.NotDataActions),
			}},
			"createdOn": date(longAgo), "updatedOn": date(longAgo), "createdBy": nil, "updatedBy": nil,
		},
	}
}

// definitionID is the id of a role as seen from the subscription of the path.
func (c *call) definitionID(role string) string {
	id := "/providers/" + definitionType + "/" + role
	if c.Sub != nil {
		id = "/subscriptions/" + c.Sub.ID + id
	}
	return id
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
