package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

func byApp(clientID string) string { return "/applications(appId='" + clientID + "')" }

func TestApplicationsAreFoundByFilter(t *testing.T) {
	x := newBed(t)
	token := x.with("Application.Read.All")
	for _, c := range []struct {
		filter string
		want   []string
	}{
		{"appId eq '" + world.AppDeploy + "'", []string{"deploy-platform"}},
		{"appId eq '" + strings.ToUpper(world.AppDeploy) + "'", []string{"deploy-platform"}},
		{"displayName eq 'BILLING-api'", []string{"billing-api"}},
		{"startswith(displayName,'s')", []string{"shop-web", "signing-service"}},
		{"startswith(displayName, 's') and appId eq '" + world.AppShop + "'", []string{"shop-web"}},
		{"displayName eq 'billing-api' or displayName eq 'shop-web'", []string{"billing-api", "shop-web"}},
		{"displayName in ('billing-api', 'shop-web')", []string{"billing-api", "shop-web"}},
		{"displayName eq 'it''s and not'", nil},
		{"signInAudience eq 'AzureADandPersonalMicrosoftAccount'", []string{"shop-web"}},
	} {
		got := x.get(token, "/applications?$filter="+c.filter).is(200).names("displayName")
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.filter, got, c.want)
		}
	}
	x.get(token, "/applications?$filter=passwordCredentials/any(p:p/endDateTime le 2027-01-01T00:00:00Z)").refused(400, "Request_UnsupportedQuery", "Invalid filter")
	x.get(token, "/applications?$filter=createdDateTime eq '1'").refused(400, "Request_UnsupportedQuery", "'createdDateTime'")
	x.get(token, "/applications?$filter=displayName ne 'x'").refused(400, "Request_UnsupportedQuery", "ConsistencyLevel")
	r := x.send(token, "GET", "/applications?$count=true&$filter=displayName ne 'billing-api'", "", "ConsistencyLevel", "eventual").is(200)
	if n := float64(len(x.w.Apps) - 1); r.body["@odata.count"] != n || slices.Contains(r.names("displayName"), "billing-api") {
		t.Errorf("%v of %v", r.body["@odata.count"], n)
	}
	if r := x.get(token, "/applications?$count=true").is(200); r.body["@odata.count"] != nil {
		t.Error("a count without the header")
	}
}

func TestAListIsPagedWithoutLossOrRepetition(t *testing.T) {
	x := newBed(t)
	token := x.with(appWrite)
	var got []string
	next, pages := "/applications?$top=2&$select=id,displayName", 0
	for next != "" {
		r := x.get(token, next).is(200)
		for _, v := range r.values() {
			if len(v) != 2 {
				t.Fatalf("%v has more than was selected", v)
			}
		}
		got = append(got, r.names("id")...)
		next = r.text("@odata.nextLink")
		pages++
		if pages == 2 { // what comes and goes between two pages moves nothing
			x.delete(token, "/applications/"+got[0]).is(204)
		}
	}
	want := len(x.w.Apps) + 1
	slices.Sort(got)
	if len(slices.Compact(got)) != want || pages != (want+1)/2 {
		t.Errorf("%d ids on %d pages, want %d", len(got), pages, want)
	}
	for _, c := range []struct{ query, part string }{
		{"$top=1000", "Invalid page size"}, {"$top=0", "Invalid page size"}, {"$skiptoken=%21", "page token"},
	} {
		x.get(token, "/applications?"+c.query).refused(400, "Request_BadRequest", c.part)
	}
	x.get(token, "/applications?$select=nothing").refused(400, "BadRequest", "'nothing' on type 'microsoft.graph.application'")
	x.get(token, "/applications?$orderby=displayName").is(200)
	x.get(token, "/applications?$orderby=appId").refused(400, "Request_UnsupportedQuery", "appId")
	x.get(token, "/applications?$expand=tokenIssuancePolicies").refused(400, "Request_UnsupportedQuery", "expands owners alone")
}

func TestAKeyIsShownOnlyWhereItIsSelectedOfOne(t *testing.T) {
	x := newBed(t)
	token := x.with("Application.Read.All")
	key := func(r map[string]any) any {
		return r["keyCredentials"].([]any)[0].(map[string]any)["key"]
	}
	if got := key(x.get(token, byApp(world.AppSigning)).is(200).body); got != nil {
		t.Error("shown without being selected")
	}
	if got := key(x.get(token, byApp(world.AppSigning)+"?$select=id,keyCredentials").is(200).body); got == nil {
		t.Error("not shown where it was selected")
	}
	if got := key(x.get(token, "/applications?$select=keyCredentials&$filter=appId eq '"+world.AppSigning+"'").is(200).values()[0]); got != nil {
		t.Error("shown in a list")
	}
}

