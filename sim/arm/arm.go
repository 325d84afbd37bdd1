// Package arm is the simulated Azure Resource Manager: subscriptions, resource groups and vaults to read, role
// definitions, role assignments to make, list and remove, and Privileged Identity Management for Azure's resources.
//
// It is not a data plane (a vault's secrets are in package keyvault) and deploys nothing: what it does not have it
// answers with 501. What always holds: paths are compared without regard to case; nothing is answered without a
// token for it; every operation needs its action at its scope, by the role assignments of this very moment.
package arm

import (
	"net/http"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

// Service is Azure Resource Manager over a world.
type Service struct{ front gateway.Gateway }

// New returns the service over w.
func New(w *world.World) *Service { return &Service{gateway.Gateway{W: w, AnyScope: true}} }

// Name implements wire.Service.
func (s *Service) Name() string { return "arm" }

// Operation implements wire.Service.
func (s *Service) Operation(r *http.Request) string { return routeOf(r).op }

// call is one request while it is served, with the world locked.
type call struct {
	*gateway.Call
	route route
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	to := routeOf(r)
	do, known := operations[to.op]
	s.front.Serve(rw, r, known, func(c *gateway.Call) (gateway.Answer, *fault) {
		status, v, f := do(&call{c, to})
		return gateway.Answer{Status: status, JSON: v}, f
	})
}

// operations are the operations of the service. Each checks its own authorization, because some lists are cut down
// to what the caller may see instead of being refused.
var operations = map[string]func(*call) (int, any, *fault){
	"ListTenants":          (*call).listTenants,
	"ListSubscriptions":    (*call).listSubscriptions,
	"GetSubscription":      (*call).getSubscription,
	"ListResources":        (*call).listResources,
	"ListResourceGroups":   (*call).listResourceGroups,
	"GetResourceGroup":     (*call).getResourceGroup,
	"ListVaults":           (*call).listVaults,
	"GetVault":             (*call).getVault,
	"ListRoleDefinitions":  (*call).listRoleDefinitions,
	"GetRoleDefinition":    (*call).getRoleDefinition,
	"ListRoleAssignments":  (*call).listRoleAssignments,
	"GetRoleAssignment":    (*call).getRoleAssignment,
	"PutRoleAssignment":    (*call).putRoleAssignment,
	"DeleteRoleAssignment": (*call).deleteRoleAssignment,
	"ListPermissions":      (*call).listPermissions,

	"ListRoleAssignmentRequests":     (*call).listRequests,
	"GetRoleAssignmentRequest":       (*call).getRequest,
	"PutRoleAssignmentRequest":       (*call).putRequest,
	"CancelRoleAssignmentRequest":    (*call).cancelRequest,
	"ValidateRoleAssignmentRequest":  (*call).validateRequest,
	"ListRoleAssignmentSchedules":    (*call).listSchedules,
	"GetRoleAssignmentSchedule":      (*call).getSchedule,
	"ListRoleAssignmentInstances":    (*call).listInstances,
	"GetRoleAssignmentInstance":      (*call).getInstance,
	"ListRoleEligibilityRequests":    (*call).listRequests,
	"GetRoleEligibilityRequest":      (*call).getRequest,
	"PutRoleEligibilityRequest":      (*call).putRequest,
	"CancelRoleEligibilityRequest":   (*call).cancelRequest,
	"ValidateRoleEligibilityRequest": (*call).validateRequest,
	"ListRoleEligibilitySchedules":   (*call).listSchedules,
	"GetRoleEligibilitySchedule":     (*call).getSchedule,
	"ListRoleEligibilityInstances":   (*call).listInstances,
	"GetRoleEligibilityInstance":     (*call).getInstance,
	"ListEligibleChildResources":     (*call).listEligibleChildren,
	"ListRolePolicies":               (*call).listPolicies,
	"GetRolePolicy":                  (*call).getPolicy,
	"UpdateRolePolicy":               (*call).patchPolicy,
	"ListRolePolicyAssignments":      (*call).listPolicyAssignments,
	"GetRolePolicyAssignment":        (*call).getPolicyAssignment,
	"ListApprovals":                  (*call).listApprovals,
	"GetApproval":                    (*call).getApproval,
	"ListApprovalStages":             (*call).listStages,
	"GetApprovalStage":               (*call).getStage,
	"DecideApprovalStage":            (*call).decideStage,
}

// list is the answer of every list: all of it in one page.
func list[T any](items []T) any {
	if items == nil {
		items = []T{}
	}
	return map[string]any{"value": items}
}
