package graph

import (
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/sim/world"
)

// userDefaults are the properties of a user without $select.
var userDefaults = []string{
	"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName",
}

var userSet = set{
	path: "users", context: "users", kind: "User", defaults: userDefaults,
	filters: []string{"id", "userPrincipalName", "displayName", "accountEnabled", "mail"},
	known:   func(p string) bool { return hasProperty(userBody(&world.User{}), p) },
}

func userBody(u *world.User) entity {
	return entity{
		"id": u.ID, "userPrincipalName": u.UPN, "displayName": orNull(u.Name), "accountEnabled": !u.Disabled, "userType": "Member",
		"businessPhones": []string{}, "givenName": nil, "jobTitle": nil, "mail": nil, "mobilePhone": nil, "officeLocation": nil,
		"preferredLanguage": nil, "surname": nil, "deletedDateTime": moment(u.Deleted), "passwordPolicies": nil, "onPremisesSyncEnabled": nil,
		"lastPasswordChangeDateTime": moment(u.PasswordChanged), "signInSessionsValidFromDateTime": moment(u.SessionsRevoked),
		"passwordProfile": entity{"forceChangePasswordNextSignIn": u.PasswordExpired, "forceChangePasswordNextSignInWithMfa": false, "password": nil},
	}
}

func (c *call) listUsers() (int, any, *fault) {
	if f := c.authorize(userRead...); f != nil {
		return 0, nil, f
	}
	var all []entity
	for _, u := range c.w.Users {
		if strings.EqualFold(u.TenantID, c.token.Tenant) {
			all = append(all, userBody(u))
		}
	}
	return c.page(userSet, all)
}

// user finds the user of the path, by id or by name; without one in the path, the user who is signed in.
func (c *call) user() (*world.User, *fault) {
	id := c.token.ObjectID
	if len(c.keys) > 0 {
		id = c.keys[0].value
	} else if !c.delegated() {
		return nil, &fault{status: http.StatusBadRequest, code: "BadRequest", message: "/me request is only valid with delegated authentication flow."}
	}
	for _, u := range c.w.Users {
		if strings.EqualFold(u.TenantID, c.token.Tenant) && (strings.EqualFold(u.ID, id) || strings.EqualFold(u.UPN, id)) {
			return u, nil
		}
	}
	return nil, notFound(id)
}

func (c *call) getUser() (int, any, *fault) {
	u, f := c.user()
	own := f == nil && c.delegated() && u.ID == c.token.ObjectID && c.has("User.Read", "User.ReadWrite")
	switch {
	case !own && !c.has(userRead...):
		return 0, nil, denied()
	case f != nil:
		return 0, nil, f
	}
	return c.one(userSet, userBody(u))
}

// passwordProfile is what a client sends; a password that is set without saying so must be changed at the next
// sign-in, as the file says.
type passwordProfile struct {
	Password *string `json:"password"`
	Force    *bool   `json:"forceChangePasswordNextSignIn"`
	ForceMFA *bool   `json:"forceChangePasswordNextSignInWithMfa"`
}

func (c *call) updateUser() (int, any, *fault) {
	var profile *passwordProfile
	var enabled bool
	var name string
	given, f := c.decode("User", map[string]any{
		"passwordProfile": &profile, "accountEnabled": &enabled, "displayName": &name,
		"givenName": nil, "surname": nil, "jobTitle": nil, "mobilePhone": nil, "officeLocation": nil, "passwordPolicies": nil,
	})
	if f != nil {
		return 0, nil, f
	}
	others := len(given) > 1 || !given["passwordProfile"]
	if others && !c.has("User.ReadWrite.All", "Directory.ReadWrite.All", asUser) && (len(given) > 1 || !given["accountEnabled"] || !c.has("User.EnableDisableAccount.All")) {
		return 0, nil, denied()
	}
	if given["passwordProfile"] && !c.has("User.ReadWrite.All", "User-PasswordProfile.ReadWrite.All", asUser) {
		return 0, nil, denied()
	}
	u, f := c.user()
	if f != nil {
		return 0, nil, f
	}
	sensitive := given["passwordProfile"] || given["accountEnabled"]
	if sensitive && c.w.IsAdministrator(u.ID) && !c.w.HasDirectoryRole(c.token.ObjectID, world.RoleGlobalAdministrator, world.RolePrivilegedAuthAdministrator) {
		return 0, nil, denied()
	}
	if given["passwordProfile"] {
		if f := c.authorizePassword(); f != nil {
			return 0, nil, f
		}
	}
	if profile != nil && profile.Password != nil {
		if f := weak(*profile.Password, u); f != nil {
			return 0, nil, f
		}
		c.setPassword(u, *profile.Password)
		u.PasswordExpired = profile.Force == nil || *profile.Force || profile.ForceMFA != nil && *profile.ForceMFA
		// An administrator's reset ends every session, of confidential clients too.
		u.SessionsRevoked = c.now
	}
	if given["accountEnabled"] {
		u.Disabled = !enabled
	}
	if given["displayName"] {
		u.Name = name
	}
	return http.StatusNoContent, nil, nil
}

