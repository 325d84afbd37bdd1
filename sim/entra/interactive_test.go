package entra

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

func (x *sim) startDevice(tenant, client string) (map[string]any, url.Values) {
	m := x.post("https://"+Login+"/"+tenant+"/oauth2/v2.0/devicecode", pairs("client_id", client, "scope", patScopes+msalScopes)).ok(x.t)
	return m, pairs("grant_type", deviceGrant, "client_id", client, "device_code", m["device_code"].(string))
}

func TestADeviceCodeWaitsForAPerson(t *testing.T) {
	x := newSim(t)
	m, poll := x.startDevice("organizations", world.ClientAzureCLI)
	wantMembers(t, m, "user_code", "device_code", "verification_uri", "expires_in", "interval", "message")
	if m["expires_in"] != 900.0 || m["interval"] != 5.0 || m["verification_uri"] != "https://microsoft.com/devicelogin" {
		t.Errorf("%v", m)
	}
	x.post(tokenURL("organizations"), poll).refused(t, 400, "authorization_pending", 70016)
	if err := x.ApproveDevice(m["user_code"].(string), svcMFA); err != nil {
		t.Fatal(err)
	}
	a := x.post(tokenURL("organizations"), poll)
	if got := a.ok(t); a.call.Principal != svcMFA || got["refresh_token"] == nil || got["id_token"] == nil {
		t.Errorf("principal %q, %v", a.call.Principal, members(got))
	}
	x.post(tokenURL("organizations"), poll).refused(t, 400, "bad_verification_code", 70018)
	if x.ApproveDevice(m["user_code"].(string), svcMFA) == nil {
		t.Error("a code was approved twice")
	}
}

func TestADeviceCodeIsApprovedOnThePage(t *testing.T) {
	for _, page := range []string{"https://login.microsoftonline.com/common/oauth2/deviceauth", "https://microsoft.com/devicelogin"} {
		x := newSim(t)
		m, poll := x.startDevice(world.TenantID, rekeyPublic)
		if a := x.get(page + "?user_code=" + m["user_code"].(string)); a.Code != 200 || !contains(a.Body.String(), m["user_code"].(string)) {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
		form := pairs("user_code", m["user_code"].(string), "username", svcMFA, "password", "a wrong password")
		if a := x.post(page, form); !contains(a.Body.String(), "AADSTS50126") || contains(a.Body.String(), "a wrong password") {
			t.Errorf("%s", a.Body)
		}
		if a := x.post(page, with(form, "user_code", "NOTACODE1")); !contains(a.Body.String(), "Check the code") {
			t.Errorf("%s", a.Body)
		}
		x.token(poll).refused(t, 400, "authorization_pending", 70016)
		if a := x.post(page, with(form, "password", x.account(svcMFA).Password)); !contains(a.Body.String(), "You have signed in") {
			t.Errorf("%s", a.Body)
		}
		x.token(poll).ok(t)
	}
}

func TestADeviceCodeIsRefused(t *testing.T) {
	for _, c := range []struct {
		why   string
		world func(x *sim, userCode string)
		form  []string
		name  string
		code  int
	}{
		{"when it expired", func(x *sim, _ string) { x.w.Advance(15 * time.Minute) }, nil, "expired_token", 70019},
		{"when it expired after it was approved", func(x *sim, c string) { x.ApproveDevice(c, svcPAT); x.w.Advance(15 * time.Minute) }, nil, "expired_token", 70019},
		{"when the person declined", func(x *sim, c string) { x.DeclineDevice(c) }, nil, "authorization_declined", 70017},
		{"when it is unknown", nil, []string{"device_code", "nothing"}, "bad_verification_code", 70018},
		{"of another client", nil, []string{"client_id", world.ClientAzureCLI}, "bad_verification_code", 70018},
		{"of a user disabled since", func(x *sim, c string) { x.ApproveDevice(c, svcPAT); x.account(svcPAT).Disabled = true }, nil, "invalid_grant", 50057},
		{"without consent", func(x *sim, c string) { x.ApproveDevice(c, svcPAT); x.app(rekeyPublic).DelegatedPermissions = nil }, nil, "invalid_grant", 65001},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newSim(t)
			m, poll := x.startDevice(world.TenantID, rekeyPublic)
			if c.world != nil {
				c.world(x, m["user_code"].(string))
			}
			x.token(with(poll, c.form...)).refused(t, 400, c.name, c.code)
		})
	}
	x := newSim(t)
	m, poll := x.startDevice(world.TenantID, consumer)
	x.token(poll).refused(t, 401, "invalid_client", 7000218)
	if x.ApproveDevice(m["user_code"].(string), "nobody@contoso.onmicrosoft.com") == nil {
		t.Error("an unknown user approved a code")
	}
}

