package explore

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// rekeySP is Rekey's own service principal.
const rekeySP = "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f12"

// combined are the fields with consumers, by what is told together. A kind of consumer that is in none has one of its
// own, with the issuer that its entry names. Two that are told together are not in the first ones.
func combined() [][]string {
	out := [][]string{{invariant.AppSecret, "serviceConnection"}}
	for _, k := range consumer.Kinds {
		issuer := k.With
		if issuer == "" {
			issuer = "pat"
		}
		if !slices.ContainsFunc(out, func(together []string) bool { return slices.Contains(together[1:], k.Name) }) {
			out = append(out, []string{issuer, k.Name})
		}
	}
	return append(out, []string{"pat", "serviceConnection", "variableGroup"})
}

// consumerFields are the worlds of credentials that are told to somebody. Where two are told together, it is about one
// that was told and one that was not: people, other runs and late requests are where one is told alone.
func consumerFields() (out []field) {
	const due = "+4d1m"
	for _, together := range combined() {
		alone := len(together) == 2
		f := field{kind: together[0], name: "told to " + strings.Join(together[1:], " and "), alone: true, people: alone, crossings: alone, latecomers: alone, short: 50, at: telling}
		if !alone || together[0] == invariant.AppSecret {
			f.short = 90
		}
		for name, steps := range map[string][]string{
			"absent":                 nil,
			"current":                {"run"},
			"due":                    {"run", due},
			"in the overlap":         {"run", due, "run"},
			"after the overlap":      {"run", due, "run", "+24h1m"},
			"half told":              {"run", due, "run SetSecret:crash-after"},
			"half told, at the end":  {"run", due, "run SetSecret:crash-after", "+24h1m"},
			"with the cache running": {"run", due, "run SetSecret:crash-after", "+24h1m", "run"},
		} {
			if f.short == 50 && (name == "current" || name == "in the overlap" || name == "half told" || name == "with the cache running") {
				continue // come to from the others
			}
			f.starts = append(f.starts, start{f.name + ", " + name, func(t *testing.T) *node { return then(t, toldOrigin(together[0], together[1:]...), steps...) }})
		}
		slices.SortFunc(f.starts, func(a, b start) int { return strings.Compare(a.name, b.name) })
		out = append(out, f)
	}
	return out
}

// telling says whether a point is about a consumer, or next to where one is told.
func telling(p point) bool {
	return strings.HasPrefix(p.Label, "ledger tell") || p.Label == "SetSecret" || !p.ledger() && consumer.Named(p.Label)
}

// toldOrigin is the world in which nothing was published yet, with one consumer of each kind, which hold what somebody
// made by hand.
func toldOrigin(issuer string, kinds ...string) *node {
	n := origin()
	value := pat(&n.state, adoptedID).Token
	use := world.Target{Organization: "contoso"}
	if issuer == invariant.AppSecret {
		n = secretOrigin(nil)
		for _, a := range n.state.Apps {
			if a.ClientID == world.AppReporting {
				value = a.Secrets[0].Value
			}
		}
		use = world.Target{ClientID: world.AppReporting, TenantID: world.TenantID}
	}
	block := "    consumers:\n"
	for i, name := range kinds {
		c := consumer.Of(name).Make(&n.state, consumer.Making{N: i, Secret: "https://" + n.promise.Target.Vault + "/secrets/" + n.promise.Target.Name, Use: use, Value: value, Rekey: rekeySP, At: born.Add(-day)})
		n.promise.Consumers = append(n.promise.Consumers, c)
		block += fmt.Sprintf("      %s:\n        %s\n        cache: %dm\n", c.ID, c.Block, c.Cache/time.Minute)
	}
	n.manifest = toldManifest(issuer, block)
	n.foreign = foreignIn(n.state, n.promise)
	n.step += ", and " + strings.Join(kinds, " and ") + " are to be told"
	return n
}

// manifests are kept: one would be read for each start otherwise.
var (
	manifestsMu sync.Mutex
	manifests   = map[string]*manifest.Manifest{}
)

func toldManifest(issuer, block string) *manifest.Manifest {
	manifestsMu.Lock()
	defer manifestsMu.Unlock()
	m := manifests[issuer+block]
	if m == nil {
		if m = theManifest("", block); issuer == invariant.AppSecret {
			m = theSecretManifest(block)
		}
		manifests[issuer+block] = m
	}
	return m
}