// authorizePassword wants a directory role besides the permission, except where User-PasswordProfile.ReadWrite.All is
// taken to be enough for an application (facts 3.4).
func (c *call) authorizePassword() *fault {
	alone := !c.delegated() && c.has("User-PasswordProfile.ReadWrite.All") && !c.w.Knobs.Graph.PasswordNeedsRole
	if alone || c.w.HasDirectoryRole(c.token.ObjectID, world.RoleGlobalAdministrator, world.RolePrivilegedAuthAdministrator,
		world.RoleUserAdministrator, world.RolePasswordAdministrator, world.RoleHelpdeskAdministrator) {
		return nil
	}
	return denied()
}

// setPassword keeps the old password as long as a region may not have heard of the new one.
func (c *call) setPassword(u *world.User, password string) {
	u.PreviousPassword = ""
	if c.w.Knobs.Entra.NewPasswordDelay > 0 {
		u.PreviousPassword = u.Password
	}
	u.Password, u.PasswordChanged = password, c.now
}

// weak says what is wrong with a password: Entra ID wants 8 to 256 characters of three classes out of four, and
// nobody's name in it.
func weak(p string, u *world.User) *fault {
	var upper, lower, digit, other int
	for _, r := range p {
		switch {
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			other = 1
		}
	}
	name, _, _ := strings.Cut(strings.ToLower(u.UPN), "@")
	n := utf8.RuneCountInString(p)
	if n >= 8 && n <= 256 && upper+lower+digit+other >= 3 && !strings.EqualFold(p, name) {
		return nil
	}
	const m = "The specified password does not comply with password complexity requirements. Please provide a different password."
	return &fault{status: http.StatusBadRequest, code: "Request_BadRequest", message: m, details: []detail{{"PasswordComplexity", m, "password"}}}
}

func (c *call) deleteUser() (int, any, *fault) {
	if f := c.authorize("User.DeleteRestore.All", "User.ReadWrite.All", asUser); f != nil {
		return 0, nil, f
	}
	u, f := c.user()
	if f != nil {
		return 0, nil, f
	}
	if !c.w.HasDirectoryRole(c.token.ObjectID, world.RoleGlobalAdministrator, world.RoleUserAdministrator) && c.delegated() ||
		c.w.IsAdministrator(u.ID) && !c.w.HasDirectoryRole(c.token.ObjectID, world.RoleGlobalAdministrator, world.RolePrivilegedAuthAdministrator) {
		return 0, nil, denied()
	}
	c.w.Users = slices.DeleteFunc(c.w.Users, func(x *world.User) bool { return x == u })
	u.Deleted = c.now
	c.w.DeletedUsers = append(c.w.DeletedUsers, u)
	return http.StatusNoContent, nil, nil
}

// revokeSessions ends every refresh token of a user; the password stays.
func (c *call) revokeSessions() (int, any, *fault) {
	own := len(c.keys) == 0
	if !own && !c.has("User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All", asUser) {
		return 0, nil, denied()
	}
	u, f := c.user()
	if f != nil {
		return 0, nil, f
	}
	u.SessionsRevoked = c.now
	return http.StatusOK, entity{"@odata.context": Root + "/$metadata#Edm.Boolean", "value": true}, nil
}

// changePassword is for the signed-in user alone.
func (c *call) changePassword() (int, any, *fault) {
	if !c.delegated() || !c.has(asUser, "User-PasswordProfile.ReadWrite.All") {
		return 0, nil, denied()
	}
	var current, next string
	given, f := c.decode("changePassword", map[string]any{"currentPassword": &current, "newPassword": &next})
	if f != nil {
		return 0, nil, f
	}
	u, f := c.user()
	switch {
	case f != nil:
		return 0, nil, f
	case u.ID != c.token.ObjectID:
		return 0, nil, denied()
	case !given["currentPassword"] || !given["newPassword"] || current != u.Password || next == current:
		return 0, nil, badRequest("The specified password does not match the old password, or is the same.")
	}
	if f := weak(next, u); f != nil {
		return 0, nil, f
	}
	c.setPassword(u, next)
	u.PasswordExpired = false
	return http.StatusNoContent, nil, nil
}
