package explore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// step is something that happened at a point.
type step struct {
	N     int
	Label string
	What  outcome
}

func (s step) String() string { return fmt.Sprintf("%s#%d:%s", s.Label, s.N, s.What) }

// script is what is to be done with a world: a person acts, or time passes, or runs of the product.
type script struct {
	name    string
	persons bool // a person acted in it
	act     func(*world.State, time.Time) map[string]string
	until   time.Duration // how much time passes
	// plans are one run of the product each, all at once.
	plans []map[int]outcome
	// order says whose turn it is at each call where there are several: an index into plans, the last one for ever.
	order []int
	set   func(*engine.Credential)
	// watched has a consumer beside it all; it is given the consumer and gives what is to be done at the end.
	watched func(*reader) func()
	// during is done by a person at a point of the first run.
	during map[int]deed
	// sweeps has what is past its stated end be ended, as a schedule does.
	sweeps bool
}

// undisturbed is a run to which nothing happens.
var undisturbed = script{name: "run", plans: []map[int]outcome{nil}}

// ending is what came of a script.
type ending struct {
	next       *node
	violations []invariant.Violation
	points     [][]point
	struck     [][]step
	results    []invariant.Result // of the first run
	events     []invariant.Event
}

// run is a script being played.
type run struct {
	*testing.T
	manifest *manifest.Manifest
	srv      *sim.Server
	rec      *invariant.Recorder
	rng      *rand.Rand
	rngMu    sync.Mutex
	procs    []*process
	turns    *turns
	script   script
	consumer *reader
	others   int // runs that overtook one
	acted    int // point up to which a person has acted
	judged   time.Time

	mu         sync.Mutex
	pending    []*pending
	violations []invariant.Violation
	seen       map[string]bool
}

// pending is a request that its process gave up on and that is yet to be handled.
type pending struct {
	due   time.Time
	label string
	req   *http.Request
	body  []byte
	token string
	who   world.Token
	from  int // process

	timer *time.Timer
	done  bool
}

func (p *pending) request() *http.Request {
	r := p.req.Clone(context.Background())
	r.Body = io.NopCloser(bytes.NewReader(p.body))
	return r
}

// play plays a script in a bubble of its own and gives the world that it leads to.
func play(t *testing.T, n *node, s script) (e ending) {
	synctest.Test(t, func(t *testing.T) {
		e = playHere(t, n, s)
	})
	return e
}

func playHere(t *testing.T, n *node, s script) ending {
	// A second later: what happened last in the world is over.
	pause(time.Until(n.at.Add(time.Second)))
	state := n.state.Clone()
	state.Seed = n.state.Seed*16777619 + 1 // ids that the world has not seen
	srv, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	h := &invariant.History{Promises: []invariant.Promise{n.promise}, Foreign: n.foreign, Excused: map[string]string{}, LastCalm: n.lastCalm, Texts: map[string]string{}}
	h.Held = n.held
	h.Held = h.Lately(n.at)
	for id, why := range n.excused {
		h.Excused[id] = why
	}
	r := &run{T: t, manifest: n.manifest, srv: srv, rec: invariant.NewRecorder(srv, h), script: s, seen: map[string]bool{},
		rng: rand.New(rand.NewPCG(uint64(state.Seed), 7))}
	if s.watched != nil {
		r.consumer = watch(srv)
		defer s.watched(r.consumer)()
		defer r.keepPolling()()
	}
	for _, p := range n.pending {
		q := *p
		r.arm(&q)
	}
	if s.act != nil {
		r.person(s.act)
	}
	if s.until > 0 {
		pause(s.until)
	}
	out := ending{next: &node{from: n, manifest: n.manifest, promise: n.promise, foreign: n.foreign, persons: n.persons, mayHold: n.mayHold || s.persons, lastCalm: n.lastCalm, excused: h.Excused}}
	if s.persons {
		out.next.persons++
	}
	if s.sweeps {
		r.sweep()
	}
	calm := s.act == nil && len(s.plans) == 1 && len(s.plans[0]) == 0 && len(s.during) == 0 && s.set == nil
	if len(s.plans) > 0 {
		results := r.runs()
		for i, p := range r.procs {
			end := &invariant.Ended{At: time.Now(), Calm: calm, Killed: p.dead, Results: shown(results[i])}
			if !p.dead {
				raw, _ := json.Marshal(end.Results)
				h.Texts["result"] += string(raw)
				for _, res := range results[i] {
					h.Texts["result"] += fmt.Sprintf("%+v %v\n", res.Decision, res.Err)
				}
			}
			r.rec.Add(invariant.Event{Process: p.id, Ended: end})
			h.Texts[fmt.Sprintf("ledger of process %d", p.id)] = p.kept.String()
			h.Texts[fmt.Sprintf("log of process %d", p.id)] = p.logged.String()
			out.points, out.struck = append(out.points, p.points), append(out.struck, p.struck)
			if i == 0 {
				out.results = end.Results
			}
		}
	}
	synctest.Wait()
	r.judge(true)
	requests, _ := json.Marshal(srv.Requests())
	h.Texts["request log"] = string(requests)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pending {
		if !p.done && p.timer.Stop() {
			out.next.pending = append(out.next.pending, p)
		}
	}
	r.rec.With(func(h *invariant.History) {
		if calm {
			for _, res := range out.results {
				if res.Failed == "" && res.Kind != rotation.Hold {
					out.next.lastCalm = h.Now
				}
			}
		}
		h.Secrets = srv.World().Secrets()
		r.violations = append(r.violations, invariant.Check(h, invariant.AtEnd)...)
		out.next.state, out.next.at, out.next.held = h.State.Clone(), h.Now, slices.Clone(h.Held)
		out.events = h.Events
	})
	out.violations = r.violations
	out.next.key = canonical(out.next)
	return out
}

