package cli_test

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekeyhq/rekey/sim/world"
)

// cmdJob wants the newest job of a runbook to have seen exactly these parameters, where it ran, and to have completed:
// job RUNBOOK RUNON|azure NAME=VALUE...; of a value that begins with "newest:", the newest version's of VAULT/SECRET.
func cmdJob(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: job RUNBOOK RUNON|azure NAME=VALUE...")
	}
	w := running(ts).World()
	w.Lock()
	defer w.Unlock()
	w.SettleJobs()
	want := map[string]string{}
	for _, p := range args[2:] {
		name, v, _ := strings.Cut(p, "=")
		if at, ok := strings.CutPrefix(v, "newest:"); ok {
			v = newest(ts, w, at)
		}
		want[name] = v
	}
	var last *world.Job
	for _, j := range w.AutomationAccounts[0].Jobs {
		if j.Runbook == args[0] {
			last = j
		}
	}
	on := strings.TrimSuffix(args[1], "azure")
	if last == nil || last.Status != "Completed" || last.RunOn != on || !maps.Equal(last.Parameters, want) {
		ts.Fatalf("the job is %+v", last)
	}
}

// newest is the newest version's value of VAULT/SECRET. The world is locked.
func newest(ts *testscript.TestScript, w *world.World, at string) string {
	vault, secret, _ := strings.Cut(at, "/")
	_, v := w.SecretAt("https://"+vault+".vault.azure.net/secrets/"+secret, w.Now())
	if v == nil {
		ts.Fatalf("no secret %s", at)
	}
	return v.Value
}

// cmdSigns has a consumer sign in at Entra as the application that it uses, with what it holds, which must be what is
// newest in the vault: signs KIND NAME VAULT/SECRET.
func cmdSigns(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: signs KIND NAME VAULT/SECRET")
	}
	s := running(ts)
	w := s.World()
	w.Lock()
	want := newest(ts, w, args[2])
	var held *world.Holding
	for _, h := range w.Holdings() {
		if h.Kind == args[0] && strings.HasSuffix(h.Consumer, "/"+args[1]) {
			held = &h
		}
	}
	w.Unlock()
	if held == nil || held.Use.ClientID == "" {
		ts.Fatalf("no consumer %s %s that signs in as an application", args[0], args[1])
	}
	client := http.Client{Transport: s.Transport()}
	resp, err := client.PostForm("https://login.microsoftonline.com/"+held.Use.TenantID+"/oauth2/v2.0/token",
		url.Values{"grant_type": {"client_credentials"}, "client_id": {held.Use.ClientID}, "client_secret": {held.Value}, "scope": {"https://graph.microsoft.com/.default"}})
	if err != nil {
		ts.Fatalf("%v", err)
	}
	resp.Body.Close()
	if ok := resp.StatusCode == http.StatusOK && held.Value == want; ok == neg {
		ts.Fatalf("%s: %d; it holds the newest value: %v", args[1], resp.StatusCode, held.Value == want)
	}
}

// cmdTestLink has the portal try an API connection: testlink NAME STATUS.
func cmdTestLink(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: testlink NAME STATUS")
	}
	s := running(ts)
	w := s.World()
	w.Lock()
	var at string
	for _, c := range w.Connections {
		if c.Name == args[0] {
			at = c.ResourceID()
		}
	}
	now := w.Now()
	w.AddToken("portal", world.Token{Tenant: world.TenantID, ObjectID: world.RekeyPrincipal, Audience: "https://management.azure.com", Expires: now.Add(time.Hour)})
	w.Unlock()
	req, err := http.NewRequest(http.MethodGet, "https://management.azure.com"+at+"/extensions/proxy/testconnection?api-version=2018-07-01-preview", nil)
	if err != nil {
		ts.Fatalf("%v", err)
	}
	req.Header.Set("Authorization", "Bearer portal")
	resp, err := s.Transport().RoundTrip(req)
	if err != nil {
		ts.Fatalf("%v", err)
	}
	resp.Body.Close()
	if got := strconv.Itoa(resp.StatusCode); got != args[1] {
		ts.Fatalf("the test of %s answers %s", args[0], got)
	}
}
