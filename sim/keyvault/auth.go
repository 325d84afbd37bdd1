package keyvault

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/rekeyhq/rekey/sim/wire"
)

const (
	resource = "https://vault.azure.net"
	// resourceApp is the application id of Key Vault, an audience that a client may ask for instead.
	resourceApp = "cfa8b339-82a2-471a-a3c9-0fa0be7a4093"
)

// challenge is the WWW-Authenticate value of facts 1.3. Clients split it at spaces and want exactly one "=" in each
// part, so no description may follow the error.
func (c *call) challenge(tokenRefused bool) string {
	s := fmt.Sprintf(`Bearer authorization="https://login.microsoftonline.com/%s", resource="%s"`, c.vault.TenantID, resource)
	if tokenRefused {
		s += `, error="invalid_token"`
	}
	return s
}

// authenticate finds out who calls.
func (c *call) authenticate() *fault {
	scheme, raw, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return unauthorized("AKV10000: Request is missing a Bearer or PoP token.", false)
	}
	t, ok := c.w.TokenOf(raw)
	if !ok {
		c.w.Remember(raw)
		return unauthorized("AKV10046: Unable to resolve the key used for signature validation.", true)
	}
	wire.CallFrom(c.r.Context()).Principal = cmp.Or(t.Name, t.ObjectID)
	c.token = t
	audience := strings.TrimSuffix(t.Audience, "/")
	switch {
	case !strings.EqualFold(audience, resource) && !strings.EqualFold(audience, resourceApp):
		return unauthorized("AKV10022: Invalid audience. Expected "+resource+", found: "+t.Audience+".", true)
	case !c.now.Before(t.Expires):
		return unauthorized("[TokenExpired] Error validating token: 'S2S12086'.", true)
	case !strings.EqualFold(t.Tenant, c.vault.TenantID):
		return unauthorized(fmt.Sprintf("AKV10032: Invalid issuer. Expected one of https://sts.windows.net/%s/, found https://sts.windows.net/%s/.", c.vault.TenantID, t.Tenant), false)
	}
	return nil
}

// authorize asks the role assignments, at the secret if the path names one and at the vault otherwise.
func (c *call) authorize(action string) *fault {
	action = "Microsoft.KeyVault/vaults/secrets/" + action
	scope := c.vault.ResourceID()
	if c.route.name != "" {
		scope += "/secrets/" + c.route.name
	}
	if c.w.AllowedData(c.token.ObjectID, action, scope) {
		return nil
	}
	// Resources are printed in lower case but for the names in them (facts 1.4).
	printed := strings.NewReplacer("/resourceGroups/", "/resourcegroups/", "/Microsoft.KeyVault/", "/microsoft.keyvault/").Replace(scope)
	return &fault{
		status: http.StatusForbidden, code: "Forbidden", inner: "ForbiddenByRbac",
		message: "Caller is not authorized to perform action on resource.\r\n" +
			"If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\n" +
			fmt.Sprintf("Caller: appid=%s;oid=%s;iss=https://sts.windows.net/%s/\r\n", c.token.AppID, c.token.ObjectID, c.token.Tenant) +
			"Action: '" + action + "'\r\n" +
			"Resource: '" + printed + "'\r\n" +
			"Assignment: (not found)\r\n" +
			"DenyAssignmentId: null\r\n" +
			"DecisionReason: 'DeniedWithNoValidRBAC' \r\n" +
			fmt.Sprintf("Vault: %s;location=%s\r\n", c.vault.Name, c.vault.Location),
	}
}
