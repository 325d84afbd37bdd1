package devops_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	rekey = "a7bd7cea-133a-46cf-b58b-cab861acfaaf" // may change what uses credentials
	alex  = "4d72fd10-46ca-41d8-be4e-493356bab8a9" // administers the organisation
	svc   = "ff477466-a73a-42ae-9376-b5bb89bac062" // a member with no role

	org      = "https://dev.azure.com/contoso"
	project  = org + "/platform"
	conns    = "/_apis/serviceendpoint/endpoints"
	proxy    = "/_apis/serviceendpoint/endpointproxy"
	groups   = "/_apis/distributedtask/variablegroups"
	consumer = "?api-version=7.1"

	platform = "3c8e5b72-9d14-4f6a-8b2e-7a5c1d9e4f21"
)

// contoso is the service over the built-in world.
func contoso(t *testing.T) *env {
	t.Helper()
	return newEnvOf(t, world.New(world.BuiltIn(), func() time.Time { return start }))
}

// as signs the managed identity, or a user, in.
func (e *env) as(id string, scopes ...string) string {
	return e.issue(func(t *world.Token) {
		t.ObjectID, t.Name, t.User, t.Scopes = id, id, id != rekey, append(scopes, "user_impersonation")
		if len(scopes) > 0 {
			t.Scopes = scopes
		}
	})
}

func (e *env) endpoint(id string) *world.ServiceEndpoint { return e.w.Organizations[0].Endpoint(id) }

func (e *env) key(id string) string {
	_, v := e.endpoint(id).Credential()
	return v
}

// read gets one object.
func (e *env) read(address, auth string) map[string]any {
	e.t.Helper()
	return e.get(address+consumer, auth).want(200).object()
}

func (e *env) put(address, auth string, body map[string]any) answer {
	e.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		e.t.Fatal(err)
	}
	return e.do("PUT", address+consumer, auth, string(b))
}

func under(m map[string]any, path ...string) map[string]any {
	for _, p := range path {
		m = m[p].(map[string]any)
	}
	return m
}

// test runs TestConnection and gives its status code and message.
func (e *env) test(id, auth, details string) (string, string) {
	e.t.Helper()
	body := `{"dataSourceDetails":{"dataSourceName":"TestConnection"},"resultTransformationDetails":{}` + details + `}`
	o := e.do("POST", project+proxy+"?api-version=7.1-preview.1&endpointId="+id, auth, body).want(200).object()
	return o["statusCode"].(string), o["errorMessage"].(string)
}

func TestASecretIsReplacedByPuttingTheWholeConnectionBack(t *testing.T) {
	e := contoso(t)
	auth := e.as(rekey)
	e.endpoint(world.EndpointShared).More = map[string]json.RawMessage{"serviceManagementReference": json.RawMessage(`"team-7"`)}
	read := e.read(project+conns+"/"+world.EndpointShared, auth)
	parameters := under(read, "authorization", "parameters")
	if v, there := parameters["serviceprincipalkey"]; v != nil || !there || parameters["serviceprincipalid"] != world.AppDeploy {
		t.Fatalf("read %v", parameters)
	}
	app := e.w.Apps[slices.IndexFunc(e.w.Apps, func(a *world.App) bool { return a.ClientID == world.AppDeploy })]
	value := "a new client secret " + world.Canary
	app.Secrets = append(app.Secrets, &world.PasswordCredential{KeyID: "k", Start: start, End: start.Add(day), Value: value})
	parameters["serviceprincipalkey"] = value
	a := e.put(org+conns+"/"+world.EndpointShared, auth, read).want(200)
	if strings.Contains(string(a.body), world.Canary) || a.object()["serviceManagementReference"] != "team-7" {
		t.Errorf("answered %s", a.body)
	}
	after := e.endpoint(world.EndpointShared)
	if e.key(world.EndpointShared) != value || len(after.Projects) != 2 || after.Projects[1].Name != "azure-from-platform" || after.Datum("scopeLevel") != "Subscription" {
		t.Errorf("stored %+v", after)
	}
	// What was read is put back again: null keeps.
	e.put(project+conns+"/"+world.EndpointShared, auth, e.read(project+conns+"/"+world.EndpointShared, auth)).want(200)
	if e.key(world.EndpointShared) != value {
		t.Error("null did not keep the secret")
	}
	if got := e.w.Holders(value); len(got) != 1 || !e.w.Works(got[0]).Works {
		t.Errorf("held by %v", got)
	}
	listed := e.get(org+"/apps"+conns+consumer+"&type=azurerm", auth).want(200).object()["value"].([]any)
	if one := listed[0].(map[string]any); len(listed) != 1 || one["name"] != "azure-from-platform" || len(under(one, "authorization", "parameters")) != 3 {
		t.Errorf("listed %v", listed)
	}
}

