package rotation_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	. "github.com/rekeyhq/rekey/internal/rotation"
)

// The model enumerates what can be known about one credential, fact by fact, and holds every decision to the rules
// of given.broken. One digit of a case is one fact.

// dimension is one fact and the ways it can be.
type dimension struct {
	name string
	ways []change
}

var (
	secrets = dimension{"secret", []change{
		nothing, secretIs(Absent), untagged,
		func(g *given) { g.Obs.Secret = Fact[Secret]{} },
		func(g *given) { g.Obs.Secret = Fact[Secret]{Failed: "503"} },
		func(g *given) { g.Obs.Secret = Fact[Secret]{Failed: "403", Person: "grant it"} },
		secretIs(SoftDeleted),
		func(g *given) { g.tag(RecordTag, "1;g=") },
		func(g *given) { g.Obs.Secret.Value.Enabled = false },
		manyTags(15),
	}}
	direct   = dimension{"direct", []change{nothing, bulk}}
	versions = dimension{"versions", []change{nothing,
		func(g *given) { g.Obs.Versions = Fact[[]Record]{} },
		func(g *given) { g.Obs.Versions = Fact[[]Record]{Failed: "503"} }}}
	checks = dimension{"check", []change{nothing, dead,
		func(g *given) { g.Obs.Check = Fact[Check]{} },
		func(g *given) { g.Obs.Check = Fact[Check]{Failed: "timeout"} }}}
	dates = dimension{"dates", []change{nothing,
		func(g *given) { g.Obs.StoreDate = g.Now.Add(-6 * time.Minute) },
		func(g *given) { g.Obs.IssuerDate = time.Time{} }}}
	times = dimension{"time", []change{at(t0.Add(12 * time.Hour)), at(t0.Add(10 * day)), at(t0.Add(26 * day)), at(t0.Add(31 * day))}}

	commands = dimension{"command", []change{nothing, command(Rotate), command(Compromised), command(Retire)}}
	adoption = dimension{"adopt", []change{nothing,
		spec(func(s *Spec) { s.Adopt.ID = "mine" }),
		spec(func(s *Spec) { s.Adopt.Name = "by hand" }),
		spec(func(s *Spec) { s.Adopt.ID = "foreign" })}}

	// What is left is sampled, not enumerated.
	lists = dimension{"list", []change{nothing,
		func(g *given) { g.Obs.Issued = Fact[[]Issued]{} },
		func(g *given) { g.Obs.Issued = Fact[[]Issued]{Failed: "503"} },
		func(g *given) { g.Obs.Issued = Fact[[]Issued]{Failed: "50076", Person: "rekey login"} }}}
	attempts = dimension{"attempt", []change{nothing,
		func(g *given) { g.Obs.Attempt = &Attempt{Generation: youngest(g), IssuerID: "young"} },
		func(g *given) { g.Obs.Attempt = &Attempt{Generation: youngest(g)} },
		attempt(Attempt{Extended: true}),
		func(g *given) {
			g.Obs.Attempt = &Attempt{Generation: youngest(g), IssuerID: "young", PutSent: true, PutAt: g.Now}
		},
		func(g *given) {
			g.Obs.Attempt = &Attempt{Generation: youngest(g), PutSent: true, PutAt: g.Now.Add(-2 * time.Minute)}
		}}}
	flags = dimension{"flags", []change{nothing,
		spec(func(s *Spec) { s.Verify = true }), spec(func(s *Spec) { s.Census = true }), spec(func(s *Spec) { s.Extend = true }),
		spec(func(s *Spec) { s.Enabled = false }), spec(func(s *Spec) { s.Shape = other }), spec(func(s *Spec) { s.Overlap = 4 * day }),
		spec(func(s *Spec) { s.TagNames = []string{"a", "b"} }), spec(func(s *Spec) { s.Name = "renamed" })}}
	records = dimension{"record", []change{nothing, nothing,
		ifRecord(func(r *Record) { r.Failures, r.NotBefore = 1, t0.Add(27*day) }),
		ifRecord(func(r *Record) { r.Compromised, r.RevokeAfter = true, t0 }),
		ifRecord(func(r *Record) { r.Compromised, r.RevokeAfter = true, t0.Add(-2*time.Minute) }), // loser was issued since
		ifRecord(func(r *Record) { r.Expires = t0.Add(2 * day) }),
		ifRecord(func(r *Record) { r.Expires = t0.Add(60 * day) }),
		ifRecord(func(r *Record) { r.Predecessor, r.PredecessorExpires = "", time.Time{} })}}
	users = dimension{"consumers", []change{nothing, nothing,
		consumers(on(true, true)), consumers(on(false, true)), consumers(on(true, false)), all(consumers(on(true, false)), told(0)), all(consumers(on(true, true)), since(0, 48*time.Hour, time.Hour)), consumers(on(true, true), Fact[ConsumerState]{Failed: "503"}),
		func(g *given) { g.Spec.Consumers = []ConsumerSpec{{ID: "c0"}} }}}
)

