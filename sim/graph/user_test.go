package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const batchUser = "/users/svc-batch@contoso.onmicrosoft.com"

func profile(password string) string {
	return fmt.Sprintf(`{"passwordProfile":{"password":%q,"forceChangePasswordNextSignIn":false}}`, password)
}

func TestAServiceAccountsPasswordIsSet(t *testing.T) {
	x := newBed(t)
	u := x.user("svc-batch")
	old := u.Password
	token := x.worker("User-PasswordProfile.ReadWrite.All", "User.Read.All")
	x.now = x.now.Add(time.Hour)
	x.patch(token, batchUser, profile("N3w.password.of.batch")).is(204)
	if u.Password != "N3w.password.of.batch" || !u.PasswordChanged.Equal(x.now) || !u.SessionsRevoked.Equal(x.now) || u.PasswordExpired || u.PreviousPassword != "" {
		t.Errorf("%+v", u)
	}
	if got := x.get(token, batchUser+"?$select=lastPasswordChangeDateTime").is(200).text("lastPasswordChangeDateTime"); got != "2026-11-21T11:00:00Z" {
		t.Errorf("last changed %s", got)
	}
	x.patch(token, "/users/"+u.ID, `{"passwordProfile":{"password":"An0ther.password"}}`).is(204)
	if !u.PasswordExpired {
		t.Error("a password that is set without a word must be changed at the next sign-in")
	}
	x.w.Knobs.Entra.NewPasswordDelay = world.Duration(time.Minute)
	x.patch(token, batchUser, profile("Th1rd.password.of.batch")).is(204)
	if u.PreviousPassword != "An0ther.password" || u.PreviousPassword == old {
		t.Errorf("the one before is %q", u.PreviousPassword)
	}
}

func TestAWeakPasswordIsRefused(t *testing.T) {
	x := newBed(t)
	token := x.with("User-PasswordProfile.ReadWrite.All")
	old := x.user("svc-batch").Password
	for _, p := range []string{"", "Sh0rt.x", "onlylowercaseletters", "lower12345678", strings.Repeat("Aa1.", 65), "svc-batch"} {
		x.patch(token, batchUser, profile(p)).refused(400, "Request_BadRequest", "password complexity requirements")
	}
	if x.user("svc-batch").Password != old {
		t.Error("a refused password was set")
	}
	for _, p := range []string{"Aa1.Aa1.", "UPPER lower 1", strings.Repeat("Aa1.", 64)} {
		x.patch(token, batchUser, profile(p)).is(204)
	}
}

func TestWhoMaySetAPassword(t *testing.T) {
	const admin = "/users/dana@contoso.onmicrosoft.com"
	for _, c := range []struct {
		why     string
		as      func(*bed) string
		knob    bool
		path    string
		body    string
		allowed bool
	}{
		{"an application with the permission for it", func(x *bed) string { return x.worker("User-PasswordProfile.ReadWrite.All") }, false, batchUser, "", true},
		{"unless a role is wanted too", func(x *bed) string { return x.worker("User-PasswordProfile.ReadWrite.All") }, true, batchUser, "", false},
		{"or it has one", func(x *bed) string { return x.with("User-PasswordProfile.ReadWrite.All") }, true, batchUser, "", true},
		{"User.ReadWrite.All and a role", func(x *bed) string { return x.with("User.ReadWrite.All") }, false, batchUser, "", true},
		{"User.ReadWrite.All without a role", func(x *bed) string { return x.worker("User.ReadWrite.All") }, false, batchUser, "", false},
		{"a role without a permission", func(x *bed) string { return x.with("User.Read.All") }, false, batchUser, "", false},
		{"Directory.ReadWrite.All is none for it", func(x *bed) string { return x.with("Directory.ReadWrite.All") }, false, batchUser, "", false},
		{"nobody below sets an administrator's", func(x *bed) string { return x.with("User-PasswordProfile.ReadWrite.All") }, false, admin, "", false},
		{"the permission for it does nothing else", func(x *bed) string { return x.worker("User-PasswordProfile.ReadWrite.All") }, false, batchUser, `{"displayName":"x"}`, false},
		{"nor something else beside it", func(x *bed) string { return x.worker("User-PasswordProfile.ReadWrite.All") }, false, batchUser,
			`{"accountEnabled":false,"passwordProfile":{"password":"N3w.password.1"}}`, false},
		{"a user who administers users", func(x *bed) string { return x.person("alex", asUser) }, false, batchUser, "", true},
		{"a user who administers everything, an administrator's", func(x *bed) string { return x.person("alex", asUser) }, false, admin, "", true},
		{"a user who does not", func(x *bed) string { return x.person("kim", asUser) }, false, batchUser, "", false},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newBed(t)
			x.w.Knobs.Graph.PasswordNeedsRole = c.knob
			body := c.body
			if body == "" {
				body = profile("N3w.password.1")
			}
			if r := x.patch(c.as(x), c.path, body); c.allowed {
				r.is(204)
			} else {
				r.refused(403, "Authorization_RequestDenied", "Insufficient privileges")
			}
		})
	}
}

