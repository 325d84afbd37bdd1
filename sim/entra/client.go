package entra

import (
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// client is the application that asks: an app registration, or a client of Microsoft's own.
type client struct {
	id    string
	name  string
	app   *world.App // nil: Microsoft's own
	proof proof
}

// proof is how a client proved who it is. Its values are those of the appidacr claim.
type proof string

const (
	unproved    proof = "0"
	bySecret    proof = "1"
	byAssertion proof = "2"
)

// identify finds the client by its id at a realm. It proves nothing.
func (s *Service) identify(q *request, m realm, id string) (client, *failure) {
	if id == "" {
		return client{}, errMissing("client_id")
	}
	if p, ok := world.FirstPartyClientByID(id); ok {
		return client{id: p.ID, name: p.Name, proof: unproved}, nil
	}
	i := slices.IndexFunc(s.w.Apps, func(a *world.App) bool {
		return strings.EqualFold(a.ClientID, id) && (m.tenant == nil || strings.EqualFold(a.TenantID, m.tenant.ID))
	})
	if i < 0 {
		return client{}, errNoClient(id, tenantName(m.tenant))
	}
	a := s.w.Apps[i]
	c := client{id: a.ClientID, name: a.Name, app: a, proof: unproved}
	if q.call.Principal == "" {
		q.call.Principal = a.Name
	}
	if a.Disabled {
		return client{}, errClientDisabled(c)
	}
	if m.tenant == nil {
		return client{}, errSingleTenant(c)
	}
	return c, nil
}

// authenticate finds the client of a token request and checks what it proves itself with. A public client proves
// nothing; needProof refuses it.
func (s *Service) authenticate(q *request, m realm, needProof bool) (client, *failure) {
	id, secret := q.form.Get("client_id"), q.form.Get("client_secret")
	if basicID, basicSecret, ok := q.basicAuth(); ok {
		id, secret = basicID, basicSecret
	}
	c, f := s.identify(q, m, id)
	if f != nil {
		return client{}, f
	}
	assertion := q.form.Get("client_assertion")
	switch {
	case secret == "" && assertion == "":
		if needProof || (c.app != nil && !c.app.PublicClient) {
			return client{}, errClientUnproved()
		}
		return c, nil
	case c.app == nil, c.app.PublicClient && !hasCredential(c.app):
		return client{}, errClientPublic()
	case assertion != "":
		c.proof = byAssertion
		return c, s.checkAssertion(q, m, c, assertion)
	}
	c.proof = bySecret
	return c, s.checkSecret(c, secret)
}

func hasCredential(a *world.App) bool {
	return len(a.Secrets)+len(a.Certificates)+len(a.ServicePrincipalSecrets)+len(a.ServicePrincipalCertificates)+len(a.FederatedCredentials) > 0
}

func (s *Service) checkSecret(c client, secret string) *failure {
	now := s.w.Now()
	expired := false
	for _, p := range slices.Concat(c.app.Secrets, c.app.ServicePrincipalSecrets, c.app.RemovedSecrets) {
		switch {
		case p.Value == "" || p.Value != secret || now.Before(p.Start):
			continue
		case !p.Removed.IsZero() && !s.remembered(p.KeyID, p.Removed):
			continue
		case !p.End.IsZero() && !now.Before(p.End):
			expired = true
			continue
		case s.tooNew(p):
			continue
		}
		return nil
	}
	if expired {
		return errSecretExpired(c.id)
	}
	return errSecret(c.id)
}
