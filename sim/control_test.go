package sim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// control calls the control port's handler as a loopback client does.
func control(t *testing.T, s *Server, method, path, body string, edit ...func(*http.Request)) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:4711"
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	s.controlHandler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestTheControlPortAnswersOverItsSocket(t *testing.T) {
	s, _ := newServer(t)
	e := start(t, s, ListenConfig{})
	resp, err := http.Get(e.Control + "/requests")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "[]" || resp.StatusCode != 200 {
		t.Errorf("%d %q %v", resp.StatusCode, b, err)
	}
}

func TestRequestsAreListedAndForgotten(t *testing.T) {
	s, _ := newServer(t)
	if _, body := control(t, s, "GET", "/requests", ""); body != "[]" {
		t.Errorf("with no requests it says %q", body)
	}
	get(t, &http.Client{Transport: s.Transport()}, probeURL)
	_, body := control(t, s, "GET", "/requests", "")
	var calls []map[string]any
	if err := json.Unmarshal([]byte(body), &calls); err != nil || len(calls) != 1 {
		t.Fatalf("%s, %v", body, err)
	}
	for _, member := range []string{"time", "method", "host", "path", "query", "status", "principal", "service", "operation"} {
		if _, ok := calls[0][member]; !ok {
			t.Errorf("%s is missing in %s", member, body)
		}
	}
	if code, _ := control(t, s, "DELETE", "/requests", ""); code != 204 || len(s.Requests()) != 0 {
		t.Errorf("%d, and %d are left", code, len(s.Requests()))
	}
}

func TestTheStateIsAWorldWithoutSecrets(t *testing.T) {
	s, _ := newServer(t)
	code, body := control(t, s, "GET", "/state", "")
	if code != 200 {
		t.Fatal(code, body)
	}
	state, err := world.Decode(strings.NewReader(body))
	if err != nil || len(state.Vaults) != len(world.BuiltIn().Vaults) {
		t.Errorf("it is not read as a world: %v", err)
	}
	for _, secret := range s.World().Secrets() {
		if strings.Contains(body, secret) {
			t.Error("it holds a secret")
		}
	}
}

func TestTheClockMovesForwardOnly(t *testing.T) {
	s, _ := newServer(t)
	for in, want := range map[string]time.Duration{`{"advance":"720h"}`: 720 * time.Hour, `{"advance":"30d"}`: 720 * time.Hour, `{"advance":"0s"}`: 0} {
		before := s.now()
		code, body := control(t, s, "POST", "/clock", in)
		var got struct{ Now time.Time }
		if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 {
			t.Fatal(code, body, err)
		}
		if moved := got.Now.Sub(before); moved < want || moved > want+time.Minute {
			t.Errorf("%s moved the clock by %v", in, moved)
		}
	}
	before := s.now()
	for in, want := range map[string]string{
		`{"advance":"-1h"}`: "never goes back", `{}`: "is missing", `{"advanse":"1h"}`: "unknown member advanse",
		`{"advance":5}`: "duration", ``: "no JSON", `{"advance":"soon"}`: "duration",
	} {
		if code, body := control(t, s, "POST", "/clock", in); code != 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", in, code, body)
		}
	}
	if s.now().Sub(before) > time.Hour {
		t.Error("a refused request moved the clock")
	}
	if code, body := control(t, s, "GET", "/clock", ""); code != 200 || !strings.Contains(body, `"now":"`) {
		t.Error(code, body)
	}
}

func TestKnobsAreMergedTogetherOrNotAtAll(t *testing.T) {
	s, _ := newServer(t)
	k := &s.World().Knobs
	if code, body := control(t, s, "PUT", "/knobs", `{"arm":{"rbacDelay":"5m"}}`); code != 200 || !strings.Contains(body, `"rbacDelay":"5m0s"`) {
		t.Fatal(code, body)
	}
	if code, body := control(t, s, "PUT", "/knobs", `{"devops":{"maxLifespan":"3d"}}`); code != 200 {
		t.Fatal(code, body)
	}
	if time.Duration(k.ARM.RBACDelay) != 5*time.Minute || time.Duration(k.DevOps.MaxLifespan) != 72*time.Hour {
		t.Errorf("knobs %+v", *k)
	}
	for in, want := range map[string]string{
		`{"arm":{"rbacDelay":"1m","rbakDelay":"9m"}}`:                   "unknown member arm.rbakDelay",
		`{"arm":{"rbacDelay":"1m"},"entra":{"newSecretDelay":"often"}}`: "knobs:",
	} {
		if code, body := control(t, s, "PUT", "/knobs", in); code != 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", in, code, body)
		}
	}
	if time.Duration(k.ARM.RBACDelay) != 5*time.Minute {
		t.Error("half of a refused change was made")
	}
	if _, body := control(t, s, "GET", "/knobs", ""); !strings.Contains(body, `"rbacDelay":"5m0s"`) {
		t.Error(body)
	}
}

