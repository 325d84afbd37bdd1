package driver

import (
	"context"
	"time"
)

// Version is one version of a secret, as a list of them shows it: without its value.
type Version struct {
	ID      string
	Enabled bool
	Created time.Time
	Tags    map[string]string
}

// Versions is a Store whose versions can be ended one by one: where a value has no issuer that could revoke it, that
// nobody can read it any more is its end.
type Versions interface {
	Store

	// Versions lists every version of a secret, in no order, completely, with the store's date. Of a name that does not
	// exist there are none. What was written a moment ago may still be missing.
	Versions(ctx context.Context, name string) ([]Version, time.Time, error)

	// Disable makes one version unreadable and changes nothing else of it or of another one. Repeating it is harmless. A
	// version that is not there is Missing.
	Disable(ctx context.Context, name, version string) error
}
