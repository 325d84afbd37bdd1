package devops_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

func TestAPatLivesFromItsCreateToItsRevoke(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	p := e.create(owner, `{"displayName":"ci","scope":"vso.code vso.packaging","validTo":"2026-04-01T23:46:23.319Z","allOrgs":false,"targetAccounts":["x"]}`).pat()
	value, id := p["token"].(string), p["authorizationId"].(string)
	if !regexp.MustCompile(`^[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}$`).MatchString(value) {
		t.Fatalf("the value has %d characters, or no signature", len(value))
	}
	if p["validTo"] != "2026-04-01T23:46:23.32Z" || p["validFrom"] != "2026-03-02T10:00:00.1Z" {
		t.Fatalf("validFrom %v, validTo %v: not rounded", p["validFrom"], p["validTo"])
	}
	if got := fmt.Sprint(p["targetAccounts"]); got != "["+contosoID+"]" {
		t.Fatalf("targetAccounts %v", got)
	}

	a := e.get(whoami, basic(value)).want(200)
	me := a.object()["authenticatedUser"].(map[string]any)
	if got := a.header.Get("X-VSS-UserData"); got != me["id"].(string)+":alice@contoso.onmicrosoft.com" {
		t.Fatalf("x-vss-userdata %q", got)
	}
	if a.call.Principal != "alice@contoso.onmicrosoft.com" {
		t.Fatalf("principal %q", a.call.Principal)
	}

	got := e.get(pats+v71+"&authorizationId="+strings.ToUpper(id), owner).pat()
	if got["displayName"] != "ci" || got["token"] != nil {
		t.Fatalf("got %v", got)
	}
	e.w.Advance(day)
	upd := e.do("PUT", pats+v71, owner, `{"authorizationId":"`+id+`","displayName":"ci 2","scope":"vso.work","validTo":"2026-06-01T00:00:00Z"}`).pat()
	if upd["displayName"] != "ci 2" || upd["scope"] != "vso.work" || upd["validTo"] != "2026-06-01T00:00:00Z" ||
		upd["validFrom"] != p["validFrom"] || upd["token"] != nil || upd["authorizationId"] != id {
		t.Fatalf("updated to %v", upd)
	}
	e.get(whoami, basic(value)).want(200)

	gone := e.do("DELETE", pats+v71+"&authorizationId="+id, owner, "").want(http.StatusNoContent)
	if len(gone.body) != 0 || gone.header.Get("Content-Type") != "" {
		t.Fatalf("a revoke answered %q", gone.body)
	}
	e.get(whoami, basic(value)).want(401)
}

func TestTheValueIsInNoAnswerButTheCreates(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	value, id := e.newPat(owner, "ci", "vso.profile", day)
	for _, a := range []answer{
		e.get(pats+v71, owner),
		e.get(pats+v71+"&authorizationId="+id, owner),
		e.do("PUT", pats+v71, owner, `{"authorizationId":"`+id+`"}`),
		e.get(whoami, basic(value)),
		e.get("https://dev.azure.com/nowhere/_apis/projects", basic(value)),
		e.get("https://dev.azure.com/fabrikam/_apis/projects", basic(value)),
		e.get("https://dev.azure.com/contoso/_apis/projects?x="+value, ""),
		e.do("DELETE", pats+v71+"&authorizationId="+id, owner, ""),
		e.do("DELETE", pats+v71+"&authorizationId="+id, owner, ""),
		e.get(whoami, basic(value)),
	} {
		all := fmt.Sprint(a.header) + string(a.body)
		if call, _ := json.Marshal(a.call); strings.Contains(all+string(call), world.Canary) {
			t.Errorf("status %d shows a secret: %s", a.status, all)
		}
	}
}

func TestEveryCredentialReceivedIsRemembered(t *testing.T) {
	e := newEnv(t)
	e.get(whoami, basic("a-pat-of-nobody"))
	e.get(whoami, "Bearer a-token-of-nobody")
	e.w.Lock()
	defer e.w.Unlock()
	all := strings.Join(e.w.Secrets(), "\n")
	for _, want := range []string{"a-pat-of-nobody", "a-token-of-nobody"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s was not remembered", want)
		}
	}
}