func TestWhatIsSentForASecretDecidesWhatIsStored(t *testing.T) {
	for why, c := range map[string]struct {
		send  func(map[string]any)
		knobs world.EndpointKnobs
		want  string
	}{
		"a value replaces it":                         {func(p map[string]any) { p["apitoken"] = "the new one" }, world.EndpointKnobs{}, "the new one"},
		"null keeps it":                               {func(p map[string]any) { p["apitoken"] = nil }, world.EndpointKnobs{}, "kept"},
		"the word null keeps it":                      {func(p map[string]any) { p["apitoken"] = "null" }, world.EndpointKnobs{}, "kept"},
		"whatever the case of the key":                {func(p map[string]any) { delete(p, "apitoken"); p["apiToken"] = nil }, world.EndpointKnobs{}, "kept"},
		"an empty text wipes it":                      {func(p map[string]any) { p["apitoken"] = "" }, world.EndpointKnobs{}, ""},
		"or keeps it":                                 {func(p map[string]any) { p["apitoken"] = "" }, world.EndpointKnobs{KeepEmpty: true}, "kept"},
		"a key that is absent loses it":               {func(p map[string]any) { delete(p, "apitoken") }, world.EndpointKnobs{}, ""},
		"or keeps that too":                           {func(p map[string]any) { delete(p, "apitoken") }, world.EndpointKnobs{KeepAbsent: true}, "kept"},
		"an answer may be all that a write ever does": {func(p map[string]any) { p["apitoken"] = "the new one" }, world.EndpointKnobs{Ignore: true}, "kept"},
	} {
		t.Run(why, func(t *testing.T) {
			e := contoso(t)
			e.w.Knobs.Endpoints = c.knobs
			auth := e.as(rekey)
			want := c.want
			if want == "kept" {
				want = e.key(world.EndpointDevOps)
			}
			read := e.read(project+conns+"/"+world.EndpointDevOps, auth)
			c.send(under(read, "authorization", "parameters"))
			e.put(org+conns+"/"+world.EndpointDevOps, auth, read).want(200)
			if got := e.key(world.EndpointDevOps); got != want {
				t.Errorf("stored %q, want %q", got, want)
			}
		})
	}
}

func TestAConnectionThatWasMadeAutomaticallyTakesNoKeyOfOnesOwn(t *testing.T) {
	for why, c := range map[string]struct {
		knob   string
		mode   string
		status int
		stored bool
	}{
		"it is refused":                    {"", "Automatic", 400, false},
		"or answered well and ignored":     {"ignore", "Automatic", 200, false},
		"unless the same put makes it one": {"", "Manual", 200, true},
	} {
		t.Run(why, func(t *testing.T) {
			e := contoso(t)
			e.w.Knobs.Endpoints.AutomaticKey = c.knob
			auth := e.as(rekey)
			read := e.read(project+conns+"/"+world.EndpointAutomatic, auth)
			under(read, "authorization", "parameters")["serviceprincipalkey"] = "my own key"
			under(read, "data")["creationMode"] = c.mode
			e.put(org+conns+"/"+world.EndpointAutomatic, auth, read).want(c.status)
			if got := e.key(world.EndpointAutomatic) == "my own key"; got != c.stored {
				t.Errorf("stored: %t", got)
			}
		})
	}
}

