package devops_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// page reads one page of the list and returns its names and the token of the next.
func (e *env) page(auth, query, token string) ([]string, string) {
	e.t.Helper()
	a := e.get(pats+v71+query+"&continuationToken="+url.QueryEscape(token), auth)
	return a.names(), a.object()["continuationToken"].(string)
}

func (e *env) fill(auth string, n int) {
	e.t.Helper()
	for i := range n {
		e.newPat(auth, fmt.Sprintf("p%03d", i), "vso.code", 30*day)
	}
}

func TestTheListHasPagesOf20AndAtMost100(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	e.fill(owner, 130)
	for query, want := range map[string]int{"": 20, "&$top=7": 7, "&%24top=7": 7, "&$top=100": 100, "&$top=5000": 100, "&$top=0": 20} {
		if names, next := e.page(owner, query, ""); len(names) != want || next == "" {
			t.Errorf("%q: %d PATs and continuation %q, want %d and more", query, len(names), next, want)
		}
	}
	e.k.DefaultPageSize = 3
	if names, _ := e.page(owner, "", ""); len(names) != 3 {
		t.Errorf("%d PATs with a default of 3", len(names))
	}
	var all []string
	token := ""
	for pages := 1; pages == 1 || token != ""; pages++ {
		if pages > 3 {
			t.Fatal("the list of 130 does not end after 3 pages of 50")
		}
		var names []string
		names, token = e.page(owner, "&$top=50", token)
		all = append(all, names...)
	}
	if len(all) != 130 || all[0] != "p000" || all[129] != "p129" {
		t.Errorf("%d PATs over all pages, from %s to %s", len(all), all[0], all[len(all)-1])
	}
}

func TestAFullLastPageHasNoContinuation(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	e.fill(owner, 4)
	_, token := e.page(owner, "&$top=2", "")
	if names, last := e.page(owner, "&$top=2", token); len(names) != 2 || last != "" {
		t.Errorf("the last page has %q and continuation %q", names, last)
	}
}

func TestAListThatChangesBetweenPagesRepeatsOrSkips(t *testing.T) {
	t.Run("a PAT created before the next page repeats one", func(t *testing.T) {
		e := newEnv(t)
		owner := e.owner()
		e.fill(owner, 4)
		first, token := e.page(owner, "&$top=2", "")
		e.newPat(owner, "a new one", "vso.code", day)
		second, _ := e.page(owner, "&$top=2", token)
		wantNames(t, append(first, second...), "p000", "p001", "p001", "p002")
	})
	t.Run("a PAT revoked before the next page skips one", func(t *testing.T) {
		e := newEnv(t)
		owner := e.owner()
		e.fill(owner, 4)
		first, token := e.page(owner, "&$top=2", "")
		e.do("DELETE", pats+v71+"&authorizationId="+e.w.Organizations[0].PATs[0].AuthorizationID, owner, "").want(204)
		second, _ := e.page(owner, "&$top=2", token)
		wantNames(t, append(first, second...), "p000", "p001", "p003")
	})
}

func TestTheListIsFilteredAndSorted(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	e.newPat(owner, "old", "vso.code", day)
	_, id := e.newPat(owner, "Taken back", "vso.code", 9*day)
	e.do("DELETE", pats+v71+"&authorizationId="+id, owner, "").want(204)
	e.w.Advance(2 * day)
	e.newPat(owner, "b", "vso.code", 3*day)
	e.newPat(owner, "A", "vso.code", 5*day)
	e.newPat(e.bearer(bob, "user_impersonation"), "bob's", "vso.code", day)
	for query, want := range map[string][]string{
		"":                             {"A", "b"},
		"&displayFilterOption=active":  {"A", "b"},
		"&DISPLAYFILTEROPTION=Expired": {"old"},
		"&displayFilterOption=revoked": {"Taken back"},
		"&displayFilterOption=all":     {"A", "b", "old", "Taken back"},
		"&displayFilterOption=all&isSortAscending=false":    {"Taken back", "old", "b", "A"},
		"&displayFilterOption=all&sortByOption=displayDate": {"old", "b", "A", "Taken back"},
		"&displayFilterOption=all&sortByOption=status":      {"b", "A", "old", "Taken back"},
	} {
		t.Run(query, func(t *testing.T) {
			wantNames(t, e.get(pats+v71+query, owner).names(), want...)
		})
	}
}

