package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// bed is what a scenario is played on: a world, a consumer that watches it, and machines that run the product.
type bed struct {
	*testing.T
	sim      *sim.Server
	dir      string
	manifest settings
	consumer *consumer
	// home is the machine that runs everything which no other one is named for.
	home *machine

	mu      sync.Mutex
	outputs []string // of every run, for the search for secrets
	running int
	lastRun time.Time
	// killed is how many runs ended without being asked: each may leave one effect without an end in the ledger.
	killed     int
	bystanders map[string]world.PAT
	// heldAlready says that a consumer is not changed by what it holds already, and counts as told.
	heldAlready bool
	// receiver is of a webhook's events, nil if there is none.
	receiver *receiver
	// issued are an application's client secrets as they were last seen, for one that is removed is nowhere any more.
	issued map[string]world.PAT
}

// play runs a scenario in a bubble of its own, and then everything that holds of each scenario.
func play(t *testing.T, scenario func(b *bed)) {
	playIn(t, nil, scenario)
}

// playIn is play in a world that was changed before it began.
func playIn(t *testing.T, change func(*world.State), scenario func(b *bed)) {
	t.Helper()
	t.Parallel()
	stage(t, usual(), change, scenario)
}

// playNow is play for a test that others wait for.
func playNow(t *testing.T, scenario func(b *bed)) {
	t.Helper()
	stage(t, usual(), nil, scenario)
}

func stage(t *testing.T, manifest settings, change func(*world.State), scenario func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		state := theWorld()
		if change != nil {
			change(&state)
		}
		s, err := sim.New(sim.Config{State: state})
		if err != nil {
			t.Fatal(err)
		}
		b := &bed{T: t, sim: s, dir: t.TempDir(), manifest: manifest, bystanders: map[string]world.PAT{}, issued: map[string]world.PAT{}}
		for _, p := range b.pats() {
			b.bystanders[p.AuthorizationID] = p
		}
		b.home = b.machine()
		b.consumer = watch(b)
		b.write(nil)
		func() {
			// Also after a Fatal, which ends this goroutine, the consumer has to leave the bubble.
			defer b.consumer.stop()
			scenario(b)
		}()
		b.always()
	})
}

// write changes the manifest.
func (b *bed) write(change func(*settings)) {
	b.Helper()
	if change != nil {
		change(&b.manifest)
	}
	if err := os.WriteFile(b.file(), []byte(b.manifest.yaml()), 0o600); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) file() string   { return filepath.Join(b.dir, "rekey.yaml") }
func (b *bed) ledger() string { return filepath.Join(b.dir, "ledger", ledger.File) }

// pass lets time go by.
func (b *bed) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// passUntil lets time go by until a stated one.
func (b *bed) passUntil(at time.Time) {
	if d := time.Until(at); d >= 0 {
		b.pass(d + time.Second)
	}
}

// world calls f with the world locked.
func (b *bed) world(f func(w *world.World)) {
	w := b.sim.World()
	w.Lock()
	defer w.Unlock()
	f(w)
}

// faults sets faults that hit the product alone.
func (b *bed) faults(fs ...sim.Fault) {
	b.Helper()
	for i := range fs {
		fs[i].Agent = agent
	}
	if err := b.sim.SetFaults(fs...); err != nil {
		b.Fatal(err)
	}
}

// struck fails the test if a fault that was set did not happen: such a scenario would show nothing.
func (b *bed) struck() {
	b.Helper()
	for _, f := range b.sim.Faults() {
		if f.Hit == 0 {
			b.Errorf("the fault %s on %s %s did not strike", f.Do, f.Service, f.Operation)
		}
	}
	b.sim.ClearFaults()
}

// run is one run of the product at home.
func (b *bed) run(args ...string) outcome {
	b.Helper()
	return b.home.run(context.Background(), args...)
}

// apply runs apply.
func (b *bed) apply(args ...string) outcome {
	b.Helper()
	return b.run(append([]string{"apply"}, args...)...)
}

