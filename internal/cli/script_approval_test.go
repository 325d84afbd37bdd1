package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/internal/cli"
)

// cmdGitHub makes what follows a job of GitHub Actions, with these claims in its token: github '{"repository":...}'; or no
// job: github none.
func cmdGitHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: github JSON")
	}
	if args[0] == "none" {
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "")
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
		return
	}
	var claims map[string]any
	ts.Check(json.Unmarshal([]byte(args[0]), &claims))
	ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.actions.githubusercontent.com/_sim/token")
	ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", running(ts).Entra().MintRunnerToken(claims))
}

// cmdDecides has a person decide on the one request that has no decision, at a browser that signs them in, and writes what
// the program prints into a file: decides PERSON approve|deny REASON FILE.
func cmdDecides(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: decides PERSON approve|deny REASON FILE")
	}
	s := running(ts)
	names, err := filepath.Glob(ts.MkAbs("approvals/*.json"))
	ts.Check(err)
	id := ""
	for _, n := range names {
		if _, err := os.Stat(strings.TrimSuffix(n, ".json") + ".decision.json"); os.IsNotExist(err) && !strings.Contains(n, ".decision.") {
			id = strings.TrimSuffix(filepath.Base(n), ".json")
		}
	}
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	var out bytes.Buffer
	errs := &watched{form: regexp.MustCompile(address), seen: func(at string) {
		if err := browse(s, args[0], at); err != nil {
			leave() // the program would wait for ever
		}
	}}
	env := cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: errs, Transport: s.Transport(), Version: "test",
		Getenv: func(name string) string { return map[string]string{"REKEY_BROWSER": "none"}[name] }}
	code := cli.Main(ctx, env, []string{args[1], id, "--reason", args[2], "-f", ts.MkAbs("rekey.yaml")})
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(regexp.MustCompile(address).ReplaceAllString(errs.String(), "ADDRESS ")+out.String()), 0o600))
	if (code == cli.ExitDone) == neg {
		ts.Fatalf("it exits with %d: %s", code, errs.String()+out.String())
	}
}

// browse is a person's browser: the sign-in page, and the way back to the program.
func browse(s *simulator, name, address string) error {
	w := s.World()
	w.Lock()
	form := url.Values{}
	for _, u := range w.Users {
		if strings.HasPrefix(u.UPN, name+"@") {
			form = url.Values{"username": {u.UPN}, "password": {u.Password}}
		}
	}
	w.Unlock()
	azure := http.Client{Transport: s.Transport()}
	resp, err := azure.PostForm(address, form)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	action := regexp.MustCompile(`<form method="post" action="(http://localhost:\d+)">`).FindSubmatch(page)
	if err != nil || action == nil {
		return io.ErrUnexpectedEOF
	}
	back := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`).FindAllSubmatch(page, -1) {
		back.Set(string(m[1]), html.UnescapeString(string(m[2])))
	}
	here := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	done, err := here.PostForm(string(action[1]), back)
	if err == nil {
		done.Body.Close()
	}
	return err
}
