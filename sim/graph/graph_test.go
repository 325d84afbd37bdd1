package graph

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// bed is the service over the built-in world, under a clock that stands still.
type bed struct {
	*Service
	t   *testing.T
	now time.Time
}

func newBed(t *testing.T) *bed {
	x := &bed{t: t, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	x.Service = New(world.New(world.BuiltIn(), func() time.Time { return x.now }))
	return x
}

func (x *bed) app(clientID string) *world.App {
	x.t.Helper()
	i := slices.IndexFunc(x.w.Apps, func(a *world.App) bool { return a.ClientID == clientID })
	if i < 0 {
		x.t.Fatalf("no app %s", clientID)
	}
	return x.w.Apps[i]
}

func (x *bed) user(name string) *world.User {
	x.t.Helper()
	i := slices.IndexFunc(x.w.Users, func(u *world.User) bool { return strings.HasPrefix(u.UPN, name+"@") })
	if i < 0 {
		x.t.Fatalf("no user %s", name)
	}
	return x.w.Users[i]
}

// as is an application's token with these permissions.
func (x *bed) as(objectID, appID string, roles ...string) string {
	raw := "token of " + objectID + " for [" + strings.Join(roles, " ") + "]"
	x.w.AddToken(raw, world.Token{Tenant: world.TenantID, ObjectID: objectID, AppID: appID, Name: "caller", Audience: audience, Roles: roles, Expires: x.now.AddDate(100, 0, 0)})
	return raw
}

// stranger owns nothing.
const strangerID, strangerApp = "53f1dcd8-d7d5-44f8-8ff4-15b0a4f74a76", "d894a33b-e9e4-4873-bbcb-a8a4aba0114d"

func (x *bed) with(roles ...string) string { return x.as(strangerID, strangerApp, roles...) }

// worker is the managed identity that owns most apps.
func (x *bed) worker(roles ...string) string {
	m := x.w.ManagedIdentities[0]
	return x.as(m.ID, m.ClientID, roles...)
}

// person is a user's token with delegated scopes.
func (x *bed) person(name string, scopes ...string) string {
	u := x.user(name)
	raw := "token of " + name + " for [" + strings.Join(scopes, " ") + "]"
	x.w.AddToken(raw, world.Token{Tenant: world.TenantID, ObjectID: u.ID, AppID: world.ClientAzureCLI, Name: u.UPN, User: true, Audience: audience, Scopes: scopes, Expires: x.now.AddDate(100, 0, 0)})
	return raw
}

type response struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   map[string]any
}

func (x *bed) send(token, method, path, body string, headers ...string) response {
	x.t.Helper()
	u := path
	if !strings.HasPrefix(path, "https://") {
		u = Root + path
	}
	r := httptest.NewRequest(method, strings.ReplaceAll(u, " ", "%20"), strings.NewReader(body))
	wire.WithBody(r, []byte(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	x.ServeHTTP(rec, r)
	out := response{t: x.t, what: method + " " + path, status: rec.Code, header: rec.Header()}
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &out.body); err != nil {
			x.t.Fatalf("%s: %q: %v", out.what, rec.Body, err)
		}
	}
	return out
}

func (x *bed) get(token, path string) response { x.t.Helper(); return x.send(token, "GET", path, "") }
func (x *bed) post(token, path, body string) response {
	x.t.Helper()
	return x.send(token, "POST", path, body)
}
func (x *bed) patch(token, path, body string) response {
	x.t.Helper()
	return x.send(token, "PATCH", path, body)
}
func (x *bed) delete(token, path string) response {
	x.t.Helper()
	return x.send(token, "DELETE", path, "")
}

func (r response) is(status int) response {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: %d %v; want %d", r.what, r.status, r.body, status)
	}
	return r
}

// refused wants an error of this status and code, with a part of its message.
func (r response) refused(status int, code, part string) {
	r.t.Helper()
	e, _ := r.body["error"].(map[string]any)
	message, _ := e["message"].(string)
	if r.status != status || e["code"] != code || !strings.Contains(message, part) {
		r.t.Errorf("%s: %d %v; want %d %s with %q", r.what, r.status, r.body, status, code, part)
	}
}

func (r response) text(member string) string {
	s, _ := r.body[member].(string)
	return s
}

