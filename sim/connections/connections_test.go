package connections

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	rekey  = "a7bd7cea-133a-46cf-b58b-cab861acfaaf"
	nobody = "d3099628-fc46-45e4-9edb-3bcb80025736"

	all       = "/subscriptions/" + world.SubscriptionID + "/resourceGroups/rg-apps/providers/Microsoft.Web/connections"
	reporting = all + "/reporting-keyvault"
	warehouse = all + "/warehouse-sql"
)

type bench struct {
	t     *testing.T
	w     *world.World
	s     *Service
	value string // what the built-in connections sign in with
}

func newBench(t *testing.T) *bench {
	t.Helper()
	start := time.Date(2026, 11, 2, 12, 0, 0, 502_120_000, time.UTC)
	w := world.New(world.BuiltIn(), func() time.Time { return start })
	for name, id := range map[string]string{"rekey": rekey, "nobody": nobody} {
		w.AddToken("token-of-"+name, world.Token{Tenant: world.TenantID, ObjectID: id, AppID: "app-of-" + name, Name: name, Audience: "https://management.azure.com", Expires: start.Add(time.Hour)})
	}
	return &bench{t, w, New(w), w.Connections[0].Value("token:clientSecret")}
}

type reply struct {
	status int
	text   string
	m      map[string]any
}

