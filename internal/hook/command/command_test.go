package command_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/hook/command"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// TestMain makes this very test the programs that commands run: program NAME ARGUMENT.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "program" {
		os.Exit(program(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

func program(name, arg string) int {
	value, _ := io.ReadAll(os.Stdin)
	switch name {
	case "take": // what it sees of itself, and the value beside
		if os.WriteFile(arg, []byte(strings.Join(append(os.Args, os.Environ()...), "\n")), 0o600) != nil || os.WriteFile(arg+".value", value, 0o600) != nil {
			return 1
		}
	case "fail":
		fmt.Printf("cannot sign in with %s\x1b[31m\nnor with %x\n", value, value)
		n, _ := strconv.Atoi(arg)
		return n
	case "flood":
		for range 10000 {
			fmt.Printf("%s and %s\n", strings.Repeat("x", 100), value[:len(value)/2])
		}
		return 1
	case "hang": // with a program of its own
		child := exec.Command(os.Args[0], "program", "sleep", arg)
		child.Stdout = os.Stdout
		if child.Start() != nil {
			return 1
		}
		_ = os.WriteFile(arg+".child", []byte(strconv.Itoa(child.Process.Pid)), 0o600)
		_ = child.Wait()
	case "sleep":
		_ = os.WriteFile(arg, []byte("it runs"), 0o600)
		select {}
	case "leave": // a program that goes on, and keeps the output open
		child := exec.Command(os.Args[0], "program", "linger", arg)
		child.Stdout = os.Stdout
		if child.Start() != nil {
			return 1
		}
	case "linger":
		<-time.After(10 * time.Second)
	}
	return 0
}

const value = `va"lue+with/odd characters of its own`

func handover() hook.Handover {
	return hook.Handover{Credential: "devops-pat", Consumer: "deploy", Publication: "01aaaaaaaaaaaaaaaa", Value: secret.New([]byte(value)),
		Secret: rotation.Target{Vault: "kv-pat-prod.vault.azure.net", Name: "devops-pat-token"}}
}

func runs(t *testing.T, name, arg string, change func(*command.Settings)) *command.Command {
	t.Helper()
	s := command.Settings{Run: []string{os.Args[0], "program", name, arg}, Timeout: time.Minute}
	if change != nil {
		change(&s)
	}
	return command.New(s, t.TempDir(), func(name string) string {
		return map[string]string{"PATH": "/bin", "KUBECONFIG": "k", "REKEY_CLIENT_SECRET": "of Rekey's own", "HTTPS_PROXY": "http://user:password@proxy"}[name]
	}, command.Run)
}

func TestAProgramIsHandedTheValueOnItsInputAlone(t *testing.T) {
	at := filepath.Join(t.TempDir(), "seen")
	if err := runs(t, "take", at, func(s *command.Settings) { s.Environment = manifest.Set{"KUBECONFIG"} }).Hand(t.Context(), handover()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(at + ".value")
	if err != nil || string(got) != value {
		t.Errorf("its input was %q, %v", got, err)
	}
	seen, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"PATH=/bin", "KUBECONFIG=k", "REKEY_ACTION=tell", "REKEY_CREDENTIAL=devops-pat", "REKEY_CONSUMER=deploy", "REKEY_PUBLICATION=01aaaaaaaaaaaaaaaa",
		"REKEY_SECRET_ID=https://kv-pat-prod.vault.azure.net/secrets/devops-pat-token"}
	for _, w := range want {
		if !strings.Contains("\n"+string(seen)+"\n", "\n"+w+"\n") {
			t.Errorf("it does not see %s", w)
		}
	}
	for _, never := range []string{value, "of Rekey's own", "password"} {
		if strings.Contains(string(seen), never) {
			t.Errorf("it sees %q in its arguments or variables", never)
		}
	}
}

func TestAProgramThatFailsIsQuotedWithoutTheValue(t *testing.T) {
	for arg, want := range map[string]driver.Kind{"1": driver.Rejected, "2": driver.Rejected, "127": driver.Rejected} {
		err := runs(t, "fail", arg, nil).Hand(t.Context(), handover())
		text := fmt.Sprint(err)
		if driver.KindOf(err) != want || !strings.Contains(text, "exit code "+arg) || !strings.Contains(text, "cannot sign in with") {
			t.Errorf("%v", err)
		}
		if strings.Contains(text, value[:8]) || strings.Contains(text, fmt.Sprintf("%x", value[:8])) || strings.ContainsAny(text, "\x1b\n") {
			t.Errorf("it is quoted with the value, or raw: %q", text)
		}
	}
}

func TestAProgramThatPrintsWithoutEndIsQuotedInShort(t *testing.T) {
	err := runs(t, "flood", "", nil).Hand(t.Context(), handover())
	if text := fmt.Sprint(err); len(text) > 1500 || strings.Contains(text, value[:8]) {
		t.Errorf("%d bytes: %.2000s", len(text), text)
	}
}

func TestAProgramThatTakesTooLongIsKilledWithWhatItStarted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what runs is looked up in /proc")
	}
	at := filepath.Join(t.TempDir(), "runs")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // as soon as both run
		for ctx.Err() == nil {
			if _, err := os.Stat(at); err == nil {
				cancel()
			}
			runtime.Gosched()
		}
	}()
	err := runs(t, "hang", at, nil).Hand(ctx, handover())
	if driver.KindOf(err) != driver.Ambiguous || !strings.Contains(err.Error(), "killed") {
		t.Errorf("%v", err)
	}
	pid, err := os.ReadFile(at + ".child")
	if err != nil {
		t.Fatal(err)
	}
	// A zombie that nobody has waited for yet is dead, too.
	for {
		stat, err := os.ReadFile("/proc/" + string(pid) + "/stat")
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("what it started lives on")
		}
		runtime.Gosched()
	}
}

