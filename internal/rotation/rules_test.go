package rotation_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

// broken judges a decision by the rules that bind every one of them, whatever the case, and says which one it breaks.
// It is written from the design, not from Decide: what Decide may conclude is in the tables.
func (g *given) broken(d Decision) string {
	if d.Why == "" {
		return "it does not say why"
	}
	if (d.Kind == Act) != (d.Action != nil) {
		return "an action without Act, or Act without one"
	}
	switch d.Kind {
	case Done:
		return g.brokenDone(d)
	case Wait:
		if d.Code == "" || d.Until.Before(g.Now) {
			return fmt.Sprintf("a wait until %s, before now", d.Until)
		}
		return ""
	case Hold:
		if d.Code == "" || d.Do == "" {
			return "a hold that does not say what a person must do"
		}
		return ""
	case Look:
		return g.brokenLook(d)
	case Act:
	default:
		return "no kind of decision"
	}
	switch a := d.Action.(type) {
	case Revoke:
		return g.brokenRevoke(a.Permit)
	case Issue:
		return g.brokenIssue(d, a)
	case Extend:
		return g.brokenExtend(a)
	case Restore:
		return g.brokenRestore(a)
	case Amend, Tell:
		if !g.Obs.Direct || !g.Obs.Secret.Known || g.Obs.Secret.Value.State != Present || !g.Obs.Secret.Value.Enabled || !g.Spec.Enabled {
			return "it acts on a secret that was not read directly, or is not there"
		}
	}
	return ""
}

func (g *given) brokenDone(d Decision) string {
	r, ok := g.record()
	switch d.Code {
	case "disabled":
		if g.Spec.Enabled {
			return "it is enabled"
		}
	case "retired":
		if g.Spec.Command != Retire || !g.allKnown() {
			return "done with retiring what was not looked at"
		}
		for _, i := range g.Obs.Issued.Value {
			if s, ok := ParseStamp(i.Name); ok && s.Hash == g.Spec.Target.Hash() && s.Credential == g.Spec.Name {
				return i.ID + " is alive"
			}
		}
	case "current":
		if s := g.Obs.Secret; !s.Known || s.Value.State != Present || !s.Value.Enabled || !ok {
			return "there is no current credential"
		}
		another := r.Compromised && !g.Spec.Asked.IsZero() && r.Generation.Time().After(g.Spec.Asked) // run has done it
		back := g.Spec.Command == Rollback && !r.NotBefore.IsZero()
		if g.Spec.Command != Converge && !(g.Spec.Command == Compromised && another) && !back {
			return "what was asked for was not done"
		}
	default:
		return "no code of a done credential"
	}
	return ""
}

func (g *given) brokenLook(d Decision) string {
	o := g.Obs
	known := map[Need]bool{
		NeedDirect: o.Direct, NeedIssued: o.Issued.Known || o.Issued.Failed != "", NeedVersions: o.Versions.Known || o.Versions.Failed != "",
		NeedCheck: o.Check.Known || o.Check.Failed != "", NeedConsumers: len(o.Consumers) >= len(g.Spec.Consumers),
		NeedChecks:   len(o.Checks) >= len(g.Spec.Checks),
		NeedFallback: o.Fallback.Known && o.Fallback.Value.Generation == d.Of || o.Fallback.Failed != "",
	}
	if done, ok := known[d.Need]; !ok || done {
		return "it looks for what is known, or could not be read"
	}
	return ""
}

// allKnown says whether everything was read on which an issue or a revocation rests.
func (g *given) allKnown() bool {
	return g.Obs.Direct && g.Obs.Secret.Known && g.Obs.Issued.Known && g.Obs.Versions.Known
}

func (g *given) clocksAgree() bool {
	s, i := g.Obs.StoreDate, g.Obs.IssuerDate
	return !s.IsZero() && !i.IsZero() && s.Sub(i).Abs() <= 5*time.Minute
}

func (g *given) adopts(i Issued) bool {
	a := g.Spec.Adopt
	return a.ID != "" && a.ID == i.ID || a.ID == "" && a.Name != "" && a.Name == i.Name
}

