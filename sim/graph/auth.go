package graph

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

const audience = "https://graph.microsoft.com"

func (c *call) authenticate() *fault {
	refuse := func(message string) *fault {
		c.header.Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`)
		return &fault{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", message: message}
	}
	scheme, raw, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return refuse("Access token is empty.")
	}
	t, ok := c.w.TokenOf(raw)
	if !ok {
		return refuse("IDX14100: JWT is not well formed, or its signature is not known.")
	}
	c.token = t
	wire.CallFrom(c.r.Context()).Principal = cmp.Or(t.Name, t.ObjectID)
	switch {
	case !strings.EqualFold(t.Audience, audience):
		return refuse("Access token validation failure. Invalid audience.")
	case !c.now.Before(t.Expires):
		return refuse("Lifetime validation failed, the token is expired.")
	}
	return nil
}

// has says whether the token carries one of the permissions: app roles of an application, delegated scopes of a user.
func (c *call) has(permissions ...string) bool {
	granted := c.token.Roles
	if c.token.User {
		granted = c.token.Scopes
	}
	return slices.ContainsFunc(granted, func(g string) bool {
		return slices.ContainsFunc(permissions, func(p string) bool { return strings.EqualFold(p, g) })
	})
}

// delegated says whether a user is behind the token. Then the permissions bound what the user may do, and do not
// add to it.
func (c *call) delegated() bool { return c.token.User }

const (
	ownedBy  = "Application.ReadWrite.OwnedBy"
	appWrite = "Application.ReadWrite.All"
	asUser   = "Directory.AccessAsUser.All"
)

var (
	appRead    = []string{"Application.Read.All", appWrite, "Directory.Read.All", "Directory.ReadWrite.All", asUser}
	userRead   = []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All", asUser}
	groupRead  = []string{"Group.Read.All", "Group.ReadWrite.All", "GroupMember.Read.All", "Directory.Read.All", "Directory.ReadWrite.All", asUser}
	roleRead   = []string{"RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All", asUser}
	policyRead = []string{"Policy.Read.All", "Policy.Read.ApplicationConfiguration", "Policy.ReadWrite.ApplicationConfiguration"}
)

// readsAll says whether the caller may read every application. Application.ReadWrite.OwnedBy is documented to allow
// that.
func (c *call) readsAll() bool {
	return c.has(appRead...) || c.has(ownedBy) && !c.delegated() && !c.w.Knobs.Graph.OwnedByReadsOwnedOnly
}

// readable says whether the caller may read one: a service principal may always read itself and its application.
func (c *call) readable(h holder) bool {
	return c.readsAll() || !c.delegated() && (h.itself(c.token) || c.has(ownedBy) && h.owned(c.token.ObjectID))
}

// authorizeWrite refuses a caller that may not change an application or service principal. h is nil before it was
// found, when only those without any right are refused.
func (c *call) authorizeWrite(h *holder) *fault {
	if c.delegated() {
		admin := c.w.HasDirectoryRole(c.token.ObjectID, world.RoleGlobalAdministrator, world.RoleApplicationAdministrator, world.RoleCloudAppAdministrator)
		if c.has(appWrite, asUser) && (h == nil || admin || h.owned(c.token.ObjectID)) {
			return nil
		}
		return denied()
	}
	if c.has(appWrite) || c.has(ownedBy) && (h == nil || h.owned(c.token.ObjectID)) {
		return nil
	}
	return denied()
}

// authorize refuses a caller without any of the permissions.
func (c *call) authorize(permissions ...string) *fault {
	if c.has(permissions...) {
		return nil
	}
	return denied()
}
