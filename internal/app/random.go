package app

import (
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/random"
	"github.com/rekeyhq/rekey/internal/rotation"
)

func makeRandom(a *App, c manifest.Credential) (issued, error) {
	s := *c.Settings.(*random.Settings)
	store, err := a.store(c.Store.Vault)
	if err != nil {
		return issued{}, err
	}
	i := random.New(store, c.Name, c.Store.Secret, c.Lifetime, s)
	out := issued{issuer: i, order: rotation.ChosenByUs, shape: i.Shape(), makes: s.Describe()}
	if s.KeyPair != nil {
		out.tags, out.contentType = []string{random.FingerprintTag, random.PublicKeyTag}, "application/x-pem-file"
	}
	if s.Adopt {
		out.adopt = rotation.Adoption{Name: random.Existing}
	}
	return out, nil
}
