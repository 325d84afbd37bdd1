package artifact

import (
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Outcomes of a run. The first three are those of its exit code.
const (
	Done        = "done"
	Person      = "person"
	Failed      = "failed"
	Interrupted = "interrupted"
)

// Outcome is the word for how a run ended.
func Outcome(doc report.Run, interrupted bool) string {
	switch {
	case interrupted:
		return Interrupted
	case doc.Summary.Failed > 0:
		return Failed
	case doc.Summary.Held > 0:
		return Person
	}
	return Done
}

// Of makes a run's statement out of what its results, its document and its entries of the ledger say. The rest is the
// caller's to fill in.
func Of(doc report.Run, results []engine.Result, entries []ledger.Entry) Statement {
	s := Statement{Run: doc.Run, Command: doc.Command, Credentials: []Credential{}, Elevations: []Elevation{}, Requests: []string{}, Entries: len(entries)}
	for i, c := range doc.Credentials {
		out := Credential{Name: c.Name, Secret: c.Secret, Outcome: c.Outcome, Code: c.Code, Why: c.Why, Do: c.Do, Notes: c.Notes, Error: c.Error,
			Consumers: c.Consumers, Checks: c.Checks, Effects: effects(c.Name, entries)}
		if out.Consumers == nil {
			out.Consumers = []report.Consumer{}
		}
		if out.Checks == nil {
			out.Checks = []report.Check{}
		}
		if i < len(results) {
			out.newest(results[i])
		}
		s.Credentials = append(s.Credentials, out)
	}
	s.elevated(doc.Elevations)
	return s
}

// newest is what the newest version of the secret says of itself.
func (c *Credential) newest(r engine.Result) {
	rec, err := rotation.ParseRecord(r.Secret.Value.Tags[rotation.RecordTag])
	if err != nil {
		return
	}
	c.Generation, c.Publication, c.IssuerID, c.Expires = string(rec.Generation), string(rec.Publication), rec.IssuerID, rec.Expires
	c.Predecessor, c.RevokeAfter, c.VaultID = rec.Predecessor, rec.RevokeAfter, r.Secret.Value.Version
}

// elevated adds the rights that the run had.
func (s *Statement) elevated(all []report.Elevation) {
	for _, e := range all {
		s.Elevations = append(s.Elevations, Elevation{Role: e.Role, Scope: e.Place, Kind: e.Kind, From: e.From.UTC(), To: e.To.UTC(), End: e.Until.UTC(), Seconds: e.Seconds, Standing: e.Standing})
		s.PrivilegedSeconds += e.Seconds
		if from := e.From.UTC(); !e.Standing && (s.ActivatedAt.IsZero() || from.Before(s.ActivatedAt)) {
			s.ActivatedAt = from
		}
	}
}

// lastUnknown is the effect that a later word is about, -1 if there is none.
func lastUnknown(all []Effect, e ledger.Entry) int {
	for n := len(all) - 1; n >= 0; n-- {
		if x := all[n]; x.Outcome == string(ledger.Unknown) && x.Effect == e.Effect && x.Target == e.Target {
			return n
		}
	}
	return -1
}

// effects are a credential's, each at its intent, with how it ended.
func effects(name string, entries []ledger.Entry) []Effect {
	out := []Effect{}
	for _, e := range entries {
		if e.Credential != name {
			continue
		}
		if e.Phase == ledger.Recovered {
			if n := lastUnknown(out, e); n >= 0 {
				out[n].Outcome = string(ledger.Recovered)
			}
			continue
		}
		x := Effect{Effect: e.Effect, At: e.Time.UTC(), Outcome: string(e.Phase), Target: e.Target, Reason: e.Reason, Generation: e.Generation,
			Publication: e.Publication, IssuerID: e.IssuerID, VaultID: e.Version, Expires: e.Expires, Said: e.Said, Code: e.Code, Error: e.Error}
		// One credential's effects come one after the other, so that an end is that of the last intent.
		if n := len(out) - 1; e.Phase != ledger.Intended && n >= 0 && out[n].Outcome == string(ledger.Intended) && out[n].Effect == e.Effect {
			out[n] = x
			continue
		}
		out = append(out, x)
	}
	return out
}
