package entra

import (
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// heard says whether the region that answers now has heard of a change. Requests about one thing are answered by the
// regions in turn, and each hears of the change a share of the delay later than the one before.
func (s *Service) heard(what string, change time.Time, delay time.Duration) bool {
	since := s.w.Now().Sub(change)
	if change.IsZero() || since >= delay {
		return true
	}
	n := time.Duration(s.w.Knobs.Entra.Regions)
	if n <= 1 {
		return false
	}
	region := time.Duration(s.flaps[what]) % n
	s.flaps[what]++
	return since >= delay*(region+1)/n
}

// tooNew says whether a secret has not reached the region that was asked.
func (s *Service) tooNew(p *world.PasswordCredential) bool {
	k := s.w.Knobs.Entra
	delay := time.Duration(k.NewSecretDelay)
	if !k.NewSecretFlaps {
		return !s.heard(p.KeyID, p.Created, delay)
	}
	if p.Created.IsZero() || !s.w.Now().Before(p.Created.Add(delay)) {
		return false
	}
	s.flaps[p.KeyID]++
	return s.flaps[p.KeyID]%2 == 1
}

// remembered says whether the region that was asked still takes a credential that was removed.
func (s *Service) remembered(keyID string, removed time.Time) bool {
	return !s.heard("removal of "+keyID, removed, time.Duration(s.w.Knobs.Entra.RemovalDelay))
}

// passwordOf is what the region that was asked takes for a user's password.
func (s *Service) passwordOf(u *world.User) string {
	if u.PreviousPassword != "" && !s.heard("password of "+u.ID, u.PasswordChanged, time.Duration(s.w.Knobs.Entra.NewPasswordDelay)) {
		return u.PreviousPassword
	}
	return u.Password
}
