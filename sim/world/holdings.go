package world

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Holding is one value that a consumer holds now.
type Holding struct {
	// Kind is "service-connection", "variable-group", "runbook", "automation-variable", "automation-credential",
	// "api-connection" or "app-service".
	Kind string
	// Consumer names it in full: "contoso/<id of the service connection>", an ARM id.
	Consumer string
	// Name is the parameter or variable with the value.
	Name  string
	Value string
	// Use is what the consumer uses it against.
	Use Target
}

// Holdings lists every secret value that a consumer holds, in a stable order; a consumer that lost its value is listed
// with "". It settles jobs first, as what a runbook configures changes when its job ends, and what apps have fetched. Locked.
func (w *World) Holdings() []Holding {
	w.SettleJobs()
	w.SettleSites()
	var out []Holding
	for _, o := range w.Organizations {
		for _, e := range o.ServiceEndpoints {
			name, value := e.Credential()
			if name != "" {
				out = append(out, Holding{"service-connection", o.Name + "/" + e.ID, name, value, e.Use()})
			}
		}
		for _, g := range o.VariableGroups {
			out = append(out, w.groupHoldings(o, g)...)
		}
	}
	for _, a := range w.AutomationAccounts {
		out = append(out, a.holdings()...)
	}
	for _, c := range w.Connections {
		if name, value := c.Credential(); name != "" {
			out = append(out, Holding{"api-connection", c.ResourceID(), name, value, c.Use()})
		}
	}
	for _, s := range w.Sites {
		out = append(out, s.holdings()...)
	}
	return out
}

// Holders lists the consumers that hold a value now. Locked.
func (w *World) Holders(value string) []Holding {
	return slices.DeleteFunc(w.Holdings(), func(h Holding) bool { return h.Value != value })
}

// Works says whether a consumer could use what it holds, at this moment and in every region. Locked.
func (w *World) Works(h Holding) Attempt { return w.Try(h.Value, h.Use) }

// credentials are the parameters that hold a scheme's secret.
var credentials = map[string][]string{
	"serviceprincipal": {"serviceprincipalkey"},
	"token":            {"apitoken", "accesstoken"},
	"usernamepassword": {"password"},
	"none":             {"nugetkey"},
}

// Credential is the secret that a service connection signs in with, and its parameter; name is "" if its scheme has
// none.
func (e *ServiceEndpoint) Credential() (name, value string) {
	names := credentials[strings.ToLower(e.Scheme)]
	for _, n := range names {
		if key, v := e.Parameter(n); key != "" {
			return key, v
		}
	}
	if _, v := e.Parameter("servicePrincipalCertificate"); v != "" || len(names) == 0 || strings.EqualFold(e.Scheme, "None") {
		return "", ""
	}
	return names[0], ""
}

// Use is what a service connection signs in to: its service principal's tenant, or the organisation that its address
// names. What is neither may be anything.
func (e *ServiceEndpoint) Use() Target {
	if strings.EqualFold(e.Type, "azurerm") {
		_, client := e.Parameter("serviceprincipalid")
		_, tenant := e.Parameter("tenantid")
		return Target{ClientID: client, TenantID: tenant}
	}
	return Target{Organization: OrganizationIn(e.URL)}
}

// OrganizationIn is the organisation that an Azure DevOps address names, "" if it is none.
func OrganizationIn(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	host = strings.ToLower(host)
	switch {
	case host == "dev.azure.com", host == "vssps.dev.azure.com", host == "pkgs.dev.azure.com":
		org, _, _ := strings.Cut(path, "/")
		return org
	case strings.HasSuffix(host, ".visualstudio.com"):
		org, _, _ := strings.Cut(host, ".")
		return org
	}
	return ""
}

// groupHoldings are a group's secrets. One that is linked to a vault holds what the vault's newest versions are, as
// pipelines read them at run time.
func (w *World) groupHoldings(o *Organization, g *VariableGroup) []Holding {
	var out []Holding
	for _, name := range slices.Sorted(maps.Keys(g.Variables)) {
		v := g.Variables[name]
		if !v.Secret && g.Type != "AzureKeyVault" {
			continue
		}
		value := v.Value
		if g.Type == "AzureKeyVault" {
			value = ""
			if _, x := w.SecretAt("https://"+g.Vault+".vault.azure.net/secrets/"+name, w.Now()); x != nil {
				value = x.Value
			}
		}
		out = append(out, Holding{"variable-group", o.Name + "/" + strconv.Itoa(g.ID), name, value, v.Use})
	}
	return out
}

func (a *AutomationAccount) holdings() []Holding {
	var out []Holding
	at := a.ResourceID()
	for _, r := range a.Runbooks {
		if r.Script.IDParameter != "" || r.Script.ValueParameter != "" || r.Holds != "" {
			out = append(out, Holding{"runbook", at + "/runbooks/" + r.Name, "", r.Holds, r.Script.Use})
		}
	}
	for _, v := range a.Variables {
		if v.Encrypted {
			out = append(out, Holding{"automation-variable", at + "/variables/" + v.Name, "", unquoted(v.Value), v.Use})
		}
	}
	for _, c := range a.Credentials {
		out = append(out, Holding{"automation-credential", at + "/credentials/" + c.Name, c.UserName, c.Password, c.Use})
	}
	return out
}

// unquoted is the text in an Automation variable, whose value is JSON in a string.
func unquoted(value string) string {
	var s string
	if json.Unmarshal([]byte(value), &s) != nil {
		return value
	}
	return s
}

// Credential is the secret that a connection signs in with, and its parameter; name is "" if it has none.
func (c *Connection) Credential() (name, value string) {
	for _, k := range slices.Sorted(maps.Keys(c.Values)) {
		if SecretConnectionValue(k) {
			return k, c.Values[k]
		}
	}
	if len(c.Values) == 0 {
		return "token:clientSecret", ""
	}
	return "", ""
}

// Use is what a connection signs in to: the tenant of its client. One without a client may use anything.
func (c *Connection) Use() Target {
	return Target{ClientID: c.Value("token:clientId"), TenantID: c.Value("token:TenantId")}
}
