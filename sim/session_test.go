package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/sim/entra"
	"github.com/rekeyhq/rekey/sim/world"
)

// session is somebody with a plain HTTP client and the built-in world's passwords.
type session struct {
	t *testing.T
	c *http.Client
	s *Server
}

// call sends a request and reads the JSON of its answer.
func (x session) call(method, u, bearer, body string, wantStatus int) map[string]any {
	x.t.Helper()
	req, err := http.NewRequest(method, u, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := x.c.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	if resp.StatusCode != wantStatus {
		x.t.Fatalf("%s %s: %d %s; want %d", method, u, resp.StatusCode, b, wantStatus)
	}
	var out map[string]any
	if len(b) > 0 {
		if err := json.Unmarshal(b, &out); err != nil {
			x.t.Fatalf("%s %s: %v", method, u, err)
		}
	}
	return out
}

// token signs in at the token endpoint.
func (x session) token(form url.Values) string {
	x.t.Helper()
	resp, err := x.c.PostForm("https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", form)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 {
		x.t.Fatalf("token: %d %v %v", resp.StatusCode, out["error_description"], err)
	}
	return out["access_token"].(string)
}

// managedIdentity signs the machine in.
func (x session) managedIdentity(endpoint, resource string) string {
	x.t.Helper()
	req, err := http.NewRequest("GET", endpoint+"?api-version=2019-08-01&resource="+url.QueryEscape(resource), nil)
	if err != nil {
		x.t.Fatal(err)
	}
	req.Header.Set("X-IDENTITY-HEADER", world.BuiltIn().ManagedIdentities[0].Secret)
	resp, err := x.c.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]string
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 {
		x.t.Fatalf("managed identity: %d %v %v", resp.StatusCode, out, err)
	}
	return out["access_token"]
}

// rotate is the main job by hand: the machine reads the service account's password, the account makes a PAT, the
// machine stores it, the consumer reads it and uses it.
func (x session) rotate(identity string) (pat string) {
	x.t.Helper()
	w := world.BuiltIn()
	machine := x.managedIdentity(identity, "https://vault.azure.net")
	password := x.call("GET", "https://kv-rekey.vault.azure.net/secrets/svc-devops-pat-password?api-version=7.4", machine, "", 200)["value"].(string)
	public := w.Apps[0]
	user := x.token(url.Values{
		"grant_type": {"password"}, "client_id": {public.ClientID}, "username": {w.Users[0].UPN}, "password": {password},
		"scope": {world.AzureDevOps + "/vso.pats " + world.AzureDevOps + "/vso.pats_manage"},
	})
	until := x.s.now().Add(30 * 24 * time.Hour).Format(time.RFC3339)
	made := x.call("POST", "https://vssps.dev.azure.com/contoso/_apis/tokens/pats?api-version=7.1-preview.1", user,
		fmt.Sprintf(`{"displayName":"by hand","scope":"vso.profile vso.project","validTo":%q,"allOrgs":false}`, until), 200)
	token := made["patToken"].(map[string]any)["token"].(string)
	body, err := json.Marshal(map[string]string{"value": token})
	if err != nil {
		x.t.Fatal(err)
	}
	x.call("PUT", "https://kv-pat-prod.vault.azure.net/secrets/devops-pat-token?api-version=7.4", machine, string(body), 200)

	consumer := w.Apps[1]
	reader := x.token(url.Values{
		"grant_type": {"client_credentials"}, "client_id": {consumer.ClientID}, "client_secret": {consumer.ClientSecret},
		"scope": {"https://vault.azure.net/.default"},
	})
	read := x.call("GET", "https://kv-pat-prod.vault.azure.net/secrets/devops-pat-token?api-version=7.4", reader, "", 200)["value"].(string)
	if read != token {
		x.t.Error("the consumer read another value than was stored")
	}
	x.call("GET", "https://kv-rekey.vault.azure.net/secrets/svc-devops-pat-password?api-version=7.4", reader, "", 403)
	return read
}

// signsIn says what connectionData answers to a PAT.
func (x session) signsIn(pat string) int {
	x.t.Helper()
	req, err := http.NewRequest("GET", "https://dev.azure.com/contoso/_apis/connectionData", nil)
	if err != nil {
		x.t.Fatal(err)
	}
	req.SetBasicAuth("", pat)
	resp, err := x.c.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// nothingLeaked searches log and state for every secret of the world.
func (x session) nothingLeaked() {
	x.t.Helper()
	log, err := json.Marshal(x.s.Requests())
	if err != nil {
		x.t.Fatal(err)
	}
	_, state := control(x.t, x.s, "GET", "/state", "")
	x.s.World().Lock()
	secrets := x.s.World().Secrets()
	x.s.World().Unlock()
	for _, secret := range secrets {
		for name, text := range map[string]string{"the request log": string(log), "the state": state} {
			if strings.Contains(text, secret) {
				x.t.Errorf("%s holds a secret of %d characters", name, len(secret))
			}
		}
	}
	if len(secrets) < 10 {
		x.t.Errorf("only %d secrets were looked for", len(secrets))
	}
}

func TestAPATIsMadeStoredReadAndUsedThroughTheProxy(t *testing.T) {
	s, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e := start(t, s, ListenConfig{})
	x := session{t, client(t, e, true), s}
	pat := x.rotate(e.Control + IdentityPath)
	if status := x.signsIn(pat); status != 200 {
		t.Errorf("the PAT is answered %d", status)
	}
	var seen []string
	for _, call := range s.Requests() {
		seen = append(seen, call.Service+" "+call.Operation)
		if call.Principal == "" {
			t.Errorf("nobody is logged for %+v", call)
		}
	}
	want := "identity token, keyvault GetSecret, entra token:password, devops CreatePat, keyvault SetSecret, entra token:client_credentials, keyvault GetSecret, keyvault GetSecret, devops ConnectionData"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("the log has\n%s\nwant\n%s", got, want)
	}
	x.nothingLeaked()
}

func TestAPATLivesItsLifeInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		x := session{t, &http.Client{Transport: s.Transport()}, s}
		pat := x.rotate("http://localhost" + IdentityPath)
		if status := x.signsIn(pat); status != 200 {
			t.Errorf("the PAT is answered %d", status)
		}
		s.World().Advance(31 * 24 * time.Hour)
		if status := x.signsIn(pat); status != 401 {
			t.Errorf("the expired PAT is answered %d", status)
		}
		x.nothingLeaked()
	})
}

func TestTheSameSeedMakesTheSameCredentials(t *testing.T) {
	var pats []string
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			s, err := New(Config{})
			if err != nil {
				t.Fatal(err)
			}
			pats = append(pats, session{t, &http.Client{Transport: s.Transport()}, s}.rotate("http://localhost"+IdentityPath))
		})
	}
	if pats[0] != pats[1] {
		t.Error("two runs of one world made different PATs")
	}
}

func TestEveryHostThatAServiceAnswersForIsRoutedToIt(t *testing.T) {
	for _, host := range entra.Hosts {
		if name, _ := serviceFor(host); name != "entra" {
			t.Errorf("%s goes to %q", host, name)
		}
	}
	if name, _ := serviceFor("spsprodweu1.vssps.visualstudio.com"); name != "devops" {
		t.Errorf("the sign-in host goes to %q", name)
	}
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"entra", "keyvault", "arm", "devops", "identity"} {
		if s.services[name] == nil {
			t.Errorf("%s is not wired in", name)
		}
	}
}