func TestWhoMayReadChangeAndTestAConnection(t *testing.T) {
	for _, c := range []struct {
		why                 string
		change              func(*env)
		auth                func(*env) string
		whole               bool // sees what it is
		put, rename, tested int
	}{
		{"an administrator of it", nil, func(e *env) string { return e.as(rekey) }, true, 200, 200, 200},
		{"an administrator of the organisation", nil, func(e *env) string { return e.as(alex) }, true, 200, 200, 200},
		{"an administrator of the project renames it", func(e *env) { e.w.Organizations[0].Projects[0].Administrators = []string{svc} }, func(e *env) string { return e.as(svc) }, true, 403, 200, 200},
		{"or more, where people are lucky", func(e *env) {
			e.w.Organizations[0].Projects[0].Administrators, e.w.Knobs.Endpoints.ProjectAdministrators = []string{svc}, true
		}, func(e *env) string { return e.as(svc) }, true, 200, 200, 200},
		{"a user of it", func(e *env) { e.endpoint(world.EndpointTFS).Users = []string{svc} }, func(e *env) string { return e.as(svc) }, true, 403, 403, 200},
		{"a member with no role", nil, func(e *env) string { return e.as(svc) }, false, 403, 403, 403},
		{"an administrator whose token only reads", nil, func(e *env) string { return e.as(alex, "vso.serviceendpoint") }, true, 401, 401, 401},
		{"nobody", nil, func(*env) string { return "" }, false, 302, 302, 302},
	} {
		t.Run(c.why, func(t *testing.T) {
			e := contoso(t)
			full := e.read(project+conns+"/"+world.EndpointTFS, e.as(rekey))
			if c.change != nil {
				c.change(e)
			}
			auth := c.auth(e)
			if auth != "" {
				seen := e.read(project+conns+"/"+world.EndpointTFS, auth)
				if whole := seen["type"] != nil && seen["data"] != nil; whole != c.whole {
					t.Errorf("sees %v", seen)
				}
			}
			e.do("POST", project+proxy+consumer+"&endpointId="+world.EndpointTFS, auth, `{"dataSourceDetails":{"dataSourceName":"TestConnection"}}`).want(c.tested)
			full["name"], full["description"] = "renamed", "by somebody"
			e.put(org+conns+"/"+world.EndpointTFS, auth, full).want(c.rename)
			under(full, "authorization", "parameters")["apitoken"] = "another"
			e.put(org+conns+"/"+world.EndpointTFS, auth, full).want(c.put)
			if changed := e.key(world.EndpointTFS) == "another"; changed != (c.put == 200) {
				t.Errorf("changed: %t", changed)
			}
		})
	}
}

