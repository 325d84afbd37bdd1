package graph

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

var (
	pimPolicyRead  = []string{"RoleManagementPolicy.Read.Directory", "RoleManagementPolicy.ReadWrite.Directory", "RoleManagementPolicy.Read.AzureADGroup", "RoleManagementPolicy.ReadWrite.AzureADGroup", "RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory"}
	pimPolicyWrite = []string{"RoleManagementPolicy.ReadWrite.Directory", "RoleManagementPolicy.ReadWrite.AzureADGroup", "RoleManagement.ReadWrite.Directory"}
)

// scopeType is what Graph calls the realm of a policy.
func scopeType(realm string) string {
	if realm == world.RealmGroup {
		return "Group"
	}
	return "DirectoryRole"
}

// pimPolicyID has the tenant in it, or the group.
func (c *call) pimPolicyID(p world.Place) string {
	at := p.Scope
	if p.Realm == world.RealmDirectory {
		at = c.token.Tenant
	}
	return scopeType(p.Realm) + "_" + at + "_" + world.GUIDOf("policy", p.Scope, p.RoleID)
}

// pimPolicies are the rules of every directory role and of every group's members and owners.
func (c *call) pimPolicies() (out []world.RolePolicy) {
	for _, r := range world.DirectoryRoles {
		out = append(out, c.w.PolicyOf(world.Place{Realm: world.RealmDirectory, Scope: "/", RoleID: r.ID}))
	}
	for _, g := range c.w.Groups {
		for _, access := range []string{"member", "owner"} {
			if strings.EqualFold(g.TenantID, c.token.Tenant) {
				out = append(out, c.w.PolicyOf(world.Place{Realm: world.RealmGroup, Scope: g.ID, RoleID: access}))
			}
		}
	}
	return out
}

// listPIMPolicyAssignments has the policy and its rules where $expand asks for the policy.
func (c *call) listPIMPolicyAssignments() (int, any, *fault) {
	if f := c.authorize(pimPolicyRead...); f != nil {
		return 0, nil, f
	}
	if c.w.Knobs.PIM.NoLicence {
		return 0, nil, faultOf(world.NoLicence())
	}
	expand := strings.HasPrefix(c.query.Get("$expand"), "policy")
	var all []entity
	for _, p := range c.pimPolicies() {
		id := c.pimPolicyID(p.Place)
		e := entity{"id": id + "_" + p.RoleID, "policyId": id, "scopeId": p.Scope, "scopeType": scopeType(p.Realm), "roleDefinitionId": p.RoleID}
		if expand {
			e["policy"] = entity{"id": id, "scopeId": p.Scope, "scopeType": scopeType(p.Realm), "isOrganizationDefault": false, "rules": pimRules(p)}
		}
		all = append(all, e)
	}
	const path = "policies/roleManagementPolicyAssignments"
	return c.page(set{path: path, context: path, kind: "UnifiedRoleManagementPolicyAssignment",
		filters: []string{"id", "policyId", "scopeId", "scopeType", "roleDefinitionId"}, known: func(p string) bool { return hasProperty(all[0], p) }}, all)
}

// pimRules are a policy's rules that requests are held to.
func pimRules(p world.RolePolicy) []entity {
	rule := func(kind, caller, level string, more entity) entity {
		more["@odata.type"] = "#microsoft.graph.unifiedRoleManagementPolicy" + kind + "Rule"
		more["id"] = kind + "_" + caller + "_" + level
		more["target"] = entity{"caller": caller, "operations": []string{"all"}, "level": level, "inheritableSettings": []string{}, "enforcedSettings": []string{}}
		return more
	}
	expiry := func(required bool, most world.Duration) entity {
		return entity{"isExpirationRequired": required, "maximumDuration": world.ISODuration(time.Duration(most))}
	}
	approvers := []entity{}
	for _, a := range p.Approvers {
		approvers = append(approvers, entity{"@odata.type": "#microsoft.graph.singleUser", "userId": a})
	}
	return []entity{
		rule("Expiration", "Admin", "Eligibility", expiry(!p.EligibleForever, p.MaxEligible)), rule("Enablement", "Admin", "Eligibility", entity{"enabledRules": list(p.EligibleNeeds)}),
		rule("Expiration", "Admin", "Assignment", expiry(!p.ActiveForever, p.MaxActive)), rule("Enablement", "Admin", "Assignment", entity{"enabledRules": list(p.ActiveNeeds)}),
		rule("Expiration", "EndUser", "Assignment", expiry(true, p.MaxActivation)), rule("Enablement", "EndUser", "Assignment", entity{"enabledRules": list(p.ActivationNeeds)}),
		rule("Approval", "EndUser", "Assignment", entity{"setting": entity{"isApprovalRequired": len(approvers) > 0, "approvalMode": "SingleStage",
			"approvalStages": []entity{{"approvalStageTimeOutInDays": 1, "isApproverJustificationRequired": true, "primaryApprovers": approvers}}}}),
		rule("AuthenticationContext", "EndUser", "Assignment", entity{"isEnabled": p.AuthenticationContext != "", "claimValue": p.AuthenticationContext}),
	}
}

// updatePIMRule changes one rule. Those of approvals and of authentication contexts are set in the world alone.
func (c *call) updatePIMRule() (int, any, *fault) {
	if f := c.authorize(pimPolicyWrite...); f != nil {
		return 0, nil, f
	}
	all := c.pimPolicies()
	i := slices.IndexFunc(all, func(p world.RolePolicy) bool { return strings.EqualFold(c.pimPolicyID(p.Place), c.keys[0].value) })
	if i < 0 {
		return 0, nil, notFound(c.keys[0].value)
	}
	p := all[i]
	var required bool
	var longest string
	var needs []string
	given, f := c.decode("UnifiedRoleManagementPolicyRule", map[string]any{"id": nil, "target": nil, "isExpirationRequired": &required, "maximumDuration": &longest, "enabledRules": &needs})
	if f != nil {
		return 0, nil, f
	}
	most := func(d *world.Duration, forever *bool) *fault {
		v, err := world.ParseISODuration(longest)
		if given["maximumDuration"] && err != nil {
			return badRequest("Invalid value specified for property 'maximumDuration'.")
		}
		if err == nil {
			*d = world.Duration(v)
		}
		if forever != nil && given["isExpirationRequired"] {
			*forever = !required
		}
		return nil
	}
	switch c.keys[1].value {
	case "Expiration_Admin_Eligibility":
		f = most(&p.MaxEligible, &p.EligibleForever)
	case "Expiration_Admin_Assignment":
		f = most(&p.MaxActive, &p.ActiveForever)
	case "Expiration_EndUser_Assignment":
		f = most(&p.MaxActivation, nil)
	case "Enablement_Admin_Eligibility":
		p.EligibleNeeds = needs
	case "Enablement_Admin_Assignment":
		p.ActiveNeeds = needs
	case "Enablement_EndUser_Assignment":
		p.ActivationNeeds = needs
	default:
		f = &fault{status: http.StatusNotImplemented, code: "NotImplemented", message: "The simulator does not change the rule '" + c.keys[1].value + "' by Graph."}
	}
	if f != nil {
		return 0, nil, f
	}
	c.w.SetPolicy(p)
	return http.StatusNoContent, nil, nil
}