// outcome is what came of a run.
type outcome struct {
	b        *bed
	args     []string
	code     int
	out, err string
	doc      report.Run
	killed   bool
}

// cred is the one credential's part.
func (o outcome) cred() report.Credential {
	if len(o.doc.Credentials) == 0 {
		return report.Credential{}
	}
	return o.doc.Credentials[0]
}

func (o outcome) String() string {
	c := o.cred()
	s := fmt.Sprintf("%s: exit %d, %s %s: %s", strings.Join(o.args, " "), o.code, c.Outcome, c.Code, c.Why)
	if c.Error != nil {
		s += "; error: " + c.Error.Text + "; hint: " + c.Error.Hint
	}
	return s
}

// is fails the test unless the run ended with this outcome and code, and the exit code that belongs to it.
func (o outcome) is(what, code string) outcome {
	o.b.Helper()
	exit := map[string]int{report.Done: cli.ExitDone, report.Waiting: cli.ExitDone, report.Held: cli.ExitPerson, report.Failed: cli.ExitFailed}[what]
	c := o.cred()
	if o.code != exit || c.Outcome != what || code != "" && c.Code != code {
		o.b.Errorf("%v\nwant exit %d, %s %s\nstderr:\n%s", o, exit, what, code, o.err)
	}
	switch what {
	case report.Held:
		if c.Do == "" {
			o.b.Errorf("a Hold that does not say what a person must do: %v", o)
		}
	case report.Waiting:
		if !c.Next.After(time.Now().Add(-time.Second)) {
			o.b.Errorf("a wait until %v, which is not ahead: %v", c.Next, o)
		}
	}
	return o
}

// did fails the test unless the run had exactly these effects, in order; proofs of write access are left out.
func (o outcome) did(effects ...string) outcome {
	o.b.Helper()
	var got []string
	for _, e := range o.cred().Effects {
		if e.Effect != "prove" {
			got = append(got, strings.TrimSuffix(e.Effect+" "+e.Outcome, " done"))
		}
	}
	if !slices.Equal(got, effects) {
		o.b.Errorf("%v\ndid %q, want %q\nstderr:\n%s", o, got, effects, o.err)
	}
	return o
}

// machine is a place that the product runs on, with its own network.
type machine struct {
	b    *bed
	hook *hooks
}

func (b *bed) machine() *machine { return &machine{b, &hooks{}} }

// run is one run of the product on this machine.
func (m *machine) run(ctx context.Context, args ...string) outcome {
	b := m.b
	b.Helper()
	b.mu.Lock()
	b.running++
	b.lastRun = time.Now()
	b.mu.Unlock()
	b.consumer.wake()
	before := b.written()

	var stdout, stderr buffer
	o := outcome{b: b, args: args, killed: true}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		network := &network{inner: b.internet(), hooks: m.hook, stop: stop}
		env := cli.Env{
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Transport: network, Version: "v0.0.0-test",
			Getenv: func(name string) string {
				return map[string]string{"REKEY_CLIENT_SECRET": secretRekey, "BROKER_CLIENT_SECRET": secretBroker}[name]
			},
		}
		o.code = cli.Main(ctx, env, append(slices.Clone(args), b.evidence(args, "--json", "--verbose", "-f", b.file())...))
		o.killed = network.killed()
	}()
	<-ended
	o.out, o.err = stdout.String(), stderr.String()
	b.mu.Lock()
	b.running--
	b.lastRun = time.Now()
	b.outputs = append(b.outputs, o.out, o.err)
	if o.killed {
		b.killed++
	}
	b.mu.Unlock()
	if o.killed {
		b.unwritten(before)
	}
	if !o.killed && strings.HasPrefix(strings.TrimSpace(o.out), "{") {
		if err := json.Unmarshal([]byte(o.out), &o.doc); err != nil {
			b.Errorf("%s: stdout is not one JSON document: %v", args, err)
		}
	}
	b.Logf("%s  %v", time.Now().Format("01-02 15:04:05"), o)
	return o
}

// buffer is an output that several goroutines write to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *buffer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *buffer) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}