func TestATestOfAConnectionReallyTriesWhatIsStored(t *testing.T) {
	for why, c := range map[string]struct {
		id      string
		change  func(*env)
		details string
		status  string
		message string
	}{
		"an azurerm connection signs in":                 {world.EndpointShared, nil, "", "ok", ""},
		"its key is wrong":                               {world.EndpointShared, func(e *env) { e.endpoint(world.EndpointShared).Parameters["serviceprincipalkey"] = "wrong" }, "", "badRequest", "AADSTS7000215"},
		"its key is right and what was sent is wrong":    {world.EndpointShared, nil, `,"serviceEndpointDetails":{"type":"azurerm","authorization":{"scheme":"ServicePrincipal","parameters":{"tenantid":"` + world.TenantID + `","serviceprincipalid":"` + world.AppDeploy + `","serviceprincipalkey":"wrong"}}}`, "badRequest", "AADSTS7000215"},
		"what was sent is masked":                        {world.EndpointShared, nil, `,"serviceEndpointDetails":{"type":"azurerm","authorization":{"scheme":"ServicePrincipal","parameters":{"tenantid":"` + world.TenantID + `","serviceprincipalid":"` + world.AppDeploy + `","serviceprincipalkey":null}}}`, "ok", ""},
		"its app may do nothing":                         {world.EndpointShared, func(e *env) { e.w.RoleAssignments = nil }, "", "forbidden", "AuthorizationFailed"},
		"a PAT connection signs in":                      {world.EndpointDevOps, nil, "", "ok", ""},
		"its PAT is revoked":                             {world.EndpointDevOps, func(e *env) { e.w.Organizations[1].PATs[0].Revoked = start }, "", "unauthorized", "'Unauthorized'"},
		"its PAT is wiped":                               {world.EndpointFeed, func(e *env) { e.endpoint(world.EndpointFeed).Parameters["nugetkey"] = "" }, "", "unauthorized", "'Unauthorized'"},
		"a generic one has no test":                      {world.EndpointGeneric, nil, "", "badRequest", "Unable to find"},
		"a test that is always well tells nothing of it": {world.EndpointDevOps, func(e *env) { e.w.Knobs.Endpoints.TestAlwaysOK = true; e.w.Organizations[1].PATs[0].Revoked = start }, "", "ok", ""},
	} {
		t.Run(why, func(t *testing.T) {
			e := contoso(t)
			if c.change != nil {
				c.change(e)
			}
			status, message := e.test(c.id, e.as(rekey), c.details)
			if status != c.status || !strings.Contains(message, c.message) || (message == "") != (c.message == "") {
				t.Errorf("%s: %q; want %s: %q", status, message, c.status, c.message)
			}
		})
	}
}

func TestAConnectionMayNotBeReadyForAWhileAndMayFail(t *testing.T) {
	e := contoso(t)
	e.w.Knobs.Endpoints = world.EndpointKnobs{BusyFor: world.Duration(30 * time.Second), Fails: "it could not be verified"}
	auth := e.as(rekey)
	at := project + conns + "/" + world.EndpointDevOps
	e.put(org+conns+"/"+world.EndpointDevOps, auth, e.read(at, auth)).want(200)
	for _, want := range []string{"InProgress", "Failed"} {
		read := e.read(at, auth)
		if got := under(read, "operationStatus")["state"]; got != want || read["isReady"] != false {
			t.Errorf("it is %v, ready %v; want %s", got, read["isReady"], want)
		}
		e.w.Advance(30 * time.Second)
	}
	if got := e.get(project+conns+consumer+"&type=azuredevops", auth).object()["count"]; got != 0.0 {
		t.Errorf("the list has %v that failed", got)
	}
	if got := e.get(project+conns+consumer+"&type=azuredevops&includeFailed=true", auth).object()["count"]; got != 1.0 {
		t.Errorf("the list with what failed has %v", got)
	}
	e.w.Knobs.Endpoints = world.EndpointKnobs{}
	e.put(org+conns+"/"+world.EndpointDevOps, auth, e.read(at, auth)).want(200)
	if read := e.read(at, auth); read["isReady"] != true {
		t.Errorf("after it was mended: %v", read)
	}
}

