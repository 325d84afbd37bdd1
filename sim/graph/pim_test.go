package graph

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	roleRequests  = "/roleManagement/directory/roleAssignmentScheduleRequests"
	roleEligible  = "/roleManagement/directory/roleEligibilityScheduleRequests"
	groupRequests = "/identityGovernance/privilegedAccess/group/assignmentScheduleRequests"
	groupEligible = "/identityGovernance/privilegedAccess/group/eligibilityScheduleRequests"
	administrate  = "RoleManagement.ReadWrite.Directory"
)

func roleAsk(action, principal, more string) string {
	return fmt.Sprintf(`{"action":%q,"principalId":%q,"roleDefinitionId":%q,"directoryScopeId":"/"%s}`, action, principal, world.RoleUserAdministrator, more)
}

func groupAsk(action, group, principal, more string) string {
	return fmt.Sprintf(`{"action":%q,"principalId":%q,"groupId":%q,"accessId":"member"%s}`, action, principal, group, more)
}

func forTime(duration string) string {
	return `,"justification":"why","scheduleInfo":{"expiration":{"type":"AfterDuration","duration":"` + duration + `"}}`
}

func TestADirectoryRoleForATimeEndsByItself(t *testing.T) {
	x := newBed(t)
	admin, dana := x.with(administrate), x.user("dana").ID
	has := func() bool { return x.w.HasDirectoryRole(dana, world.RoleUserAdministrator) }
	r := x.post(admin, roleRequests, roleAsk("adminAssign", dana, forTime("PT1H"))).is(201)
	if r.text("status") != "Provisioned" || r.text("action") != "adminAssign" || r.body["scheduleInfo"].(map[string]any)["expiration"].(map[string]any)["type"] != "afterDuration" || !has() {
		t.Errorf("%v; in force: %t", r.body, has())
	}
	x.get(admin, roleRequests+"/"+r.text("id")).is(200)
	if got := x.get(admin, "/roleManagement/directory/roleAssignments?$filter=principalId eq '"+dana+"' and roleDefinitionId eq '"+world.RoleUserAdministrator+"'").is(200).values(); len(got) != 1 {
		t.Errorf("assignments: %v", got)
	}
	for _, list := range []string{"Schedules", "ScheduleInstances"} {
		if got := x.get(admin, "/roleManagement/directory/roleAssignment"+list+"?$filter=principalId eq '"+dana+"'").is(200).values(); len(got) != 1 || got[0]["assignmentType"] != "Assigned" {
			t.Errorf("%s: %v", list, got)
		}
	}
	x.get(admin, "/roleManagement/directory/roleAssignmentSchedules/"+r.text("targetScheduleId")).is(200)
	x.post(admin, roleRequests, roleAsk("adminAssign", dana, forTime("PT1H"))).refused(400, "RoleAssignmentExists", "already exists")
	x.post(admin, roleRequests, roleAsk("adminRemove", dana, "")).refused(400, "ActiveDurationTooShort", "5 minutes")
	x.now = x.now.Add(time.Hour)
	if has() {
		t.Error("it does not end")
	}
	x.post(admin, roleRequests, roleAsk("adminRemove", dana, "")).refused(400, "RoleAssignmentDoesNotExist", "")
}

func TestAPersonActivatesADirectoryRole(t *testing.T) {
	x := newBed(t)
	admin, dana := x.with(administrate), x.user("dana").ID
	x.post(admin, roleEligible, roleAsk("AdminAssign", dana, forTime("P30D"))).is(201)
	person := x.person("dana", "RoleAssignmentSchedule.ReadWrite.Directory", "RoleEligibilitySchedule.Read.Directory")
	if got := x.get(person, "/roleManagement/directory/roleEligibilitySchedules/filterByCurrentUser(on='principal')").is(200).values(); len(got) != 1 {
		t.Errorf("eligibilities: %v", got)
	}
	x.get(admin, "/roleManagement/directory/roleEligibilitySchedules/filterByCurrentUser(on='principal')").refused(403, "Authorization_RequestDenied", "")
	x.post(admin, roleRequests, roleAsk("selfActivate", strangerID, forTime("PT1H"))).refused(403, "InsufficientPermissions", "")
	r := x.post(person, roleRequests, roleAsk("selfActivate", dana, forTime("PT1H"))).is(201)
	if r.text("status") != "Provisioned" || !x.w.HasDirectoryRole(dana, world.RoleUserAdministrator) {
		t.Error(r.body)
	}
	x.now = x.now.Add(5 * time.Minute)
	if r := x.post(person, roleRequests, roleAsk("selfDeactivate", dana, "")).is(201); r.text("status") != "Revoked" || x.w.HasDirectoryRole(dana, world.RoleUserAdministrator) {
		t.Error(r.body)
	}
	x.post(person, roleRequests, roleAsk("selfActivate", dana, forTime("PT1H"))).is(201) // at once, as was measured
}