func TestCreateRefusesWith200(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		knob func(*world.DevOpsKnobs)
		want string
	}{
		"no display name":                  {`{"scope":"vso.code"}`, nil, "displayNameRequired"},
		"a display name of spaces":         {`{"displayName":"  ","scope":"vso.code"}`, nil, "displayNameRequired"},
		"a display name that is too long":  {`{"displayName":"` + strings.Repeat("x", 257) + `","scope":"vso.code"}`, nil, "invalidDisplayName"},
		"a display name with a line break": {`{"displayName":"a\nb","scope":"vso.code"}`, nil, "invalidDisplayName"},
		"no scope":                         {`{"displayName":"x"}`, nil, "invalidScope"},
		"an unknown scope":                 {`{"displayName":"x","scope":"vso.code vso.nonsense"}`, nil, "invalidScope"},
		"a scope without its prefix":       {`{"displayName":"x","scope":"code"}`, nil, "invalidScope"},
		"a scope of Entra":                 {`{"displayName":"x","scope":"user_impersonation"}`, nil, "invalidScope"},
		"the scope of the PAT API":         {`{"displayName":"x","scope":"vso.pats_manage"}`, nil, "invalidScope"},
		"two spaces between scopes":        {`{"displayName":"x","scope":"vso.code  vso.work"}`, nil, "invalidScope"},
		"a past date":                      {`{"displayName":"x","scope":"vso.code","validTo":"2026-03-02T10:00:00.1Z"}`, nil, "invalidValidTo"},
		"all organisations, by policy":     {`{"displayName":"x","scope":"vso.code","allOrgs":true}`, func(k *world.DevOpsKnobs) { k.RestrictGlobal = true }, "globalPatPolicyViolation"},
		"all organisations, when blocked":  {`{"displayName":"x","scope":"vso.code","allOrgs":true}`, func(k *world.DevOpsKnobs) { k.GlobalCreationBlocked = true }, "globalPATCreationBlocked"},
		"all organisations, when retired":  {`{"displayName":"x","scope":"vso.code","allOrgs":true}`, func(k *world.DevOpsKnobs) { k.GlobalRetirement = start }, "globalPATCreationBlocked"},
		"full scope, by policy":            {`{"displayName":"x","scope":"app_token"}`, func(k *world.DevOpsKnobs) { k.RestrictFullScope = true }, "fullScopePatPolicyViolation"},
		"anything, by the organisation":    {`{"displayName":"x","scope":"vso.code"}`, func(k *world.DevOpsKnobs) { k.CreationBlocked = "enum" }, "disablePatCreationPolicyViolation"},
		"too long a life, where not clamped": {`{"displayName":"x","scope":"vso.code","validTo":"2026-04-02T10:00:00Z"}`,
			func(k *world.DevOpsKnobs) { k.MaxLifespan, k.Overlong = world.Duration(7*day), "refuse" }, "patLifespanPolicyViolation"},
		"over one year, where not clamped": {`{"displayName":"x","scope":"vso.code","validTo":"2027-03-03T10:00:00Z"}`,
			func(k *world.DevOpsKnobs) { k.Overlong = "refuse" }, "invalidValidTo"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			if c.knob != nil {
				c.knob(e.k)
			}
			e.create(e.owner(), c.body).refused(c.want)
			if len(e.w.Organizations[0].PATs) != 0 {
				t.Error("a refused create made a PAT")
			}
		})
	}
}

