// Package driver holds the ports between the engine and the services: Issuer, Store and Consumer, their contracts,
// and the handful of kinds that a vendor's errors are turned into.
//
// It is not an adapter and imports none. What always holds: a port's method does one thing once; a write is never
// repeated inside an adapter unless the service said that it was not applied; a lost answer to a write is Ambiguous,
// and the engine observes before it does anything else.
package driver

import (
	"context"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Issuer issues, probes and revokes one credential of the manifest: it is made for that credential's settings and
// account. Issuers whose ListKey is the same see the same list, so one read serves them all.
//
// Every answer's date is the service's own clock (the Date header); zero if it sent none.
type Issuer interface {
	// ListKey names the account whose list List reads.
	ListKey() string

	// Quiet says whether List can be called without redeeming anything (a refresh token), as a plan must.
	Quiet() bool

	// List reads everything alive that the account can see, completely: a list that broke off half-way is an error.
	// The order means nothing, no id appears twice, and what was issued a moment ago may still be missing. What has
	// ended may be in it, if it bears a stamp and the service keeps it until it is revoked.
	List(ctx context.Context) (Listing, error)

	// Issue makes a new credential named by the stamp. The value exists only in this answer. An Ambiguous error means
	// that it may exist all the same, under that name.
	Issue(ctx context.Context, req IssueRequest) (Issue, error)

	// Check probes a value as its user would. An error means that the probe itself failed; a value that is refused is
	// an answer.
	Check(ctx context.Context, value secret.Value) (Checked, error)

	// Extend moves a credential's date and keeps its value. Repeating it is harmless. Rejected: the issuer will not.
	Extend(ctx context.Context, id string, until time.Time) (rotation.Issued, error)

	// Revoke ends what the permit names. What is gone already is success. now is the time that the permit is judged by.
	Revoke(ctx context.Context, permit rotation.Permit, now time.Time) error
}

// Listing is an issuer's complete list.
type Listing struct {
	Issued []rotation.Issued
	Date   time.Time
	// Notes are what a person should know of the account, in whole sentences. Nothing is decided by them.
	Notes []string
	// Owners are those of the account, by their ids in lower case; for an issuer that is Owned. OwnersWhole says that
	// there is nobody else.
	Owners      []string
	OwnersWhole bool
}

// IssueRequest is what is asked of an issuer.
type IssueRequest struct {
	Stamp rotation.Stamp
	Until time.Time
	// Random fills in bytes that nobody can guess; nil for crypto/rand. Who makes a value himself takes them from here.
	Random func([]byte)
}

// Issue is a new credential.
type Issue struct {
	Issued rotation.Issued // To is what the issuer gave, which may be less than asked
	Value  secret.Value
	Date   time.Time
	// Tags say of the value what may be known of it, a public key for one, and are written in the same PUT. An empty one
	// takes away what an earlier value left there.
	Tags map[string]string
}

// Checked is the answer of a probe.
type Checked struct {
	rotation.Check
	Date time.Time
}

// Store keeps values: one vault.
type Store interface {
	// Host names the vault ("kv-pat-prod.vault.azure.net").
	Host() string

	// List reads the current state of every secret, without values, completely. A secret missing from it may exist
	// all the same.
	List(ctx context.Context) (Index, error)

	// Read reads the newest version by name, which is the only way to know it: lists lag and are not in order. A
	// disabled version has no value. Absent means that it is not among the deleted either.
	Read(ctx context.Context, name string) (Reading, error)

	// Vacant is Read and Prove in one for a name that a list of this run lacks: it says whether the name never existed,
	// was deleted, or is there after all, and for one that never existed it shows that the caller may write it.
	Vacant(ctx context.Context, name string) (Reading, error)

	// Tags reads the tags of every version, in no order, completely.
	Tags(ctx context.Context, name string) ([]map[string]string, error)

	// Earlier reads the newest of the versions whose tags are as wanted, wherever it is among them: the value of a
	// version that is not the newest any more. One that is disabled has no value. Missing: there is none.
	Earlier(ctx context.Context, name string, wanted func(tags map[string]string) bool) (Reading, error)

	// Prove shows that the caller may write, by an unchanged update of the given version. It changes nothing but the
	// store's own "updated".
	Prove(ctx context.Context, name, version string) error

	// Put commits a value with its tags as the newest version. It is not idempotent: each accepted Put is a version.
	// An Ambiguous error means that it may be there, or come later.
	Put(ctx context.Context, put Put) (Reading, error)

	// Amend replaces the tags and the expiry of one version. Repeating it is harmless.
	Amend(ctx context.Context, name, version string, tags map[string]string, expires time.Time) error
}

// Index is a store's list: secrets by lower-case name.
type Index struct {
	Secrets map[string]rotation.Secret
	Date    time.Time
}

// Reading is one secret, read by name.
type Reading struct {
	Secret rotation.Secret
	Value  secret.Value
	Date   time.Time
}

// Put is what to commit.
type Put struct {
	Name        string
	Value       secret.Value
	Tags        map[string]string
	ContentType string
	Expires     time.Time
	// Within is how long a store may have it wait for its turn before it is sent: the check that it rests on gets too
	// old. 0 is for as long as the context lasts.
	Within time.Duration
}

// Consumer uses the credential and must be told of a new publication. It is made for one consumer of the manifest.
//
// What it is told it keeps until it is told something else, so there is no undo but to tell it again: a rollback is a
// publication like any other. How long somebody may go on using what it held before (its cache) is the manifest's to
// say, and the core's to wait for.
type Consumer interface {
	// ID names it in the manifest, unique for its credential.
	ID() string

	// Place says what and where it is, for people and the ledger ("service connection ... of contoso/platform").
	Place() string

	// Preflight says whether it exists, may be told and can use such a credential, without changing it. What it has
	// seen may serve a Tell within the minute. What only a person can mend is an error with Person and a Hint.
	Preflight(ctx context.Context) error

	// State says which publication it is on, and whether it works with what it holds. A consumer that was never told
	// is on none, and that is no error. One that cannot be tried says so (Weak) and is taken to work: then the mark is
	// all there is to go by.
	//
	// published are the publications that the secret's versions name, the newest last: what can hold no mark looks up
	// what became of each, and what reads the secret itself knows by the newest whether it has changed since.
	State(ctx context.Context, published []rotation.Publication) (rotation.ConsumerState, error)

	// Tell hands it the value, which was read freshly from the store, marks it with the publication where the service
	// can hold a mark, waits until the service has taken both, and says what State would. It uses nothing that it was
	// told before, keeps everything else that the service holds there, and repeating it is harmless.
	//
	// It is a write: an error that driver.NotApplied knows means that nothing was changed, Ambiguous that it may have
	// been, now or later. What was taken and could not be tried, or does not work, is a state and no error. A service
	// that answers well and does nothing shows as a state that is not on the publication.
	Tell(ctx context.Context, publication rotation.Publication, value secret.Value) (rotation.ConsumerState, error)
}

// Noted is a Consumer of which a person should know something. Notes are whole sentences on what its settings mean and
// on what its last Preflight saw; plan and the run that tells it show them, and nothing is decided by them.
type Noted interface {
	Notes() []string
}
