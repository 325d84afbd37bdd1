package graph

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// operation is one thing that Graph can be asked for. In its path "{}" stands for a key.
type operation struct {
	name   string
	method string
	path   string
	do     func(*call) (int, any, *fault)
}

// key is what a path names an object by: its id, or another property of it.
type key struct {
	property string // "" for the id
	value    string
}

func operations() []operation {
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	ops := []operation{
		{"ListApplications", get, "applications", (*call).listApplications},
		{"CreateApplication", post, "applications", (*call).createApplication},
		{"GetApplication", get, "applications/{}", (*call).getApplication},
		{"UpdateApplication", patch, "applications/{}", (*call).updateApplication},
		{"DeleteApplication", del, "applications/{}", (*call).deleteApplication},

		{"ListServicePrincipals", get, "serviceprincipals", (*call).listServicePrincipals},
		{"GetServicePrincipal", get, "serviceprincipals/{}", (*call).getServicePrincipal},
		{"CreateServicePrincipal", post, "serviceprincipals", (*call).createServicePrincipal},
		{"UpdateServicePrincipal", patch, "serviceprincipals/{}", (*call).updateServicePrincipal},

		{"ListUsers", get, "users", (*call).listUsers},
		{"GetUser", get, "users/{}", (*call).getUser},
		{"UpdateUser", patch, "users/{}", (*call).updateUser},
		{"DeleteUser", del, "users/{}", (*call).deleteUser},
		{"RevokeSignInSessions", post, "users/{}/revokesigninsessions", (*call).revokeSessions},
		{"ChangePassword", post, "users/{}/changepassword", (*call).changePassword},
		{"GetMe", get, "me", (*call).getUser},
		{"RevokeSignInSessions", post, "me/revokesigninsessions", (*call).revokeSessions},
		{"ChangePassword", post, "me/changepassword", (*call).changePassword},

		{"ListGroups", get, "groups", (*call).listGroups},
		{"GetGroup", get, "groups/{}", (*call).getGroup},
		{"ListGroupMembers", get, "groups/{}/members", (*call).listMembers},
		{"GetDirectoryObject", get, "directoryobjects/{}", (*call).getDirectoryObject},
		{"GetByIds", post, "directoryobjects/getbyids", (*call).getByIDs},
		{"RestoreDeletedItem", post, "directory/deleteditems/{}/restore", (*call).restoreDeleted},
		{"DeleteDeletedItem", del, "directory/deleteditems/{}", (*call).purgeDeleted},

		{"ListDirectoryRoleDefinitions", get, "rolemanagement/directory/roledefinitions", (*call).listRoleDefinitions},
		{"GetDirectoryRoleDefinition", get, "rolemanagement/directory/roledefinitions/{}", (*call).getRoleDefinition},
		{"ListDirectoryRoleAssignments", get, "rolemanagement/directory/roleassignments", (*call).listRoleAssignments},
		{"CreateDirectoryRoleAssignment", post, "rolemanagement/directory/roleassignments", (*call).createRoleAssignment},
		{"GetDirectoryRoleAssignment", get, "rolemanagement/directory/roleassignments/{}", (*call).getRoleAssignment},
		{"DeleteDirectoryRoleAssignment", del, "rolemanagement/directory/roleassignments/{}", (*call).deleteRoleAssignment},

		{"GetDefaultAppManagementPolicy", get, "policies/defaultappmanagementpolicy", (*call).getDefaultPolicy},
		{"ListAppManagementPolicies", get, "policies/appmanagementpolicies", (*call).listPolicies},
		{"ListApplicationPolicies", get, "applications/{}/appmanagementpolicies", (*call).listApplicationPolicies},

		{"ListFederatedCredentials", get, "applications/{}/federatedidentitycredentials", (*call).listFederated},
		{"CreateFederatedCredential", post, "applications/{}/federatedidentitycredentials", (*call).createFederated},
		{"GetFederatedCredential", get, "applications/{}/federatedidentitycredentials/{}", (*call).getFederated},
		{"DeleteFederatedCredential", del, "applications/{}/federatedidentitycredentials/{}", (*call).deleteFederated},
		{"Batch", post, "$batch", (*call).batch},
	}
	// What an application and its service principal have in common.
	for _, kind := range []struct{ path, prefix string }{{"applications", ""}, {"serviceprincipals", "ServicePrincipal"}} {
		for _, o := range []operation{
			{"Add@Password", post, "addpassword", (*call).addPassword},
			{"Remove@Password", post, "removepassword", (*call).removePassword},
			{"Add@Key", post, "addkey", (*call).addKey},
			{"Remove@Key", post, "removekey", (*call).removeKey},
			{"List@Owners", get, "owners", (*call).listOwners},
			{"List@OwnerRefs", get, "owners/$ref", (*call).listOwnerRefs},
			{"Add@Owner", post, "owners/$ref", (*call).addOwner},
			{"Remove@Owner", del, "owners/{}/$ref", (*call).removeOwner},
		} {
			o.name = strings.Replace(o.name, "@", kind.prefix, 1)
			o.path = kind.path + "/{}/" + o.path
			ops = append(ops, o)
		}
	}
	return slices.Concat(ops, pimOperations(), approvalOperations())
}