func TestDeviceCodesApproveThemselvesByKnob(t *testing.T) {
	x := newSim(t)
	x.w.Knobs.Entra.DeviceAutoApprove = svcMFA
	x.w.Knobs.Entra.DeviceAutoApproveAfter = 2
	x.w.Knobs.Entra.DeviceInterval = world.Duration(time.Second)
	m, poll := x.startDevice(world.TenantID, rekeyPublic)
	if m["interval"] != 1.0 {
		t.Errorf("interval %v", m["interval"])
	}
	x.token(poll).refused(t, 400, "authorization_pending", 70016)
	x.token(poll).refused(t, 400, "authorization_pending", 70016)
	x.token(poll).ok(t)
}

func TestSignedInByAPersonOutlivesASecondFactorButNotThePassword(t *testing.T) {
	x := newSim(t)
	m, poll := x.startDevice(world.TenantID, rekeyPublic)
	if err := x.ApproveDevice(m["user_code"].(string), svcPAT); err != nil {
		t.Fatal(err)
	}
	got := x.token(poll).ok(t)
	x.account(svcPAT).MFARequired = true
	x.token(x.refreshForm(rekeyPublic, got, patScopes)).ok(t)
	x.account(svcPAT).PasswordChanged = x.now
	x.token(x.refreshForm(rekeyPublic, got, patScopes)).refused(t, 400, "invalid_grant", 50173)
}

