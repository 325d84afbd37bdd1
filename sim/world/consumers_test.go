package world

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// noon is a built-in world whose clock stands still until it is advanced.
func noon(t *testing.T) *World {
	t.Helper()
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	w := New(BuiltIn(), func() time.Time { return at })
	w.Lock()
	t.Cleanup(w.Unlock)
	return w
}

// later is Advance for a world that the test has locked.
func (w *World) later(d time.Duration) { w.offset += d }

func (w *World) app(clientID string) *App {
	return w.Apps[slices.IndexFunc(w.Apps, func(a *App) bool { return a.ClientID == clientID })]
}

func TestEveryConsumerOfTheBuiltInWorldHoldsWhatWorks(t *testing.T) {
	w := noon(t)
	kinds := map[string]int{}
	for _, h := range w.Holdings() {
		kinds[h.Kind]++
		if tried := w.Works(h); !tried.Works {
			t.Errorf("%s %s %s: %s", h.Kind, h.Consumer, h.Name, tried.Why)
		}
	}
	want := map[string]int{"service-connection": 6, "variable-group": 4, "runbook": 2, "automation-variable": 1, "automation-credential": 1, "api-connection": 2, "app-service": 3}
	for kind, n := range want {
		if kinds[kind] != n {
			t.Errorf("%d of kind %s, want %d", kinds[kind], kind, n)
		}
	}
	if len(w.Holders(w.app(AppDeploy).ClientSecret)) != 1 || len(w.Holders("nothing that anybody holds")) != 0 {
		t.Error("who holds a value is not found")
	}
}

func TestAValueIsTriedWhereItIsUsed(t *testing.T) {
	w := noon(t)
	app := w.app(AppBilling)
	pat := w.Organizations[1].PATs[0]
	user := w.Users[0]
	now := w.Now()
	shop := "https://kv-apps.vault.azure.net/secrets/shop-web"
	for _, c := range []struct {
		why    string
		change func()
		value  string
		use    Target
		want   string // "" works
	}{
		{"a live client secret", nil, app.ClientSecret, Target{ClientID: AppBilling, TenantID: TenantID}, ""},
		{"a tenant by its domain", nil, app.ClientSecret, Target{ClientID: AppBilling, TenantID: "contoso.onmicrosoft.com"}, ""},
		{"another app's secret", nil, app.ClientSecret, Target{ClientID: AppDeploy}, "AADSTS7000215"},
		{"an app that is not in that tenant", nil, app.ClientSecret, Target{ClientID: AppBilling, TenantID: "elsewhere"}, "AADSTS700016"},
		{"a secret that is too new", func() { app.Secrets[0].Created, w.Knobs.Entra.NewSecretDelay = now, Duration(time.Minute) }, app.ClientSecret, Target{ClientID: AppBilling}, "AADSTS7000215"},
		{"a secret that starts tomorrow", func() { app.Secrets[0].Created, app.Secrets[0].Start = time.Time{}, now.Add(time.Hour) }, app.ClientSecret, Target{ClientID: AppBilling}, "AADSTS7000215"},
		{"an expired secret", func() { app.Secrets[0].Start, app.Secrets[0].End = now.Add(-2*time.Hour), now }, app.ClientSecret, Target{ClientID: AppBilling}, "AADSTS7000222"},
		{"a disabled app", func() { app.Disabled = true }, app.ClientSecret, Target{ClientID: AppBilling}, "AADSTS7000112"},
		{"a live PAT", nil, pat.Token, Target{Organization: "Fabrikam"}, ""},
		{"a PAT of another organisation", nil, pat.Token, Target{Organization: "contoso"}, "TF400813"},
		{"a PAT that anything would take", nil, pat.Token, Target{}, ""},
		{"a revoked PAT that lives on", func() { pat.Revoked, w.Knobs.DevOps.RevokeLatency = now, Duration(time.Minute) }, pat.Token, Target{Organization: "fabrikam"}, ""},
		{"a revoked PAT", func() { w.Knobs.DevOps.RevokeLatency = 0 }, pat.Token, Target{Organization: "fabrikam"}, "TF400813"},
		{"a dead PAT that nothing takes", nil, pat.Token, Target{}, "nothing"},
		{"a password", nil, user.Password, Target{User: user.UPN}, ""},
		{"another password", nil, "Another.Password", Target{User: user.UPN}, "AADSTS50126"},
		{"the newest version", nil, w.Vaults[2].Secrets[1].Versions[0].Value, Target{Secret: shop}, ""},
		{"an older version", func() {
			s := w.Vaults[2].Secrets[1]
			s.Versions = append(s.Versions, &SecretVersion{ID: "2", Value: "the newer value", Created: now})
		}, w.Vaults[2].Secrets[1].Versions[0].Value, Target{Secret: shop}, "newest"},
		{"no value", nil, "", Target{}, "no value"},
	} {
		if c.change != nil {
			c.change()
		}
		if got := w.Try(c.value, c.use); got.Works != (c.want == "") || !strings.Contains(got.Why, c.want) {
			t.Errorf("%s: %+v; want %q", c.why, got, c.want)
		}
	}
}