func TestTheTimeoutOfTheManifestEndsAProgram(t *testing.T) {
	err := runs(t, "sleep", filepath.Join(t.TempDir(), "x"), func(s *command.Settings) { s.Timeout = 50 * time.Millisecond }).Hand(t.Context(), handover())
	if driver.KindOf(err) != driver.Ambiguous || !strings.Contains(err.Error(), "did not end within 50ms") {
		t.Errorf("%v", err)
	}
}

func TestAProgramThatNobodyHasTimeForIsNotStarted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	at := filepath.Join(t.TempDir(), "x")
	if err := runs(t, "take", at, nil).Hand(ctx, handover()); driver.KindOf(err) != driver.Unavailable {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(at); err == nil {
		t.Error("it was started")
	}
}

func TestAProgramThatLeavesOneRunningHasTakenIt(t *testing.T) {
	if err := runs(t, "leave", "x", nil).Hand(t.Context(), handover()); err != nil {
		t.Errorf("%v", err)
	}
}

func TestACheckSaysWhetherItWorks(t *testing.T) {
	at := filepath.Join(t.TempDir(), "seen")
	check := func(name, arg string) (string, error) {
		return runs(t, "take", at, func(s *command.Settings) { s.Proof = []string{os.Args[0], "program", name, arg} }).Try(t.Context(), handover())
	}
	if why, err := check("take", at); why != "" || err != nil {
		t.Errorf("%q, %v", why, err)
	}
	if seen, err := os.ReadFile(at); err != nil || !strings.Contains(string(seen), "REKEY_ACTION=check") {
		t.Errorf("it is not told what it is for: %v", err)
	}
	if why, err := check("fail", "1"); !strings.Contains(why, "exit code 1") || strings.Contains(why, value[:8]) || err != nil {
		t.Errorf("%q, %v", why, err)
	}
	if _, err := check("fail", "75"); driver.KindOf(err) != driver.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestWhatAManifestMayNotSay(t *testing.T) {
	for name, c := range map[string]struct {
		s    command.Settings
		want string
	}{
		"nothing wrong":         {command.Settings{Run: []string{"x"}, Timeout: 2 * time.Minute, Environment: manifest.Set{"KUBECONFIG", "_x1"}}, ""},
		"too long":              {command.Settings{Run: []string{"x"}, Timeout: 3 * time.Minute}, "timeout"},
		"no name of a variable": {command.Settings{Run: []string{"x"}, Environment: manifest.Set{"A", "A=b"}}, "environment[1]"},
	} {
		var got []string
		c.s.Check(func(path, _ string) { got = append(got, path) }, manifest.Context{})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