func TestAPasswordlessSessionOutlivesAChangedPassword(t *testing.T) {
	x := newSim(t)
	x.account(svcPAT).Password = ""
	m, poll := x.startDevice(world.TenantID, rekeyPublic)
	if err := x.ApproveDevice(m["user_code"].(string), svcPAT); err != nil {
		t.Fatal(err)
	}
	got := x.token(poll).ok(t)
	x.account(svcPAT).PasswordChanged = x.now
	x.token(x.refreshForm(rekeyPublic, got, patScopes)).ok(t)
	x.account(svcPAT).SessionsRevoked = x.now
	x.token(x.refreshForm(rekeyPublic, got, patScopes)).refused(t, 400, "invalid_grant", 50173)
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func authorizeQuery(client string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return pairs("client_id", client, "response_type", "code", "redirect_uri", "http://localhost:40123", "scope", patScopes+msalScopes,
		"state", "s&1", "code_challenge", b64(sum[:]), "code_challenge_method", "S256", "nonce", "n-1")
}

func authorizeURL(q url.Values) string {
	return "https://" + Login + "/" + world.TenantID + "/oauth2/v2.0/authorize?" + q.Encode()
}

// signInAs fills in the form and gives the parameters that come back.
func (x *sim) signInAs(upn string, q url.Values) url.Values {
	x.t.Helper()
	a := x.post(authorizeURL(q), pairs("username", upn, "password", x.account(upn).Password))
	to, err := url.Parse(a.Header().Get("Location"))
	if a.Code != http.StatusFound || err != nil || to.Host != "localhost:40123" {
		x.t.Fatalf("%d %s %s", a.Code, to, a.Body)
	}
	return to.Query()
}

func codeForm(client, code string) url.Values {
	return pairs("grant_type", "authorization_code", "client_id", client, "code", code, "redirect_uri", "http://localhost:40123", "code_verifier", verifier)
}

func TestAPersonSignsInInABrowser(t *testing.T) {
	for _, client := range []string{rekeyPublic, world.ClientAzureCLI} {
		x := newSim(t)
		q := authorizeQuery(client)
		if a := x.get(authorizeURL(with(q, "login_hint", svcMFA))); a.Code != 200 || !contains(a.Body.String(), svcMFA) || !contains(a.Body.String(), `name="password"`) {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
		if a := x.post(authorizeURL(q), pairs("username", svcMFA, "password", "wrong")); a.Code != 200 || !contains(a.Body.String(), "AADSTS50126") {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
		back := x.signInAs(svcMFA, q)
		if back.Get("state") != "s&1" || back.Get("code") == "" || back.Get("session_state") == "" {
			t.Fatalf("%v", back)
		}
		a := x.token(codeForm(client, back.Get("code")))
		m := a.ok(t)
		if claimsOf(t, m["id_token"])["nonce"] != "n-1" || m["refresh_token"] == nil || m["scope"] != patScopes || a.call.Principal != svcMFA {
			t.Errorf("%v %v", m["scope"], claimsOf(t, m["id_token"]))
		}
		x.token(codeForm(client, back.Get("code"))).refused(t, 400, "invalid_grant", 54005)
		x.token(x.refreshForm(client, m, patScopes)).ok(t)
	}
}

func TestASessionSignsInByItself(t *testing.T) {
	x := newSim(t)
	q := with(authorizeQuery(rekeyPublic), "login_hint", svcMFA)
	x.w.Knobs.Entra.AutoSignIn = true
	a := x.get(authorizeURL(q))
	to, _ := url.Parse(a.Header().Get("Location"))
	if a.Code != 302 || a.call.Principal != svcMFA {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	x.token(codeForm(rekeyPublic, to.Query().Get("code"))).ok(t)
	if a := x.get(authorizeURL(with(q, "login_hint", ""))); a.Code != 200 {
		t.Errorf("without a hint: %d", a.Code)
	}
	post := x.get(authorizeURL(with(q, "response_mode", "form_post")))
	if post.Code != 200 || !contains(post.Body.String(), `action="http://localhost:40123"`) || !contains(post.Body.String(), `name="state" value="s&amp;1"`) {
		t.Errorf("form_post: %d %s", post.Code, post.Body)
	}
	if a := x.get(authorizeURL(with(q, "response_mode", "fragment"))); !contains(a.Header().Get("Location"), "http://localhost:40123#code=") {
		t.Errorf("fragment: %s", a.Header().Get("Location"))
	}
}

func TestAnAuthorizationRequestIsRefused(t *testing.T) {
	for _, c := range []struct {
		why   string
		query []string
		shown string // on the page
		sent  string // to the client, as its error
	}{
		{"with a foreign redirect URI", []string{"redirect_uri", "https://evil.example"}, "AADSTS50011", ""},
		{"with a loopback URI that is not registered", []string{"redirect_uri", "http://127.0.0.1:40123"}, "AADSTS50011", ""},
		{"with another path on loopback", []string{"redirect_uri", "http://localhost:40123/other"}, "AADSTS50011", ""},
		{"with a host that only starts like loopback", []string{"redirect_uri", "http://localhost.evil.example:1"}, "AADSTS50011", ""},
		{"of an unknown client", []string{"client_id", "nobody"}, "AADSTS700016", ""},
		{"without a client", []string{"client_id", ""}, "AADSTS900144", ""},
		{"for a token", []string{"response_type", "token"}, "", "unsupported_response_type"},
		{"with an unknown challenge", []string{"code_challenge_method", "S512"}, "", "invalid_request"},
		{"with an unknown response mode", []string{"response_mode", "pigeon"}, "", "invalid_request"},
		{"for an unknown scope", []string{"scope", world.AzureDevOps + "/vso.everything"}, "", "invalid_client"},
		{"silently, with nobody signed in", []string{"prompt", "none"}, "", "login_required"},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newSim(t)
			a := x.get(authorizeURL(with(authorizeQuery(rekeyPublic), c.query...)))
			if c.shown != "" {
				if a.Code != 400 || !contains(a.Body.String(), c.shown) || a.Header().Get("Location") != "" {
					t.Errorf("%d %s", a.Code, a.Body)
				}
				return
			}
			to, _ := url.Parse(a.Header().Get("Location"))
			if a.Code != 302 || to.Host != "localhost:40123" || to.Query().Get("error") != c.sent || to.Query().Get("state") != "s&1" {
				t.Errorf("%d %v", a.Code, to)
			}
		})
	}
	x := newSim(t)
	if back := x.signInAs(svcPAT, with(authorizeQuery(rekeyPublic), "scope", vaultScope)); back.Get("error") != "consent_required" || back.Has("code") {
		t.Errorf("without consent: %v", back)
	}
}

func TestACodeIsRefused(t *testing.T) {
	for _, c := range []struct {
		why    string
		world  func(*sim)
		form   []string
		status int
		name   string
		code   int
	}{
		{"without its verifier", nil, []string{"code_verifier", ""}, 400, "invalid_grant", 501481},
		{"with another verifier", nil, []string{"code_verifier", "x" + verifier}, 400, "invalid_grant", 501481},
		{"with the redirect URI of another", nil, []string{"redirect_uri", "http://localhost:1"}, 400, "invalid_client", 500112},
		{"that nobody issued", nil, []string{"code", "nothing"}, 400, "invalid_grant", 70000},
		{"of another client", nil, []string{"client_id", world.ClientAzureCLI}, 400, "invalid_grant", 70000},
		{"after ten minutes", func(x *sim) { x.w.Advance(10 * time.Minute) }, nil, 400, "invalid_grant", 70008},
		{"of a user disabled since", func(x *sim) { x.account(svcPAT).Disabled = true }, nil, 400, "invalid_grant", 50057},
		{"of a client that is confidential now", func(x *sim) { x.app(rekeyPublic).PublicClient = false }, nil, 401, "invalid_client", 7000218},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newSim(t)
			code := x.signInAs(svcPAT, authorizeQuery(rekeyPublic)).Get("code")
			if c.world != nil {
				c.world(x)
			}
			x.token(with(codeForm(rekeyPublic, code), c.form...)).refused(t, c.status, c.name, c.code)
		})
	}
}

func TestAWorkflowGetsItsAssertion(t *testing.T) {
	x := newSim(t)
	bearer := x.MintRunnerToken(map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main"})
	r, _ := http.NewRequest("GET", "https://"+GitHub+"/_sim/token?api-version=2.0&audience="+url.QueryEscape(tokenExchange), nil)
	r.Header.Set("Authorization", "Bearer "+bearer)
	m := x.send(r).ok(t)
	if m["count"] != 1.0 {
		t.Errorf("%v", m)
	}
	x.token(x.assertionForm(ciApp, m["value"].(string))).ok(t)

	r.Header.Set("Authorization", "Bearer nothing")
	if a := x.send(r); a.Code != 401 {
		t.Errorf("a wrong request token: %d", a.Code)
	}
	if m := x.get("https://" + GitHub + "/.well-known/openid-configuration").ok(t); m["issuer"] != "https://"+GitHub || m["jwks_uri"] != "https://"+GitHub+"/.well-known/jwks" {
		t.Errorf("%v", m)
	}
	if keys := x.get("https://" + GitHub + "/.well-known/jwks").ok(t)["keys"].([]any); keys[0].(map[string]any)["kid"] != githubKey().kid {
		t.Errorf("%v", keys)
	}
}