func TestPrivilegedAuthenticationAdministratorsSetAnAdministratorsPassword(t *testing.T) {
	x := newBed(t)
	roles := x.with("RoleManagement.ReadWrite.Directory")
	m := x.w.ManagedIdentities[0].ID
	body := fmt.Sprintf(`{"principalId":%q,"roleDefinitionId":%q,"directoryScopeId":"/"}`, m, world.RolePrivilegedAuthAdministrator)
	made := x.post(roles, "/roleManagement/directory/roleAssignments", body).is(201).text("id")
	x.post(roles, "/roleManagement/directory/roleAssignments", body).refused(400, "Request_BadRequest", "conflicting object")
	token := x.worker("User-PasswordProfile.ReadWrite.All")
	x.patch(token, "/users/dana@contoso.onmicrosoft.com", profile("N3w.password.1")).is(204)
	if got := x.get(roles, "/roleManagement/directory/roleAssignments?$filter=principalId eq '"+m+"'").is(200).names("id"); !slices.Equal(got, []string{made}) {
		t.Errorf("%q", got)
	}
	x.get(roles, "/roleManagement/directory/roleAssignments/"+made).is(200)
	x.delete(roles, "/roleManagement/directory/roleAssignments/"+made).is(204)
	x.patch(token, "/users/dana@contoso.onmicrosoft.com", profile("N3w.password.2")).refused(403, "Authorization_RequestDenied", "")
	r := x.get(roles, "/roleManagement/directory/roleDefinitions?$filter=displayName eq 'User Administrator'").is(200)
	if got := r.names("id"); !slices.Equal(got, []string{world.RoleUserAdministrator}) {
		t.Errorf("%q", got)
	}
	x.get(roles, "/roleManagement/directory/roleDefinitions/"+world.RoleUserAdministrator).is(200)
}

func TestUsersAreReadDisabledAndDeleted(t *testing.T) {
	x := newBed(t)
	token := x.with("User.ReadWrite.All")
	u := x.user("svc-batch")
	r := x.get(token, "/users/svc-batch%40contoso.onmicrosoft.com").is(200)
	if r.text("id") != u.ID || r.body["accountEnabled"] != nil {
		t.Errorf("%v: accountEnabled is not among the defaults", r.body)
	}
	if got := x.get(token, "/users?$filter=startswith(userPrincipalName,'svc-b')&$select=id").is(200).names("id"); !slices.Equal(got, []string{u.ID}) {
		t.Errorf("%q", got)
	}
	x.patch(token, batchUser, `{"accountEnabled":false}`).is(204)
	if !u.Disabled || x.get(token, batchUser+"?$select=accountEnabled").is(200).body["accountEnabled"] != false {
		t.Error("not disabled")
	}
	before := u.SessionsRevoked
	if r := x.post(token, batchUser+"/revokeSignInSessions", "").is(200); r.body["value"] != true || !u.SessionsRevoked.After(before) {
		t.Errorf("%v", r.body)
	}
	x.delete(token, batchUser).is(204)
	x.get(token, batchUser).refused(404, "Request_ResourceNotFound", "svc-batch@contoso.onmicrosoft.com")
	x.patch(token, batchUser, profile("N3w.password.1")).refused(404, "Request_ResourceNotFound", "")
	x.post(token, "/directory/deletedItems/"+u.ID+"/restore", "").is(200)
	x.get(token, batchUser).is(200)
	x.delete(token, "/users/dana@contoso.onmicrosoft.com").refused(403, "Authorization_RequestDenied", "")
	x.get(token, "/me").refused(400, "BadRequest", "/me request is only valid")
}

func TestAUserChangesHisOwnPassword(t *testing.T) {
	x := newBed(t)
	u := x.user("kim")
	token := x.person("kim", "User.Read", "User-PasswordProfile.ReadWrite.All")
	body := func(old string) string {
		return fmt.Sprintf(`{"currentPassword":%q,"newPassword":"Ch4nged.by.kim"}`, old)
	}
	if got := x.get(token, "/me").is(200).text("id"); got != u.ID {
		t.Errorf("me is %s", got)
	}
	x.post(token, "/me/changePassword", body("wrong")).refused(400, "Request_BadRequest", "")
	x.post(token, batchUser+"/changePassword", body(x.user("svc-batch").Password)).refused(403, "Authorization_RequestDenied", "")
	x.post(x.with("User.ReadWrite.All"), batchUser+"/changePassword", body("x")).refused(403, "Authorization_RequestDenied", "")
	x.post(token, "/me/changePassword", body(u.Password)).is(204)
	if u.Password != "Ch4nged.by.kim" || !u.SessionsRevoked.IsZero() {
		t.Error("not changed, or every session ended")
	}
}

