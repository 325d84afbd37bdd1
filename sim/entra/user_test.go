package entra

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

func (x *sim) passwordForm(client, upn, scope string) url.Values {
	return pairs("grant_type", "password", "client_id", client, "username", upn, "password", x.account(upn).Password, "scope", scope)
}

const msalScopes = " openid offline_access profile"

func TestAUserSignsInWithAPassword(t *testing.T) {
	x := newSim(t)
	a := x.token(x.passwordForm(rekeyPublic, svcPAT, patScopes+msalScopes))
	m := a.ok(t)
	wantMembers(t, m, "token_type", "scope", "expires_in", "ext_expires_in", "access_token", "refresh_token", "id_token", "client_info")
	u := x.account(svcPAT)
	if m["scope"] != patScopes || a.call.Principal != svcPAT {
		t.Errorf("scope %q, principal %q", m["scope"], a.call.Principal)
	}
	got := x.record(m["access_token"])
	if !got.User || got.ObjectID != u.ID || got.Name != svcPAT || got.Audience != world.AzureDevOps || !slices.Equal(got.Scopes, []string{"vso.pats", "vso.pats_manage"}) {
		t.Errorf("%+v", got)
	}
	c := claimsOf(t, m["access_token"])
	if c["scp"] != "vso.pats vso.pats_manage" || c["upn"] != svcPAT || c["oid"] != u.ID || !strings.Contains(c["uti"].(string), world.Canary) {
		t.Errorf("%v", c)
	}
	id := claimsOf(t, m["id_token"])
	for k, want := range map[string]any{"aud": rekeyPublic, "iss": "https://login.microsoftonline.com/" + world.TenantID + "/v2.0", "oid": u.ID, "tid": world.TenantID, "preferred_username": svcPAT, "name": u.Name, "ver": "2.0"} {
		if id[k] != want {
			t.Errorf("id token: %s is %v, want %v", k, id[k], want)
		}
	}
	info, _ := decode64(m["client_info"].(string))
	if string(info) != `{"uid":"`+u.ID+`","utid":"`+world.TenantID+`"}` {
		t.Errorf("client_info %s", info)
	}
	x.w.Lock()
	defer x.w.Unlock()
	for _, k := range []string{"access_token", "refresh_token", "id_token"} {
		if !slices.Contains(x.w.Secrets(), m[k].(string)) {
			t.Errorf("the world does not know the %s as a secret", k)
		}
	}
}

func TestWhatAUserGetsDependsOnWhatWasAsked(t *testing.T) {
	for _, c := range []struct {
		what, client, scope, granted string
		scopes                       []string
		refresh, id                  bool
	}{
		{"a scope alone", rekeyPublic, patScopes, patScopes, []string{"vso.pats", "vso.pats_manage"}, false, false},
		{"offline access", rekeyPublic, patScopes + " offline_access", patScopes, []string{"vso.pats", "vso.pats_manage"}, true, false},
		{"a client of Microsoft's own, unasked", world.ClientAzureCLI, "https://management.core.windows.net//.default", "https://management.core.windows.net//user_impersonation https://management.core.windows.net//.default", []string{"user_impersonation"}, true, false},
		{"everything consented", rekeyPublic, world.AzureDevOps + "/.default openid", world.AzureDevOps + "/user_impersonation " + world.AzureDevOps + "/vso.pats " + world.AzureDevOps + "/vso.pats_manage " + world.AzureDevOps + "/vso.profile " + world.AzureDevOps + "/.default", []string{"user_impersonation", "vso.pats", "vso.pats_manage", "vso.profile"}, false, true},
		{"what full access covers", rekeyPublic, world.AzureDevOps + "/vso.build", world.AzureDevOps + "/vso.build", []string{"vso.build"}, false, false},
		{"Graph, bare", world.ClientAzureCLI, "User.Read openid profile", "openid profile User.Read", []string{"User.Read"}, true, true},
		{"who it is alone", rekeyPublic, "openid profile", "openid profile", nil, false, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			x := newSim(t)
			m := x.token(x.passwordForm(c.client, svcPAT, c.scope)).ok(t)
			if m["scope"] != c.granted {
				t.Errorf("scope %q, want %q", m["scope"], c.granted)
			}
			if got := x.record(m["access_token"]).Scopes; !slices.Equal(got, c.scopes) {
				t.Errorf("recorded scopes %v", got)
			}
			if _, ok := m["refresh_token"]; ok != c.refresh {
				t.Errorf("refresh token: %v", ok)
			}
			if _, ok := m["id_token"]; ok != c.id {
				t.Errorf("id token: %v", ok)
			}
		})
	}
}

