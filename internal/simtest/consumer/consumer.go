// Package consumer is what the proofs know of each kind of consumer that a manifest can name: how one is put into a
// world, what its calls are, how what it holds is read from the world, and what a person can do to it.
//
// It is for tests alone and judges nothing: package invariant does, by what is said here, and packages explore and year
// put consumers of each kind into the worlds that they go through. A kind is one entry in Kinds:
//
//   - Make puts one into a world, holding a value that somebody made by hand, with Rekey allowed to tell it, and
//     somebody else's beside it that nobody may touch. Its Block is the kind's own block in the manifest.
//   - Operation names its calls, as the simulator's log does; Looks are those of them that read, Tells those that
//     change what it holds, and Tries those that use it. A kind without Tries is weak: its mark is all that there is to go by. What is none of a
//     kind's calls (a vault's) may be among Tells all the same, where About knows it by its address.
//   - About says which consumer a call is about, and Holds what one holds, from the world and never from an answer.
//   - Put and Remove (and what takes that back) are what a person does to it, and Unmark, nil where the service holds no mark, takes the mark off.
//   - Rest is all of its service that no tell may change, by name: what others have whole, and what is told without its
//     value and its mark.
//
// What follows from an entry: a field of its own in package explore (of With's issuer), its
// calls among the points there, the checkers gap, told, revoke, foreign, intent and idle, and a place in the year's
// fleet. TestEveryKindIsExplored fails for a kind of the product that has none.
package consumer

import (
	"net/http"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// Kind is one kind of consumer.
type Kind struct {
	Name string // as the manifest names it
	// With is the kind of issuer in whose worlds it is explored, as the manifest names it; "" is a PAT.
	With string
	Make func(*world.State, Making) One

	Operation func(*http.Request) string // "" for a call that is none of its own
	// Looks are those of its own calls that show what it holds, or whether it can be told.
	Looks, Tells, Tries []string
	// Weak says that Tries prove little (the answer is not read), and that a revocation does not rest on them.
	Weak bool
	// MarksSecret says that its mark is in a tag of the credential's own secret, which a tell amends.
	MarksSecret bool

	About func(*http.Request) string // One.At, "" for none

	Holds  func(w *world.World, at string) Holding
	Put    func(s *world.State, at, value string)
	Remove func(s *world.State, at string) (restore func(*world.State))
	Unmark func(s *world.State, at string)
	Rest   func(s *world.State, told []string) map[string]string
	// More is what else of it decides anything, for the exploration; nil for nothing.
	More func(s *world.State, at string) string
}

// Making is what a new consumer is made from.
type Making struct {
	N     int          // which one it is of its kind, from 0
	Use   world.Target // what it uses the credential against
	Value string       // what it holds before it was told anything
	// Secret is the id of the secret that the credential is kept in, without a version.
	Secret string
	Rekey  string // object id of who is to tell it
	At     time.Time
}

// One is one consumer.
type One struct {
	Kind  string // as the manifest names it
	ID    string // its name in the manifest
	At    string // where it is, in the words of its kind
	Block string // the kind's own block in the manifest
	// Cache is how long somebody may go on using what it held before it was told.
	Cache time.Duration
}

// Holding is what a consumer holds at an instant.
type Holding struct {
	There       bool
	Value       string
	Publication string    // what it is marked with
	Told        time.Time // by its mark
	// Since is when it began to hold it, where nobody sees that as it happens (a job that ends).
	Since time.Time
}

// Kinds are all kinds. A new one is a file with its entry here.
var Kinds = []Kind{serviceConnection, variableGroup, runbook, automationVariable, automationCredential, apiConnection, copied, appService}

// Outside are the kinds of consumers that no world here can hold, each with the reason.
var Outside = map[string]string{
	"webhook": "its receiver is no part of Azure: simtest/scenario has one, with what it can do wrong, crossings and kills",
	"command": "it is a process of this machine, which no bubble holds: internal/hook and the scripts of internal/cli run it",
}

// Of finds a kind by its name in the manifest.
func Of(name string) Kind {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		panic("no kind of consumer " + name)
	}
	return Kinds[i]
}

// Operation names a call that is a consumer's, "" if it is none's.
func Operation(r *http.Request) string {
	for _, k := range Kinds {
		if name := k.Operation(r); name != "" {
			return name
		}
	}
	return ""
}

// Named says whether an operation is some consumer's.
func Named(operation string) bool {
	return slices.ContainsFunc(Kinds, func(k Kind) bool { return slices.Contains(slices.Concat(k.Looks, k.Tells, k.Tries), operation) })
}

// Tries says whether an operation uses a consumer and changes nothing.
func Tries(operation string) bool {
	return slices.ContainsFunc(Kinds, func(k Kind) bool { return slices.Contains(k.Tries, operation) })
}
