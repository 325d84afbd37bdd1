package arm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	auth  = "/providers/Microsoft.Authorization"
	newID = "cccccccc-0000-4000-8000-000000000001"
	twoID = "cccccccc-0000-4000-8000-000000000002"
)

func assignment(scope, name string) string { return scope + auth + "/roleAssignments/" + name }

func properties(role, principal, more string) string {
	return fmt.Sprintf(`{"properties":{"roleDefinitionId":"%s%s/roleDefinitions/%s","principalId":"%s"%s}}`, sub, auth, role, principal, more)
}

func TestRoleDefinitionsAreFoundByNameAndById(t *testing.T) {
	b := newBench(t)
	for _, q := range []string{
		filter("roleName eq 'Key Vault Secrets User'"),
		"?api-version=2022-05-01-preview&%24filter=roleName+eq+%27key+vault+secrets+user%27",
		filter("atScopeAndBelow() and roleName eq 'Key Vault Secrets User'"),
	} {
		r := b.ok("owner", "GET", vault+auth+"/roleDefinitions"+q, "")
		if r.names() != world.RoleKeyVaultUser {
			t.Errorf("%s: %s", q, r.text)
		}
	}
	for q, n := range map[string]int{filter("type eq 'BuiltInRole'"): len(world.Roles), filter("type eq 'CustomRole'"): 0, filter("roleName eq 'No Such Role'"): 0, "": len(world.Roles)} {
		if r := b.ok("reader", "GET", group+auth+"/roleDefinitions"+q, ""); len(r.m["value"].([]any)) != n {
			t.Errorf("%s: %s", q, r.names())
		}
	}
	r := b.ok("owner", "GET", sub+auth+"/roleDefinitions/"+strings.ToUpper(world.RoleKeyVaultUser), "")
	want := `{"id":"` + sub + auth + `/roleDefinitions/` + world.RoleKeyVaultUser + `","name":"` + world.RoleKeyVaultUser + `","properties":{"assignableScopes":["/"],"createdBy":null,"createdOn":"2015-02-02T21:55:09.8806423Z","description":"Read secret contents.","permissions":[{"actions":[],"dataActions":["Microsoft.KeyVault/vaults/secrets/getSecret/action","Microsoft.KeyVault/vaults/secrets/readMetadata/action"],"notActions":[],"notDataActions":[]}],"roleName":"Key Vault Secrets User","type":"BuiltInRole","updatedBy":null,"updatedOn":"2015-02-02T21:55:09.8806423Z"},"type":"Microsoft.Authorization/roleDefinitions"}`
	if r.text != want {
		t.Errorf("%s\nwant %s", r.text, want)
	}
	if r := b.ok("none", "GET", auth+"/roleDefinitions/"+world.RoleReader, ""); r.m["id"] != auth+"/roleDefinitions/"+world.RoleReader {
		t.Error(r.text)
	}
	b.do("owner", "GET", sub+auth+"/roleDefinitions/"+noneID, "").refused(t, 404, "RoleDefinitionDoesNotExist")
	b.do("data", "GET", vault+auth+"/roleDefinitions", "").refused(t, 403, "AuthorizationFailed")
	b.do("owner", "GET", sub+auth+"/roleDefinitions"+filter("color eq 'red'"), "").refused(t, 400, "InvalidFilter")
}

func TestARoleAssignmentIsMadeReadAndRemoved(t *testing.T) {
	b := newBench(t)
	body := properties(world.RoleKeyVaultReader, miID, `,"principalType":"ServicePrincipal","condition":"ActionMatches{'*'}","conditionVersion":"2.0"`)
	r := b.do("owner", "PUT", assignment(vault, newID), body)
	want := `{"id":"` + assignment(vault, newID) + `","name":"` + newID + `","properties":{"condition":"ActionMatches{'*'}","conditionVersion":"2.0","createdBy":null,"createdOn":"2026-11-01T12:00:00.1200000Z","delegatedManagedIdentityResourceId":null,"description":null,"principalId":"` + miID + `","principalType":"ServicePrincipal","roleDefinitionId":"` + sub + auth + `/roleDefinitions/` + world.RoleKeyVaultReader + `","scope":"` + vault + `","updatedBy":"` + ownerID + `","updatedOn":"2026-11-01T12:00:00.1200000Z"},"type":"Microsoft.Authorization/roleAssignments"}`
	if r.status != 201 || r.text != want {
		t.Errorf("%d %s\nwant 201 %s", r.status, r.text, want)
	}
	read := strings.Replace(want, `"createdBy":null`, `"createdBy":"`+ownerID+`"`, 1)
	if got := b.ok("owner", "GET", strings.ToUpper(assignment(vault, newID)), ""); got.text != read {
		t.Errorf("%s\nwant %s", got.text, read)
	}
	if got := b.ok("owner", "PUT", assignment(vault, newID), body); got.text != read {
		t.Errorf("the same again: %s", got.text)
	}
	b.w.Advance(time.Minute)
	got := b.ok("owner", "PUT", assignment(vault, newID), properties(world.RoleKeyVaultReader, miID, `,"description":"why"`))
	if p := got.m["properties"].(map[string]any); p["description"] != "why" || p["condition"] != nil || p["updatedOn"] == p["createdOn"] {
		t.Error(got.text)
	}

	del := b.ok("owner", "DELETE", assignment(vault, newID), "")
	if del.m["name"] != newID {
		t.Error(del.text)
	}
	if r := b.do("owner", "DELETE", assignment(vault, newID), ""); r.status != 204 || r.text != "" {
		t.Errorf("again: %d %s", r.status, r.text)
	}
	b.do("owner", "GET", assignment(vault, newID), "").refused(t, 404, "RoleAssignmentNotFound")
	if r := b.do("owner", "PUT", assignment(vault, newID), body); r.status != 201 {
		t.Errorf("made again under the same name: %d %s", r.status, r.text)
	}
}