// youngest is the generation of the one in the list that is too young to judge.
func youngest(g *given) Generation { return gen(g.Now.Add(-time.Minute), 50) }

func ifRecord(f func(*Record)) change {
	return func(g *given) {
		if _, ok := g.record(); ok {
			rec(f)(g)
		}
	}
}

// strange are the credentials that the issuer may list, each with what it is to this secret.
var strange = []change{
	func(g *given) { alive(g.stamped("current", t0, 1))(g) },
	func(g *given) { alive(g.stamped("old", t0.Add(-25*day), 7))(g) },
	func(g *given) { alive(g.stamped("loser", t0.Add(-time.Minute), 2))(g) },
	func(g *given) { alive(g.stamped("orphan", t0.Add(-day), 3))(g) },
	func(g *given) { alive(g.stamped("young", g.Now.Add(-time.Minute), 50))(g) },
	named("foreign", Stamp{Credential: "pat", Hash: other, Generation: gen(t0.Add(-day), 4)}, t0.Add(-day)),
	alive(Issued{ID: "mine", Name: "by hand", From: t0.Add(-40 * day), To: t0.Add(50 * day), Shape: shape}),
}

// history makes the versions of the model: the current one after old, and loser, which was published just before.
func history(g *given) {
	replaced(g)
	published("loser", t0.Add(-time.Minute), 2)(g)
	g.Obs.Issued.Value = nil
}

func listing(subset int) change {
	return func(g *given) {
		if !g.Obs.Issued.Known {
			return
		}
		for i, c := range strange {
			if subset>>i&1 == 1 {
				c(g)
			}
		}
	}
}

// unrelated are credentials that must make no difference to anything.
var unrelated = []Issued{
	{ID: "u1", Name: "somebody's laptop", From: t0, To: t0.Add(day)},
	{ID: "u2", Name: Stamp{Credential: "another", Hash: other, Generation: gen(t0, 60)}.String(), From: t0, To: t0.Add(day), Shape: other},
	{ID: "u3", Name: "rekey/pat/typed by a person", From: t0},
}

// judge holds one case to the rules.
func judge(g *given) (d Decision, broken string) {
	d = g.decide()
	if broken := g.broken(d); broken != "" {
		return d, say(d) + ": " + broken
	}
	if !g.Obs.Direct && d.Kind == Act {
		if _, revoke := d.Action.(Revoke); !revoke || g.Obs.Attempt == nil {
			return d, say(d) + ": it acts on a list"
		}
	}
	if !reflect.DeepEqual(d, g.decide()) {
		return d, say(d) + ": not the same decision twice"
	}
	if g.Obs.Issued.Known {
		more := *g
		more.Obs.Issued.Value = append(append([]Issued{unrelated[0]}, g.Obs.Issued.Value...), unrelated[1:]...)
		if with := more.decide(); !reflect.DeepEqual(d, with) {
			return d, say(d) + ": what has nothing to do with it makes it " + say(with)
		}
	}
	return d, ""
}

