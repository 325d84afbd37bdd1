package pipelines

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// endpoint is a service connection as the service showed it.
type endpoint struct {
	document
	project string
	date    time.Time
}

const references = "serviceEndpointProjectReferences"

// reference finds the project of the manifest among those that share the connection.
func (e endpoint) reference() (all []document, at int) {
	if json.Unmarshal(e.document[references], &all) != nil {
		return nil, -1
	}
	for i, r := range all {
		p := r.object("projectReference")
		if strings.EqualFold(p.text("name"), e.project) || strings.EqualFold(p.text("id"), e.project) {
			return all, i
		}
	}
	return all, -1
}

// mark is what the description says, which is kept for the connection and for each project: where both have a mark,
// and they differ, somebody changed one of them.
func (e endpoint) mark() driver.Mark {
	m := driver.MarkIn(e.text("description"))
	if all, i := e.reference(); i >= 0 {
		if there := driver.MarkIn(all[i].text("description")); m.Publication == "" {
			return there
		} else if there.Publication != "" && there != m {
			return driver.Mark{}
		}
	}
	return m
}

// state is which publication it is on, and whether it is ready to be tried.
func (e endpoint) state() rotation.ConsumerState {
	m := e.mark()
	s := rotation.ConsumerState{Publication: m.Publication, Told: m.Told}
	switch status := e.object("operationStatus").text("state"); {
	case m.Publication == "":
		s.Why = "no mark says that it was told"
	case strings.EqualFold(status, "Failed"):
		s.Why = "Azure DevOps says that its last change failed"
	case e.busy():
		s.Why = "it is not ready yet"
	default:
		s.Works = true
	}
	return s
}

// busy says whether a change of it is still going on.
func (e endpoint) busy() bool {
	status := e.object("operationStatus").text("state")
	if strings.EqualFold(status, "Failed") {
		return false
	}
	return string(e.document["isReady"]) == "false" || strings.EqualFold(status, "InProgress")
}

// untestable says whether Azure DevOps has no test for a connection of that type.
func (e endpoint) untestable() bool { return strings.EqualFold(e.text("type"), "generic") }

// parameters are those of its authorization.
func (e endpoint) parameters() document { return e.object("authorization").object("parameters") }

func (d document) parameter(name string) string {
	key, _ := d.key(name)
	return d.text(key)
}

// secretKey is the parameter that its scheme keeps the secret in; "" if it has none that can be told.
func (e endpoint) secretKey() string {
	p := e.parameters()
	has := func(name string) bool { _, ok := p.key(name); return ok }
	key := ""
	switch strings.ToLower(e.object("authorization").text("scheme")) {
	case "serviceprincipal":
		if kind := p.parameter("authenticationType"); kind == "" || strings.EqualFold(kind, "spnKey") {
			key = "serviceprincipalkey"
		}
	case "token":
		key = "apitoken"
		if !has(key) && has("AccessToken") {
			key = "AccessToken"
		}
	case "usernamepassword":
		key = "password"
	case "none":
		if has("nugetkey") {
			key = "nugetkey"
		}
	}
	if key == "" {
		return ""
	}
	spelt, _ := p.key(key)
	return spelt
}

// fits says whether it can be told a credential that is for such a use.
func (e endpoint) fits(op string, use Use) error {
	scheme := strings.ToLower(e.object("authorization").text("scheme"))
	azure := strings.EqualFold(e.text("type"), "azurerm")
	org := organizationIn(e.text("url"))
	switch {
	case scheme == "workloadidentityfederation" || scheme == "managedserviceidentity":
		return unfit(op, "it signs in without a secret, so there is nothing to tell it", "take it out of the credential's consumers")
	case e.secretKey() == "":
		return unfit(op, "it holds no key, token or password that can be told", "name a service connection that signs in with a key, a token or a password; a certificate is none of them")
	case azure && strings.EqualFold(e.object("data").parameter("creationMode"), "Automatic"):
		return unfit(op, "Azure DevOps made its application by itself and takes no key for it",
			"convert it to workload identity federation, which needs no secret; or make a service connection of your own with an application's key, and name that one")
	case azure && use.Organization != "":
		return unfit(op, "it signs in to Azure as an application, and the credential is a PAT", "name a service connection that holds a PAT, or another credential")
	case azure && use.ClientID != "" && !strings.EqualFold(use.ClientID, e.parameters().parameter("serviceprincipalid")):
		return unfit(op, "it signs in as another application than the one whose secret this is", "name the service connection of that application, or the credential of the connection's application")
	case !azure && use.Organization != "" && org != "" && !strings.EqualFold(org, use.Organization):
		return unfit(op, "its address is in another organisation than the PAT is for", "name the service connection to "+use.Organization+", or a PAT for the organisation that it connects to")
	}
	return nil
}

// with is the connection with a new value and its mark, to be put back whole.
func (e endpoint) with(value secret.Value, m driver.Mark) ([]byte, error) {
	d := document{}
	for k, v := range e.document {
		d[k] = v
	}
	auth, parameters := e.object("authorization"), e.parameters()
	if parameters == nil {
		parameters = document{}
	}
	key := e.secretKey()
	if err := parameters.setSecret(key, value); err != nil {
		return nil, err
	}
	defer wipe(parameters[key])
	auth.set("parameters", parameters)
	defer wipe(auth["parameters"])
	d.set("authorization", auth)
	defer wipe(d["authorization"])
	d.set("description", driver.Marked(e.text("description"), m))
	if all, i := e.reference(); i >= 0 {
		all[i].set("description", driver.Marked(all[i].text("description"), m))
		d.set(references, all)
	}
	return json.Marshal(d)
}

// organizationIn is the organisation that an Azure DevOps address names; "" if it is none.
func organizationIn(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	at, path, _ := strings.Cut(rest, "/")
	at = strings.ToLower(at)
	switch org, domain, _ := strings.Cut(at, "."); {
	case at == "dev.azure.com", strings.HasSuffix(at, ".dev.azure.com"):
		org, _, _ := strings.Cut(path, "/")
		return org
	case domain == "visualstudio.com", strings.HasSuffix(at, ".pkgs.visualstudio.com"):
		return org
	}
	return ""
}
