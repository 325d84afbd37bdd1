package devops_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const fabrikam = "https://dev.azure.com/fabrikam/_apis/connectionData"

// refusal is what an answer must look like.
type refusal struct {
	status      int
	contentType string
	bom         bool
	typeKey     string // of a JSON body; "" where there is none
	contains    string
	challenge   string // part of WWW-Authenticate; "" for none
}

func (a answer) is(want refusal) {
	a.t.Helper()
	a.want(want.status)
	if got := a.header.Get("Content-Type"); got != want.contentType {
		a.t.Errorf("Content-Type %q, want %q", got, want.contentType)
	}
	if got := bytes.HasPrefix(a.body, []byte("\ufeff")); got != want.bom {
		a.t.Errorf("byte order mark: %v, want %v", got, want.bom)
	}
	if want.contentType == "" && len(a.body) != 0 {
		a.t.Errorf("body %q, want none", a.body)
	}
	if want.typeKey != "" {
		o := a.object()
		if o["typeKey"] != want.typeKey || o["$id"] != "1" || o["errorCode"] != 0.0 || o["innerException"] != nil ||
			!strings.Contains(o["typeName"].(string), "."+want.typeKey+", ") {
			a.t.Errorf("body %s, want a %s", a.body, want.typeKey)
		}
	}
	if !strings.Contains(string(a.body), want.contains) {
		a.t.Errorf("body %s, want %q in it", a.body, want.contains)
	}
	got := strings.Join(a.header.Values("WWW-Authenticate"), " | ")
	if !strings.Contains(got, want.challenge) || (got == "") != (want.challenge == "") {
		a.t.Errorf("WWW-Authenticate %q, want %q", got, want.challenge)
	}
}

var (
	isSignIn   = refusal{status: 203, contentType: "text/html; charset=utf-8", contains: "<title>Azure DevOps Services | Sign In</title>"}
	isRedirect = refusal{status: 302, contentType: "text/html; charset=utf-8", contains: "Object moved"}
	isEmpty401 = refusal{status: 401, challenge: `Basic realm="https://tfs`}
	isDenied   = refusal{status: 401, contentType: "application/json", bom: true, typeKey: "InvalidIdentityException", contains: "TF400813", challenge: "Bearer authorization_uri=https://login.microsoftonline.com/"}
	isNoScope  = refusal{status: 401, contentType: "application/json", bom: true, typeKey: "UnauthorizedRequestException", contains: "TF400813", challenge: "TFS-Federated"}
)

func jsonError(status int, typeKey, contains string) refusal {
	return refusal{status: status, contentType: "application/json; charset=utf-8", typeKey: typeKey, contains: contains}
}