// startJob starts the runbook as the service would.
func startJob(w *World, runbook, runOn string, parameters map[string]string) *Job {
	a := w.AutomationAccounts[0]
	j := &Job{Name: w.NewID(), ID: w.NewID(), Runbook: runbook, RunOn: runOn, Parameters: parameters, Created: w.Now(), Status: "New", Changed: w.Now()}
	a.Jobs = append(a.Jobs, j)
	return j
}

func TestAJobEndsAsItsScriptAndTheWorldSay(t *testing.T) {
	const (
		shop      = "https://kv-apps.vault.azure.net/secrets/shop-web"
		reporting = "https://kv-apps.vault.azure.net/secrets/reporting-finance/5e0d7c6b4a3928171605f4e3d2c1b0a9"
	)
	for _, c := range []struct {
		why        string
		change     func(*World)
		runbook    string
		runOn      string
		parameters map[string]string
		status     string
		exception  string
		hands      bool // the runbook's system has the value
	}{
		{"reads the vault as the account", nil, "Update-ShopCredential", "", map[string]string{"SecretId": shop}, "Completed", "", true},
		{"reads the vault as the worker", nil, "Update-ShopCredential", "on-premises", map[string]string{"secretid": shop}, "Completed", "", true},
		{"reads one version", nil, "Set-ReportingSecret", "", map[string]string{"SecretId": reporting}, "Completed", "", true},
		{"takes the value itself", func(w *World) { w.AutomationAccounts[0].IdentityID = "" }, "Set-ReportingSecret", "", map[string]string{"ClientSecret": "Fi18Q~" + Canary + "R3portingFinance2345672"}, "Completed", "", true},
		{"is given nothing", nil, "Set-ReportingSecret", "", nil, "Completed", "", false},
		{"may not read", func(w *World) { w.RoleAssignments = nil }, "Update-ShopCredential", "", map[string]string{"SecretId": shop}, "Failed", "Forbidden", false},
		{"finds no such secret", nil, "Update-ShopCredential", "", map[string]string{"SecretId": "https://kv-apps.vault.azure.net/secrets/absent"}, "Failed", "NotFound", false},
		{"finds no such vault", nil, "Update-ShopCredential", "", map[string]string{"SecretId": "https://kv-none.vault.azure.net/secrets/absent"}, "Failed", "No such host", false},
		{"has no such parameter", nil, "Update-ShopCredential", "", map[string]string{"Nonsense": "x"}, "Failed", "'Nonsense'", false},
		{"finds that the value does not work", func(w *World) { w.app(AppShop).Disabled = true }, "Update-ShopCredential", "", map[string]string{"SecretId": shop}, "Failed", "AADSTS7000112", false},
		{"does not try the value", func(w *World) {
			w.app(AppShop).Disabled, w.Knobs.Automation.JobOutcome = true, "careless"
		}, "Update-ShopCredential", "", map[string]string{"SecretId": shop}, "Completed", "", true},
		{"is broken", func(w *World) { w.AutomationAccounts[0].Runbooks[0].Script.Outcome = "Suspended" }, "Update-ShopCredential", "", map[string]string{"SecretId": shop}, "Suspended", "Suspended", false},
		{"does nothing and says so to nobody", func(w *World) { w.Knobs.Automation.JobOutcome = "nothing" }, "Update-ShopCredential", "", map[string]string{"SecretId": shop}, "Completed", "", false},
		{"hangs", func(w *World) { w.Knobs.Automation.JobOutcome = "hang" }, "Update-ShopCredential", "", map[string]string{"SecretId": shop}, "Running", "", false},
		{"is not fetched by dead workers", nil, "Update-ShopCredential", "decommissioned", map[string]string{"SecretId": shop}, "New", "", false},
		{"is suspended when nobody fetches it", func(w *World) {
			w.Knobs.Automation.DeadWorkers, w.Knobs.Automation.UnfetchedSuspends = []string{"*"}, Duration(time.Minute)
		}, "Update-ShopCredential", "on-premises", map[string]string{"SecretId": shop}, "Suspended", "not fetched", false},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := noon(t)
			a := w.AutomationAccounts[0]
			a.Runbook(c.runbook).Holds = "the old value"
			if c.change != nil {
				c.change(w)
			}
			j := startJob(w, c.runbook, c.runOn, c.parameters)
			w.later(time.Minute)
			w.SettleJobs()
			if j.Status != c.status || !strings.Contains(j.Exception, c.exception) || (j.Exception == "") != (c.exception == "") {
				t.Errorf("%s: %q; want %s: %q", j.Status, j.Exception, c.status, c.exception)
			}
			if handed := a.Runbook(c.runbook).Holds != "the old value"; handed != c.hands {
				t.Errorf("the value was handed on: %t", handed)
			}
		})
	}
}

