//go:build unix

package main_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/examples"
	"github.com/rekeyhq/rekey/sim"
)

// The operating system stops the process between its check and its PUT, and lets it go on when two hours have passed
// in the simulated world. Its own clock does not show them, so it publishes: what it holds is still good.
func TestAProcessThatIsStoppedForTwoHoursBetweenCheckAndPUTGoesOn(t *testing.T) {
	needLinux(t)
	t.Parallel()
	a, server := serveAzure(t)
	s := stranger{t: t, get: a.netHTTP(), tenant: a.variable("SIM_TENANT_ID"), id: a.variable("SIM_CLIENT_ID"), secret: a.variable("SIM_CLIENT_SECRET"),
		vault: a.variable("SIM_VAULT"), organization: a.variable("SIM_ORG")}
	a.rekey("apply")
	first := s.read()
	a.advance("600h")

	cmd := a.command(a.program, "apply")
	started := make(chan struct{})
	stopped := false
	var came atomic.Bool // the uses of the token in here are calls of the same kind
	remove := server.OnAnswer(func(_, operation string, _ int) {
		if operation != "ConnectionData" || came.Swap(true) {
			return
		}
		<-started
		if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Error(err)
			return
		}
		stopped = true
		s.works("the first token, while the process is stopped", first, true)
		server.World().Advance(2 * time.Hour)
		s.works("the first token, two hours later", first, true)
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	remove()
	if !stopped {
		t.Fatal("the process was never stopped")
	}
	second := s.read()
	if second == first {
		t.Error("nothing was published")
	}
	s.works("the first token, in its overlap", first, true)
	s.works("the second token", second, true)
	a.advance("25h")
	a.rekey("apply")
	s.works("the first token, past its overlap", first, false)
	s.works("the second token, after that", second, true)
}

// serveAzure serves the simulated Azure from this process, so that a test can act in the midst of a call.
func serveAzure(t *testing.T) (*azure, *sim.Server) {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	a := &azure{t: t, program: program, dir: t.TempDir()}
	server, err := sim.New(sim.Config{Dir: filepath.Join(t.TempDir(), "sim")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ends, err := server.Listen(ctx, sim.ListenConfig{})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); ends.Wait() })
	a.Proxy, a.CA, a.Env, a.Control = ends.Proxy, ends.CA, ends.Env, ends.Control
	if err := os.WriteFile(filepath.Join(a.dir, "rekey.yaml"), examples.Manifest("pat"), 0o600); err != nil {
		t.Fatal(err)
	}
	return a, server
}
