package arm

import (
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	policyType           = "Microsoft.Authorization/roleManagementPolicies"
	policyAssignmentType = "Microsoft.Authorization/roleManagementPolicyAssignments"
)

// policyName is the id of the rules for a role at a scope.
func policyName(p world.Place) string { return world.GUIDOf("policy", p.Scope, p.RoleID) }

// assignedPolicyName is the name of a policy's assignment to its role.
func assignedPolicyName(p world.Place) string { return policyName(p) + "_" + p.RoleID }

// policies are the rules for each role at the path's scope: every role has them at every scope.
func (c *call) policies(action string) ([]world.RolePolicy, *fault) {
	if f := c.licensed(); f != nil {
		return nil, f
	}
	if f := c.Authorize(action, c.route.scope); f != nil {
		return nil, f
	}
	if f := c.checkScope(); f != nil {
		return nil, f
	}
	var out []world.RolePolicy
	for _, r := range world.Roles {
		out = append(out, c.W.PolicyOf(world.Place{Realm: world.RealmAzure, Scope: c.route.scope, RoleID: r.ID}))
	}
	return out, nil
}

func (c *call) listPolicies() (int, any, *fault) {
	all, f := c.policies(policyType + "/read")
	if f != nil {
		return 0, nil, f
	}
	var out []map[string]any
	for _, p := range all {
		out = append(out, c.policyBody(p))
	}
	return http.StatusOK, list(out), nil
}

// policy is the one that the path names.
func (c *call) policy(action string, name func(world.Place) string) (world.RolePolicy, *fault) {
	all, f := c.policies(action)
	if f != nil {
		return world.RolePolicy{}, f
	}
	for _, p := range all {
		if strings.EqualFold(name(p.Place), c.route.name) {
			return p, nil
		}
	}
	return world.RolePolicy{}, &fault{Status: http.StatusNotFound, Code: "RoleManagementPolicyNotFound", Message: "The role management policy '" + c.route.name + "' is not found."}
}

func (c *call) getPolicy() (int, any, *fault) {
	p, f := c.policy(policyType+"/read", policyName)
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, c.policyBody(p), nil
}

func (c *call) listPolicyAssignments() (int, any, *fault) {
	all, f := c.policies(policyAssignmentType + "/read")
	if f != nil {
		return 0, nil, f
	}
	terms, f := c.filter("roleDefinitionId")
	if f != nil {
		return 0, nil, f
	}
	var out []map[string]any
	for _, p := range all {
		if want := terms.eq["roleDefinitionId"]; want == "" || strings.EqualFold(want[strings.LastIndex(want, "/")+1:], p.RoleID) {
			out = append(out, c.policyAssignmentBody(p))
		}
	}
	return http.StatusOK, list(out), nil
}

func (c *call) getPolicyAssignment() (int, any, *fault) {
	p, f := c.policy(policyAssignmentType+"/read", assignedPolicyName)
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, c.policyAssignmentBody(p), nil
}

// rule is a rule of a policy, of whatever type.
type rule struct {
	ID                   string   `json:"id"`
	RuleType             string   `json:"ruleType"`
	IsExpirationRequired bool     `json:"isExpirationRequired"`
	MaximumDuration      string   `json:"maximumDuration"`
	EnabledRules         []string `json:"enabledRules"`
	IsEnabled            bool     `json:"isEnabled"`
	ClaimValue           string   `json:"claimValue"`
	Setting              struct {
		IsApprovalRequired bool `json:"isApprovalRequired"`
		ApprovalStages     []struct {
			PrimaryApprovers []struct {
				ID string `json:"id"`
			} `json:"primaryApprovers"`
		} `json:"approvalStages"`
	} `json:"setting"`
}

// patchPolicy changes the rules that the request has, and leaves the others.
func (c *call) patchPolicy() (int, any, *fault) {
	p, f := c.policy(policyType+"/write", policyName)
	if f != nil {
		return 0, nil, f
	}
	var body struct {
		Properties struct {
			Rules []rule `json:"rules"`
		} `json:"properties"`
	}
	if f := c.Decode(&body); f != nil {
		return 0, nil, f
	}
	for _, r := range body.Properties.Rules {
		if f := setRule(&p, r); f != nil {
			return 0, nil, f
		}
	}
	c.W.SetPolicy(p)
	return http.StatusOK, c.policyBody(p), nil
}

func setRule(p *world.RolePolicy, r rule) *fault {
	longest := func(d *world.Duration, forever *bool) *fault {
		v, err := world.ParseISODuration(r.MaximumDuration)
		if err != nil {
			return badRequest("InvalidPolicy", "The maximum duration '"+r.MaximumDuration+"' of the rule '"+r.ID+"' is not valid.")
		}
		*d = world.Duration(v)
		if forever != nil {
			*forever = !r.IsExpirationRequired
		}
		return nil
	}
	switch r.ID {
	case "Expiration_EndUser_Assignment":
		return longest(&p.MaxActivation, nil)
	case "Expiration_Admin_Assignment":
		return longest(&p.MaxActive, &p.ActiveForever)
	case "Expiration_Admin_Eligibility":
		return longest(&p.MaxEligible, &p.EligibleForever)
	case "Enablement_EndUser_Assignment":
		p.ActivationNeeds = r.EnabledRules
	case "Enablement_Admin_Assignment":
		p.ActiveNeeds = r.EnabledRules
	case "Enablement_Admin_Eligibility":
		p.EligibleNeeds = r.EnabledRules
	case "AuthenticationContext_EndUser_Assignment":
		p.AuthenticationContext = ""
		if r.IsEnabled {
			p.AuthenticationContext = r.ClaimValue
		}
	case "Approval_EndUser_Assignment":
		p.Approvers = nil
		for _, s := range r.Setting.ApprovalStages {
			for _, a := range s.PrimaryApprovers {
				if r.Setting.IsApprovalRequired {
					p.Approvers = append(p.Approvers, a.ID)
				}
			}
		}
	default:
		if !strings.HasPrefix(r.ID, "Notification_") { // mails are not sent
			return badRequest("InvalidPolicy", "The policy has no rule '"+r.ID+"'.")
		}
	}
	return nil
}

