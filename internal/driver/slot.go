package driver

import (
	"context"
	"time"

	"github.com/rekeyhq/rekey/internal/secret"
)

// Slot is an Issuer that has one place for the value: what is set ends what was there. Its List is the account itself,
// as one entry without an end, or an error if it is not there or cannot be given a value. It issues, extends and
// revokes nothing.
type Slot interface {
	Issuer

	// Make makes a value that the service is to take, from bytes that random fills in. Nothing is sent.
	Make(random func([]byte)) (secret.Value, error)

	// Set makes a value the account's. Repeating it is harmless. Rejected means that this value is not taken, and that
	// another one may be; Ambiguous that it may be set, now or later.
	Set(ctx context.Context, value secret.Value) (time.Time, error)
}
