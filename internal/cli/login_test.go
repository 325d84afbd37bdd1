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
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// desk is a person at a machine: a manifest whose account keeps its token in the vault, and a browser.
type desk struct {
	*testing.T
	s    *sim.Server
	file string
	// leave ends the run under way, for when a person's part fails and the program would wait for ever.
	leave func()
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1"+sim.IdentityPath)
	t.Setenv("IDENTITY_HEADER", s.World().ManagedIdentities[0].Secret)
	b, err := os.ReadFile("../../examples/pat/rekey.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const byPassword, byCache = "password: {vault: rekey, secret: svc-devops-pat-password}", "tokenCache: {vault: rekey, secret: svc-devops-pat-msal}"
	src := strings.Replace(string(b), "\n    "+byPassword, "\n    "+byCache, 1)
	if strings.Contains(src, "\n    "+byPassword) {
		t.Fatal("the example has another account now")
	}
	d := &desk{T: t, s: s, file: filepath.Join(t.TempDir(), "rekey.yaml")}
	if err := os.WriteFile(d.file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// watched hears what is printed, and calls seen once when it matches.
type watched struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	form *regexp.Regexp
	seen func(match string)
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(p)
	if w.form != nil && w.seen != nil {
		if m := w.form.FindStringSubmatch(w.buf.String()); m != nil {
			go w.seen(m[1])
			w.seen = nil
		}
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// run runs the program; what matches form on stderr is handed to seen. No output may hold a secret.
func (d *desk) run(ctx context.Context, form string, seen func(string), args ...string) (code int, stdout, stderr string) {
	d.Helper()
	var out bytes.Buffer
	errs := &watched{seen: seen}
	if seen != nil {
		errs.form = regexp.MustCompile(form)
	}
	env := cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: errs, Transport: d.s.Transport(), Version: "test",
		Getenv: func(name string) string { return map[string]string{"REKEY_BROWSER": "none"}[name] }}
	ctx, d.leave = context.WithCancel(ctx)
	defer d.leave()
	code = cli.Main(ctx, env, append(args, "-f", d.file))
	w := d.s.World()
	w.Lock()
	defer w.Unlock()
	for _, v := range w.Secrets() {
		if strings.Contains(out.String()+errs.String(), v) {
			d.Error("the output holds a secret of the world")
		}
	}
	return code, out.String(), errs.String()
}

func (d *desk) apply() (code int, out string) {
	d.Helper()
	code, stdout, stderr := d.run(d.Context(), "", nil, "apply")
	return code, stdout + stderr
}

const (
	address  = `(https://login\.microsoftonline\.com/\S+)\s`
	userCode = `code ([A-Z0-9]{6,12})`
)

// password is a user's.
func (d *desk) user(name string) (upn, password string) {
	w := d.s.World()
	w.Lock()
	defer w.Unlock()
	u := w.Users[slices.IndexFunc(w.Users, func(u *world.User) bool { return strings.HasPrefix(u.UPN, name+"@") })]
	return u.UPN, u.Password
}

// browse does what a person in a browser does: the form, and the way back to this machine.
func (d *desk) browse(name string) func(string) {
	return func(address string) {
		arrived := false
		defer func() {
			if !arrived {
				d.leave()
			}
		}()
		upn, password := d.user(name)
		azure := http.Client{Transport: d.s.Transport()}
		page, err := azure.Get(address)
		if err != nil || page.StatusCode != 200 {
			d.Errorf("the sign-in page: %v", err)
			return
		}
		page.Body.Close()
		resp, err := azure.PostForm(address, url.Values{"username": {upn}, "password": {password}})
		if err != nil {
			d.Errorf("signing in: %v", err)
			return
		}
		defer resp.Body.Close()
		// The page sends itself to the program, which listens on this machine.
		b, err := io.ReadAll(resp.Body)
		action := regexp.MustCompile(`<form method="post" action="(http://localhost:\d+/?)">`).FindSubmatch(b)
		if err != nil || action == nil {
			d.Errorf("signing in: %d %v", resp.StatusCode, err)
			return
		}
		form := url.Values{}
		for _, m := range regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`).FindAllSubmatch(b, -1) {
			form.Set(string(m[1]), html.UnescapeString(string(m[2])))
		}
		here := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		done, err := here.PostForm(string(action[1]), form)
		if err != nil {
			d.Errorf("the way back: %v", err)
			return
		}
		done.Body.Close()
		arrived = true
	}
}

// device does what a person on another device does.
func (d *desk) device(form url.Values) func(string) {
	return func(code string) {
		form.Set("user_code", code)
		azure := http.Client{Transport: d.s.Transport()}
		resp, err := azure.PostForm("https://login.microsoftonline.com/common/oauth2/deviceauth", form)
		if err != nil {
			d.Errorf("the code's page: %v", err)
			return
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err != nil || !bytes.Contains(b, []byte("You may now close this window")) {
			d.Errorf("the code's page: %v %s", err, b)
		}
	}
}

// sealed are the versions of the account's sealed token.
func (d *desk) sealed() (values []string) {
	w := d.s.World()
	w.Lock()
	defer w.Unlock()
	for _, v := range w.Vaults {
		for _, x := range v.Secrets {
			if x.Name == "svc-devops-pat-msal" {
				if v.Name != "kv-rekey" {
					d.Errorf("it lies in %s", v.Name)
				}
				for _, version := range x.Versions {
					values = append(values, version.Value)
				}
			}
		}
	}
	return values
}

func (d *desk) login(args ...string) []string {
	return append([]string{"login", "--account", "svc-devops-pat"}, args...)
}

// works wants an apply to make a PAT that belongs to the service account.
func (d *desk) works() {
	d.Helper()
	if code, out := d.apply(); code != cli.ExitDone {
		d.Fatalf("apply exits with %d: %s", code, out)
	}
	w := d.s.World()
	w.Lock()
	defer w.Unlock()
	if pats := w.Organizations[0].PATs; len(pats) == 0 || pats[len(pats)-1].OwnerID != w.Users[0].ID {
		d.Errorf("%d PATs, the last one not of the account", len(pats))
	}
}

func TestAPersonSignsInWithABrowserOnceAndRunsGoOnFromThere(t *testing.T) {
	d := newDesk(t)
	if code, out := d.apply(); code != cli.ExitPerson || !strings.Contains(out, "rekey login --account svc-devops-pat") {
		t.Errorf("apply before anybody signed in exits with %d: %s", code, out)
	}
	code, stdout, stderr := d.run(t.Context(), address, d.browse("svc-devops-pat"), d.login()...)
	if code != cli.ExitDone || stdout != "account svc-devops-pat is signed in; its token is sealed in secret svc-devops-pat-msal of vault kv-rekey.vault.azure.net\n" {
		t.Fatalf("login exits with %d: %s%s", code, stdout, stderr)
	}
	if len(d.sealed()) != 1 {
		t.Fatalf("%d versions are sealed", len(d.sealed()))
	}
	d.works()
	if status := d.consumerReads("kv-rekey", "svc-devops-pat-msal"); status != http.StatusForbidden {
		t.Errorf("a consumer that asks for the sealed token gets %d", status)
	}
	if status := d.consumerReads("kv-pat-prod", "devops-pat-token"); status != http.StatusOK {
		t.Errorf("a consumer that asks for the PAT gets %d, so the line above shows nothing", status)
	}
}

// consumerReads is what an app that may read the consumers' vault gets.
func (d *desk) consumerReads(vault, name string) int {
	d.Helper()
	w := d.s.World()
	w.Lock()
	app := w.Apps[slices.IndexFunc(w.Apps, func(a *world.App) bool { return a.Name == "consumer" })]
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}, "scope": {"https://vault.azure.net/.default"}}
	w.Unlock()
	azure := http.Client{Transport: d.s.Transport()}
	resp, err := azure.PostForm("https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", form)
	if err != nil {
		d.Fatal(err)
	}
	defer resp.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil {
		d.Fatal(err)
	}
	req, err := http.NewRequestWithContext(d.Context(), http.MethodGet, "https://"+vault+".vault.azure.net/secrets/"+name+"?api-version=7.4", nil)
	if err != nil {
		d.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.AccessToken)
	got, err := azure.Do(req)
	if err != nil {
		d.Fatal(err)
	}
	got.Body.Close()
	return got.StatusCode
}

func TestAPersonSignsInOnAnotherDevice(t *testing.T) {
	d := newDesk(t)
	d.s.World().Knobs.Entra.DeviceInterval = world.Duration(1e9)
	upn, password := d.user("svc-devops-pat")
	code, stdout, stderr := d.run(t.Context(), userCode, d.device(url.Values{"username": {upn}, "password": {password}}), d.login("--device-code")...)
	if code != cli.ExitDone || !strings.Contains(stdout, "is signed in") || !strings.Contains(stderr, "https://microsoft.com/devicelogin") {
		t.Fatalf("login exits with %d: %s%s", code, stdout, stderr)
	}
	d.works()
}

func TestASignInThatAPersonDeclinesSealsNothing(t *testing.T) {
	d := newDesk(t)
	d.s.World().Knobs.Entra.DeviceInterval = world.Duration(1e9)
	code, stdout, stderr := d.run(t.Context(), userCode, d.device(url.Values{"decline": {"1"}}), d.login("--device-code")...)
	if code == cli.ExitDone || stdout != "" || !strings.Contains(stderr, "rekey: error: sign in account svc-devops-pat") {
		t.Errorf("login exits with %d: %s%s", code, stdout, stderr)
	}
	if len(d.sealed()) != 0 {
		t.Error("something is sealed")
	}
}

func TestAnotherUserThanTheManifestNamesIsRefusedAndTheOldSealStays(t *testing.T) {
	d := newDesk(t)
	if code, stdout, stderr := d.run(t.Context(), address, d.browse("svc-devops-pat"), d.login()...); code != cli.ExitDone {
		t.Fatalf("login exits with %d: %s%s", code, stdout, stderr)
	}
	before := d.sealed()
	code, stdout, stderr := d.run(t.Context(), address, d.browse("alex"), d.login()...)
	if code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, "another user signed in than the manifest names") ||
		!strings.Contains(stderr, "sign in as svc-devops-pat@contoso.onmicrosoft.com") {
		t.Errorf("login as another exits with %d: %s%s", code, stdout, stderr)
	}
	if !slices.Equal(d.sealed(), before) {
		t.Error("the seal is another one now")
	}
	d.works()
}

func TestAnInterruptWhileTheBrowserIsOpenEndsTheProgram(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code, stdout, stderr := d.run(ctx, address, func(string) { cancel() }, d.login()...)
	if code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, "interrupted") || len(d.sealed()) != 0 {
		t.Errorf("login exits with %d: %s%s", code, stdout, stderr)
	}
}

func TestAnAccountWithAPasswordCannotBeSignedInByAPerson(t *testing.T) {
	d := newDesk(t)
	b, err := os.ReadFile("../../examples/pat/rekey.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := d.run(t.Context(), "", nil, d.login()...)
	if code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, "no tokenCache in the manifest") {
		t.Errorf("login exits with %d: %s%s", code, stdout, stderr)
	}
}

func TestASignInThatCannotBeSealedIsNotAskedFor(t *testing.T) {
	d := newDesk(t)
	w := d.s.World()
	w.RoleAssignments = slices.DeleteFunc(w.RoleAssignments, func(a *world.RoleAssignment) bool { return strings.HasSuffix(a.Scope, "/kv-rekey") })
	code, stdout, stderr := d.run(t.Context(), address, func(string) { t.Error("a person was sent to sign in") }, d.login()...)
	if code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, "Key Vault Secrets Officer") {
		t.Errorf("login exits with %d: %s%s", code, stdout, stderr)
	}
}
