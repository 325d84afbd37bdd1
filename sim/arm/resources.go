package arm

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

const vaultType = "Microsoft.KeyVault/vaults"

func (c *call) listTenants() (int, any, *fault) {
	var out []map[string]any
	for _, t := range c.W.Tenants {
		if strings.EqualFold(t.ID, c.Token.Tenant) {
			out = append(out, map[string]any{
				"id": "/tenants/" + t.ID, "tenantId": t.ID, "displayName": t.Name, "tenantCategory": "Home",
				"defaultDomain": t.Domain, "domains": []string{t.Domain}, "countryCode": "NL",
			})
		}
	}
	return http.StatusOK, list(out), nil
}

func (c *call) listSubscriptions() (int, any, *fault) {
	out := []map[string]any{}
	for _, s := range c.W.Subscriptions {
		if strings.EqualFold(s.TenantID, c.Token.Tenant) && c.sees(s) {
			out = append(out, subscriptionBody(s))
		}
	}
	return http.StatusOK, map[string]any{"value": out, "count": map[string]any{"type": "Total", "value": len(out)}}, nil
}

func (c *call) getSubscription() (int, any, *fault) {
	if !c.sees(c.Sub) {
		return 0, nil, c.Authorize("Microsoft.Resources/subscriptions/read", "/subscriptions/"+c.Sub.ID)
	}
	return http.StatusOK, subscriptionBody(c.Sub), nil
}

// sees says whether a principal knows of a subscription: it has a role at it, above it or at anything in it.
func (c *call) sees(s *world.Subscription) bool {
	scope := "/subscriptions/" + s.ID
	if c.Allowed("Microsoft.Resources/subscriptions/read", scope) {
		return true
	}
	return slices.ContainsFunc(c.W.RoleAssignments, func(a *world.RoleAssignment) bool {
		if !a.Removed.IsZero() || !strings.EqualFold(a.PrincipalID, c.Token.ObjectID) || !within(a.Scope, scope) {
			return false
		}
		role, ok := world.RoleByID(a.RoleID)
		return ok && (len(role.Actions) > 0 || !c.W.Knobs.ARM.HideDataOnlySubscriptions)
	})
}

