package graph

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// fullObject is any directory object by its id, with its type; nil if there is none in the caller's tenant.
func (c *call) fullObject(id string) entity {
	is := func(x, tenant string) bool {
		return x != "" && strings.EqualFold(x, id) && strings.EqualFold(tenant, c.token.Tenant)
	}
	typed := func(e entity, kind string) entity {
		e["@odata.type"] = "#microsoft.graph." + kind
		return e
	}
	for _, u := range c.w.Users {
		if is(u.ID, u.TenantID) {
			return typed(pick(userBody(u), userDefaults), "user")
		}
	}
	for _, a := range c.w.Apps {
		if is(a.ServicePrincipalID, a.TenantID) {
			return typed(principalBody(holder{app: a, principal: true}, false), "servicePrincipal")
		}
		if is(a.ID, a.TenantID) {
			return typed(applicationBody(holder{app: a}, false), "application")
		}
	}
	for _, m := range c.w.ManagedIdentities {
		if is(m.ID, m.TenantID) {
			return typed(principalBody(holder{app: ofIdentity(m), principal: true, managed: true}, false), "servicePrincipal")
		}
	}
	for _, g := range c.w.Groups {
		if is(g.ID, g.TenantID) {
			return typed(groupBody(g), "group")
		}
	}
	return nil
}

// directoryObject is what a caller is shown of an object that others refer to: of a kind that it may not read, the
// type and the id, and null for everything else.
func (c *call) directoryObject(id string) entity {
	e := c.fullObject(id)
	if e == nil || c.readsKind(e.text("@odata.type")) {
		return e
	}
	for name := range e {
		if name != "id" && name != "@odata.type" {
			e[name] = nil
		}
	}
	return e
}

func (c *call) readsKind(kind string) bool {
	switch kind {
	case "#microsoft.graph.user":
		return c.has(userRead...) || c.has("User.ReadBasic.All")
	case "#microsoft.graph.group":
		return c.has(groupRead...)
	}
	return c.readsAll()
}

func (c *call) getDirectoryObject() (int, any, *fault) {
	e := c.fullObject(c.keys[0].value)
	switch {
	case e != nil && !c.readsKind(e.text("@odata.type")):
		return 0, nil, denied()
	case e == nil && !c.has("Directory.Read.All", "Directory.ReadWrite.All", asUser):
		return 0, nil, denied()
	case e == nil:
		return 0, nil, notFound(c.keys[0].value)
	}
	e["@odata.context"] = Root + "/$metadata#directoryObjects/$entity"
	return http.StatusOK, e, nil
}

// getByIDs passes over ids of nothing.
func (c *call) getByIDs() (int, any, *fault) {
	if !c.readsAll() && !c.has(userRead...) && !c.has(groupRead...) {
		return 0, nil, denied()
	}
	var ids, kinds []string
	if _, f := c.decode("getByIds", map[string]any{"ids": &ids, "types": &kinds}); f != nil {
		return 0, nil, f
	}
	if len(ids) == 0 || len(ids) > 1000 {
		return 0, nil, badRequest("The number of values in 'ids' must be between 1 and 1000.")
	}
	value := []entity{}
	for _, id := range ids {
		e := c.directoryObject(id)
		if e == nil || len(kinds) > 0 && !slices.ContainsFunc(kinds, func(k string) bool {
			return strings.EqualFold(k, "directoryObject") || strings.EqualFold("#microsoft.graph."+k, e.text("@odata.type"))
		}) {
			continue
		}
		value = append(value, e)
	}
	return http.StatusOK, entity{"@odata.context": Root + "/$metadata#directoryObjects", "value": value}, nil
}

var groupSet = set{
	path: "groups", context: "groups", kind: "Group", filters: []string{"id", "displayName"},
	known: func(p string) bool { return hasProperty(groupBody(&world.Group{}), p) },
}

func groupBody(g *world.Group) entity {
	return entity{
		"id": g.ID, "displayName": g.Name, "deletedDateTime": nil, "description": nil, "groupTypes": []string{}, "mail": nil,
		"mailEnabled": false, "mailNickname": orNull(strings.ReplaceAll(g.Name, " ", "")), "securityEnabled": true, "visibility": nil,
	}
}

func (c *call) listGroups() (int, any, *fault) {
	if f := c.authorize(groupRead...); f != nil {
		return 0, nil, f
	}
	var all []entity
	for _, g := range c.w.Groups {
		if strings.EqualFold(g.TenantID, c.token.Tenant) {
			all = append(all, groupBody(g))
		}
	}
	return c.page(groupSet, all)
}

func (c *call) group() (*world.Group, *fault) {
	if f := c.authorize(groupRead...); f != nil {
		return nil, f
	}
	id := c.keys[0].value
	for _, g := range c.w.Groups {
		if strings.EqualFold(g.ID, id) && strings.EqualFold(g.TenantID, c.token.Tenant) {
			return g, nil
		}
	}
	return nil, notFound(id)
}

func (c *call) getGroup() (int, any, *fault) {
	g, f := c.group()
	if f != nil {
		return 0, nil, f
	}
	return c.one(groupSet, groupBody(g))
}

func (c *call) listMembers() (int, any, *fault) {
	g, f := c.group()
	if f != nil {
		return 0, nil, f
	}
	var all []entity
	for _, id := range c.w.MembersOf(g) {
		if e := c.directoryObject(id); e != nil {
			all = append(all, e)
		}
	}
	s := ownerSet
	s.path = "groups/" + g.ID + "/members"
	return c.page(s, all)
}

// deleted finds what was deleted, for a caller who may bring it back.
func (c *call) deleted() (*world.App, *world.User, *fault) {
	id := c.keys[0].value
	for _, a := range c.w.DeletedApps {
		if strings.EqualFold(a.ID, id) && strings.EqualFold(a.TenantID, c.token.Tenant) {
			return a, nil, c.authorizeWrite(&holder{app: a})
		}
	}
	for _, u := range c.w.DeletedUsers {
		if strings.EqualFold(u.ID, id) && strings.EqualFold(u.TenantID, c.token.Tenant) {
			return nil, u, c.authorize("User.DeleteRestore.All", "User.ReadWrite.All", "Directory.ReadWrite.All")
		}
	}
	if f := c.authorize(appWrite, ownedBy, "User.ReadWrite.All", "User.DeleteRestore.All", "Directory.ReadWrite.All"); f != nil {
		return nil, nil, f
	}
	return nil, nil, notFound(id)
}

func (c *call) restoreDeleted() (int, any, *fault) {
	a, u, f := c.deleted()
	if f != nil {
		return 0, nil, f
	}
	c.dropDeleted(a, u)
	var id string
	if a != nil {
		a.Deleted = time.Time{}
		c.w.Apps = append(c.w.Apps, a)
		id = a.ID
	} else {
		u.Deleted = time.Time{}
		c.w.Users = append(c.w.Users, u)
		id = u.ID
	}
	e := c.fullObject(id)
	e["@odata.context"] = Root + "/$metadata#directoryObjects/$entity"
	return http.StatusOK, e, nil
}

func (c *call) purgeDeleted() (int, any, *fault) {
	a, u, f := c.deleted()
	if f != nil {
		return 0, nil, f
	}
	c.dropDeleted(a, u)
	return http.StatusNoContent, nil, nil
}

func (c *call) dropDeleted(a *world.App, u *world.User) {
	c.w.DeletedApps = slices.DeleteFunc(c.w.DeletedApps, func(x *world.App) bool { return x == a })
	c.w.DeletedUsers = slices.DeleteFunc(c.w.DeletedUsers, func(x *world.User) bool { return x == u })
}
