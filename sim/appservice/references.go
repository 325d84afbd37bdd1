package appservice

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

// details are the service's words for a status, for people.
var details = map[string]string{
	"Resolved":               "Reference has been successfully resolved.",
	"Initialized":            "Reference is being resolved.",
	"InvalidSyntax":          "Reference was not able to be resolved because of its syntax.",
	"MSINotEnabled":          "Reference was not able to be resolved because site Managed Identity not enabled.",
	"VaultNotFound":          "Key Vault reference was not able to be resolved because the vault was not found.",
	"SecretNotFound":         "Key Vault reference was not able to be resolved because the secret was not found in the key vault.",
	"SecretVersionNotFound":  "Key Vault reference was not able to be resolved because the secret version was not found in the key vault.",
	"AccessToKeyVaultDenied": "Key Vault reference was not able to be resolved because site was denied access to Key Vault reference's vault.",
}

// one is what is said of a reference: where it leads and what became of it, and never what it came to.
func (c *call) one(name string, r world.Reference) map[string]any {
	k := c.W.Knobs.AppService
	x := c.app.Resolved[name]
	if !c.app.Due.IsZero() || x.Status == "" {
		x.Status, x.Version = "Initialized", ""
	}
	p := map[string]any{
		"reference": c.app.Settings[name], "status": x.Status, "vaultName": r.Vault, "secretName": r.Secret, "identityType": "SystemAssigned",
		"details": details[x.Status], "source": "KeyVault", "activeVersion": nil,
	}
	if r.Version != "" {
		p["secretVersion"] = r.Version
	}
	if k.SaysVersion && x.Version != "" {
		p["activeVersion"] = x.Version
	}
	return c.body(c.kind()+"/config/configreferences", "/config/configreferences/appsettings/"+name, p)
}

func (c *call) references() (answer, *fault) {
	all := []any{}
	for _, name := range slices.Sorted(maps.Keys(c.app.Settings)) {
		if r, ok := world.ReferenceIn(c.app.Settings[name]); ok {
			all = append(all, c.one(name, r))
		}
	}
	return gateway.OK(map[string]any{"id": nil, "nextLink": nil, "value": all})
}

func (c *call) reference() (answer, *fault) {
	r, ok := world.ReferenceIn(c.app.Settings[c.key])
	if !ok {
		return answer{}, &fault{Status: http.StatusNotFound, Code: "NotFound", Message: "Cannot find the reference."}
	}
	return gateway.OK(c.one(c.key, r))
}

// refresh fetches all references anew, and says of each what became of it.
func (c *call) refresh() (answer, *fault) {
	k := c.W.Knobs.AppService
	switch takes := time.Duration(k.RefreshTakes); {
	case k.Ignore:
	case takes > 0:
		c.app.Due = c.Now.Add(takes)
	default:
		c.W.Fetch(c.app, c.Now)
	}
	if k.SaysNothing {
		return answer{Status: http.StatusOK}, nil
	}
	return c.references()
}