// deedsTo are what people do to the consumers of a world.
func deedsTo(consumers []consumer.One) (out []deed) {
	for _, c := range consumers {
		k := consumer.Of(c.Kind)
		there := func(s *world.State) bool { return k.Rest(s, []string{c.At})[c.At] != "" }
		out = append(out, deed{"types a value of their own into " + c.ID, there, func(s *world.State, _ time.Time) map[string]string {
			k.Put(s, c.At, "typed by hand")
			if len(k.Tries) == 0 { // nothing shows that it does not work
				return map[string]string{c.At: "typed another value"}
			}
			return nil
		}})
		out = append(out, deed{"puts the value before back into " + c.ID, func(s *world.State) bool {
			return there(s) && secret(s) != nil && len(secret(s).Versions) > 1
		}, func(s *world.State, _ time.Time) map[string]string {
			all := secret(s).Versions
			value := all[len(all)-2].Value
			k.Put(s, c.At, value)
			excused := map[string]string{c.At: "put an older value back"}
			for _, id := range valued(s, value) {
				excused[invariant.BlamePerson(c.At, id)] = "put it back"
			}
			return excused
		}})
		if k.Unmark != nil {
			out = append(out, deed{"takes the mark off " + c.ID, there, func(s *world.State, _ time.Time) map[string]string {
				k.Unmark(s, c.At)
				return nil
			}})
		}
		out = append(out, deed{"deletes " + c.ID, there, func(s *world.State, _ time.Time) map[string]string {
			k.Remove(s, c.At)
			return map[string]string{c.At: "deleted it"}
		}})
	}
	return out
}

// consumers are what of them can decide anything: what each holds and is marked with, and what somebody may still use of
// what it held.
func (c *namer) consumers(n *node, s *invariant.Scene) (lines []string) {
	newest := ""
	if v := s.Newest(); v != nil && v.Record != nil {
		newest = string(v.Record.Publication)
	}
	for _, one := range n.promise.Consumers {
		var held []string
		for _, x := range n.held {
			if x.At != one.At {
				continue
			}
			t, known := s.Token(x.Token)
			token := "a stranger"
			if x.Token != "" && known {
				token = c.token(t, known, x.Token)
			}
			if !x.Until.IsZero() {
				if until := x.Until.Add(one.Cache); known && t.Alive(n.at) && until.After(n.at) {
					held = append(held, "held "+token+" cache "+c.time(until))
				}
				continue
			}
			mark := "other"
			switch x.Publication {
			case "":
				mark = "none"
			case newest:
				mark = "newest"
			}
			held = append(held, fmt.Sprintf("holds %s there %t mark %s cache %s blamed %t %t", token, x.There, mark, c.time(x.Told.Add(one.Cache)),
				n.excused[one.At] != "", n.excused[invariant.BlamePerson(one.At, x.Token)] != ""))
		}
		if more := consumer.Of(one.Kind).More; more != nil {
			held = append(held, "more "+more(&n.state, one.At))
		}
		for _, l := range several(held) {
			lines = append(lines, "consumer "+one.ID+" "+l)
		}
	}
	return lines
}

// toldIn names the credential that a request hands to a consumer.
func (c *namer) toldIn(n *node, body []byte) string {
	for _, t := range invariant.TokensOf(&n.state, n.promise) {
		if strings.Contains(string(body), t.Token) {
			if name := c.names[t.AuthorizationID]; name != "" {
				return name
			}
			return "loose"
		}
	}
	return ""
}

// TestEveryKindOfConsumerIsExplored is what brings a new one into every exploration.
func TestEveryKindOfConsumerIsExplored(t *testing.T) {
	t.Parallel()
	explored := map[string]bool{}
	for _, k := range consumer.Kinds {
		explored[k.Name] = true
	}
	for _, k := range app.Kinds() {
		if k.Consumer && !explored[k.Name] && consumer.Outside[k.Name] == "" {
			t.Errorf("the manifest can name the consumer %s, and package consumer has no entry for it", k.Name)
		}
		if k.Consumer {
			delete(explored, k.Name)
		}
	}
	for kind := range explored {
		t.Errorf("the consumer %s is explored, and the manifest cannot name it", kind)
	}
}