// inRecords says whether some version's record names a credential, by its generation or its id.
func (g *given) inRecords(i Issued) bool {
	s, stamped := ParseStamp(i.Name)
	records := g.Obs.Versions.Value
	if r, ok := g.record(); ok {
		records = append(slices.Clone(records), r)
	}
	return slices.ContainsFunc(records, func(r Record) bool {
		return r.IssuerID == i.ID || r.Predecessor == i.ID || stamped && r.Generation == s.Generation
	})
}

func (g *given) age(i Issued) time.Duration {
	age := g.Now.Sub(i.From)
	if s, ok := ParseStamp(i.Name); ok {
		age = min(age, g.Now.Sub(s.Generation.Time()))
	}
	return age
}

func (g *given) brokenRevoke(p Permit) string {
	if p.Credential() != g.Spec.Name || p.Reason() == "" || p.Valid(g.Now) != nil {
		return "a permit that is worth nothing"
	}
	if p.Valid(g.Now.Add(2*time.Minute)) == nil {
		return "a permit that does not expire"
	}
	if a := g.Obs.Attempt; a != nil && a.Generation != "" && !a.PutSent {
		s, _ := ParseStamp(p.Name())
		if s == (Stamp{Credential: g.Spec.Name, Hash: g.Spec.Target.Hash(), Generation: a.Generation}) && (a.IssuerID == p.IssuerID() || a.IssuerID == "") {
			return ""
		}
	}
	if !g.allKnown() || !g.clocksAgree() {
		return "it revokes without having looked at everything"
	}
	n := slices.IndexFunc(g.Obs.Issued.Value, func(i Issued) bool { return i.ID == p.IssuerID() })
	if n < 0 {
		return "it revokes what the issuer does not list"
	}
	i := g.Obs.Issued.Value[n]
	r, haveRecord := g.record()
	s, stamped := ParseStamp(i.Name)
	switch {
	case p.Name() != i.Name:
		return "the permit names another one"
	case stamped && s.Hash != g.Spec.Target.Hash():
		return "it revokes what was stamped for another secret"
	case stamped && s.Credential != g.Spec.Name && !g.inRecords(i):
		return "it revokes what may be stamped for another secret"
	case !stamped && !g.adopts(i):
		return "it revokes what is not ours"
	case !stamped && !g.inRecords(i):
		return "it revokes what was never adopted"
	case g.Obs.Secret.Value.State != Absent && (g.Obs.Secret.Value.State != Present || !haveRecord):
		return "it revokes although the newest version is not ours"
	case !g.inRecords(i) && g.age(i) < g.Spec.SweepWindow:
		return "it revokes what another run may be about to publish"
	case g.Spec.Command == Retire && g.Spec.Shown != nil && !slices.Contains(g.Spec.Shown, i.ID):
		return "it retires what nobody was shown"
	case g.Spec.Command == Retire:
		return ""
	case i.ID == r.IssuerID:
		return "it revokes the current credential"
	case g.inRecords(i):
		return g.brokenEnd(r, i)
	}
	return ""
}

// brokenEnd judges the end of what was published once.
func (g *given) brokenEnd(r Record, i Issued) string {
	cut := r.Compromised && g.wasReported(r, i)
	end := r.RevokeAfter
	if longer := g.Obs.Secret.Value.Created.Add(g.Spec.Overlap); !cut && longer.After(end) {
		end = longer
	}
	for _, v := range g.Obs.Versions.Value {
		if !cut && v.RevokeAfter.After(end) {
			end = v.RevokeAfter
		}
	}
	if g.Now.Before(end) {
		return "it revokes inside the overlap"
	}
	if !g.Obs.Check.Known || !g.Obs.Check.Value.Works {
		return "it revokes the old one although the new one was not shown to work"
	}
	if len(g.Obs.Consumers) < len(g.Spec.Consumers) {
		return "it revokes without having asked the consumers"
	}
	if len(g.Obs.Checks) < len(g.Spec.Checks) || slices.ContainsFunc(g.Obs.Checks, func(c Fact[Check]) bool { return !c.Known || !c.Value.Works }) {
		return "it revokes although not every check has passed"
	}
	for i, c := range g.Obs.Consumers {
		if !c.Known || !c.Value.Works || c.Value.Publication != r.Publication {
			return "it revokes what a consumer may use"
		}
		if until := c.Value.Told.Add(g.Spec.Consumers[i].Cache); !c.Value.Told.IsZero() && g.Now.Before(until) && !cut {
			return "it revokes what a consumer may have cached"
		}
	}
	return ""
}

