package year

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

func newRNG(seed, n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }

// calmKnobs are those of a day on which nothing is wrong. What is removed stays in the world: checkers look back.
var calmKnobs = func() world.Knobs {
	k := world.BuiltIn().Knobs
	k.Graph.KeepRemoved, k.Entra.ShortKeys = true, true
	return k
}()

// stats are what a year prints.
type stats struct {
	runs, killed, calls, rotations int
	gaps, orphans, events          int
	holes, crossed, shortened      int
	faults, acts, holds, last      map[string]int
	heap                           uint64
	seals                          int // of sign-ins, in the calm
	real                           time.Duration
}

func newStats() stats {
	return stats{faults: map[string]int{}, acts: map[string]int{}, holds: map[string]int{}, last: map[string]int{}}
}

func (s *stats) fault(what string) { s.faults[what]++ }
func (s *stats) act(what string)   { s.acts[what]++ }
func (s *stats) hold(code string)  { s.holds[code]++ }

func (s *stats) ends(r invariant.Result) {
	what := string(r.Kind.String()) + " " + r.Code
	if r.Failed != "" {
		what = "failed"
	}
	if r.Kind == rotation.Done {
		what = "done"
	}
	s.last[what]++
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

func counted(m map[string]int) string {
	var out []string
	for _, k := range slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if d := m[b] - m[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	}) {
		out = append(out, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(out, ", ")
}

func (s *stats) short() string {
	return fmt.Sprintf("%d runs, %d rotations, %d calls, %d faults, %d acts, heap %d MiB", s.runs, s.rotations, s.calls, sum(s.faults), sum(s.acts), s.heap>>20)
}

func (s *stats) table(y *year) string {
	virtual := time.Duration(y.days) * day
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "\n  %-18s %s", name, fmt.Sprintf(format, args...))
	}
	row("seed", "%d", y.seed)
	row("credentials", "%d, %d days, a run every %s by two replicas", y.credentials, y.days, y.every)
	row("runs", "%d, of which %d died", s.runs, s.killed)
	row("rotations", "%d", s.rotations)
	row("calls", "%d", s.calls)
	row("faults survived", "%d: %s", sum(s.faults), counted(s.faults))
	row("for a while", "%s", counted(y.weather.counts()))
	row("people's acts", "%d: %s", sum(s.acts), counted(s.acts))
	row("holds", "%d: %s", sum(s.holds), counted(s.holds))
	row("gaps", "%d", s.gaps)
	row("not promised", "%d PUTs of a machine that had slept since its last look at the clock, %d writes that crossed with a person's change of tags, %d extensions that a younger policy made shorter", s.holes, s.crossed, s.shortened)
	sealed := 0
	for _, a := range y.fleet.accounts {
		if a.sealed {
			sealed++
		}
	}
	row("sealed sign-ins", "%d, sealed again %.1f times a day each in the calm", sealed, float64(s.seals)/float64(max(1, sealed))/(y.end.Sub(y.calmFrom).Hours()/24))
	row("orphans", "%d", s.orphans)
	row("at the end", "%s", counted(s.last))
	row("searched", "%d MiB for %d secrets", y.sinks.size>>20, len(y.sinks.known))
	row("event log", "%d events, %x", s.events, y.sum.Sum(nil)[:8])
	row("speed", "%.0f simulated seconds per real second (%s)", virtual.Seconds()/s.real.Seconds(), s.real.Round(time.Millisecond))
	row("memory", "%d MiB of heap", s.heap>>20)
	row("violations", "%d", len(y.broken))
	return b.String()
}

// bystanders are what is none of the product's business, with the world as far as it is about them.
func bystanders(y *year, s *world.State) invariant.History {
	h := invariant.History{Excused: map[string]string{}, State: &world.State{}}
	for _, o := range s.Organizations {
		mine := &world.Organization{Name: o.Name}
		for _, p := range o.PATs {
			if y.book.byToken[p.AuthorizationID] == nil {
				mine.PATs = append(mine.PATs, p)
			}
		}
		h.State.Organizations = append(h.State.Organizations, mine)
	}
	for _, v := range s.Vaults {
		mine := &world.Vault{Name: v.Name}
		for _, x := range v.Secrets {
			if y.book.byTarget[v.Name+".vault.azure.net/"+x.Name] == nil && y.book.byTold[v.Name+"/"+x.Name] == nil && v.Name != signInVault {
				mine.Secrets = append(mine.Secrets, x)
			}
		}
		h.State.Vaults = append(h.State.Vaults, mine)
	}
	h.Foreign = invariant.BystandersOf(h.State, nil)
	return h
}
