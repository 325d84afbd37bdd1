// Package invariant is what must always hold of Rekey, each as a checker with a name, judged from what the simulated
// Azure saw and holds and never from what the product says of itself.
//
// It is for tests alone and runs nothing: who explores, simulates or breaks the product keeps a History through a
// Recorder and asks. What always holds: a checker is a function of the history; it names what it found in words that
// say where to look; it says nothing of what it was not shown, so that a history without events breaks nothing.
package invariant

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/sim/world"
)

// Promise is what a manifest promises of one credential.
type Promise struct {
	Kind         string // as the manifest names it; "" is a PAT
	Credential   rotation.CredentialID
	Target       rotation.Target
	Organization string
	Owner        string // object id of the account; of a client secret the application's app id
	Adopts       string // id of a token that the manifest names
	Lifetime     time.Duration
	RotateBefore time.Duration
	Overlap      time.Duration
	Window       time.Duration // the sweep window
	// Cache is the longest that a consumer goes on using what it read.
	Cache time.Duration
	// Consumers are what is told of it.
	Consumers []consumer.One
	// Elevation is the right that its vault is worked with under, nil if that is held for good.
	Elevation *Elevation
}

// DueAt is when a token that lives from and to is to be replaced.
func (p Promise) DueAt(from, to time.Time) time.Time {
	s := rotation.Spec{Lifetime: p.Lifetime, RotateBefore: p.RotateBefore}
	return to.Add(-s.Threshold(to.Sub(from)))
}

// stampedFor says whether a display name is a stamp for this promise's secret.
func (p Promise) stampedFor(name string) (rotation.Stamp, bool) {
	rest, ours := strings.CutPrefix(name, "rekey/")
	if !ours || !strings.HasPrefix(rest, string(p.Credential)) { // nearly all, and every checker asks of every one
		return rotation.Stamp{}, false
	}
	s, ok := rotation.ParseStamp(name)
	return s, ok && s.Credential == p.Credential && s.Hash == p.Target.Hash()
}

// History is what happened, in order, up to Now.
type History struct {
	Promises []Promise
	// Foreign are the tokens and secrets that were there before the product ran and are none of its business.
	Foreign Bystanders
	Events  []Event
	// Excused are ids of tokens that a person ended or put in somebody's way: no gap is held against the product.
	Excused map[string]string
	// Held is what consumers hold and held, as it was noted.
	Held []Held
	// LastCalm is when the last run without a disturbance ended, if that was before Events.
	LastCalm time.Time
	// Texts are everything that was printed or kept, by where it went.
	Texts map[string]string
	// Secrets is every secret that the world holds or ever received.
	Secrets []string

	// Now and State are the present. State is read only.
	Now   time.Time
	State *world.State

	// scenes are those of the present while several checkers are asked about it, nil else.
	scenes map[scened]*Scene
}

type scened struct {
	target     rotation.Target
	credential rotation.CredentialID
}

// scene is what a promise is about, now.
func (h *History) scene(p Promise) *Scene {
	key := scened{p.Target, p.Credential}
	s := h.scenes[key]
	if s == nil {
		if s = SceneOf(h.State, p, h.Now); h.scenes != nil {
			h.scenes[key] = s
		}
	}
	return s
}

// Event is one thing that happened to one process. Exactly one of the pointers is set.
type Event struct {
	Process int
	Call    *Call
	Entry   *Entry
	Ended   *Ended
}

// Entry is an attempt to write to the ledger.
type Entry struct {
	ledger.Entry
	// Refused says that the product was told that it was not written, whether or not it was.
	Refused bool
}

// Ended is the end of a run.
type Ended struct {
	At time.Time
	// Calm says that nothing was done to the run on purpose.
	Calm bool
	// Killed says that it ended without being asked.
	Killed  bool
	Results []Result
}

// Result is how a credential's part of a run ended.
type Result struct {
	Credential rotation.CredentialID
	Kind       rotation.Kind
	Code, Do   string
	Until      time.Time
	Failed     string // the error's text
}

// Violation is a broken invariant.
type Violation struct {
	Invariant string
	What      string
}

func (v Violation) String() string { return v.Invariant + ": " + v.What }

// Checker finds out whether one invariant holds.
type Checker struct {
	Name string
	// Holds says the invariant in words.
	Holds string
	// broken calls report for each way in which it does not hold.
	broken func(h *History, report func(format string, args ...any))
}

// Check gives what the history breaks.
func (c Checker) Check(h *History) []Violation {
	var out []Violation
	c.broken(h, func(format string, args ...any) {
		out = append(out, Violation{c.Name, fmt.Sprintf(format, args...)})
	})
	return out
}

// Always are the checkers that hold after every effect.
var Always = []Checker{Gap, Foreign, Revoke, Once, Fresh, Intent, Record, Elevated}

// AtEnd are the checkers that hold when runs have ended.
var AtEnd = []Checker{Pairs, Leak}

// Settled are the checkers that hold once faults are over, everybody had the runs that it takes, and a last run was
// made with nothing left to do. The last run is that of the last process.
var Settled = []Checker{Stray, Converged, Told, Idle, GivenBack}

// All lists every checker.
func All() []Checker { return slices.Concat(Always, AtEnd, Settled) }

// Check asks several checkers. Nothing changes meanwhile.
func Check(h *History, checkers []Checker) (out []Violation) {
	h.scenes = map[scened]*Scene{}
	defer func() { h.scenes = nil }()
	for _, c := range checkers {
		out = append(out, c.Check(h)...)
	}
	return out
}

// calls gives the calls in order.
func (h *History) calls(yield func(i int, e Event, c *Call) bool) {
	for i, e := range h.Events {
		if e.Call != nil && !yield(i, e, e.Call) {
			return
		}
	}
}
