package automation

import (
	"fmt"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// cache is how long something may go on with what it read before, unless the manifest says so.
const cache = time.Hour

// valueParameter is the parameter that takes the value itself.
const valueParameter = "ClientSecret"

// RunbookSettings are the block "runbook" of a consumer.
type RunbookSettings struct {
	Account       string            `yaml:"account,required" pattern:"^/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[^/?#%]{1,90}/providers/Microsoft.Automation/automationAccounts/[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$" says:"must be the resource id of an Automation account: /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Automation/automationAccounts/NAME" doc:"The resource id of the Automation account."`
	Name          string            `yaml:"name,required" pattern:"^[A-Za-z][A-Za-z0-9_-]{0,62}$" says:"must be the name of a runbook" doc:"The runbook, which must be published."`
	RunOn         string            `yaml:"runOn" pattern:"^[^/?#%]{1,80}$" says:"must be the name of a hybrid worker group" doc:"The hybrid worker group that its job runs on; without it, Azure itself."`
	IDParameter   string            `yaml:"idParameter" default:"SecretId" pattern:"^[A-Za-z_][A-Za-z0-9_]{0,62}$" says:"must be the name of a parameter" doc:"The parameter that is given the id of the vault's secret. The script reads the value there, as the identity it runs as."`
	IncludeSecret bool              `yaml:"includeSecret" doc:"Give the value itself, as the parameter ClientSecret, in place of the secret's id. Automation keeps a job's parameters readable for 30 days, for everybody who may read the account."`
	Parameters    map[string]string `yaml:"parameters" doc:"More parameters of the job."`
	Timeout       time.Duration     `yaml:"timeout" default:"15m" doc:"How long its job may take before a run says that it hangs. A run waits up to four minutes for it, and a later one looks again."`
}

// RunbookKind is what a manifest can say about a runbook.
func RunbookKind() manifest.Kind {
	return manifest.Kind{Name: "runbook", Consumer: true, Cache: cache,
		Doc: "An Azure Automation runbook that hands the credential on.",
		New: func() manifest.Settings { return &RunbookSettings{} }}
}

// Check implements manifest.Settings.
func (s *RunbookSettings) Check(report func(path, text string), in manifest.Context) {
	if s.Timeout != 0 && (s.Timeout < time.Minute || s.Timeout > 24*time.Hour) {
		report("timeout", "must be between 1m and 24h")
	}
	for name := range s.Parameters {
		if strings.EqualFold(name, s.parameter()) {
			report("parameters", fmt.Sprintf("%q is what Rekey itself gives", name))
		}
	}
	if len(s.Parameters) > maxParameters-1 {
		report("parameters", fmt.Sprintf("a job takes %d at most, of which one is Rekey's", maxParameters))
	}
	if s.IncludeSecret && in.Warn != nil {
		in.Warn("includeSecret", keptReadable)
	}
}

// keptReadable is what includeSecret means.
const keptReadable = "Azure Automation keeps a job's parameters readable for 30 days: whoever may read the account can read the value there. Without includeSecret the job is given the id of the vault's secret"

// maxParameters is how many a job takes.
const maxParameters = 50

// parameter is what the credential is given as.
func (s *RunbookSettings) parameter() string {
	if s.IncludeSecret {
		return valueParameter
	}
	return s.IDParameter
}

// VariableSettings are the block "automationVariable" of a consumer.
type VariableSettings struct {
	Account string `yaml:"account,required" pattern:"^/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[^/?#%]{1,90}/providers/Microsoft.Automation/automationAccounts/[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$" says:"must be the resource id of an Automation account: /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Automation/automationAccounts/NAME" doc:"The resource id of the Automation account."`
	Name    string `yaml:"name,required" pattern:"^[^/?#%&*:<>\\\\+]{1,128}$" says:"must be the name of a variable" doc:"The variable, which must be there and be encrypted. The end of its description says which publication it is on."`
}

// CredentialSettings are the block "automationCredential" of a consumer.
type CredentialSettings struct {
	Account string `yaml:"account,required" pattern:"^/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[^/?#%]{1,90}/providers/Microsoft.Automation/automationAccounts/[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$" says:"must be the resource id of an Automation account: /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Automation/automationAccounts/NAME" doc:"The resource id of the Automation account."`
	Name    string `yaml:"name,required" pattern:"^[^/?#%&*:<>\\\\+]{1,128}$" says:"must be the name of a credential" doc:"The credential asset, which must be there. Its user name stays; the end of its description says which publication it is on."`
}

// VariableKind is what a manifest can say about an Automation variable.
func VariableKind() manifest.Kind {
	return manifest.Kind{Name: "automationVariable", Consumer: true, Cache: cache,
		Doc: "An encrypted variable of an Azure Automation account.",
		New: func() manifest.Settings { return &VariableSettings{} }}
}

// CredentialKind is what a manifest can say about an Automation credential.
func CredentialKind() manifest.Kind {
	return manifest.Kind{Name: "automationCredential", Consumer: true, Cache: cache,
		Doc: "The password of a credential of an Azure Automation account.",
		New: func() manifest.Settings { return &CredentialSettings{} }}
}

// Check implements manifest.Settings.
func (s *VariableSettings) Check(func(path, text string), manifest.Context) {}

// Location implements manifest.Located.
func (s *VariableSettings) Location() string { return location(s.Account, s.Name) }

// Check implements manifest.Settings.
func (s *CredentialSettings) Check(func(path, text string), manifest.Context) {}

// Location implements manifest.Located.
func (s *CredentialSettings) Location() string { return location(s.Account, s.Name) }

func location(account, name string) string {
	if account == "" || name == "" {
		return ""
	}
	return strings.ToLower(account + "/" + name)
}