func TestRefusals(t *testing.T) {
	const suppress, yes = "X-TFS-FedAuthRedirect", "Suppress"
	list := func(e *env, auth string, h ...string) answer { return e.get(pats+v71, auth, h...) }
	who := func(e *env, auth string, h ...string) answer { return e.get(whoami, auth, h...) }
	for name, c := range map[string]struct {
		do   func(e *env) answer
		want refusal
	}{
		"no credential is sent to sign in":      {func(e *env) answer { return who(e, "") }, isRedirect},
		"no credential, suppressed":             {func(e *env) answer { return who(e, "", suppress, yes) }, refusal{status: 401, challenge: "Bearer authorization_uri="}},
		"no credential, shown the page at once": {func(e *env) answer { e.k.SignInAs = "203"; return who(e, "") }, isSignIn},
		"no credential on the PAT API":          {func(e *env) answer { return list(e, "") }, isRedirect},
		"Basic that is not base64":              {func(e *env) answer { return who(e, "Basic %%%") }, isRedirect},
		"Basic with an empty password":          {func(e *env) answer { return who(e, basic("")) }, isRedirect},
		"another scheme":                        {func(e *env) answer { return who(e, "Negotiate abc") }, isRedirect},
		"an unknown PAT":                        {func(e *env) answer { return who(e, basic("unknown")) }, isRedirect},
		"an unknown PAT, suppressed":            {func(e *env) answer { return who(e, basic("unknown"), suppress, yes) }, isEmpty401},
		"a PAT as bearer":                       {func(e *env) answer { v, _ := e.newPat(e.owner(), "x", "app_token", day); return who(e, "Bearer "+v) }, isRedirect},
		"a bearer token that nobody issued":     {func(e *env) answer { return list(e, "Bearer eyJ.x.y") }, isRedirect},
		"a token for another audience": {func(e *env) answer {
			return list(e, e.issue(func(t *world.Token) { t.Audience = "https://management.azure.com" }))
		}, isRedirect},
		"an expired token": {func(e *env) answer { return list(e, e.issue(func(t *world.Token) { t.Expires = start })) }, isRedirect},
		"an expired token with a PATCH": {func(e *env) answer {
			return e.do("PATCH", pats+v71, e.issue(func(t *world.Token) { t.Expires = start }), "{}")
		}, isNoScope},
		"a user who is no member":                {func(e *env) answer { return list(e, e.bearer(stranger, "user_impersonation")) }, isDenied},
		"a user of another tenant":               {func(e *env) answer { return list(e, e.issue(func(t *world.Token) { t.Tenant = "other" })) }, isDenied},
		"a disabled user":                        {func(e *env) answer { e.w.Users[0].Disabled = true; return who(e, e.owner()) }, isDenied},
		"a token without a scope of the PAT API": {func(e *env) answer { return list(e, e.bearer(alice, "vso.tokens", "vso.profile")) }, isNoScope},
		"a token that may read PATs creating one": {func(e *env) answer {
			return e.create(e.bearer(alice, "vso.pats"), `{"displayName":"x","scope":"vso.code"}`)
		}, isNoScope},
		"a token that may create PATs listing them": {func(e *env) answer { return list(e, e.bearer(alice, "vso.pats_manage")) }, isNoScope},
		"a service principal on the PAT API":        {func(e *env) answer { return list(e, e.app()) }, jsonError(403, "InvalidAccessException", "Service principals are not allowed to perform this action.")},
		"a service principal, as in 2023":           {func(e *env) answer { e.k.ServicePrincipalCaller = "signIn"; return list(e, e.app()) }, isRedirect},
		"a service principal that is no member":     {func(e *env) answer { return e.get(fabrikam, e.app()) }, isDenied},
		"a PAT on the PAT API":                      {func(e *env) answer { v, _ := e.newPat(e.owner(), "x", "app_token", day); return list(e, basic(v)) }, isEmpty401},
		"a PAT on the PAT API, as in 2022": {func(e *env) answer {
			e.k.PatCaller = "invalidAccess"
			v, _ := e.newPat(e.owner(), "x", "app_token", day)
			return list(e, basic(v))
		}, jsonError(403, "InvalidAccessException", "The requested operation is not allowed.")},
		"a suppressed redirect, where that refuses": {func(e *env) answer { e.k.SuppressRefuses = true; return who(e, e.owner(), suppress, yes) }, isNoScope},
		"a conditional access policy":               {func(e *env) answer { e.k.ConditionalAccess = true; return who(e, e.owner()) }, jsonError(403, "VssServiceException", "VS403463")},
		"a stopped organisation": {func(e *env) answer { return e.get(strings.Replace(whoami, "contoso", "stopped", 1), e.owner()) },
			refusal{status: 503, contentType: "application/json", bom: true, typeKey: "VssServiceException", contains: "TF24668: The following team project collection is stopped: "}},
		"an unknown organisation": {func(e *env) answer { return e.get(strings.Replace(whoami, "contoso", "nowhere", 1), e.owner()) }, refusal{status: 404, contentType: "text/html; charset=utf-8"}},
		"an unknown project": {func(e *env) answer {
			return e.get("https://dev.azure.com/contoso/_apis/projects/nope", e.bearer(alice, "vso.project"))
		}, jsonError(404, "ProjectDoesNotExistWithNameException", "TF200016: The following project does not exist: nope.")},
		"an unknown project by id": {func(e *env) answer {
			return e.get("https://dev.azure.com/contoso/_apis/projects/"+alice, e.bearer(alice, "vso.project"))
		}, jsonError(404, "ProjectDoesNotExistException", "VS800075")},
		"an unknown project on a way": {func(e *env) answer { return e.get("https://dev.azure.com/contoso/nope/_apis/build/builds", e.owner()) }, jsonError(404, "ProjectDoesNotExistWithNameException", "TF200016")},
		"an unknown address": {func(e *env) answer { return e.get("https://dev.azure.com/contoso/_apis/nonsense", e.owner()) },
			refusal{status: 404, contentType: "text/plain; charset=utf-8", contains: "The controller for path '/contoso/_apis/nonsense' was not found or does not implement IController."}},
		"PATs on the wrong host": {func(e *env) answer { return e.get("https://dev.azure.com/contoso/_apis/tokens/pats"+v71, e.owner()) },
			refusal{status: 404, contentType: "text/plain; charset=utf-8"}},
		"an area that is not built": {func(e *env) answer {
			return e.get("https://dev.azure.com/contoso/platform/_apis/git/repositories", e.owner())
		}, jsonError(501, "NotSimulated", "not simulated yet")},
		"a method that is not known": {func(e *env) answer { return e.do("PATCH", pats+v71, e.owner(), "{}") },
			refusal{status: 405, contentType: "application/json; charset=utf-8", contains: `{"count":1,"value":{"Message":"The requested resource does not support http method 'PATCH'."}}`}},
		"a body that is no JSON": {func(e *env) answer { return e.create(e.owner(), `{"displayName":`) }, jsonError(400, "JsonReaderException", "TF400898: An Internal Error Occurred. Activity Id: ")},
		"allOrgs as a string": {func(e *env) answer {
			return e.create(e.owner(), `{"displayName":"x","scope":"vso.code","allOrgs":"false"}`)
		}, jsonError(400, "JsonReaderException", "TF400898")},
		"a date that is none": {func(e *env) answer {
			return e.create(e.owner(), `{"displayName":"x","scope":"vso.code","validTo":"12/31/2026"}`)
		}, jsonError(400, "JsonReaderException", "TF400898")},
		"a body of null": {func(e *env) answer { return e.create(e.owner(), `null`) }, jsonError(400, "JsonReaderException", "TF400898")},
		"an empty body": {func(e *env) answer {
			return e.do("POST", pats+v71, e.owner(), "", "Content-Type", "application/json")
		}, jsonError(400, "JsonReaderException", "TF400898")},
		"a form": {func(e *env) answer {
			return e.do("POST", pats+v71, e.owner(), "a=b", "Content-Type", "application/x-www-form-urlencoded")
		}, jsonError(415, "VssRequestContentTypeNotSupportedException", "application/x-www-form-urlencoded")},
		"a create that policy answers 400": {func(e *env) answer {
			e.k.CreationBlocked = "400"
			return e.create(e.owner(), `{"displayName":"x","scope":"vso.code"}`)
		},
			jsonError(400, "SessionTokenCreateException", "DisablePatCreationPolicyViolation")},
		"a filter that does not exist": {func(e *env) answer { return e.get(pats+v71+"&displayFilterOption=dead", e.owner()) }, jsonError(400, "ArgumentException", "displayFilterOption")},
		"a page size that is none":     {func(e *env) answer { return e.get(pats+v71+"&$top=many", e.owner()) }, jsonError(400, "ArgumentException", "$top")},
		"a continuation token of ours": {func(e *env) answer { return e.get(pats+v71+"&continuationToken=20", e.owner()) }, jsonError(400, "ArgumentException", "continuationToken")},
		"no version on a create":       {func(e *env) answer { return e.do("POST", pats, e.owner(), "{}") }, jsonError(400, "VssVersionNotSpecifiedException", `No api-version was supplied for the \"POST\" request.`)},
		"no version on a revoke":       {func(e *env) answer { return e.do("DELETE", pats+"?authorizationId="+alice, e.owner(), "") }, jsonError(400, "VssVersionNotSpecifiedException", "No api-version")},
		"a version that is no preview": {func(e *env) answer { return e.get(pats+"?api-version=7.1", e.owner()) }, jsonError(400, "VssInvalidPreviewVersionException", `The requested version \"7.1\" of the resource is under preview. The -preview flag must be supplied in the api-version`)},
		"connectionData as if released": {func(e *env) answer { return e.get(whoami, e.owner(), "Accept", "application/json;api-version=5.0") },
			jsonError(400, "VssInvalidPreviewVersionException", "-preview flag must be supplied")},
		"projects of an unreleased version": {func(e *env) answer {
			return e.get("https://dev.azure.com/contoso/_apis/projects?api-version=7.2", e.owner())
		}, jsonError(400, "VssInvalidPreviewVersionException", "-preview flag")},
		"a version too new":      {func(e *env) answer { return e.get(pats+"?api-version=8.0-preview.1", e.owner()) }, jsonError(400, "VssVersionOutOfRangeException", "out of range")},
		"a resource too new":     {func(e *env) answer { return e.get(pats+"?api-version=7.1-preview.2", e.owner()) }, jsonError(400, "VssVersionOutOfRangeException", "out of range")},
		"a version that is none": {func(e *env) answer { return e.get(pats+"?api-version=latest", e.owner()) }, jsonError(400, "VssInvalidApiResourceVersionException", "Invalid api version string")},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			a := c.do(e)
			a.is(c.want)
			if a.header.Get("ActivityId") == "" || a.header.Get("Date") != start.Format(http.TimeFormat) {
				t.Errorf("headers %v", a.header)
			}
			if strings.Contains(a.header.Get("Content-Type"), "api-version") {
				t.Error("an error echoes the api-version")
			}
		})
	}
}