func TestAPasswordSignInIsRefused(t *testing.T) {
	for _, c := range []struct {
		why, tenant, client, upn, scope string
		world                           func(*sim)
		form                            []string
		status                          int
		name                            string
		code                            int
		sub                             any
	}{
		{why: "with a wrong password", form: []string{"password", "wrong"}, status: 400, name: "invalid_grant", code: 50126},
		{why: "with the password in another case", form: []string{"password", "sim.rekeycanary.svc-devops-pat.7qm2"}, status: 400, name: "invalid_grant", code: 50126},
		{why: "of an unknown user", form: []string{"username", "nobody@contoso.onmicrosoft.com"}, status: 400, name: "invalid_grant", code: 50034},
		{why: "without a user name", form: []string{"username", ""}, status: 400, name: "invalid_request", code: 900144},
		{why: "without a password", form: []string{"password", ""}, status: 400, name: "invalid_request", code: 900144},
		{why: "of a user who needs a second factor", upn: svcMFA, status: 400, name: "invalid_grant", code: 50076, sub: "basic_action"},
		{why: "of a user who needs a second factor, with a wrong password", upn: svcMFA, form: []string{"password", "wrong"}, status: 400, name: "invalid_grant", code: 50126},
		{why: "of a disabled user", world: func(x *sim) { x.account(svcPAT).Disabled = true }, status: 400, name: "invalid_grant", code: 50057},
		{why: "with an expired password", world: func(x *sim) { x.account(svcPAT).PasswordExpired = true }, status: 400, name: "invalid_grant", code: 50055, sub: "user_password_expired"},
		{why: "of a user without a password", world: func(x *sim) { x.account(svcPAT).Password = "" }, status: 400, name: "invalid_grant", code: 50056},
		{why: "at /common", tenant: "common", status: 400, name: "invalid_request", code: 9001023},
		{why: "at /consumers", tenant: "consumers", status: 400, name: "invalid_request", code: 9001023},
		{why: "of a single-tenant app at /organizations", tenant: "organizations", status: 400, name: "invalid_request", code: 50194},
		{why: "of a confidential client without its secret", client: consumer, status: 401, name: "invalid_client", code: 7000218},
		{why: "of a client without consent", scope: "https://management.azure.com/.default", status: 400, name: "invalid_grant", code: 65001, sub: "consent_required"},
		{why: "of a client without consent to that scope", scope: world.AzureDevOps + "/vso.build", world: func(x *sim) {
			x.app(rekeyPublic).DelegatedPermissions = map[string][]string{"https://app.vssps.visualstudio.com": {"vso.pats"}}
		}, status: 400, name: "invalid_grant", code: 65001, sub: "consent_required"},
		{why: "for an unknown scope", scope: world.AzureDevOps + "/vso.everything", status: 400, name: "invalid_client", code: 650053},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newSim(t)
			client, upn, scope, tenant := c.client, c.upn, c.scope, c.tenant
			if client == "" {
				client = rekeyPublic
			}
			if upn == "" {
				upn = svcPAT
			}
			if scope == "" {
				scope = patScopes
			}
			if tenant == "" {
				tenant = world.TenantID
			}
			form := with(x.passwordForm(client, upn, scope), c.form...)
			if c.world != nil {
				c.world(x)
			}
			m := x.post(tokenURL(tenant), form).refused(t, c.status, c.name, c.code)
			if m["suberror"] != c.sub {
				t.Errorf("suberror %v", m["suberror"])
			}
		})
	}
}

