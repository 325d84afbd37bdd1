package graph

import (
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// holder is one of the two objects that an app registration makes: the application, or its service principal. Each
// has credentials and owners of its own, and neither shows the other's.
type holder struct {
	app       *world.App // nil: there is none, a managed identity's
	principal bool
	managed   bool
}

func (h holder) id() string {
	if h.principal {
		return h.app.ServicePrincipalID
	}
	return h.app.ID
}

func (h holder) principalType() string {
	if h.managed {
		return "ManagedIdentity"
	}
	return "Application"
}

func (h holder) secrets() *[]*world.PasswordCredential {
	if h.principal {
		return &h.app.ServicePrincipalSecrets
	}
	return &h.app.Secrets
}

func (h holder) keys() *[]*world.KeyCredential {
	if h.principal {
		return &h.app.ServicePrincipalCertificates
	}
	return &h.app.Certificates
}

func (h holder) owners() *[]string {
	if h.principal {
		return &h.app.ServicePrincipalOwners
	}
	return &h.app.Owners
}

func (h holder) owned(principal string) bool {
	return slices.ContainsFunc(*h.owners(), func(o string) bool { return strings.EqualFold(o, principal) })
}

// itself says whether an application's token is its own.
func (h holder) itself(t world.Token) bool {
	return !t.User && strings.EqualFold(t.AppID, h.app.ClientID)
}

// isPrincipal says whether the path of the request is a service principal's.
func (c *call) isPrincipal() bool { return strings.HasPrefix(c.op.path, "serviceprincipals") }

// find is what a path names, as the replica that answers sees it.
func (c *call) find() (holder, *fault) { return c.findAt(c.now.Add(-c.lag)) }

func (c *call) findAt(at time.Time) (holder, *fault) {
	k, principal := c.keys[0], c.isPrincipal()
	for _, a := range slices.Concat(c.w.Apps, c.w.DeletedApps) {
		if !strings.EqualFold(a.TenantID, c.token.Tenant) || !k.names(a, principal) {
			continue
		}
		if seen := c.seen(a, at); seen != nil {
			return holder{app: seen, principal: principal}, nil
		}
	}
	if principal {
		for _, m := range c.w.ManagedIdentities {
			if a := ofIdentity(m); strings.EqualFold(m.TenantID, c.token.Tenant) && k.names(a, true) {
				return holder{app: a, principal: true, managed: true}, nil
			}
		}
	}
	return holder{}, notFound(k.value)
}

// ofIdentity is a managed identity in the form of an app, for the service principal that it is.
func ofIdentity(m *world.ManagedIdentity) *world.App {
	return &world.App{ClientID: m.ClientID, TenantID: m.TenantID, Name: m.Name, ServicePrincipalID: m.ID}
}

// writable is what a path names, as it is now, and as the replica sees it: a caller who may not change it is refused,
// and what the replica does not know is not found.
func (c *call) writable() (now, seen holder, f *fault) {
	if f := c.authorizeWrite(nil); f != nil {
		return holder{}, holder{}, f
	}
	now, seen, f = c.target()
	if f == nil {
		f = c.authorizeWrite(&now)
	}
	return now, seen, f
}

// target is like writable, and asks nobody.
func (c *call) target() (now, seen holder, f *fault) {
	if seen, f = c.find(); f != nil {
		return holder{}, holder{}, f
	}
	if now, f = c.findAt(c.now); f != nil {
		return holder{}, holder{}, f
	}
	if now.managed {
		return holder{}, holder{}, denied()
	}
	return now, seen, nil
}
