package graph

import (
	"slices"
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

// Who may do what: "" is allowed.
func TestAuthorizationIsByPermissionOwnershipAndRole(t *testing.T) {
	const (
		no = "Authorization_RequestDenied"
		in = `{"passwordCredential":{"displayName":"x"}}`
		// What the application owns is not what it does not.
		owned, foreign = world.AppDeploy, world.AppBilling
	)
	worker := func(roles ...string) func(*bed) string { return func(x *bed) string { return x.worker(roles...) } }
	person := func(name string, scopes ...string) func(*bed) string {
		return func(x *bed) string { return x.person(name, scopes...) }
	}
	itself := func(x *bed) string { a := x.app(owned); return x.as(a.ServicePrincipalID, a.ClientID) }
	for _, c := range []struct {
		why          string
		as           func(*bed) string
		method, path string
		body         string
		code         string
	}{
		{"OwnedBy: a secret of an own app", worker(ownedBy), "POST", byApp(owned) + "/addPassword", in, ""},
		{"OwnedBy: a secret of another app", worker(ownedBy), "POST", byApp(foreign) + "/addPassword", in, no},
		{"OwnedBy: its service principal, which is another object", worker(ownedBy), "POST", "/servicePrincipals(appId='" + owned + "')/addPassword", in, no},
		{"OwnedBy: all applications", worker(ownedBy), "GET", "/applications", "", ""},
		{"OwnedBy: another app", worker(ownedBy), "GET", byApp(foreign), "", ""},
		{"OwnedBy: owners of an own app", worker(ownedBy), "POST", byApp(owned) + "/owners/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/f1b037aa-0a89-40d5-9e68-8304d672b3e9"}`, ""},
		{"OwnedBy: owners of another app", worker(ownedBy), "POST", byApp(foreign) + "/owners/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/f1b037aa-0a89-40d5-9e68-8304d672b3e9"}`, no},
		{"OwnedBy: deleting another app", worker(ownedBy), "DELETE", byApp(foreign), "", no},
		{"All: a secret of any app", worker(appWrite), "POST", byApp(foreign) + "/addPassword", in, ""},
		{"reading is not writing", worker("Application.Read.All"), "POST", byApp(owned) + "/addPassword", in, no},
		{"Directory.ReadWrite.All does not reach credentials", worker("Directory.ReadWrite.All"), "POST", byApp(owned) + "/addPassword", in, no},
		{"owning without a permission is nothing", worker(), "POST", byApp(owned) + "/addPassword", in, no},
		{"owning without a permission reads nothing", worker(), "GET", byApp(owned), "", no},
		{"nobody learns what is not there", worker(), "GET", byApp(unknownKey), "", no},
		{"an app reads itself", itself, "GET", byApp(owned), "", ""},
		{"an app reads its own service principal", itself, "GET", "/servicePrincipals(appId='" + owned + "')", "", ""},
		{"an app reads no other", itself, "GET", byApp(foreign), "", no},
		{"an app adds no secret to itself", itself, "POST", byApp(owned) + "/addPassword", in, no},
		{"users are another permission", worker(appWrite), "GET", "/users", "", no},
		{"groups are another permission", worker(appWrite), "GET", "/groups", "", no},
		{"roles are another permission", worker(appWrite), "POST", "/roleManagement/directory/roleAssignments", `{}`, no},
		{"policies are another permission", worker(appWrite), "GET", "/policies/defaultAppManagementPolicy", "", no},
		{"policies", worker("Policy.Read.All"), "GET", "/policies/defaultAppManagementPolicy", "", ""},

		{"a user who owns the app", person("alex", appWrite), "POST", byApp(owned) + "/addPassword", in, ""},
		{"a user who administers apps", person("dana", appWrite), "POST", byApp(foreign) + "/addPassword", in, ""},
		{"a user who is neither", person("kim", appWrite), "POST", byApp(foreign) + "/addPassword", in, no},
		{"a user whose client may not", person("alex", "Application.Read.All"), "POST", byApp(owned) + "/addPassword", in, no},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newBed(t)
			r := x.send(c.as(x), c.method, c.path, c.body)
			if c.code != "" {
				r.refused(403, c.code, "Insufficient privileges")
			} else if r.status >= 300 {
				t.Errorf("%d %v", r.status, r.body)
			}
		})
	}
}

