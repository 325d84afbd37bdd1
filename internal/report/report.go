// Package report holds the read models: what the command line's --json, and later the API and the pages, show of a
// run.
//
// It is not the engine's state: names, times and reasons, and nothing else. What always holds: each document names its
// schema and version, members are added and never renamed within a version, and no secret can be in one, since nothing
// that it is made of holds any.
package report

import (
	"errors"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Run is what plan, apply, rotate, rollback and retire say.
type Run struct {
	Schema      string       `json:"schema"` // "rekey.run/1"
	Command     string       `json:"command"`
	Run         string       `json:"run"`
	Credentials []Credential `json:"credentials"`
	// Strangers are credentials that are stamped by Rekey for no secret of this manifest.
	Strangers []Stranger `json:"strangers,omitempty"`
	// Elevations are the rights that the run had.
	Elevations []Elevation `json:"elevations,omitempty"`
	Summary    Summary     `json:"summary"`
}

// Stranger is one of them.
type Stranger struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Expires time.Time `json:"expires"`
}

// Summary counts credentials by how they ended.
type Summary struct {
	Done    int `json:"done"`
	ToDo    int `json:"toDo"` // plan: something would be done now
	Waiting int `json:"waiting"`
	Held    int `json:"held"` // a person is needed
	Failed  int `json:"failed"`
}

// Credential is one credential's part of a run.
type Credential struct {
	Name   string `json:"name"`
	Secret string `json:"secret"` // vault host/secret name
	// Outcome is done, todo, waiting, held or failed.
	Outcome string `json:"outcome"`
	// Code is a stable word for the reason: current, due, absent, overlap, soft-deleted ...
	Code   string `json:"code,omitempty"`
	Why    string `json:"why,omitempty"`
	Do     string `json:"do,omitempty"` // what a person must decide or do
	Action string `json:"action,omitempty"`
	// Next is when the next thing is due.
	Next    time.Time `json:"next,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Notes   []string  `json:"notes,omitempty"`
	Assumed []string  `json:"assumed,omitempty"`
	Effects []Effect  `json:"effects,omitempty"`
	// Consumers are those of the manifest, in its order.
	Consumers []Consumer `json:"consumers,omitempty"`
	// Checks are the manifest's own, in its order.
	Checks []Check `json:"checks,omitempty"`
	Error  *Error  `json:"error,omitempty"`
}

// Effect is something that was done.
type Effect struct {
	Effect   string    `json:"effect"`
	Outcome  string    `json:"outcome"` // done, or unknown: the answer was lost
	Target   string    `json:"target"`
	IssuerID string    `json:"issuerId,omitempty"`
	Version  string    `json:"version,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
}

