package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is the program as a release has it, which is what the checks before have compiled.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rekey")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "rekey")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", name, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return name, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if name, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(code)
}

func needLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the env file is for a POSIX shell, and only on Linux does Go read SSL_CERT_FILE")
	}
}

// azure is a `rekey sim` process.
type azure struct {
	t       testing.TB
	program string
	dir     string // the runs' working directory
	Proxy   string `json:"proxy"`
	CA      string `json:"ca"`
	Env     string `json:"env"`
	Control string `json:"control"`
	TLS     string `json:"tls"`
}

func startAzure(t *testing.T, args ...string) *azure {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	a := &azure{t: t, program: program, dir: t.TempDir()}
	cmd := exec.Command(program, append([]string{"sim", "--dir", filepath.Join(t.TempDir(), "sim")}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("rekey sim: %v: %s", err, stderr.String())
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("rekey sim printed no line: %v: %s", err, stderr.String())
	}
	if err := json.Unmarshal(line, a); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	manifest, err := os.ReadFile("../../examples/pat/rekey.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "rekey.yaml"), manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// command runs in a shell that has read the env file, as a person's does.
func (a *azure) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", `. "$0" && exec "$@"`, a.Env, name}, args...)...)
	cmd.Dir = a.dir
	return cmd
}

// run runs a command, which must succeed.
func (a *azure) run(name string, args ...string) string {
	a.t.Helper()
	cmd := a.command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		a.t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

func (a *azure) rekey(args ...string) string { a.t.Helper(); return a.run(a.program, args...) }

func (a *azure) variable(name string) string {
	a.t.Helper()
	return strings.TrimSuffix(a.run("printenv", name), "\n")
}

// ask uses the control port.
func (a *azure) ask(method, path, body string) []byte {
	a.t.Helper()
	req, err := http.NewRequest(method, a.Control+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		a.t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, b, err)
	}
	return b
}

func (a *azure) advance(by string) { a.t.Helper(); a.ask("POST", "/clock", `{"advance":"`+by+`"}`) }

// writes are the requests since the last time that changed something; token requests change nothing.
func (a *azure) writes() (out []string) {
	a.t.Helper()
	var calls []struct{ Method, Service, Operation string }
	if err := json.Unmarshal(a.ask("GET", "/requests", ""), &calls); err != nil {
		a.t.Fatal(err)
	}
	if len(calls) == 0 {
		a.t.Fatal("nothing was asked at all")
	}
	a.ask("DELETE", "/requests", "")
	for _, c := range calls {
		if c.Method != "GET" && c.Service != "entra" && c.Service != "identity" {
			out = append(out, c.Operation)
		}
	}
	return out
}

func TestAnInterruptDuringAWaitEndsTheRunWithWhatItKnows(t *testing.T) {
	needLinux(t)
	t.Parallel()
	a := startAzure(t)
	a.rekey("apply")
	cmd := a.command(a.program, "rotate", "devops-pat", "--wait", "48h", "-v")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Only so that a mistake here fails instead of hanging.
	guard := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer guard.Stop()
	var stderr strings.Builder
	waits := false
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		fmt.Fprintln(&stderr, lines.Text())
		if !waits && strings.Contains(lines.Text(), "waiting until ") {
			waits = true
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if !waits || err != nil || !strings.Contains(stdout.String(), "rotate: 1 waiting") || strings.Contains(stderr.String(), "panic") {
		t.Errorf("waited: %v, %v\n%s%s", waits, err, stdout.String(), stderr.String())
	}
}
