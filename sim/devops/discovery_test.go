package devops_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/devops"
)

func TestOperationsAreNamedWithoutDoingThem(t *testing.T) {
	s := devops.New(nil) // naming needs no world
	for _, c := range []struct{ method, address, want string }{
		{"GET", pats, "ListPats"},
		{"GET", pats + "?api-version=7.1-preview.1&displayFilterOption=all", "ListPats"},
		{"GET", pats + "?authorizationId=x", "GetPat"},
		{"GET", pats + "?AuthorizationID=x", "GetPat"},
		{"POST", pats, "CreatePat"},
		{"POST", "https://VSSPS.dev.azure.com:443/Contoso/_APIS/Tokens/Pats/", "CreatePat"},
		{"PUT", "https://contoso.vssps.visualstudio.com/_apis/tokens/pats", "UpdatePat"},
		{"DELETE", pats, "RevokePat"},
		{"PATCH", pats, "unknown"},
		{"POST", "https://dev.azure.com/contoso/_apis/tokens/pats", "unknown"},
		{"POST", "https://vssps.dev.azure.com/_apis/tokens/pats", "unknown"},
		{"GET", whoami, "ConnectionData"},
		{"GET", "https://vssps.dev.azure.com/contoso/_apis/ConnectionData", "ConnectionData"},
		{"GET", "https://contoso.visualstudio.com/_apis/connectionData", "ConnectionData"},
		{"GET", "https://contoso.visualstudio.com/DefaultCollection/_apis/projects", "ListProjects"},
		{"GET", "https://dev.azure.com/contoso/_apis/projects", "ListProjects"},
		{"GET", "https://dev.azure.com/contoso/_apis/projects/web%20app", "GetProject"},
		{"POST", "https://dev.azure.com/contoso/_apis/projects", "unknown"},
		{"GET", "https://app.vssps.visualstudio.com/_apis/profile/profiles/me", "Profile"},
		{"GET", profile, "Profile"},
		{"GET", "https://app.vssps.visualstudio.com/_apis/accounts?memberId=x", "Accounts"},
		{"GET", "https://dev.azure.com/contoso/_apis/ResourceAreas", "ResourceAreas"},
		{"GET", "https://dev.azure.com/_apis/resourceAreas/79134c72-4a58-4b42-976c-04e7115f32bf", "ResourceAreas"},
		{"OPTIONS", "https://dev.azure.com/contoso/_apis", "Options"},
		{"OPTIONS", "https://dev.azure.com/contoso/_apis/Location", "Options"},
		{"OPTIONS", "https://dev.azure.com/_apis?allHostTypes=True", "Options"},
		{"GET", "https://spsprodweu1.vssps.visualstudio.com/_signin?realm=x", "SignIn"},
		{"GET", "https://dev.azure.com/contoso/platform/_apis/git/repositories", "unknown"},
		{"GET", "https://dev.azure.com/contoso/platform", "unknown"},
		{"GET", "https://dev.azure.com/", "unknown"},
		{"GET", "https://example.com/contoso/_apis/projects", "unknown"},
	} {
		if got := s.Operation(httptest.NewRequest(c.method, c.address, nil)); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.method, c.address, got, c.want)
		}
	}
}

func TestTheVersionIsEchoedWhereverItCameFrom(t *testing.T) {
	e := newEnv(t)
	auth := e.bearer(alice, "user_impersonation")
	for _, c := range []struct{ address, accept, want string }{
		{pats + "?api-version=7.1-preview.1", "", "7.1-preview.1"},
		{pats + "?api%2Dversion=7.1-preview", "", "7.1-preview.1"},
		{pats, "application/json;api-version=7.2-preview.1", "7.2-preview.1"},
		{pats, "text/plain, application/json; excludeUrls=true; api-version=7.1-preview.1", "7.1-preview.1"},
		{pats + "?api-version=7.1-preview.1", "application/json;api-version=5.0", "7.1-preview.1"},
		{pats, "", "7.2-preview.1"},
		{whoami, "application/json;api-version=5.0-preview.1", "5.0-preview.1"},
		{whoami, "", "7.2-preview.1"},
		{projects, "", "7.1"},
		{strings.Replace(projects, "7.1", "7.2-preview.4", 1), "", "7.2-preview.4"},
	} {
		a := e.get(c.address, auth, "Accept", c.accept).want(200)
		if got := a.header.Get("Content-Type"); got != "application/json; charset=utf-8; api-version="+c.want {
			t.Errorf("%s, %q: Content-Type %q, want %s", c.address, c.accept, got, c.want)
		}
	}
}