// wasReported says whether somebody reported a credential as compromised: a record replaced it for that, or it was issued
// by the time they asked.
func (g *given) wasReported(newest Record, i Issued) bool {
	for _, r := range append(g.Obs.Versions.Value, newest) {
		s, stamped := ParseStamp(i.Name)
		before := stamped && !s.Generation.Time().After(r.RevokeAfter) || !stamped && !i.From.After(r.RevokeAfter)
		if r.Compromised && r.IssuerID != i.ID && (r.Predecessor == i.ID || before) {
			return true
		}
	}
	return false
}

func (g *given) brokenIssue(d Decision, a Issue) string {
	r, haveRecord := g.record()
	s := g.Obs.Secret.Value
	forced := g.Spec.Command == Rotate || g.Spec.Command == Compromised
	switch {
	case g.Spec.Command == Compromised && haveRecord && !g.Spec.Asked.IsZero() && r.Generation.Time().After(g.Spec.Asked.Add(2*time.Second)):
		return "it takes for compromised what was issued since that was said"
	case !g.Spec.Enabled || g.Spec.Command == Retire:
		return "it issues what nobody wants"
	case !g.allKnown() || !g.clocksAgree():
		return "it issues without having looked at everything"
	case s.State != Absent && (s.State != Present || !s.Enabled || !haveRecord):
		return "it issues although a person must decide"
	case a.First != (s.State == Absent) || a.Compromised != (g.Spec.Command == Compromised):
		return "the issue says something else than the case"
	case a.Lifetime != g.Spec.Lifetime:
		return "it asks for another life than the manifest"
	case haveRecord && (a.Predecessor != r.IssuerID || !a.PredecessorExpires.Equal(r.Expires)):
		return "the predecessor is not what the record names"
	case !forced && haveRecord && g.Now.Before(r.NotBefore) && !(g.Obs.Check.Known && !g.Obs.Check.Value.Works):
		return "it does not wait after failures"
	}
	if at := g.Obs.Attempt; at != nil && at.PutSent && g.Now.Before(at.PutAt.Add(time.Minute)) {
		return "it issues while a publication may be under way"
	}
	changed := r.Shape != g.Spec.Shape || slices.ContainsFunc(g.Obs.Issued.Value, func(i Issued) bool {
		return i.ID == r.IssuerID && i.Shape != "" && i.Shape != g.Spec.Shape
	})
	refused := g.Obs.Check.Known && !g.Obs.Check.Value.Works
	due := !g.Now.Before(r.Expires.Add(-g.Spec.RotateBefore)) // the longest threshold there is
	if s.State != Absent && !forced && !changed && !refused && !due {
		return "it issues for no reason"
	}
	return ""
}

func (g *given) brokenExtend(a Extend) string {
	r, haveRecord := g.record()
	if !g.allKnown() || !g.clocksAgree() || !g.Spec.Extend || g.Spec.Command != Converge || !haveRecord || a.IssuerID != r.IssuerID {
		return "it extends what must not be extended"
	}
	n := slices.IndexFunc(g.Obs.Issued.Value, func(i Issued) bool { return i.ID == a.IssuerID })
	if n < 0 {
		return "it extends what the issuer does not list"
	}
	i := g.Obs.Issued.Value[n]
	if s, ok := ParseStamp(i.Name); (!ok || s.Hash != g.Spec.Target.Hash()) && !g.adopts(i) {
		return "it changes what is not ours"
	}
	return ""
}
