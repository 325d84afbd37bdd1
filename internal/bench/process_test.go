package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// azure is a simulated Azure on loopback, in this process.
type azure struct {
	*sim.Server
	env []string
}

// serve starts a simulated Azure that ends with the benchmark.
func serve(b *testing.B, state world.State) *azure {
	b.Helper()
	s, err := sim.New(sim.Config{Dir: b.TempDir(), State: state})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	e, err := s.Listen(ctx, sim.ListenConfig{})
	if err != nil {
		stop()
		b.Fatal(err)
	}
	b.Cleanup(func() { stop(); e.Wait() })
	return &azure{Server: s, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.TempDir(),
		"HTTPS_PROXY=" + e.Proxy, "NO_PROXY=127.0.0.1,localhost,::1", "SSL_CERT_FILE=" + e.CA,
		"IDENTITY_ENDPOINT=" + e.Control + sim.IdentityPath, "IDENTITY_HEADER=" + state.ManagedIdentities[0].Secret,
	}}
}

// ran is how one run of the program ended.
type ran struct {
	usage
	stdout, stderr string
	calls          []wire.Call
}

// usage is what a process needed. It is measured by a small process of its own, since the kernel counts the memory of
// whoever starts a process as that process's, and this one holds a whole Azure.
type usage struct {
	Code int           `json:"code"`
	CPU  time.Duration `json:"cpu"`
	Wall time.Duration `json:"wall"`
	// RSS is the largest resident set in bytes, 0 where it cannot be known.
	RSS int64 `json:"rss"`
}

// stopwatch is the environment variable that turns this test binary into the small process; it names the file that
// the usage is written to.
const stopwatch = "REKEY_BENCH_STOPWATCH"

// timeCommand runs the command of its arguments.
func timeCommand() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, stopwatch+"=") })
	start := time.Now()
	err := cmd.Run()
	u := usage{Wall: time.Since(start)}
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	u.Code, u.CPU, u.RSS = cmd.ProcessState.ExitCode(), cmd.ProcessState.SystemTime()+cmd.ProcessState.UserTime(), maxRSS(cmd.ProcessState)
	out, err := json.Marshal(u)
	if err == nil {
		err = os.WriteFile(os.Getenv(stopwatch), out, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// rekey runs the program once. want are the exit codes that are right.
func (a *azure) rekey(b *testing.B, want []int, args ...string) ran {
	b.Helper()
	a.ResetRequests()
	var stdout, stderr bytes.Buffer
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	file := b.TempDir() + "/usage.json"
	cmd := exec.Command(self, append([]string{program}, args...)...)
	cmd.Env = append(slices.Clone(a.env), stopwatch+"="+file)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		b.Fatalf("rekey %s: %v\n%s", strings.Join(args, " "), err, tail(stderr.String()))
	}
	r := ran{stdout: stdout.String(), stderr: stderr.String(), calls: a.Requests()}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &r.usage)
	}
	if err != nil {
		b.Fatal(err)
	}
	if !slices.Contains(want, r.Code) {
		b.Fatalf("rekey %s: exit code %d, want one of %v\n%s\n%s", strings.Join(args, " "), r.Code, want, tail(r.stdout), tail(r.stderr))
	}
	return r
}

func tail(s string) string {
	const most = 4000
	if len(s) > most {
		return "..." + s[len(s)-most:]
	}
	return s
}
