package automation

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	rekey    = "a7bd7cea-133a-46cf-b58b-cab861acfaaf"
	operator = "f2e0aacb-a34c-4e63-8610-a801b9e1157f" // given Automation Operator by the bench
	nobody   = "d3099628-fc46-45e4-9edb-3bcb80025736"

	group = "/subscriptions/" + world.SubscriptionID + "/resourceGroups/rg-apps"
	at    = group + "/providers/Microsoft.Automation/automationAccounts/aa-platform"
	shop  = "https://kv-apps.vault.azure.net/secrets/shop-web"
)

// bench is the service over the built-in world, with a clock that stands still until it is advanced.
type bench struct {
	t *testing.T
	w *world.World
	s *Service
}

func newBench(t *testing.T) *bench {
	t.Helper()
	start := time.Date(2026, 11, 2, 12, 0, 0, 243_000_000, time.UTC)
	state := world.BuiltIn()
	state.RoleAssignments = append(state.RoleAssignments, &world.RoleAssignment{Name: "op", PrincipalID: operator, RoleID: world.RoleAutomationOperator, Scope: at})
	w := world.New(state, func() time.Time { return start })
	for name, id := range map[string]string{"rekey": rekey, "operator": operator, "nobody": nobody} {
		w.AddToken("token-of-"+name, world.Token{Tenant: world.TenantID, ObjectID: id, AppID: "app-of-" + name, Name: name, Audience: "https://management.azure.com", Expires: start.Add(90 * 24 * time.Hour)})
	}
	return &bench{t, w, New(w)}
}

type reply struct {
	status int
	text   string
	m      map[string]any
	call   wire.Call
}

func (b *bench) do(as, method, target, body string) reply {
	b.t.Helper()
	if !strings.HasPrefix(target, "/subscriptions/") {
		target = at + target
	}
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	r := httptest.NewRequest(method, "https://management.azure.com"+target+sep+"api-version=2023-11-01", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer token-of-"+as)
	out := reply{}
	rec := httptest.NewRecorder()
	b.s.ServeHTTP(rec, r.WithContext(wire.WithCall(r.Context(), &out.call)))
	out.status, out.text = rec.Code, rec.Body.String()
	if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(out.text), &out.m); err != nil {
			b.t.Fatalf("%s %s: %v in %s", method, target, err, out.text)
		}
	}
	return out
}

func (b *bench) want(status int, as, method, target, body string) reply {
	b.t.Helper()
	r := b.do(as, method, target, body)
	if r.status != status {
		b.t.Fatalf("%s %s as %s: %d %s; want %d", method, target, as, r.status, r.text, status)
	}
	return r
}

func (r reply) properties() map[string]any { return r.m["properties"].(map[string]any) }

func job(runbook, runOn, parameters string) string {
	return fmt.Sprintf(`{"properties":{"runbook":{"name":%q},"runOn":%q,"parameters":{%s}}}`, runbook, runOn, parameters)
}

const one = "/jobs/0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e6f"

func TestAJobIsStartedWatchedAndRead(t *testing.T) {
	b := newBench(t)
	b.w.Knobs.Automation.JobStartsAfter, b.w.Knobs.Automation.JobTakes = world.Duration(10*time.Second), world.Duration(20*time.Second)
	made := b.want(201, "operator", "PUT", one, job("Update-ShopCredential", "on-premises", `"SecretId":"`+shop+`"`)).properties()
	if made["status"] != "New" || made["provisioningState"] != "Processing" || made["runOn"] != "on-premises" || made["creationTime"] != "2026-11-02T12:00:00.243+00:00" || made["startTime"] != nil || made["startedBy"] != "operator" {
		t.Errorf("made %v", made)
	}
	for i, want := range []string{"New", "Activating", "Running", "Running", "Running", "Running", "Completed"} {
		got := b.want(200, "operator", "GET", one, "").properties()
		if got["status"] != want {
			t.Errorf("after %d s it is %v, want %s", 5*i, got["status"], want)
		}
		if got["parameters"].(map[string]any)["SecretId"] != shop {
			t.Errorf("its parameters are %v", got["parameters"])
		}
		b.w.Advance(5 * time.Second)
	}
	if got := b.want(200, "operator", "GET", one+"/output", ""); got.text != "The credential was updated." {
		t.Errorf("its output is %q", got.text)
	}
	listed := b.want(200, "operator", "GET", one+"/streams", "").m["value"].([]any)[0].(map[string]any)
	stream := listed["properties"].(map[string]any)
	if stream["streamText"] != nil || stream["streamType"] != "Output" {
		t.Errorf("its streams are %v", listed)
	}
	if got := b.want(200, "operator", "GET", one+"/streams/"+stream["jobStreamId"].(string), "").properties(); got["streamText"] != "The credential was updated." {
		t.Errorf("the stream is %v", got)
	}
	b.want(404, "operator", "GET", one+"/streams/none", "")
	if got := b.want(200, "operator", "GET", "/jobs?$filter=properties/status%20eq%20'Completed'", "").m["value"].([]any); len(got) != 1 {
		t.Errorf("completed are %v", got)
	}
	if got := b.want(200, "operator", "GET", "/jobs?$filter=properties/status%20eq%20'Failed'", "").m["value"].([]any); len(got) != 0 {
		t.Errorf("failed are %v", got)
	}
	b.want(400, "operator", "GET", "/jobs?$filter=nonsense", "")
	b.w.Advance(29 * 24 * time.Hour)
	b.want(200, "operator", "GET", one, "")
	b.w.Advance(24 * time.Hour)
	b.want(404, "operator", "GET", one, "")
}

