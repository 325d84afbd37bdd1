package rotation_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

const (
	day    = 24 * time.Hour
	window = time.Hour
	shape  = "0a1b2c3d"
	other  = "ffffffff" // the hash of no secret here
)

// t0 is when the current credential of the steady case was issued and published.
var t0 = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// given is a case: what Decide takes.
type given struct {
	Spec Spec
	Obs  Observation
	Now  time.Time
}

type change func(*given)

// steady is a credential of 30 days that was published ten days ago, was read directly, and needs nothing.
func steady(changes ...change) given {
	g := given{Now: t0.Add(10 * day), Spec: Spec{
		Name: "pat", Target: Target{Vault: "kv-pat-prod.vault.azure.net", Name: "devops-pat-token"}, Enabled: true,
		Lifetime: 30 * day, RotateBefore: 5 * day, Overlap: day, SweepWindow: window, Shape: shape,
	}}
	r := Record{
		Generation: gen(t0, 1), IssuerID: "current", Publication: NewPublication(t0, [5]byte{9}), Shape: shape,
		Expires: t0.Add(30 * day), RevokeAfter: t0.Add(day),
	}
	g.Obs = Observation{
		Direct: true,
		Secret: Known(Secret{State: Present, Version: "v1", Enabled: true, Created: t0, Tags: map[string]string{"owner": "team-a"}}),
		Issued: Known([]Issued(nil)), Versions: Known([]Record(nil)), Check: Known(Check{Works: true}),
	}
	g.write(r)
	g.Obs.Versions.Value = []Record{r}
	g.Obs.Issued.Value = []Issued{g.stamped("current", t0, 1)}
	at(g.Now)(&g)
	for _, c := range changes {
		c(&g)
	}
	return g
}

func gen(at time.Time, n byte) Generation { return NewGeneration(at, [5]byte{4: n}) }

func (g *given) decide() Decision { return Decide(g.Spec, g.Obs, g.Now) }

// record is the newest version's.
func (g *given) record() (Record, bool) {
	r, err := ParseRecord(g.Obs.Secret.Value.Tags[RecordTag])
	return r, err == nil
}

func (g *given) write(r Record) {
	tag, err := r.Encode()
	if err != nil {
		panic(err)
	}
	g.tag(RecordTag, tag)
}

func (g *given) tag(name, value string) {
	tags := map[string]string{name: value}
	for k, v := range g.Obs.Secret.Value.Tags {
		if k != name {
			tags[k] = v
		}
	}
	g.Obs.Secret.Value.Tags = tags
}

// stamped is a credential that Rekey issued for this secret.
func (g *given) stamped(id string, born time.Time, n byte) Issued {
	return Issued{ID: id, Name: Stamp{Credential: g.Spec.Name, Hash: g.Spec.Target.Hash(), Generation: gen(born, n)}.String(),
		From: born, To: born.Add(30 * day), Shape: shape}
}

// The changes that the tables are made of.

func all(cs ...change) change {
	return func(g *given) {
		for _, c := range cs {
			c(g)
		}
	}
}

// at moves the pass's time, and with it both clocks.
func at(now time.Time) change {
	return func(g *given) { g.Now, g.Obs.StoreDate, g.Obs.IssuerDate = now, now, now }
}

func spec(f func(*Spec)) change { return func(g *given) { f(&g.Spec) } }

func command(c Command) change { return func(g *given) { g.Spec.Command = c } }

// rec changes the newest version's record, and its copy among the versions.
func rec(f func(*Record)) change {
	return func(g *given) {
		r, ok := g.record()
		if !ok {
			panic("no record to change")
		}
		f(&r)
		g.write(r)
		for i := range g.Obs.Versions.Value {
			if g.Obs.Versions.Value[i].Generation == r.Generation {
				g.Obs.Versions.Value[i] = r
			}
		}
	}
}

func secretIs(s SecretState) change {
	return func(g *given) {
		g.Obs.Secret = Known(Secret{State: s})
		g.Obs.Versions = Known([]Record(nil))
		g.Obs.Issued.Value = nil
	}
}

func untagged(g *given) {
	tags := map[string]string{}
	for k, v := range g.Obs.Secret.Value.Tags {
		if k != RecordTag {
			tags[k] = v
		}
	}
	g.Obs.Secret.Value.Tags = tags
}

func bulk(g *given) { g.Obs.Direct = false }

// unasked forgets all but the secret.
func unasked(g *given) {
	g.Obs.Issued, g.Obs.Versions, g.Obs.Check = Fact[[]Issued]{}, Fact[[]Record]{}, Fact[Check]{}
	g.Obs.IssuerDate = time.Time{}
}

func alive(is ...Issued) change {
	return func(g *given) { g.Obs.Issued.Value = append(slices.Clone(g.Obs.Issued.Value), is...) }
}

// stray is a credential stamped for this secret, born at a time.
func stray(id string, born time.Time, n byte) change {
	return func(g *given) { alive(g.stamped(id, born, n))(g) }
}

func gone(id string) change {
	return func(g *given) {
		g.Obs.Issued.Value = slices.DeleteFunc(slices.Clone(g.Obs.Issued.Value), func(i Issued) bool { return i.ID == id })
	}
}

func issued(id string, f func(*Issued)) change {
	return func(g *given) {
		g.Obs.Issued.Value = slices.Clone(g.Obs.Issued.Value)
		for i := range g.Obs.Issued.Value {
			if g.Obs.Issued.Value[i].ID == id {
				f(&g.Obs.Issued.Value[i])
			}
		}
	}
}

