package explore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
)

// search explores worlds, breadth first, so that the first way that is found to anything is a shortest one.
type search struct {
	workers int
	// persons is how often people may act on one way; pairs has two things happen in one run.
	persons int
	pairs   bool
	// runs bounds the exploration, 0 not: it then ends when no new world appears.
	runs int
	// skip leaves out outcomes that a short exploration has no time for.
	skip func(point, outcome) bool

	// crossings is how often two runs at once may change turns, 0 for no such runs; faults has something happen to one of
	// them as well.
	crossings int
	// latecomers has requests that are handled when their run is long over.
	latecomers bool
	// calm lets every world in which a person has acted come to rest, and explores none of them further.
	calm bool
	// everything gives every world as many runs as any other; see narrow.
	everything bool

	seen     map[string]bool
	settled  map[string]bool
	frontier []*node
	fresh    []*node // found since settle was asked
	found    []finding

	worlds, played int
	points         map[string]map[outcome]int
	progress       func(*search)
	tell           func(finding)
	keep           *keeper // nil for nobody
	// enough ends the exploration early, nil never; it is asked after each part of so many runs.
	enough func() bool
	part   int
}

// finding is a broken invariant and the shortest way to it.
type finding struct {
	invariant.Violation
	path   []string
	events []string // of the last step
}

func (f finding) String() string {
	return f.Violation.String() + "\n    " + strings.Join(f.path, "\n    ") + "\n        " + strings.Join(f.events, "\n        ")
}

func newSearch(starts ...*node) *search {
	s := &search{workers: 2, persons: 1, latecomers: true, part: 1000, seen: map[string]bool{}, settled: map[string]bool{}, points: map[string]map[outcome]int{}}
	for _, n := range starts {
		n.key = canonical(n)
		if !s.seen[n.key] {
			s.seen[n.key] = true
			s.frontier = append(s.frontier, n)
			s.worlds++
		}
	}
	return s
}

// job is one thing to do with one world.
type job struct {
	n *node
	s script
}

// batch is how many worlds are explored at a time. It changes nothing but how often progress is shown and kept.
const batch = 16

// explore goes on until there is no new world, or the bound is reached.
func (x *search) explore(t *testing.T) {
	x.fresh = slices.Clone(x.frontier)
	x.settle(t)
	x.frontier = slices.DeleteFunc(x.frontier, x.leaf) // of those that were kept
	for len(x.frontier) > 0 && !x.over() && !t.Failed() {
		some := slices.Clone(x.frontier[:min(batch, len(x.frontier))])
		x.frontier = x.frontier[len(some):]
		// Every world runs undisturbed first: that is where its points are found.
		var jobs []job
		for _, n := range some {
			jobs = append(jobs, job{n, undisturbed})
		}
		first := x.all(t, jobs)
		jobs = nil
		for i, e := range first {
			n := some[i]
			jobs = append(jobs, x.disturbed(n, e)...)
			for _, s := range passages(n) {
				jobs = append(jobs, job{n, s})
			}
			if x.narrow(n) {
				continue
			}
			if n.persons < x.persons {
				for _, s := range acts(n) {
					jobs = append(jobs, job{n, s})
				}
				jobs = append(jobs, interferences(n, e)...)
			}
			if x.crossings > 0 {
				jobs = append(jobs, crossed(n, e, x.crossings, false)...)
			}
		}
		ends := x.all(t, jobs)
		if x.pairs {
			jobs, ends := x.broad(jobs, ends)
			x.second(t, jobs, ends)
		}
		x.commanded(t, some)
		for _, n := range x.fresh {
			if x.leaf(n) {
				some = append(some, n)
			}
		}
		x.settle(t)
		if x.keep != nil && !t.Failed() {
			x.keep.expanded(x, some)
		}
		if x.progress != nil {
			x.progress(x)
		}
	}
}

func (x *search) over() bool {
	return x.runs > 0 && x.played >= x.runs || x.enough != nil && x.enough()
}

// disturbed are the runs in which one thing happens, at every point that the undisturbed run had.
func (x *search) disturbed(n *node, e ending) (out []job) {
	if len(e.points) == 0 {
		return nil
	}
	for i, p := range e.points[0] {
		for _, o := range outcomes(p) {
			if x.narrow(n) && !changes(p, o) || o == muchLater && !x.mayBeLate(n) {
				continue
			}
			if x.skip == nil || !x.skip(p, o) {
				out = append(out, job{n, script{plans: []map[int]outcome{{i: o}}}})
			}
		}
	}
	return out
}

// narrow says whether a world gets less than everything: one in which a person has acted, or in which a request is
// still to be handled. There are twenty times as many of these as of the others. Only what leaves something behind
// happens to a run there, and nobody else acts.
func (x *search) narrow(n *node) bool {
	return !x.everything && (n.persons > 0 || len(n.pending) > 0)
}

// leaf says whether a world is only let come to rest.
func (x *search) leaf(n *node) bool { return x.calm && n.persons > 0 }

// mayBeLate says whether a request may be late by more than a run in a world.
func (x *search) mayBeLate(n *node) bool {
	return x.latecomers && len(n.pending) == 0 && !x.narrow(n)
}