func TestAnApplicationsLife(t *testing.T) {
	x := newBed(t)
	token := x.worker(ownedBy)
	made := x.post(token, "/applications", `{"displayName":"made","signInAudience":"AzureADMyOrg","passwordCredentials":[{"displayName":"first"}]}`).is(201)
	secret := made.body["passwordCredentials"].([]any)[0].(map[string]any)["secretText"]
	if s, _ := secret.(string); !strings.Contains(s, world.Canary) {
		t.Errorf("%v", made.body)
	}
	path := "/applications/" + made.text("id")
	if got := x.get(token, path+"/owners").is(200).names("id"); !slices.Equal(got, []string{x.w.ManagedIdentities[0].ID}) {
		t.Errorf("owners %q: who makes an application owns it", got)
	}
	x.post(token, "/servicePrincipals", `{"appId":"`+made.text("appId")+`","accountEnabled":true}`).is(201)
	x.post(token, "/servicePrincipals", `{"appId":"`+made.text("appId")+`"}`).refused(409, "Request_MultipleObjectsWithSameKeyValue", "already in use")
	x.patch(token, path, `{"displayName":"renamed","tags":["a"]}`).is(204)
	if got := x.get(token, path).is(200).text("displayName"); got != "renamed" {
		t.Errorf("named %s", got)
	}
	x.delete(token, path).is(204)
	x.get(token, path).refused(404, "Request_ResourceNotFound", made.text("id"))
	x.post(token, "/directory/deletedItems/"+made.text("id")+"/restore", "").is(200)
	x.get(token, path).is(200)
	x.delete(token, path).is(204)
	x.delete(token, "/directory/deletedItems/"+made.text("id")).is(204)
	x.post(token, "/directory/deletedItems/"+made.text("id")+"/restore", "").refused(404, "Request_ResourceNotFound", "")
	if err := x.w.Validate(); err != nil {
		t.Error(err)
	}
}

func TestAPatchIsRefused(t *testing.T) {
	x := newBed(t)
	token := x.with(appWrite)
	shop := x.app(world.AppShop)
	for body, part := range map[string]string{
		`{"displayName":""}`: "displayName", `{"displayname":"x"}`: "Invalid property 'displayname'", `{"displayName":7}`: "Invalid value",
		`{"signInAudience":"Everybody"}`:                "signInAudience",
		`{"passwordCredentials":[{"secretText":"x"}]}`:  "New password credentials must be generated",
		`{"passwordCredentials":[{"displayName":"x"}]}`: "New password credentials must be generated",
		`{"passwordCredentials":[{"keyId":"` + shop.Secrets[0].KeyID + `","endDateTime":"2030-01-01T00:00:00Z"}]}`: "Update to existing credential",
	} {
		x.patch(token, byApp(world.AppShop), body).refused(400, "Request_BadRequest", part)
	}
	x.patch(token, byApp(world.AppShop), `{`).refused(400, "BadRequest", "JSON")
	if len(shop.Secrets) != 1 || shop.Name != "shop-web" {
		t.Error("a refused request changed something")
	}
	x.patch(token, byApp(world.AppShop), `{"passwordCredentials":[]}`).is(204)
	if len(shop.Secrets) != 0 || shop.ClientSecret != "" {
		t.Error("a list without a password does not remove it")
	}
}

func TestManagedIdentitiesAreServicePrincipalsThatNobodyChanges(t *testing.T) {
	x := newBed(t)
	m := x.w.ManagedIdentities[0]
	token := x.with(appWrite)
	r := x.get(token, "/servicePrincipals?$filter=servicePrincipalNames/any(c:c eq '"+m.ClientID+"')").is(200)
	if got := r.values(); len(got) != 1 || got[0]["id"] != m.ID || got[0]["servicePrincipalType"] != "ManagedIdentity" {
		t.Errorf("%v", got)
	}
	x.post(token, "/servicePrincipals/"+m.ID+"/addPassword", `{}`).refused(403, "Authorization_RequestDenied", "")
	sp := x.app(world.AppDeploy).ServicePrincipalID
	x.patch(token, "/servicePrincipals/"+sp, `{"accountEnabled":false}`).is(204)
	if !x.app(world.AppDeploy).Disabled {
		t.Error("the app is not disabled")
	}
}