func TestRoleAssignmentsThatAreRefused(t *testing.T) {
	b := newBench(t)
	reader := func(principal, more string) string { return properties(world.RoleReader, principal, more) }
	if r := b.do("owner", "PUT", assignment(group, newID), reader(noneID, "")); r.status != 201 {
		t.Fatal(r.text)
	}
	for _, c := range []struct {
		name, as, target, body string
		status                 int
		code                   string
	}{
		{"the same under another name", "owner", assignment(strings.ToUpper(group), twoID), reader(noneID, ""), 409, "RoleAssignmentExists"},
		{"another principal under the name", "owner", assignment(group, newID), reader(miID, ""), 400, "RoleAssignmentUpdateNotPermitted"},
		{"another role under the name", "owner", assignment(group, newID), properties(world.RoleOwner, noneID, ""), 400, "RoleAssignmentUpdateNotPermitted"},
		{"another scope under the name", "owner", assignment(sub, newID), reader(noneID, ""), 400, "RoleAssignmentUpdateNotPermitted"},
		{"an unknown principal", "owner", assignment(group, twoID), reader(newID, ""), 400, "PrincipalNotFound"},
		{"an unknown principal, named as a user", "owner", assignment(group, twoID), reader(newID, `,"principalType":"User"`), 400, "PrincipalNotFound"},
		{"a principal of another type", "owner", assignment(group, twoID), reader(miID, `,"principalType":"User"`), 400, "UnmatchedPrincipalType"},
		{"a principal that is no id", "owner", assignment(group, twoID), reader("me@contoso", ""), 400, "InvalidPrincipalId"},
		{"an unknown role", "owner", assignment(group, twoID), properties(newID, noneID, ""), 400, "RoleDefinitionDoesNotExist"},
		{"no role", "owner", assignment(group, twoID), `{"properties":{"principalId":"` + noneID + `"}}`, 400, "InvalidRequestContent"},
		{"no properties", "owner", assignment(group, twoID), `{}`, 400, "InvalidRequestContent"},
		{"no JSON", "owner", assignment(group, twoID), `nonsense`, 400, "InvalidRequestContent"},
		{"a name that is no id", "owner", assignment(group, "mine"), reader(noneID, ""), 400, "InvalidRoleAssignmentId"},
		{"a condition that is not known", "owner", assignment(group, twoID), properties(world.RoleReader, noneID, `,"condition":"(1 == 1)","conditionVersion":"2.0"`), 400, "InvalidRoleAssignmentCondition"},
		{"a condition of an older version", "owner", assignment(group, twoID), properties(world.RoleReader, noneID, `,"condition":"ActionMatches{'*'}","conditionVersion":"1.0"`), 400, "InvalidRoleAssignmentCondition"},
		{"an absent group", "owner", assignment(sub+"/resourceGroups/none", twoID), reader(noneID, ""), 404, "ResourceGroupNotFound"},
		{"an absent vault", "owner", assignment(vault+"x", twoID), reader(noneID, ""), 404, "ResourceNotFound"},
		{"by a reader", "reader", assignment(group, twoID), reader(noneID, ""), 403, "AuthorizationFailed"},
		{"by one with a role for data", "data", assignment(vault, twoID), reader(noneID, ""), 403, "AuthorizationFailed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.do(c.as, "PUT", c.target, c.body).refused(t, c.status, c.code)
		})
	}
	exists := b.do("owner", "PUT", assignment(group, twoID), reader(noneID, ""))
	if want := "The role assignment already exists. The ID of the existing role assignment is cccccccc000040008000000000000001."; exists.message() != want {
		t.Error(exists.message())
	}
	missing := b.do("owner", "PUT", assignment(group, twoID), reader(newID, ""))
	if !strings.HasPrefix(missing.message(), "Principal cccccccc000040008000000000000001 does not exist in the directory "+tenantID+".") {
		t.Error(missing.message())
	}
	if r := b.do("owner", "PUT", assignment(vault+"/secrets/s", twoID), reader(newID, `,"principalType":"ServicePrincipal"`)); r.status != 201 {
		t.Errorf("an unknown service principal that is named as one, at a secret: %d %s", r.status, r.text)
	}
	b.w.Lock()
	b.w.Knobs.ARM.MaxRoleAssignments = 5
	b.w.Unlock()
	b.do("owner", "PUT", assignment(sub, "cccccccc-0000-4000-8000-000000000003"), reader(noneID, "")).refused(t, 400, "RoleAssignmentLimitExceeded")
}