func TestConnectionDataSaysWhoCalls(t *testing.T) {
	e := newEnv(t)
	o := e.get(whoami+"?api-version=7.1-preview", e.bearer(bob, "vso.profile")).want(200).object()
	me := o["authenticatedUser"].(map[string]any)
	if me["providerDisplayName"] != "bob" || me["properties"].(map[string]any)["Account"].(map[string]any)["$value"] != "bob@contoso.onmicrosoft.com" {
		t.Errorf("authenticatedUser %v", me)
	}
	if me["id"] == bob || o["instanceId"] != contosoID || o["deploymentType"] != "hosted" {
		t.Errorf("body %v", o)
	}
	other := e.get(whoami, e.bearer(alice, "vso.profile")).object()["authenticatedUser"].(map[string]any)
	if other["id"] == me["id"] || other["subjectDescriptor"] == me["subjectDescriptor"] {
		t.Error("two users have one identity")
	}
}

func TestDiscoveryNeedsNoCredentialButNoBadOne(t *testing.T) {
	e := newEnv(t)
	for _, c := range []struct{ method, address string }{
		{"OPTIONS", "https://dev.azure.com/contoso/_apis"},
		{"GET", "https://dev.azure.com/contoso/_apis/ResourceAreas"},
	} {
		e.do(c.method, c.address, "", "").want(200)
		e.do(c.method, c.address, e.bearer(alice), "").want(200)
		e.do(c.method, c.address, basic("unknown"), "").want(302)
		e.do(c.method, c.address, e.bearer(stranger), "").want(401)
	}
}

func TestOptionsListsWhatAHostServes(t *testing.T) {
	e := newEnv(t)
	for address, want := range map[string][]string{
		"https://dev.azure.com/contoso/_apis":                          {"ConnectionData", "ResourceAreas", "projects", "endpoints", "endpoints", "endpointproxy", "variablegroups", "variablegroups", "authorizedresources"},
		"https://dev.azure.com/contoso/_apis/Location":                 {"ConnectionData", "ResourceAreas"},
		"https://dev.azure.com/contoso/_apis/serviceendpoint":          {"endpoints", "endpoints", "endpointproxy"},
		"https://vssps.dev.azure.com/contoso/_apis/tokens":             {"pats"},
		"https://dev.azure.com/contoso/_apis/tokens":                   {},
		"https://dev.azure.com/contoso/_apis/tokens?allHostTypes=True": {"pats"},
	} {
		a := e.do("OPTIONS", address, "", "", "Accept", "application/json;api-version=9.9").want(200)
		if got := a.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("Content-Type %q: OPTIONS echoes no version", got)
		}
		o := a.object()
		names := []string{}
		for _, v := range o["value"].([]any) {
			names = append(names, v.(map[string]any)["resourceName"].(string))
		}
		if !slices.Equal(names, want) || o["count"] != float64(len(want)) {
			t.Errorf("%s lists %q, want %q", address, names, want)
		}
	}
}

func TestResourceAreasLeadToTheirHosts(t *testing.T) {
	e := newEnv(t)
	where := map[string]any{}
	for _, v := range e.get("https://dev.azure.com/Contoso/_apis/ResourceAreas", "").want(200).object()["value"].([]any) {
		where[v.(map[string]any)["name"].(string)] = v.(map[string]any)["locationUrl"]
	}
	if where["serviceendpoint"] != "https://dev.azure.com/contoso/" || where["tokens"] != "https://vssps.dev.azure.com/contoso/" {
		t.Errorf("areas %v", where)
	}
	one := e.get("https://dev.azure.com/contoso/_apis/resourceAreas/79134C72-4a58-4b42-976c-04e7115f32bf", "").object()
	if one["name"] != "core" {
		t.Errorf("area %v", one)
	}
	if body := e.get("https://dev.azure.com/contoso/_apis/resourceAreas/"+alice, "").want(200).body; string(body) != "null" {
		t.Errorf("an unknown area is %s", body)
	}
}

