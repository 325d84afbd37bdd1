package keyvault

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	tenantID = "11111111-1111-4111-8111-111111111111"
	otherID  = "22222222-2222-4222-8222-222222222222"
	subID    = "33333333-3333-4333-8333-333333333333"
)

// bench is a world with vault "kv-one", a token for a principal with every data action ("officer") and what a test
// adds to it.
type bench struct {
	t testing.TB
	w *world.World
	s *Service
	v *world.Vault
}

func newBench(t testing.TB) *bench {
	t.Helper()
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	v := &world.Vault{Name: "kv-one", SubscriptionID: subID, ResourceGroup: "rg", Location: "westeurope", TenantID: tenantID, SoftDeleteDays: 7}
	two := &world.Vault{Name: "kv-two", SubscriptionID: subID, ResourceGroup: "rg", Location: "westeurope", TenantID: tenantID, SoftDeleteDays: 90, PurgeProtection: true}
	w := world.New(world.State{Schema: 1, Seed: 7, Vaults: []*world.Vault{v, two}}, func() time.Time { return start })
	b := &bench{t: t, w: w, s: New(w), v: v}
	b.principal("officer", world.RoleKeyVaultOfficer, v.ResourceID())
	w.RoleAssignments = append(w.RoleAssignments, &world.RoleAssignment{Name: "two", PrincipalID: "officer", RoleID: world.RoleKeyVaultOfficer, Scope: two.ResourceID()})
	return b
}

func (b *bench) principal(name, role, scope string) {
	b.w.Lock()
	defer b.w.Unlock()
	b.w.AddToken("token-of-"+name, world.Token{Tenant: tenantID, ObjectID: name, AppID: "app-of-" + name, Name: name, Audience: resource, Expires: b.w.Now().Add(24 * time.Hour)})
	if role != "" {
		b.w.RoleAssignments = append(b.w.RoleAssignments, &world.RoleAssignment{Name: name, PrincipalID: name, RoleID: role, Scope: scope})
	}
}

type reply struct {
	status int
	header http.Header
	text   string
	m      map[string]any
}

// do sends a request to kv-one as a principal ("" for none).
func (b *bench) do(as, method, target, body string) reply {
	b.t.Helper()
	return b.at("kv-one.vault.azure.net", as, method, target, body)
}

func (b *bench) at(host, as, method, target, body string) reply {
	b.t.Helper()
	if !strings.Contains(target, "?") && as != "" {
		target += "?api-version=7.4"
	}
	r := httptest.NewRequest(method, "https://"+host+target, strings.NewReader(body))
	if as != "" {
		r.Header.Set("Authorization", "Bearer token-of-"+as)
	}
	return b.send(r)
}

func (b *bench) send(r *http.Request) reply {
	b.t.Helper()
	rec := httptest.NewRecorder()
	b.s.ServeHTTP(rec, r)
	out := reply{status: rec.Code, header: rec.Header(), text: rec.Body.String()}
	if strings.HasPrefix(out.text, "{") {
		if err := json.Unmarshal([]byte(out.text), &out.m); err != nil {
			b.t.Fatalf("%s %s: %v in %s", r.Method, r.URL, err, out.text)
		}
	}
	return out
}

func (b *bench) ok(as, method, target, body string) reply {
	b.t.Helper()
	r := b.do(as, method, target, body)
	if r.status != 200 {
		b.t.Fatalf("%s %s: status %d: %s", method, target, r.status, r.text)
	}
	return r
}

// refused wants a status, an error code and an inner code ("" for none).
func (r reply) refused(t testing.TB, status int, code, inner string) {
	t.Helper()
	e, _ := r.m["error"].(map[string]any)
	ie, _ := e["innererror"].(map[string]any)
	gotInner, _ := ie["code"].(string)
	if r.status != status || e["code"] != code || gotInner != inner {
		t.Errorf("got %d %s, want %d %s/%s", r.status, r.text, status, code, inner)
	}
}

func (r reply) message() string {
	e, _ := r.m["error"].(map[string]any)
	s, _ := e["message"].(string)
	return s
}

func (b *bench) knobs(f func(*world.KeyVaultKnobs)) {
	b.w.Lock()
	defer b.w.Unlock()
	f(&b.w.Knobs.KeyVault)
}

