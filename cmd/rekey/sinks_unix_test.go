//go:build unix

package main_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rekeyhq/rekey/examples"
	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/simtest/leak"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// house is a machine of its own for the program: everything that it writes is in one folder, and it is given nothing
// but what it needs.
type house struct {
	*azure
	t      *testing.T
	server *sim.Server
	env    []string
	mayBe  string // the one variable that may hold a secret
	said   bytes.Buffer
}

// identities are how the program signs in, the variable that holds what it signs in with, and the manifest's word.
var identities = []struct{ name, variable, word string }{
	{"managed identity", "IDENTITY_HEADER", "managedIdentity: {}"},
	{"client secret", "REKEY_CLIENT_SECRET", "clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}"},
}

func newHouse(t *testing.T, variable, word string) *house {
	t.Helper()
	a, server := serveAzure(t)
	h := &house{azure: a, t: t, server: server, mayBe: variable}
	w := server.World()
	w.Lock()
	app := w.Apps[slices.IndexFunc(w.Apps, func(a *world.App) bool { return a.Name == "administrator" })]
	value := w.ManagedIdentities[0].Secret
	w.Unlock()
	if strings.Contains(word, "%s") {
		word, value = fmt.Sprintf(word, app.ClientID), app.ClientSecret
	}
	src := strings.Replace(string(examples.Manifest("pat")), "managedIdentity: {}", word, 1)
	if !strings.Contains(src, word) {
		t.Fatal("the example signs in in another way now")
	}
	for _, dir := range []string{"home", "tmp"} {
		if err := os.Mkdir(filepath.Join(a.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(a.dir, "rekey.yaml"), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	h.env = []string{
		"HOME=" + filepath.Join(a.dir, "home"), "XDG_CACHE_HOME=" + filepath.Join(a.dir, "home", "cache"), "TMPDIR=" + filepath.Join(a.dir, "tmp"), "PATH=" + os.Getenv("PATH"),
		"HTTPS_PROXY=" + a.Proxy, "SSL_CERT_FILE=" + a.CA, "NO_PROXY=127.0.0.1", "IDENTITY_ENDPOINT=" + a.Control + sim.IdentityPath,
		"AZURE_SDK_GO_LOGGING=all", // what Microsoft's libraries have to say
		"GOTRACEBACK=system", variable + "=" + value,
	}
	return h
}

func (h *house) process(args ...string) *exec.Cmd {
	cmd := exec.Command(h.program, append(args, "--verbose")...)
	cmd.Dir, cmd.Env = h.dir, h.env
	cmd.Stdout, cmd.Stderr = &h.said, &h.said
	return cmd
}

// run runs the program, whatever comes of it, and gives its exit code.
func (h *house) run(args ...string) int {
	h.t.Helper()
	cmd := h.process(args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// secrets are all that the world ever knew.
func (h *house) secrets() []string {
	w := h.server.World()
	w.Lock()
	defer w.Unlock()
	return append(w.Secrets(), world.Canary)
}

// search looks for every secret in one sink.
func (h *house) search(sink, text string) {
	h.t.Helper()
	for _, f := range leak.Search(text, h.secrets()) {
		h.t.Errorf("%s: %v", sink, f)
	}
}

// searchFiles looks in everything that was written, names included.
func (h *house) searchFiles() {
	h.t.Helper()
	n := 0
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(h.dir, path)
		h.search(rel, rel+"\n"+string(b))
		if n++; rel != "rekey.yaml" && !slices.Contains([]string{"ledger.jsonl", "ledger.checkpoints", "ledger.tree"}, strings.TrimPrefix(rel, "ledger"+string(filepath.Separator))) {
			h.t.Errorf("the program wrote %s", rel)
		}
		return err
	})
	if err != nil || n < 2 {
		h.t.Errorf("%d files: %v", n, err)
	}
}

// searchProcess looks at what others on the machine can see of a process that runs.
func (h *house) searchProcess(pid int) {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	cmdline, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil {
		h.t.Error(err)
	}
	h.search("the arguments", string(cmdline))
	environ, err := os.ReadFile(filepath.Join(proc, "environ"))
	if err != nil || len(environ) == 0 {
		h.t.Errorf("environ: %d bytes, %v", len(environ), err)
	}
	holds := []string{}
	for pair := range strings.SplitSeq(string(environ), "\x00") {
		if name, _, _ := strings.Cut(pair, "="); len(leak.Search(pair, h.secrets())) > 0 {
			holds = append(holds, name)
		}
	}
	if !slices.Equal(holds, []string{h.mayBe}) {
		h.t.Errorf("secrets are in the variables %q, and may be in %s alone", holds, h.mayBe)
	}
	children, err := filepath.Glob(filepath.Join(proc, "task", "*", "children"))
	if err != nil {
		h.t.Error(err)
	}
	for _, name := range children {
		if b, err := os.ReadFile(name); err == nil && len(bytes.TrimSpace(b)) > 0 {
			h.t.Errorf("the program has children (%s), which inherit %s", bytes.TrimSpace(b), h.mayBe)
		}
	}
}

// fault sets one that every call of an operation meets.
func (h *house) fault(f sim.Fault) {
	h.t.Helper()
	if err := h.server.SetFaults(f); err != nil {
		h.t.Fatal(err)
	}
}

func TestNoSinkOfTheProgramHoldsASecret(t *testing.T) {
	needLinux(t)
	for _, id := range identities {
		t.Run(id.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, id.variable, id.word)
			h.run("plan")
			looked := h.duringEachCall(func() {
				if code := h.run("apply"); code != 0 {
					t.Fatalf("exit code %d\n%s", code, h.said.String())
				}
			})
			if looked < 8 {
				t.Errorf("the process was looked at %d times", looked)
			}
			h.run("status", "--json")
			quoted := sim.Text(strings.Join(h.secrets(), " "))
			for _, f := range []sim.Fault{
				{Operation: "SetSecret", Status: 400}, {Operation: "SetSecret", Status: 200}, {Operation: "CreatePat", Status: 400}, {Operation: "CreatePat", Status: 200},
				{Operation: "ListPats", Status: 403}, {Service: "entra", Status: 400},
			} {
				f.Do, f.Nth, f.Body, f.Headers = sim.DoAnswer, 1, quoted, map[string]string{"Content-Type": "application/json"}
				h.fault(f)
				h.run("rotate", "devops-pat", "--wait", "1s")
			}
			h.fault(sim.Fault{Operation: "SetSecret", Nth: 1, Do: sim.DoLost})
			h.run("rotate", "devops-pat", "--wait", "1s")
			h.server.ClearFaults()
			h.advance("49h")
			h.run("apply", "--verify")
			h.run("rotate", "devops-pat", "--compromised", "--json")
			h.run("retire", "devops-pat", "--yes")
			h.search("stdout and stderr", h.said.String())
			h.search("/requests", string(h.ask("GET", "/requests", "")))
			h.searchFiles()
			if n := strings.Count(h.said.String(), "msg=call "); n < 50 {
				t.Errorf("only %d calls were told of: was it verbose?", n)
			}
		})
	}
}

// duringEachCall looks at the one process under way at each of its calls, and says how often it could.
func (h *house) duringEachCall(f func()) int {
	var n atomic.Int32
	remove := h.server.OnAnswer(func(string, string, int) {
		for _, pid := range h.running() {
			h.searchProcess(pid)
			n.Add(1)
		}
	})
	defer remove()
	f()
	return int(n.Load())
}

// running are the processes of this house, which the folder that they run in tells from others.
func (h *house) running() (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if dir, err := os.Readlink(link); err == nil && dir == h.dir {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// The operating system asks for a dump of all goroutines while a value is on its way to the vault.
func TestADumpOfAllGoroutinesHoldsNoSecret(t *testing.T) {
	needLinux(t)
	t.Parallel()
	for _, operation := range []string{"CreatePat", "ConnectionData", "SetSecret"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, identities[1].variable, identities[1].word)
			cmd := h.process("apply")
			started := make(chan struct{})
			var came atomic.Bool
			remove := h.server.OnAnswer(func(_, op string, _ int) {
				if op == operation && !came.Swap(true) {
					<-started
					if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
						t.Error(err)
					}
				}
			})
			defer remove()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			close(started)
			if err := cmd.Wait(); err == nil || !came.Load() {
				t.Fatalf("it ended with %v; asked for a dump: %v", err, came.Load())
			}
			h.dump(h.said.String(), "SIGQUIT")
		})
	}
}