func TestUpdateRefusesWith200(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	_, id := e.newPat(owner, "ci", "vso.code", 2*day)
	_, dead := e.newPat(owner, "dead", "vso.code", day)
	_, revoked := e.newPat(owner, "revoked", "vso.code", 2*day)
	_, others := e.newPat(e.bearer(bob, "user_impersonation"), "bob's", "vso.code", 2*day)
	e.do("DELETE", pats+v71+"&authorizationId="+revoked, owner, "").want(204)
	e.w.Advance(day)
	for name, c := range map[string]struct{ body, want string }{
		"no id":              {`{"displayName":"x"}`, "invalidAuthorizationId"},
		"an id that is none": {`{"authorizationId":"7"}`, "invalidAuthorizationId"},
		"an unknown id":      {`{"authorizationId":"11111111-1111-4111-8111-111111111111"}`, "tokenNotFound"},
		"somebody else's":    {`{"authorizationId":"` + others + `","displayName":"mine"}`, "tokenNotFound"},
		"a revoked one":      {`{"authorizationId":"` + revoked + `","displayName":"x"}`, "invalidToken"},
		"an expired one":     {`{"authorizationId":"` + dead + `","validTo":"2026-06-01T00:00:00Z"}`, "expiredPatCannotBeExtended"},
		"a past date":        {`{"authorizationId":"` + id + `","displayName":"changed","validTo":"2026-03-03T00:00:00Z"}`, "invalidValidTo"},
		"an empty name":      {`{"authorizationId":"` + id + `","displayName":""}`, "displayNameRequired"},
		"an unknown scope":   {`{"authorizationId":"` + id + `","scope":"vso.nonsense"}`, "invalidScope"},
	} {
		t.Run(name, func(t *testing.T) {
			e.t = t
			e.do("PUT", pats+v71, owner, c.body).refused(c.want)
			if p := e.get(pats+v71+"&authorizationId="+id, owner).pat(); p["displayName"] != "ci" {
				t.Errorf("a refused update renamed it to %v", p["displayName"])
			}
		})
	}
	t.Run("an expired one may be revived where the knob says so", func(t *testing.T) {
		e.t = t
		e.k.ExtendExpired = true
		e.do("PUT", pats+v71, owner, `{"authorizationId":"`+dead+`","validTo":"2026-06-01T00:00:00Z"}`).pat()
	})
}

func TestALongLifeIsClampedWithoutAnError(t *testing.T) {
	for name, c := range map[string]struct {
		max         time.Duration
		fromNow     bool
		asked       string
		want        string
		then        time.Duration // passes before the update
		again, last string
	}{
		"no policy: as asked": {0, false, "2026-06-01T00:00:00Z", "2026-06-01T00:00:00Z", 10 * day, "2026-09-01T00:00:00Z", "2026-09-01T00:00:00Z"},
		"one year at most":    {0, false, "2028-01-01T00:00:00Z", "2027-03-02T10:00:00.1Z", 10 * day, "2028-01-01T00:00:00Z", "2027-03-12T10:00:00.1Z"},
		"the policy, and an update counts from the creation": {7 * day, false, "2026-06-01T00:00:00Z", "2026-03-09T10:00:00.1Z", 5 * day, "2026-06-01T00:00:00Z", "2026-03-09T10:00:00.1Z"},
		"the policy, and an update counts from now":          {7 * day, true, "2026-06-01T00:00:00Z", "2026-03-09T10:00:00.1Z", 5 * day, "2026-06-01T00:00:00Z", "2026-03-14T10:00:00.1Z"},
		"within the policy: as asked":                        {7 * day, false, "2026-03-05T00:00:00Z", "2026-03-05T00:00:00Z", day, "2026-03-06T00:00:00Z", "2026-03-06T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.k.MaxLifespan = world.Duration(c.max)
			e.k.ClampUpdateToCreation = new(!c.fromNow)
			owner := e.owner()
			p := e.create(owner, `{"displayName":"x","scope":"vso.code","validTo":"`+c.asked+`"}`).pat()
			if p["validTo"] != c.want {
				t.Fatalf("created to %v, want %s", p["validTo"], c.want)
			}
			e.w.Advance(c.then)
			p = e.do("PUT", pats+v71, owner, `{"authorizationId":"`+p["authorizationId"].(string)+`","validTo":"`+c.again+`"}`).pat()
			if p["validTo"] != c.last {
				t.Fatalf("extended to %v, want %s", p["validTo"], c.last)
			}
		})
	}
}

