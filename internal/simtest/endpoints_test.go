package simtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const contosoURL = "https://dev.azure.com/contoso"

// identityToken signs the managed identity rekey in, which may change what uses credentials.
func (r *recorder) identityToken(resource string) string {
	r.t.Helper()
	m := world.BuiltIn().ManagedIdentities[0]
	token, _, err := r.sim.Entra().IssueAppToken(m.ID, m.ClientID, m.TenantID, m.Name, resource)
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// text is a JSON value as a body.
func text(t *testing.T, v any) string {
	t.Helper()
	return string(must(json.Marshal(v))(t))
}

func member(m map[string]any, path ...string) map[string]any {
	for _, p := range path {
		m = m[p].(map[string]any)
	}
	return m
}

func TestServiceConnectionsAreThoseOfTheFile(t *testing.T) {
	for _, version := range []string{"7.1", "7.2-preview.4"} {
		t.Run(version, func(t *testing.T) {
			r := record(t, nil)
			bearer := r.identityToken(world.AzureDevOps)
			v := "?api-version=" + version
			const connections = "/_apis/serviceendpoint/endpoints"
			at := contosoURL + "/platform" + connections + "/" + world.EndpointShared
			read := r.call("GET", at+v, bearer, "", 200)
			r.call("GET", contosoURL+"/platform"+connections+v+"&type=azurerm&includeFailed=true", bearer, "", 200)
			member(read, "authorization", "parameters")["serviceprincipalkey"] = "another value"
			r.call("PUT", contosoURL+connections+"/"+world.EndpointShared+v, bearer, text(t, read), 200)
			kept := r.call("GET", contosoURL+"/platform"+connections+"/"+world.EndpointDevOps+v, bearer, "", 200)
			r.call("PUT", contosoURL+connections+"/"+world.EndpointDevOps+v, bearer, text(t, kept), 200)
			r.call("PATCH", contosoURL+connections+"/"+world.EndpointDevOps+v, bearer, `[{"projectReference":{"name":"apps"},"name":"shared"}]`, 204)
			made := r.call("POST", contosoURL+connections+v, r.userToken("alex"), `{"name":"new","type":"generic","url":"https://example.test","data":{},"authorization":{"scheme":"UsernamePassword","parameters":{"username":"u","password":"a password"}},"serviceEndpointProjectReferences":[{"projectReference":{"name":"platform"},"name":"new"}]}`, 200)
			r.call("DELETE", contosoURL+connections+"/"+made["id"].(string)+v+"&projectIds="+world.BuiltIn().Organizations[0].Projects[0].ID, r.userToken("alex"), "", 204)
			r.call("PUT", contosoURL+connections+"/"+world.EndpointAutomatic+v, r.userToken("svc-devops-pat"), text(t, read), 400)

			tested := r.call("POST", contosoURL+"/platform/_apis/serviceendpoint/endpointproxy?api-version="+strings.Replace(version, ".4", ".1", 1)+"&endpointId="+world.EndpointShared, bearer,
				`{"dataSourceDetails":{"dataSourceName":"TestConnection"},"resultTransformationDetails":{}}`, 200)
			if tested["statusCode"] != "badRequest" || !strings.Contains(tested["errorMessage"].(string), "AADSTS7000215") {
				t.Errorf("tested %v", tested)
			}
			r.hold("Endpoints_Get 200", "Endpoints_Update Service Endpoint 200", "Endpoints_Share Service Endpoint 204", "Endpoints_Create 200",
				"Endpoints_Delete 204", "Endpoints_Update Service Endpoint 400", "Endpointproxy_Query 200")
		})
	}
}

func TestVariableGroupsAreThoseOfTheFile(t *testing.T) {
	for _, version := range []string{"7.1", "7.2-preview.2"} {
		t.Run(version, func(t *testing.T) {
			r := record(t, nil)
			bearer := r.identityToken(world.AzureDevOps)
			v := "?api-version=" + version
			const groups = "/_apis/distributedtask/variablegroups"
			read := r.call("GET", fmt.Sprint(contosoURL, "/platform", groups, "/", world.GroupPlain, v), bearer, "", 200)
			member(read, "variables", "FabrikamPat")["value"] = "another value"
			delete(read, "createdBy") // only the service sets these
			delete(read, "modifiedBy")
			for _, m := range []string{"createdOn", "modifiedOn", "id", "isShared"} {
				delete(read, m)
			}
			r.call("PUT", fmt.Sprint(contosoURL, groups, "/", world.GroupPlain, v), bearer, text(t, read), 200)
			r.call("GET", contosoURL+"/platform"+groups+v+"&groupIds=7,8", bearer, "", 200)
			r.call("GET", fmt.Sprint(contosoURL, "/platform", groups, "/", world.GroupVault, v), bearer, "", 200)
			alex := r.userToken("alex")
			made := r.call("POST", contosoURL+groups+v, alex, `{"name":"new","type":"Vsts","variables":{"A":{"value":"x"}},"variableGroupProjectReferences":[{"projectReference":{"name":"platform"},"name":"new"}]}`, 200)
			id := fmt.Sprint(made["id"])
			r.call("PATCH", contosoURL+groups+v+"&variableGroupId="+id, alex, `[{"projectReference":{"name":"apps"},"name":"new"}]`, 204)
			r.call("DELETE", contosoURL+groups+"/"+id+v+"&projectIds="+world.BuiltIn().Organizations[0].Projects[0].ID, alex, "", 204)
			r.call("PUT", contosoURL+groups+"/"+id+v, r.userToken("svc-devops-pat"), text(t, read), 403)
			r.hold("Variablegroups_Get 200", "Variablegroups_Update 200", "Variablegroups_Add 200", "Variablegroups_Share Variable Group 204", "Variablegroups_Delete 204",
				"Variablegroups_Update 403")
		})
	}
}

// userToken is a delegated token of a user of the built-in world, as a signed-in person has one.
func (r *recorder) userToken(name string) string {
	r.t.Helper()
	u := user(r.t, world.BuiltIn(), name)
	w := r.sim.World()
	w.Lock()
	defer w.Unlock()
	raw := "delegated." + world.Canary + "." + name
	w.AddToken(raw, world.Token{Tenant: u.TenantID, ObjectID: u.ID, Name: u.UPN, User: true, Audience: world.AzureDevOps, Scopes: []string{"user_impersonation"}, Expires: w.Now().Add(time.Hour)})
	return raw
}

// What a consumer's test says of a value, and what oracles say of it, is what the token endpoint and Azure DevOps
// themselves say to it.
func TestTheWorldTriesAValueAsTheServicesDo(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		why    string
		change func(*world.World, *world.PasswordCredential, *world.PAT)
		secret bool // the client secret works
		pat    bool
	}{
		{"what is there works", func(*world.World, *world.PasswordCredential, *world.PAT) {}, true, true},
		{"it has expired", func(w *world.World, s *world.PasswordCredential, p *world.PAT) { s.End, p.ValidTo = w.Now(), w.Now() }, false, false},
		{"it begins tomorrow", func(w *world.World, s *world.PasswordCredential, p *world.PAT) { s.Start = w.Now().Add(day) }, false, true},
		{"it is new, and is not known yet", func(w *world.World, s *world.PasswordCredential, p *world.PAT) {
			s.Created, w.Knobs.Entra.NewSecretDelay = w.Now(), world.Duration(time.Hour)
		}, false, true},
		{"it was removed", func(w *world.World, s *world.PasswordCredential, p *world.PAT) {
			s.Value, p.Revoked = "another", w.Now()
		}, false, false},
		{"it was revoked and goes on for a while", func(w *world.World, s *world.PasswordCredential, p *world.PAT) {
			p.Revoked, w.Knobs.DevOps.RevokeLatency = w.Now(), world.Duration(time.Hour)
		}, true, true},
		{"it was not used for long", func(w *world.World, s *world.PasswordCredential, p *world.PAT) {
			w.Knobs.DevOps.Inactivity = world.Duration(90 * day)
		}, true, false},
		{"its app and its owner are disabled", func(w *world.World, s *world.PasswordCredential, p *world.PAT) {
			for _, a := range w.Apps {
				a.Disabled = true
			}
			for _, u := range w.Users {
				u.Disabled = true
			}
		}, false, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := record(t, nil)
			w := r.sim.World()
			w.Lock()
			var app *world.App
			for _, a := range w.Apps {
				if a.ClientID == world.AppBilling {
					app = a
				}
			}
			pat := w.Organizations[1].PATs[0]
			secret, token := app.Secrets[0].Value, pat.Token
			c.change(w, app.Secrets[0], pat)
			trySecret := w.Try(secret, world.Target{ClientID: app.ClientID, TenantID: app.TenantID}).Works
			tryPAT := w.Try(token, world.Target{Organization: "fabrikam"}).Works
			w.Unlock()

			form := "grant_type=client_credentials&client_id=" + app.ClientID + "&client_secret=" + strings.ReplaceAll(secret, "~", "%7E") + "&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
			signIn := must(http.NewRequest("POST", tokenURL, strings.NewReader(form)))(t)
			signIn.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			who := must(http.NewRequest("GET", "https://dev.azure.com/fabrikam/_apis/connectionData?api-version=7.1-preview", nil))(t)
			who.Header.Set("Authorization", basic(token))
			for _, x := range []struct {
				what      string
				req       *http.Request
				try, want bool
			}{{"the client secret", signIn, trySecret, c.secret}, {"the PAT", who, tryPAT, c.pat}} {
				resp := must(r.client().Do(x.req))(t)
				resp.Body.Close()
				if works := resp.StatusCode == 200; works != x.want || x.try != x.want {
					t.Errorf("%s: the service %t, the world %t; want %t", x.what, works, x.try, x.want)
				}
			}
		})
	}
}
