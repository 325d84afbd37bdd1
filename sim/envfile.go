package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/entra"
	"github.com/rekeyhq/rekey/sim/world"
)

const envFile = "env"

// env is the POSIX shell file that points a client at the simulator. What is set already is overwritten: an
// environment that trusts another authority, or names another proxy, must not win. Names that the world has nothing
// for are set to nothing.
func (s *Server) env(e *Endpoints) []byte {
	var b strings.Builder
	b.WriteString("# Points any tool at the simulated Azure of `rekey sim`: read it with \". FILE\". It holds secrets, of the simulated world only.\n")
	set := func(value string, names ...string) {
		for _, n := range names {
			fmt.Fprintf(&b, "export %s='%s'\n", n, strings.ReplaceAll(value, "'", `'\''`))
		}
	}
	set(e.Proxy, "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")
	set("127.0.0.1,localhost,::1", "NO_PROXY", "no_proxy")
	set(e.CA, "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
	set(e.Control+IdentityPath, "IDENTITY_ENDPOINT")
	if claims := s.job(); claims != nil {
		set("https://"+entra.GitHub+"/_sim/token", "ACTIONS_ID_TOKEN_REQUEST_URL")
		set(s.Entra().MintRunnerToken(claims), "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	}

	s.world.Lock()
	defer s.world.Unlock()
	w := s.world
	set(first(w.ManagedIdentities, func(m *world.ManagedIdentity) bool { return m.Secret != "" }, nil).Secret, "IDENTITY_HEADER")
	set(first(w.Tenants, nil, nil).ID, "SIM_TENANT_ID")
	set(first(w.Subscriptions, nil, nil).ID, "SIM_SUBSCRIPTION_ID")
	org := first(w.Organizations, func(o *world.Organization) bool { return len(o.Projects) > 0 }, nil)
	set(org.Name, "SIM_ORG")
	set(first(org.Projects, nil, nil).Name, "SIM_PROJECT")
	set(first(w.Vaults, nil, func(v *world.Vault) bool { return v.Name == "kv-pat-prod" }).Name, "SIM_VAULT")
	account := first(w.Users, func(u *world.User) bool { return u.Password != "" && !u.MFARequired && !u.Disabled }, nil)
	set(account.UPN, "SIM_SA_USERNAME")
	set(account.Password, "SIM_SA_PASSWORD")
	app := first(w.Apps, func(a *world.App) bool { return a.ClientSecret != "" }, func(a *world.App) bool { return a.Name == "consumer" })
	set(app.ClientID, "SIM_CLIENT_ID")
	set(app.ClientSecret, "SIM_CLIENT_SECRET")
	set(e.Control, "SIM_CONTROL")
	return []byte(b.String())
}

// job is the GitHub Actions job that the machine is taken for: one of a protected environment that some application
// trusts, nil if there is none.
func (s *Server) job() map[string]any {
	s.world.Lock()
	defer s.world.Unlock()
	for _, a := range s.world.Apps {
		for _, f := range a.FederatedCredentials {
			repository, environment, ok := strings.Cut(strings.TrimPrefix(f.Subject, "repo:"), ":environment:")
			if ok && f.Issuer == "https://"+entra.GitHub {
				return map[string]any{"repository": repository, "environment": environment, "ref": "refs/heads/main"}
			}
		}
	}
	return nil
}

// first is the first of list that may be taken, a preferred one if there is one, and a zero one if there is none.
// A nil may takes any, a nil prefer none in particular.
func first[T any](list []*T, may, prefer func(*T) bool) *T {
	if may == nil {
		may = func(*T) bool { return true }
	}
	if prefer != nil {
		if i := slices.IndexFunc(list, func(t *T) bool { return may(t) && prefer(t) }); i >= 0 {
			return list[i]
		}
	}
	if i := slices.IndexFunc(list, may); i >= 0 {
		return list[i]
	}
	return new(T)
}
