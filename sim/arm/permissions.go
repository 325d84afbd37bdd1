package arm

import "net/http"

// listPermissions is what the caller may do at a scope: one entry for each role that it has there or above.
func (c *call) listPermissions() (int, any, *fault) {
	if f := c.Authorize("Microsoft.Authorization/permissions/read", c.route.scope); f != nil {
		return 0, nil, f
	}
	if f := c.checkScope(); f != nil {
		return 0, nil, f
	}
	var out []map[string]any
	for _, r := range c.W.RolesAt(c.Token.ObjectID, c.route.scope) {
		out = append(out, map[string]any{
			"actions": orEmpty(r.Actions), "notActions": orEmpty(r.NotActions),
			"dataActions": orEmpty(r.DataActions), "notDataActions": orEmpty(r.NotDataActions),
		})
	}
	return http.StatusOK, list(out), nil
}
