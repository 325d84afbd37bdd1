package entra

import (
	"encoding/base64"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

func (x *sim) secretForm(app string) url.Values {
	return pairs("grant_type", "client_credentials", "client_id", app, "client_secret", x.app(app).Secrets[0].Value, "scope", vaultScope)
}

func TestAnAppSignsInWithItsSecret(t *testing.T) {
	x := newSim(t)
	a := x.token(x.secretForm(consumer))
	m := a.ok(t)
	wantMembers(t, m, "token_type", "expires_in", "ext_expires_in", "access_token")
	if m["expires_in"] != 3599.0 || a.call.Principal != "consumer" {
		t.Errorf("%v, principal %q", m["expires_in"], a.call.Principal)
	}
	want := world.Token{
		Tenant: world.TenantID, ObjectID: x.app(consumer).ServicePrincipalID, AppID: consumer, Name: "consumer",
		Audience: "https://vault.azure.net", Expires: x.now.Add(3599 * time.Second),
	}
	if got := x.record(m["access_token"]); got.ObjectID != want.ObjectID || got.AppID != want.AppID || got.Audience != want.Audience ||
		got.Tenant != want.Tenant || got.Name != want.Name || got.User || len(got.Roles) > 0 || !got.Expires.Equal(want.Expires) {
		t.Errorf("%+v", got)
	}
	c := claimsOf(t, m["access_token"])
	if c["aud"] != "https://vault.azure.net" || c["iss"] != "https://sts.windows.net/"+world.TenantID+"/" || c["appid"] != consumer || c["idtyp"] != "app" || c["appidacr"] != "1" || c["exp"] != float64(x.now.Add(3599*time.Second).Unix()) {
		t.Errorf("%v", c)
	}

	r := formRequest("https://login.windows.net/contoso.onmicrosoft.com/oauth2/v2.0/token", pairs("grant_type", "client_credentials", "scope", vaultScope+" openid offline_access profile"))
	r.SetBasicAuth(consumer, url.QueryEscape(x.app(consumer).Secrets[0].Value))
	wantMembers(t, x.send(r).ok(t), "token_type", "expires_in", "ext_expires_in", "access_token")
}

func TestOnlyGraphTokensCarryGraphRoles(t *testing.T) {
	x := newSim(t)
	graph := x.token(with(x.secretForm(administrator), "scope", "https://graph.microsoft.com/.default")).ok(t)["access_token"]
	if got := x.record(graph).Roles; !slices.Contains(got, "Application.ReadWrite.All") {
		t.Errorf("roles %v", got)
	}
	if got := x.record(x.token(x.secretForm(administrator)).ok(t)["access_token"]).Roles; len(got) != 0 {
		t.Errorf("a vault's token has Graph's roles: %v", got)
	}
}

func TestResourcesAreKnownByEveryNameThatClientsUse(t *testing.T) {
	x := newSim(t)
	for _, c := range []struct{ scope, audience, aud string }{
		{"https://management.core.windows.net//.default", "https://management.azure.com", "https://management.core.windows.net/"},
		{"https://management.azure.com/.default", "https://management.azure.com", "https://management.azure.com"},
		{"https://management.azure.com//.default", "https://management.azure.com", "https://management.azure.com/"},
		{"499b84ac-1321-427f-aa17-267ca6975798/.default", world.AzureDevOps, world.AzureDevOps},
		{"https://app.vssps.visualstudio.com/.default", world.AzureDevOps, world.AzureDevOps},
		{"cfa8b339-82a2-471a-a3c9-0fc0be7a4093/.default", "https://vault.azure.net", "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"},
		{"https://graph.microsoft.com/.default", "https://graph.microsoft.com", "https://graph.microsoft.com"},
		{"https://monitor.azure.com//.default", "https://monitor.azure.com", "https://monitor.azure.com/"},
		{"https://storage.azure.com/.default", "https://storage.azure.com", "https://storage.azure.com"},
		{"api://AzureADTokenExchange/.default", "api://AzureADTokenExchange", tokenExchangeID},
		{"api://" + consumer + "/.default", "api://" + consumer, "api://" + consumer},
	} {
		access := x.token(with(x.secretForm(consumer), "scope", c.scope)).ok(t)["access_token"]
		if got := x.record(access).Audience; got != c.audience {
			t.Errorf("%s: recorded %q", c.scope, got)
		}
		if got := claimsOf(t, access)["aud"]; got != c.aud {
			t.Errorf("%s: aud %q, want %q", c.scope, got, c.aud)
		}
	}
}

func TestV1AnswersAreStrings(t *testing.T) {
	x := newSim(t)
	v1 := "https://login.microsoftonline.com/" + world.TenantID + "/oauth2/token"
	m := x.post(v1, with(x.secretForm(consumer), "scope", "", "resource", "https://management.core.windows.net/")).ok(t)
	wantMembers(t, m, "token_type", "expires_in", "ext_expires_in", "expires_on", "not_before", "resource", "access_token")
	if m["expires_in"] != "3599" || m["expires_on"] != "1795258799" || m["resource"] != "https://management.core.windows.net/" {
		t.Errorf("%v", m)
	}
	if got := x.record(m["access_token"]).Audience; got != "https://management.azure.com" {
		t.Errorf("recorded %q", got)
	}
	u := x.post(v1, pairs("grant_type", "password", "client_id", world.ClientAzureCLI, "username", svcPAT, "password", x.account(svcPAT).Password, "resource", world.AzureDevOps)).ok(t)
	wantMembers(t, u, "token_type", "scope", "expires_in", "ext_expires_in", "expires_on", "not_before", "resource", "access_token", "refresh_token", "id_token")
	x.post(v1, pairs("grant_type", "refresh_token", "client_id", world.ClientAzureCLI, "refresh_token", u["refresh_token"].(string), "resource", "https://vault.azure.net")).ok(t)
	x.post(v1, with(x.secretForm(consumer), "resource", "https://nothing.example")).refused(t, 400, "invalid_resource", 500011)
}

func TestAClientIsRefused(t *testing.T) {
	const other = "7d3c1f0e-33a5-4dfb-8f0b-3a1b7a4f5c11"
	for _, c := range []struct {
		why    string
		tenant string
		world  func(*sim)
		form   []string
		status int
		name   string
		code   int
	}{
		{"without a grant type", "", nil, []string{"grant_type", ""}, 400, "invalid_request", 900144},
		{"with an unknown grant type", "", nil, []string{"grant_type", "telepathy"}, 400, "unsupported_grant_type", 70003},
		{"without an id", "", nil, []string{"client_id", ""}, 400, "invalid_request", 900144},
		{"without a scope", "", nil, []string{"scope", ""}, 400, "invalid_request", 900144},
		{"in an unknown tenant", "nobody.example", nil, nil, 400, "invalid_tenant", 90002},
		{"at /common, which names no tenant", "common", nil, nil, 400, "invalid_request", 50059},
		{"that does not exist", "", nil, []string{"client_id", other}, 400, "unauthorized_client", 700016},
		{"of another tenant", "fabrikam.onmicrosoft.com", func(x *sim) {
			x.w.Tenants = append(x.w.Tenants, &world.Tenant{ID: other, Domain: "fabrikam.onmicrosoft.com", Name: "Fabrikam"})
		}, nil, 400, "unauthorized_client", 700016},
		{"that is disabled", "", func(x *sim) { x.app(consumer).Disabled = true }, nil, 400, "unauthorized_client", 7000112},
		{"with a wrong secret", "", nil, []string{"client_secret", "wrong"}, 401, "invalid_client", 7000215},
		{"with the id of its secret", "", nil, []string{"client_secret", "ba28b7cf-ecee-4908-8137-850a4a1f76eb"}, 401, "invalid_client", 7000215},
		{"with an expired secret", "", func(x *sim) { x.app(consumer).Secrets[0].End = x.now }, nil, 401, "invalid_client", 7000222},
		{"with a secret that does not hold yet", "", func(x *sim) { x.app(consumer).Secrets[0].Start = x.now.Add(time.Second) }, nil, 401, "invalid_client", 7000215},
		{"with a removed secret", "", func(x *sim) { x.app(consumer).Secrets = nil }, nil, 401, "invalid_client", 7000215},
		{"without a secret", "", nil, []string{"client_secret", ""}, 401, "invalid_client", 7000218},
		{"that is public, with a secret", "", nil, []string{"client_id", rekeyPublic}, 401, "invalid_client", 700025},
		{"that is public, without a secret", "", nil, []string{"client_id", rekeyPublic, "client_secret", ""}, 401, "invalid_client", 7000218},
		{"that is Microsoft's, without a secret", "", nil, []string{"client_id", world.ClientAzureCLI, "client_secret", ""}, 401, "invalid_client", 7000218},
		{"for an unknown resource", "", nil, []string{"scope", "https://nothing.example/.default"}, 400, "invalid_resource", 500011},
		{"for a named scope", "", nil, []string{"scope", world.AzureDevOps + "/vso.pats"}, 400, "invalid_scope", 70011},
		{"for a scope that is a URL alone", "", nil, []string{"scope", "https://vault.azure.net"}, 400, "invalid_scope", 70011},
		{"for .default and a scope", "", nil, []string{"scope", world.AzureDevOps + "/.default " + world.AzureDevOps + "/vso.pats"}, 400, "invalid_scope", 70011},
		{"for two resources", "", nil, []string{"scope", vaultScope + " https://graph.microsoft.com/.default"}, 400, "invalid_request", 28000},
		{"for an unknown scope", "", nil, []string{"scope", world.AzureDevOps + "/vso.everything"}, 400, "invalid_client", 650053},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newSim(t)
			form := with(x.secretForm(consumer), c.form...)
			if c.world != nil {
				c.world(x)
			}
			tenant := c.tenant
			if tenant == "" {
				tenant = world.TenantID
			}
			x.post(tokenURL(tenant), form).refused(t, c.status, c.name, c.code)
		})
	}
}