func TestASuppressedRedirectNamesTheTenant(t *testing.T) {
	e := newEnv(t)
	h := e.get(whoami, "", "X-TFS-FedAuthRedirect", "suppress").want(401).header
	if h.Get("X-VSS-ResourceTenant") != world.TenantID || h.Get("X-TFS-FedAuthRealm") == "" || h.Get("X-TFS-FedAuthIssuer") == "" || h.Get("X-VSS-AuthorizationEndpoint") == "" {
		t.Errorf("headers %v", h)
	}
	if len(h.Values("WWW-Authenticate")) < 2 {
		t.Errorf("WWW-Authenticate %q", h.Values("WWW-Authenticate"))
	}
}

func TestTheSignInRedirectLeadsToA203(t *testing.T) {
	e := newEnv(t)
	to, err := url.Parse(e.get(whoami+"?x=y", "").want(302).header.Get("Location"))
	if err != nil || to.Host != "spsprodweu1.vssps.visualstudio.com" || to.Path != "/_signin" ||
		to.Query().Get("realm") != "dev.azure.com" || to.Query().Get("reply_to") != whoami {
		t.Fatalf("Location %v, %v", to, err)
	}
	e.get(to.String(), "").is(isSignIn)
}

// A PAT that was good, or is good elsewhere.
func TestBadPats(t *testing.T) {
	bad := map[string]func(e *env) answer{
		"expired": func(e *env) answer {
			v, _ := e.newPat(e.owner(), "x", "app_token", day)
			e.w.Advance(day)
			return e.get(whoami, basic(v))
		},
		"revoked": func(e *env) answer {
			v, id := e.newPat(e.owner(), "x", "app_token", day)
			e.do("DELETE", pats+v71+"&authorizationId="+id, e.owner(), "").want(204)
			return e.get(whoami, basic(v))
		},
		"of another organisation": func(e *env) answer {
			v, _ := e.newPat(e.owner(), "x", "app_token", day)
			return e.get(fabrikam, basic(v))
		},
		"where there is no organisation": func(e *env) answer {
			v, _ := e.newPat(e.owner(), "x", "vso.profile", day)
			return e.get("https://app.vssps.visualstudio.com/_apis/profile/profiles/me?api-version=7.1", basic(v))
		},
		"of a disabled user": func(e *env) answer {
			v, _ := e.newPat(e.owner(), "x", "app_token", day)
			e.w.Users[0].Disabled = true
			return e.get(whoami, basic(v))
		},
		"of a user who left": func(e *env) answer {
			v, _ := e.newPat(e.owner(), "x", "app_token", day)
			e.w.Organizations[0].Members = []string{bob}
			return e.get(whoami, basic(v))
		},
		"unused for too long": func(e *env) answer {
			e.k.Inactivity = world.Duration(5 * day)
			v, _ := e.newPat(e.owner(), "x", "app_token", 30*day)
			e.w.Advance(4 * day)
			e.get(whoami, basic(v)).want(200)
			e.w.Advance(4 * day)
			e.get(whoami, basic(v)).want(200)
			e.w.Advance(5 * day)
			return e.get(whoami, basic(v))
		},
		"global, and retired": func(e *env) answer {
			e.k.GlobalRetirement = start.Add(day)
			v := e.create(e.owner(), `{"displayName":"x","scope":"vso.code","allOrgs":true}`).pat()["token"].(string)
			e.get(fabrikam, basic(v)).want(200)
			e.w.Advance(day)
			return e.get(whoami, basic(v))
		},
	}
	variants := map[string]refusal{
		"":                isEmpty401,
		"empty401":        isEmpty401,
		"accessCheckJSON": {status: 401, contentType: "application/json; charset=utf-8", typeKey: "AccessCheckException", contains: `"customProperties":{"Descriptor":null`, challenge: "Basic realm"},
		"html":            {status: 401, contentType: "text/html; charset=utf-8", contains: "<title>Access Denied: The Personal Access Token used has expired.</title>", challenge: "Basic realm"},
	}
	for name, do := range bad {
		for variant, want := range variants {
			t.Run(name+", "+variant, func(t *testing.T) {
				e := newEnv(t)
				e.k.BadPat = variant
				do(e).is(want)
			})
		}
	}
	t.Run("of another organisation, sent to sign in", func(t *testing.T) {
		e := newEnv(t)
		e.k.ForeignPat = "signIn"
		bad["of another organisation"](e).is(isRedirect)
	})
}