// TestPeopleAndRunsThatCross has people do something to consumers, or to client secrets, before a run and in the middle of
// it, and has two runs take turns, from where it matters most. TestProof does so from every world.
func TestPeopleAndRunsThatCross(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of runs")
	}
	notWithProve(t)
	for _, f := range append(consumerFields(), appSecretFields()[0]) {
		about := telling
		if f.at == nil {
			about = func(p point) bool { return p.Write && !p.ledger() && !p.signingIn() }
		}
		for _, s := range f.starts {
			switch strings.TrimPrefix(s.name, f.name+", ") {
			case "due", "half told, at the end":
			case "after the overlap":
				if f.at != nil {
					continue
				}
			default:
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				n := s.make(t)
				x := newSearch(n)
				x.workers = runtime.GOMAXPROCS(0)
				alone := x.all(t, []job{{n, undisturbed}})[0]
				var jobs []job
				deeds := deedsTo(n.promise.Consumers)
				if len(deeds) == 0 {
					deeds = issuedDeeds[n.promise.Kind]
				}
				for _, d := range deeds {
					if d.can(&n.state) {
						jobs = append(jobs, job{n, script{name: "a person " + d.name, persons: true, act: d.do}})
					}
					for i, p := range alone.points[0] {
						if about(p) && !p.ledger() {
							jobs = append(jobs, job{n, script{name: fmt.Sprintf("before %s#%d a person %s", p.Label, i, d.name), persons: true,
								plans: []map[int]outcome{nil}, during: map[int]deed{i: d}}})
						}
					}
				}
				for _, j := range crossed(n, alone, 1, false) {
					if j.s.order[0] == 0 && about(alone.points[0][min(turned(j.s.order), len(alone.points[0])-1)]) {
						jobs = append(jobs, j)
					}
				}
				x.all(t, jobs)
				x.settle(t)
				x.finish(t, s.name)
			})
		}
	}
}

// turned is when the first run is interrupted.
func turned(order []int) int {
	return max(0, slices.IndexFunc(order, func(who int) bool { return who != 0 }))
}

// The oracle knows a consumer: what it holds must work, and what it held for as long as its cache. Nobody is excused for
// what is done to it here.
func TestTheOracleSeesAConsumerThatStandsStill(t *testing.T) {
	t.Parallel()
	overlap := steadily(t, toldOrigin("pat", "serviceConnection", "variableGroup"), undisturbed, script{until: 4*day + time.Minute}, undisturbed, script{until: 2 * time.Hour})
	revoke := func(s *world.State, now time.Time, back int) {
		value := secret(s).Versions[len(secret(s).Versions)-1-back].Value
		for _, p := range s.Organizations[0].PATs {
			if p.Token == value {
				p.Revoked = now
			}
		}
	}
	put := func(s *world.State, n int, value string) {
		c := overlap.promise.Consumers[n]
		consumer.Of(c.Kind).Put(s, c.At, value)
	}
	for name, c := range map[string]struct {
		do   func(*world.State, time.Time)
		wait time.Duration
		then func(*world.State, time.Time)
		want string
	}{
		"nothing is done":         {func(*world.State, time.Time) {}, time.Minute, nil, ""},
		"the old one ends":        {func(s *world.State, now time.Time) { revoke(s, now, 1) }, time.Minute, nil, ""},
		"a consumer is put back":  {func(s *world.State, _ time.Time) { put(s, 1, before(s).Value) }, time.Minute, func(s *world.State, now time.Time) { revoke(s, now, 1) }, "group-1 holds"},
		"one whose cache is over": {func(s *world.State, _ time.Time) { put(s, 0, "typed") }, 2 * time.Hour, func(s *world.State, now time.Time) { revoke(s, now, 0) }, "group-1 holds"},
		"one whose cache is not over": {func(s *world.State, _ time.Time) {
			put(s, 0, "typed")
			put(s, 1, "typed")
		}, 30 * time.Minute, func(s *world.State, now time.Time) { revoke(s, now, 0) }, "connection-0 held until"},
	} {
		t.Run(name, func(t *testing.T) {
			e := play(t, overlap, vandal(name, c.do))
			said := e.violations
			if e = play(t, e.next, script{until: c.wait}); c.then != nil {
				said = append(said, e.violations...)
				e = play(t, e.next, vandal("and then", c.then))
			}
			said = append(said, e.violations...)
			found := slices.ContainsFunc(said, func(v invariant.Violation) bool {
				return v.Invariant == invariant.Gap.Name && strings.Contains(v.What, c.want)
			})
			if (c.want != "") != (len(said) > 0) || len(said) > 0 && !found {
				t.Errorf("the oracle says %v, want %q", said, c.want)
			}
		})
	}
}
