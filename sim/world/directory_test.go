package world

import (
	"strings"
	"testing"
	"time"
)

func TestADirectoryThatIsWrongSaysWhere(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(map[string]any)
		want string
	}{
		"an owner that nobody is":       {func(m map[string]any) { at(m, "apps", 5)["owners"] = []any{"nobody"} }, `apps[5].owners[0] "nobody" names no principal`},
		"an audience that there is not": {func(m map[string]any) { at(m, "apps", 5)["signInAudience"] = "All" }, `apps[5].signInAudience "All"`},
		"a member that nobody is":       {func(m map[string]any) { at(m, "groups", 0)["members"] = []any{"nobody"} }, `groups[0].members[0] "nobody"`},
		"a role that is not known":      {func(m map[string]any) { at(m, "directoryRoleAssignments", 0)["roleDefinitionId"] = "x" }, `directoryRoleAssignments[0].roleDefinitionId "x"`},
		"a policy for an app that is none": {func(m map[string]any) {
			m["appManagementPolicies"] = []any{map[string]any{"id": "p", "tenantId": TenantID, "apps": []any{"x"}}}
		}, `appManagementPolicies[0].apps[0] "x"`},
		"a deleted app with a live one's id": {func(m map[string]any) {
			m["deletedApps"] = []any{map[string]any{"id": at(m, "apps", 0)["id"], "tenantId": TenantID}}
		}, `deletedApps[0].id`},
		"a deleted user of an unknown tenant": {func(m map[string]any) { m["deletedUsers"] = []any{map[string]any{"id": "x", "tenantId": "nowhere"}} }, `deletedUsers[0].tenantId "nowhere"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := mustRead(t, c.edit)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v; want one with %q", err, c.want)
			}
		})
	}
}

func TestAnAppsPolicyIsItsOwnOrElseTheTenants(t *testing.T) {
	w := New(BuiltIn(), time.Now)
	named, other := w.Apps[0], w.Apps[1]
	own := &AppManagementPolicy{ID: "own", TenantID: TenantID, Apps: []string{strings.ToUpper(named.ID)}}
	all := &AppManagementPolicy{ID: "all", TenantID: TenantID, Default: true}
	w.AppManagementPolicies = []*AppManagementPolicy{all, own}
	for _, c := range []struct {
		why  string
		edit func()
		app  *App
		want *AppManagementPolicy
	}{
		{"named", func() {}, named, own},
		{"not named", func() {}, other, all},
		{"named by one that is off", func() { own.Disabled = true }, named, all},
		{"older than those that it is for", func() { all.CreatedAfter = time.Now() }, other, nil},
		{"of another tenant", func() { all.CreatedAfter, all.TenantID = time.Time{}, "elsewhere" }, other, nil},
	} {
		c.edit()
		if got := w.PolicyFor(c.app); got != c.want {
			t.Errorf("%s: %+v", c.why, got)
		}
	}
}

func TestDirectoryRolesGuardTheirHolders(t *testing.T) {
	w := New(BuiltIn(), time.Now)
	reader := w.Users[0].ID
	w.DirectoryRoleAssignments = append(w.DirectoryRoleAssignments, &DirectoryRoleAssignment{ID: "r", TenantID: TenantID, RoleID: RoleDirectoryReaders, PrincipalID: reader})
	if w.IsAdministrator(reader) || !w.HasDirectoryRole(reader, RoleUserAdministrator, RoleDirectoryReaders) {
		t.Error("a reader is no administrator, and has the role")
	}
	if alex := w.Users[2].ID; !w.IsAdministrator(alex) || w.HasDirectoryRole(alex, RoleUserAdministrator) {
		t.Error("a global administrator is one, and has no other role")
	}
}