func TestFaultsAreSetSeenAndCleared(t *testing.T) {
	s, _ := newServer(t)
	if code, body := control(t, s, "GET", "/faults", ""); code != 200 || body != "[]" {
		t.Error(code, body)
	}
	if code, body := control(t, s, "POST", "/faults", `{"service":"keyvault","nth":1,"do":"answer","status":500}`); code != 200 {
		t.Error(code, body)
	}
	if code, body := control(t, s, "POST", "/faults", `[{"do":"throttle","service":"keyvault","nth":2}]`); code != 200 {
		t.Error(code, body)
	}
	c := &http.Client{Transport: s.Transport()}
	for _, want := range []int{500, 429, 200} {
		if resp, _ := get(t, c, probeURL); resp.StatusCode != want {
			t.Errorf("status %d; want %d", resp.StatusCode, want)
		}
	}
	if _, body := control(t, s, "GET", "/faults", ""); strings.Count(body, `"spent":true`) != 2 || strings.Count(body, `"hit":1`) != 2 {
		t.Error(body)
	}
	if code, body := control(t, s, "POST", "/faults", `[{"do":"lost"},{"do":"boom"}]`); code != 400 || !strings.Contains(body, "one of lost, late") {
		t.Error(code, body)
	}
	if len(s.Faults()) != 2 {
		t.Error("a part of a refused list was set")
	}
	if code, _ := control(t, s, "DELETE", "/faults", ""); code != 204 || len(s.Faults()) != 0 {
		t.Error(code, s.Faults())
	}
}

func TestOtherPathsAndOtherHostsAreTurnedAway(t *testing.T) {
	s, _ := newServer(t)
	if code, body := control(t, s, "GET", "/", ""); code != 200 || body != ControlHelp {
		t.Error(code, body)
	}
	if code, body := control(t, s, "GET", "/nothing", ""); code != 404 || !strings.Contains(body, "GET    /state") {
		t.Error(code, body)
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	origin := func(o string) func(*http.Request) { return func(r *http.Request) { r.Header.Set("Origin", o) } }
	for name, c := range map[string]struct {
		edit func(*http.Request)
		want int
	}{
		"its own name":                        {host("localhost:1"), 200},
		"its IPv6 number":                     {host("[::1]:1"), 200},
		"a name that points at this machine":  {host("rebound.example:1"), 403},
		"a page of another site":              {origin("https://evil.example"), 403},
		"a page of another site, null origin": {origin("null"), 403},
		"a page of this machine":              {origin("http://localhost:3000"), 200},
	} {
		if code, _ := control(t, s, "GET", "/state", "", c.edit); code != c.want {
			t.Errorf("%s: %d; want %d", name, code, c.want)
		}
	}
}

// issuer stands in for the Entra service.
type issuer struct{ last string }

func (i *issuer) IssueAppToken(objectID, clientID, tenantID, name, resource string) (string, time.Time, error) {
	i.last = strings.Join([]string{objectID, name, resource}, " ")
	return "a-token", time.Unix(1893456000, 0), nil
}

func TestTheManagedIdentityEndpointAnswersLikeAppService(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	who := &issuer{}
	s.services[identityName] = &identity{world: s.World(), issuer: who}
	w := s.World()
	system := w.ManagedIdentities[0]
	const resourceID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u"
	w.ManagedIdentities = append(w.ManagedIdentities,
		&world.ManagedIdentity{ID: "o-user", ClientID: "c-user", TenantID: system.TenantID, Name: "assigned", ResourceID: resourceID},
		&world.ManagedIdentity{ID: "o-other", ClientID: "c-other", TenantID: system.TenantID, Name: "elsewhere", ResourceID: resourceID + "2", Secret: "another machine"})

	const base = "?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net"
	for name, c := range map[string]struct {
		method, query, header string
		status                int
		issued                string
	}{
		"the system-assigned identity needs no name": {"GET", base, system.Secret, 200, system.ID + " rekey https://vault.azure.net"},
		"by client id":    {"GET", base + "&client_id=C-USER", system.Secret, 200, "o-user assigned https://vault.azure.net"},
		"by principal id": {"GET", base + "&principal_id=o-user", system.Secret, 200, "o-user assigned https://vault.azure.net"},
		"by object id":    {"GET", base + "&object_id=o-user", system.Secret, 200, "o-user assigned https://vault.azure.net"},
		"by resource id":  {"GET", base + "&mi_res_id=" + resourceID, system.Secret, 200, "o-user assigned https://vault.azure.net"},
		"an identity of another machine is not assigned": {"GET", base + "&client_id=c-other", system.Secret, 400, ""},
		"a machine without a system-assigned identity":   {"GET", base, "another machine", 400, ""},
		"the other machine's own":                        {"GET", base + "&client_id=c-other", "another machine", 200, "o-other elsewhere https://vault.azure.net"},
		"a wrong header":                                 {"GET", base, "guess", 401, ""},
		"no header":                                      {"GET", base, "", 400, ""},
		"no resource":                                    {"GET", "?api-version=2019-08-01", system.Secret, 400, ""},
		"no api-version":                                 {"GET", "?resource=x", system.Secret, 400, ""},
		"another api-version":                            {"GET", "?api-version=2018-02-01&resource=x", system.Secret, 400, ""},
		"another method":                                 {"POST", base, system.Secret, 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			who.last = ""
			s.ResetRequests()
			code, body := control(t, s, c.method, IdentityPath+c.query, "", func(r *http.Request) {
				if c.header != "" {
					r.Header.Set("X-IDENTITY-HEADER", c.header)
				}
			})
			if code != c.status || who.last != c.issued {
				t.Fatalf("%d %s, issued %q", code, body, who.last)
			}
			call := s.Requests()[0]
			if call.Service != "identity" || call.Status != c.status || call.Path != IdentityPath {
				t.Errorf("logged as %+v", call)
			}
			if code != 200 {
				return
			}
			var got map[string]string
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("not all strings: %s", body)
			}
			if got["access_token"] != "a-token" || got["expires_on"] != "1893456000" || got["resource"] != "https://vault.azure.net" || got["token_type"] != "Bearer" || got["client_id"] == "" {
				t.Errorf("answer %v", got)
			}
		})
	}
}