func TestProjectsAreListedInPages(t *testing.T) {
	e := newEnv(t)
	auth := e.bearer(alice, "vso.project")
	page := func(query string) (names []string, next string) {
		t.Helper()
		a := e.get(projects+query, auth).want(200)
		o := a.object()
		for _, v := range o["value"].([]any) {
			names = append(names, v.(map[string]any)["name"].(string))
		}
		if o["count"] != float64(len(names)) {
			t.Errorf("count %v of %q", o["count"], names)
		}
		return names, a.header.Get("X-MS-ContinuationToken")
	}
	for query, want := range map[string]struct {
		names string
		next  string
	}{
		"":                            {"platform,web app,tools", ""},
		"&$top=1":                     {"platform", "1"},
		"&$top=1&continuationToken=1": {"web app", "2"},
		"&$top=1&continuationToken=2": {"tools", ""},
		"&$top=2&$skip=1":             {"web app,tools", ""},
		"&$skip=9":                    {"", ""},
		"&stateFilter=deleted":        {"", ""},
		"&stateFilter=all":            {"platform,web app,tools", ""},
	} {
		names, next := page(query)
		if strings.Join(names, ",") != want.names || next != want.next {
			t.Errorf("%q: %q and next %q, want %q and %q", query, names, next, want.names, want.next)
		}
	}
	e.get(projects+"&$top=-1", auth).want(400)
}

func TestAProjectIsFoundByNameOrID(t *testing.T) {
	e := newEnv(t)
	auth := e.bearer(alice, "vso.profile")
	for _, name := range []string{"platform", "PLATFORM", platformID} {
		o := e.get("https://contoso.visualstudio.com/_apis/projects/"+name+"?includeCapabilities=true&api-version=7.1", auth).want(200).object()
		if o["id"] != platformID || o["url"] != "https://dev.azure.com/contoso/_apis/projects/"+platformID || o["capabilities"] == nil {
			t.Errorf("%s is %v", name, o)
		}
	}
}

func TestProfileAndAccountsAreTheCallersOwn(t *testing.T) {
	e := newEnv(t)
	auth := e.bearer(alice, "vso.profile")
	const app = "https://app.vssps.visualstudio.com/_apis/"
	me := e.get(app+"profile/profiles/me?api-version=7.1", auth).want(200).object()
	if me["emailAddress"] != "alice@contoso.onmicrosoft.com" || me["id"] != me["publicAlias"] {
		t.Errorf("profile %v", me)
	}
	id := me["id"].(string)
	if again := e.get(app+"profile/profiles/"+id, auth).want(200).object(); again["id"] != id {
		t.Errorf("profile %v", again)
	}
	e.get(app+"profile/profiles/"+bob, auth).want(404)

	accounts := func(auth, member string) string {
		t.Helper()
		names := []string{}
		for _, v := range e.get(app+"accounts?api-version=7.1&memberId="+member, auth).want(200).object()["value"].([]any) {
			names = append(names, v.(map[string]any)["accountName"].(string))
		}
		return strings.Join(names, " ")
	}
	if got := accounts(auth, id); got != "contoso fabrikam stopped" {
		t.Errorf("accounts %q", got)
	}
	if got := accounts(auth, bob); got != "" {
		t.Errorf("somebody else's accounts %q", got)
	}
	if got := accounts(e.app(), id); got != "" {
		t.Errorf("an app's accounts %q", got)
	}
	e.get(app+"accounts", e.bearer(alice, "vso.project")).want(401)
}

func TestTheDateIsTheWorlds(t *testing.T) {
	e := newEnv(t)
	e.w.Advance(90 * day)
	got, err := time.Parse(time.RFC1123, e.get(whoami, e.owner()).want(200).header.Get("Date"))
	if err != nil || !got.Equal(start.Add(90*day).Truncate(time.Second)) {
		t.Errorf("Date %v, %v", got, err)
	}
}
