package driver

import "context"

// Owned is an Issuer whose account has owners, some of whom the manifest lists. Nobody is ever taken away from them.
type Owned interface {
	Issuer

	// Owners are those whom the manifest lists, by their ids in lower case, and what they are to own, for people and the
	// ledger ("application 8a59d95d-...").
	Owners() (of string, ids []string)

	// Appoint makes one an owner. Repeating it is harmless: who is one already is a success.
	Appoint(ctx context.Context, id string) error
}
