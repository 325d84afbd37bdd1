package entra

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// device is one sign-in by device code.
type device struct {
	userCode string
	realm    realm
	client   string
	scope    string // v2
	resource string // v1
	expires  time.Time
	polls    int
	user     string // who approved it
	session  session
	declined bool
	redeemed bool
}

// deviceCode starts a sign-in. Whether the client may use the flow shows only at the poll.
func (s *Service) deviceCode(q *request) (answer, *failure) {
	m, f := s.realm(q.tenant)
	if f != nil {
		return answer{}, f
	}
	c, f := s.identify(q, m, q.form.Get("client_id"))
	if f != nil {
		return answer{}, f
	}
	if _, f := s.askOf(q, m.tenant, c); f != nil {
		return answer{}, f
	}
	k := s.w.Knobs.Entra
	life, interval := 900*time.Second, 5*time.Second
	if k.DeviceLife > 0 {
		life = time.Duration(k.DeviceLife)
	}
	if k.DeviceInterval > 0 {
		interval = time.Duration(k.DeviceInterval)
	}
	d := &device{
		userCode: s.w.Letters(9), realm: m, client: c.id,
		scope: q.form.Get("scope"), resource: q.form.Get("resource"), expires: s.w.Now().Add(life),
	}
	code := s.w.MintOpaque("DAQABAAEAAAA")
	s.devices[code] = d
	const web = "https://microsoft.com/devicelogin"
	message := "To sign in, use a web browser to open the page " + web + " and enter the code " + d.userCode + " to authenticate."
	if q.v2 {
		return jsonAnswer(http.StatusOK, struct {
			User     string `json:"user_code"`
			Device   string `json:"device_code"`
			URI      string `json:"verification_uri"`
			Expires  int    `json:"expires_in"`
			Interval int    `json:"interval"`
			Message  string `json:"message"`
		}{d.userCode, code, web, int(life / time.Second), int(interval / time.Second), message}), nil
	}
	return jsonAnswer(http.StatusOK, struct {
		User     string `json:"user_code"`
		Device   string `json:"device_code"`
		URL      string `json:"verification_url"`
		Expires  string `json:"expires_in"`
		Interval string `json:"interval"`
		Message  string `json:"message"`
	}{d.userCode, code, web, strconv.Itoa(int(life / time.Second)), strconv.Itoa(int(interval / time.Second)), message}), nil
}

func (s *Service) redeemDevice(q *request, m realm) (answer, *failure) {
	c, f := s.authenticate(q, m, false)
	if f != nil {
		return answer{}, f
	}
	code := q.form.Get("device_code")
	if code == "" {
		code = q.form.Get("code") // v1
	}
	d := s.devices[code]
	if d == nil || d.redeemed || !strings.EqualFold(d.client, c.id) {
		return answer{}, refuse("bad_verification_code", 70018, "Invalid verification code due to user typing in wrong user code for device code flow.")
	}
	if !s.w.Now().Before(d.expires) {
		return answer{}, refuse("expired_token", 70019, "Verification code expired.")
	}
	if d.declined {
		return answer{}, refuse("authorization_declined", 70017, "OAuth 2.0 device flow error. The user declined the authorization.")
	}
	s.autoApprove(d)
	if d.user == "" {
		return answer{}, refuse("authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
	}
	u := s.userByID(d.user)
	if u == nil || !m.has(u) {
		return answer{}, errNoUser(tenantName(m.tenant))
	}
	q.call.Principal = u.UPN
	if u.Disabled {
		return answer{}, errDisabled()
	}
	a, f := s.userTokens(q, c, u, d.session, func(t *world.Tenant) (ask, *failure) {
		if q.v2 {
			return s.parseScope(d.scope, t, c)
		}
		return s.parseResource(d.resource, t)
	})
	d.redeemed = f == nil
	return a, f
}

func (s *Service) autoApprove(d *device) {
	k := s.w.Knobs.Entra
	if d.user != "" || k.DeviceAutoApprove == "" {
		return
	}
	if d.polls++; d.polls <= k.DeviceAutoApproveAfter {
		return
	}
	if u, f := s.user(d.realm, k.DeviceAutoApprove); f == nil {
		d.approve(u)
	}
}

// approve signs a user in as a person does, second factor included. A user with a password typed it.
func (d *device) approve(u *world.User) {
	d.user, d.session = u.ID, session{typed: u.Password != "", mfa: true}
}

// pending finds a device code that waits for a person, by the code that the person sees.
func (s *Service) pending(userCode string) *device {
	for _, d := range s.devices {
		if strings.EqualFold(d.userCode, strings.TrimSpace(userCode)) && s.w.Now().Before(d.expires) && d.user == "" && !d.declined {
			return d
		}
	}
	return nil
}

var errNoCode = errors.New("no sign-in waits for this code: it is unknown, expired, approved or declined")

// ApproveDevice signs a user in for a device code, as a person at the page would. Unlocked.
func (s *Service) ApproveDevice(userCode, upn string) error {
	s.w.Lock()
	defer s.w.Unlock()
	d := s.pending(userCode)
	if d == nil {
		return errNoCode
	}
	u, f := s.user(d.realm, upn)
	if f != nil {
		return f
	}
	d.approve(u)
	return nil
}

// DeclineDevice refuses a device code, as a person at the page would. Unlocked.
func (s *Service) DeclineDevice(userCode string) error {
	s.w.Lock()
	defer s.w.Unlock()
	d := s.pending(userCode)
	if d == nil {
		return errNoCode
	}
	d.declined = true
	return nil
}

// deviceAuth is the page that a device code's message sends people to: https://microsoft.com/devicelogin, or
// https://login.microsoftonline.com/common/oauth2/deviceauth.
func (s *Service) deviceAuth(q *request) answer {
	v := deviceView{Code: q.URL.Query().Get("user_code")}
	if v.Code == "" {
		v.Code = q.URL.Query().Get("otc")
	}
	if q.Method != http.MethodPost {
		return page(http.StatusOK, devicePage, v)
	}
	v.Code, v.Username = q.form.Get("user_code"), q.form.Get("username")
	d := s.pending(v.Code)
	if d == nil {
		v.Problem = "That code didn't work. Check the code and try again."
		return page(http.StatusOK, devicePage, v)
	}
	if q.form.Has("decline") {
		d.declined = true
		v.Done = "You declined the sign-in. You may now close this window."
		return page(http.StatusOK, devicePage, v)
	}
	u, f := s.checkPassword(q, d.realm, v.Username, q.form.Get("password"))
	if f != nil {
		v.Problem = f.message()
		return page(http.StatusOK, devicePage, v)
	}
	d.approve(u)
	v.Done = "You have signed in. You may now close this window."
	return page(http.StatusOK, devicePage, v)
}
