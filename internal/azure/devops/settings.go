package devops

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// Settings are the block "pat" of a credential.
type Settings struct {
	Account      string       `yaml:"account,required" ref:"accounts" doc:"The user that owns the PAT: a name out of 'accounts'."`
	Organization string       `yaml:"organization,required" pattern:"^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$" says:"must be the name of an organisation, as in https://dev.azure.com/NAME" doc:"The Azure DevOps organisation. A PAT for all organisations cannot be asked for: Azure DevOps retires them on 2026-12-01."`
	Scopes       manifest.Set `yaml:"scopes,required" doc:"What the PAT may do: vso.code, vso.packaging_write ... or app_token for everything. Order means nothing."`
	Adopt        *Adopt       `yaml:"adopt" doc:"An existing PAT, not made by Rekey, to take over."`

	// Probe is the credential's check.probe.
	Probe string `yaml:"-"`
}

// Adopt names an existing PAT.
type Adopt struct {
	ID   string `yaml:"id" is:"guid" one:"way to name the PAT" doc:"Its authorizationId."`
	Name string `yaml:"name" one:"way to name the PAT" doc:"Its display name, if exactly one living PAT of the account has it."`
}

// Kind is what a manifest can say about a PAT.
func Kind() manifest.Kind {
	return manifest.Kind{
		Name:   "pat",
		Doc:    "An Azure DevOps personal access token.",
		Probes: []string{"connectionData", "projects"},
		New:    func() manifest.Settings { return &Settings{} },
	}
}

var stampLike = regexp.MustCompile(`^rekey/`)

// UsesAccount implements manifest.Accounted.
func (s *Settings) UsesAccount() string { return s.Account }

// Check implements manifest.Settings.
func (s *Settings) Check(report func(path, text string), in manifest.Context) {
	for i, scope := range s.Scopes {
		path := fmt.Sprintf("scopes[%d]", i)
		switch {
		case slices.Contains(patScopes, scope):
		case scope == "vso.pats" || scope == "vso.pats_manage" || scope == "user_impersonation":
			report(path, fmt.Sprintf("%q is a permission of an application in Entra ID and not a scope of a PAT", scope))
		default:
			report(path, fmt.Sprintf("unknown scope %.60q%s", scope, didYouMean(scope)))
		}
	}
	if len(s.Scopes) > 1 && slices.Contains(s.Scopes, "app_token") {
		report("scopes", "app_token is full access: name it alone, or better, name the scopes that are needed")
	}
	if s.Adopt != nil && stampLike.MatchString(s.Adopt.Name) {
		report("adopt.name", "a PAT that Rekey made is found by its stamp and need not be adopted")
	}
	if len(s.Scopes) == 1 && s.Scopes[0] == "app_token" && in.Warn != nil {
		in.Warn("scopes", "app_token is full access to everything that the account may do: name the scopes that are needed")
	}
}

func didYouMean(scope string) string {
	if !strings.HasPrefix(scope, "vso.") && slices.Contains(patScopes, "vso."+scope) {
		return fmt.Sprintf(" (did you mean %q?)", "vso."+scope)
	}
	if n := manifest.Nearest(scope, patScopes); n != "" {
		return fmt.Sprintf(" (did you mean %q?)", n)
	}
	return ""
}

// patScopes are the scopes of facts/azure-devops-entra.md 1.8, from Microsoft's specification of 7.2 and its
// documentation of OAuth scopes.
var patScopes = func() []string {
	out := []string{"app_token"}
	for name := range strings.FieldsSeq(`advsec advsec_write advsec_manage agentpools agentpools_manage environment_manage
		analytics auditlog auditstreams_manage build build_execute code code_write code_manage code_full code_status
		connected_server entitlements memberentitlementmanagement memberentitlementmanagement_write extension
		extension_manage extension.data extension.data_write githubconnections githubconnections_manage graph graph_manage
		identity identity_manage machinegroup_manage gallery gallery_acquire gallery_publish gallery_manage notification
		notification_write notification_manage notification_diagnostics packaging packaging_write packaging_manage
		pipelineresources_use pipelineresources_manage project project_write project_manage release release_execute
		release_manage securefiles_read securefiles_write securefiles_manage security_manage serviceendpoint
		serviceendpoint_query serviceendpoint_manage hooks hooks_write hooks_interact settings settings_write symbols
		symbols_write symbols_manage taskgroups_read taskgroups_write taskgroups_manage dashboards dashboards_manage test
		test_write threads_full tokens tokenadministration profile profile_write variablegroups_read variablegroups_write
		variablegroups_manage wiki wiki_write work work_write work_full drop drop_write drop_manage loadtest loadtest_write`) {
		out = append(out, "vso."+name)
	}
	return out
}()
