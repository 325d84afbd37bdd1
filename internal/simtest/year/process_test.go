package year

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
)

// process is one run of the product.
type process struct {
	y    *year
	id   int
	lane lane
	slow time.Duration // the most that a call takes
	ed   *edition
	rng  *rand.Rand
	skew time.Duration // of its clock
	calm bool          // nothing goes wrong

	ctx  context.Context
	kill context.CancelFunc

	mu      sync.Mutex
	dead    bool
	began   time.Time
	quiet   quiet
	struck  map[int]bool // credentials that something happened to
	misled  bool         // it was told a wrong date
	shared  bool         // something happened to what all of them need
	touched map[*life]bool
	read    map[*life]time.Time // when it last read the secret
	late    int                 // requests that are yet to be handled
	ended   bool
	kept    bytes.Buffer // the ledger
	logged  bytes.Buffer
}

var (
	errDied = errors.New("the process has died")
	errDisk = errors.New("no space left on device")
)

// process makes the next run. The year is locked.
func (y *year) process(l lane, slow time.Duration, calm bool) *process {
	y.processes++
	p := &process{y: y, id: y.processes, lane: l, slow: slow, ed: y.edition(), rng: rand.New(rand.NewPCG(y.seed, 1000+uint64(y.processes))), calm: calm, began: time.Now(),
		quiet: quiet{}, struck: map[int]bool{}, touched: map[*life]bool{}, read: map[*life]time.Time{}}
	p.ctx, p.kill = context.WithCancel(context.Background())
	if !calm && p.rng.IntN(10) == 0 {
		p.skew = between(p.rng, time.Minute, 9*time.Hour)
		if p.rng.IntN(2) == 0 {
			p.skew = -p.skew
		}
		y.stats.fault("clock skew")
	}
	return p
}

// now is the process's clock. It has no monotonic reading, which package explore looks at.
func (p *process) now() time.Time { return time.Now().Round(0).Add(p.skew) }

// die ends the process: nothing that it still does has an effect.
func (p *process) die() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	p.kill()
	return errDied
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// harm notes that something was done to the process on purpose, at a call that is about a credential or, nil, all.
func (p *process) harm(what string, l *life) {
	p.mu.Lock()
	if l == nil {
		p.shared = true
	} else {
		p.struck[l.n] = true
	}
	p.mu.Unlock()
	p.y.mu.Lock()
	p.y.stats.fault(what)
	p.y.mu.Unlock()
}

// random is the engine's.
func (p *process) random(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range b {
		b[i] = byte(p.rng.Uint32())
	}
}