func TestConfidentialClientsAndOrganizationsSignUsersIn(t *testing.T) {
	x := newSim(t)
	x.app(consumer).DelegatedPermissions = map[string][]string{world.AzureDevOps: {"vso.pats", "vso.pats_manage"}}
	x.token(with(x.passwordForm(consumer, svcPAT, patScopes), "client_secret", x.app(consumer).Secrets[0].Value)).ok(t)
	x.post(tokenURL("organizations"), x.passwordForm(world.ClientAzureCLI, svcPAT, patScopes)).ok(t)
}

func (x *sim) refreshForm(client string, m map[string]any, scope string) url.Values {
	return pairs("grant_type", "refresh_token", "client_id", client, "refresh_token", m["refresh_token"].(string), "scope", scope)
}

func TestARefreshTokenServesEveryResource(t *testing.T) {
	x := newSim(t)
	first := x.token(x.passwordForm(world.ClientAzureCLI, svcPAT, "https://management.core.windows.net//.default"+msalScopes)).ok(t)
	second := x.token(x.refreshForm(world.ClientAzureCLI, first, vaultScope+msalScopes)).ok(t)
	wantMembers(t, second, "token_type", "scope", "expires_in", "ext_expires_in", "access_token", "refresh_token", "id_token", "client_info")
	if second["refresh_token"] == first["refresh_token"] {
		t.Error("the refresh token was not rotated")
	}
	if got := x.record(second["access_token"]).Audience; got != "https://vault.azure.net" {
		t.Errorf("audience %q", got)
	}
	third := x.token(with(x.refreshForm(world.ClientAzureCLI, second, ""), "scope", "")).ok(t)
	if got := x.record(third["access_token"]).Audience; got != "https://vault.azure.net" {
		t.Errorf("without a scope: audience %q", got)
	}
	x.token(x.refreshForm(world.ClientAzureCLI, first, vaultScope)).ok(t)
}

func TestARefreshTokenIsRefused(t *testing.T) {
	for _, c := range []struct {
		why   string
		world func(*sim)
		form  []string
		name  string
		code  int
	}{
		{"that nobody issued", nil, []string{"refresh_token", "1.AXsAnothing"}, "invalid_grant", 70000},
		{"that is missing", nil, []string{"refresh_token", ""}, "invalid_request", 900144},
		{"of another client", nil, []string{"client_id", world.ClientAzureCLI}, "invalid_grant", 70000},
		{"for a scope without consent", nil, []string{"scope", vaultScope}, "invalid_grant", 65001},
		{"of a disabled user", func(x *sim) { x.account(svcPAT).Disabled = true }, nil, "invalid_grant", 50057},
		{"of a user who is gone", func(x *sim) { x.w.Users = nil }, nil, "invalid_grant", 50034},
		{"once sessions were revoked", func(x *sim) { x.account(svcPAT).SessionsRevoked = x.now }, nil, "invalid_grant", 50173},
		{"once the password changed", func(x *sim) { x.account(svcPAT).PasswordChanged = x.now }, nil, "invalid_grant", 50173},
		{"got by password, once a second factor is needed", func(x *sim) { x.account(svcPAT).MFARequired = true }, nil, "invalid_grant", 50076},
		{"idle for 90 days", func(x *sim) { x.w.Advance(90 * 24 * time.Hour) }, nil, "invalid_grant", 700082},
		{"idle for longer than the knob", func(x *sim) {
			x.w.Knobs.Entra.RefreshIdle = world.Duration(time.Hour)
			x.w.Advance(time.Hour)
		}, nil, "invalid_grant", 700082},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newSim(t)
			m := x.token(x.passwordForm(rekeyPublic, svcPAT, patScopes+msalScopes)).ok(t)
			form := with(x.refreshForm(rekeyPublic, m, patScopes), c.form...)
			if c.world != nil {
				c.world(x)
			}
			x.token(form).refused(t, 400, c.name, c.code)
		})
	}
}

