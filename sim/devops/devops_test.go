package devops_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/devops"
	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// start is the time of every test's world: before the retirement of global PATs, and not on a round third of a
// second, so that rounding shows.
var start = time.Date(2026, 3, 2, 10, 0, 0, 101_000_000, time.UTC)

const (
	pats   = "https://vssps.dev.azure.com/contoso/_apis/tokens/pats"
	whoami = "https://dev.azure.com/contoso/_apis/connectionData"

	alice    = "a11ce000-0000-4000-8000-000000000001" // member of both organisations
	bob      = "b0b00000-0000-4000-8000-000000000002" // member of contoso
	stranger = "57a46e00-0000-4000-8000-000000000003" // member of none
	robot    = "40b07000-0000-4000-8000-000000000004" // service principal, member of contoso

	contosoID  = "c0000000-0000-4000-8000-00000000000c"
	fabrikamID = "f0000000-0000-4000-8000-00000000000f"
	platformID = "3c8e5b72-9d14-4f6a-8b2e-7a5c1d9e4f21"
)

// env is one service over a small world of its own, with a clock that stands still.
type env struct {
	t      testing.TB
	w      *world.World
	s      *devops.Service
	k      *world.DevOpsKnobs
	tokens int
}

func newEnv(t testing.TB) *env {
	t.Helper()
	user := func(id, name string) *world.User {
		return &world.User{ID: id, TenantID: world.TenantID, UPN: name + "@contoso.onmicrosoft.com", Name: name}
	}
	w := world.New(world.State{
		Seed:  7,
		Users: []*world.User{user(alice, "alice"), user(bob, "bob"), user(stranger, "stranger")},
		Organizations: []*world.Organization{
			{
				ID: contosoID, Name: "contoso", TenantID: world.TenantID, Members: []string{alice, bob, robot},
				Projects: []*world.Project{{ID: platformID, Name: "platform"}, {ID: "3c8e5b72-9d14-4f6a-8b2e-7a5c1d9e4f22", Name: "web app"}, {ID: "3c8e5b72-9d14-4f6a-8b2e-7a5c1d9e4f23", Name: "tools"}},
			},
			{ID: fabrikamID, Name: "fabrikam", TenantID: world.TenantID, Members: []string{alice}},
			{ID: "50000000-0000-4000-8000-000000000005", Name: "stopped", TenantID: world.TenantID, Members: []string{alice}, Stopped: true},
		},
	}, func() time.Time { return start })
	return newEnvOf(t, w)
}

func newEnvOf(t testing.TB, w *world.World) *env {
	return &env{t: t, w: w, s: devops.New(w), k: &w.Knobs.DevOps}
}

// issue records an Entra token as issued, and returns the Authorization header that carries it.
func (e *env) issue(change func(*world.Token)) string {
	e.w.Lock()
	defer e.w.Unlock()
	e.tokens++
	raw := fmt.Sprintf("eyJhbGciOiJSUzI1NiJ9.%s%04d.c2ln", world.Canary, e.tokens)
	tok := world.Token{
		Tenant: world.TenantID, ObjectID: alice, Name: "alice@contoso.onmicrosoft.com", User: true,
		Audience: world.AzureDevOps, Expires: e.w.Now().Add(1000 * 24 * time.Hour),
	}
	change(&tok)
	e.w.AddToken(raw, tok)
	return "Bearer " + raw
}

func (e *env) bearer(user string, scopes ...string) string {
	return e.issue(func(t *world.Token) { t.ObjectID, t.Scopes = user, scopes })
}

// owner is alice, with what the PAT API needs.
func (e *env) owner() string { return e.bearer(alice, "vso.pats", "vso.pats_manage") }

func (e *env) app() string {
	return e.issue(func(t *world.Token) { t.ObjectID, t.Name, t.User = robot, "robot", false })
}

func basic(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("any:"+password))
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
	call   wire.Call
}

// do sends a request; headers are name, value, name, value.
func (e *env) do(method, address, auth, body string, headers ...string) answer {
	e.t.Helper()
	r := httptest.NewRequest(method, address, strings.NewReader(body))
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	var call wire.Call
	rec := httptest.NewRecorder()
	e.s.ServeHTTP(rec, r.WithContext(wire.WithCall(r.Context(), &call)))
	return answer{e.t, rec.Code, rec.Header(), rec.Body.Bytes(), call}
}

const v71 = "?api-version=7.1-preview.1"

func (e *env) get(address, auth string, headers ...string) answer {
	e.t.Helper()
	return e.do("GET", address, auth, "", headers...)
}

// object is the JSON body of the answer, which may start with a byte order mark.
func (a answer) object() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(bytes.TrimPrefix(a.body, []byte("\ufeff")), &v); err != nil {
		a.t.Fatalf("status %d, body %q: %v", a.status, a.body, err)
	}
	return v
}

// pat is the patToken of the answer, which must be a success.
func (a answer) pat() map[string]any {
	a.t.Helper()
	if a.status != 200 {
		a.t.Fatalf("status %d, body %s; want a PAT", a.status, a.body)
	}
	o := a.object()
	p, ok := o["patToken"].(map[string]any)
	if !ok || o["patTokenError"] != "none" {
		a.t.Fatalf("body %s; want a PAT", a.body)
	}
	return p
}

// refused says which patTokenError came, with status 200 and no PAT.
func (a answer) refused(want string) {
	a.t.Helper()
	if a.status != 200 {
		a.t.Fatalf("status %d, body %s; want 200 with %s", a.status, a.body, want)
	}
	if o := a.object(); o["patToken"] != nil || o["patTokenError"] != want {
		a.t.Fatalf("body %s; want null and %s", a.body, want)
	}
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, body %s; want %d", a.status, a.body, status)
	}
	return a
}

func (e *env) create(auth, body string) answer {
	e.t.Helper()
	return e.do("POST", pats+v71, auth, body)
}

// newPat creates a PAT and returns its value and its id.
func (e *env) newPat(auth, name, scope string, life time.Duration) (value, id string) {
	e.t.Helper()
	p := e.create(auth, fmt.Sprintf(`{"displayName":%q,"scope":%q,"validTo":%q,"allOrgs":false}`, name, scope, e.now().Add(life).Format(time.RFC3339Nano))).pat()
	return p["token"].(string), p["authorizationId"].(string)
}

func (e *env) now() time.Time {
	e.w.Lock()
	defer e.w.Unlock()
	return e.w.Now()
}

// names lists the display names of one page.
func (a answer) names() []string {
	a.t.Helper()
	if a.status != 200 {
		a.t.Fatalf("status %d, body %s; want a list", a.status, a.body)
	}
	var page struct {
		PatTokens []struct{ DisplayName string }
	}
	if err := json.Unmarshal(a.body, &page); err != nil {
		a.t.Fatalf("body %s: %v", a.body, err)
	}
	names := []string{}
	for _, p := range page.PatTokens {
		names = append(names, p.DisplayName)
	}
	return names
}

func wantNames(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("names %q, want %q", got, want)
	}
}

const day = 24 * time.Hour