// Append implements ledger.Log.
func (p *process) Append(e ledger.Entry) error {
	if p.isDead() {
		return errDied
	}
	p.lane.until(time.Now())
	l := p.y.book.lives[p.ed.byName[e.Credential]]
	o := p.y.weather.disk(p)
	if o == "" && !p.calm {
		o = p.chance("ledger", true)
	}
	if o != "" {
		p.harm("ledger "+string(o), l)
	}
	switch o {
	case crashBefore:
		return p.die()
	case refused:
		p.entry(l, e, true)
		return errDisk
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	p.kept.Write(append(b, '\n'))
	p.entry(l, e, o == unsynced)
	switch o {
	case unsynced:
		return errDisk
	case crashAfter:
		return p.die()
	case suspended:
		p.sleep()
	}
	return nil
}

func (p *process) entry(l *life, e ledger.Entry, refused bool) {
	p.y.mu.Lock()
	defer p.y.mu.Unlock()
	l.history.Events = append(l.history.Events, invariant.Event{Process: p.id, Entry: &invariant.Entry{Entry: e, Refused: refused}})
	p.touched[l] = true
	p.y.event(l, "%d ledger %s %s %s refused=%t", p.id, e.Effect, e.Phase, e.Target, refused)
}

// maxSkew is how far dates may be from the truth before nothing irreversible is done.
const maxSkew = 5 * time.Minute

// promise is what its manifest promises of a credential; of who was told a wrong date, short of what that may cost.
func (p *process) promise(l *life) invariant.Promise {
	x := p.ed.promises[l.n]
	if p.misled {
		x.Overlap -= maxSkew
		x.Window -= maxSkew
		x.Consumers = slices.Clone(x.Consumers)
		for i := range x.Consumers {
			x.Consumers[i].Cache -= maxSkew
		}
	}
	return x
}

// sleep is a machine that is suspended.
func (p *process) sleep() {
	p.lane.until(time.Now().Add(between(p.rng, 2*time.Minute, 12*time.Hour)))
}

// run runs the product once over all credentials, or over one that a person names, to its end or its death.
func (p *process) run(command rotation.Command, names ...string) []engine.Result {
	defer p.kill()
	log := p.log()
	a, err := p.app(log)
	if err != nil {
		panic(err)
	}
	creds, err := a.Credentials(names...)
	if err != nil {
		panic(err)
	}
	for i := range creds {
		creds[i].Spec.Command = command
	}
	e := engine.New(engine.Config{Ledger: p, Log: log, MaxWait: 5 * time.Minute, Parallel: 1, Interval: p.ed.manifest.Schedule, Random: p.random, Now: p.now})
	results := e.Run(p.ctx, creds)
	doc := report.NewRun("apply", e.RunID(), results)
	if len(names) == 0 {
		doc.AddStrangers(e.Strangers(creds))
	}
	p.end(results, doc)
	return results
}

// log is at the most verbose level, to be searched for secrets.
func (p *process) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(&p.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (p *process) app(log *slog.Logger) (*app.App, error) {
	return app.New(app.Config{Manifest: p.ed.manifest, Transport: p, Log: log, Getenv: func(name string) string {
		if name == "REKEY_CLIENT_SECRET" {
			return secretRekey
		}
		return ""
	}})
}

// end judges what came of the run and lets go of what it left behind.
func (p *process) end(results []engine.Result, doc report.Run) {
	y := p.y
	p.lane.until(time.Now())
	w := y.srv.World()
	w.Lock()
	defer w.Unlock()
	y.mu.Lock()
	defer y.mu.Unlock()
	now := w.Now()
	y.stats.runs++
	p.ended = true
	if p.dead {
		y.stats.killed++
	} else {
		raw, _ := json.Marshal(doc)
		y.keep("result", string(raw))
	}
	y.keep("ledger", p.kept.String())
	y.keep("log", p.logged.String())
	for _, r := range results {
		l := y.book.lives[p.ed.byName[string(r.Spec.Name)]]
		res := shown(r)
		if !p.dead {
			l.result = res
		}
		calm := !p.shared && !p.struck[l.n] && !p.dead && len(results) > 1
		if p.lane <= replicaB && (!calm || !p.ed.enabled[l.n] || l.calmSince[p.lane].IsZero()) {
			l.calmSince[p.lane] = now
		}
		ended := invariant.Event{Process: p.id, Ended: &invariant.Ended{At: now, Killed: p.dead, Results: []invariant.Result{res}}}
		if p.touched[l] {
			l.history.Events = append(l.history.Events, ended)
			y.look(l, p.ed.promises[l.n])
			y.report(l, invariant.Pairs.Check(&l.history))
			if p.late > 0 { // a request of it is yet to be judged by what it saw
				l.history.Events = l.history.Events[:len(l.history.Events)-1]
			}
		}
		if !p.dead {
			y.concluded(p, l, res, calm, now)
		}
	}
	p.drop()
}

// concluded is what follows from how a credential ended.
func (y *year) concluded(p *process, l *life, r invariant.Result, calm bool, now time.Time) {
	line := fmt.Sprintf("%s %s", r.Kind, r.Code)
	if r.Failed != "" {
		line = "failed: " + r.Failed
	}
	y.hash(fmt.Sprintf("%s %d %s ends with %s", y.at(), p.id, l.promise().Credential, line))
	if r.Code != "current" && r.Code != "overlap" {
		l.tell(fmt.Sprintf("%s %d ends with %s", y.at(), p.id, line))
	}
	if r.Kind == rotation.Hold && r.Failed == "" {
		y.stats.hold(r.Code)
		if l.held.IsZero() {
			l.held = now
		}
		y.people.mail(l, r, p.rng)
		return
	}
	l.held = time.Time{}
	if r.Failed != "" || !p.ed.enabled[l.n] {
		return
	}
	if r.Kind == rotation.Done {
		l.reached = now
	}
	if !calm {
		return
	}
	// A run that began when it was due, and could have replaced it, counts against a token that expires.
	if h := l.holder(); h != nil && !p.began.Before(p.ed.promises[l.n].DueAt(h.ValidFrom, h.ValidTo)) {
		l.history.Events = append(l.history.Events, invariant.Event{Ended: &invariant.Ended{At: now, Calm: true}})
	}
	y.mended(p, l, line, now)
}

// mended holds if what does not work any more is noticed within a day: the daily census falls into one of a replica's
// runs, whatever that is. The year is locked.
func (y *year) mended(p *process, l *life, line string, now time.Time) {
	if p.lane > replicaB || !recorded(l, now) || now.Sub(l.calmSince[p.lane]) < 26*time.Hour+2*y.every {
		return
	}
	if h := l.holder(); h != nil && !alive(h, now.Add(-26*time.Hour-2*y.every)) {
		y.report(l, []invariant.Violation{{Invariant: "mended", What: fmt.Sprintf("%s: nothing was done to a replica's runs for over a day, and this one ends with %s although the value does not work since %s", l.promise().Target, line, dead(h).Format(time.DateTime))}})
	}
}

// drop forgets the process once nothing of it can come any more. The year is locked.
func (p *process) drop() {
	if p.ended && p.late == 0 {
		for l := range p.touched {
			l.forget(p.id)
		}
		clear(p.touched)
	}
}

func shown(r engine.Result) invariant.Result {
	x := invariant.Result{Credential: r.Spec.Name, Kind: r.Decision.Kind, Code: r.Decision.Code, Do: r.Decision.Do, Until: r.Decision.Until}
	if r.Err != nil {
		x.Failed = strings.ReplaceAll(r.Err.Error(), "\n", " ")
	}
	return x
}