// route finds what a request asks for; nil if Graph is not known to have it.
func (s *Service) route(method, host string, u *url.URL) (*operation, []key) {
	path := strings.Trim(u.EscapedPath(), "/")
	version, rest, _ := strings.Cut(path, "/")
	beta := strings.EqualFold(version, "beta") // a few operations are there alone
	if beta {
		rest = "beta/" + rest
	}
	if !beta && (!strings.EqualFold(version, "v1.0") || strings.HasPrefix(strings.ToLower(rest), "beta/")) || strings.HasPrefix(strings.ToLower(host), "graph.windows.net") {
		return nil, nil
	}
	segments, ok := split(rest)
	if !ok {
		return nil, nil
	}
	for i := range s.table {
		if o := &s.table[i]; o.method == method {
			if keys, ok := o.match(segments); ok {
				return o, keys
			}
		}
	}
	return nil, nil
}

// segment is one step of a path: a name, or a key.
type segment struct {
	text string
	key  *key // of the form (appId='..') or ('..')
}

// split takes a path apart. Keys in parentheses become segments of their own, as if a slash stood before them; the
// namespace before the name of an action says nothing.
func split(path string) (out []segment, ok bool) {
	for raw := range strings.SplitSeq(path, "/") {
		text, err := url.PathUnescape(raw)
		if err != nil || text == "" {
			return nil, false
		}
		name, rest, found := strings.Cut(text, "(")
		if !found || !strings.HasSuffix(rest, ")") {
			out = append(out, segment{text: strings.TrimPrefix(text, "microsoft.graph.")})
			continue
		}
		property, value, named := strings.Cut(strings.TrimSuffix(rest, ")"), "=")
		if !named {
			property, value = "", property
		}
		value = strings.TrimSuffix(strings.TrimPrefix(value, "'"), "'")
		out = append(out, segment{text: strings.TrimPrefix(name, "microsoft.graph.")}, segment{key: &key{property, strings.ReplaceAll(value, "''", "'")}})
	}
	return out, true
}

func (o *operation) match(segments []segment) (keys []key, ok bool) {
	i := 0
	for want := range strings.SplitSeq(o.path, "/") {
		if i == len(segments) {
			return nil, false
		}
		got := segments[i]
		i++
		switch {
		case want == "{}" && got.key != nil:
			keys = append(keys, *got.key)
		case want == "{}":
			keys = append(keys, key{value: got.text})
		case got.key != nil || !strings.EqualFold(want, got.text):
			return nil, false
		}
	}
	return keys, i == len(segments)
}