func TestAJobTakesItsTimeAndReadsTheVaultWhenItStarts(t *testing.T) {
	w := noon(t)
	w.Knobs.Automation.JobStartsAfter, w.Knobs.Automation.JobTakes = Duration(10*time.Second), Duration(20*time.Second)
	w.AutomationAccounts[0].Runbooks[0].Script.Use = Target{}
	w.AutomationAccounts[0].Runbooks[0].Script.Outcome = "careless"
	secret := w.Vaults[2].Secrets[1]
	put := func(value string) {
		secret.Versions = append(secret.Versions, &SecretVersion{ID: w.NewVersion(), Value: value, Created: w.Now()})
	}
	j := startJob(w, "Update-ShopCredential", "", map[string]string{"SecretId": "https://kv-apps.vault.azure.net/secrets/shop-web"})
	var seen []string
	for i := range 8 {
		if w.SettleJobs(); len(seen) == 0 || seen[len(seen)-1] != j.Status {
			seen = append(seen, j.Status)
		}
		if i == 1 {
			put("a value before it starts")
		}
		if i == 2 {
			w.later(time.Second)
			put("a value after it has started")
			w.later(-time.Second)
		}
		w.later(5 * time.Second)
	}
	if got := strings.Join(seen, " "); got != "New Activating Running Completed" {
		t.Errorf("its statuses were %s", got)
	}
	if got := w.AutomationAccounts[0].Runbooks[0].Holds; got != "a value before it starts" {
		t.Errorf("it handed on %q", got)
	}
	if d := j.Ended.Sub(j.Created); d != 30*time.Second {
		t.Errorf("it took %v", d)
	}
	w.later(JobsKept)
	if w.SettleJobs(); len(w.AutomationAccounts[0].Jobs) != 0 {
		t.Error("it is still there after 30 days")
	}
}

func TestAWorldFileWithWrongConsumersSaysWhere(t *testing.T) {
	for why, c := range map[string]struct {
		edit func(*State)
		want string
	}{
		"a connection without a project":         {func(s *State) { s.Organizations[0].ServiceEndpoints[0].Projects = nil }, "organizations[0].serviceEndpoints[0].projects is missing"},
		"a connection in a project that is none": {func(s *State) { s.Organizations[0].ServiceEndpoints[0].Projects[0].ProjectID = "x" }, `serviceEndpoints[0].projects[0].projectId "x"`},
		"two variable groups with one id":        {func(s *State) { s.Organizations[0].VariableGroups[1].ID = GroupPlain }, "variableGroups[1].id"},
		"a group of an unknown type":             {func(s *State) { s.Organizations[0].VariableGroups[0].Type = "Vault" }, "variableGroups[0].type"},
		"an account that runs as nobody":         {func(s *State) { s.AutomationAccounts[0].IdentityID = "x" }, "automationAccounts[0].identityId"},
		"two runbooks of one name":               {func(s *State) { s.AutomationAccounts[0].Runbooks[1].Name = "update-shopcredential" }, "runbooks[1].name"},
		"an outcome that there is not":           {func(s *State) { s.AutomationAccounts[0].Runbooks[0].Script.Outcome = "Sad" }, "runbooks[0].script.outcome"},
		"a connection without a connector":       {func(s *State) { s.Connections[0].API = "" }, "connections[0].api is missing"},
		"a connection in an unknown group":       {func(s *State) { s.Connections[0].ResourceGroup = "x" }, "connections[0].resourceGroup"},
		"an app that reads as nobody":            {func(s *State) { s.Sites[0].IdentityID = "x" }, "sites[0].identityId"},
		"two slots of one name":                  {func(s *State) { s.Sites[1].Slot = "" }, "sites[1].name"},
	} {
		s := BuiltIn()
		c.edit(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", why, err, c.want)
		}
	}
}

func TestKnobsOfConsumersAreReadFromJSON(t *testing.T) {
	var k Knobs
	const in = `{"endpoints":{"busyFor":"30s","automaticKey":"ignore"},"variableGroups":{"loseNull":true},"automation":{"deadWorkers":["*"]},"connections":{"testTells":true}}`
	if err := Strict([]byte(in), &k); err != nil || k.Endpoints.BusyFor != Duration(30*time.Second) || !k.VariableGroups.LoseNull || !k.Connections.TestTells || len(k.Automation.DeadWorkers) != 1 {
		t.Errorf("%v: %+v", err, k)
	}
	if b, err := json.Marshal(k); err != nil || Strict(b, &k) != nil {
		t.Errorf("they are not read back: %s, %v", b, err)
	}
}
