package simcmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestTheBuiltInWorldIsPrintedInTheFormThatIsRead(t *testing.T) {
	code, out, errs := run(t, "world")
	if code != 0 || errs != "" {
		t.Fatal(code, errs)
	}
	s, err := world.Decode(strings.NewReader(out))
	if err != nil || len(s.Apps) == 0 || s.Users[0].Password == "" {
		t.Errorf("%v", err)
	}
}

func TestUsageErrorsSayWhatIsWrong(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "world.json")
	if err := os.WriteFile(broken, []byte(`{"schema":1,"tennants":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no directory":      {nil, "--dir is missing"},
		"an unknown flag":   {[]string{"--dri", "x"}, "dri"},
		"a stray argument":  {[]string{"--dir", "x", "serve"}, `unexpected argument "serve"`},
		"world with more":   {[]string{"world", "x"}, "takes none"},
		"a missing world":   {[]string{"--dir", "x", "--world", "/nonexistent/w.json"}, "w.json"},
		"a misspelt member": {[]string{"--dir", "x", "--world", broken}, "unknown member tennants"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(t, c.args...)
			if code != 2 || out != "" || !strings.Contains(errs, c.want) || !strings.Contains(errs, "--help") {
				t.Errorf("exit %d, stdout %q, stderr %q", code, out, errs)
			}
		})
	}
}

func TestAnAddressThatCannotBeHadIsAFailure(t *testing.T) {
	code, out, errs := run(t, "--dir", t.TempDir(), "--control", "0.0.0.0:0")
	if code != 1 || out != "" || !strings.Contains(errs, "not loopback") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out, errs)
	}
}

func TestHelpIsPrintedOnRequest(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}, {"help"}, {"world", "--help"}} {
		code, out, errs := run(t, args...)
		if code != 0 || errs != "" || !strings.Contains(out, "--dir DIR") || !strings.Contains(out, "$ . /tmp/sim/env") {
			t.Errorf("%v: exit %d, stderr %q", args, code, errs)
		}
	}
}

func TestItServesUntilInterruptedAndThenEndsWell(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	file := filepath.Join(t.TempDir(), "world.json")
	_, text, _ := run(t, "world")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "kv-rekey", "kv-other")), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	r, w := io.Pipe()
	ended := make(chan int)
	var errs bytes.Buffer
	go func() {
		code := Main(ctx, []string{"--dir", dir, "--world", file, "--tls", "127.0.0.1:0"}, w, &errs)
		w.Close()
		ended <- code
	}()
	lines := bufio.NewReader(r)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err, errs.String())
	}
	var ready struct{ Proxy, CA, Env, Control, TLS string }
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		t.Fatal(err)
	}
	if ready.CA != filepath.Join(dir, "ca.pem") || ready.Env != filepath.Join(dir, "env") || !strings.HasPrefix(ready.Proxy, "http://127.0.0.1:") || ready.TLS == "" {
		t.Errorf("ready line %s", line)
	}
	resp, err := http.Get(ready.Control + "/state")
	if err != nil {
		t.Fatal(err)
	}
	state, err := world.Decode(resp.Body)
	resp.Body.Close()
	if err != nil || len(state.Vaults) != len(world.BuiltIn().Vaults) || state.Vaults[1].Name != "kv-other" {
		t.Errorf("the state is not the file's world: %v", err)
	}
	interrupt()
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("stdout has more than one line: %q, %v", rest, err)
	}
	if code := <-ended; code != 0 || errs.Len() > 0 {
		t.Errorf("exit %d, stderr %q", code, errs.String())
	}
	if _, err := http.Get(ready.Control + "/state"); err == nil {
		t.Error("it still answers")
	}
}