// values are the entities of a list.
func (r response) values() (out []map[string]any) {
	list, _ := r.body["value"].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

func (r response) names(member string) (out []string) {
	for _, v := range r.values() {
		s, _ := v[member].(string)
		out = append(out, s)
	}
	return out
}

func TestNothingIsAnsweredWithoutATokenForGraph(t *testing.T) {
	x := newBed(t)
	x.w.AddToken("vault token", world.Token{Tenant: world.TenantID, Audience: "https://vault.azure.net", Roles: []string{appWrite}, Expires: x.now.Add(time.Hour)})
	x.w.AddToken("old token", world.Token{Tenant: world.TenantID, Audience: audience, Roles: []string{appWrite}, Expires: x.now})
	for token, part := range map[string]string{"": "empty", "made up": "not well formed", "vault token": "audience", "old token": "expired"} {
		r := x.get(token, "/applications")
		r.refused(401, "InvalidAuthenticationToken", part)
		if !strings.Contains(r.header.Get("WWW-Authenticate"), "authorization_uri=") {
			t.Errorf("%q: no challenge", token)
		}
	}
}

func TestAnErrorHasTheRecordedForm(t *testing.T) {
	x := newBed(t)
	r := x.send(x.with(appWrite), "GET", "/applications/0b3b01c9-0000-4a51-8436-56805bba4533", "", "client-request-id", "mine")
	r.refused(404, "Request_ResourceNotFound", "Resource '0b3b01c9-0000-4a51-8436-56805bba4533' does not exist")
	inner := r.body["error"].(map[string]any)["innerError"].(map[string]any)
	if inner["date"] != "2026-11-21T10:00:00" || inner["client-request-id"] != "mine" || inner["request-id"] == "" {
		t.Errorf("%v", inner)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %s", got)
	}
}

func TestWhatIsNotSimulatedSaysSo(t *testing.T) {
	x := newBed(t)
	token := x.with(appWrite)
	for _, path := range []string{"/sites", "/applications/x/y", "https://graph.microsoft.com/beta/applications", "https://graph.windows.net/v1.0/applications", "/"} {
		x.get(token, path).refused(501, "NotImplemented", "does not have this part")
	}
}

func TestOperationsHaveNames(t *testing.T) {
	x := newBed(t)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/applications", "ListApplications"},
		{"GET", "/Applications/1", "GetApplication"},
		{"GET", "/applications(appId='1')", "GetApplication"},
		{"POST", "/applications(appId='1')/addPassword", "AddPassword"},
		{"POST", "/applications/1/microsoft.graph.addPassword", "AddPassword"},
		{"POST", "/servicePrincipals/1/removeKey", "RemoveServicePrincipalKey"},
		{"POST", "/applications/1/owners/$ref", "AddOwner"},
		{"DELETE", "/applications/1/owners/2/$ref", "RemoveOwner"},
		{"PATCH", "/users/sa%40sim.test", "UpdateUser"},
		{"POST", "/directoryObjects/getByIds", "GetByIds"},
		{"POST", "/$batch", "Batch"},
		{"PUT", "/applications/1", "unknown"},
	} {
		if got := x.Operation(httptest.NewRequest(c.method, Root+c.path, nil)); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.method, c.path, got, c.want)
		}
	}
}

// Everything else that these tests do would pass, too, if a secret came back in a list.
func TestASecretIsInTheAnswerThatMadeItAlone(t *testing.T) {
	x := newBed(t)
	token := x.with(appWrite, "Directory.ReadWrite.All", "User.ReadWrite.All", "RoleManagement.ReadWrite.Directory", "Group.Read.All")
	made := x.post(token, "/applications(appId='"+world.AppBilling+"')/addPassword", `{"passwordCredential":{"displayName":"new"}}`).is(200)
	if !strings.Contains(made.text("secretText"), world.Canary) {
		t.Fatal("the secret carries no canary: this test could not fail")
	}
	x.w.Lock()
	secrets := x.w.Secrets()
	x.w.Unlock()
	for _, path := range []string{
		"/applications?$top=999", "/applications?$expand=owners", "/servicePrincipals", "/users", "/groups",
		"/applications(appId='" + world.AppBilling + "')", "/applications(appId='" + world.AppBilling + "')?$select=passwordCredentials",
		"/users/" + x.user("svc-batch").ID + "?$select=passwordProfile",
	} {
		b, err := json.Marshal(x.get(token, path).is(200).body)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range secrets {
			if strings.Contains(string(b), v) {
				t.Errorf("%s shows a secret of %d characters", path, len(v))
			}
		}
	}
}

func TestWhatAClientSendsIsRemembered(t *testing.T) {
	x := newBed(t)
	x.patch("made up token", "/users/nobody", `{"passwordProfile":{"password":"a password that is sent"}}`)
	x.w.Lock()
	defer x.w.Unlock()
	for _, v := range []string{"a password that is sent", "made up token"} {
		if !slices.Contains(x.w.Secrets(), v) {
			t.Errorf("the world does not remember %q", v)
		}
	}
}