func TestAPatWithoutADateLives30Days(t *testing.T) {
	e := newEnv(t)
	p := e.create(e.owner(), `{"displayName":"x","scope":"vso.code","validTo":null}`).pat()
	if p["validTo"] != "2026-04-01T10:00:00.1Z" {
		t.Fatalf("validTo %v", p["validTo"])
	}
}

func TestRevokingWhatIsGone(t *testing.T) {
	for _, c := range []struct {
		knob   string
		status int
	}{{"", 404}, {"204", 204}} {
		e := newEnv(t)
		e.k.DeleteGone = c.knob
		owner := e.owner()
		_, id := e.newPat(owner, "ci", "vso.code", day)
		_, others := e.newPat(e.bearer(bob, "user_impersonation"), "bob's", "vso.code", day)
		e.do("DELETE", pats+v71+"&authorizationId="+id, owner, "").want(204)
		for _, gone := range []string{id, others, "11111111-1111-4111-8111-111111111111"} {
			a := e.do("DELETE", pats+v71+"&authorizationId="+gone, owner, "").want(c.status)
			if c.status == 404 && a.object()["typeKey"] != "SessionTokenNotFoundException" {
				t.Fatalf("body %s", a.body)
			}
		}
		if !e.w.Organizations[0].PATs[1].Revoked.IsZero() {
			t.Fatal("somebody else's PAT was revoked")
		}
		e.do("DELETE", pats+v71, owner, "").want(400)
		e.do("DELETE", pats+v71+"&authorizationId=x", owner, "").want(400)
	}
}

func TestACreateMayBeStoredTwice(t *testing.T) {
	e := newEnv(t)
	e.k.DuplicateOnCreate = true
	owner := e.owner()
	e.newPat(owner, "ci", "vso.code", day)
	wantNames(t, e.get(pats+v71, owner).names(), "ci", "ci")
	if p := e.w.Organizations[0].PATs; p[0].AuthorizationID == p[1].AuthorizationID || p[0].Token == p[1].Token {
		t.Fatal("the twin is not a PAT of its own")
	}
}

func TestAScopeMayBeNormalised(t *testing.T) {
	e := newEnv(t)
	e.k.NormaliseScope = true
	if p := e.create(e.owner(), `{"displayName":"x","scope":" vso.work  vso.code vso.work"}`).pat(); p["scope"] != "vso.code vso.work" {
		t.Fatalf("scope %q", p["scope"])
	}
}

func TestOnlyVersion72HasAMessage(t *testing.T) {
	e := newEnv(t)
	for version, want := range map[string]bool{"6.1-preview": false, "7.0-preview.1": false, "7.1-preview.1": false, "7.2-preview.1": true, "7.2-preview": true} {
		a := e.do("POST", pats+"?api-version="+version, e.owner(), `{"displayName":"x","scope":"nonsense"}`)
		a.refused("invalidScope")
		if _, has := a.object()["patTokenErrorMessage"]; has != want {
			t.Errorf("%s: %s", version, a.body)
		}
	}
}

func TestReadingDoesNotChangeWhatIsMintedLater(t *testing.T) {
	quiet, busy := newEnv(t), newEnv(t)
	owner := busy.owner()
	for range 5 {
		busy.get(pats+v71, owner)
		busy.get(whoami, owner)
		busy.get(whoami, "")
	}
	v1, _ := quiet.newPat(quiet.owner(), "ci", "vso.code", day)
	v2, _ := busy.newPat(owner, "ci", "vso.code", day)
	if v1 != v2 {
		t.Fatal("the same seed minted another value after reads")
	}
	if a, b := busy.get(whoami, owner), busy.get(whoami, owner); a.header.Get("ActivityId") == b.header.Get("ActivityId") {
		t.Fatal("two calls have one activity id")
	}
}