func TestConnectionsAreMadeSharedAndRemoved(t *testing.T) {
	e := contoso(t)
	auth := e.as(alex)
	body := `{"name":"new","type":"generic","url":"https://example.test","authorization":{"scheme":"UsernamePassword","parameters":{"username":"u","password":"a password"}},"serviceEndpointProjectReferences":[{"projectReference":{"name":"platform"},"name":"new"}]}`
	made := e.do("POST", org+conns+consumer, auth, body).want(200).object()
	id := made["id"].(string)
	if v := under(made, "authorization", "parameters")["password"]; v != nil || e.key(id) != "a password" {
		t.Errorf("made %v", made)
	}
	e.do("POST", org+conns+consumer, auth, body).want(409)
	e.do("POST", org+conns+consumer, e.as(svc), strings.Replace(body, `"new"`, `"mine"`, 2)).want(403)
	e.do("POST", org+conns+consumer, auth, strings.Replace(body, "platform", "nowhere", 1)).want(404)
	e.do("PATCH", org+conns+"/"+id+consumer, auth, `[{"projectReference":{"name":"apps"},"name":"borrowed"}]`).want(204)
	if one := e.read(org+"/apps"+conns+"/"+id, auth); one["name"] != "borrowed" || one["isShared"] != true {
		t.Errorf("shared as %v", one)
	}
	// A put with fewer projects is a full replace, too.
	one := e.read(project+conns+"/"+id, auth)
	one["serviceEndpointProjectReferences"] = one["serviceEndpointProjectReferences"].([]any)[:1]
	e.put(org+conns+"/"+id, auth, one).want(200)
	if got := e.get(org+"/apps"+conns+"/"+id+consumer, auth).want(200).body; string(got) != "null" {
		t.Errorf("a project that was left out still has %s", got)
	}
	refs := one["serviceEndpointProjectReferences"].([]any)
	refs[0].(map[string]any)["name"] = "fabrikam"
	e.put(org+conns+"/"+id, auth, one).want(409)
	refs[0].(map[string]any)["name"] = "new"
	one["id"] = world.EndpointTFS
	e.put(org+conns+"/"+id, auth, one).want(400)
	one["id"] = id
	e.do("DELETE", org+conns+"/"+id+consumer, auth, "").want(400)
	e.do("DELETE", org+conns+"/"+id+consumer+"&projectIds="+platform, e.as(svc), "").want(403)
	e.do("DELETE", org+conns+"/"+id+consumer+"&projectIds="+platform, auth, "").want(204)
	e.w.Knobs.Endpoints.Missing = "404"
	e.get(project+conns+"/"+id+consumer, auth).want(404)
	e.put(org+conns+"/"+id, auth, one).want(404)
}

func TestSeveralConnectionsAreChangedTogetherOrNotAtAll(t *testing.T) {
	e := contoso(t)
	auth := e.as(rekey)
	var both []any
	for i, id := range []string{world.EndpointDevOps, world.EndpointTFS} {
		one := e.read(project+conns+"/"+id, auth)
		under(one, "authorization", "parameters")["apitoken"] = fmt.Sprint("value ", i)
		both = append(both, one)
	}
	send := func() answer {
		b, _ := json.Marshal(both)
		return e.do("PUT", org+conns+consumer, auth, string(b))
	}
	both[1].(map[string]any)["type"] = ""
	send().want(400)
	if strings.HasPrefix(e.key(world.EndpointDevOps), "value") {
		t.Error("half of it was done")
	}
	both[1].(map[string]any)["type"] = "externaltfs"
	send().want(200)
	if e.key(world.EndpointDevOps) != "value 0" || e.key(world.EndpointTFS) != "value 1" {
		t.Error("it was not done")
	}
}

