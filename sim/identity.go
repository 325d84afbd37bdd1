package sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// IdentityPath is where the managed identity endpoint lies on any loopback host. In memory
// "http://localhost"+IdentityPath is a good IDENTITY_ENDPOINT.
const IdentityPath = "/msi/token"

// identityName is the managed identity endpoint in faults and log.
const identityName = "identity"

// tokenIssuer is what the identity endpoint needs of the Entra service; the world is unlocked on call.
type tokenIssuer interface {
	IssueAppToken(objectID, clientID, tenantID, name, resource string) (token string, expiresOn time.Time, err error)
}

// identity is the managed identity endpoint in its App Service form (facts/azure-devops-entra.md 8.7), which
// Container Apps and Functions share, and the metadata service of virtual machines.
type identity struct {
	world  *world.World
	issuer tokenIssuer
}

func (*identity) Name() string { return identityName }

func (*identity) Operation(r *http.Request) string {
	if r.Method == http.MethodGet {
		return "token"
	}
	return "unknown"
}

func (i *identity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if metadata(hostOf(r.Host), r.URL.Path) {
		i.serveMetadata(w, r)
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		identityError(w, http.StatusMethodNotAllowed, "Only GET is served here.")
		return
	}
	q := r.URL.Query()
	// Azure Automation's form of the same endpoint sends "Metadata: true" and no version.
	if v := q.Get("api-version"); v != "2019-08-01" && !(v == "" && strings.EqualFold(r.Header.Get("Metadata"), "true")) {
		identityError(w, http.StatusBadRequest, "The api-version must be 2019-08-01.")
		return
	}
	resource := q.Get("resource")
	if resource == "" {
		identityError(w, http.StatusBadRequest, "The resource parameter is missing.")
		return
	}
	header := r.Header.Get("X-IDENTITY-HEADER")
	if header == "" {
		identityError(w, http.StatusBadRequest, "The X-IDENTITY-HEADER header is missing.")
		return
	}
	m, status, problem := i.find(header, q.Get)
	if m == nil {
		identityError(w, status, problem)
		return
	}
	wire.CallFrom(r.Context()).Principal = m.Name
	token, expires, err := i.issuer.IssueAppToken(m.ID, m.ClientID, m.TenantID, m.Name, resource)
	if err != nil {
		identityError(w, http.StatusBadRequest, err.Error())
		return
	}
	wire.JSON(w, http.StatusOK, "", map[string]string{
		"access_token": token, "expires_on": i.clientTime(expires), "resource": resource,
		"token_type": "Bearer", "client_id": m.ClientID,
	})
}

// clientTime is a time of the world as clients compare it with their own clock, which does not move with the world's.
// The two clocks are read one after the other, so their difference is rounded.
func (i *identity) clientTime(t time.Time) string {
	i.world.Lock()
	defer i.world.Unlock()
	return strconv.FormatInt(t.Add(i.world.RealNow().Sub(i.world.Now()).Round(time.Second)).Unix(), 10)
}

// find picks the identity that is asked for out of those that the header opens. One machine has one header and may
// have several identities: a user-assigned one without a header of its own belongs to the first machine.
func (i *identity) find(header string, query func(string) string) (found *world.ManagedIdentity, status int, problem string) {
	i.world.Lock()
	defer i.world.Unlock()
	i.world.Remember(header)
	all := i.world.ManagedIdentities
	first := ""
	if k := slices.IndexFunc(all, func(m *world.ManagedIdentity) bool { return m.Secret != "" }); k >= 0 {
		first = all[k].Secret
	}
	var mine []*world.ManagedIdentity
	for _, m := range all {
		if m.Secret == header || m.Secret == "" && first == header {
			mine = append(mine, m)
		}
	}
	if len(mine) == 0 {
		return nil, http.StatusUnauthorized, "The X-IDENTITY-HEADER is not the one of this machine."
	}
	is := func(m *world.ManagedIdentity) bool { return m.ResourceID == "" }
	for _, by := range []struct {
		param string
		of    func(*world.ManagedIdentity) string
	}{
		{"client_id", func(m *world.ManagedIdentity) string { return m.ClientID }},
		{"principal_id", func(m *world.ManagedIdentity) string { return m.ID }},
		{"object_id", func(m *world.ManagedIdentity) string { return m.ID }},
		{"mi_res_id", func(m *world.ManagedIdentity) string { return m.ResourceID }},
	} {
		if v := query(by.param); v != "" {
			is = func(m *world.ManagedIdentity) bool { return strings.EqualFold(by.of(m), v) }
			break
		}
	}
	k := slices.IndexFunc(mine, is)
	if k < 0 {
		return nil, http.StatusBadRequest, "No managed identity is assigned to this machine for the specified ClientId, PrincipalId or ResourceId; without one of them it must have a system-assigned identity."
	}
	return new(*mine[k]), 0, ""
}

// identityError writes an error in App Service's form. The facts name its statuses, not its members.
func identityError(w http.ResponseWriter, status int, message string) {
	wire.JSON(w, status, "", map[string]any{"statusCode": status, "message": message})
}
