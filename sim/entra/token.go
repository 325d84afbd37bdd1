package entra

import (
	"net/http"
	"strconv"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// grants are the grant types of the token endpoint, by the value of grant_type.
var grants map[string]grantType

type grantType struct {
	name string // in the operation's
	run  func(*Service, *request, realm) (answer, *failure)
}

func init() {
	grants = map[string]grantType{
		"client_credentials": {"client_credentials", (*Service).clientCredentials},
		"password":           {"password", (*Service).password},
		"refresh_token":      {"refresh_token", (*Service).redeemRefresh},
		"authorization_code": {"authorization_code", (*Service).redeemCode},
		"urn:ietf:params:oauth:grant-type:device_code": {"device_code", (*Service).redeemDevice},
		"device_code": {"device_code", (*Service).redeemDevice}, // the v1 endpoint's name of it
	}
}

func (s *Service) token(q *request) (answer, *failure) {
	m, f := s.realm(q.tenant)
	if f != nil {
		return answer{}, f
	}
	name := q.form.Get("grant_type")
	if name == "" {
		return answer{}, errMissing("grant_type")
	}
	g, ok := grants[name]
	if !ok {
		return answer{}, refuse("unsupported_grant_type", 70003, "The app requested an unsupported grant type '%s'.", name)
	}
	return g.run(s, q, m)
}

// askOf is what a token request asks for: scope on v2, resource on v1.
func (s *Service) askOf(q *request, t *world.Tenant, c client) (ask, *failure) {
	if q.v2 {
		return s.parseScope(q.form.Get("scope"), t, c)
	}
	return s.parseResource(q.form.Get("resource"), t)
}

func (s *Service) clientCredentials(q *request, m realm) (answer, *failure) {
	if m.tenant == nil {
		return answer{}, errNoTenant()
	}
	c, f := s.authenticate(q, m, true)
	if f != nil {
		return answer{}, f
	}
	a, f := s.askOf(q, m.tenant, c)
	if f != nil {
		return answer{}, f
	}
	// The OIDC scopes that MSAL for Go appends are passed over.
	if !a.dflt {
		return answer{}, errScope(q.form.Get("scope"), " Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).")
	}
	if c.app.ServicePrincipalID == "" {
		return answer{}, errNoPrincipal(c, m.tenant)
	}
	t := issue{tenant: m.tenant, client: c, ask: a, object: c.app.ServicePrincipalID}
	if a.resource.id == graphID {
		t.roles = c.app.ApplicationPermissions
	}
	return s.tokens(q, t)
}

// password is the resource owner password credentials grant. It cannot do a second factor.
func (s *Service) password(q *request, m realm) (answer, *failure) {
	if m.alias == "common" || m.alias == "consumers" {
		return answer{}, refuse("invalid_request", 9001023, "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.")
	}
	c, f := s.authenticate(q, m, false)
	if f != nil {
		return answer{}, f
	}
	for _, p := range []string{"username", "password"} {
		if q.form.Get(p) == "" {
			return answer{}, errMissing(p)
		}
	}
	u, f := s.checkPassword(q, m, q.form.Get("username"), q.form.Get("password"))
	if f != nil {
		return answer{}, f
	}
	return s.userTokens(q, c, u, session{typed: true}, func(t *world.Tenant) (ask, *failure) { return s.askOf(q, t, c) })
}

// session is how a user signed in.
type session struct {
	typed bool // with a password: it ends when the password changes
	mfa   bool // with a second factor
	nonce string
}

// userTokens answers a grant of a signed-in user.
func (s *Service) userTokens(q *request, c client, u *world.User, how session, asked func(*world.Tenant) (ask, *failure)) (answer, *failure) {
	t := s.tenant(u.TenantID)
	if t == nil {
		return answer{}, errTenant(u.TenantID)
	}
	a, f := asked(t)
	if f != nil {
		return answer{}, f
	}
	if u.MFARequired && !how.mfa {
		return answer{}, errMFA(a.resource.id)
	}
	scopes, f := s.consented(c, a)
	if f != nil {
		return answer{}, f
	}
	return s.tokens(q, issue{tenant: t, client: c, ask: a, object: u.ID, user: u, scopes: scopes, session: how})
}

// tokens issues what a grant gives, and answers. Members are those of facts/azure-devops-entra.md section 8.2; v1
// writes numbers as strings. An application's answer has neither scope nor refresh token.
func (s *Service) tokens(q *request, t issue) (answer, *failure) {
	t.audience = t.ask.named
	access, _, err := s.accessToken(t)
	if err != nil {
		return answer{}, errServer(err)
	}
	var scope, refresh, id, info string
	if t.user != nil {
		scope = t.ask.granted(t.scopes)
		// Clients of Microsoft's own get a refresh token unasked.
		if t.ask.offline || t.client.app == nil {
			refresh = s.newRefresh(t)
		}
		if t.ask.openid {
			if id, err = s.idToken(t, q.v2); err != nil {
				return answer{}, errServer(err)
			}
		}
		info = clientInfo(t)
	}
	life := int(s.tokenLife() / time.Second)
	if q.v2 {
		return jsonAnswer(http.StatusOK, struct {
			Type       string `json:"token_type"`
			Scope      string `json:"scope,omitempty"`
			Expires    int    `json:"expires_in"`
			ExtExpires int    `json:"ext_expires_in"`
			Access     string `json:"access_token"`
			Refresh    string `json:"refresh_token,omitempty"`
			ID         string `json:"id_token,omitempty"`
			Info       string `json:"client_info,omitempty"`
		}{"Bearer", scope, life, life, access, refresh, id, info}), nil
	}
	// expires_on is compared with the client's clock, so it is on real time.
	now := s.w.RealNow().Unix()
	return jsonAnswer(http.StatusOK, struct {
		Type       string `json:"token_type"`
		Scope      string `json:"scope,omitempty"`
		Expires    string `json:"expires_in"`
		ExtExpires string `json:"ext_expires_in"`
		ExpiresOn  string `json:"expires_on"`
		NotBefore  string `json:"not_before"`
		Resource   string `json:"resource"`
		Access     string `json:"access_token"`
		Refresh    string `json:"refresh_token,omitempty"`
		ID         string `json:"id_token,omitempty"`
	}{
		"Bearer", v1Scope(t), strconv.Itoa(life), strconv.Itoa(life),
		strconv.FormatInt(now+int64(life), 10), strconv.FormatInt(now-300, 10), t.ask.named, access, refresh, id,
	}), nil
}

func errServer(err error) *failure {
	return &failure{status: http.StatusInternalServerError, name: "server_error", code: 90006, text: "The service is temporarily unavailable: " + err.Error()}
}