func TestRequestsToGraphThatAreRefused(t *testing.T) {
	x := newBed(t)
	admin, dana := x.with(administrate), x.user("dana").ID
	for why, c := range map[string]struct {
		token, path, body string
		status            int
		code              string
	}{
		"without the permission":         {x.with("Directory.Read.All"), roleRequests, roleAsk("adminAssign", dana, forTime("PT1H")), 403, "Authorization_RequestDenied"},
		"by who administrates nothing":   {x.person("dana", administrate), roleRequests, roleAsk("adminAssign", dana, forTime("PT1H")), 403, "Authorization_RequestDenied"},
		"an eligible program":            {admin, roleEligible, roleAsk("adminAssign", strangerID, forTime("P30D")), 400, "InvalidRoleAssignmentRequest"},
		"a role for longer than allowed": {admin, roleRequests, roleAsk("adminAssign", dana, forTime("P2Y")), 400, "RoleAssignmentRequestPolicyValidationFailed"},
		"nobody":                         {admin, roleRequests, roleAsk("adminAssign", unknownKey, forTime("PT1H")), 400, "SubjectNotFound"},
		"no action":                      {admin, roleRequests, roleAsk("assign", dana, forTime("PT1H")), 400, "Request_BadRequest"},
		"another member":                 {admin, roleRequests, roleAsk("adminAssign", dana, `,"color":"red"`), 400, "Request_BadRequest"},
		"a group that is a user":         {x.with("PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup"), groupRequests, groupAsk("adminAssign", dana, dana, forTime("PT1H")), 400, "ResourceNotFound"},
	} {
		t.Run(why, func(t *testing.T) {
			x := x
			x.t = t
			x.post(c.token, c.path, c.body).refused(c.status, c.code, "")
		})
	}
	if len(x.w.RoleRequests)+len(x.w.RoleSchedules) > 0 {
		t.Error("something was kept")
	}
	x.w.Knobs.PIM.NoLicence = true
	x.post(admin, roleRequests, roleAsk("adminAssign", dana, forTime("PT1H"))).refused(400, "AadPremiumLicenseRequired", "Premium 2")
	x.get(admin, roleRequests).refused(400, "AadPremiumLicenseRequired", "")
}

func TestAMemberForATimeHasWhatTheGroupHas(t *testing.T) {
	x := newBed(t)
	group := x.w.Groups[0]
	svc := x.user("svc-batch").ID
	admin := x.with("PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup", "Group.Read.All", "User.Read.All")
	r := x.post(admin, groupRequests, groupAsk("adminAssign", group.ID, svc, forTime("PT15M"))).is(201)
	if want := group.ID + "_member_"; len(r.text("targetScheduleId")) != len(want)+36 || r.text("targetScheduleId")[:len(want)] != want {
		t.Error(r.body)
	}
	members := func() bool {
		return slices.Contains(x.get(admin, "/groups/"+group.ID+"/members").is(200).names("id"), svc)
	}
	if !members() || !x.w.IsPrincipal(svc, group.ID) {
		t.Error("it is no member")
	}
	x.now = x.now.Add(15 * time.Minute)
	if members() || x.w.IsPrincipal(svc, group.ID) {
		t.Error("it stays a member")
	}
}

func TestApprovalsAreForPeopleAlone(t *testing.T) {
	for _, c := range []struct {
		realm, approvals, stages string
	}{
		{world.RealmDirectory, "https://graph.microsoft.com/beta/roleManagement/directory/roleAssignmentApprovals/", "/steps"},
		{world.RealmGroup, "/identityGovernance/privilegedAccess/group/assignmentApprovals/", "/stages"},
	} {
		x := newBed(t)
		dana, kim := x.user("dana").ID, x.user("kim").ID
		requests, eligible, ask := roleRequests, roleEligible, roleAsk
		place := world.Place{Realm: c.realm, Scope: "/", RoleID: world.RoleUserAdministrator}
		if c.realm == world.RealmGroup {
			place.Scope, place.RoleID = x.w.Groups[0].ID, "owner"
			requests, eligible = groupRequests, groupEligible
			ask = func(action, principal, more string) string {
				return fmt.Sprintf(`{"action":%q,"principalId":%q,"groupId":%q,"accessId":"owner"%s}`, action, principal, place.Scope, more)
			}
		}
		x.w.SetPolicy(world.RolePolicy{Place: place, Approvers: []string{kim, strangerID, dana}})
		const both = "PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup"
		x.post(x.with(administrate, both), eligible, ask("adminAssign", dana, forTime("P30D"))).is(201)
		scopes := []string{"RoleAssignmentSchedule.ReadWrite.Directory", "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup"}
		r := x.post(x.person("dana", scopes...), requests, ask("selfActivate", dana, forTime("PT1H"))).is(201)
		if r.text("status") != "PendingApproval" {
			t.Fatal(r.body)
		}
		boss := x.person("kim", scopes...)
		if got := x.get(boss, requests+"/filterByCurrentUser(on='approver')?$filter=status eq 'PendingApproval'").is(200).values(); len(got) != 1 {
			t.Errorf("%s: to decide: %v", c.realm, got)
		}
		at := c.approvals + r.text("id")
		stages := x.get(boss, at+c.stages).is(200).values()
		step := at + c.stages + "/" + stages[0]["id"].(string)
		const yes = `{"reviewResult":"Approve","justification":"yes"}`
		x.patch(x.with(administrate, both), step, yes).refused(403, "Authorization_RequestDenied", "")
		x.patch(x.person("dana", scopes...), step, yes).refused(403, "Authorization_RequestDenied", "")
		x.patch(x.person("alex", scopes...), step, yes).refused(403, "Authorization_RequestDenied", "")
		x.patch(boss, at+c.stages+"/"+unknownKey, yes).refused(404, "Request_ResourceNotFound", "")
		x.patch(boss, step, yes).is(204)
		x.patch(boss, step, yes).refused(409, "Conflict", "")
		if got := x.get(boss, requests+"/"+r.text("id")).is(200).text("status"); got != "Provisioned" {
			t.Errorf("%s: %s", c.realm, got)
		}
	}
	x := newBed(t)
	x.get(x.person("kim"), "/beta/roleManagement/directory/roleAssignmentApprovals/x").refused(501, "NotImplemented", "")
}
