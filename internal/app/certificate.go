package app

import (
	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// graphClient is one for all, because writes to one application take turns.
func (a *App) graphClient() *graph.Client {
	if a.graph == nil {
		a.graph = graph.NewClient(a.options(), a.client.Renewing(a.options(), a.cred), a.cred)
	}
	return a.graph
}

func makeAppCertificate(a *App, c manifest.Credential) (issued, error) {
	s := *c.Settings.(*graph.CertificateSettings)
	store, err := a.store(c.Store.Vault)
	if err != nil {
		return issued{}, err
	}
	i := graph.NewCertificates(a.graphClient(), a.authority(), store, c.Store.Secret, s)
	out := issued{issuer: i, order: rotation.ShownOnce, shape: i.Shape(), contentType: s.ContentType()}
	if s.Adopt != nil {
		out.adopt = rotation.Adoption{ID: s.Adopt.ID, Name: s.Adopt.Name}
	}
	return out, nil
}
