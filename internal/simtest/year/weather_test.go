package year

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/sim/world"
)

// outcome is what happens to one call or one write to disk; "" is nothing.
type outcome string

const (
	unavailable     outcome = "503"
	busy            outcome = "503 with Retry-After"
	throttled       outcome = "429 with Retry-After"
	throttledBare   outcome = "429"
	slowDown        outcome = "200 with Retry-After"
	signIn          outcome = "sign-in page"
	proxyPage       outcome = "proxy's page"
	noConnection    outcome = "no connection"
	cut             outcome = "cut"
	lost            outcome = "lost answer"
	late            outcome = "late request"
	truncated       outcome = "truncated answer"
	malformed       outcome = "garbage"
	crashBefore     outcome = "crash before"
	crashAfter      outcome = "crash after"
	suspended       outcome = "suspended after"
	suspendedBefore outcome = "suspended before"
	refused         outcome = "disk full"
	unsynced        outcome = "not confirmed"
)

// odds are per ten thousand calls.
type odds struct {
	what outcome
	of   int
}

var (
	oddsOfDisk   = []odds{{refused, 20}, {unsynced, 20}, {crashBefore, 40}, {crashAfter, 40}, {suspended, 20}}
	oddsOfWrites = []odds{{unavailable, 40}, {busy, 20}, {throttled, 40}, {throttledBare, 20}, {slowDown, 40}, {noConnection, 20}, {cut, 40}, {lost, 120}, {late, 120},
		{truncated, 40}, {malformed, 30}, {proxyPage, 20}, {crashBefore, 40}, {crashAfter, 80}, {suspended, 30}, {suspendedBefore, 30}}
	oddsOfReads = []odds{{unavailable, 8}, {busy, 4}, {throttled, 8}, {throttledBare, 4}, {slowDown, 8}, {noConnection, 4}, {cut, 8}, {truncated, 6}, {malformed, 4}, {proxyPage, 3},
		{crashBefore, 3}, {suspended, 2}}
	oddsOfPages = []odds{{signIn, 20}} // besides, at Azure DevOps
)

// chance says what happens at a point.
func (p *process) chance(label string, write bool) outcome {
	tables := [][]odds{oddsOfReads}
	switch {
	case label == "ledger":
		tables = [][]odds{oddsOfDisk}
	case write:
		tables = [][]odds{oddsOfWrites}
	}
	if strings.HasSuffix(label, "Pat") || label == "ListPats" || label == "ConnectionData" || consumer.Named(label) {
		tables = append(tables, oddsOfPages)
	}
	n := p.rng.IntN(10_000)
	for _, t := range tables {
		for _, o := range t {
			if n -= o.of; n < 0 {
				return p.tempered(o.what)
			}
		}
	}
	return ""
}

// temper is the size of a fleet from which on the ends and sleeps of processes are counted by run and not by call: a
// run of a large fleet makes so many calls that it would never come to its own end.
const temper = 100

func (p *process) tempered(o outcome) outcome {
	switch o {
	case crashBefore, crashAfter, suspended, suspendedBefore:
		if n := p.y.credentials; n > temper && p.rng.IntN(n) >= temper {
			return ""
		}
	}
	return o
}

// bad is something that goes wrong for a while.
type bad struct {
	name     string
	from, to time.Time
	host     string        // whose calls; "" for a disk or a knob
	what     outcome       // of each call
	skew     time.Duration // of the host's dates
	disk     lane          // whose disk is full, if what is refused
	knob     func(*world.Knobs)
}

// maxLag is the longest that a list lags behind.
const maxLag = 10 * time.Minute

type weather struct{ bad []*bad }