func TestUnauthenticatedRequestsGetTheChallengeWhateverTheyAre(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ method, target, body string }{
		{"GET", "/secrets/a?api-version=7.4", ""},
		{"PUT", "/secrets/a?api-version=7.4", ""},
		{"PUT", "/secrets/a", `{"value":"some-value"}`},
		{"PATCH", "/secrets/a/", "not json"},
		{"DELETE", "/secrets/!!", ""},
		{"GET", "/nothing/here/at/all", ""},
		{"OPTIONS", "/", ""},
		{"POST", "/deletedsecrets/a/recover", ""},
	} {
		r := b.do("", c.method, c.target, c.body)
		r.refused(t, 401, "Unauthorized", "")
		want := `Bearer authorization="https://login.microsoftonline.com/` + tenantID + `", resource="https://vault.azure.net"`
		if got := r.header.Get("WWW-Authenticate"); got != want {
			t.Errorf("%s %s: challenge %q, want %q", c.method, c.target, got, want)
		}
		if r.message() != "AKV10000: Request is missing a Bearer or PoP token." {
			t.Errorf("%s %s: message %q", c.method, c.target, r.message())
		}
	}
}

func TestTokensThatThisVaultDoesNotAcceptAreRefusedWith401(t *testing.T) {
	b := newBench(t)
	b.w.Lock()
	good := world.Token{Tenant: tenantID, ObjectID: "officer", Name: "officer", Audience: resource, Expires: b.w.Now().Add(time.Hour)}
	foreign, late, graph := good, good, good
	foreign.Tenant = otherID
	late.Expires = b.w.Now()
	graph.Audience = "https://graph.microsoft.com"
	b.w.AddToken("token-of-foreign", foreign)
	b.w.AddToken("token-of-late", late)
	b.w.AddToken("token-of-graph", graph)
	b.w.Unlock()

	for _, c := range []struct {
		name, as, message string
		invalid           bool
	}{
		{"of another tenant", "foreign", "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/" + tenantID + "/, found https://sts.windows.net/" + otherID + "/.", false},
		{"expired", "late", "[TokenExpired] Error validating token: 'S2S12086'.", true},
		{"for another resource", "graph", "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://graph.microsoft.com.", true},
		{"never issued", "nobody", "AKV10046: Unable to resolve the key used for signature validation.", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := b.do(c.as, "GET", "/secrets/a", "")
			r.refused(t, 401, "Unauthorized", "")
			if r.message() != c.message {
				t.Errorf("message %q, want %q", r.message(), c.message)
			}
			ch := r.header.Get("WWW-Authenticate")
			if !strings.HasPrefix(ch, "Bearer authorization=") || strings.Contains(ch, `, error="invalid_token"`) != c.invalid {
				t.Errorf("challenge %q", ch)
			}
			for _, part := range strings.Fields(ch)[1:] {
				if strings.Count(part, "=") != 1 {
					t.Errorf("challenge part %q does not hold exactly one =", part)
				}
			}
		})
	}
}

func TestATokenExpiresByTheClockOfTheWorld(t *testing.T) {
	b := newBench(t)
	b.ok("officer", "PUT", "/secrets/a", `{"value":"v"}`)
	b.w.Advance(24 * time.Hour)
	b.do("officer", "GET", "/secrets/a", "").refused(t, 401, "Unauthorized", "")
}

func TestAnUnknownVaultIsAnsweredPlainly(t *testing.T) {
	b := newBench(t)
	r := b.at("kv-none.vault.azure.net", "officer", "GET", "/secrets", "")
	if r.status != 404 || !strings.Contains(r.text, "kv-none") || !strings.Contains(r.text, "kv-one, kv-two") {
		t.Errorf("%d %s", r.status, r.text)
	}
}

func TestVaultNamesAndPortsOfTheHostDoNotMatter(t *testing.T) {
	b := newBench(t)
	if r := b.at("KV-One.vault.azure.net:443", "officer", "GET", "/secrets", ""); r.status != 200 {
		t.Errorf("%d %s", r.status, r.text)
	}
}

func TestApiVersions(t *testing.T) {
	b := newBench(t)
	for v, status := range map[string]int{
		"7.0": 200, "7.4": 200, "7.6": 200, "2025-07-01": 200, "2026-04-01": 200, "2031-01-01": 200, "8.1": 200, "7.6-preview.2": 200,
		"": 400, "seven": 400, "7": 400, "2026": 400, "7.4x": 400,
	} {
		r := b.do("officer", "GET", "/secrets?api-version="+v, "")
		if r.status != status {
			t.Errorf("%q: %d %s", v, r.status, r.text)
		}
		if status == 400 {
			r.refused(t, 400, "BadParameter", "")
		}
	}
	if r := b.do("officer", "GET", "/secrets?api%2Dversion=2025-07-01", ""); r.status != 200 {
		t.Errorf("with the key percent-encoded: %d %s", r.status, r.text)
	}
	b.do("officer", "GET", "/secrets?other=1", "").refused(t, 400, "BadParameter", "")
}

