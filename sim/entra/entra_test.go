package entra

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	rekeyPublic   = "2bfcc342-eb74-4427-832c-db82f28995f4"
	consumer      = "fd81fa33-1d2b-404a-944f-c154958dbe92"
	administrator = "d894a33b-e9e4-4873-bbcb-a8a4aba0114d"
	ciApp         = "032af216-446e-4fb2-8dac-c20c0a93b12b"
	svcPAT        = "svc-devops-pat@contoso.onmicrosoft.com"
	svcMFA        = "svc-mfa@contoso.onmicrosoft.com"
	vaultScope    = "https://vault.azure.net/.default"
	patScopes     = world.AzureDevOps + "/vso.pats " + world.AzureDevOps + "/vso.pats_manage"
)

// sim is the service over the built-in world, under a clock that stands still.
type sim struct {
	*Service
	t   *testing.T
	now time.Time
}

func newSim(t *testing.T) *sim {
	x := &sim{t: t, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	x.Service = New(world.New(world.BuiltIn(), func() time.Time { return x.now }))
	return x
}

func (x *sim) app(clientID string) *world.App {
	for _, a := range x.w.Apps {
		if a.ClientID == clientID {
			return a
		}
	}
	x.t.Fatalf("no app %s", clientID)
	return nil
}

func (x *sim) account(upn string) *world.User {
	u, f := x.user(realm{alias: "common"}, upn)
	if f != nil {
		x.t.Fatal(f)
	}
	return u
}

type response struct {
	*httptest.ResponseRecorder
	call *wire.Call
}

func (x *sim) send(r *http.Request) response {
	call := &wire.Call{}
	rec := httptest.NewRecorder()
	x.ServeHTTP(rec, r.WithContext(wire.WithCall(r.Context(), call)))
	return response{rec, call}
}

func (x *sim) get(u string) response { return x.send(httptest.NewRequest("GET", u, nil)) }

func formRequest(u string, form url.Values) *http.Request {
	r := httptest.NewRequest("POST", u, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func (x *sim) post(u string, form url.Values) response { return x.send(formRequest(u, form)) }

func tokenURL(tenant string) string { return "https://" + Login + "/" + tenant + "/oauth2/v2.0/token" }

// pairs makes a form of name, value, name, value ...
func pairs(kv ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	return v
}

func with(base url.Values, kv ...string) url.Values {
	v := url.Values{}
	for k, x := range base {
		v[k] = slices.Clone(x)
	}
	for i := 0; i < len(kv); i += 2 {
		if kv[i+1] == "" {
			v.Del(kv[i])
			continue
		}
		v.Set(kv[i], kv[i+1])
	}
	return v
}

func (x *sim) token(form url.Values) response { return x.post(tokenURL(world.TenantID), form) }

func (r response) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.Body.Bytes(), &m); err != nil {
		t.Fatalf("status %d, body %q: %v", r.Code, r.Body, err)
	}
	return m
}

// ok wants a 200 and gives its members.
func (r response) ok(t *testing.T) map[string]any {
	t.Helper()
	if r.Code != http.StatusOK {
		t.Fatalf("status %d: %s", r.Code, r.Body)
	}
	return r.json(t)
}

// refused wants an error with a status, an OAuth name and an AADSTS code.
func (r response) refused(t *testing.T, status int, name string, code int) map[string]any {
	t.Helper()
	m := r.json(t)
	codes, _ := m["error_codes"].([]any)
	if r.Code != status || m["error"] != name || len(codes) != 1 || codes[0] != float64(code) {
		t.Fatalf("got %d %v %v (%v), want %d %s %d", r.Code, m["error"], codes, m["error_description"], status, name, code)
	}
	return m
}

func (x *sim) record(raw any) world.Token {
	x.t.Helper()
	s, _ := raw.(string)
	x.w.Lock()
	defer x.w.Unlock()
	tok, ok := x.w.TokenOf(s)
	if !ok {
		x.t.Fatal("the world does not know the token")
	}
	return tok
}

func claimsOf(t *testing.T, raw any) map[string]any {
	t.Helper()
	s, _ := raw.(string)
	j, ok := parseJWT(s)
	if !ok || !j.verifiedBy(&entraKey().key.PublicKey) {
		t.Fatal("not a JWT that Entra signed")
	}
	return j.claims
}

func members(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func wantMembers(t *testing.T, m map[string]any, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := members(m); !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
}

func TestOperationNames(t *testing.T) {
	x := newSim(t)
	for _, c := range []struct {
		method, url, grant, want string
	}{
		{"GET", "https://login.microsoftonline.com/common/.well-known/openid-configuration", "", "discovery"},
		{"GET", "https://login.windows.net:443/t/v2.0/.well-known/openid-configuration", "", "discovery"},
		{"GET", "https://login.microsoftonline.com/common/discovery/instance", "", "instance"},
		{"GET", "https://sts.windows.net/common/discovery/keys", "", "keys"},
		{"GET", "https://login.microsoftonline.com/common/discovery/v2.0/keys", "", "keys"},
		{"GET", "https://login.microsoftonline.com/common/UserRealm/a@b.c", "", "userrealm"},
		{"GET", "https://login.microsoftonline.com/t/oauth2/v2.0/authorize", "", "authorize"},
		{"POST", "https://login.microsoftonline.com/t/oauth2/v2.0/devicecode", "", "devicecode"},
		{"POST", "https://login.microsoftonline.com/T/OAuth2/V2.0/Token", "password", "token:password"},
		{"POST", "https://login.microsoftonline.com/t/oauth2/token", "client_credentials", "token:client_credentials"},
		{"POST", "https://login.microsoftonline.com/t/oauth2/v2.0/token", "refresh_token", "token:refresh_token"},
		{"POST", "https://login.microsoftonline.com/t/oauth2/v2.0/token", "authorization_code", "token:authorization_code"},
		{"POST", "https://login.microsoftonline.com/t/oauth2/v2.0/token", "urn:ietf:params:oauth:grant-type:device_code", "token:device_code"},
		{"POST", "https://login.microsoftonline.com/t/oauth2/v2.0/token", "telepathy", "unknown"},
		{"GET", "https://token.actions.githubusercontent.com/.well-known/jwks", "", "keys"},
		{"GET", "https://token.actions.githubusercontent.com/common/discovery/keys", "", "unknown"},
		{"GET", "https://login.microsoftonline.com/", "", "unknown"},
		{"GET", "https://login.microsoftonline.com/K\u212a/oauth2/elsewhere", "", "unknown"},
	} {
		r := formRequest(c.url, pairs("grant_type", c.grant))
		r.Method = c.method
		if got := x.Operation(r); got != c.want {
			t.Errorf("%s %s %s: %q, want %q", c.method, c.url, c.grant, got, c.want)
		}
		if form := wire.FormBody(r); form.Get("grant_type") != c.grant {
			t.Errorf("%s: Operation consumed the body", c.url)
		}
	}
}

func TestDiscoveryNamesOwnEndpointsAndIssuer(t *testing.T) {
	x := newSim(t)
	const id = world.TenantID
	for _, c := range []struct{ url, token, issuer, keys string }{
		{"https://login.microsoftonline.com/" + id + "/v2.0/", "https://login.microsoftonline.com/" + id + "/oauth2/v2.0/token", "https://login.microsoftonline.com/" + id + "/v2.0", "https://login.microsoftonline.com/" + id + "/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com/CONTOSO.onmicrosoft.com/v2.0/", "https://login.microsoftonline.com/" + id + "/oauth2/v2.0/token", "https://login.microsoftonline.com/" + id + "/v2.0", "https://login.microsoftonline.com/" + id + "/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com/organizations/v2.0/", "https://login.microsoftonline.com/organizations/oauth2/v2.0/token", "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/organizations/discovery/v2.0/keys"},
		{"https://login.windows.net/" + id + "/v2.0/", "https://login.windows.net/" + id + "/oauth2/v2.0/token", "https://login.microsoftonline.com/" + id + "/v2.0", "https://login.windows.net/" + id + "/discovery/v2.0/keys"},
		{"https://login.microsoftonline.com/common/", "https://login.microsoftonline.com/common/oauth2/token", "https://sts.windows.net/{tenantid}/", "https://login.microsoftonline.com/common/discovery/keys"},
		{"https://login.windows.net/" + id + "/", "https://login.windows.net/" + id + "/oauth2/token", "https://sts.windows.net/" + id + "/", "https://login.windows.net/" + id + "/discovery/keys"},
	} {
		m := x.get(c.url + ".well-known/openid-configuration").ok(t)
		if m["token_endpoint"] != c.token || m["issuer"] != c.issuer || m["jwks_uri"] != c.keys {
			t.Errorf("%s: %v, %v, %v", c.url, m["token_endpoint"], m["issuer"], m["jwks_uri"])
		}
		for _, k := range []string{"authorization_endpoint", "device_authorization_endpoint", "end_session_endpoint", "userinfo_endpoint", "kerberos_endpoint", "tenant_region_scope"} {
			if _, ok := m[k]; !ok {
				t.Errorf("%s: no %s", c.url, k)
			}
		}
	}
	for _, v := range []string{"/", "/v2.0/"} {
		x.get("https://login.microsoftonline.com/nobody.example"+v+".well-known/openid-configuration").refused(t, 400, "invalid_tenant", 90002)
	}
}

func TestKeysVerifyTokens(t *testing.T) {
	x := newSim(t)
	access := x.token(pairs("grant_type", "client_credentials", "client_id", consumer, "client_secret", x.app(consumer).Secrets[0].Value, "scope", vaultScope)).ok(t)["access_token"].(string)
	j, _ := parseJWT(access)
	for _, u := range []string{"https://login.microsoftonline.com/common/discovery/v2.0/keys", "https://login.windows.net/" + world.TenantID + "/discovery/keys"} {
		var set jwks
		if err := json.Unmarshal(x.get(u).Body.Bytes(), &set); err != nil {
			t.Fatal(err)
		}
		keys := publicKeys(set, j.header.Kid)
		if len(keys) != 1 || !j.verifiedBy(keys[0]) {
			t.Errorf("%s does not hold the key of the token", u)
		}
	}
}

func TestInstanceDiscoveryKnowsTheAliases(t *testing.T) {
	x := newSim(t)
	for _, version := range []string{"1.0", "1.1"} {
		m := x.get("https://login.microsoftonline.com/common/discovery/instance?api-version=" + version + "&authorization_endpoint=https%3A%2F%2Flogin.microsoftonline.com%2F" + world.TenantID + "%2Foauth2%2Fv2.0%2Fauthorize").ok(t)
		if m["tenant_discovery_endpoint"] != "https://login.microsoftonline.com/"+world.TenantID+"/v2.0/.well-known/openid-configuration" {
			t.Errorf("%v", m["tenant_discovery_endpoint"])
		}
		first := m["metadata"].([]any)[0].(map[string]any)
		if first["preferred_network"] != Login || len(first["aliases"].([]any)) != 4 {
			t.Errorf("%v", first)
		}
	}
	x.get("https://login.microsoftonline.com/common/discovery/instance?api-version=1.1&authorization_endpoint=https://evil.example/x/oauth2/authorize").refused(t, 400, "invalid_instance", 50049)
}

func TestUserRealm(t *testing.T) {
	x := newSim(t)
	for _, path := range []string{"userrealm", "UserRealm"} {
		m := x.get("https://login.microsoftonline.com/common/" + path + "/" + url.PathEscape(svcPAT) + "?api-version=1.0").ok(t)
		if m["account_type"] != "Managed" || m["domain_name"] != "contoso.onmicrosoft.com" || m["cloud_audience_urn"] != "urn:federation:MicrosoftOnline" {
			t.Errorf("%v", m)
		}
	}
	if m := x.get("https://login.microsoftonline.com/common/userrealm/a@elsewhere.example").ok(t); m["account_type"] != "Unknown" {
		t.Errorf("%v", m)
	}
}

func TestEveryAnswerHasTheHeadersOfTheRealService(t *testing.T) {
	x := newSim(t)
	r := formRequest(tokenURL(world.TenantID), pairs("grant_type", "password"))
	r.Header.Set("client-request-id", "7b0f2f3a-38c2-4a4e-9c57-5a2f2f1b9f10")
	r.Header.Set("return-client-request-id", "true")
	a := x.send(r)
	m := a.refused(t, 400, "invalid_request", 900144)
	wantMembers(t, m, "error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri")
	if m["correlation_id"] != "7b0f2f3a-38c2-4a4e-9c57-5a2f2f1b9f10" || a.Header().Get("client-request-id") != m["correlation_id"] {
		t.Errorf("correlation id %v", m["correlation_id"])
	}
	if m["timestamp"] != "2026-11-21 10:00:00Z" || a.Header().Get("x-ms-request-id") != m["trace_id"] {
		t.Errorf("%v, %v", m, a.Header())
	}
	want := "AADSTS900144: The request body must contain the following parameter: 'client_id'.\r\nTrace ID: " + m["trace_id"].(string) +
		"\r\nCorrelation ID: 7b0f2f3a-38c2-4a4e-9c57-5a2f2f1b9f10\r\nTimestamp: 2026-11-21 10:00:00Z"
	if m["error_description"] != want || m["error_uri"] != "https://login.microsoftonline.com/error?code=900144" {
		t.Errorf("%q, %v", m["error_description"], m["error_uri"])
	}
	for k, v := range map[string]string{"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Content-Type": "application/json; charset=utf-8"} {
		if a.Header().Get(k) != v {
			t.Errorf("%s: %q", k, a.Header().Get(k))
		}
	}
	if a := x.get("https://login.microsoftonline.com/what/ever"); a.Code != 404 {
		t.Errorf("an unknown path: %d", a.Code)
	}
	x.get(tokenURL(world.TenantID)).refused(t, 400, "invalid_request", 900561)
}