// TestEveryCombinationOfSmallFactsObeysTheRules enumerates the facts on which issues and revocations rest.
func TestEveryCombinationOfSmallFactsObeysTheRules(t *testing.T) {
	t.Parallel()
	// The last way of these two is left to the samples.
	times, adoption := times, adoption
	times.ways, adoption.ways = times.ways[:3], adoption.ways[:3]
	dims := []dimension{secrets, direct, versions, checks, dates, times, commands, adoption}
	cases, kinds := 0, map[string]int{}
	digits := make([]int, len(dims))
	for {
		// Every subset of the list where it can matter; otherwise nothing, everything and unknown.
		subsets := []int{0, 127}
		if digits[0] < 3 && digits[1] == 0 && digits[2] == 0 {
			subsets = nil
			for s := range 128 {
				// Where two of these are odd at once, every seventeenth will do.
				if odd(digits[3:]) < 2 || s%17 == 0 {
					subsets = append(subsets, s)
				}
			}
		}
		base := steady(history)
		for i, d := range dims {
			d.ways[digits[i]](&base)
		}
		for _, s := range subsets {
			g := base
			listing(s)(&g)
			cases++
			d, broken := judge(&g)
			kinds[d.Kind.String()]++
			if broken != "" {
				t.Fatalf("%s\nin case %v, list %07b", broken, digits, s)
			}
		}
		if !next(digits, dims) {
			break
		}
	}
	t.Logf("%d cases: %v", cases, kinds)
	for _, k := range []Kind{Done, Wait, Hold, Look, Act} {
		if kinds[k.String()] == 0 {
			t.Errorf("no case ends in %s: the model is not what it says", k)
		}
	}
}

// odd counts the facts that are not as one would wish.
func odd(digits []int) (n int) {
	for _, d := range digits {
		if d != 0 {
			n++
		}
	}
	return n
}

func next(digits []int, dims []dimension) bool {
	for i := range digits {
		if digits[i]++; digits[i] < len(dims[i].ways) {
			return true
		}
		digits[i] = 0
	}
	return false
}

// TestSampledCombinationsOfAllFactsObeyTheRules draws from all facts at once, those with rare ways included.
func TestSampledCombinationsOfAllFactsObeyTheRules(t *testing.T) {
	t.Parallel()
	commands := commands
	commands.ways = append(slices.Clone(commands.ways), command(Rollback), command(Rollback))
	dims := []dimension{secrets, direct, versions, checks, dates, commands, adoption, lists, flags, records, users, deadlines, fallbacks, proofs}
	r := rand.New(rand.NewPCG(1, 2))
	actions := map[string]int{}
	for n := range 12000 {
		g := steady(history)
		digits := []int{r.IntN(len(times.ways))}
		times.ways[digits[0]](&g)
		for _, d := range dims {
			w := 0
			if r.IntN(6) == 0 {
				w = r.IntN(len(d.ways))
			}
			d.ways[w](&g)
			digits = append(digits, w)
		}
		s := r.IntN(128)
		listing(s)(&g)
		w := 0
		if r.IntN(4) == 0 {
			w = r.IntN(len(attempts.ways))
		}
		attempts.ways[w](&g)
		if r.IntN(4) == 0 {
			fallbacks.ways[1](&g)
		}
		decision, broken := judge(&g)
		actions[fmt.Sprintf("%T", decision.Action)]++
		if broken != "" {
			t.Fatalf("%s\nin draw %d: %v, list %07b, attempt %d", broken, n, digits, s, w)
		}
	}
	t.Log(actions)
	for _, a := range []Action{Issue{}, Extend{}, Amend{}, Tell{}, Restore{}, Revoke{}} {
		if actions[fmt.Sprintf("%T", a)] == 0 {
			t.Errorf("no draw leads to %T: the model is not what it says", a)
		}
	}
}

// TestAListNeverHidesWhatADirectLookWouldDo compares what the lists conclude with what everything known concludes.
func TestAListNeverHidesWhatADirectLookWouldDo(t *testing.T) {
	quiet := 0
	for s := range 128 {
		for _, now := range times.ways {
			for _, flag := range flags.ways {
				for _, r := range records.ways {
					g := steady(history, now, flag, spec(func(s *Spec) { s.Census = true }), r)
					listing(s)(&g)
					g.Obs.Direct = false
					d := g.decide()
					if d.Kind != Done && d.Kind != Wait || d.Code == "disabled" {
						continue
					}
					quiet++
					g.Obs.Direct = true
					if full := g.decide(); full.Kind == Act || full.Kind == Hold || full.Kind == Look {
						t.Fatalf("the lists say %s, all together %s (%s)\nlist %07b at %s", say(d), say(full), full.Why, s, g.Now)
					}
				}
			}
		}
	}
	if quiet < 100 {
		t.Errorf("the lists concluded in %d cases only: the model is not what it says", quiet)
	}
}