// newWeather makes up what goes wrong between two times, in their order.
func newWeather(seed uint64, f *fleet, from, to time.Time) *weather {
	rng := rand.New(rand.NewPCG(seed, 3))
	w := &weather{}
	days := int(to.Sub(from) / day)
	hosts := []string{"dev.azure.com", "vssps.dev.azure.com", "vssps.dev.azure.com", "login.microsoftonline.com", "graph.microsoft.com", "management.azure.com", signInVault + ".vault.azure.net"}
	for _, v := range f.vaults[:min(3, len(f.vaults))] {
		hosts = append(hosts, v+".vault.azure.net")
	}
	add := func(n int, most time.Duration, b func() bad) {
		for range n {
			x := b()
			x.from = from.Add(time.Duration(rng.Int64N(int64(to.Sub(from)))))
			x.to = x.from.Add(between(rng, 5*time.Minute, most))
			if x.to.After(to) {
				x.to = to
			}
			w.bad = append(w.bad, &x)
		}
	}
	add(1+days/9, day, func() bad {
		return bad{name: "outage", host: pick(rng, hosts...), what: pick(rng, unavailable, unavailable, noConnection, cut)}
	})
	add(1+days/20, 12*time.Hour, func() bad {
		return bad{name: "throttling", host: pick(rng, hosts...), what: pick(rng, throttled, throttledBare, busy, slowDown)}
	})
	add(1+days/40, 8*time.Hour, func() bad {
		return bad{name: "a proxy's pages", host: pick(rng, hosts...), what: pick(rng, proxyPage, malformed, signIn)}
	})
	add(1+days/30, day, func() bad {
		skew := between(rng, time.Minute, 3*time.Hour)
		return bad{name: "wrong dates", host: pick(rng, hosts...), skew: skew * time.Duration(1-2*rng.IntN(2))}
	})
	add(1+days/40, day, func() bad { return bad{name: "disk full", what: refused, disk: pick(rng, replicaA, replicaB)} })
	knobs := []struct {
		name string
		set  func(*world.Knobs)
	}{
		{"lists lag", func(k *world.Knobs) {
			k.KeyVault.ListLag, k.DevOps.ListLag = world.Duration(maxLag/2), world.Duration(maxLag)
		}},
		{"vaults' lists lag", func(k *world.Knobs) { k.KeyVault.ListLag = world.Duration(maxLag) }},
		{"revocations take a while", func(k *world.Knobs) { k.DevOps.RevokeLatency = world.Duration(time.Hour) }},
		{"roles take a while", func(k *world.Knobs) { k.ARM.RBACDelay = world.Duration(10 * time.Minute) }},
		{"tokens may live a month", func(k *world.Knobs) { k.DevOps.MaxLifespan = world.Duration(30 * day) }},
		{"tokens may live ten days", func(k *world.Knobs) { k.DevOps.MaxLifespan = world.Duration(10 * day) }},
		{"tokens are made twice", func(k *world.Knobs) { k.DevOps.DuplicateOnCreate = true }},
		{"refresh tokens are for one use", func(k *world.Knobs) { k.Entra.RefreshSingleUse = true }},
		{"a byte order mark", func(k *world.Knobs) { k.DevOps.BOM, k.KeyVault.EmptyLastPage = true, true }},
		{"tokens cannot be made", func(k *world.Knobs) { k.DevOps.CreationBlocked = "enum" }},
	}
	add(2+days/12, 6*day, func() bad { k := knobs[rng.IntN(len(knobs))]; return bad{name: k.name, knob: k.set} })
	rng = rand.New(rand.NewPCG(seed, 8))
	add(1+days/40, 2*day, func() bad {
		k := consumersIll[rng.IntN(len(consumersIll))]
		return bad{name: k.name, knob: k.set}
	})
	slices.SortStableFunc(w.bad, func(a, b *bad) int { return a.from.Compare(b.from) })
	return w
}

// consumersIll are what consumers' services do wrong for a while without a word.
var consumersIll = []struct {
	name string
	set  func(*world.Knobs)
}{
	{"consumers answer well and do nothing", func(k *world.Knobs) {
		k.Endpoints.Ignore, k.VariableGroups.Ignore, k.Automation.Ignore, k.Connections.Ignore = true, true, true, true
		// One that does not say which version it has lies unseen: the overlap is its only guard, which simtest/scenario shows.
		k.AppService.Ignore, k.AppService.SaysVersion = true, true
	}},
	{"consumers take their time", func(k *world.Knobs) {
		k.AppService.RefreshTakes = world.Duration(20 * time.Second)
		k.Endpoints.BusyFor, k.Automation.JobTakes = world.Duration(30*time.Second), world.Duration(2*time.Minute)
	}},
	{"jobs fail", func(k *world.Knobs) { k.Automation.JobOutcome = "Failed" }},
}

func (b *bad) on(now time.Time) bool { return !now.Before(b.from) && now.Before(b.to) }

// at is what is wrong with a host now, nil for nothing.
func (w *weather) at(host string) *bad {
	now := time.Now()
	for _, b := range w.bad {
		if b.from.After(now) {
			break
		}
		if b.host == host && b.on(now) {
			return b
		}
	}
	return nil
}

func (w *weather) disk(p *process) outcome {
	now := time.Now()
	for _, b := range w.bad {
		if b.from.After(now) {
			break
		}
		if !p.calm && b.what == refused && b.disk == p.lane && b.on(now) {
			return refused
		}
	}
	return ""
}

// knobs are those of now.
func (w *weather) knobs(calm world.Knobs) world.Knobs {
	now := time.Now()
	for _, b := range w.bad {
		if b.knob != nil && b.on(now) {
			b.knob(&calm)
		}
	}
	return calm
}

// counts are how often there was what.
func (w *weather) counts() map[string]int {
	out := map[string]int{}
	for _, b := range w.bad {
		out[b.name]++
	}
	return out
}

// turns are when something begins or ends, in order.
func (w *weather) turns() (out []time.Time) {
	for _, b := range w.bad {
		if b.knob != nil {
			out = append(out, b.from, b.to)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}
