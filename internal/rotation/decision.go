package rotation

import "time"

// Decision is what Decide says. Kind tells which members count.
type Decision struct {
	Kind Kind
	// Code is a stable word for machines ("due", "overlap", "soft-deleted"); Why is the sentence for people.
	Code string
	Why  string
	// Do says what a person must decide or do (Hold).
	Do string
	// Until is when a Wait ends, or when a Done credential has its next thing to do; zero if not known.
	Until time.Time
	Need  Need
	// Of is the generation whose value NeedFallback asks for.
	Of Generation
	// Open says of a Look that the record alone cannot tell what comes next: the overlap has passed, and only the
	// issuer knows whether the predecessor was revoked. A plan looks then, if it can without redeeming anything.
	Open   bool
	Action Action
	Notes  []Note
}

// Kind is the kind of a decision.
type Kind int

const (
	Done Kind = iota + 1
	Wait
	Hold
	Look // more must be observed before anything can be decided
	Act
)

func (k Kind) String() string {
	return [...]string{"", "done", "wait", "hold", "look", "act"}[k]
}

// Need is what Look asks for, in one pass with what is already known.
type Need int

const (
	NeedDirect    Need = iota + 1 // read the secret by name
	NeedIssued                    // the issuer's whole list for the account
	NeedVersions                  // the records of all versions of the secret
	NeedCheck                     // probe the current value
	NeedConsumers                 // what each consumer holds, and whether it works
	NeedChecks                    // try the manifest's own checks with the current value
	NeedFallback                  // read the value of an older version, and probe it
)

// Note is something a person should know that changes nothing.
type Note struct {
	Code string
	Text string
}

// Action is one thing to do.
type Action interface{ action() }

// Issue replaces the credential: prove that the store can be written, issue with a new stamp, check, publish, read
// back. It is one action because the value exists only in memory in between.
type Issue struct {
	Lifetime           time.Duration // asked of the issuer, from the moment of the issue
	Predecessor        string
	PredecessorExpires time.Time
	// Failures is how many tries in a row were rolled back before this one.
	Failures int
	// Compromised makes the commit say that what was there when a person asked may be revoked at once.
	Compromised bool
	// First says that the secret does not exist yet.
	First bool
}

// Extend moves the date of the current credential at the issuer and in the record.
type Extend struct {
	IssuerID string
	Until    time.Time
}

// Amend writes a record onto the newest version without changing its value: an adoption, or a date that somebody
// moved at the issuer.
type Amend struct {
	// Record is complete but for the generation of an adoption and the publication, which the engine makes.
	Record Record
	Adopt  bool
	// Born is when an adopted credential was issued.
	Born time.Time
}

// Tell hands the newest publication to a consumer.
type Tell struct{ Consumer string }

// Restore publishes the value of an older version again: a publication like any other, of a generation that was
// published before.
type Restore struct {
	// Record is complete but for the publication and the end of the overlap, which the engine makes.
	Record Record
	ByHand bool
}

// Revoke ends a credential at the issuer.
type Revoke struct{ Permit Permit }

func (Issue) action()   {}
func (Extend) action()  {}
func (Amend) action()   {}
func (Tell) action()    {}
func (Restore) action() {}
func (Revoke) action()  {}
