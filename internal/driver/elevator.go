package driver

import (
	"context"
	"slices"
	"time"
)

// Right is a role of one principal at one place.
type Right struct {
	// Key is the same for whatever is the same right: a run takes it once.
	Key string
	// Role and Place are for people: "Key Vault Secrets Officer", "vault kv-pat-prod".
	Role, Place string
	// How is the way that it is taken in, as the manifest names it.
	How string
}

func (r Right) String() string { return r.Role + " at " + r.Place }

// Ask is what a run wants of a right.
type Ask struct {
	Run string // the run's id
	// For is how long it is wanted from now on.
	For time.Duration
	// Reason and Ticket are a person's words; nothing is decided by them here.
	Reason, Ticket string
}

// ElevationState is how far an elevation is.
type ElevationState int

const (
	NotElevated ElevationState = iota // not there, or over
	Asked                             // asked for: the service is at it, or a person has to approve it
	Elevated                          // in force as far as its own service knows; what honours it may not know it yet
	Refused                           // denied by a person, or failed: it will not be in force
)

// Elevation is a right that somebody has, or asked for, for a time.
type Elevation struct {
	State ElevationState
	// ID is what the service finds it by. It is there even where the answer was lost.
	ID string
	// Until is the stated end, zero if it has none: then it was not taken by us.
	Until time.Time
	// Bound is when it is over whatever becomes of this process: Until, where the service itself ends it, and later where
	// somebody has to.
	Bound time.Time
	// Runs are all that share it, this one among them.
	Runs []string
	// Standing says that the principal has the right anyway: nothing was taken, and nothing is given back.
	Standing bool
	// Approval says that a person has to approve it.
	Approval bool
	// Why says what became of one that was refused.
	Why string
	// Date is the service's clock in the answer.
	Date time.Time
}

// Shared says whether another run has it too.
func (e Elevation) Shared(run string) bool {
	return slices.ContainsFunc(e.Runs, func(r string) bool { return r != run })
}

// Elevator takes one right for one principal, for a time, and gives it back. It is made for one entry of the manifest.
//
// What always holds: nothing is asked for that has no end; nothing is ended that this product did not begin.
type Elevator interface {
	// Right says what it takes.
	Right() Right

	// Preflight says whether the service's own rules allow such an ask, and names the rule that does not. It changes
	// nothing. What only a person can mend is an error with Person and a Hint.
	Preflight(ctx context.Context, ask Ask) error

	// Take asks for the right, so that it lasts for as long as is asked from now on: what is there already is shared, and
	// its end is moved. An elevation that ends earlier is returned where the service does not move it. Repeating it is
	// harmless.
	//
	// Ambiguous: it may be in force, now or later, and Look says. Conflict: it was given back a moment ago, and is to be
	// asked for again after RetryAfter.
	Take(ctx context.Context, ask Ask) (Elevation, error)

	// Look says what became of an elevation that Take returned, whatever its error.
	Look(ctx context.Context, e Elevation) (Elevation, error)

	// Release gives a run's share back. What other runs share stays for them; what the service ends by itself may be left
	// to it. What is left has an Until. What is over already is success.
	Release(ctx context.Context, e Elevation, run string) (Elevation, error)

	// Find lists what bears this product's mark at the place and below, for the same principal, over or not.
	Find(ctx context.Context) ([]Found, error)

	// End takes away what was found, whoever shares it. What is over already is success.
	End(ctx context.Context, f Found) (Elevation, error)
}

// Found is one of this product's elevations, whoever took it.
type Found struct {
	Elevation
	// Role is its name or its id, Scope where it is, and Principal the object id of who has it.
	Role, Scope, Principal string
}