func TestObjectsAreFoundByTheirIDs(t *testing.T) {
	x := newBed(t)
	u, a := x.user("kim"), x.app(world.AppDeploy)
	body := fmt.Sprintf(`{"ids":[%q,%q,%q],"types":["user","servicePrincipal"]}`, u.ID, a.ServicePrincipalID, unknownKey)
	r := x.post(x.with("Directory.Read.All"), "/directoryObjects/getByIds", body).is(200)
	if got := r.names("@odata.type"); !slices.Equal(got, []string{"#microsoft.graph.user", "#microsoft.graph.servicePrincipal"}) {
		t.Errorf("%q", got)
	}
	x.post(x.with("Directory.Read.All"), "/directoryObjects/getByIds", `{"ids":[]}`).refused(400, "Request_BadRequest", "ids")
	x.post(x.with(), "/directoryObjects/getByIds", body).refused(403, "Authorization_RequestDenied", "")
	x.get(x.with("Directory.Read.All"), "/directoryObjects/"+u.ID).is(200)
	x.get(x.with("Directory.Read.All"), "/directoryObjects/"+unknownKey).refused(404, "Request_ResourceNotFound", "")
}

func TestPoliciesAreShown(t *testing.T) {
	x := newBed(t)
	token := x.with("Policy.Read.All", appWrite)
	if r := x.get(token, "/policies/defaultAppManagementPolicy").is(200); r.body["isEnabled"] != false {
		t.Errorf("%v", r.body)
	}
	x.w.AppManagementPolicies = []*world.AppManagementPolicy{
		{ID: "d", TenantID: world.TenantID, Default: true, MaxSecretLife: world.Duration(180*24*time.Hour + 90*time.Minute)},
		{ID: "p", TenantID: world.TenantID, Apps: []string{x.app(world.AppShop).ID}, NoSecrets: true},
	}
	r := x.get(token, "/policies/defaultAppManagementPolicy").is(200)
	p := r.body["applicationRestrictions"].(map[string]any)["passwordCredentials"].([]any)[0].(map[string]any)
	if r.body["isEnabled"] != true || p["restrictionType"] != "passwordLifetime" || p["maxLifetime"] != "P180DT1H30M0S" {
		t.Errorf("%v", r.body)
	}
	if got := x.get(token, "/policies/appManagementPolicies").is(200).names("id"); !slices.Equal(got, []string{"p"}) {
		t.Errorf("%q", got)
	}
	for app, want := range map[string][]string{world.AppShop: {"p"}, world.AppBilling: nil} {
		if got := x.get(token, byApp(app)+"/appManagementPolicies").is(200).names("id"); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	}
}

func TestABatchAnswersEachByItself(t *testing.T) {
	x := newBed(t)
	token := x.worker(ownedBy)
	r := x.post(token, "/$batch", `{"requests":[
		{"id":"1","method":"POST","url":"/applications(appId='`+world.AppDeploy+`')/addPassword","body":{"passwordCredential":{"displayName":"b"}},"headers":{"Content-Type":"application/json"}},
		{"id":"2","method":"POST","url":"/applications(appId='`+world.AppBilling+`')/addPassword","body":{}},
		{"id":"3","method":"GET","url":"/applications?$top=1","dependsOn":["2"]},
		{"id":"4","method":"GET","url":"/applications?$top=1","dependsOn":["1"]},
		{"id":"5","method":"GET","url":"/$batch"}]}`).is(200)
	got := map[string]float64{}
	for _, v := range r.body["responses"].([]any) {
		m := v.(map[string]any)
		got[m["id"].(string)] = m["status"].(float64)
	}
	if fmt.Sprint(got) != "map[1:200 2:403 3:424 4:200 5:400]" {
		t.Errorf("%v", got)
	}
	if len(x.app(world.AppDeploy).Secrets) != 2 {
		t.Error("the first request did nothing")
	}
	for _, body := range []string{`{"requests":[]}`, `{"requests":[{"id":"1"},{"id":"1"}]}`, `{"requests":[{"id":"1","dependsOn":["2"]}]}`, `[`} {
		x.post(token, "/$batch", body).refused(400, "BadRequest", "")
	}
}
