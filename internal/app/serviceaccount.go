package app

import (
	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
)

func makeServiceAccount(a *App, c manifest.Credential) (issued, error) {
	s := *c.Settings.(*graph.UserSettings)
	if a.graph == nil {
		a.graph = graph.NewClient(a.options(), a.client.Renewing(a.options(), a.cred), a.cred)
	}
	u := graph.NewUser(a.graph, a.authority(), s)
	out := issued{issuer: u, order: rotation.OneSlot, shape: u.Shape()}
	if s.Adopt {
		out.adopt = rotation.Adoption{ID: s.User}
	}
	return out, nil
}