func TestAJobThatFailedSaysWhyInExceptionAndErrorStream(t *testing.T) {
	b := newBench(t)
	b.want(201, "operator", "PUT", one, job("Set-ReportingSecret", "", `"ClientSecret":"a wrong value"`))
	got := b.want(200, "operator", "GET", one, "").properties()
	if got["status"] != "Failed" || !strings.Contains(got["exception"].(string), "AADSTS7000215") || got["provisioningState"] != "Failed" {
		t.Errorf("it is %v", got)
	}
	if s := b.want(200, "operator", "GET", one+"/streams?$filter=properties/streamType%20eq%20'Error'", "").m["value"].([]any); len(s) != 1 {
		t.Errorf("its errors are %v", s)
	}
	b.want(201, "operator", "PUT", "/jobs/second", job("Update-ShopCredential", "", `"Environment":"test"`))
	if got := b.want(200, "operator", "GET", "/jobs/second", "").properties(); !strings.Contains(got["exception"].(string), "mandatory parameters: SecretId") {
		t.Errorf("without a mandatory parameter it is %v", got)
	}
}

func TestTheSameJobIsOneJobAndAnotherIsAConflict(t *testing.T) {
	b := newBench(t)
	body := job("Set-ReportingSecret", "", "")
	first := b.want(201, "operator", "PUT", one, body).properties()["jobId"]
	b.w.Advance(time.Minute)
	if again := b.want(201, "operator", "PUT", one, body).properties()["jobId"]; again != first || len(b.w.AutomationAccounts[0].Jobs) != 1 {
		t.Errorf("it is %v, then %v", first, again)
	}
	for _, other := range []string{job("Restart-Workers", "", ""), job("Set-ReportingSecret", "on-premises", ""), job("Set-ReportingSecret", "", `"SecretId":"x"`)} {
		if got := b.want(409, "operator", "PUT", one, other); got.m["code"] != "Conflict" {
			t.Errorf("refused with %s, which is not flat", got.text)
		}
	}
	b.w.Knobs.Automation.RepeatedJob = "conflict"
	b.want(409, "operator", "PUT", one, body)
}

