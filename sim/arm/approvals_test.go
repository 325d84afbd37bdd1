package arm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// approved is a bench where the role needs an approval by the boss, and the person has asked for it.
func approved(t *testing.T, knobs world.PIMKnobs) (b *bench, request string, stage string) {
	b = pimBench(t, knobs)
	b.made(b.ask("owner", eligibility, "AdminAssign", world.RoleKeyVaultUser, noneID, lasting("P30D")))
	policy := b.ok("owner", "GET", vault+auth+"/roleManagementPolicyAssignments"+filter("roleDefinitionId eq '"+world.RoleKeyVaultUser+"'"), "")
	id := policy.m["value"].([]any)[0].(map[string]any)["properties"].(map[string]any)["policyId"].(string)
	b.ok("owner", "PATCH", id, fmt.Sprintf(`{"properties":{"rules":[{"id":"Approval_EndUser_Assignment","ruleType":"RoleManagementPolicyApprovalRule","setting":{"isApprovalRequired":true,"approvalStages":[{"primaryApprovers":[{"id":%q,"userType":"User"}]}]}},
		{"id":"Enablement_EndUser_Assignment","ruleType":"RoleManagementPolicyEnablementRule","enabledRules":["Justification","Ticketing"]}]}}`, readerID))
	if text := b.ok("owner", "GET", id, "").text; !strings.Contains(text, readerID) || !strings.Contains(text, "Ticketing") {
		t.Error("the policy keeps nothing of it:", text)
	}
	b.do("boss", "PATCH", id, `{}`).refused(t, 403, "AuthorizationFailed")
	b.ask("person", requests, "SelfActivate", world.RoleKeyVaultUser, noneID, lasting("PT1H")).refused(t, 400, "RoleAssignmentRequestPolicyValidationFailed")
	ticket := lasting("PT1H") + `,"ticketInfo":{"ticketNumber":"1"}`
	dry := b.ok("person", "POST", vault+requests+twoID+"/validate", requestBodyOf(ticket))
	if p := dry.m["properties"].(map[string]any); p["status"] != "PendingEvaluation" {
		t.Error(dry.text)
	}
	r := b.ask("person", requests, "SelfActivate", world.RoleKeyVaultUser, noneID, ticket)
	p := b.made(r)
	if p["status"] != "PendingApproval" || b.may(noneID) {
		t.Errorf("%s; in force: %t", r.text, b.may(noneID))
	}
	b.ask("person", requests, "SelfActivate", world.RoleKeyVaultUser, noneID, ticket).refused(t, 400, "PendingRoleAssignmentRequest")
	approval := p["approvalId"].(string)
	stages := b.ok("boss", "GET", approval+"/stages", "").m["value"].([]any)
	return b, vault + requests + r.m["name"].(string), stages[0].(map[string]any)["id"].(string)
}

func requestBodyOf(more string) string {
	return request("SelfActivate", world.RoleKeyVaultUser, noneID, more)
}

func (b *bench) status(at string) any {
	b.t.Helper()
	return b.ok("person", "GET", at, "").m["properties"].(map[string]any)["status"]
}

func TestAnApproverDecides(t *testing.T) {
	for result, want := range map[string]string{"Approve": "Provisioned", "Deny": "Denied"} {
		b, at, stage := approved(t, world.PIMKnobs{})
		approvals := auth + "/roleAssignmentApprovals"
		if got := len(b.ok("boss", "GET", approvals+filter("asApprover()"), "").m["value"].([]any)); got != 1 {
			t.Errorf("%d approvals to decide", got)
		}
		if got := len(b.ok("person", "GET", approvals+filter("asApprover()"), "").m["value"].([]any)); got != 0 {
			t.Error("the requestor is asked to decide")
		}
		flat := fmt.Sprintf(`{"reviewResult":%q,"justification":"why"}`, result)
		b.do("person", "PATCH", stage, flat).refused(t, 403, "InsufficientPermissions")
		b.do("program", "PATCH", stage, flat).refused(t, 404, "RoleAssignmentApprovalNotFound")
		b.do("boss", "PATCH", stage, `{"reviewResult":"Approve"}`).refused(t, 400, "InvalidRequestContent")
		b.do("boss", "PATCH", stage, `{"reviewResult":"Maybe"}`).refused(t, 400, "InvalidRequestContent")
		b.w.Advance(10 * time.Minute)
		r := b.ok("boss", "PUT", stage, `{"properties":`+flat+`}`)
		if p := r.m["properties"].(map[string]any); p["status"] != "Completed" || p["reviewResult"] != result {
			t.Error(r.text)
		}
		b.do("boss", "PATCH", stage, flat).refused(t, 409, "RequestAlreadyDecided")
		if got := b.status(at); got != want || b.may(noneID) != (result == "Approve") {
			t.Errorf("%s: %v; in force: %t", result, got, b.may(noneID))
		}
		b.w.Advance(59 * time.Minute)
		if b.may(noneID) != (result == "Approve") {
			t.Error("the time did not begin with the decision")
		}
		b.w.Advance(time.Minute)
		if b.may(noneID) {
			t.Error("it does not end")
		}
	}
}

