package devops

import (
	"slices"
	"strings"
)

const (
	fullScope     = "app_token"          // a PAT's full access
	impersonation = "user_impersonation" // an Entra token's full access
	scopePrefix   = "vso."
)

// inherits lists every scope, without its prefix, and the one that it includes ("" for none):
// facts/azure-devops-entra.md section 1.8, from the specification and Microsoft's table of scopes.
var inherits = map[string]string{
	"advsec": "", "advsec_write": "advsec", "advsec_manage": "advsec_write",
	"agentpools": "", "agentpools_manage": "agentpools", "environment_manage": "agentpools_manage",
	"machinegroup_manage": "agentpools_manage",
	"analytics":           "",
	"auditlog":            "", "auditstreams_manage": "auditlog",
	"build": "hooks_write", "build_execute": "build",
	"code": "hooks_write", "code_write": "code", "code_manage": "code_write", "code_full": "code_manage", "code_status": "",
	"connected_server": "",
	"dashboards":       "", "dashboards_manage": "",
	"drop": "", "drop_write": "", "drop_manage": "",
	"entitlements": "", "memberentitlementmanagement": "", "memberentitlementmanagement_write": "",
	"extension": "profile", "extension_manage": "", "extension.data": "profile", "extension.data_write": "",
	"gallery": "profile", "gallery_acquire": "", "gallery_publish": "", "gallery_manage": "gallery_publish",
	"githubconnections": "", "githubconnections_manage": "",
	"governance": "",
	"graph":      "", "graph_manage": "",
	"hooks": "", "hooks_write": "", "hooks_interact": "",
	"identity": "", "identity_manage": "",
	"loadtest": "", "loadtest_write": "",
	"notification": "profile", "notification_write": "", "notification_manage": "", "notification_diagnostics": "",
	"packaging": "profile", "packaging_write": "", "packaging_manage": "packaging_write",
	"pipelineresources_use": "", "pipelineresources_manage": "",
	"profile": "", "profile_write": "",
	"project": "", "project_write": "", "project_manage": "",
	"release": "profile", "release_execute": "", "release_manage": "",
	"securefiles_read": "", "securefiles_write": "", "securefiles_manage": "",
	"security_manage": "",
	"serviceendpoint": "profile", "serviceendpoint_query": "", "serviceendpoint_manage": "",
	"settings": "", "settings_write": "",
	"symbols": "profile", "symbols_write": "", "symbols_manage": "",
	"taskgroups_read": "", "taskgroups_write": "", "taskgroups_manage": "",
	"test": "profile", "test_write": "",
	"threads_full": "",
	"tokens":       "", "tokenadministration": "",
	"variablegroups_read": "", "variablegroups_write": "", "variablegroups_manage": "",
	"wiki": "", "wiki_write": "",
	"work": "hooks_write", "work_write": "", "work_full": "",
}

// patScope says whether a string may be a scope of a PAT.
func patScope(scope string, allowPats bool) bool {
	if scope == fullScope {
		return true
	}
	name, ok := strings.CutPrefix(scope, scopePrefix)
	if !ok {
		return false
	}
	if _, known := inherits[name]; known {
		return true
	}
	return allowPats && (name == "pats" || name == "pats_manage")
}

// grant is what a credential's scopes let it do.
type grant struct {
	all    bool
	scopes []string // without their prefix, inherited ones included
}

var everything = grant{all: true}

func grantOf(scopes []string) grant {
	var g grant
	for _, s := range scopes {
		if s == fullScope || s == impersonation {
			return everything
		}
		for name := strings.TrimPrefix(s, scopePrefix); name != ""; name = inherits[name] {
			g.scopes = append(g.scopes, name)
		}
	}
	return g
}

// has says whether any of the scopes (without their prefix) is granted.
func (g grant) has(names ...string) bool {
	return g.all || slices.ContainsFunc(names, func(n string) bool { return slices.Contains(g.scopes, n) })
}