// commanded has an operator ask something of a run, and what leaves something behind happen to that run at every point.
func (x *search) commanded(t *testing.T, nodes []*node) {
	var jobs []job
	for _, n := range nodes {
		if n.persons < x.persons && !x.narrow(n) {
			for _, s := range commands(n) {
				jobs = append(jobs, job{n, s})
			}
		}
	}
	var more []job
	for i, e := range x.all(t, jobs) {
		if len(e.points) == 0 {
			continue
		}
		for k, p := range e.points[0] {
			for _, o := range outcomes(p) {
				if changes(p, o) && (o != muchLater || x.everything && x.mayBeLate(jobs[i].n)) && (x.skip == nil || !x.skip(p, o)) {
					s := jobs[i].s
					s.plans = []map[int]outcome{{k: o}}
					more = append(more, job{jobs[i].n, s})
				}
			}
		}
	}
	x.all(t, more)
}

// broad are the jobs on worlds that get everything.
func (x *search) broad(jobs []job, ends []ending) (j []job, e []ending) {
	for i := range ends {
		if !x.narrow(jobs[i].n) {
			j, e = append(j, jobs[i]), append(e, ends[i])
		}
	}
	return j, e
}

// second goes through the runs that survived what happened to them, and has something else happen later.
func (x *search) second(t *testing.T, jobs []job, ends []ending) {
	var more []job
	for i, e := range ends {
		if len(jobs[i].s.plans) != 1 || len(e.struck) == 0 || len(e.struck[0]) != 1 {
			continue
		}
		one := e.struck[0][0]
		if !slices.Contains(survived(e.points[0][one.N]), one.What) {
			continue
		}
		for k := one.N + 1; k < len(e.points[0]); k++ {
			for _, o := range survived(e.points[0][k]) {
				if o == muchLater && (one.What == muchLater || !x.mayBeLate(jobs[i].n)) {
					continue
				}
				more = append(more, job{jobs[i].n, script{plans: []map[int]outcome{{one.N: one.What, k: o}}}})
			}
		}
	}
	x.all(t, more)
}

// all plays jobs on all workers and takes what came of them in the jobs' order, so that the exploration is the same
// however many workers there are.
func (x *search) all(t *testing.T, jobs []job) []ending {
	if x.runs > 0 && len(jobs) > x.runs-x.played {
		jobs = jobs[:max(0, x.runs-x.played)]
	}
	// In parts, so that what they leave behind is not all in memory at once.
	var ends []ending
	for part := range slices.Chunk(jobs, x.part) {
		if x.enough != nil && x.enough() {
			break
		}
		got := playAll(t, part, x.workers)
		for i := range got {
			x.take(part[i], &got[i])
		}
		ends = append(ends, got...)
	}
	return ends
}

func playAll(t *testing.T, jobs []job, workers int) []ending {
	ends := make([]ending, len(jobs))
	share(t, "runs", workers, len(jobs), func(t *testing.T, i int) { ends[i] = play(t, jobs[i].n, jobs[i].s) })
	return ends
}

// share has workers do n things.
func share(t *testing.T, name string, workers, n int, do func(t *testing.T, i int)) {
	var next atomic.Int64
	t.Run(name, func(t *testing.T) {
		for range workers {
			t.Run("worker", func(t *testing.T) {
				t.Parallel()
				for i := int(next.Add(1)) - 1; i < n && !t.Failed(); i = int(next.Add(1)) - 1 {
					do(t, i)
				}
			})
		}
	})
}

// take notes what came of a job.
func (x *search) take(j job, e *ending) {
	x.played++
	if e.next == nil { // the worker failed
		return
	}
	name := j.s.name
	for _, struck := range e.struck {
		for _, s := range struck {
			if x.points[s.Label] == nil {
				x.points[s.Label] = map[outcome]int{}
			}
			x.points[s.Label][s.What]++
		}
	}
	if len(j.s.plans) > 0 {
		if told := told(e); name == "" || name == undisturbed.name {
			name = told
		} else {
			name += ", " + told
		}
	}
	e.next.step = name
	for _, v := range e.violations {
		x.report(v, e.next, e.events)
	}
	e.events = nil
	if len(e.violations) > 0 || x.seen[e.next.key] {
		return // nothing is learned from what follows a violation
	}
	x.seen[e.next.key] = true
	x.worlds++
	x.fresh = append(x.fresh, e.next)
	if !x.leaf(e.next) {
		x.frontier = append(x.frontier, e.next)
	}
	if x.keep != nil {
		x.keep.found(e.next)
	}
}

// told is how a run went, for a person.
func told(e *ending) string {
	var parts []string
	for i, struck := range e.struck {
		part := "run"
		if len(e.struck) > 1 {
			part = fmt.Sprintf("run %d", i+1)
		}
		for _, s := range struck {
			part += " " + s.String()
		}
		parts = append(parts, part)
	}
	for _, r := range e.results {
		parts = append(parts, fmt.Sprintf("= %s %s", r.Kind, r.Code))
	}
	return strings.Join(parts, ", ")
}

// maxFound is how many ways to break one invariant are kept.
const maxFound = 3