func subscriptionBody(s *world.Subscription) map[string]any {
	return map[string]any{
		"id": "/subscriptions/" + s.ID, "authorizationSource": "RoleBased", "managedByTenants": []any{},
		"subscriptionId": s.ID, "tenantId": s.TenantID, "displayName": s.Name, "state": "Enabled",
		"subscriptionPolicies": map[string]string{"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
	}
}

// listResources and listResourceGroups show what the caller may read of it, to whoever knows of the subscription.
func (c *call) listResources() (int, any, *fault) {
	if !c.sees(c.Sub) {
		return 0, nil, c.Authorize("Microsoft.Resources/subscriptions/resources/read", c.route.scope)
	}
	terms, f := c.filter("resourceType", "name", "resourceGroup", "location")
	if f != nil {
		return 0, nil, f
	}
	if g := c.route.group; g != "" {
		if f := c.checkGroup(); f != nil {
			return 0, nil, f
		}
	}
	var out []map[string]any
	for _, v := range c.vaults() {
		has := map[string]string{"resourceType": vaultType, "name": v.Name, "resourceGroup": v.ResourceGroup, "location": v.Location}
		if c.Allowed(vaultType+"/read", v.ResourceID()) && terms.match(has) {
			out = append(out, map[string]any{"id": v.ResourceID(), "name": v.Name, "type": vaultType, "location": v.Location, "tags": map[string]string{}})
		}
	}
	for _, x := range c.consumers() {
		has := map[string]string{"resourceType": x.kind, "name": x.name, "resourceGroup": x.group, "location": x.location}
		if c.Allowed(x.kind+"/read", x.id) && terms.match(has) {
			out = append(out, map[string]any{"id": x.id, "name": x.name, "type": x.kind, "location": x.location, "tags": map[string]string{}})
		}
	}
	return http.StatusOK, list(out), nil
}

const groupRead = "Microsoft.Resources/subscriptions/resourceGroups/read"

func (c *call) listResourceGroups() (int, any, *fault) {
	if !c.sees(c.Sub) {
		return 0, nil, c.Authorize(groupRead, c.route.scope)
	}
	var out []map[string]any
	for _, g := range c.Sub.ResourceGroups {
		if c.Allowed(groupRead, groupID(c.Sub, g)) {
			out = append(out, c.groupBody(g))
		}
	}
	return http.StatusOK, list(out), nil
}

func (c *call) getResourceGroup() (int, any, *fault) {
	if f := c.Authorize(groupRead, c.route.scope); f != nil {
		return 0, nil, f
	}
	if f := c.checkGroup(); f != nil {
		return 0, nil, f
	}
	i := slices.IndexFunc(c.Sub.ResourceGroups, func(g string) bool { return strings.EqualFold(g, c.route.group) })
	return http.StatusOK, c.groupBody(c.Sub.ResourceGroups[i]), nil
}

func groupID(s *world.Subscription, group string) string {
	return "/subscriptions/" + s.ID + "/resourceGroups/" + group
}

// groupBody says that a group is where its first vault is, as the world keeps no location for groups.
func (c *call) groupBody(group string) map[string]any {
	location := "westeurope"
	for _, v := range c.W.Vaults {
		if strings.EqualFold(v.SubscriptionID, c.Sub.ID) && strings.EqualFold(v.ResourceGroup, group) {
			location = v.Location
			break
		}
	}
	return map[string]any{
		"id": groupID(c.Sub, group), "name": group, "type": "Microsoft.Resources/resourceGroups", "location": location,
		"properties": map[string]string{"provisioningState": "Succeeded"},
	}
}

func (c *call) checkGroup() *fault {
	if slices.ContainsFunc(c.Sub.ResourceGroups, func(g string) bool { return strings.EqualFold(g, c.route.group) }) {
		return nil
	}
	return gateway.Refusal(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", c.route.group)
}

// vaults are those of the subscription, or of the group if the path names one.
func (c *call) vaults() []*world.Vault {
	var out []*world.Vault
	for _, v := range c.W.Vaults {
		if strings.EqualFold(v.SubscriptionID, c.Sub.ID) && (c.route.group == "" || strings.EqualFold(v.ResourceGroup, c.route.group)) {
			out = append(out, v)
		}
	}
	return out
}

func (c *call) listVaults() (int, any, *fault) {
	if f := c.Authorize(vaultType+"/read", c.route.scope); f != nil {
		return 0, nil, f
	}
	if c.route.group != "" {
		if f := c.checkGroup(); f != nil {
			return 0, nil, f
		}
	}
	var out []map[string]any
	for _, v := range c.vaults() {
		out = append(out, vaultBody(v))
	}
	return http.StatusOK, list(out), nil
}

func (c *call) getVault() (int, any, *fault) {
	if f := c.Authorize(vaultType+"/read", c.route.scope); f != nil {
		return 0, nil, f
	}
	if f := c.checkGroup(); f != nil {
		return 0, nil, f
	}
	v := c.vault(c.route.name)
	if v == nil {
		return 0, nil, resourceNotFound(vaultType, c.route.name, c.route.group)
	}
	return http.StatusOK, vaultBody(v), nil
}

func (c *call) vault(name string) *world.Vault {
	for _, v := range c.vaults() {
		if strings.EqualFold(v.Name, name) {
			return v
		}
	}
	return nil
}

func vaultBody(v *world.Vault) map[string]any {
	days := v.SoftDeleteDays
	if days == 0 {
		days = 90
	}
	p := map[string]any{
		"sku":                          map[string]string{"family": "A", "name": "standard"},
		"tenantId":                     v.TenantID,
		"accessPolicies":               []any{},
		"enabledForDeployment":         false,
		"enabledForDiskEncryption":     false,
		"enabledForTemplateDeployment": false,
		"enableSoftDelete":             true,
		"softDeleteRetentionInDays":    days,
		"enableRbacAuthorization":      true,
		"vaultUri":                     "https://" + strings.ToLower(v.Name) + ".vault.azure.net/",
		"provisioningState":            "Succeeded",
		"publicNetworkAccess":          "Enabled",
	}
	if v.PurgeProtection {
		p["enablePurgeProtection"] = true // never false: it cannot be turned off, so it is absent until it is on
	}
	return map[string]any{"id": v.ResourceID(), "name": v.Name, "type": vaultType, "location": v.Location, "tags": map[string]string{}, "properties": p}
}
