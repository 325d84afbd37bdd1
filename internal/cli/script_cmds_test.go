package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// cmdClock moves the simulator's clock: clock 25d.
func cmdClock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: clock DURATION")
	}
	d, err := world.ParseDuration(args[0])
	ts.Check(err)
	running(ts).World().Advance(d)
}

// cmdFault sets one fault: fault '{"service":...}'.
func cmdFault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fault JSON")
	}
	fs, err := sim.ParseFaults([]byte(args[0]))
	ts.Check(err)
	ts.Check(running(ts).AddFaults(fs...))
}

// cmdRequests writes the operations since the last time into a file, one a line, without token requests and vaults'
// challenges, and empties the log: requests FILE.
func cmdRequests(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: requests FILE")
	}
	s := running(ts)
	var b strings.Builder
	for _, c := range s.Requests() {
		if c.Service == "entra" || c.Service == "identity" || c.Service == "keyvault" && c.Status == 401 {
			continue
		}
		fmt.Fprintf(&b, "%s %s %d\n", c.Service, c.Operation, c.Status)
	}
	s.ResetRequests()
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

var volatile = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z( \(in [^)]*\))?`), "<time>"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<guid>"},
	{regexp.MustCompile(`\b01[0-9a-hjkmnp-tv-z]{16}\b`), "<generation>"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "<version>"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "<address>"},
	{regexp.MustCompile(`took=\S+`), "took=<time>"},
	{regexp.MustCompile(`\b\d+s privileged`), "<time> privileged"},
	{regexp.MustCompile(`  +`), "  "}, // a table's columns are as wide as the times are
}

// cmdSignIn signs in as an application with a version of a secret, counted back from the newest, which is 0, as who
// uses it would: signin APP SECRET VERSION.
func cmdSignIn(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: signin APP SECRET VERSION")
	}
	back, err := strconv.Atoi(args[2])
	ts.Check(err)
	s := running(ts)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {args[0]}, "scope": {"https://graph.microsoft.com/.default"}}
	w := s.World()
	w.Lock()
	for _, v := range w.Vaults {
		for _, x := range v.Secrets {
			if n := len(x.Versions) - 1 - back; x.Name == args[1] && n >= 0 {
				form.Set("client_secret", x.Versions[n].Value)
			}
		}
	}
	w.Unlock()
	client := http.Client{Transport: s.Transport()}
	resp, err := client.PostForm("https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", form)
	ts.Check(err)
	defer resp.Body.Close()
	if !form.Has("client_secret") || (resp.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("signed in: %d", resp.StatusCode)
	}
}

// cmdNormal writes a file without what differs from run to run into another: normal stdout FILE.
func cmdNormal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: normal FROM TO")
	}
	s := ts.ReadFile(args[0])
	if strings.Contains(s, "<time>") {
		ts.Fatalf("%s is normal already", args[0])
	}
	lines := strings.SplitAfter(s, "\n")
	for i, line := range lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		line = line[len(indent):]
		for _, v := range volatile {
			line = v.form.ReplaceAllString(line, v.with)
		}
		lines[i] = indent + line
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(lines, "")), 0o600))
}

// cmdExits runs a command and wants an exit code: exits 2 rekey plan.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var code int
		if _, serr := fmt.Sscanf(err.Error(), "exit status %d", &code); serr != nil {
			ts.Fatalf("%v", err)
		}
		got = code
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// cmdReplace changes a text in a file, which must be there: replace FILE OLD NEW.
func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	s := ts.ReadFile(args[0])
	if !strings.Contains(s, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(s, args[1], strings.ReplaceAll(args[2], `\n`, "\n"))), 0o600))
}

// cmdDocument wants a file to be one JSON document, of a schema if one is named: document stdout [SCHEMA].
func cmdDocument(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: document FILE [SCHEMA]")
	}
	d := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		ts.Fatalf("%s is no JSON document: %v", args[0], err)
	}
	if _, err := d.Token(); err != io.EOF {
		ts.Fatalf("%s holds more than one document", args[0])
	}
	if len(args) == 2 && doc["schema"] != args[1] {
		ts.Fatalf("schema is %v, want %s", doc["schema"], args[1])
	}
}
