package sim

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const metadataURL = "http://169.254.169.254/metadata/identity/oauth2/token"

func TestAVirtualMachineGetsItsIdentityFromTheMetadataService(t *testing.T) {
	user := &world.ManagedIdentity{
		ID: "a7bd7cea-133a-46cf-b58b-cab861acfab0", ClientID: "eb2ab58c-d382-4db6-b2ab-33b55dd51530", TenantID: world.TenantID,
		Name: "other", ResourceID: "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other",
	}
	state := world.BuiltIn()
	state.ManagedIdentities = append(state.ManagedIdentities, user)
	s, err := New(Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	s.World().Advance(1000 * time.Hour) // clients compare with their own clock
	const ask = "?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net"
	for why, c := range map[string]struct {
		method, query, header string
		status                int
		want                  string // client_id, or error
	}{
		"without a name":              {"GET", ask, "true", 200, state.ManagedIdentities[0].ClientID},
		"with a slash":                {"GET", "/" + ask, "True", 200, state.ManagedIdentities[0].ClientID},
		"by client id":                {"GET", ask + "&client_id=" + user.ClientID, "true", 200, user.ClientID},
		"by object id":                {"GET", ask + "&object_id=" + user.ID, "true", 200, user.ClientID},
		"by resource id":              {"GET", ask + "&msi_res_id=" + user.ResourceID, "true", 200, user.ClientID},
		"of nobody":                   {"GET", ask + "&client_id=" + world.ClientAzureCLI, "true", 400, "invalid_request"},
		"without the header":          {"GET", ask, "", 400, "bad_request_102"},
		"without a version":           {"GET", "?resource=https%3A%2F%2Fvault.azure.net", "true", 400, "invalid_request"},
		"without a resource":          {"GET", "?api-version=2018-02-01", "true", 400, "invalid_request"},
		"for what is no resource":     {"GET", "?api-version=2018-02-01&resource=nonsense", "true", 400, "invalid_resource"},
		"by a method that it has not": {"POST", ask, "true", 405, "invalid_request"},
	} {
		t.Run(why, func(t *testing.T) {
			s.ResetRequests()
			req := httptest.NewRequest(c.method, metadataURL+c.query, nil)
			req.RequestURI = ""
			if c.header != "" {
				req.Header.Set("Metadata", c.header)
			}
			resp, err := s.Transport().RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var got map[string]string
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
				t.Fatal("not an object of texts:", err)
			}
			if resp.StatusCode != c.status || got["client_id"]+got["error"] != c.want {
				t.Errorf("%d %s %s", resp.StatusCode, got["client_id"], got["error"])
			}
			if call := s.Requests()[0]; call.Service != "identity" || (call.Principal != "") != (c.status == 200 || c.want == "invalid_resource") {
				t.Errorf("logged as %+v", call)
			}
			if c.status != 200 {
				return
			}
			if seconds, err := strconv.Atoi(got["expires_in"]); err != nil || seconds < 3000 {
				t.Errorf("expires_in %q", got["expires_in"])
			}
			if on, err := strconv.ParseInt(got["expires_on"], 10, 64); err != nil || time.Until(time.Unix(on, 0)).Abs() > 70*time.Minute {
				t.Errorf("expires_on %q", got["expires_on"])
			}
		})
	}
}

func TestTheMetadataServiceIsReachedThroughTheProxyAndHasNothingElse(t *testing.T) {
	s, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e := start(t, s, ListenConfig{})
	for path, status := range map[string]int{metadataPath + "?api-version=2018-02-01&resource=https://vault.azure.net": 200, "/metadata/instance?api-version=2021-02-01": 403} {
		resp, body := dial(t, e, "GET http://169.254.169.254"+path+" HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\nConnection: close\r\n\r\n")
		if resp.StatusCode != status || status == http.StatusOK && !strings.Contains(body, `"access_token"`) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}