func (b *bench) do(as, method, target, body string) reply {
	b.t.Helper()
	if !strings.Contains(target, "?") {
		target += "?api-version=2016-06-01"
	}
	r := httptest.NewRequest(method, "https://management.azure.com"+target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer token-of-"+as)
	rec := httptest.NewRecorder()
	b.s.ServeHTTP(rec, r)
	out := reply{status: rec.Code, text: rec.Body.String()}
	if out.text != "" {
		if err := json.Unmarshal([]byte(out.text), &out.m); err != nil {
			b.t.Fatalf("%s %s: %v in %s", method, target, err, out.text)
		}
	}
	// A test that was refused repeats what Entra ID said, which names the client.
	tested := strings.Contains(target, "testconnection") || strings.Contains(target, "dynamicInvoke")
	if strings.Contains(out.text, world.Canary) || !tested && strings.Contains(out.text, world.AppReporting) {
		b.t.Errorf("%s %s answers a parameter value", method, target)
	}
	return out
}

func (b *bench) want(status int, method, target, body string) reply {
	b.t.Helper()
	r := b.do("rekey", method, target, body)
	if r.status != status {
		b.t.Fatalf("%s %s: %d %s; want %d", method, target, r.status, r.text, status)
	}
	return r
}

func (r reply) properties() map[string]any { return r.m["properties"].(map[string]any) }

// state is the status of the answer, with its error's code.
func (r reply) state() string {
	s := r.properties()["statuses"].([]any)[0].(map[string]any)
	out := s["status"].(string)
	if e, ok := s["error"].(map[string]any); ok {
		out += " " + e["properties"].(map[string]any)["code"].(string)
	}
	return out
}

func (b *bench) link(r reply) string {
	l := r.properties()["testLinks"].([]any)[0].(map[string]any)
	return strings.TrimPrefix(l["requestUri"].(string), "https://management.azure.com:443")
}

func flat(secret string) string {
	return fmt.Sprintf(`"parameterValues":{"token:clientId":%q,"token:clientSecret":%q,"token:TenantId":%q,"token:grantType":"client_credentials"}`, world.AppReporting, secret, world.TenantID)
}

func set(secret, form string) string {
	v := func(s string) string { return fmt.Sprintf(form, s) }
	return `"parameterValueSet":{"name":"oauthSP","values":{"token:clientId":` + v(world.AppReporting) + `,"token:clientSecret":` + v(secret) + `,"token:TenantId":` + v(world.TenantID) + `,"token:grantType":` + v("client_credentials") + `}}`
}

func put(api, members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"location":"West Europe","properties":{"displayName":"Reporting","api":{"id":"/subscriptions/` + world.SubscriptionID + `/providers/Microsoft.Web/locations/westeurope/managedApis/` + api + `"}` + members + `}}`
}

func TestAConnectionIsReplacedAndTestedByItsLink(t *testing.T) {
	b := newBench(t)
	before := b.want(200, "GET", reporting, "")
	if before.state() != "Connected" || before.properties()["createdTime"] != "1999-09-01T08:00:00Z" || before.properties()["nonSecretParameterValues"].(map[string]any)["vaultName"] != "kv-apps" {
		t.Errorf("read %s", before.text)
	}
	b.want(200, "GET", b.link(before), "")
	after := b.want(200, "PUT", reporting, put("keyvault", flat("a wrong secret")+`,"nonSecretParameterValues":{"vaultName":"kv-apps"}`))
	if after.state() != "Connected" || after.properties()["changedTime"] != "2026-11-02T12:00:00.50212Z" || after.properties()["createdTime"] != "1999-09-01T08:00:00Z" {
		t.Errorf("written %s", after.text)
	}
	if got := b.want(401, "GET", b.link(after), ""); !strings.Contains(got.text, "AADSTS7000215") {
		t.Errorf("its test says %s", got.text)
	}
	if b.want(200, "GET", reporting, "").state() != "Connected" {
		t.Error("the status tells of a test")
	}
	b.want(200, "PUT", reporting, put("keyvault", flat(b.value)))
	b.want(200, "GET", b.link(after), "")
	if got := b.want(200, "GET", reporting, "").properties()["nonSecretParameterValues"].(map[string]any); len(got) != 0 {
		t.Errorf("what was not sent is still there: %v", got)
	}
	if got := b.w.Holders(b.value); len(got) < 2 {
		t.Errorf("held by %v", got)
	}
	made := b.want(201, "PUT", all+"/another", put("keyvault", flat(b.value)))
	b.want(200, "GET", b.link(made), "")
	if got := b.want(200, "GET", all, "").m["value"].([]any); len(got) != 3 {
		t.Errorf("the list has %d", len(got))
	}
	b.want(200, "DELETE", all+"/another", "")
	b.want(204, "DELETE", all+"/another", "")
	b.want(404, "GET", all+"/another", "")
}

func TestWhatIsPutDecidesTheStatusAndTheTest(t *testing.T) {
	for why, c := range map[string]struct {
		target, api, members string
		knobs                world.ConnectionKnobs
		status               int
		state                string // or the code of a refusal
		test                 int
	}{
		"all four values":                          {reporting, "keyvault", "FLAT", world.ConnectionKnobs{}, 200, "Connected", 200},
		"none of them":                             {reporting, "keyvault", "", world.ConnectionKnobs{}, 200, "Error Unauthenticated", 401},
		"none of them, and they are kept":          {reporting, "keyvault", "", world.ConnectionKnobs{KeepValues: true}, 200, "Connected", 200},
		"the secret alone":                         {reporting, "keyvault", `"parameterValues":{"token:clientSecret":"x"}`, world.ConnectionKnobs{}, 200, "Error Unauthenticated", 401},
		"a set, for a connector with several":      {warehouse, "sql", "SET", world.ConnectionKnobs{}, 200, "Connected", 200},
		"flat values, for a connector of many":     {warehouse, "sql", "FLAT", world.ConnectionKnobs{}, 400, "ParameterNotDefined", 200},
		"a set whose values are no objects":        {warehouse, "sql", "BARE", world.ConnectionKnobs{}, 200, "Error ConfigurationNeeded", 401},
		"wrong values, and a test that knows none": {reporting, "keyvault", "WRONG", world.ConnectionKnobs{TestAlwaysOK: true}, 200, "Connected", 200},
		"wrong values that are not written":        {reporting, "keyvault", "WRONG", world.ConnectionKnobs{Ignore: true}, 200, "Connected", 200},
	} {
		t.Run(why, func(t *testing.T) {
			b := newBench(t)
			b.w.Knobs.Connections = c.knobs
			members := strings.NewReplacer("FLAT", flat(b.value), "WRONG", flat("wrong"), "SET", set(b.value, `{"value":%q}`), "BARE", set(b.value, "%q")).Replace(c.members)
			r := b.want(c.status, "PUT", c.target, put(c.api, members))
			if r.status != 200 {
				if got := r.m["error"].(map[string]any)["code"]; got != c.state {
					t.Errorf("refused with %v", got)
				}
			} else if r.state() != c.state {
				t.Errorf("its status is %s, want %s", r.state(), c.state)
			}
			b.want(c.test, "GET", b.link(b.want(200, "GET", c.target, "")), "")
		})
	}
}

func TestTheStatusTellsOfATestWhereTheKnobLetsIt(t *testing.T) {
	b := newBench(t)
	b.w.Knobs.Connections.TestTells = true
	r := b.want(200, "PUT", reporting, put("keyvault", flat("wrong")))
	b.want(401, "GET", b.link(r), "")
	if got := b.want(200, "GET", reporting, "").state(); got != "Error Unauthorized" {
		t.Errorf("after the test it is %s", got)
	}
	b.want(401, "GET", b.link(r), "")
	b.want(200, "PATCH", reporting, `{"properties":{`+flat(b.value)+`}}`)
	if got := b.want(200, "GET", reporting, "").state(); got != "Connected" {
		t.Errorf("after new values it is %s", got)
	}
	b.want(200, "GET", b.link(r), "")
}

func TestAPatchChangesWhatWasSentAlone(t *testing.T) {
	b := newBench(t)
	r := b.want(200, "PATCH", reporting, `{"tags":{"sampleTag":"SampleValue"}}`)
	if r.m["tags"].(map[string]any)["sampleTag"] != "SampleValue" || r.state() != "Connected" || r.properties()["displayName"] != "Reporting" {
		t.Errorf("patched %s", r.text)
	}
	b.want(200, "GET", b.link(r), "")
	b.want(200, "PATCH", reporting, `{"properties":{"displayName":"Other","nonSecretParameterValues":{"a":"b"},"customParameterValues":{"c":"d"}}}`)
	r = b.want(200, "GET", reporting, "")
	if r.properties()["displayName"] != "Other" || r.properties()["customParameterValues"].(map[string]any)["c"] != "d" {
		t.Errorf("patched %s", r.text)
	}
	b.want(400, "PATCH", warehouse, `{"properties":{`+flat(b.value)+`}}`)
	b.want(404, "PATCH", all+"/absent", `{"tags":{}}`)
}

func TestThePreviewHasKindSetAndTestRequests(t *testing.T) {
	b := newBench(t)
	const v = "?api-version=2018-07-01-preview"
	r := b.want(200, "GET", warehouse+v, "")
	requests, _ := r.properties()["testRequests"].([]any)
	if r.m["kind"] != "V2" || len(requests) != 1 || r.properties()["parameterValueSet"].(map[string]any)["name"] != "oauthSP" {
		t.Fatalf("read %s", r.text)
	}
	body, _ := json.Marshal(requests[0].(map[string]any)["body"])
	for value, want := range map[string]string{b.w.Connections[1].Value("token:clientSecret"): "OK", "wrong": "Unauthorized"} {
		b.w.Connections[1].Values["token:clientSecret"] = value
		got := b.want(200, "POST", warehouse+"/dynamicInvoke"+v, string(body)).m["response"].(map[string]any)
		if got["statusCode"] != want {
			t.Errorf("answered %v, want %s inside", got, want)
		}
	}
	b.w.Knobs.Connections.NoTestLinks = true
	if got := b.want(200, "GET", warehouse+v, "").properties(); len(got["testLinks"].([]any)) != 0 || got["testRequests"] != nil {
		t.Errorf("read %v", got)
	}
}

func TestWhatCannotBePut(t *testing.T) {
	b := newBench(t)
	for why, c := range map[string]struct {
		body   string
		status int
	}{
		"no JSON":          {`{`, 400},
		"no location":      {strings.Replace(put("keyvault", ""), `"West Europe"`, `""`, 1), 400},
		"no connector":     {`{"location":"westeurope","properties":{}}`, 400},
		"another location": {strings.Replace(put("keyvault", ""), "West Europe", "northeurope", 1), 409},
	} {
		if got := b.do("rekey", "PUT", reporting, c.body); got.status != c.status {
			t.Errorf("%s: %d %s, want %d", why, got.status, got.text, c.status)
		}
	}
	for _, c := range []struct{ method, target, action, operation string }{
		{"GET", all, "Read", "ListConnections"},
		{"GET", reporting, "Read", "GetConnection"},
		{"PUT", reporting, "Write", "PutConnection"},
		{"PATCH", reporting, "Write", "UpdateConnection"},
		{"DELETE", reporting, "Delete", "DeleteConnection"},
		{"GET", reporting + "/extensions/proxy/testconnection", "Read", "TestConnection"},
		{"POST", reporting + "/dynamicInvoke", "Read", "InvokeConnection"},
		{"GET", all + "/absent", "Read", "GetConnection"},
	} {
		got := b.do("nobody", c.method, c.target, put("keyvault", ""))
		if got.status != 403 || !strings.Contains(got.text, "'Microsoft.Web/connections/"+c.action+"'") {
			t.Errorf("%s %s: %d %s", c.method, c.target, got.status, got.text)
		}
		if name := b.s.Operation(httptest.NewRequest(c.method, "https://management.azure.com"+c.target, nil)); name != c.operation {
			t.Errorf("%s %s is %s", c.method, c.target, name)
		}
	}
	b.want(501, "POST", reporting+"/listConsentLinks", "{}")
}
