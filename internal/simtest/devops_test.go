package simtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const patsURL = "https://vssps.dev.azure.com/contoso/_apis/tokens/pats"

// person signs a service account in for PATs, as no official client has the PAT lifecycle.
func (r *recorder) person() string {
	r.t.Helper()
	s := world.BuiltIn()
	u := user(r.t, s, "svc-devops-pat")
	return r.grant(200, "grant_type", "password", "client_id", app(r.t, s, "rekey-public").ClientID,
		"username", u.UPN, "password", u.Password, "scope", patScope+" "+world.AzureDevOps+"/vso.pats "+world.AzureDevOps+"/vso.profile")["access_token"].(string)
}

func basic(pat string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(":"+pat))
}

func TestThePATLifecycleIsThatOfTheFile(t *testing.T) {
	for _, version := range []string{"7.1-preview.1", "7.2-preview.1"} {
		t.Run(version, func(t *testing.T) {
			r := record(t, nil)
			bearer := r.person()
			until := time.Now().Add(30 * 24 * time.Hour).UTC().Format(time.RFC3339)
			v := "?api-version=" + version
			create := func(name, scope string, all bool) map[string]any {
				return r.call("POST", patsURL+v, bearer, fmt.Sprintf(`{"displayName":%q,"scope":%q,"validTo":%q,"allOrgs":%t}`, name, scope, until, all), 200)
			}
			made := create("one", "vso.profile vso.project", false)["patToken"].(map[string]any)
			id := made["authorizationId"].(string)
			create("everywhere", "vso.code", true)
			if got := create("bad", "vso.nonsense", false); got["patToken"] != nil || got["patTokenError"] != "invalidScope" {
				t.Errorf("a wrong scope is answered %v", got["patTokenError"])
			}
			r.call("GET", patsURL+v+"&authorizationId="+id, bearer, "", 200)
			r.call("PUT", patsURL+v, bearer, fmt.Sprintf(`{"authorizationId":%q,"displayName":"two","scope":"vso.profile vso.project"}`, id), 200)
			listed := r.call("GET", patsURL+v+"&displayFilterOption=all&sortByOption=displayName&isSortAscending=true&$top=1", bearer, "", 200)
			if n := len(listed["patTokens"].([]any)); n != 1 {
				t.Errorf("%d PATs on a page of one", n)
			}
			r.call("GET", patsURL+v+"&displayFilterOption=all&sortByOption=displayName&isSortAscending=true&$top=1&continuationToken="+listed["continuationToken"].(string), bearer, "", 200)

			token := basic(made["token"].(string))
			r.call("GET", "https://dev.azure.com/contoso/_apis/connectionData?api-version=7.1-preview", token, "", 200)
			r.call("GET", "https://dev.azure.com/contoso/_apis/projects?api-version=7.1&$top=10", token, "", 200)
			r.call("GET", "https://dev.azure.com/contoso/_apis/projects/platform?api-version=7.1", token, "", 200)
			r.call("GET", "https://dev.azure.com/contoso/_apis/projects/absent?api-version=7.1", token, "", 404)
			r.call("GET", "https://app.vssps.visualstudio.com/_apis/profile/profiles/me?api-version=7.1", bearer, "", 200)

			r.call("DELETE", patsURL+v+"&authorizationId="+id, bearer, "", 204)
			r.call("GET", "https://dev.azure.com/contoso/_apis/connectionData?api-version=7.1-preview", token, "", 401)
			r.call("GET", patsURL+v, basic("nothing"), "", 401)
			r.hold("Pats_Create 200", "Pats_Get 200", "Pats_Update 200", "Pats_List 200", "Pats_Revoke 204", "ConnectionData 200",
				"Projects_List 200", "Projects_Get 200", "Projects_Get 404", "Profiles_Get 200")
		})
	}
}

// az and Microsoft's node client look addresses up before they call anything, and send the version in Accept.
func TestWhereThingsAreIsToldAsClientsReadIt(t *testing.T) {
	r := record(t, nil)
	bearer := r.person()
	for _, call := range []struct{ method, path string }{
		{"OPTIONS", "/contoso/_apis"}, {"OPTIONS", "/contoso/_apis?allHostTypes=True"}, {"GET", "/contoso/_apis/ResourceAreas"},
		{"GET", "/contoso/_apis/projects"}, {"GET", "/contoso/_apis/connectionData"},
	} {
		req := must(http.NewRequest(call.method, "https://dev.azure.com"+call.path, nil))(t)
		version := "7.1-preview.1"
		if call.path == "/contoso/_apis/projects" {
			version = "7.1"
		}
		req.Header.Set("Accept", "application/json;api-version="+version)
		req.Header.Set("Authorization", basic(bearer))
		r.send(req, 200)
	}
	r.hold("Locations 200", "ResourceAreas 200", "Projects_List 200", "ConnectionData 200")
}
