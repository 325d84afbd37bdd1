package entra

import (
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// refreshToken is a session that a client holds. It is for a user and a client, not for a resource.
type refreshToken struct {
	client  string
	proved  bool // by a confidential client
	user    string
	session session
	ask     ask // what it is for, where a redemption does not say
	issued  time.Time
	used    time.Time // last
	// passwordChanged and revoked are the user's as they were at issue: a change since then is seen even where the
	// clock stood still.
	passwordChanged time.Time
	revoked         time.Time
	spent           bool // redeemed, under RefreshSingleUse
}

const defaultRefreshIdle = 90 * 24 * time.Hour

func (s *Service) newRefresh(t issue) string {
	raw := s.w.MintOpaque("1.AXsA")
	now := s.w.Now()
	s.refresh[raw] = &refreshToken{
		client: t.client.id, proved: t.client.proof != unproved, user: t.user.ID, session: t.session, ask: t.ask, issued: now, used: now,
		passwordChanged: t.user.PasswordChanged, revoked: t.user.SessionsRevoked,
	}
	return raw
}

func (s *Service) redeemRefresh(q *request, m realm) (answer, *failure) {
	c, f := s.authenticate(q, m, false)
	if f != nil {
		return answer{}, f
	}
	raw := q.form.Get("refresh_token")
	if raw == "" {
		return answer{}, errMissing("refresh_token")
	}
	rt := s.refresh[raw]
	if rt == nil || !strings.EqualFold(rt.client, c.id) {
		return answer{}, errGrant()
	}
	u := s.userByID(rt.user)
	if u == nil || !m.has(u) {
		return answer{}, errNoUser(tenantName(m.tenant))
	}
	q.call.Principal = u.UPN
	if f := s.checkRefresh(rt, u); f != nil {
		return answer{}, f
	}
	a, f := s.userTokens(q, c, u, session{typed: rt.session.typed, mfa: rt.session.mfa}, func(t *world.Tenant) (ask, *failure) {
		if q.form.Get("scope") == "" && q.form.Get("resource") == "" {
			return rt.ask, nil
		}
		x, f := s.askOf(q, t, c)
		x.offline = true // a refresh token is always answered with a new one
		return x, f
	})
	if f != nil {
		return answer{}, f
	}
	rt.used = s.w.Now()
	rt.spent = s.w.Knobs.Entra.RefreshSingleUse
	return a, nil
}

// checkRefresh says why a refresh token is dead (facts/azure-devops-entra.md section 8.5). A changed password ends only
// what a password had signed in, and not what a confidential client holds; an administrator's reset, which ends that
// too, is the directory setting SessionsRevoked.
func (s *Service) checkRefresh(rt *refreshToken, u *world.User) *failure {
	const layout = "2006-01-02T15:04:05.0000000Z"
	now := s.w.Now()
	idle := defaultRefreshIdle
	if d := time.Duration(s.w.Knobs.Entra.RefreshIdle); d > 0 {
		idle = d
	}
	since := func(then, snapshot time.Time) bool { return !then.Equal(snapshot) && !then.Before(rt.issued) }
	switch {
	case u.Disabled:
		return errDisabled()
	case rt.spent:
		return errGrant()
	case since(u.SessionsRevoked, rt.revoked):
		return errRevoked(rt.issued.Format(layout), u.SessionsRevoked.UTC().Format(layout))
	case rt.session.typed && !rt.proved && since(u.PasswordChanged, rt.passwordChanged):
		return errRevoked(rt.issued.Format(layout), u.PasswordChanged.UTC().Format(layout))
	case now.Sub(rt.used) >= idle:
		return refuse("invalid_grant", 700082, "The refresh token has expired due to inactivity. The token was issued on %s and was inactive for %d.00:00:00.",
			rt.issued.Format(layout), int(idle.Hours()/24))
	}
	return nil
}