func TestWhatCannotBeStarted(t *testing.T) {
	b := newBench(t)
	b.w.AutomationAccounts[0].Runbooks[2].State = "New"
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf(`"p%d":"x"`, i)
	}
	for why, c := range map[string]struct {
		body   string
		status int
	}{
		"a runbook that is not there":       {job("absent", "", ""), 404},
		"a runbook that is not published":   {job("Restart-Workers", "", ""), 400},
		"no runbook":                        {`{"properties":{}}`, 400},
		"no JSON":                           {`{`, 400},
		"a worker group that is not there":  {job("Set-ReportingSecret", "absent", ""), 400},
		"more parameters than a job takes":  {job("Set-ReportingSecret", "", strings.Join(many, ",")), 400},
		"more in them than a job takes":     {job("Set-ReportingSecret", "", `"ClientSecret":"`+strings.Repeat("x", 512<<10)+`"`), 400},
		"a worker group of dead workers is": {job("Set-ReportingSecret", "decommissioned", ""), 201},
	} {
		if got := b.do("operator", "PUT", "/jobs/"+strings.ReplaceAll(why, " ", "-"), c.body); got.status != c.status || got.m["error"] != nil {
			t.Errorf("%s: %d %s; want %d, flat", why, got.status, got.text, c.status)
		}
	}
	b.w.Advance(time.Hour)
	if got := b.want(200, "operator", "GET", "/jobs/a-worker-group-of-dead-workers-is", "").properties()["status"]; got != "New" {
		t.Errorf("dead workers made it %v", got)
	}
	b.want(200, "operator", "POST", "/jobs/a-worker-group-of-dead-workers-is/stop", "")
	b.want(400, "operator", "POST", "/jobs/a-worker-group-of-dead-workers-is/stop", "")
	if got := b.want(200, "operator", "GET", "/jobs/a-worker-group-of-dead-workers-is", "").properties()["status"]; got != "Stopped" {
		t.Errorf("stopped, it is %v", got)
	}
}

func TestAnAccountTakes100NewJobsIn30Seconds(t *testing.T) {
	b := newBench(t)
	start := func(i int) int {
		return b.do("operator", "PUT", fmt.Sprint("/jobs/n", i), job("Restart-Workers", "", "")).status
	}
	for i := range 100 {
		if got := start(i); got != 201 {
			t.Fatalf("job %d: %d", i, got)
		}
	}
	if got := start(100); got != 429 {
		t.Errorf("one more: %d", got)
	}
	b.w.Advance(30 * time.Second)
	if got := start(100); got != 201 {
		t.Errorf("half a minute later: %d", got)
	}
	b.w.Knobs.Automation.Unthrottled = true
	for i := range 150 {
		if got := start(200 + i); got != 201 {
			t.Fatalf("without limits: %d", got)
		}
	}
}

func TestRunbooksAndWorkerGroupsAreRead(t *testing.T) {
	b := newBench(t)
	got := b.want(200, "operator", "GET", "/runbooks/set-reportingsecret", "").properties()
	p := got["parameters"].(map[string]any)
	if len(p) != 2 || p["ClientSecret"].(map[string]any)["isMandatory"] != false || got["state"] != "Published" {
		t.Errorf("the runbook is %v", got)
	}
	if p := b.want(200, "operator", "GET", "/runbooks/Update-ShopCredential", "").properties()["parameters"].(map[string]any); p["ClientSecret"] != nil || p["SecretId"].(map[string]any)["isMandatory"] != true {
		t.Errorf("parameters %v", p)
	}
	for target, n := range map[string]int{"/runbooks": 3, "/hybridRunbookWorkerGroups": 2} {
		if got := b.want(200, "operator", "GET", target, "").m["value"].([]any); len(got) != n {
			t.Errorf("%s has %d", target, len(got))
		}
	}
	b.want(200, "operator", "GET", "/hybridRunbookWorkerGroups/On-Premises", "")
	b.want(404, "operator", "GET", "/hybridRunbookWorkerGroups/absent", "")
	b.want(404, "operator", "GET", "/runbooks/absent", "")
	for _, scope := range []string{group, "/subscriptions/" + world.SubscriptionID} {
		target := scope + "/providers/Microsoft.Automation/automationAccounts"
		b.want(403, "operator", "GET", target, "")
		b.w.RoleAssignments = append(b.w.RoleAssignments, &world.RoleAssignment{PrincipalID: nobody, RoleID: world.RoleReader, Scope: scope})
		if got := b.want(200, "nobody", "GET", target, "").m["value"].([]any); len(got) != 1 {
			t.Errorf("%s has %d accounts", scope, len(got))
		}
	}
}

