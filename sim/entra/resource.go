package entra

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	graphID         = "00000003-0000-0000-c000-000000000000"
	aadGraphID      = "00000002-0000-0000-c000-000000000000"
	tokenExchangeID = "fb60f99c-7a34-4190-8149-302f77469936"
	tokenExchange   = "api://AzureADTokenExchange"
	impersonation   = "user_impersonation"
)

// resource is an API that tokens are for.
type resource struct {
	id       string
	audience string   // what world.Token calls it
	names    []string // URIs, without a trailing slash
	// all is what a client of Microsoft's own gets for .default.
	all []string
	// knows says whether it has a delegated scope.
	knows func(scope string) bool
	// v2 makes its tokens of version 2.
	v2 bool
	// byID is true if it is named by its id in its tokens' aud, however it was asked for.
	byID bool
}

var fullAccess = []string{impersonation}

func onlyImpersonation(scope string) bool { return scope == impersonation }

// graphScope takes a name of the form of Graph's some 700 delegated permissions for one of them.
var graphScope = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*([.-][A-Z][A-Za-z0-9]*){1,4}$`)

// azureCLIScopes are Azure CLI's on Graph, less the OIDC ones.
var azureCLIScopes = []string{
	"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "AuditLog.Read.All", "DelegatedPermissionGrant.ReadWrite.All",
	"Directory.AccessAsUser.All", "Group.ReadWrite.All", "User.Read.All", "User.ReadWrite.All",
}

// resources are the first-party resources that every tenant has.
var resources = []*resource{
	{id: "797f4846-ba00-4fd7-ba43-dac1f8f63013", audience: "https://management.azure.com", names: []string{"https://management.azure.com", "https://management.core.windows.net"}, all: fullAccess, knows: onlyImpersonation},
	{id: world.AzureDevOps, audience: world.AzureDevOps, names: []string{"https://app.vssps.visualstudio.com"}, all: fullAccess, knows: func(s string) bool { return devOpsScopes[s] }, byID: true},
	{id: "cfa8b339-82a2-471a-a3c9-0fc0be7a4093", audience: "https://vault.azure.net", names: []string{"https://vault.azure.net"}, all: fullAccess, knows: onlyImpersonation},
	{id: graphID, audience: "https://graph.microsoft.com", names: []string{"https://graph.microsoft.com"}, all: azureCLIScopes, knows: graphScope.MatchString},
	{id: aadGraphID, audience: "https://graph.windows.net", names: []string{"https://graph.windows.net"}, all: fullAccess, knows: graphScope.MatchString},
	{id: "be14bf7e-8ab4-49b0-9dc6-a0eddd6fa73e", audience: "https://monitor.azure.com", names: []string{"https://monitor.azure.com"}, all: fullAccess, knows: onlyImpersonation},
	{id: "e406a681-f3d4-42a8-90b6-c2b029497af1", audience: "https://storage.azure.com", names: []string{"https://storage.azure.com"}, all: fullAccess, knows: onlyImpersonation},
	{id: "ca7f3f0b-7d91-482c-8e09-c5d840d0eac5", audience: "https://api.loganalytics.io", names: []string{"https://api.loganalytics.io"}, all: fullAccess, knows: func(s string) bool { return s == "Data.Read" }},
	{id: tokenExchangeID, audience: tokenExchange, names: []string{tokenExchange}, all: fullAccess, knows: onlyImpersonation, v2: true, byID: true},
}

// devOpsScopes are Azure DevOps' delegated scopes (facts/azure-devops-entra.md section 1.8).
var devOpsScopes = func() map[string]bool {
	m := map[string]bool{impersonation: true}
	for s := range strings.FieldsSeq(`
		advsec advsec_write advsec_manage agentpools agentpools_manage environment_manage analytics auditlog auditstreams_manage
		build build_execute code code_write code_manage code_full code_status connected_server entitlements
		memberentitlementmanagement memberentitlementmanagement_write extension extension_manage extension.data
		extension.data_write githubconnections githubconnections_manage graph graph_manage identity identity_manage
		machinegroup_manage gallery gallery_acquire gallery_publish gallery_manage notification notification_write
		notification_manage notification_diagnostics packaging packaging_write packaging_manage pipelineresources_use
		pipelineresources_manage project project_write project_manage release release_execute release_manage
		securefiles_read securefiles_write securefiles_manage security_manage serviceendpoint serviceendpoint_query
		serviceendpoint_manage hooks hooks_write hooks_interact settings settings_write symbols symbols_write symbols_manage
		taskgroups_read taskgroups_write taskgroups_manage dashboards dashboards_manage test test_write threads_full tokens
		tokenadministration profile profile_write variablegroups_read variablegroups_write variablegroups_manage wiki
		wiki_write work work_write work_full pats pats_manage drop drop_write drop_manage loadtest loadtest_write governance`) {
		m["vso."+s] = true
	}
	return m
}()

// resource finds a resource by id or URI, with any number of trailing slashes: a first-party one, or an app
// registration of the tenant (any tenant, if nil).
func (s *Service) resource(name string, t *world.Tenant) *resource {
	name = strings.TrimRight(name, "/")
	for _, r := range resources {
		if strings.EqualFold(r.id, name) || slices.ContainsFunc(r.names, func(n string) bool { return strings.EqualFold(n, name) }) {
			return r
		}
	}
	id := strings.TrimPrefix(name, "api://")
	for _, a := range s.w.Apps {
		if strings.EqualFold(a.ClientID, id) && (t == nil || strings.EqualFold(a.TenantID, t.ID)) {
			// What scopes an app exposes is not modelled: consent decides.
			return &resource{id: a.ClientID, audience: name, all: fullAccess, knows: func(string) bool { return true }}
		}
	}
	return nil
}

// ask is what a request wants a token for.
type ask struct {
	resource *resource
	// named is the resource as the client wrote it, the part before the scope's slash. Tokens and answers repeat it:
	// "https://management.core.windows.net//.default" is for "https://management.core.windows.net/".
	named   string
	bare    bool // Graph's scopes, written without it
	scopes  []string
	dflt    bool // .default
	openid  bool
	offline bool
	email   bool
	profile bool
}

// parseScope reads the scope parameter of the v2 endpoints.
func (s *Service) parseScope(scope string, t *world.Tenant, c client) (ask, *failure) {
	var a ask
	for item := range strings.FieldsSeq(scope) {
		switch item {
		case "openid":
			a.openid = true
			continue
		case "offline_access":
			a.offline = true
			continue
		case "email":
			a.email = true
			continue
		case "profile":
			a.profile = true
			continue
		}
		named, name, bare := "https://graph.microsoft.com", item, true
		if i := strings.LastIndexByte(item, '/'); i >= 0 {
			named, name, bare = item[:i], item[i+1:], false
		}
		if name == "" || strings.HasSuffix(named, ":/") {
			return ask{}, errScope(item, "")
		}
		r := s.resource(named, t)
		if r == nil {
			return ask{}, errResource(named, tenantName(t))
		}
		if a.resource != nil && a.resource.id != r.id {
			return ask{}, refuse("invalid_request", 28000, "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope %s is not valid.", scope)
		}
		a.resource, a.named, a.bare = r, named, bare
		switch {
		case name == ".default":
			a.dflt = true
		case !r.knows(name):
			return ask{}, errUnknownScope(c.name, name, r.id)
		case !slices.Contains(a.scopes, name):
			a.scopes = append(a.scopes, name)
		}
	}
	if a.dflt && len(a.scopes) > 0 {
		return ask{}, errScope(scope, " .default scope can't be combined with resource-specific scopes.")
	}
	if a.resource == nil {
		if !a.openid && !a.offline && !a.profile && !a.email {
			return ask{}, errMissing("scope")
		}
		a.resource, a.named, a.bare = s.resource(graphID, nil), "https://graph.microsoft.com", true
	}
	return a, nil
}

// parseResource reads the resource parameter of the v1 endpoints, which always mean .default and a refresh token.
// Without one, the token is for the directory itself.
func (s *Service) parseResource(name string, t *world.Tenant) (ask, *failure) {
	if name == "" {
		name = aadGraphID
	}
	r := s.resource(name, t)
	if r == nil {
		return ask{}, errResource(name, tenantName(t))
	}
	return ask{resource: r, named: name, dflt: true, openid: true, offline: true}, nil
}

// consented is what a client may have on behalf of users: all that it asked for, or nothing.
func (s *Service) consented(c client, a ask) ([]string, *failure) {
	if c.app == nil {
		if a.dflt {
			return a.resource.all, nil
		}
		return a.scopes, nil
	}
	var have []string
	for _, key := range sortedKeys(c.app.DelegatedPermissions) {
		if r := s.resource(key, nil); r != nil && r.id == a.resource.id {
			have = append(have, c.app.DelegatedPermissions[key]...)
		}
	}
	if a.dflt {
		if len(have) == 0 {
			return nil, errConsent(c)
		}
		return have, nil
	}
	for _, want := range a.scopes {
		if !slices.Contains(have, want) && !slices.Contains(have, impersonation) {
			return nil, errConsent(c)
		}
	}
	return a.scopes, nil
}

// granted is the answer's scope member: what was granted, in the form that it was asked for, and .default itself.
// MSAL takes what it asked for and does not find here for declined.
func (a ask) granted(scopes []string) string {
	var out []string
	if a.resource.id == graphID {
		for _, x := range []struct {
			asked bool
			name  string
		}{{a.email, "email"}, {a.openid, "openid"}, {a.profile, "profile"}} {
			if x.asked {
				out = append(out, x.name)
			}
		}
	}
	prefix := a.named + "/"
	if a.bare {
		prefix = ""
	}
	for _, x := range scopes {
		out = append(out, prefix+x)
	}
	if a.dflt {
		out = append(out, prefix+".default")
	}
	return strings.Join(out, " ")
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