func TestTheListMayLagBehind(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	_, id := e.newPat(owner, "old", "vso.code", 30*day)
	e.w.Advance(time.Hour)
	e.k.ListLag = world.Duration(time.Minute)
	_, fresh := e.newPat(owner, "new", "vso.code", 30*day)
	e.do("DELETE", pats+v71+"&authorizationId="+id, owner, "").want(204)
	wantNames(t, e.get(pats+v71, owner).names(), "old")
	wantNames(t, e.get(pats+v71+"&displayFilterOption=revoked", owner).names())
	e.get(pats+v71+"&authorizationId="+fresh, owner).pat()
	e.w.Advance(time.Minute + time.Second)
	wantNames(t, e.get(pats+v71, owner).names(), "new")
	wantNames(t, e.get(pats+v71+"&displayFilterOption=revoked", owner).names(), "old")
}

func TestANewPatIsListedAtOnceThoughItsDateWasRoundedUp(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	e.w.Advance(time.Millisecond)
	e.newPat(owner, "new", "vso.code", day)
	if at := e.w.Organizations[0].PATs[0].ValidFrom; !at.After(e.now()) {
		t.Fatalf("validFrom %v was not rounded up", at)
	}
	wantNames(t, e.get(pats+v71, owner).names(), "new")
}

func TestPatsBelongToTheOrganisationTheyWereMadeIn(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	_, id := e.newPat(owner, "contoso's", "vso.code", day)
	const there = "https://vssps.dev.azure.com/fabrikam/_apis/Tokens/Pats"
	wantNames(t, e.get(there+v71, owner).names())
	e.get(there+v71+"&authorizationId="+id, owner).refused("tokenNotFound")
	e.do("PUT", there+v71, owner, `{"authorizationId":"`+id+`"}`).refused("tokenNotFound")
	e.do("DELETE", there+v71+"&authorizationId="+id, owner, "").want(404)
	e.k.ListAcrossOrgs = true
	a := e.get(there+v71, owner)
	wantNames(t, a.names(), "contoso's")
	if got := fmt.Sprint(a.object()["patTokens"].([]any)[0].(map[string]any)["targetAccounts"]); got != "["+contosoID+"]" {
		t.Errorf("targetAccounts %s", got)
	}
}

func TestAGlobalPatWorksInEveryOrganisationOfItsOwner(t *testing.T) {
	e := newEnv(t)
	owner := e.owner()
	p := e.create(owner, `{"displayName":"x","scope":"vso.profile","allOrgs":true}`).pat()
	if p["targetAccounts"] != nil {
		t.Errorf("targetAccounts %v, want null", p["targetAccounts"])
	}
	pat := basic(p["token"].(string))
	e.get(whoami, pat).want(200)
	e.get(fabrikam, pat).want(200)
	e.get("https://app.vssps.visualstudio.com/_apis/profile/profiles/me?api-version=7.1", pat).want(200)
	update := func(allOrgs string) answer {
		return e.do("PUT", pats+v71, owner, `{"authorizationId":"`+p["authorizationId"].(string)+`","allOrgs":`+allOrgs+`}`)
	}
	e.k.RestrictGlobal = true
	if p := update("true").pat(); p["targetAccounts"] != nil {
		t.Errorf("targetAccounts %v, want null: it was global before the policy", p["targetAccounts"])
	}
	if p := update("false").pat(); p["targetAccounts"] == nil {
		t.Error("it is still global")
	}
	update("true").refused("globalPatPolicyViolation")
	e.get(whoami, pat).want(200)
	e.get(fabrikam, pat).want(401)
}