func TestAnEncryptedVariableIsWrittenAndNeverAnswered(t *testing.T) {
	b := newBench(t)
	put := func(name, value, more string) string {
		return fmt.Sprintf(`{"name":%q,"properties":{"value":%q%s}}`, name, value, more)
	}
	secret := func() string { return b.w.AutomationAccounts[0].Variable("ReportingSecret").Value }
	for _, r := range []reply{
		b.want(200, "rekey", "GET", "/variables/ReportingSecret", ""),
		b.want(200, "rekey", "PUT", "/variables/ReportingSecret", put("ReportingSecret", `"a new value"`, "")),
		b.want(200, "rekey", "PATCH", "/variables/ReportingSecret", put("ReportingSecret", `"a newer value"`, `,"description":"d"`)),
		b.want(201, "rekey", "PUT", "/variables/Another", put("Another", `"another value"`, `,"isEncrypted":true`)),
		b.want(200, "rekey", "GET", "/variables", ""),
	} {
		if strings.Contains(r.text, `value\"`) || strings.Contains(r.text, world.Canary) {
			t.Errorf("answered %s", r.text)
		}
	}
	if secret() != `"a newer value"` || b.want(200, "rekey", "GET", "/variables/ReportingSecret", "").properties()["description"] != "d" {
		t.Errorf("stored %s", secret())
	}
	if got := b.want(200, "rekey", "GET", "/variables/ReportingUrl", "").properties()["value"]; got != `"https://reporting.contoso.example"` {
		t.Errorf("a plain variable is %v", got)
	}
	b.want(400, "rekey", "PUT", "/variables/ReportingSecret", put("ReportingSecret", `not JSON`, ""))
	b.want(400, "rekey", "PUT", "/variables/ReportingSecret", put("ReportingSecret", `"x"`, `,"isEncrypted":false`))
	b.want(400, "rekey", "PUT", "/variables/ReportingSecret", put("Misnamed", `"x"`, ""))
	b.want(404, "rekey", "PATCH", "/variables/absent", put("absent", `"x"`, ""))
	b.want(404, "rekey", "GET", "/variables/absent", "")
	b.w.Knobs.Automation.Ignore = true
	b.want(200, "rekey", "PATCH", "/variables/ReportingSecret", put("ReportingSecret", `"never stored"`, ""))
	b.want(200, "rekey", "PUT", "/variables/ReportingSecret", put("ReportingSecret", `"never stored"`, ""))
	if secret() != `"a newer value"` {
		t.Error("the knob ignores nothing")
	}
}

func TestACredentialIsWrittenWithoutItsPasswordInAnAnswer(t *testing.T) {
	b := newBench(t)
	x := b.w.AutomationAccounts[0].Credentials[0]
	const in = `{"name":"Reporting","properties":{"userName":"u","password":"a new password","description":"d"}}`
	for _, r := range []reply{
		b.want(200, "rekey", "PUT", "/credentials/Reporting", in),
		b.want(201, "rekey", "PUT", "/credentials/New", strings.Replace(in, `"Reporting"`, `"New"`, 1)),
		b.want(200, "rekey", "GET", "/credentials/Reporting", ""),
		b.want(200, "rekey", "GET", "/credentials", ""),
		b.want(200, "rekey", "PATCH", "/credentials/Reporting", `{"properties":{"password":"a newer password"}}`),
	} {
		if strings.Contains(r.text, "password") {
			t.Errorf("answered %s", r.text)
		}
	}
	if x.Password != "a newer password" || x.UserName != "u" || x.Description != "d" {
		t.Errorf("stored %+v", x)
	}
	b.want(400, "rekey", "PUT", "/credentials/Reporting", `{"name":"Reporting","properties":{"userName":"u"}}`)
	b.want(404, "rekey", "PATCH", "/credentials/absent", `{"properties":{"password":"x"}}`)
	b.want(404, "rekey", "GET", "/credentials/absent", "")
	b.w.Knobs.Automation.Ignore = true
	b.want(200, "rekey", "PUT", "/credentials/Reporting", in)
	if x.Password != "a newer password" {
		t.Error("the knob ignores nothing")
	}
}

