package driver

import (
	"context"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Check proves that a value works, as what uses it would: one check of the manifest.
type Check interface {
	// ID names it in the manifest, unique for its credential.
	ID() string

	// Place says what it does, for people ("GET https://api.contoso.com/health").
	Place() string

	// Try uses the value, within a deadline of its own, and keeps nothing. An error means that nothing could be tried; a
	// value that does not work is an answer. Neither holds the value, nor what a service or program said unless the value
	// was taken out of it.
	Try(ctx context.Context, value secret.Value) (rotation.Check, error)
}