func TestOwnedByCanBeMadeToReadOwnAppsOnly(t *testing.T) {
	x := newBed(t)
	x.w.Knobs.Graph.OwnedByReadsOwnedOnly = true
	token := x.worker(ownedBy)
	got := x.get(token, "/applications").is(200).names("displayName")
	slices.Sort(got)
	if want := []string{"deploy-platform", "reporting-shared", "shop-web", "signing-service"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	x.get(token, byApp(world.AppBilling)).refused(403, "Authorization_RequestDenied", "")
	x.get(token, byApp(world.AppDeploy)).is(200)
}

func TestOwnersComeAndGo(t *testing.T) {
	x := newBed(t)
	token := x.with(appWrite, "Group.Read.All", "User.Read.All")
	path := byApp(world.AppBilling)
	if got := x.get(token, path+"/owners").is(200).values(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	group := x.get(token, "/groups?$filter=displayName eq 'Application administrators'").is(200).values()[0]["id"].(string)
	members := x.get(token, "/groups/"+group+"/members").is(200)
	if got := members.names("displayName"); !slices.Contains(got, "Dana") || len(got) != 2 {
		t.Fatalf("members %q", got)
	}
	ref := func(id string) string { return `{"@odata.id":"https://graph.microsoft.com/v1.0/users/` + id + `"}` }
	for _, id := range members.names("id") {
		x.post(token, path+"/owners/$ref", ref(id)).is(204)
	}
	r := x.get(token, path+"/owners").is(200)
	if got := r.names("@odata.type"); !slices.Equal(got, []string{"#microsoft.graph.user", "#microsoft.graph.user"}) || r.values()[0]["userPrincipalName"] == nil {
		t.Errorf("%v", r.body)
	}
	if got := x.get(token, path+"?$expand=owners($select=id)").is(200).body["owners"].([]any); len(got) != 2 {
		t.Errorf("expanded: %v", got)
	}
	if got := x.get(token, path+"/owners/$ref").is(200).names("@odata.id"); len(got) != 2 {
		t.Errorf("%q", got)
	}
	first := members.names("id")[0]
	x.post(token, path+"/owners/$ref", ref(first)).refused(400, "Request_BadRequest", "added object references already exist")
	x.post(token, path+"/owners/$ref", ref(group)).refused(400, "Request_BadRequest", "of type 'Group' is invalid for the 'owners' reference")
	x.post(token, path+"/owners/$ref", ref(unknownKey)).refused(404, "Request_ResourceNotFound", unknownKey)
	x.post(token, path+"/owners/$ref", `{"@odata.id":"https://elsewhere.example/`+first+`"}`).refused(400, "Request_BadRequest", "@odata.id")
	x.delete(token, path+"/owners/"+first+"/$ref").is(204)
	x.delete(token, path+"/owners/"+first+"/$ref").refused(404, "Request_ResourceNotFound", first)

	x.w.Knobs.Graph.OwnersNeedDirectory = true
	x.post(token, path+"/owners/$ref", ref(first)).refused(403, "Authorization_RequestDenied", "Insufficient privileges")
	x.post(x.with(appWrite, "Directory.Read.All"), path+"/owners/$ref", ref(first)).is(204)
	x.delete(token, path+"/owners/"+first+"/$ref").is(204)

	// Who may not read users is told that there is one.
	blind := x.get(x.with(appWrite), path+"/owners").is(200).values()
	if len(blind) != 1 || blind[0]["id"] == nil || blind[0]["displayName"] != nil {
		t.Errorf("%v", blind)
	}
}