// replaced makes the current credential the successor of "old", which is still alive and was published too.
func replaced(g *given) {
	old := Record{Generation: gen(t0.Add(-25*day), 7), IssuerID: "old", Publication: NewPublication(t0.Add(-25*day), [5]byte{3}),
		Shape: shape, Expires: t0.Add(5 * day), RevokeAfter: t0.Add(-24 * day)}
	g.Obs.Versions.Value = append(slices.Clone(g.Obs.Versions.Value), old)
	i := g.stamped("old", t0.Add(-25*day), 7)
	alive(i)(g)
	rec(func(r *Record) { r.Predecessor, r.PredecessorExpires = "old", old.Expires })(g)
}

// published puts a record of a living credential among the older versions.
func published(id string, born time.Time, n byte) change {
	return func(g *given) {
		r := Record{Generation: gen(born, n), IssuerID: id, Publication: NewPublication(born, [5]byte{n}), Shape: shape,
			Expires: born.Add(30 * day), RevokeAfter: born.Add(day)}
		g.Obs.Versions.Value = append(slices.Clone(g.Obs.Versions.Value), r)
	}
}

// dead says that the probe of the current value was refused.
func dead(g *given) { g.Obs.Check = Known(Check{Why: "401"}) }

func attempt(a Attempt) change { return func(g *given) { g.Obs.Attempt = &a } }

func consumers(states ...Fact[ConsumerState]) change {
	return func(g *given) {
		g.Spec.Consumers = nil
		for i := range states {
			g.Spec.Consumers = append(g.Spec.Consumers, ConsumerSpec{ID: fmt.Sprintf("c%d", i)})
		}
		g.Obs.Consumers = states
	}
}

// on is a consumer's state: whether it holds the newest publication, and whether it works.
func on(newest, works bool) Fact[ConsumerState] {
	p := NewPublication(t0, [5]byte{9})
	if !newest {
		p = NewPublication(t0.Add(-25*day), [5]byte{3})
	}
	return Known(ConsumerState{Publication: p, Works: works, Why: "refused"})
}

// lapsed is a consumer of which the service forgot when it was told.
func lapsed() Fact[ConsumerState] {
	s := on(true, true)
	s.Value.Weak, s.Value.Lapsed = true, true
	return s
}

// told says that this run has handed the newest publication to a consumer.
func told(i int) change {
	return func(g *given) {
		g.Obs.Told = make([]Publication, len(g.Spec.Consumers))
		g.Obs.Told[i] = NewPublication(t0, [5]byte{9})
	}
}

// since is when a consumer was told, after t0, and how long it may use what it held before.
func since(i int, at, cache time.Duration) change {
	return func(g *given) {
		g.Obs.Consumers[i].Value.Told = t0.Add(at)
		g.Spec.Consumers[i].Cache = cache
	}
}

var needs = map[Need]string{NeedDirect: "direct", NeedIssued: "issued", NeedVersions: "versions", NeedCheck: "check", NeedConsumers: "consumers", NeedFallback: "fallback", NeedChecks: "checks"}

// say writes a decision in one line, with times counted from t0.
func say(d Decision) string {
	since := func(t time.Time) string {
		if after := t.Sub(t0); after%time.Hour != 0 {
			return after.String()
		}
		return fmt.Sprintf("%dh", t.Sub(t0)/time.Hour)
	}
	switch d.Kind {
	case Done, Hold:
		return d.Kind.String() + " " + d.Code
	case Wait:
		return "wait " + d.Code + " until " + since(d.Until)
	case Look:
		return "look " + needs[d.Need]
	}
	switch a := d.Action.(type) {
	case Issue:
		s := "issue " + d.Code
		if a.Predecessor != "" {
			s += " after " + a.Predecessor
		}
		if a.Compromised {
			s += ", compromised"
		}
		if a.First {
			s += ", the first"
		}
		if a.Failures > 0 {
			s += fmt.Sprintf(", %d failed", a.Failures)
		}
		return s
	case Extend:
		return "extend " + a.IssuerID + " until " + since(a.Until)
	case Amend:
		return "amend " + d.Code + " of " + a.Record.IssuerID + " until " + since(a.Record.Expires)
	case Restore:
		r := a.Record
		s := fmt.Sprintf("restore %s of %s until %s, next try %s", r.IssuerID, r.Predecessor, since(r.Expires), r.NotBefore.Sub(t0))
		if a.ByHand {
			return s + ", by hand"
		}
		return s + fmt.Sprintf(", %d failed", r.Failures)
	case Tell:
		return "tell " + a.Consumer
	case Revoke:
		return "revoke " + a.Permit.IssuerID()
	}
	return fmt.Sprintf("%s %T", d.Kind, d.Action)
}

type table []struct {
	name   string
	change change
	want   string
}

// run decides every case, compares it with the line that is wanted, and holds it to the rules that bind all.
func (tt table) run(t *testing.T) {
	t.Helper()
	for _, c := range tt {
		t.Run(c.name, func(t *testing.T) {
			g := steady(c.change)
			d := g.decide()
			if got := say(d); got != c.want {
				t.Errorf("got  %s (%s)\nwant %s", got, d.Why, c.want)
			}
			if broken := g.broken(d); broken != "" {
				t.Errorf("%s: %s", say(d), broken)
			}
		})
	}
}

func nothing(*given) {}