func shown(results []engine.Result) (out []invariant.Result) {
	for _, r := range results {
		x := invariant.Result{Credential: r.Spec.Name, Kind: r.Decision.Kind, Code: r.Decision.Code, Do: r.Decision.Do, Until: r.Decision.Until}
		if r.Err != nil {
			x.Failed = r.Err.Error()
		}
		out = append(out, x)
	}
	return out
}

// runs starts all processes at once and waits until they have ended.
func (r *run) runs() [][]engine.Result {
	r.turns = newTurns(r.script.order, len(r.script.plans))
	results := make([][]engine.Result, len(r.script.plans))
	for i, plan := range r.script.plans {
		ctx, kill := context.WithCancel(context.Background())
		r.procs = append(r.procs, &process{run: r, id: i + 1, plan: plan, ctx: ctx, kill: kill, down: map[string]bool{}})
	}
	var wg sync.WaitGroup
	for i, p := range r.procs {
		wg.Go(func() {
			defer p.kill()
			defer r.turns.leave(i)
			results[i] = p.goOn(r.script.set)
		})
	}
	wg.Wait()
	return results
}

// overtake suspends a process. When the sweep window of what it may have issued is over, another run comes and goes.
func (r *run) overtake(p *process) {
	r.turns.leave(p.id - 1)
	defer r.turns.comeBack(p.id - 1)
	pause(promise.Window + time.Minute)
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	r.mu.Lock()
	r.others++
	other := &process{run: r, id: 100 + r.others, ctx: ctx, kill: kill, down: map[string]bool{}}
	r.mu.Unlock()
	results := other.goOn(nil)
	r.rec.Add(invariant.Event{Process: other.id, Ended: &invariant.Ended{At: time.Now(), Results: shown(results)}})
	pause(promise.Window + time.Minute)
	p.slept()
}

// turn waits until it is the process's turn, where several run.
func (r *run) turn(p *process) {
	if p.id > 100 {
		return // alone while the others sleep
	}
	r.turns.wait(p.id-1, p.ctx)
	if p.id == 1 && r.script.during != nil {
		p.mu.Lock()
		n := len(p.points)
		p.mu.Unlock()
		if d, due := r.script.during[n]; due && n >= r.acted {
			r.acted = n + 1
			r.person(func(s *world.State, now time.Time) map[string]string {
				if !d.can(s) {
					return nil
				}
				return d.do(s, now)
			})
		}
	}
}

// person changes the world as somebody at a keyboard does.
func (r *run) person(act func(*world.State, time.Time) map[string]string) {
	w := r.srv.World()
	var excused map[string]string
	w.Lock()
	excused = act(&w.State, w.Now())
	w.Unlock()
	r.rec.With(func(h *invariant.History) {
		for id, why := range excused {
			if h.Excused[id] = why; why == "" {
				delete(h.Excused, id)
			}
		}
	})
	r.judge(true)
}

// keepPolling has the consumer look every few minutes, and after each effect, until it is told to stop.
func (r *run) keepPolling() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(4 * time.Minute)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.consumer.poll()
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

// judge asks the checkers that hold after every effect. What held before a read holds after it, unless time has gone by.
func (r *run) judge(effect bool) {
	if r.consumer != nil {
		r.consumer.poll()
	}
	r.rec.With(func(h *invariant.History) {
		if !effect && h.Now.Equal(r.judged) {
			return
		}
		r.judged = h.Now
		for _, v := range invariant.Check(h, invariant.Always) {
			key := v.Invariant + strings.Join(strings.Fields(v.What)[:1], "")
			r.mu.Lock()
			if !r.seen[key] {
				r.seen[key] = true
				r.violations = append(r.violations, v)
			}
			r.mu.Unlock()
		}
	})
}

// leaveBehind has a request handled later.
func (r *run) leaveBehind(p *process, req *http.Request, after time.Duration) {
	body := []byte(nil)
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.rec.GaveUp(p.id, req)
	_, raw, _ := strings.Cut(req.Header.Get("Authorization"), "Bearer ")
	q := &pending{due: time.Now().Add(after), label: invariant.Operation(req), req: req.Clone(context.Background()), body: body, token: raw, from: p.id}
	w := r.srv.World()
	w.Lock()
	q.who, _ = w.TokenOf(raw)
	w.Unlock()
	r.arm(q)
}

func (r *run) arm(q *pending) {
	w := r.srv.World()
	w.Lock()
	w.AddToken(q.token, q.who)
	w.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(r.pending, q)
	q.done = false
	q.timer = time.AfterFunc(time.Until(q.due), func() {
		r.mu.Lock()
		q.done = true
		r.mu.Unlock()
		call, _, _ := r.rec.Send(q.from, q.due, q.request())
		r.rec.With(func(*invariant.History) { call.Late, call.Heard = true, false })
		r.judge(true)
	})
}

// random is the engine's, the same for the same world.
func (r *run) random(b []byte) {
	r.rngMu.Lock()
	defer r.rngMu.Unlock()
	for i := range b {
		b[i] = byte(r.rng.Uint32())
	}
}
