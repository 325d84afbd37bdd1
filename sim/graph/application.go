package graph

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

var (
	applicationSet = set{
		path: "applications", context: "applications", kind: "Application",
		filters: []string{"id", "appId", "displayName", "signInAudience", "identifierUris"},
		known:   func(p string) bool { return hasProperty(applicationBody(holder{app: &world.App{}}, false), p) },
	}
	principalSet = set{
		path: "servicePrincipals", context: "servicePrincipals", kind: "ServicePrincipal",
		filters: []string{"id", "appId", "displayName", "servicePrincipalNames", "servicePrincipalType", "accountEnabled"},
		known: func(p string) bool {
			return hasProperty(principalBody(holder{app: &world.App{}, principal: true}, false), p)
		},
	}
)

func hasProperty(e entity, name string) bool {
	for k := range e {
		if strings.EqualFold(k, name) {
			return true
		}
	}
	return false
}

func (c *call) listApplications() (int, any, *fault) {
	return c.listHolders(applicationSet, false)
}

func (c *call) listServicePrincipals() (int, any, *fault) {
	return c.listHolders(principalSet, true)
}

func (c *call) listHolders(s set, principal bool) (int, any, *fault) {
	owned := !c.readsAll()
	if owned && !(c.has(ownedBy) && !c.delegated()) {
		return 0, nil, denied()
	}
	expand, f := c.expandsOwners()
	if f != nil {
		return 0, nil, f
	}
	at := c.now.Add(-time.Duration(c.w.Knobs.Graph.ListLag))
	// Of a large tenant most are filtered out, or are on other pages.
	var all []entity
	holders := map[string]holder{}
	add := func(h holder) {
		if owned && !h.owned(c.token.ObjectID) {
			return
		}
		all = append(all, filterBody(h))
		holders[h.id()] = h
	}
	for _, a := range slices.Concat(c.w.Apps, c.w.DeletedApps) {
		if !strings.EqualFold(a.TenantID, c.token.Tenant) {
			continue
		}
		if seen := c.seen(a, at); seen != nil && (!principal || seen.ServicePrincipalID != "") {
			add(holder{app: seen, principal: principal})
		}
	}
	if principal {
		for _, m := range c.w.ManagedIdentities {
			if strings.EqualFold(m.TenantID, c.token.Tenant) {
				add(holder{app: ofIdentity(m), principal: true, managed: true})
			}
		}
	}
	return c.pageOf(s, all, func(e entity) entity {
		h := holders[e.text("id")]
		e = c.holderBody(h, false)
		if expand {
			e["owners"] = c.ownerBodies(h)
		}
		return e
	})
}

func (c *call) getApplication() (int, any, *fault) { return c.getHolder(applicationSet) }

func (c *call) getServicePrincipal() (int, any, *fault) { return c.getHolder(principalSet) }

func (c *call) getHolder(s set) (int, any, *fault) {
	expand, f := c.expandsOwners()
	if f != nil {
		return 0, nil, f
	}
	h, f := c.find()
	switch {
	case f != nil && c.readsAll():
		return 0, nil, f
	case f != nil || !c.readable(h):
		return 0, nil, denied()
	}
	e := c.holderBody(h, c.selects("keyCredentials"))
	if expand {
		e["owners"] = c.ownerBodies(h)
	}
	return c.one(s, e)
}

func (c *call) expandsOwners() (bool, *fault) {
	v := c.query.Get("$expand")
	name, _, _ := strings.Cut(v, "(")
	switch {
	case v == "":
		return false, nil
	case strings.EqualFold(name, "owners") && !strings.Contains(v, ","):
		return true, nil
	}
	return false, unsupportedQuery("The simulator expands owners alone, not '%s'.", v)
}

func (c *call) createApplication() (int, any, *fault) {
	if f := c.authorizeWrite(nil); f != nil {
		return 0, nil, f
	}
	a := &world.App{TenantID: c.token.Tenant, Created: c.now.Truncate(100 * time.Nanosecond)}
	var passwords []passwordInput
	var keys []keyInput
	given, f := c.decode("Application", map[string]any{
		"displayName": &a.Name, "signInAudience": &a.SignInAudience, "isFallbackPublicClient": &a.PublicClient,
		"passwordCredentials": &passwords, "keyCredentials": &keys,
		"description": nil, "tags": nil, "notes": nil, "requiredResourceAccess": nil, "web": nil, "spa": nil, "publicClient": nil, "identifierUris": nil,
		"api": nil, "appRoles": nil, "info": nil,
	})
	switch {
	case f != nil:
		return 0, nil, f
	case !given["displayName"] || a.Name == "":
		return 0, nil, badRequest("Property displayName is required.")
	case a.SignInAudience != "" && !slices.Contains(world.SignInAudiences, a.SignInAudience):
		return 0, nil, badRequest("Invalid value specified for property 'signInAudience' of resource 'Application'.")
	}
	a.ID, a.ClientID = c.w.NewID(), c.w.NewID()
	h := holder{app: a}
	var minted []entity
	for _, in := range passwords {
		if in.KeyID != nil || in.SecretText != nil {
			return 0, nil, badRequest("Invalid value specified for property 'passwordCredentials' of resource 'Application'.")
		}
		p, f := c.newPassword(h, in)
		if f != nil {
			return 0, nil, f
		}
		a.Secrets = append(a.Secrets, p)
		b := passwordBody(p)
		b["secretText"] = p.Value
		minted = append(minted, b)
	}
	if a.Certificates, f = c.replacedKeys(h, keys); f != nil {
		return 0, nil, f
	}
	a.Owners = []string{c.token.ObjectID}
	if !c.delegated() && c.has(appWrite) {
		a.Owners = nil // only a caller who needs it is made the owner
	}
	settle(a)
	c.w.Apps = append(c.w.Apps, a)
	c.keep(a, nil)
	e := applicationBody(h, false)
	if minted != nil {
		e["passwordCredentials"] = minted
	}
	e["@odata.context"] = Root + "/$metadata#applications/$entity"
	c.header.Set("Location", Root+"/directoryObjects/"+a.ID+"/Microsoft.DirectoryServices.Application")
	return http.StatusCreated, e, nil
}