func TestAMissingScopeOfAPatIsTheSame401AsADeadOne(t *testing.T) {
	e := newEnv(t)
	v, _ := e.newPat(e.owner(), "x", "vso.wiki", day)
	e.k.BadPat = "html"
	e.get("https://dev.azure.com/contoso/_apis/projects", basic(v)).is(isEmpty401)
}

func TestARevokeMayTakeAWhile(t *testing.T) {
	e := newEnv(t)
	e.k.RevokeLatency = world.Duration(time.Hour)
	owner := e.owner()
	v, id := e.newPat(owner, "x", "vso.code", day)
	e.do("DELETE", pats+v71+"&authorizationId="+id, owner, "").want(204)
	e.w.Advance(time.Hour - time.Second)
	e.get(whoami, basic(v)).want(200)
	e.w.Advance(time.Second)
	e.get(whoami, basic(v)).want(401)
}

func TestAPlainVersionIsTakenWhereTheKnobSaysSo(t *testing.T) {
	e := newEnv(t)
	e.k.AcceptPlainVersion = true
	if a := e.get(pats+"?api-version=7.1", e.owner()).want(200); a.header.Get("Content-Type") != "application/json; charset=utf-8; api-version=7.1" {
		t.Fatalf("Content-Type %q", a.header.Get("Content-Type"))
	}
	e.get(whoami+"?api-version=7.1", e.owner()).want(400)
}

func TestAByteOrderMarkMayStartAnyJSON(t *testing.T) {
	e := newEnv(t)
	e.k.BOM = true
	for _, a := range []answer{e.get(pats+v71, e.owner()).want(200), e.get(pats+"?api-version=7.1", e.owner()).want(400)} {
		if !bytes.HasPrefix(a.body, []byte("\ufeff{")) {
			t.Errorf("body %q", a.body)
		}
	}
}