// Error is why a credential failed.
type Error struct {
	Kind string `json:"kind"` // denied, missing, conflict, throttled, unavailable, rejected, ambiguous, or internal
	Code string `json:"code,omitempty"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

// Outcomes.
const (
	Done    = "done"
	ToDo    = "todo"
	Waiting = "waiting"
	Held    = "held"
	Failed  = "failed"
)

// NewRun makes a run's document.
func NewRun(command, run string, results []engine.Result) Run {
	doc := Run{Schema: "rekey.run/1", Command: command, Run: run, Credentials: []Credential{}}
	for _, r := range results {
		c := credential(r)
		switch c.Outcome {
		case Done:
			doc.Summary.Done++
		case ToDo:
			doc.Summary.ToDo++
		case Waiting:
			doc.Summary.Waiting++
		case Held:
			doc.Summary.Held++
		case Failed:
			doc.Summary.Failed++
		}
		doc.Credentials = append(doc.Credentials, c)
	}
	return doc
}

// Elevation is a right that the run had.
type Elevation struct {
	Role  string `json:"role"`
	Place string `json:"place"`
	Kind  string `json:"kind"`
	ID    string `json:"id,omitempty"`
	// From is when it was asked for, and To when it was given back, or ends where it was left.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Until is its stated end, and Bound when it is over at the latest.
	Until    time.Time `json:"until,omitzero"`
	Bound    time.Time `json:"bound,omitzero"`
	Seconds  int       `json:"privilegedSeconds"`
	Left     bool      `json:"left,omitempty"`
	Standing bool      `json:"standing,omitempty"`
	Error    *Error    `json:"error,omitempty"`
}

// AddElevations adds the rights that the run had.
func (doc *Run) AddElevations(all []elevation.Taken) {
	doc.Elevations = append(doc.Elevations, Elevations(all)...)
}

// Elevations are the rights that something had.
func Elevations(all []elevation.Taken) (out []Elevation) {
	for _, t := range all {
		e := Elevation{Role: t.Right.Role, Place: t.Right.Place, Kind: t.Right.How, ID: t.ID, From: t.From, To: t.To, Until: t.Until, Bound: t.Bound,
			Seconds: int((t.Had + time.Second - 1) / time.Second), Left: t.Left, Standing: t.Standing}
		if t.Err != nil {
			e.Error = newError(t.Err)
		}
		out = append(out, e)
	}
	return out
}

// AddStrangers adds what is stamped for no secret of the manifest.
func (doc *Run) AddStrangers(all []rotation.Issued) {
	for _, i := range all {
		doc.Strangers = append(doc.Strangers, Stranger{i.ID, i.Name, i.To})
	}
}

func credential(r engine.Result) Credential {
	d := r.Decision
	c := Credential{Name: string(r.Spec.Name), Secret: r.Spec.Target.String(), Code: d.Code, Why: d.Why, Do: d.Do, Next: d.Until, Assumed: r.Assumed}
	switch {
	case r.Err != nil:
		c.Outcome, c.Error = Failed, newError(r.Err)
	case d.Kind == rotation.Hold:
		c.Outcome = Held
	case d.Kind == rotation.Wait:
		c.Outcome = Waiting
	case d.Kind == rotation.Act, d.Kind == rotation.Look:
		c.Outcome, c.Action = ToDo, action(d)
	default:
		c.Outcome = Done
	}
	if rec, err := rotation.ParseRecord(r.Secret.Value.Tags[rotation.RecordTag]); err == nil {
		c.Expires = rec.Expires
	}
	for _, n := range d.Notes {
		if !slices.Contains(c.Notes, n.Text) {
			c.Notes = append(c.Notes, n.Text)
		}
	}
	c.Consumers, c.Checks = consumers(r), checks(r)
	for _, e := range r.Effects {
		c.Effects = append(c.Effects, Effect{e.Effect, string(e.Phase), e.Target, e.IssuerID, e.Version, e.Expires})
	}
	return c
}

func action(d rotation.Decision) string {
	switch a := d.Action.(type) {
	case rotation.Issue:
		if a.Predecessor == "" {
			return "issue"
		}
		return "replace"
	case rotation.Extend:
		return "extend"
	case rotation.Amend:
		if a.Adopt {
			return "adopt"
		}
		return "amend"
	case rotation.Restore:
		return "roll back"
	case rotation.Tell:
		return "tell"
	case rotation.Revoke:
		return "revoke"
	case rotation.Prepare:
		return "replace"
	case rotation.Assign:
		return "set"
	case rotation.Promote:
		return "publish"
	}
	return "look"
}

func newError(err error) *Error {
	e := &Error{Kind: "internal", Text: err.Error()}
	var de *driver.Error
	if errors.As(err, &de) {
		e.Kind, e.Code, e.Hint = de.Kind.String(), de.Code, de.Hint
	}
	return e
}

// Status is what status says: what the vaults' lists show.
type Status struct {
	Schema      string        `json:"schema"` // "rekey.status/1"
	Credentials []StatusEntry `json:"credentials"`
}

// StatusEntry is one credential's state.
type StatusEntry struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
	// State is current, overlap, due, rolled-back (until the next try, at Replace), absent, foreign (not written by Rekey), disabled or unknown.
	State      string    `json:"state"`
	Issued     time.Time `json:"issued,omitzero"`
	Expires    time.Time `json:"expires,omitzero"`
	Replace    time.Time `json:"replace,omitzero"` // from when on it is replaced
	RevokeOld  time.Time `json:"revokeOld,omitzero"`
	IssuerID   string    `json:"issuerId,omitempty"`
	Generation string    `json:"generation,omitempty"`
	// Consumers are those of the manifest; status asks none of them.
	Consumers []Consumer `json:"consumers,omitempty"`
	Error     *Error     `json:"error,omitempty"`
}

// NewStatus makes the status document.
func NewStatus(results []engine.Result) Status {
	doc := Status{Schema: "rekey.status/1", Credentials: []StatusEntry{}}
	for _, r := range results {
		doc.Credentials = append(doc.Credentials, statusEntry(r))
	}
	return doc
}

func statusEntry(r engine.Result) StatusEntry {
	e := StatusEntry{Name: string(r.Spec.Name), Secret: r.Spec.Target.String(), Consumers: consumers(r)}
	s := r.Secret.Value
	rec, err := rotation.ParseRecord(s.Tags[rotation.RecordTag])
	switch {
	case !r.Spec.Enabled:
		e.State = "disabled"
	case r.Err != nil:
		e.State, e.Error = "unknown", newError(r.Err)
	case r.Missing:
		e.State = "absent"
	case !r.Secret.Known:
		e.State = "unknown"
	case err != nil:
		e.State = "foreign"
	default:
		e.Issued, e.Expires, e.Replace = rec.Generation.Time(), rec.Expires, r.Spec.NextTry(rec)
		e.IssuerID, e.Generation = rec.IssuerID, string(rec.Generation)
		revokeAt := r.Spec.RevokeAt(rec, s.Created)
		e.State = "current"
		if rec.Predecessor != "" && r.Now.Before(revokeAt) {
			e.State, e.RevokeOld = "overlap", revokeAt
		}
		switch {
		case !r.Now.Before(e.Replace):
			e.State = "due"
		case rec.RolledBack() && r.Now.Before(rec.NotBefore):
			e.State = "rolled-back"
		}
	}
	return e
}