func (c *call) updateApplication() (int, any, *fault) {
	now, _, f := c.writable()
	if f != nil {
		return 0, nil, f
	}
	name, audience, public := now.app.Name, now.app.SignInAudience, now.app.PublicClient
	var passwords []passwordInput
	var keys []keyInput
	given, f := c.decode("Application", map[string]any{
		"displayName": &name, "signInAudience": &audience, "isFallbackPublicClient": &public, "passwordCredentials": &passwords, "keyCredentials": &keys,
		"description": nil, "tags": nil, "notes": nil, "web": nil, "spa": nil, "publicClient": nil, "requiredResourceAccess": nil,
	})
	switch {
	case f != nil:
		return 0, nil, f
	case name == "":
		return 0, nil, badRequest("Property displayName is required.")
	case audience != "" && !slices.Contains(world.SignInAudiences, audience):
		return 0, nil, badRequest("Invalid value specified for property 'signInAudience' of resource 'Application'.")
	}
	return c.update(now, given, passwords, keys, func() {
		now.app.Name, now.app.SignInAudience, now.app.PublicClient = name, audience, public
	})
}

// createServicePrincipal makes the object that an application signs in as.
func (c *call) createServicePrincipal() (int, any, *fault) {
	if f := c.authorizeWrite(nil); f != nil {
		return 0, nil, f
	}
	var id string
	enabled := true
	given, f := c.decode("ServicePrincipal", map[string]any{"appId": &id, "accountEnabled": &enabled, "tags": nil, "notes": nil})
	if f != nil {
		return 0, nil, f
	}
	a := c.appBy(key{"appId", id}, false)
	switch {
	case !given["appId"]:
		return 0, nil, badRequest("Property appId is required.")
	case a == nil:
		return 0, nil, badRequest("The appId '%s' of the service principal does not reference a valid application object.", id)
	case a.ServicePrincipalID != "":
		return 0, nil, &fault{status: http.StatusConflict, code: "Request_MultipleObjectsWithSameKeyValue",
			message: "The service principal cannot be created, updated, or restored because the service principal name " + id + " is already in use."}
	}
	if f := c.authorizeWrite(&holder{app: a}); f != nil {
		return 0, nil, f
	}
	if f := c.change(a); f != nil {
		return 0, nil, f
	}
	a.ServicePrincipalID, a.Disabled = c.w.NewID(), !enabled
	if c.delegated() || !c.has(appWrite) {
		a.ServicePrincipalOwners = []string{c.token.ObjectID}
	}
	e := principalBody(holder{app: a, principal: true}, false)
	e["@odata.context"] = Root + "/$metadata#servicePrincipals/$entity"
	return http.StatusCreated, e, nil
}

func (c *call) updateServicePrincipal() (int, any, *fault) {
	now, _, f := c.writable()
	if f != nil {
		return 0, nil, f
	}
	enabled := !now.app.Disabled
	var passwords []passwordInput
	var keys []keyInput
	given, f := c.decode("ServicePrincipal", map[string]any{
		"accountEnabled": &enabled, "passwordCredentials": &passwords, "keyCredentials": &keys, "tags": nil, "notes": nil,
	})
	if f != nil {
		return 0, nil, f
	}
	return c.update(now, given, passwords, keys, func() { now.app.Disabled = !enabled })
}

// update applies a PATCH: all of it, or nothing. A list of credentials replaces the whole list; passwords can be left
// out of it, but none can be added.
func (c *call) update(h holder, given map[string]bool, passwords []passwordInput, keys []keyInput, apply func()) (int, any, *fault) {
	kept, left := *h.secrets(), *h.keys()
	var f *fault
	if given["passwordCredentials"] {
		if kept, f = keptPasswords(h, passwords); f != nil {
			return 0, nil, f
		}
	}
	if given["keyCredentials"] {
		if left, f = c.replacedKeys(h, keys); f != nil {
			return 0, nil, f
		}
	}
	if f := c.change(h.app); f != nil {
		return 0, nil, f
	}
	for _, p := range *h.secrets() {
		if !slices.Contains(kept, p) {
			c.retirePassword(h, p)
		}
	}
	for _, k := range *h.keys() {
		if !slices.Contains(left, k) {
			c.retireKey(h, k)
		}
	}
	*h.secrets(), *h.keys() = kept, left
	settle(h.app)
	apply()
	return http.StatusNoContent, nil, nil
}

func (c *call) deleteApplication() (int, any, *fault) {
	now, _, f := c.writable()
	if f != nil {
		return 0, nil, f
	}
	if f := c.change(now.app); f != nil {
		return 0, nil, f
	}
	c.w.Apps = slices.DeleteFunc(c.w.Apps, func(a *world.App) bool { return a == now.app })
	now.app.Deleted = c.now
	c.w.DeletedApps = append(c.w.DeletedApps, now.app)
	return http.StatusNoContent, nil, nil
}
