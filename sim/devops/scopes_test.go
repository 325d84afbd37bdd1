package devops_test

import (
	"testing"
)

const (
	projects = "https://dev.azure.com/contoso/_apis/projects?api-version=7.1"
	profile  = "https://vssps.dev.azure.com/contoso/_apis/profile/profiles/me?api-version=7.1"
)

func TestScopesOfPatsAreEnforcedWithWhatTheyInclude(t *testing.T) {
	for scope, want := range map[string]struct{ projects, profile int }{
		"app_token":            {200, 200},
		"vso.project":          {200, 401},
		"vso.profile":          {200, 200},
		"vso.release":          {200, 200}, // includes profile
		"vso.packaging":        {200, 200},
		"vso.wiki vso.symbols": {200, 200},
		"vso.wiki":             {401, 401},
		"vso.code_full":        {401, 401}, // includes code_manage, code_write, code, hooks_write and no more
		"vso.packaging_manage": {401, 401}, // includes packaging_write, which includes nothing
		"vso.project_manage":   {401, 401},
		"vso.profile_write":    {401, 401},
	} {
		t.Run(scope, func(t *testing.T) {
			e := newEnv(t)
			v, _ := e.newPat(e.owner(), "x", scope, day)
			e.get(whoami, basic(v)).want(200)
			e.get(projects, basic(v)).want(want.projects)
			e.get(profile, basic(v)).want(want.profile)
		})
	}
}

func TestScopesOfEntraTokensAreEnforced(t *testing.T) {
	for name, c := range map[string]struct {
		scopes                  []string
		projects, profile, pats int
	}{
		"full access":           {[]string{"user_impersonation"}, 200, 200, 200},
		"the PAT API":           {[]string{"vso.pats", "vso.pats_manage"}, 401, 401, 200},
		"profile":               {[]string{"vso.profile"}, 200, 200, 401},
		"nothing but an e-mail": {[]string{"openid", "email"}, 401, 401, 401},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			auth := e.bearer(alice, c.scopes...)
			e.get(whoami, auth).want(200)
			e.get(projects, auth).want(c.projects)
			e.get(profile, auth).want(c.profile)
			e.get(pats+v71, auth).want(c.pats)
		})
	}
}

func TestAnEntraTokenWorksAsThePasswordOfBasic(t *testing.T) {
	e := newEnv(t)
	token := e.owner()[len("Bearer "):]
	e.get(whoami, basic(token)).want(200)
	e.get(pats+v71, basic(token)).want(200)
	e.get(whoami, basic("eyJ.unknown.token")).want(302)
}

func TestAServicePrincipalReadsWhatAMemberMay(t *testing.T) {
	e := newEnv(t)
	a := e.get(whoami, e.app()).want(200)
	if a.call.Principal != "robot" {
		t.Errorf("principal %q", a.call.Principal)
	}
	e.get(projects, e.app()).want(200)
}

func TestAnUpdatedScopeBindsTheSameValue(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	v, id := e.newPat(owner, "x", "vso.project", day)
	e.get(projects, basic(v)).want(200)
	e.do("PUT", pats+v71, owner, `{"authorizationId":"`+id+`","scope":"vso.wiki"}`).pat()
	e.get(projects, basic(v)).want(401)
}
