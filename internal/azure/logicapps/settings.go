package logicapps

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// cache is how long a workflow may go on with the token that a connection has fetched, unless the manifest says so.
const cache = time.Hour

// Settings are the block "apiConnection" of a consumer.
type Settings struct {
	IDs          manifest.Set      `yaml:"ids,required" doc:"The resource ids of the API connections, which are all told."`
	ClientID     string            `yaml:"clientId" is:"guid" doc:"The application that they sign in as; by default the one whose secret the credential is."`
	Tenant       string            `yaml:"tenant" pattern:"^[A-Za-z0-9][A-Za-z0-9.-]{0,253}$" says:"must be the id or the domain of a tenant" doc:"The tenant that they sign in to; by default the manifest's."`
	Secret       string            `yaml:"secretParameter" default:"token:clientSecret" pattern:"^[A-Za-z][A-Za-z0-9:_.-]{0,79}$" says:"must be the name of a parameter" doc:"The parameter that takes the value. Where its name does not begin with token:, the connection signs in as no application, and client id and tenant are not sent."`
	Client       string            `yaml:"clientIdParameter" default:"token:clientId" pattern:"^[A-Za-z][A-Za-z0-9:_.-]{0,79}$" says:"must be the name of a parameter" doc:"The parameter that takes the client id."`
	TenantName   string            `yaml:"tenantParameter" default:"token:TenantId" pattern:"^[A-Za-z][A-Za-z0-9:_.-]{0,79}$" says:"must be the name of a parameter" doc:"The parameter that takes the tenant."`
	ParameterSet string            `yaml:"parameterSet" pattern:"^[A-Za-z][A-Za-z0-9_-]{0,79}$" says:"must be the name of a set" doc:"The set of parameters that the values belong to, for connectors with several ways to sign in (sql: oauthSP); by default the one that the connection shows."`
	Values       map[string]string `yaml:"values" doc:"More parameter values. An update replaces all of them, and Azure shows none: what else the connector needs has to be said here. No secrets."`
}

// Kind is what a manifest can say about API connections.
func Kind() manifest.Kind {
	return manifest.Kind{Name: "apiConnection", Consumer: true, Cache: cache,
		Doc: "API connections of Logic Apps (Microsoft.Web/connections).",
		New: func() manifest.Settings { return &Settings{} }}
}

// maxConnections bounds what one tell has to do within its time.
const maxConnections = 20

var resourceID = regexp.MustCompile(`(?i)^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/?#%]{1,90}/providers/Microsoft\.Web/connections/[^/?#%]{1,80}$`)

// Check implements manifest.Settings.
func (s *Settings) Check(report func(path, text string), _ manifest.Context) {
	if len(s.IDs) > maxConnections {
		report("ids", "must be twenty at most: make a second consumer of the others")
	}
	for _, id := range s.IDs {
		if !resourceID.MatchString(id) {
			report("ids", "must be resource ids: /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Web/connections/NAME")
			break
		}
	}
	seen := map[string]bool{}
	for _, id := range s.IDs {
		if seen[strings.ToLower(id)] {
			report("ids", "names one connection twice")
			break
		}
		seen[strings.ToLower(id)] = true
	}
	for name := range s.Values {
		if slices.ContainsFunc([]string{s.Secret, s.Client, s.TenantName, grantParameter}, func(ours string) bool { return strings.EqualFold(ours, name) }) {
			report("values", "names a parameter that Rekey itself gives")
			break
		}
	}
}

// Locations implements manifest.Located of several.
func (s *Settings) Locations() []string {
	var out []string
	for _, id := range s.IDs {
		out = append(out, strings.ToLower(id))
	}
	return out
}
