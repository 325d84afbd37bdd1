package rotation_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

// brokenRestore judges the publication of what was published before.
func (g *given) brokenRestore(a Restore) string {
	r, haveRecord := g.record()
	b, s := a.Record, g.Obs.Secret.Value
	switch {
	case !g.allKnown() || !g.clocksAgree():
		return "it rolls back without having looked at everything"
	case !g.Spec.Enabled || g.Spec.Command != Converge && g.Spec.Command != Rollback || a.ByHand != (g.Spec.Command == Rollback):
		return "it rolls back what nobody wants rolled back"
	case s.State != Present || !s.Enabled || !haveRecord:
		return "it rolls back although a person must decide"
	case !r.NotBefore.IsZero():
		return "it rolls back a rollback"
	case b.Predecessor != r.IssuerID || !b.PredecessorExpires.Equal(r.Expires) || b.IssuerID == r.IssuerID:
		return "the record does not say what it rolls back from"
	case r.Compromised:
		return "it rolls back to what was compromised"
	case b.Compromised || !b.RevokeAfter.IsZero():
		return "it cuts off who uses what it rolls back from"
	case !b.NotBefore.After(g.Now) || b.NotBefore.After(g.Now.Add(day)):
		return "the next try comes at once, or not for long"
	}
	if !slices.ContainsFunc(g.Obs.Versions.Value, func(v Record) bool { return v.IssuerID == b.IssuerID && v.Generation == b.Generation }) {
		return "no version has what it rolls back to"
	}
	n := slices.IndexFunc(g.Obs.Issued.Value, func(i Issued) bool { return i.ID == b.IssuerID })
	if n < 0 || !g.Obs.Issued.Value[n].To.After(g.Now.Add(g.Spec.Overlap)) {
		return "what it rolls back to does not outlive its overlap"
	}
	if f := g.Obs.Fallback; !f.Known || !f.Value.Works || f.Value.Generation != b.Generation {
		return "what it rolls back to was not shown to work"
	}
	if a.ByHand {
		return ""
	}
	if g.Spec.RollbackAfter <= 0 || g.Now.Before(s.Created.Add(g.Spec.RollbackAfter)) {
		return "it rolls back before the deadline"
	}
	ill := func(i int) bool {
		c := g.Obs.Consumers[i]
		told := i < len(g.Obs.Told) && g.Obs.Told[i] == r.Publication
		tried := i < len(g.Obs.Tried) && g.Obs.Tried[i] == r.Publication
		return c.Known && !c.Value.Works && c.Value.Publication == r.Publication && told || !c.Known && tried
	}
	for i := range g.Spec.Consumers {
		if ill(i) {
			return ""
		}
	}
	for _, c := range g.Obs.Checks {
		if c.Known && !c.Value.Works {
			return ""
		}
	}
	return "it rolls back what works"
}

var fallbacks = dimension{"fallback", []change{nothing,
	func(g *given) {
		g.Obs.Fallback = Known(Fallback{Generation: gen(t0.Add(-25*day), 7), Check: Check{Works: true}})
	},
	func(g *given) {
		g.Obs.Fallback = Known(Fallback{Generation: gen(t0.Add(-25*day), 7), Check: Check{Why: "401"}})
	},
	func(g *given) { g.Obs.Fallback = Fact[Fallback]{Failed: "503"} }}}

func trials(outcomes ...Fact[Check]) change {
	return func(g *given) {
		g.Spec.Checks = nil
		for i := range outcomes {
			g.Spec.Checks = append(g.Spec.Checks, fmt.Sprintf("k%d", i))
		}
		g.Obs.Checks = outcomes
	}
}

var passes, fails, silent = Known(Check{Works: true}), Known(Check{Why: "answers 500"}), Fact[Check]{Failed: "no connection"}

var proofs = dimension{"the manifest's checks", []change{nothing, nothing, trials(passes), trials(fails), trials(silent), trials(passes, fails),
	func(g *given) { g.Spec.Checks = []string{"k0"} }}}

var deadlines = dimension{"rollback after", []change{spec(func(s *Spec) { s.RollbackAfter = time.Hour }), nothing,
	spec(func(s *Spec) { s.RollbackAfter = 30 * day })}}
