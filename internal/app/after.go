package app

import (
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// after are the credentials that come before one.
func after(c manifest.Credential) (out []rotation.CredentialID) {
	for _, name := range c.After {
		out = append(out, rotation.CredentialID(name))
	}
	return out
}
