package scenario

import (
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
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	batchUser     = "svc-batch@contoso.onmicrosoft.com"
	batchPassword = "svc-batch-password"
)

const batchManifest = `version: 1
tenant: contoso.onmicrosoft.com
identity:
  clientSecret: {clientId: ` + rekeyClient + `, env: REKEY_CLIENT_SECRET}
concurrency: external
vaults:
  rekey: {name: kv-rekey}
schedule: 6h
ledger: ./ledger
credentials:
  batch-password:
    serviceAccount:
      user: ` + batchUser + `
      clientId: 2bfcc342-eb74-4427-832c-db82f28995f4
      adopt: true
    lifetime: 6d
    rotateBefore: 2d
    store: {vault: rekey, secret: ` + batchPassword + `}
`

// slotBed is what a scenario of a service account's password is played on: a world, and somebody who looks at every
// instant whether the password is in one of the two secrets, and for how long the published one does not work.
type slotBed struct {
	*testing.T
	sim *sim.Server
	dir string

	mu      sync.Mutex
	since   time.Time       // since when the published password does not work; zero if it does
	gaps    []time.Duration // that are over
	excused bool            // somebody else sets passwords
	printed strings.Builder
	stop    chan struct{}
}

func playSlot(t *testing.T, change func(*world.State), scenario func(b *slotBed)) {
	t.Helper()
	t.Parallel()
	playSlotNow(t, change, scenario)
}

// playSlotNow is playSlot for a test that others wait for.
func playSlotNow(t *testing.T, change func(*world.State), scenario func(b *slotBed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		state := theWorld()
		for _, a := range state.Apps {
			if a.ClientID == rekeyClient {
				a.ApplicationPermissions = []string{"User.Read.All", "User-PasswordProfile.ReadWrite.All"}
			}
		}
		if change != nil {
			change(&state)
		}
		s, err := sim.New(sim.Config{State: state})
		if err != nil {
			t.Fatal(err)
		}
		b := &slotBed{T: t, sim: s, dir: t.TempDir(), stop: make(chan struct{})}
		if err := os.WriteFile(filepath.Join(b.dir, "rekey.yaml"), []byte(batchManifest), 0o600); err != nil {
			t.Fatal(err)
		}
		watching := make(chan struct{})
		go func() {
			defer close(watching)
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					b.look()
				case <-b.stop:
					return
				}
			}
		}()
		func() {
			defer func() { close(b.stop); <-watching }()
			scenario(b)
		}()
		b.always()
	})
}

// look takes note of how things are.
func (b *slotBed) look() {
	w := b.sim.World()
	w.Lock()
	password, published, pending := b.held(w)
	now := w.Now()
	w.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if password != published && password != pending && !b.excused {
		b.Errorf("%s: the account's password is in neither secret", now.Format("01-02 15:04:05"))
	}
	switch works := password == published; {
	case !works && b.since.IsZero():
		b.since = now
	case works && !b.since.IsZero():
		b.gaps = append(b.gaps, now.Sub(b.since))
		b.since = time.Time{}
	}
}

// held is what there is: the account's password, the published one and the prepared one. Locked.
func (b *slotBed) held(w *world.World) (password, published, pending string) {
	for _, u := range w.Users {
		if u.UPN == batchUser {
			password = u.Password
		}
	}
	newest := func(name string) string {
		s := secretOf(vaultOf(w, "kv-rekey"), name)
		if s == nil {
			return ""
		}
		return s.Versions[len(s.Versions)-1].Value
	}
	return password, newest(batchPassword), newest(batchPassword + rotation.PendingSuffix)
}

// password is the account's.
func (b *slotBed) password() string {
	w := b.sim.World()
	w.Lock()
	defer w.Unlock()
	password, _, _ := b.held(w)
	return password
}

func (b *slotBed) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// slotRun is what came of a run.
type slotRun struct {
	code   int
	cred   report.Credential
	killed bool
	err    string
}

func (r slotRun) String() string {
	s := fmt.Sprintf("exit %d, %s %s: %s", r.code, r.cred.Outcome, r.cred.Code, r.cred.Why)
	if r.cred.Error != nil {
		s += "; " + r.cred.Error.Text
	}
	return s
}

// run is one run of the product, whose calls hooks see.
func (b *slotBed) run(h *hooks, args ...string) slotRun {
	b.Helper()
	var stdout, stderr buffer
	r := slotRun{killed: true}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		network := &network{inner: b.sim.Transport(), hooks: h, stop: stop}
		env := cli.Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Transport: network, Version: "v0.0.0-test",
			Getenv: func(name string) string {
				if name == "REKEY_CLIENT_SECRET" {
					return secretRekey
				}
				return ""
			}}
		r.code = cli.Main(ctx, env, append(slices.Clone(args), "--json", "--verbose", "-f", filepath.Join(b.dir, "rekey.yaml")))
		r.killed = network.killed()
	}()
	<-ended
	b.look()
	var doc report.Run
	if out := stdout.String(); !r.killed && strings.HasPrefix(strings.TrimSpace(out), "{") {
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			b.Error(err)
		}
	}
	if len(doc.Credentials) > 0 {
		r.cred = doc.Credentials[0]
	}
	r.err = stderr.String()
	b.mu.Lock()
	b.printed.WriteString(stdout.String() + stderr.String())
	b.mu.Unlock()
	b.Logf("%s %v", args, r)
	return r
}

func (b *slotBed) apply(args ...string) slotRun {
	b.Helper()
	return b.run(&hooks{}, append([]string{"apply"}, args...)...)
}

// settle runs until all is well, which one run must bring about where nothing disturbs it.
func (b *slotBed) settle(args ...string) {
	b.Helper()
	if r := b.apply(args...); r.code != cli.ExitDone || r.cred.Code != "current" {
		b.Errorf("%v\n%s", r, r.err)
	}
	b.converged()
	calls := len(b.sim.Requests())
	if r := b.apply(); r.code != cli.ExitDone {
		b.Errorf("%v\n%s", r, r.err)
	}
	for _, c := range b.sim.Requests()[calls:] {
		if c.Operation == "SetSecret" || c.Operation == "UpdateUser" || c.Operation == "UpdateSecret" {
			b.Errorf("an idle run writes: %s", c.Operation)
		}
	}
}

// converged says whether what is published works. What lies in the second secret may be older: a write that came late.
func (b *slotBed) converged() {
	b.Helper()
	w := b.sim.World()
	w.Lock()
	defer w.Unlock()
	if password, published, _ := b.held(w); password != published {
		b.Error("what is published is not the account's password")
	}
}

// within wants every gap so far to have been as short as the plan says.
func (b *slotBed) within(most time.Duration) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.gaps {
		if g > most {
			b.Errorf("for %s the published password did not work", g)
		}
	}
	if !b.since.IsZero() {
		b.Error("the published password does not work")
	}
}

func (b *slotBed) faults(fs ...sim.Fault) {
	b.Helper()
	for i := range fs {
		fs[i].Agent = agent
	}
	if err := b.sim.SetFaults(fs...); err != nil {
		b.Fatal(err)
	}
}

// always is what holds after every scenario: no secret in anything that was printed or recorded, and an end for each
// intent in the ledger of a run that was not killed.
func (b *slotBed) always() {
	w := b.sim.World()
	w.Lock()
	secrets := w.Secrets()
	w.Unlock()
	entries, _ := os.ReadFile(filepath.Join(b.dir, "ledger", ledger.File))
	text := b.printed.String() + string(entries)
	for _, s := range secrets {
		if strings.Contains(text, s) {
			b.Error("a secret was printed or recorded")
		}
	}
}
