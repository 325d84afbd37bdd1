package graph

import (
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

func TestTheRulesOfADirectoryRoleAreReadAndChanged(t *testing.T) {
	x := newBed(t)
	admin, dana := x.with(administrate), x.user("dana").ID
	list := "/policies/roleManagementPolicyAssignments?$filter=scopeId eq '/' and scopeType eq 'DirectoryRole' and roleDefinitionId eq '" + world.RoleUserAdministrator + "'"
	if got := x.get(admin, list).is(200).values(); len(got) != 1 || got[0]["policy"] != nil {
		t.Fatalf("%v", got)
	}
	rules := func() map[string]map[string]any {
		out := map[string]map[string]any{}
		for _, r := range x.get(admin, list+"&$expand=policy($expand=rules)").is(200).values()[0]["policy"].(map[string]any)["rules"].([]any) {
			out[r.(map[string]any)["id"].(string)] = r.(map[string]any)
		}
		return out
	}
	if got := rules()["Expiration_Admin_Assignment"]; got["maximumDuration"] != "P180D" || got["@odata.type"] != "#microsoft.graph.unifiedRoleManagementPolicyExpirationRule" {
		t.Errorf("%v", got)
	}
	id := x.get(admin, list).is(200).values()[0]["policyId"].(string)
	policy := "/policies/roleManagementPolicies(id='" + id + "')/rules/"
	x.patch(x.with("RoleManagement.Read.Directory"), policy+"Expiration_Admin_Assignment", `{}`).refused(403, "Authorization_RequestDenied", "")
	x.patch(admin, policy+"Expiration_Admin_Assignment", `{"maximumDuration":"long"}`).refused(400, "Request_BadRequest", "maximumDuration")
	x.patch(admin, policy+"Approval_EndUser_Assignment", `{}`).refused(501, "NotImplemented", "")
	x.patch(admin, policy+"Expiration_Admin_Assignment", `{"@odata.type":"#x","isExpirationRequired":true,"maximumDuration":"PT1H"}`).is(204)
	x.patch(admin, policy+"Enablement_Admin_Assignment", `{"enabledRules":["Ticketing"]}`).is(204)
	if got := rules()["Expiration_Admin_Assignment"]; got["maximumDuration"] != "PT1H" {
		t.Errorf("%v", got)
	}
	x.post(admin, roleRequests, roleAsk("adminAssign", dana, forTime("PT2H"))).refused(400, "RoleAssignmentRequestPolicyValidationFailed", "ExpirationRule")
	x.post(admin, roleRequests, roleAsk("adminAssign", dana, forTime("PT1H"))).refused(400, "RoleAssignmentRequestPolicyValidationFailed", "TicketingRule")
	x.post(admin, roleRequests, roleAsk("adminAssign", dana, forTime("PT1H")+`,"ticketInfo":{"ticketNumber":"1"}`)).is(201)
	x.get(x.with("User.Read.All"), list).refused(403, "Authorization_RequestDenied", "")
	x.patch(admin, "/policies/roleManagementPolicies/none/rules/Expiration_Admin_Assignment", `{}`).refused(404, "Request_ResourceNotFound", "none")
}