func TestEveryOperationNeedsItsAction(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ method, target, action, operation string }{
		{"GET", "", "read", "GetAutomationAccount"},
		{"GET", "/runbooks/x", "runbooks/read", "GetRunbook"},
		{"GET", "/hybridRunbookWorkerGroups/x", "hybridRunbookWorkerGroups/read", "GetWorkerGroup"},
		{"PUT", one, "jobs/write", "CreateJob"},
		{"GET", one, "jobs/read", "GetJob"},
		{"GET", one + "/output", "jobs/output/read", "GetJobOutput"},
		{"GET", one + "/streams", "jobs/streams/read", "ListJobStreams"},
		{"POST", one + "/stop", "jobs/stop/action", "StopJob"},
		{"PUT", "/variables/x", "variables/write", "PutVariable"},
		{"GET", "/variables/x", "variables/read", "GetVariable"},
		{"PATCH", "/credentials/x", "credentials/write", "UpdateCredential"},
	} {
		got := b.want(403, "nobody", c.method, c.target, "{}")
		e := got.m["error"].(map[string]any)
		if e["code"] != "AuthorizationFailed" || !strings.Contains(e["message"].(string), "'Microsoft.Automation/automationAccounts/"+c.action+"' over scope '"+at+"'") {
			t.Errorf("%s %s: %s", c.method, c.target, got.text)
		}
		if got.call.Principal != "nobody" {
			t.Errorf("the log has principal %q", got.call.Principal)
		}
		if name := b.s.Operation(httptest.NewRequest(c.method, "https://management.azure.com"+at+c.target, nil)); name != c.operation {
			t.Errorf("%s %s is %s", c.method, c.target, name)
		}
	}
	// An operator starts jobs and touches no asset.
	b.want(403, "operator", "PUT", "/variables/x", "{}")
	b.want(403, "operator", "GET", "/credentials", "")
}

func TestTheGatewayRefusesFirst(t *testing.T) {
	b := newBench(t)
	get := func(target, auth string) reply {
		r := httptest.NewRequest("GET", "https://management.azure.com"+target, nil)
		r.Header.Set("Authorization", auth)
		rec := httptest.NewRecorder()
		b.s.ServeHTTP(rec, r)
		out := reply{status: rec.Code, text: rec.Body.String()}
		json.Unmarshal(rec.Body.Bytes(), &out.m)
		if challenged := strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "Bearer authorization_uri="); challenged != (rec.Code == 401) {
			t.Errorf("%s is challenged: %t", target, challenged)
		}
		return out
	}
	b.w.AddToken("token-for-graph", world.Token{Tenant: world.TenantID, ObjectID: rekey, Audience: "https://graph.microsoft.com", Expires: b.w.Now().Add(time.Hour)})
	b.w.AddToken("token-of-another-tenant", world.Token{Tenant: "another", ObjectID: rekey, Audience: "https://management.azure.com", Expires: b.w.Now().Add(time.Hour)})
	b.w.AddToken("old-token", world.Token{Tenant: world.TenantID, ObjectID: rekey, Audience: "https://management.azure.com", Expires: b.w.Now()})
	const v = "?api-version=2023-11-01"
	for _, c := range []struct {
		why, target, auth string
		status            int
		code              string
	}{
		{"no token", at + v, "", 401, "AuthenticationFailed"},
		{"a token that was never issued", at + v, "Bearer x", 401, "InvalidAuthenticationToken"},
		{"a token for something else", at + v, "Bearer token-for-graph", 401, "InvalidAuthenticationTokenAudience"},
		{"a token that has expired", at + v, "Bearer old-token", 401, "ExpiredAuthenticationToken"},
		{"a token of another tenant", at + v, "Bearer token-of-another-tenant", 401, "InvalidAuthenticationTokenTenant"},
		{"no version", at, "Bearer token-of-rekey", 400, "MissingApiVersionParameter"},
		{"a version that is none", at + "?api-version=7.1", "Bearer token-of-rekey", 400, "InvalidApiVersionParameter"},
		{"a subscription that is none", strings.Replace(at, world.SubscriptionID, "x", 1) + v, "Bearer token-of-rekey", 400, "InvalidSubscriptionId"},
		{"a subscription that is not there", strings.Replace(at, world.SubscriptionID, "0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e6f", 1) + v, "Bearer token-of-rekey", 404, "SubscriptionNotFound"},
		{"a resource group that is not there", strings.Replace(at, "rg-apps", "rg-none", 1) + v, "Bearer token-of-rekey", 404, "ResourceGroupNotFound"},
		{"an account that is not there", at + "x" + v, "Bearer token-of-rekey", 403, "AuthorizationFailed"},
		{"something that is not built", at + "/schedules" + v, "Bearer token-of-rekey", 501, "NotImplemented"},
	} {
		got := get(c.target, c.auth)
		if e, _ := got.m["error"].(map[string]any); got.status != c.status || e["code"] != c.code {
			t.Errorf("%s: %d %s; want %d %s", c.why, got.status, got.text, c.status, c.code)
		}
	}
}
