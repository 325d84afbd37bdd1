package entra

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// authCode is an authorization code that waits to be redeemed.
type authCode struct {
	client    string
	redirect  string
	user      string
	session   session
	scope     string // v2
	resource  string // v1
	challenge string
	method    string // "S256", "plain"
	issued    time.Time
	redeemed  bool
}

const codeLife = 10 * time.Minute

// authorize is the sign-in page. Before the client and its redirect URI are known to belong together, errors are
// shown; after that, they are sent there.
func (s *Service) authorize(q *request) answer {
	p := q.URL.Query()
	for k, v := range q.form {
		if !p.Has(k) && k != "username" && k != "password" {
			p[k] = v
		}
	}
	m, f := s.realm(q.tenant)
	if f != nil {
		return s.errorPage(q, f)
	}
	c, f := s.identify(q, m, p.Get("client_id"))
	if f != nil {
		return s.errorPage(q, f)
	}
	redirect, f := c.redirect(p.Get("redirect_uri"))
	if f != nil {
		return s.errorPage(q, f)
	}
	back := reply{to: redirect, mode: p.Get("response_mode"), state: p.Get("state")}
	if f := s.checkAuthorize(p, q.v2, m, c); f != nil {
		return back.fail(s, q, f)
	}
	u, how, problem := s.signIn(q, m, p)
	if u == nil {
		if p.Get("prompt") == "none" {
			return back.fail(s, q, refuse("login_required", 50058, "A silent sign-in request was sent but no user is signed in."))
		}
		return page(http.StatusOK, signInPage, signInView{App: c.name, Username: p.Get("login_hint"), Problem: problem})
	}
	how.nonce = p.Get("nonce")
	code := &authCode{
		client: c.id, redirect: redirect, user: u.ID, session: how, issued: s.w.Now(),
		scope: p.Get("scope"), resource: p.Get("resource"), challenge: p.Get("code_challenge"), method: p.Get("code_challenge_method"),
	}
	a, f := s.askOfCode(code, q.v2, s.tenant(u.TenantID), c)
	if f == nil {
		_, f = s.consented(c, a)
	}
	if f != nil {
		return back.fail(s, q, f)
	}
	raw := s.w.MintOpaque("1.AXsA")
	s.codes[raw] = code
	return back.send(url.Values{"code": {raw}, "session_state": {s.w.NewID()}})
}

func (s *Service) checkAuthorize(p url.Values, v2 bool, m realm, c client) *failure {
	switch p.Get("response_type") {
	case "code":
	case "":
		return errMissing("response_type")
	default:
		return refuse("unsupported_response_type", 70005, "The app returned an unsupported response type: only 'code' is simulated.")
	}
	switch p.Get("response_mode") {
	case "", "query", "fragment", "form_post":
	default:
		return refuse("invalid_request", 90023, "The value of 'response_mode' is not supported.")
	}
	switch method := p.Get("code_challenge_method"); {
	case p.Get("code_challenge") == "" && method != "":
		return errMissing("code_challenge")
	case method != "" && method != "S256" && method != "plain":
		return refuse("invalid_request", 501491, "The Code_Challenge_method parameter is invalid.")
	}
	_, f := s.askOfCode(&authCode{scope: p.Get("scope"), resource: p.Get("resource")}, v2, m.tenant, c)
	return f
}

func (s *Service) askOfCode(a *authCode, v2 bool, t *world.Tenant, c client) (ask, *failure) {
	if v2 {
		return s.parseScope(a.scope, t, c)
	}
	return s.parseResource(a.resource, t)
}

// signIn finds who signs in: nobody on the first visit, unless the browser has a session (AutoSignIn). A person does
// the second factor too.
func (s *Service) signIn(q *request, m realm, p url.Values) (_ *world.User, _ session, problem string) {
	if q.Method == http.MethodPost && q.form.Has("password") {
		u, f := s.checkPassword(q, m, q.form.Get("username"), q.form.Get("password"))
		if f != nil {
			return nil, session{}, f.message()
		}
		return u, session{typed: true, mfa: true}, ""
	}
	if !s.w.Knobs.Entra.AutoSignIn || p.Get("login_hint") == "" {
		return nil, session{}, ""
	}
	u, f := s.user(m, p.Get("login_hint"))
	if f == nil && u.Disabled {
		f = errDisabled()
	}
	if f != nil {
		return nil, session{}, f.message()
	}
	q.call.Principal = u.UPN
	return u, session{typed: u.Password != "", mfa: true}, ""
}

// redirect checks a redirect URI against the client's. A loopback one matches with any port, as native clients
// listen where they can.
func (c client) redirect(uri string) (string, *failure) {
	registered := []string{"http://localhost", "https://" + Login + "/common/oauth2/nativeclient"}
	if c.app != nil {
		registered = c.app.RedirectURIs
		if uri == "" && len(registered) == 1 {
			return registered[0], nil
		}
	}
	for _, r := range registered {
		if uri != "" && (uri == r || sameLoopback(uri, r, c.app == nil)) {
			return uri, nil
		}
	}
	return "", refuse("invalid_request", 50011, "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this error.", uri, c.id)
}

func sameLoopback(uri, registered string, anyPath bool) bool {
	a, err1 := url.Parse(uri)
	b, err2 := url.Parse(registered)
	if err1 != nil || err2 != nil || a.Scheme != "http" || b.Scheme != "http" || a.User != nil || a.Fragment != "" {
		return false
	}
	if h := b.Hostname(); a.Hostname() != h || (h != "localhost" && h != "127.0.0.1") {
		return false
	}
	return anyPath || strings.TrimSuffix(a.Path, "/") == strings.TrimSuffix(b.Path, "/")
}

func (s *Service) redeemCode(q *request, m realm) (answer, *failure) {
	c, f := s.authenticate(q, m, false)
	if f != nil {
		return answer{}, f
	}
	raw := q.form.Get("code")
	if raw == "" {
		return answer{}, errMissing("code")
	}
	code := s.codes[raw]
	if code == nil || !strings.EqualFold(code.client, c.id) {
		return answer{}, errGrant()
	}
	if code.redeemed {
		return answer{}, refuse("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	}
	if s.w.Now().Sub(code.issued) >= codeLife {
		return answer{}, refuse("invalid_grant", 70008, "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.")
	}
	if uri := q.form.Get("redirect_uri"); uri != code.redirect {
		return answer{}, refuse("invalid_client", 500112, "The reply address '%s' does not match the reply address '%s' provided when requesting Authorization code.", uri, code.redirect)
	}
	if !code.verifies(q.form.Get("code_verifier")) {
		return answer{}, refuse("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	}
	u := s.userByID(code.user)
	if u == nil || !m.has(u) {
		return answer{}, errNoUser(tenantName(m.tenant))
	}
	q.call.Principal = u.UPN
	if u.Disabled {
		return answer{}, errDisabled()
	}
	code.redeemed = true
	return s.userTokens(q, c, u, code.session, func(t *world.Tenant) (ask, *failure) { return s.askOfCode(code, q.v2, t, c) })
}

func (a *authCode) verifies(verifier string) bool {
	switch {
	case a.challenge == "":
		return true
	case a.method == "S256":
		sum := sha256.Sum256([]byte(verifier))
		return b64(sum[:]) == a.challenge
	}
	return verifier == a.challenge
}