func (x *search) report(v invariant.Violation, at *node, events []invariant.Event) {
	same := 0
	for _, f := range x.found {
		if f.Invariant == v.Invariant {
			same++
		}
	}
	if same < maxFound {
		f := finding{v, at.path(), listed(events)}
		x.found = append(x.found, f)
		if x.tell != nil {
			x.tell(f)
		}
	}
}

// settle lets every new world have calm runs until nothing is left to do, and asks what must hold then.
func (x *search) settle(t *testing.T) {
	fresh := x.fresh
	x.fresh = nil
	type calm struct {
		chain  []string
		broken []invariant.Violation
		played int
	}
	calms := make([]calm, len(fresh))
	known := maps.Clone(x.settled)
	share(t, "settle", x.workers, len(fresh), func(t *testing.T, i int) {
		c := &calms[i]
		c.chain, c.broken, c.played = calmDown(t, fresh[i], known)
	})
	for i, n := range fresh {
		x.played += calms[i].played
		for _, v := range calms[i].broken {
			x.report(v, &node{from: n, step: "then in calm: " + strings.Join(calms[i].chain, "; ")}, nil)
		}
		if len(calms[i].broken) == 0 {
			x.settled[n.key] = true
		}
	}
}

// calmRuns bounds how many runs it may take until nothing is left to do.
const calmRuns = 12

// calmDown runs the product as a schedule would until it has nothing left to do, and then once more.
func calmDown(t *testing.T, n *node, known map[string]bool) (chain []string, broken []invariant.Violation, played int) {
	at := n
	for range calmRuns {
		if known[at.key] {
			return chain, nil, played
		}
		e := play(t, at, undisturbed)
		played++
		chain = append(chain, told(&e))
		if len(e.violations) > 0 || e.next == nil {
			return chain, e.violations, played
		}
		at = e.next
		if len(e.results) == 0 {
			continue
		}
		r := e.results[0]
		wait := time.Hour
		switch {
		case len(at.pending) > 0:
			wait = at.pending[0].due.Sub(at.at) + justAfter
		case r.Failed == "" && (r.Kind == rotation.Done || r.Kind == rotation.Hold):
			if lag := listLag(at); lag > 0 {
				// What was done a moment ago may be done once more, to no effect.
				at = play(t, at, script{until: lag}).next
			}
			if end := at.elevatedUntil(); !end.IsZero() {
				at = play(t, at, script{until: end.Sub(at.at) + time.Minute, sweeps: true}).next
			}
			last := play(t, at, undisturbed)
			played++
			chain = append(chain, told(&last))
			if w := last.results; len(w) == 1 && w[0].Kind == rotation.Wait && w[0].Failed == "" && len(last.violations) == 0 {
				at = last.next // it has found something more to wait for
				continue
			}
			if n.persons > 0 && tells(last.events) {
				at = last.next // a person had broken a consumer under its mark: who found out has mended it
				continue
			}
			h := &invariant.History{Promises: []invariant.Promise{last.next.promise}, Events: last.events, Held: last.next.held, Excused: last.next.excused, Now: last.next.at, State: &last.next.state}
			broken = append(last.violations, invariant.Check(h, invariant.Settled)...)
			if w := last.results; len(w) == 1 && w[0].Kind == rotation.Hold && !n.mayHold {
				broken = append(broken, invariant.Violation{Invariant: invariant.Converged.Name, What: "held (" + w[0].Code + "), and nobody has done anything that a person must decide on"})
			}
			return chain, broken, played
		case r.Until.After(at.at):
			wait = r.Until.Sub(at.at) + justAfter
		}
		e = play(t, at, script{until: wait})
		chain = append(chain, "+"+wait.String())
		if len(e.violations) > 0 {
			return chain, e.violations, played
		}
		at = e.next
	}
	return chain, []invariant.Violation{{Invariant: invariant.Converged.Name, What: fmt.Sprintf("still not settled after %d runs", calmRuns)}}, played
}

// tells says whether anybody was told anything.
func tells(events []invariant.Event) bool {
	return slices.ContainsFunc(events, func(e invariant.Event) bool { return e.Entry != nil && e.Entry.Effect == "tell" })
}

// listed is what happened, one line each.
func listed(events []invariant.Event) (out []string) {
	for _, e := range events {
		switch {
		case e.Call != nil:
			c := e.Call
			line := fmt.Sprintf("%s %d: %s %d", c.At.Format("15:04:05"), e.Process, c.Operation, c.Status)
			if !c.Heard {
				line += " unheard"
			}
			out = append(out, strings.TrimRight(line+" "+c.Token, " "))
		case e.Entry != nil:
			out = append(out, fmt.Sprintf("%s %d: ledger %s %s %s: %s", e.Entry.Time.Format("15:04:05"), e.Process, e.Entry.Effect, e.Entry.Phase, e.Entry.IssuerID, e.Entry.Reason))
		}
	}
	return out
}

// listLag is how long lists may show what was.
func listLag(n *node) time.Duration {
	k := n.state.Knobs
	return time.Duration(max(k.DevOps.ListLag, k.KeyVault.ListLag))
}
