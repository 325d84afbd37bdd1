package arm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	requests    = auth + "/roleAssignmentScheduleRequests/"
	eligibility = auth + "/roleEligibilityScheduleRequests/"
	getSecret   = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
)

// pimBench is a bench where people are signed in as people: the owner, and a person ("none") who holds nothing.
func pimBench(t *testing.T, knobs world.PIMKnobs) *bench {
	b := newBench(t)
	b.w.Lock()
	defer b.w.Unlock()
	b.w.Knobs.PIM = knobs
	for name, id := range map[string]string{"person": noneID, "boss": readerID, "program": miID} {
		b.w.AddToken("token-of-"+name, world.Token{Tenant: tenantID, ObjectID: id, Name: name, User: name != "program", Audience: "https://management.azure.com", Expires: b.w.Now().Add(2000 * time.Hour)})
	}
	b.w.AddToken("token-of-owner", world.Token{Tenant: tenantID, ObjectID: ownerID, Name: "owner", Audience: "https://management.azure.com", Expires: b.w.Now().Add(2000 * time.Hour)})
	return b
}

var requestNumber int

// ask makes a request with a new name.
func (b *bench) ask(as, below, action, role, principal, more string) reply {
	b.t.Helper()
	requestNumber++
	return b.do(as, "PUT", vault+below+fmt.Sprintf("dddddddd-0000-4000-8000-%012d", requestNumber), request(action, role, principal, more))
}

func request(action, role, principal, more string) string {
	return fmt.Sprintf(`{"properties":{"requestType":%q,"roleDefinitionId":"%s%s/roleDefinitions/%s","principalId":%q%s}}`, action, sub, auth, role, principal, more)
}

func lasting(duration string) string {
	return `,"justification":"because","scheduleInfo":{"expiration":{"type":"AfterDuration","duration":"` + duration + `"}}`
}

func (b *bench) made(r reply) map[string]any {
	b.t.Helper()
	if r.status != 201 {
		b.t.Fatalf("%d %s", r.status, r.text)
	}
	return r.m["properties"].(map[string]any)
}

func (b *bench) may(principal string) bool {
	b.w.Lock()
	defer b.w.Unlock()
	return b.w.AllowedData(principal, getSecret, vault+"/secrets/x")
}

