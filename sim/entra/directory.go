package entra

import (
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// consumersID is the tenant of personal Microsoft accounts, of which there are none here.
const consumersID = "9188040d-6c67-4c5b-b112-36a304b66dad"

// realm is the first segment of a path: one tenant, or an alias that leaves the tenant to the user.
type realm struct {
	tenant *world.Tenant
	alias  string // "common", "organizations", "consumers"
}

// segment is the realm's name in URLs that are handed out.
func (m realm) segment() string {
	if m.tenant != nil {
		return m.tenant.ID
	}
	return m.alias
}

func (s *Service) realm(name string) (realm, *failure) {
	switch a := strings.ToLower(name); a {
	case "common", "organizations", "consumers":
		return realm{alias: a}, nil
	case consumersID:
		return realm{alias: "consumers"}, nil
	}
	for _, t := range s.w.Tenants {
		if strings.EqualFold(t.ID, name) || strings.EqualFold(t.Domain, name) {
			return realm{tenant: t}, nil
		}
	}
	return realm{}, errTenant(name)
}

func (s *Service) tenant(id string) *world.Tenant {
	i := slices.IndexFunc(s.w.Tenants, func(t *world.Tenant) bool { return strings.EqualFold(t.ID, id) })
	if i < 0 {
		return nil
	}
	return s.w.Tenants[i]
}

// user finds a user who may sign in at a realm: guests are not modelled.
func (s *Service) user(m realm, upn string) (*world.User, *failure) {
	upn = strings.TrimSpace(upn)
	for _, u := range s.w.Users {
		if strings.EqualFold(u.UPN, upn) && m.has(u) {
			return u, nil
		}
	}
	return nil, errNoUser(tenantName(m.tenant))
}

func (s *Service) userByID(id string) *world.User {
	i := slices.IndexFunc(s.w.Users, func(u *world.User) bool { return strings.EqualFold(u.ID, id) })
	if i < 0 {
		return nil
	}
	return s.w.Users[i]
}

func (m realm) has(u *world.User) bool {
	if m.tenant != nil {
		return strings.EqualFold(m.tenant.ID, u.TenantID)
	}
	return m.alias != "consumers"
}

// checkPassword signs a user in with a password; a second factor is the caller's matter.
func (s *Service) checkPassword(q *request, m realm, upn, password string) (*world.User, *failure) {
	u, f := s.user(m, upn)
	if f != nil {
		return nil, f
	}
	q.call.Principal = u.UPN
	switch {
	case u.Disabled:
		return nil, errDisabled()
	case u.Password == "":
		return nil, errNoPassword()
	case s.passwordOf(u) != password:
		return nil, errPassword()
	case u.PasswordExpired:
		return nil, errPasswordExpired()
	}
	return u, nil
}