func TestANewSecretIsRefusedForAWhile(t *testing.T) {
	x := newSim(t)
	p := x.app(consumer).Secrets[0]
	p.Created = x.now
	x.w.Knobs.Entra.NewSecretDelay = world.Duration(10 * time.Second)
	x.token(x.secretForm(consumer)).refused(t, 401, "invalid_client", 7000215)
	x.w.Knobs.Entra.NewSecretFlaps = true
	var got []int
	for range 4 {
		got = append(got, x.token(x.secretForm(consumer)).Code)
	}
	if !slices.Equal(got, []int{401, 200, 401, 200}) {
		t.Errorf("flapping gave %v", got)
	}
	x.now = x.now.Add(10 * time.Second)
	x.token(x.secretForm(consumer)).ok(t)
	x.token(x.secretForm(consumer)).ok(t)
}

func TestWhatAClientSendsIsRememberedAndNotRepeated(t *testing.T) {
	x := newSim(t)
	body := x.token(with(x.secretForm(consumer), "client_secret", "a-wrong-secret-value")).Body.String()
	r := formRequest(tokenURL(world.TenantID), pairs("grant_type", "client_credentials", "scope", vaultScope))
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(consumer+":another%21wrong-value")))
	body += x.send(r).Body.String()
	x.w.Lock()
	defer x.w.Unlock()
	for _, v := range []string{"a-wrong-secret-value", "another!wrong-value"} {
		if !slices.Contains(x.w.Secrets(), v) {
			t.Errorf("the world does not remember %q", v)
		}
	}
	if contains(body, "wrong-") {
		t.Errorf("an error repeats a secret: %s", body)
	}
}