func TestAnAssignmentForATimeEndsByItself(t *testing.T) {
	b := pimBench(t, world.PIMKnobs{})
	b.w.Lock()
	b.w.Knobs.ARM.RBACDelay = world.Duration(5 * time.Minute)
	b.w.Unlock()
	r := b.ask("owner", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT15M"))
	if p := b.made(r); p["status"] != "Provisioned" || p["requestorId"] != ownerID || p["principalType"] != "ServicePrincipal" || p["scope"] != vault {
		t.Error(r.text)
	}
	listed := func() string {
		return b.ok("owner", "GET", vault+auth+"/roleAssignments"+filter("principalId eq '"+miID+"'"), "").names()
	}
	name := listed()
	if name == "" {
		t.Error("it is not among the role assignments")
	}
	b.ok("owner", "GET", assignment(vault, name), "")
	b.do("owner", "PUT", assignment(vault, newID), properties(world.RoleKeyVaultOfficer, miID, "")).refused(t, 409, "RoleAssignmentExists")
	if b.may(miID) {
		t.Error("it reached the data plane at once")
	}
	b.w.Advance(5 * time.Minute)
	if !b.may(miID) {
		t.Error("it does not reach the data plane")
	}
	b.w.Advance(10 * time.Minute)
	if listed() != "" || !b.may(miID) {
		t.Errorf("at its end it is listed as %q, and the data plane allows it: %t", listed(), b.may(miID))
	}
	b.w.Advance(5 * time.Minute)
	if b.may(miID) {
		t.Error("the data plane goes on allowing it")
	}
}

func TestARequestIsProvisionedStepByStep(t *testing.T) {
	b := pimBench(t, world.PIMKnobs{ProvisioningTakes: world.Duration(time.Minute), ListLag: world.Duration(90 * time.Second)})
	r := b.ask("owner", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT1H"))
	at := vault + requests + r.m["name"].(string)
	instances := vault + auth + "/roleAssignmentScheduleInstances" + filter("principalId eq '"+miID+"'")
	schedules := vault + auth + "/roleAssignmentSchedules" + filter("principalId eq '"+miID+"'")
	for _, c := range []struct {
		wait   time.Duration
		status string
		holds  bool
		listed bool
	}{
		{0, "Accepted", false, false}, {30 * time.Second, "PendingProvisioning", false, false},
		{30 * time.Second, "Provisioned", true, false}, {30 * time.Second, "Provisioned", true, true},
	} {
		b.w.Advance(c.wait)
		p := b.ok("owner", "GET", at, "").m["properties"].(map[string]any)
		if p["status"] != c.status || b.may(miID) != c.holds || (b.ok("owner", "GET", instances, "").names() != "") != c.listed || (b.ok("owner", "GET", schedules, "").names() != "") != c.listed {
			t.Errorf("%v; in force %t, listed %q; want %+v", p["status"], b.may(miID), b.ok("owner", "GET", instances, "").names(), c)
		}
	}
	b.w.Advance(46 * 24 * time.Hour)
	b.do("owner", "GET", at, "").refused(t, 404, "RoleAssignmentScheduleRequestNotFound")
}

func TestARequestForLaterIsGrantedUntilThen(t *testing.T) {
	b := pimBench(t, world.PIMKnobs{})
	start := b.w.Now().Add(3 * time.Minute).Format(time.RFC3339Nano)
	r := b.ask("owner", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, `,"justification":"x","scheduleInfo":{"startDateTime":"`+start+`","expiration":{"type":"AfterDuration","duration":"PT1H"}}`)
	if p := b.made(r); p["status"] != "Granted" || b.may(miID) {
		t.Errorf("%s; in force: %t", r.text, b.may(miID))
	}
	b.w.Advance(3 * time.Minute)
	if !b.may(miID) {
		t.Error("it does not begin")
	}
	b.do("owner", "POST", vault+requests+r.m["name"].(string)+"/cancel", "").refused(t, 400, "RoleAssignmentRequestCannotBeCancelled")
}

func TestTakingAwayHasItsTimes(t *testing.T) {
	b := pimBench(t, world.PIMKnobs{NotRemovableFor: world.Duration(90 * time.Second), ExistsAfterRemoval: world.Duration(210 * time.Second)})
	assign := func() reply {
		return b.ask("owner", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT1H"))
	}
	remove := func() reply { return b.ask("owner", requests, "AdminRemove", world.RoleKeyVaultOfficer, miID, "") }
	remove().refused(t, 400, "RoleAssignmentDoesNotExist")
	b.made(assign())
	assign().refused(t, 400, "RoleAssignmentExists")
	b.w.Advance(44 * time.Second)
	remove().refused(t, 400, "RoleAssignmentDoesNotExist")
	b.w.Advance(60 * time.Second)
	r := remove()
	r.refused(t, 400, "ActiveDurationTooShort")
	if r.message() != "The Active duration is too short. Miniumum Required is 5 minutes." {
		t.Error(r.message())
	}
	b.w.Advance(4 * time.Minute)
	if p := b.made(remove()); p["status"] != "Revoked" || b.may(miID) {
		t.Errorf("%v; still in force: %t", p["status"], b.may(miID))
	}
	assign().refused(t, 400, "RoleAssignmentExists")
	b.w.Advance(210 * time.Second)
	b.made(assign())
	b.w.Lock()
	b.w.Knobs.PIM.AdminRemovesAtOnce = true
	b.w.Unlock()
	b.made(remove())
}

func TestRequestsAreHeldToTheRules(t *testing.T) {
	const failed = "RoleAssignmentRequestPolicyValidationFailed"
	expire := func(s string) string { return `,"justification":"because","scheduleInfo":{"expiration":` + s + `}` }
	for why, c := range map[string]struct {
		as, below, action, principal, more string
		status                             int
		code, words                        string
	}{
		"too short":                  {"owner", requests, "AdminAssign", miID, lasting("PT4M"), 400, "ActiveDurationTooShort", ""},
		"too long":                   {"owner", requests, "AdminAssign", miID, lasting("P1Y"), 400, failed, "ExpirationRule - "},
		"without an end":             {"owner", requests, "AdminAssign", miID, expire(`{"type":"NoExpiration"}`), 400, failed, "ExpirationRule"},
		"an end in the past":         {"owner", requests, "AdminAssign", miID, expire(`{"type":"AfterDateTime","endDateTime":"2020-01-01T00:00:00Z"}`), 400, "ActiveDurationTooShort", ""},
		"no duration":                {"owner", requests, "AdminAssign", miID, lasting("1h"), 400, "InvalidRequestContent", ""},
		"without a reason":           {"owner", requests, "AdminAssign", miID, strings.Replace(lasting("PT1H"), "because", " ", 1), 400, failed, "JustificationRule - Justification is required"},
		"a principal that is absent": {"owner", requests, "AdminAssign", newID, lasting("PT1H"), 400, "SubjectNotFound", ""},
		"by a reader":                {"reader", requests, "AdminAssign", miID, lasting("PT1H"), 403, "AuthorizationFailed", ""},
		"another kind of request":    {"owner", requests, "SelfExtend", miID, "", 501, "NotImplemented", ""},
		"no kind of request":         {"owner", requests, "Assign", miID, "", 400, "InvalidRequestContent", ""},
		"an eligible program":        {"owner", eligibility, "AdminAssign", miID, lasting("P30D"), 400, "InvalidRoleAssignmentRequest", ""},
		"a program for itself":       {"program", requests, "SelfActivate", miID, lasting("PT1H"), 403, "InsufficientPermissions", "asTarget()"},
		"for somebody else":          {"person", requests, "SelfActivate", readerID, lasting("PT1H"), 403, "InsufficientPermissions", ""},
		"who is not eligible":        {"person", requests, "SelfActivate", noneID, lasting("PT1H"), 400, failed, "EligibilityRule"},
		"an unknown eligibility":     {"person", requests, "SelfActivate", noneID, lasting("PT1H") + `,"linkedRoleEligibilityScheduleId":"` + newID + `"`, 400, "RoleAssignmentDoesNotExist", ""},
		"a condition unknown":        {"owner", requests, "AdminAssign", miID, lasting("PT1H") + `,"condition":"x","conditionVersion":"2.0"`, 400, "InvalidRoleAssignmentCondition", ""},
	} {
		t.Run(why, func(t *testing.T) {
			b := pimBench(t, world.PIMKnobs{})
			r := b.ask(c.as, c.below, c.action, world.RoleKeyVaultOfficer, c.principal, c.more)
			r.refused(t, c.status, c.code)
			if !strings.Contains(r.message(), c.words) {
				t.Errorf("%s; want %q in it", r.message(), c.words)
			}
			if len(b.w.RoleRequests)+len(b.w.RoleSchedules) > 0 {
				t.Error("something of it was kept")
			}
		})
	}
}

func TestABrokersConditionBoundsWhatItAsksOfPIM(t *testing.T) {
	b := pimBench(t, world.PIMKnobs{AdminRemovesAtOnce: true})
	broker(b)
	b.ask("none", requests, "AdminAssign", world.RoleOwner, miID, lasting("PT15M")).refused(t, 403, "AuthorizationFailed")
	b.ask("none", requests, "AdminAssign", world.RoleKeyVaultOfficer, readerID, lasting("PT15M")).refused(t, 403, "AuthorizationFailed")
	b.made(b.ask("none", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT15M")))
	b.ask("none", requests, "AdminRemove", world.RoleKeyVaultUser, dataID, "").refused(t, 403, "AuthorizationFailed")
	b.ask("reader", requests, "AdminRemove", world.RoleKeyVaultOfficer, miID, "").refused(t, 403, "AuthorizationFailed")
	b.made(b.ask("none", requests, "AdminExtend", world.RoleKeyVaultOfficer, miID, lasting("PT30M")))
	b.w.Advance(20 * time.Minute)
	if !b.may(miID) {
		t.Error("it was not extended")
	}
	b.made(b.ask("none", requests, "AdminRemove", world.RoleKeyVaultOfficer, miID, ""))
	b.w.Lock()
	b.w.Knobs.PIM.FullAdministratorsOnly = true
	b.w.Unlock()
	b.ask("none", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT15M")).refused(t, 403, "AuthorizationFailed")
	b.made(b.ask("owner", requests, "AdminAssign", world.RoleKeyVaultOfficer, miID, lasting("PT15M")))
}

func TestAPersonActivatesWhatItIsEligibleFor(t *testing.T) {
	b := pimBench(t, world.PIMKnobs{})
	r := b.ask("owner", eligibility, "AdminAssign", world.RoleKeyVaultUser, noneID, lasting("P30D"))
	schedule := b.made(r)["targetRoleEligibilityScheduleId"].(string)
	if b.may(noneID) {
		t.Error("an eligibility gives the role")
	}
	const asTarget = auth + "/roleEligibilityScheduleInstances"
	if got := b.ok("person", "GET", asTarget+filter("asTarget()"), "").m["value"].([]any); len(got) != 1 {
		t.Errorf("%d eligibilities are listed", len(got))
	}
	if got := b.ok("boss", "GET", asTarget+filter("asTarget()"), "").m["value"].([]any); len(got) != 0 {
		t.Error("another one's eligibility is listed")
	}
	if got := b.ok("person", "GET", sub+auth+"/eligibleChildResources", "").names(); got != "kv-one" {
		t.Errorf("eligible below: %q", got)
	}
	full := vault + auth + "/roleEligibilitySchedules/" + schedule
	p := b.made(b.ask("person", requests, "SelfActivate", world.RoleKeyVaultUser, noneID, lasting("PT1H")+`,"linkedRoleEligibilityScheduleId":"`+full+`"`))
	if p["status"] != "Provisioned" || !b.may(noneID) {
		t.Errorf("%v; in force: %t", p, b.may(noneID))
	}
	got := b.ok("person", "GET", vault+auth+"/roleAssignmentScheduleInstances"+filter("asTarget()"), "").m["value"].([]any)[0].(map[string]any)["properties"].(map[string]any)
	if got["assignmentType"] != "Activated" || got["linkedRoleEligibilityScheduleId"] != schedule {
		t.Error(got)
	}
	b.ask("person", requests, "SelfDeactivate", world.RoleKeyVaultUser, noneID, "").refused(t, 400, "ActiveDurationTooShort")
	b.w.Advance(5 * time.Minute)
	if p := b.made(b.ask("person", requests, "SelfDeactivate", world.RoleKeyVaultUser, noneID, "")); p["status"] != "Revoked" || b.may(noneID) {
		t.Errorf("%v; still in force: %t", p, b.may(noneID))
	}
	b.ask("person", requests, "SelfActivate", world.RoleKeyVaultUser, noneID, lasting("PT9H")).refused(t, 400, "RoleAssignmentRequestPolicyValidationFailed")
}