func TestAGroupIsReplacedAsAWhole(t *testing.T) {
	e := contoso(t)
	auth := e.as(rekey)
	at := fmt.Sprint(groups, "/", world.GroupPlain)
	group := e.w.Organizations[0].Group(world.GroupPlain)
	pat := group.Variables["FabrikamPat"].Value
	read := e.read(project+at, auth)
	variables := under(read, "variables")
	if v := under(variables, "FabrikamPat"); v["value"] != nil || v["isSecret"] != true {
		t.Fatalf("a secret is read as %v", v)
	}
	if v := under(variables, "ApiUrl"); len(v) != 1 || under(variables, "Environment")["isReadOnly"] != true {
		t.Errorf("a plain variable is read as %v", v)
	}
	if under(read, "createdBy")["uniqueName"] == nil || read["variableGroupProjectReferences"] == nil {
		t.Errorf("read %v", read)
	}
	under(variables, "ReportingClientSecret")["value"] = "the new one"
	written := e.put(org+at, auth, read).want(200).object()
	if under(written, "createdBy")["displayName"] != nil || under(written, "createdBy")["uniqueName"] != nil || under(written, "variables", "ReportingClientSecret")["value"] != nil {
		t.Errorf("written %v", written)
	}
	group = e.w.Organizations[0].Group(world.GroupPlain)
	if group.Variables["FabrikamPat"].Value != pat || group.Variables["ReportingClientSecret"].Value != "the new one" || !group.Variables["Environment"].ReadOnly || group.Variables["ReportingClientSecret"].Use.ClientID != world.AppReporting {
		t.Error("something was lost or not written")
	}
	delete(under(read, "variables", "FabrikamPat"), "value")
	e.put(org+at, auth, read).want(200)
	if e.w.Organizations[0].Group(world.GroupPlain).Variables["FabrikamPat"].Value != pat {
		t.Error("a secret without a value was lost")
	}
	delete(under(read, "variables"), "ApiUrl")
	e.put(org+at, auth, read).want(200)
	if got := slices.Sorted(maps.Keys(e.w.Organizations[0].Group(world.GroupPlain).Variables)); len(got) != 3 {
		t.Errorf("what was not sent is still there: %q", got)
	}
	e.w.Knobs.VariableGroups.LoseNull = true
	e.put(org+at, auth, read).want(200)
	if e.w.Organizations[0].Group(world.GroupPlain).Variables["FabrikamPat"].Value != "" {
		t.Error("the knob loses nothing")
	}
	e.w.Knobs.VariableGroups.Ignore = true
	under(read, "variables", "ReportingClientSecret")["value"] = "never stored"
	e.put(org+at, auth, read).want(200)
	if e.w.Organizations[0].Group(world.GroupPlain).Variables["ReportingClientSecret"].Value == "never stored" {
		t.Error("the knob ignores nothing")
	}
}

func TestWhoMayChangeAGroupAndHow(t *testing.T) {
	e := contoso(t)
	auth := e.as(rekey)
	at := fmt.Sprint(groups, "/", world.GroupPlain)
	read := e.read(project+at, e.as(svc, "vso.variablegroups_read"))
	e.put(org+at, e.as(svc), read).want(403)
	e.put(org+at, e.as(alex, "vso.variablegroups_read"), read).want(401)
	e.put(org+fmt.Sprint(groups, "/", 99), auth, read).want(404)
	e.put(org+groups+"/x", auth, read).want(400)
	without := maps.Clone(read)
	delete(without, "variableGroupProjectReferences")
	e.put(org+at, auth, without).want(401)
	e.put(project+at, auth, without).want(200)
	e.w.Knobs.VariableGroups.TakeWithoutReferences = true
	e.put(org+at, auth, without).want(200)
	if got := e.w.Organizations[0].Group(world.GroupPlain).Projects; len(got) != 1 {
		t.Errorf("it belongs to %v", got)
	}
	none := maps.Clone(read)
	none["variables"] = map[string]any{}
	e.put(org+at, auth, none).want(400)
	if got := string(e.get(project+groups+"/99"+consumer, auth).want(200).body); got != "null" {
		t.Errorf("what is not there is %s", got)
	}
	e.w.Knobs.VariableGroups.Missing = "404"
	e.get(project+groups+"/99"+consumer, auth).want(404)
}