var word = regexp.MustCompile(`0x([0-9a-f]{9,16})\b`)

// dump searches a dump of goroutines, the words in it that are arguments included: eight bytes of a secret among them
// would be no pointer to it but the thing itself.
func (h *house) dump(text, mark string) {
	h.t.Helper()
	if !strings.Contains(text, mark) || !strings.Contains(text, "goroutine ") || !strings.Contains(text, "internal/engine.") {
		h.t.Fatalf("this is no dump: %.2000s", text)
	}
	h.search("the dump", text)
	for _, w := range word.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseUint(w[1], 16, 64)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			part := string(order.AppendUint64(nil, n))
			for _, s := range h.secrets() {
				if strings.Contains(s, part) {
					h.t.Error("a word in the dump is a part of a secret")
				}
			}
		}
	}
}

// crashing breaks the program in the midst of the PUT that carries the value.
type crashing struct {
	http.RoundTripper
	server *sim.Server
	file   string
}

func (c crashing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut || r.Header.Get("Authorization") == "" {
		return c.RoundTripper.RoundTrip(r)
	}
	w := c.server.World()
	w.Lock()
	all := strings.Join(w.Secrets(), "\n")
	w.Unlock()
	if err := os.WriteFile(c.file, []byte(all), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	var nobody *http.Request
	return nil, errors.New(nobody.Method)
}

func init() {
	if file := os.Getenv("REKEY_TEST_CRASH"); file != "" {
		crash(file)
	}
}

// crash is the program in this process, for a child of the test: what it knew goes to a file before it breaks.
func crash(file string) {
	server, err := sim.New(sim.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	os.Setenv("IDENTITY_HEADER", server.World().ManagedIdentities[0].Secret)
	env := cli.Env{Stdin: strings.NewReader(""), Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: "test", Transport: crashing{server.Transport(), server, file}}
	os.Exit(cli.Main(context.Background(), env, []string{"apply", "--verbose"}))
}

func TestAPanicInTheMidstOfThePUTPrintsNoSecret(t *testing.T) {
	needLinux(t)
	t.Parallel()
	dir := t.TempDir()
	known := filepath.Join(dir, "known")
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), examples.Manifest("pat"), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Dir, cmd.Env = dir, []string{"REKEY_TEST_CRASH=" + known, "IDENTITY_ENDPOINT=http://127.0.0.1" + sim.IdentityPath, "GOTRACEBACK=system", "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 2 {
		t.Fatalf("exit code %d, %v: %.2000s", code, err, out)
	}
	b, err := os.ReadFile(known)
	if err != nil {
		t.Fatal(err)
	}
	secrets := strings.Split(string(b), "\n")
	if len(secrets) < 10 || !slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(s, "AZDO") }) {
		t.Fatalf("it broke with %d secrets, before a token was issued", len(secrets))
	}
	if err := os.Remove(known); err != nil {
		t.Fatal(err)
	}
	server, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := server.World()
	w.Lock()
	for _, s := range secrets {
		w.Remember(s)
	}
	w.Unlock()
	h := &house{azure: &azure{dir: dir}, t: t, server: server}
	h.dump(string(out), "nil pointer dereference")
	h.searchFiles()
}
