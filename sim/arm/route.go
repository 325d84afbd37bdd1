package arm

import (
	"net/http"
	"slices"
	"strings"
)

// route is what a request's method and path ask for. Names keep the case that they came in.
type route struct {
	op    string // "unknown" if there is no such operation
	scope string // what the path names: "", "/subscriptions/s", ... down to a resource; no trailing slash
	sub   string // subscription id in the path
	group string // resource group in the path
	name  string // of the vault, the role definition, the role assignment or what PIM has
	stage string // of an approval
}

func routeOf(r *http.Request) route {
	segs := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' })
	out := scopeOf(segs)

	// What belongs to Microsoft.Authorization hangs below any scope, so it is looked for from the end.
	if head, rest, ok := cutExtension(segs); ok {
		out = scopeOf(head)
		if len(rest) > 1 {
			out.name = rest[1]
		}
		if len(rest) > 3 {
			out.stage = rest[3]
		}
		out.op = authorizationOp(r.Method, rest)
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

// cutExtension splits {scope}/providers/Microsoft.Authorization/{kind}[/{name}[/{what}[/{stage}]]].
func cutExtension(segs []string) (scope, rest []string, ok bool) {
	for i := len(segs) - 3; i >= 0 && i >= len(segs)-6; i-- {
		if strings.EqualFold(segs[i], "providers") && strings.EqualFold(segs[i+1], "Microsoft.Authorization") {
			return segs[:i], segs[i+2:], slices.ContainsFunc(extensions, func(k string) bool { return strings.EqualFold(k, segs[i+2]) })
		}
	}
	return nil, nil, false
}

// extensions are what of Microsoft.Authorization is simulated.
var extensions = []string{
	"roleDefinitions", "roleAssignments", "permissions",
	"roleAssignmentScheduleRequests", "roleAssignmentSchedules", "roleAssignmentScheduleInstances",
	"roleEligibilityScheduleRequests", "roleEligibilitySchedules", "roleEligibilityScheduleInstances",
	"roleManagementPolicies", "roleManagementPolicyAssignments", "roleAssignmentApprovals", "eligibleChildResources",
}

// authorizationOp names what is asked for by the method and what follows the provider.
func authorizationOp(method string, rest []string) string {
	key := method + " " + strings.ToLower(rest[0])
	for i, r := range rest[1:] {
		if i%2 == 1 {
			key += "/" + strings.ToLower(r)
		} else {
			key += "/name"
		}
	}
	if op, ok := extensionOps[key]; ok {
		return op
	}
	return "unknown"
}

var extensionOps = map[string]string{
	"GET roledefinitions":         "ListRoleDefinitions",
	"GET roledefinitions/name":    "GetRoleDefinition",
	"GET permissions":             "ListPermissions",
	"GET roleassignments":         "ListRoleAssignments",
	"GET roleassignments/name":    "GetRoleAssignment",
	"PUT roleassignments/name":    "PutRoleAssignment",
	"DELETE roleassignments/name": "DeleteRoleAssignment",

	"GET roleassignmentschedulerequests":                "ListRoleAssignmentRequests",
	"GET roleassignmentschedulerequests/name":           "GetRoleAssignmentRequest",
	"PUT roleassignmentschedulerequests/name":           "PutRoleAssignmentRequest",
	"POST roleassignmentschedulerequests/name/cancel":   "CancelRoleAssignmentRequest",
	"POST roleassignmentschedulerequests/name/validate": "ValidateRoleAssignmentRequest",
	"GET roleassignmentschedules":                       "ListRoleAssignmentSchedules",
	"GET roleassignmentschedules/name":                  "GetRoleAssignmentSchedule",
	"GET roleassignmentscheduleinstances":               "ListRoleAssignmentInstances",
	"GET roleassignmentscheduleinstances/name":          "GetRoleAssignmentInstance",

	"GET roleeligibilityschedulerequests":                "ListRoleEligibilityRequests",
	"GET roleeligibilityschedulerequests/name":           "GetRoleEligibilityRequest",
	"PUT roleeligibilityschedulerequests/name":           "PutRoleEligibilityRequest",
	"POST roleeligibilityschedulerequests/name/cancel":   "CancelRoleEligibilityRequest",
	"POST roleeligibilityschedulerequests/name/validate": "ValidateRoleEligibilityRequest",
	"GET roleeligibilityschedules":                       "ListRoleEligibilitySchedules",
	"GET roleeligibilityschedules/name":                  "GetRoleEligibilitySchedule",
	"GET roleeligibilityscheduleinstances":               "ListRoleEligibilityInstances",
	"GET roleeligibilityscheduleinstances/name":          "GetRoleEligibilityInstance",
	"GET eligiblechildresources":                         "ListEligibleChildResources",

	"GET rolemanagementpolicies/name":          "GetRolePolicy",
	"PATCH rolemanagementpolicies/name":        "UpdateRolePolicy",
	"GET rolemanagementpolicies":               "ListRolePolicies",
	"GET rolemanagementpolicyassignments":      "ListRolePolicyAssignments",
	"GET rolemanagementpolicyassignments/name": "GetRolePolicyAssignment",

	"GET roleassignmentapprovals":                    "ListApprovals",
	"GET roleassignmentapprovals/name":               "GetApproval",
	"GET roleassignmentapprovals/name/stages":        "ListApprovalStages",
	"GET roleassignmentapprovals/name/stages/name":   "GetApprovalStage",
	"PATCH roleassignmentapprovals/name/stages/name": "DecideApprovalStage",
	"PUT roleassignmentapprovals/name/stages/name":   "DecideApprovalStage",
}
