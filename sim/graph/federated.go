package graph

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// maxFederated is how many an application can have.
const maxFederated = 20

var federatedSet = set{
	context: "applications/federatedIdentityCredentials", kind: "FederatedIdentityCredential", filters: []string{"id", "name", "subject", "issuer"},
	known: func(p string) bool { return hasProperty(federatedBody(&world.FederatedCredential{}), p) },
}

func federatedBody(x *world.FederatedCredential) entity {
	return entity{"id": x.ID, "name": x.Name, "issuer": x.Issuer, "subject": x.Subject, "audiences": list(x.Audiences), "description": nil}
}

// federated finds the credential that the path names, by id or by name.
func (c *call) federated(h holder) (*world.FederatedCredential, *fault) {
	k := c.keys[1]
	i := slices.IndexFunc(h.app.FederatedCredentials, func(x *world.FederatedCredential) bool {
		return x.Name == k.value || k.property == "" && strings.EqualFold(x.ID, k.value)
	})
	if i < 0 {
		return nil, notFound(k.value)
	}
	return h.app.FederatedCredentials[i], nil
}

func (c *call) listFederated() (int, any, *fault) {
	h, f := c.ownersOf()
	if f != nil {
		return 0, nil, f
	}
	var all []entity
	for _, x := range h.app.FederatedCredentials {
		all = append(all, federatedBody(x))
	}
	s := federatedSet
	s.path = "applications/" + h.app.ID + "/federatedIdentityCredentials"
	return c.page(s, all)
}

func (c *call) getFederated() (int, any, *fault) {
	h, f := c.ownersOf()
	if f != nil {
		return 0, nil, f
	}
	x, f := c.federated(h)
	if f != nil {
		return 0, nil, f
	}
	return c.one(federatedSet, federatedBody(x))
}

func (c *call) createFederated() (int, any, *fault) {
	h, _, f := c.writable()
	if f != nil {
		return 0, nil, f
	}
	x := &world.FederatedCredential{}
	if _, f := c.decode("FederatedIdentityCredential", map[string]any{
		"name": &x.Name, "issuer": &x.Issuer, "subject": &x.Subject, "audiences": &x.Audiences, "description": nil,
	}); f != nil {
		return 0, nil, f
	}
	switch all := h.app.FederatedCredentials; {
	case x.Name == "" || x.Issuer == "" || x.Subject == "" || len(x.Audiences) != 1:
		return 0, nil, badRequest("name, issuer, subject and one audience are required of a FederatedIdentityCredential.")
	case slices.ContainsFunc(all, func(y *world.FederatedCredential) bool { return y.Name == x.Name }),
		slices.ContainsFunc(all, func(y *world.FederatedCredential) bool { return y.Issuer == x.Issuer && y.Subject == x.Subject }):
		return 0, nil, &fault{status: http.StatusConflict, code: "Request_MultipleObjectsWithSameKeyValue",
			message: "FederatedIdentityCredential with name " + x.Name + ", or with its issuer and subject, already exists."}
	case len(all) >= maxFederated:
		return 0, nil, badRequest("The application has the most that it can have: %d FederatedIdentityCredentials.", maxFederated)
	}
	if f := c.change(h.app); f != nil {
		return 0, nil, f
	}
	x.ID = c.w.NewID()
	h.app.FederatedCredentials = append(h.app.FederatedCredentials, x)
	e := federatedBody(x)
	e["@odata.context"] = Root + "/$metadata#" + federatedSet.context + "/$entity"
	return http.StatusCreated, e, nil
}

func (c *call) deleteFederated() (int, any, *fault) {
	h, _, f := c.writable()
	if f != nil {
		return 0, nil, f
	}
	x, f := c.federated(h)
	if f != nil {
		return 0, nil, f
	}
	if f := c.change(h.app); f != nil {
		return 0, nil, f
	}
	h.app.FederatedCredentials = slices.DeleteFunc(slices.Clone(h.app.FederatedCredentials), func(y *world.FederatedCredential) bool { return y == x })
	return http.StatusNoContent, nil, nil
}
