package sim

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
)

// The metadata service of virtual machines is another way to a managed identity. It is reached through the proxy,
// as plain HTTP; a client that does not send it there looks for a network that is not simulated.
const (
	metadataHost = "169.254.169.254"
	metadataPath = "/metadata/identity/oauth2/token"
)

// metadata says whether a request is for the metadata service's tokens. Some clients end the path with a slash.
func metadata(host, path string) bool {
	return host == metadataHost && strings.TrimSuffix(path, "/") == metadataPath
}

var metadataVersion = regexp.MustCompile(`^20\d\d-\d\d-\d\d$`)

// serveMetadata answers as the metadata service does (facts/azure-devops-entra.md 8.7): whoever reaches it is the
// machine, and every member of the answer is text.
func (i *identity) serveMetadata(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		metadataError(w, http.StatusMethodNotAllowed, "invalid_request", "Method not allowed")
		return
	case !strings.EqualFold(r.Header.Get("Metadata"), "true"):
		metadataError(w, http.StatusBadRequest, "bad_request_102", "Required metadata header not specified")
		return
	case !metadataVersion.MatchString(q.Get("api-version")):
		metadataError(w, http.StatusBadRequest, "invalid_request", "Required query variable 'api-version' is missing or not a version")
		return
	case q.Get("resource") == "":
		metadataError(w, http.StatusBadRequest, "invalid_request", "Required query variable 'resource' is missing")
		return
	}
	m, _, _ := i.find(i.machine(), func(name string) string {
		if name == "mi_res_id" && q.Has("msi_res_id") {
			name = "msi_res_id"
		}
		return q.Get(name)
	})
	if m == nil {
		metadataError(w, http.StatusBadRequest, "invalid_request", "Identity not found")
		return
	}
	wire.CallFrom(r.Context()).Principal = m.Name
	token, expires, err := i.issuer.IssueAppToken(m.ID, m.ClientID, m.TenantID, m.Name, q.Get("resource"))
	if err != nil {
		metadataError(w, http.StatusBadRequest, "invalid_resource", err.Error())
		return
	}
	i.world.Lock()
	now := i.world.Now()
	i.world.Unlock()
	wire.JSON(w, http.StatusOK, "", map[string]string{
		"access_token": token, "refresh_token": "", "resource": q.Get("resource"), "token_type": "Bearer", "client_id": m.ClientID,
		"expires_in": strconv.Itoa(int(expires.Sub(now).Round(time.Second) / time.Second)),
		"expires_on": i.clientTime(expires),
		"not_before": i.clientTime(now.Add(-5 * time.Minute)),
	})
}

// machine is the header that opens the identities of the first machine.
func (i *identity) machine() string {
	i.world.Lock()
	defer i.world.Unlock()
	for _, m := range i.world.ManagedIdentities {
		if m.Secret != "" {
			return m.Secret
		}
	}
	return ""
}

func metadataError(w http.ResponseWriter, status int, code, description string) {
	wire.JSON(w, status, "", map[string]string{"error": code, "error_description": description})
}
