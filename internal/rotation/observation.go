package rotation

import "time"

// Fact is something that was looked at. The zero value is unknown, and unknown is not absent.
type Fact[T any] struct {
	Known bool
	Value T
	// Failed says in words why a look did not succeed; "" for what was not looked at.
	Failed string
	// Person says what a person must do before a look can succeed ("sign in again: rekey login --account X").
	Person string
	// Retry is when another look is worth while, if the service said so.
	Retry time.Time
}

// Known makes a known fact.
func Known[T any](v T) Fact[T] { return Fact[T]{Known: true, Value: v} }

// Observation is what is known about one credential in one pass.
type Observation struct {
	// Direct says that Secret was read by name in this pass, not taken from a bulk list.
	Direct bool
	Secret Fact[Secret]
	// Versions are the records of all versions of the secret, read completely.
	Versions Fact[[]Record]
	// Issued is the issuer's complete list of what is alive and visible to the account.
	Issued Fact[[]Issued]
	// Check is whether the current value, read in this pass, works.
	Check Fact[Check]
	// Consumers, by the spec's order; shorter when not looked at.
	Consumers []Fact[ConsumerState]
	// Told is which publication this very run has handed to each consumer, in the same order; shorter where it told
	// nobody.
	Told []Publication
	// Tried is which publication this very run has tried in vain to hand to each consumer, in the same form.
	Tried []Publication
	// Checks are the outcomes of the manifest's own checks, by the spec's order; shorter when they were not tried.
	Checks []Fact[Check]
	// Fallback is what is known of the value that would be published again.
	Fallback Fact[Fallback]
	// StoreDate and IssuerDate are the services' own clocks in this pass; zero when not known.
	StoreDate, IssuerDate time.Time
	// Attempt is what this very run did and nobody else can know.
	Attempt *Attempt
	// Slot is what is known besides of a credential with one slot.
	Slot Slot
}

// SecretState is what the store holds under a name.
type SecretState int

const (
	Absent SecretState = iota + 1 // never existed: 404 among the deleted too
	SoftDeleted
	Present
)

// Secret is what the store says about the newest version.
type Secret struct {
	State   SecretState
	Version string
	Enabled bool
	Created time.Time // of the newest version: when it was committed
	Expires time.Time // the store's own attribute; informational
	Tags    map[string]string
}

// Issued is one living credential in the issuer's list.
type Issued struct {
	ID   string
	Name string // display name
	From time.Time
	To   time.Time
	// Shape is what it was issued as, hashed like Spec.Shape; "" if the issuer cannot tell.
	Shape string
}

// Check is the outcome of a probe.
type Check struct {
	Works bool
	// Identity is whom the credential signed in as, if the probe tells.
	Identity string
	Why      string // for one that does not work
}

// Fallback is a value that was published before, read from its own version and probed.
type Fallback struct {
	Generation Generation
	Check
}

// ConsumerState is what a consumer holds.
type ConsumerState struct {
	Publication Publication // what it is marked with
	// Told is when it was told that, by its own clock; zero if it cannot say.
	Told  time.Time
	Works bool
	Why   string // for one that does not work
	// Weak says that nothing can be tried: that it works rests on the mark alone.
	Weak bool
	// Lapsed says that the service no longer knows whether it was told: it forgets after a while.
	Lapsed bool
	// Said is what it said of being told, for the ledger: bounded, printable, and without the value.
	Said string
}

// Attempt is a generation that this run has issued, or may have issued, and not committed.
type Attempt struct {
	Generation Generation
	IssuerID   string // "" if the answer was lost
	// PutSent says that a PUT of it left this process and was not refused: it may yet be committed, so it is left to
	// the sweep.
	PutSent bool
	PutAt   time.Time // when, by the pass's time
	// Extended says that this run asked the issuer to move the date and it did not move past the threshold.
	Extended bool
}