func TestOperationsAreNamedByWhatTheyAskForWhateverTheAuth(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ method, target, want string }{
		{"PUT", "/secrets/a", "SetSecret"},
		{"GET", "/secrets/a", "GetSecret"},
		{"GET", "/secrets/a/", "GetSecret"},
		{"GET", "//secrets/a", "GetSecret"},
		{"GET", "/Secrets/a/0123", "GetSecretVersion"},
		{"PATCH", "/secrets/a/", "UpdateSecret"},
		{"PATCH", "/secrets/a/0123", "UpdateSecret"},
		{"DELETE", "/secrets/a", "DeleteSecret"},
		{"GET", "/secrets", "GetSecrets"},
		{"GET", "/secrets/", "GetSecrets"},
		{"GET", "/secrets/a/versions", "GetSecretVersions"},
		{"GET", "/deletedsecrets", "GetDeletedSecrets"},
		{"GET", "/deletedsecrets/a", "GetDeletedSecret"},
		{"POST", "/deletedsecrets/a/recover", "RecoverDeletedSecret"},
		{"DELETE", "/deletedsecrets/a", "PurgeDeletedSecret"},
		{"POST", "/secrets/a/backup", "BackupSecret"},
		{"POST", "/secrets/restore", "RestoreSecret"},
		{"POST", "/secrets/a", "unknown"},
		{"GET", "/keys/a", "unknown"},
		{"GET", "/", "unknown"},
		{"GET", "/secrets/a/b/c", "unknown"},
	} {
		if got := b.s.Operation(httptest.NewRequest(c.method, "https://kv-one.vault.azure.net"+c.target, nil)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.target, got, c.want)
		}
	}
}

func TestAVerbCanBeOverriddenByHeader(t *testing.T) {
	b := newBench(t)
	b.ok("officer", "PUT", "/secrets/a", `{"value":"v"}`)
	for _, h := range []string{"X-HTTP-METHOD", "X-HTTP-REQUEST"} {
		r := httptest.NewRequest("POST", "https://kv-one.vault.azure.net/secrets/a?api-version=7.4", strings.NewReader(`{"tags":{"by":"`+h+`"}}`))
		r.Header.Set("Authorization", "Bearer token-of-officer")
		r.Header.Set(h, "PATCH")
		if got := b.send(r); got.status != 200 || fmt.Sprint(got.m["tags"]) != "map[by:"+h+"]" {
			t.Errorf("%s: %d %s", h, got.status, got.text)
		}
	}
}

func TestPathsThatAreNoOperation(t *testing.T) {
	b := newBench(t)
	b.do("officer", "PUT", "/secrets/", `{"value":"v"}`).refused(t, 405, "MethodNotAllowed", "")
	b.do("officer", "POST", "/secrets/a", "").refused(t, 405, "MethodNotAllowed", "")
	b.do("officer", "GET", "/keys", "").refused(t, 501, "NotImplemented", "")
	b.do("officer", "GET", "/elsewhere", "").refused(t, 404, "NotFound", "")
}

func TestEveryAnswerHasTheHeadersOfTheService(t *testing.T) {
	b := newBench(t)
	ids := map[string]bool{}
	for _, as := range []string{"officer", "", "nobody"} {
		r := b.do(as, "GET", "/secrets", "")
		for k, want := range map[string]string{
			"Cache-Control": "no-cache", "Pragma": "no-cache", "Expires": "-1", "X-Content-Type-Options": "nosniff",
			"x-ms-keyvault-region": "westeurope", "x-ms-keyvault-service-version": "1.9.640.1",
			"Strict-Transport-Security": "max-age=31536000;includeSubDomains",
			"Content-Type":              "application/json; charset=utf-8", "Date": "Sun, 01 Nov 2026 12:00:00 GMT",
		} {
			if got := r.header.Get(k); got != want {
				t.Errorf("%s: %q, want %q", k, got, want)
			}
		}
		ids[r.header.Get("x-ms-request-id")] = true
	}
	if len(ids) != 3 {
		t.Errorf("request ids are not distinct: %v", ids)
	}
}

func TestTheLogLearnsWhoCalledAndNothingElse(t *testing.T) {
	b := newBench(t)
	var c wire.Call
	r := httptest.NewRequest("GET", "https://kv-one.vault.azure.net/secrets?api-version=7.4", nil)
	r.Header.Set("Authorization", "bearer token-of-officer")
	r = r.WithContext(wire.WithCall(r.Context(), &c))
	if got := b.send(r); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	if want := (wire.Call{Principal: "officer"}); c != want {
		t.Errorf("%+v", c)
	}
}
