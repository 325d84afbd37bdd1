package sim

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/rekeyhq/rekey/sim/appservice"
	"github.com/rekeyhq/rekey/sim/arm"
	"github.com/rekeyhq/rekey/sim/automation"
	"github.com/rekeyhq/rekey/sim/blob"
	"github.com/rekeyhq/rekey/sim/connections"
	"github.com/rekeyhq/rekey/sim/devops"
	"github.com/rekeyhq/rekey/sim/entra"
	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/graph"
	"github.com/rekeyhq/rekey/sim/keyvault"
	"github.com/rekeyhq/rekey/sim/monitor"
	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// newServices makes the services over one world.
func newServices(w *world.World, directory *entra.Service) []wire.Service {
	return []wire.Service{
		directory, arm.New(w), devops.New(w), keyvault.New(w), graph.New(w),
		automation.New(w), connections.New(w), appservice.New(w),
		blob.New(w), monitor.New(w),
		&identity{world: w, issuer: directory},
	}
}

// hosts says which service answers for a host name. A name that starts with "*." stands for exactly one label
// more; exact names win. A service that is named here and not built answers 501.
var hosts = map[string]string{
	"login.microsoftonline.com":           "entra",
	"login.windows.net":                   "entra",
	"login.microsoft.com":                 "entra",
	"sts.windows.net":                     "entra",
	"token.actions.githubusercontent.com": "entra",
	"vstoken.dev.azure.com":               "entra", // the issuer of Azure Pipelines
	"microsoft.com":                       "entra", // the device code page alone
	"www.microsoft.com":                   "entra",

	"*.vault.azure.net": "keyvault",

	"management.azure.com":        "arm",
	"management.core.windows.net": "arm",

	"dev.azure.com":              "devops",
	"vssps.dev.azure.com":        "devops",
	"vsaex.dev.azure.com":        "devops",
	"app.vssps.visualstudio.com": "devops",
	"*.vssps.visualstudio.com":   "devops",
	"*.vsaex.visualstudio.com":   "devops",
	"*.visualstudio.com":         "devops",

	"graph.microsoft.com":        "graph",
	"graph.windows.net":          "graph",
	"auditservice.dev.azure.com": "audit",
	"*.dev.azure.com":            "devops-other",
	"*.blob.core.windows.net":    "blob",
	"api.github.com":             "github",
}

// regional names have a region between the name and the service: {endpoint}.{region}.ingest.monitor.azure.com,
// {account}.webhook.{region}.azure-automation.net, prod-00.{region}.logic.azure.com.
var regional = map[string]string{
	".ingest.monitor.azure.com": "monitor",
	".azure-automation.net":     "automation-webhook",
	".logic.azure.com":          "logic",
}

// providers are the resource providers that stand behind Azure Resource Manager as services of their own. The last
// provider in an address counts: role assignments at an Automation account are Resource Manager's. Where a type is
// named, it is that type's alone.
var providers = map[string]string{
	automation.Provider:  "automation",
	connections.Provider: "connections",

	appservice.Provider + "/sites": "appservice",
}

// serviceFor finds the service of a bare host name; ok is false for a host that is not part of this Azure.
func serviceFor(host string) (name string, ok bool) {
	if name, ok = hosts[host]; ok {
		return name, true
	}
	label, parent, _ := strings.Cut(host, ".")
	if label == "" {
		return "", false
	}
	if name, ok = hosts["*."+parent]; ok {
		return name, true
	}
	for suffix, name := range regional {
		if strings.HasSuffix(host, suffix) {
			return name, true
		}
	}
	return "", false
}

// hostOf is the bare, lower-case host name of a Host header or a CONNECT target.
func hostOf(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// loopback says whether a bare host is this machine, by its numbers or its one fixed name.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// route finds who answers a request. A nil service with ok is a host that is known and not built.
func (s *Server) route(r *http.Request) (service wire.Service, name string, ok bool) {
	host := hostOf(r.Host)
	if loopback(host) && r.URL.Path == IdentityPath || metadata(host, r.URL.Path) {
		name, ok = identityName, true
	} else {
		name, ok = serviceFor(host)
	}
	if name == "arm" {
		p := gateway.PathOf(r)
		name = cmp.Or(providers[p.Provider+"/"+p.Type()], providers[p.Provider], name)
	}
	return s.services[name], name, ok
}