func TestRemovingTakesThePermissionAndStaysAtItsScope(t *testing.T) {
	b := newBench(t)
	of := b.w.RoleAssignments[1].Name // the reader's, at the group
	b.do("reader", "DELETE", assignment(group, of), "").refused(t, 403, "AuthorizationFailed")
	if r := b.do("owner", "DELETE", assignment(sub, of), ""); r.status != 204 {
		t.Errorf("at another scope: %d %s", r.status, r.text)
	}
	b.ok("reader", "GET", group, "")
	b.ok("owner", "DELETE", assignment(group, of), "")
	b.do("reader", "GET", group, "").refused(t, 403, "AuthorizationFailed")
	if got := b.ok("reader", "GET", "/subscriptions", "").names(); got != "" {
		t.Errorf("the reader still sees %q", got)
	}
}

func TestRoleAssignmentsAreListedByScopeAndPrincipal(t *testing.T) {
	b := newBench(t)
	one, two, three := b.w.RoleAssignments[0].Name, b.w.RoleAssignments[1].Name, b.w.RoleAssignments[2].Name
	for _, c := range []struct{ scope, filter, want string }{
		{sub, "", one + " " + two + " " + three},
		{sub, "atScope()", one},
		{group, "atScope()", one + " " + two},
		{group, "", one + " " + two + " " + three},
		{vault, "atScope()", one + " " + two + " " + three},
		{sub + "/resourceGroups/rg-two", "", one},
		{vault, "principalId eq '" + readerID + "'", two},
		{sub, "principalId eq '" + strings.ToUpper(dataID) + "'", three},
		{sub, "assignedTo('" + readerID + "')", two},
		{sub, "atScope() and assignedTo('" + readerID + "')", ""},
		{sub, "principalId eq '" + noneID + "'", ""},
	} {
		target := c.scope + auth + "/roleAssignments"
		if c.filter != "" {
			target += filter(c.filter)
		}
		if got := b.ok("owner", "GET", target, "").names(); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.scope, c.filter, got, c.want)
		}
	}
	b.do("owner", "GET", sub+auth+"/roleAssignments"+filter("type eq 'x'"), "").refused(t, 400, "InvalidFilter")
	b.do("none", "GET", sub+auth+"/roleAssignments", "").refused(t, 403, "AuthorizationFailed")
	b.ok("reader", "GET", group+auth+"/roleAssignments", "")
	b.ok("owner", "DELETE", assignment(group, two), "")
	if got := b.ok("owner", "GET", group+auth+"/roleAssignments"+filter("atScope()"), "").names(); got != one {
		t.Errorf("after a removal: %q", got)
	}
}

func TestARemovedAssignmentHoldsOnTheDataPlaneUntilTheDelayIsOver(t *testing.T) {
	b := newBench(t)
	b.w.Lock()
	b.w.Knobs.ARM.RBACDelay = world.Duration(10 * time.Minute)
	b.w.Unlock()
	may := func() bool {
		b.w.Lock()
		defer b.w.Unlock()
		return b.w.AllowedData(dataID, "Microsoft.KeyVault/vaults/secrets/getSecret/action", vault+"/secrets/x")
	}
	of := b.w.RoleAssignments[2].Name
	b.ok("owner", "DELETE", assignment(vault, of), "")
	if !may() {
		t.Error("the removal reached the data plane at once")
	}
	b.do("owner", "PUT", assignment(group, newID), properties(world.RoleReader, noneID, ""))
	if !may() {
		t.Error("another assignment made the removal effective")
	}
	b.w.Advance(10 * time.Minute)
	if may() {
		t.Error("the removal never reaches the data plane")
	}
	b.do("owner", "PUT", assignment(group, twoID), properties(world.RoleReader, miID, ""))
	if n := len(b.w.RoleAssignments); n != 4 {
		t.Errorf("%d assignments are kept, want 4", n)
	}
}