// rules are all rules of a policy, as they are listed.
func (c *call) rules(p world.RolePolicy) []any {
	target := func(caller, level string) map[string]any {
		return map[string]any{"caller": caller, "operations": []string{"All"}, "level": level, "targetObjects": nil, "inheritableSettings": nil, "enforcedSettings": nil}
	}
	var out []any
	add := func(kind, id, caller, level string, more map[string]any) {
		more["id"], more["ruleType"], more["target"] = id+"_"+caller+"_"+level, "RoleManagementPolicy"+kind+"Rule", target(caller, level)
		out = append(out, more)
	}
	notify := func(caller, level string) {
		for _, who := range []string{"Admin", "Requestor", "Approver"} {
			add("Notification", "Notification_"+who, caller, level, map[string]any{
				"notificationType": "Email", "recipientType": who, "isDefaultRecipientsEnabled": true, "notificationLevel": "All", "notificationRecipients": []string{}})
		}
	}
	expiry := func(caller, level string, required bool, most world.Duration) {
		add("Expiration", "Expiration", caller, level, map[string]any{"isExpirationRequired": required, "maximumDuration": isoOf(most)})
	}
	expiry("Admin", "Eligibility", !p.EligibleForever, p.MaxEligible)
	add("Enablement", "Enablement", "Admin", "Eligibility", map[string]any{"enabledRules": orEmpty(p.EligibleNeeds)})
	notify("Admin", "Eligibility")
	expiry("Admin", "Assignment", !p.ActiveForever, p.MaxActive)
	add("Enablement", "Enablement", "Admin", "Assignment", map[string]any{"enabledRules": orEmpty(p.ActiveNeeds)})
	notify("Admin", "Assignment")
	add("Approval", "Approval", "EndUser", "Assignment", map[string]any{"setting": c.approvalSetting(p)})
	add("AuthenticationContext", "AuthenticationContext", "EndUser", "Assignment", map[string]any{"isEnabled": p.AuthenticationContext != "", "claimValue": p.AuthenticationContext})
	expiry("EndUser", "Assignment", true, p.MaxActivation)
	add("Enablement", "Enablement", "EndUser", "Assignment", map[string]any{"enabledRules": orEmpty(p.ActivationNeeds)})
	notify("EndUser", "Assignment")
	return out
}

func (c *call) approvalSetting(p world.RolePolicy) map[string]any {
	approvers := []any{}
	for _, id := range p.Approvers {
		kind := c.kindOf(id)
		approvers = append(approvers, map[string]any{"id": id, "description": c.principalBody(id, kind)["displayName"], "isBackup": false, "userType": orNull(kind)})
	}
	return map[string]any{
		"isApprovalRequired": len(approvers) > 0, "isApprovalRequiredForExtension": false, "isRequestorJustificationRequired": true, "approvalMode": "SingleStage",
		"approvalStages": []any{map[string]any{
			"approvalStageTimeOutInDays": 1, "isApproverJustificationRequired": true, "escalationTimeInMinutes": 0,
			"primaryApprovers": approvers, "isEscalationEnabled": false, "escalationApprovers": nil,
		}},
	}
}

func isoOf(d world.Duration) string { return world.ISODuration(time.Duration(d)) }

func (c *call) policyBody(p world.RolePolicy) map[string]any {
	rules := c.rules(p)
	return named(p.Scope, policyType, policyName(p.Place), map[string]any{
		"scope": p.Scope, "displayName": nil, "description": nil, "isOrganizationDefault": false, "lastModifiedDateTime": date(longAgo),
		"lastModifiedBy": map[string]any{"id": nil, "displayName": "Admin", "type": nil, "email": nil}, "rules": rules, "effectiveRules": rules,
		"policyProperties": map[string]any{"scope": c.scopeBody(p.Scope)},
	})
}

func (c *call) policyAssignmentBody(p world.RolePolicy) map[string]any {
	id := strings.TrimRight(p.Scope, "/") + "/providers/" + policyType + "/" + policyName(p.Place)
	return named(p.Scope, policyAssignmentType, assignedPolicyName(p.Place), map[string]any{
		"scope": p.Scope, "roleDefinitionId": c.definitionID(p.RoleID), "policyId": id, "effectiveRules": c.rules(p),
		"policyAssignmentProperties": map[string]any{"scope": c.scopeBody(p.Scope), "roleDefinition": c.roleBody(p.RoleID), "policy": map[string]any{"id": id, "lastModifiedDateTime": date(longAgo)}},
	})
}