func TestGroupsAreListedInPagesMadeSharedAndRemoved(t *testing.T) {
	e := contoso(t)
	auth := e.as(alex)
	ids := func(query string) (out []float64, next string) {
		a := e.get(project+groups+consumer+query, auth).want(200)
		for _, g := range a.object()["value"].([]any) {
			if g.(map[string]any)["variableGroupProjectReferences"] != nil {
				t.Error("a list has references")
			}
			out = append(out, g.(map[string]any)["id"].(float64))
		}
		return out, a.header.Get("X-MS-ContinuationToken")
	}
	for query, want := range map[string]string{
		"": "[8 7] ", "&$top=1": "[8] 7", "&$top=1&continuationToken=7": "[7] ", "&queryOrder=IdAscending": "[7 8] ",
		"&queryOrder=idascending&$top=1": "[7] 8", "&groupName=release*": "[7] ", "&groupIds=8,9": "[8] ",
	} {
		got, next := ids(query)
		if fmt.Sprint(got, " ", next) != want {
			t.Errorf("%q: %v %s, want %s", query, got, next, want)
		}
	}
	body := `{"name":"new","variables":{"A":{"value":"x"},"B":{"value":"a secret","isSecret":true}},"variableGroupProjectReferences":[{"projectReference":{"name":"platform"},"name":"new"}]}`
	made := e.do("POST", org+groups+consumer, auth, body).want(200).object()
	if made["id"] != 9.0 || made["type"] != "Vsts" || under(made, "variables", "B")["value"] != nil {
		t.Errorf("made %v", made)
	}
	e.do("POST", org+groups+consumer, auth, body).want(409)
	e.do("PATCH", org+groups+consumer+"&variableGroupId=9", auth, `[{"projectReference":{"name":"apps"},"name":"new"}]`).want(204)
	if got := e.read(org+"/apps"+groups+"/9", auth); got["isShared"] != true {
		t.Errorf("shared %v", got)
	}
	e.do("DELETE", org+groups+"/9"+consumer+"&projectIds="+platform, e.as(svc), "").want(403)
	e.do("DELETE", project+groups+"/9"+consumer, auth, "").want(204)
	e.do("DELETE", org+"/apps"+groups+"/9"+consumer, auth, "").want(204)
	if e.w.Organizations[0].Group(9) != nil {
		t.Error("it is still there")
	}
}

func TestAGroupThatIsLinkedToAVaultStoresNoValue(t *testing.T) {
	e := contoso(t)
	auth := e.as(rekey)
	at := fmt.Sprint(groups, "/", world.GroupVault)
	read := e.read(project+at, auth)
	if under(read, "providerData")["vault"] != "kv-apps" || under(read, "variables", "shop-web")["enabled"] != true {
		t.Errorf("read %v", read)
	}
	under(read, "variables")["added"] = map[string]any{"value": "never stored", "isSecret": true}
	e.put(org+at, auth, read).want(200)
	if v := e.w.Organizations[0].Group(world.GroupVault).Variables["added"]; v == nil || v.Value != "" {
		t.Errorf("stored %+v", v)
	}
	secret := e.w.Vaults[2].Secrets[1]
	secret.Versions = append(secret.Versions, &world.SecretVersion{ID: "2", Value: "a newer value", Created: start})
	if got := e.w.Holders("a newer value"); len(got) != 1 || got[0].Name != "shop-web" {
		t.Errorf("pipelines would read %v", got)
	}
	delete(read, "providerData")
	e.put(org+at, auth, read).want(400)
}

func TestAConnectionThatIsAskedForToBeManagedIsHiddenFromWhoMayNot(t *testing.T) {
	e := contoso(t)
	e.endpoint(world.EndpointDevOps).Users = []string{svc}
	at := project + conns + "/" + world.EndpointDevOps + consumer
	for who, shown := range map[string]bool{rekey: true, alex: true, svc: false} {
		if got := string(e.get(at+"&actionFilter=manage", e.as(who)).want(200).body) != "null"; got != shown {
			t.Errorf("%s: shown %v, want %v", who, got, shown)
		}
		if string(e.get(at+"&actionFilter=use", e.as(who)).want(200).body) == "null" {
			t.Errorf("%s may use it and does not see it", who)
		}
	}
}