func TestNobodyDecidesForItselfAndNoProgramForAnybody(t *testing.T) {
	b, at, stage := approved(t, world.PIMKnobs{})
	b.w.Lock()
	b.w.SetPolicy(world.RolePolicy{Place: world.Place{Realm: world.RealmAzure, Scope: vault, RoleID: world.RoleKeyVaultUser}, Approvers: []string{noneID, miID}})
	b.w.Unlock()
	for _, as := range []string{"person", "program"} {
		b.do(as, "PATCH", stage, `{"reviewResult":"Approve","justification":"why"}`).refused(t, 403, "InsufficientPermissions")
	}
	if got := b.status(at); got != "PendingApproval" {
		t.Error(got)
	}
}

func TestAnApprovalThatNeverComesIsOverAfterADay(t *testing.T) {
	b, at, stage := approved(t, world.PIMKnobs{})
	b.w.Advance(24 * time.Hour)
	if got := b.status(at); got != "TimedOut" {
		t.Error(got)
	}
	b.do("boss", "PATCH", stage, `{"reviewResult":"Approve","justification":"late"}`).refused(t, 409, "RequestAlreadyDecided")
	if b.may(noneID) {
		t.Error("it is in force")
	}
}

func TestARequestThatIsPendingCanBeCanceled(t *testing.T) {
	b, at, _ := approved(t, world.PIMKnobs{})
	b.do("program", "POST", at+"/cancel", "").refused(t, 403, "AuthorizationFailed")
	b.ok("person", "POST", at+"/cancel", "")
	if got := b.status(at); got != "Canceled" {
		t.Error(got)
	}
	b.do("person", "POST", at+"/cancel", "").refused(t, 400, "RoleAssignmentRequestCannotBeCancelled")
}

func TestTheSimulatorDecidesWhenItsKnobSays(t *testing.T) {
	for denies, want := range map[bool]string{false: "Provisioned", true: "Denied"} {
		b, at, _ := approved(t, world.PIMKnobs{ApprovalAfter: world.Duration(30 * time.Minute), ApprovalDenies: denies})
		b.w.Advance(29 * time.Minute)
		if got := b.status(at); got != "PendingApproval" {
			t.Error(got)
		}
		b.w.Advance(11 * time.Minute)
		if b.may(noneID) == denies {
			t.Errorf("decided by nobody's asking: in force %t", b.may(noneID))
		}
		if got := b.status(at); got != want {
			t.Error(got)
		}
		b.w.Advance(50 * time.Minute)
		if b.may(noneID) {
			t.Error("it lasts longer than from the decision on")
		}
	}
}

func TestATenantWithoutTheLicenceHasNone(t *testing.T) {
	b := pimBench(t, world.PIMKnobs{NoLicence: true})
	for _, target := range []string{
		vault + auth + "/roleAssignmentSchedules", vault + auth + "/roleEligibilityScheduleInstances/" + newID, vault + requests + newID,
		auth + "/roleAssignmentApprovals", vault + auth + "/roleManagementPolicies", sub + auth + "/eligibleChildResources",
	} {
		b.do("owner", "GET", target, "").refused(t, 400, "AadPremiumLicenseRequired")
	}
	b.ask("owner", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT1H")).refused(t, 400, "AadPremiumLicenseRequired")
}

func TestASecondFactorIsWhatAProgramNeverHas(t *testing.T) {
	b := pimBench(t, world.PIMKnobs{OldPolicyWords: true})
	b.w.Lock()
	b.w.SetPolicy(world.RolePolicy{Place: world.Place{Realm: world.RealmAzure, Scope: vault, RoleID: world.RoleKeyVaultOfficer}, ActiveNeeds: []string{world.NeedMFA}})
	b.w.Unlock()
	r := b.ask("owner", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT1H"))
	r.refused(t, 400, "RoleAssignmentRequestPolicyValidationFailed")
	if r.message() != `The following policy rules failed: ["MfaRule"]` {
		t.Error(r.message())
	}
	b.w.Lock()
	b.w.Users[0].MFARequired = true
	b.w.AddToken("token-of-owner", world.Token{Tenant: tenantID, ObjectID: ownerID, User: true, Audience: "https://management.azure.com", Expires: b.w.Now().Add(time.Hour)})
	b.w.Unlock()
	b.made(b.ask("owner", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT1H")))
}

func TestAnAssignmentOfPIMsCanBeRemovedAsOne(t *testing.T) {
	b := pimBench(t, world.PIMKnobs{})
	b.made(b.ask("owner", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT1H")))
	name := b.ok("owner", "GET", vault+auth+"/roleAssignments"+filter("principalId eq '"+miID+"'"), "").names()
	b.do("owner", "PUT", assignment(vault, name), properties(world.RoleKeyVaultOfficer, miID, `,"description":"x"`)).refused(t, 400, "RoleAssignmentUpdateNotPermitted")
	b.ok("owner", "GET", vault+auth+"/roleAssignmentScheduleInstances/"+name, "")
	b.ok("owner", "DELETE", assignment(vault, name), "")
	if b.may(miID) {
		t.Error("it is still in force")
	}
	b.ask("owner", requests, "AdminRemove", world.RoleKeyVaultOfficer, miID, "").refused(t, 400, "RoleAssignmentDoesNotExist")
}
