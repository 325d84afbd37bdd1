package arm

import (
	"net/http"
	"strings"
)

// route is what a request's method and path ask for. Names keep the case that they came in.
type route struct {
	op    string // "unknown" if there is no such operation
	scope string // what the path names: "", "/subscriptions/s", ... down to a resource; no trailing slash
	sub   string // subscription id in the path
	group string // resource group in the path
	name  string // of the vault, the role definition or the role assignment
}

func routeOf(r *http.Request) route {
	segs := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' })
	out := scopeOf(segs)

	// What belongs to Microsoft.Authorization hangs below any scope, so it is looked for from the end.
	if head, kind, name, ok := cutExtension(segs); ok {
		out = scopeOf(head)
		out.name = name
		out.op = authorizationOp(r.Method, kind, name)
		return out
	}
	out.op = "unknown"
	if r.Method != http.MethodGet {
		return out
	}
	shape := strings.ToLower(strings.Join(segs, "/"))
	if out.sub != "" {
		shape = strings.ToLower(strings.Join(append([]string{"S"}, segs[2:]...), "/"))
	}
	if out.group != "" {
		shape = strings.ToLower(strings.Join(append([]string{"G"}, segs[4:]...), "/"))
	}
	const vaults = "/providers/microsoft.keyvault/vaults"
	switch {
	case shape == "tenants":
		out.op = "ListTenants"
	case shape == "subscriptions":
		out.op = "ListSubscriptions"
	case shape == "s":
		out.op = "GetSubscription"
	case shape == "s/resourcegroups":
		out.op = "ListResourceGroups"
	case shape == "g":
		out.op = "GetResourceGroup"
	case shape == "s/resources", shape == "g/resources":
		out.op = "ListResources"
	case shape == "s"+vaults, shape == "g"+vaults:
		out.op = "ListVaults"
	case strings.HasPrefix(shape, "g"+vaults+"/") && len(segs) == 8:
		out.op, out.name = "GetVault", segs[7]
	default:
		return out
	}
	switch out.op {
	case "ListResources", "ListVaults", "ListResourceGroups":
		out.scope = "/subscriptions/" + out.sub
		if out.group != "" {
			out.scope += "/resourceGroups/" + out.group
		}
	}
	return out
}

// scopeOf reads a whole path as a scope.
func scopeOf(segs []string) route {
	var out route
	if len(segs) >= 2 && strings.EqualFold(segs[0], "subscriptions") {
		out.sub = segs[1]
		if len(segs) >= 4 && strings.EqualFold(segs[2], "resourceGroups") {
			out.group = segs[3]
		}
	}
	if len(segs) > 0 {
		out.scope = "/" + strings.Join(segs, "/")
	}
	return out
}

// cutExtension splits {scope}/providers/Microsoft.Authorization/{kind}[/{name}].
func cutExtension(segs []string) (scope []string, kind, name string, ok bool) {
	for i := len(segs) - 3; i >= 0 && i >= len(segs)-4; i-- {
		if strings.EqualFold(segs[i], "providers") && strings.EqualFold(segs[i+1], "Microsoft.Authorization") {
			kind = strings.ToLower(segs[i+2])
			if i+3 < len(segs) {
				name = segs[i+3]
			}
			return segs[:i], kind, name, kind == "roledefinitions" || kind == "roleassignments" || kind == "permissions"
		}
	}
	return nil, "", "", false
}

func authorizationOp(method, kind, name string) string {
	key := method + " " + kind
	if name != "" {
		key += "/name"
	}
	switch key {
	case "GET roledefinitions":
		return "ListRoleDefinitions"
	case "GET permissions":
		return "ListPermissions"
	case "GET roledefinitions/name":
		return "GetRoleDefinition"
	case "GET roleassignments":
		return "ListRoleAssignments"
	case "GET roleassignments/name":
		return "GetRoleAssignment"
	case "PUT roleassignments/name":
		return "PutRoleAssignment"
	case "DELETE roleassignments/name":
		return "DeleteRoleAssignment"
	}
	return "unknown"
}