func TestARefreshTokenLivesOn(t *testing.T) {
	for _, c := range []struct {
		why   string
		world func(*sim)
	}{
		{"a second short of 90 days", func(x *sim) { x.w.Advance(90*24*time.Hour - time.Second) }},
		{"when the password expires", func(x *sim) { x.account(svcPAT).PasswordExpired = true }},
		{"when sessions before it were revoked", func(x *sim) { x.account(svcPAT).SessionsRevoked = x.now.Add(-time.Second) }},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newSim(t)
			m := x.token(x.passwordForm(rekeyPublic, svcPAT, patScopes+msalScopes)).ok(t)
			c.world(x)
			x.token(x.refreshForm(rekeyPublic, m, patScopes)).ok(t)
		})
	}

	t.Run("a confidential client's, when the password changes", func(t *testing.T) {
		x := newSim(t)
		x.app(consumer).DelegatedPermissions = map[string][]string{world.AzureDevOps: {"vso.pats", "vso.pats_manage"}}
		secret := x.app(consumer).Secrets[0].Value
		m := x.token(with(x.passwordForm(consumer, svcPAT, patScopes+msalScopes), "client_secret", secret)).ok(t)
		x.account(svcPAT).PasswordChanged = x.now
		x.token(x.refreshForm(consumer, m, patScopes)).refused(t, 401, "invalid_client", 7000218)
		x.token(with(x.refreshForm(consumer, m, patScopes), "client_secret", secret)).ok(t)
	})

	t.Run("signed in after the change, in the same instant", func(t *testing.T) {
		x := newSim(t)
		x.account(svcPAT).PasswordChanged, x.account(svcPAT).SessionsRevoked = x.now, x.now
		m := x.token(x.passwordForm(rekeyPublic, svcPAT, patScopes+msalScopes)).ok(t)
		x.token(x.refreshForm(rekeyPublic, m, patScopes)).ok(t)
	})
}

func TestStrictRefreshTokensAreUsedOnce(t *testing.T) {
	x := newSim(t)
	m := x.token(x.passwordForm(rekeyPublic, svcPAT, patScopes+msalScopes)).ok(t)
	x.w.Knobs.Entra.RefreshSingleUse = true
	x.token(x.refreshForm(rekeyPublic, m, vaultScope)).refused(t, 400, "invalid_grant", 65001)
	next := x.token(x.refreshForm(rekeyPublic, m, patScopes)).ok(t)
	x.token(x.refreshForm(rekeyPublic, m, patScopes)).refused(t, 400, "invalid_grant", 70000)
	x.token(x.refreshForm(rekeyPublic, next, patScopes)).ok(t)
}

func TestUsingARefreshTokenKeepsItAlive(t *testing.T) {
	x := newSim(t)
	m := x.token(x.passwordForm(rekeyPublic, svcPAT, patScopes+msalScopes)).ok(t)
	for range 4 {
		x.w.Advance(60 * 24 * time.Hour)
		m = x.token(x.refreshForm(rekeyPublic, m, patScopes)).ok(t)
	}
}

func TestTokenLifeIsAKnob(t *testing.T) {
	x := newSim(t)
	x.w.Knobs.Entra.TokenLife = world.Duration(10 * time.Minute)
	m := x.token(x.passwordForm(rekeyPublic, svcPAT, patScopes)).ok(t)
	if m["expires_in"] != 600.0 || !x.record(m["access_token"]).Expires.Equal(x.now.Add(10*time.Minute)) {
		t.Errorf("%v", m["expires_in"])
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	x := newSim(t)
	x.w.Knobs.Entra.RefreshSingleUse = true
	m := x.token(x.passwordForm(rekeyPublic, svcPAT, patScopes+msalScopes)).ok(t)
	form := x.refreshForm(rekeyPublic, m, patScopes)
	codes := make([]int, 8)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() { codes[i] = x.token(form).Code })
	}
	wg.Wait()
	slices.Sort(codes)
	if codes[0] != 200 || codes[1] != 400 {
		t.Errorf("of eight redemptions of a single-use token: %v", codes)
	}
}
