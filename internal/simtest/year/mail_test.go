package year

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
)

// mail tells people of a Hold. They read it within a day or so. The world and the year are locked.
func (c *crew) mail(l *life, r invariant.Result, rng *rand.Rand) {
	if l.mail {
		return
	}
	l.mail = true
	c.later(time.Now().Add(between(rng, time.Hour, 30*time.Hour)), func() { c.answer(l, r) })
}

// answer does what a Hold asks for.
func (c *crew) answer(l *life, r invariant.Result) {
	c.y.mu.Lock()
	l.mail = false
	stale := l.result.Kind != rotation.Hold || l.result.Code != r.Code
	if !stale {
		c.y.stats.act("does what a Hold asks for")
		c.y.event(l, "a person reads of %s: %s", r.Code, r.Do)
	}
	c.y.mu.Unlock()
	if stale {
		return
	}
	if r.Code == "person" {
		c.help(l, r.Do)
		return
	}
	remedy, known := remedies[r.Code]
	if !known {
		c.y.Errorf("the year's people do not know what to do about a Hold %s, which says: %s", r.Code, r.Do)
		return
	}
	w := c.y.srv.World()
	w.Lock()
	c.y.mu.Lock()
	remedy(&hand{c.y, w, l, c.rng}, r)
	c.y.mu.Unlock()
	w.Unlock()
	c.y.judge(l, *l.promise())
}

// remedies are what each Hold asks for.
var remedies = map[string]func(*hand, invariant.Result){
	"soft-deleted": func(h *hand, _ invariant.Result) {
		s := h.l.secret()
		switch {
		case s == nil || s.Deleted.IsZero():
		case h.rng.IntN(3) == 0:
			h.purge()
		default:
			s.Deleted, s.Recovered = time.Time{}, h.w.Now()
		}
	},
	"disabled-version": func(h *hand, _ invariant.Result) {
		if v := h.l.newest(); v != nil {
			v.Disabled = false
			delete(h.l.history.Excused, v.ID)
		}
	},
	"no-free-tag": func(h *hand, _ invariant.Result) {
		if h.l.newest() != nil {
			h.retag(func(tags map[string]string) {
				for name := range tags {
					if strings.HasPrefix(name, "filler-") {
						delete(tags, name)
					}
				}
			})
		}
	},
	"foreign-version":   func(h *hand, _ invariant.Result) { h.adopt() },
	"unreadable-record": func(h *hand, _ invariant.Result) { h.adopt() },
	"adopt-missing":     func(h *hand, _ invariant.Result) { h.adopt() },
	"adopt-value":       func(h *hand, _ invariant.Result) { h.adopt() },
	"adopt-ambiguous":   func(h *hand, _ invariant.Result) { h.adopt() },
	"copied-record": func(h *hand, r invariant.Result) {
		if h.l.newest() == nil {
			return
		}
		holder := h.l.holder()
		for _, p := range h.l.tokens() {
			if p != holder && alive(p, h.w.Now()) && !h.named(p.AuthorizationID) {
				h.revoke(p) // nobody uses it
				h.excuse(p.AuthorizationID, "revoked it as a Hold asks")
			}
		}
		if holder != nil && !h.named(holder.AuthorizationID) {
			h.adopt()
		}
	},
	"overlap-does-not-fit": func(h *hand, _ invariant.Result) {
		c := h.cred()
		c.overlap = min(c.overlap, 12*time.Hour)
		c.rotateBefore = max(c.rotateBefore, c.overlap)
	},
	"clocks-disagree": func(*hand, invariant.Result) {}, // somebody will mend the proxy
	"no-way-back":     func(*hand, invariant.Result) {}, // who broke what uses it mends that
	"unproved":        func(*hand, invariant.Result) {}, // of a retired credential: revoked at the issuer by and by
}

// named says whether the newest version's record names a token.
func (h *hand) named(id string) bool {
	r, err := rotation.ParseRecord(h.l.newest().Tags[rotation.RecordTag])
	return err == nil && (r.IssuerID == id || r.Predecessor == id)
}

// adopt names in the manifest what the newest version holds, and takes its tag off; what holds nothing that works is
// deleted, so that a new one is issued in its place.
func (h *hand) adopt() {
	v := h.l.newest()
	if v == nil {
		return
	}
	if p := h.l.holder(); alive(p, h.w.Now()) {
		h.retag(func(tags map[string]string) { delete(tags, rotation.RecordTag) })
		h.cred().adopt = p.AuthorizationID
		h.l.promise().Adopts = p.AuthorizationID
		h.excuse(p.AuthorizationID, "adopted it as a Hold asks")
		return
	}
	h.purge()
	h.cred().adopt = ""
}

// help does what the product says about accounts and older versions.
func (c *crew) help(l *life, do string) {
	a := c.y.fleet.accounts[l.account]
	w := c.y.srv.World()
	switch {
	case strings.Contains(do, "rekey login"):
		c.login(l.account)
	case strings.Contains(do, "put the account's password"):
		w.Lock()
		defer w.Unlock()
		v := vault(&w.State, signInVault)
		for _, s := range v.Secrets {
			if s.Name == a.secret() {
				old := s.Versions[len(s.Versions)-1]
				x := *old
				x.ID, x.Value, x.Created, x.Updated = w.NewVersion(), user(w, a.upn()).Password, w.Now(), w.Now()
				s.Versions = append(s.Versions, &x)
			}
		}
	case strings.Contains(do, "enable the account"), strings.Contains(do, "allow list"), strings.Contains(do, "shorten the lifetime"):
		// whoever disabled it enables it again, and policies come and go
	case strings.HasPrefix(do, "check the ") && strings.Contains(do, " in the manifest, and "),
		strings.HasPrefix(do, "recover the secret (az keyvault secret recover)"): // a copy
		// whoever deleted it makes it again
	case strings.Contains(do, "restore that version's tag"):
		w.Lock()
		defer w.Unlock()
		c.y.mu.Lock()
		defer c.y.mu.Unlock()
		if s := l.secret(); s != nil {
			for _, v := range s.Versions {
				if _, err := rotation.ParseRecord(v.Tags[rotation.RecordTag]); err != nil {
					delete(v.Tags, rotation.RecordTag)
				}
			}
		}
	default:
		c.y.Errorf("the year's people do not know how to help: %s", do)
	}
}

// login signs an account in as a person does.
func (c *crew) login(account int) {
	y := c.y
	a := y.fleet.accounts[account]
	w := y.srv.World()
	approve := func(upn string) {
		w.Lock()
		w.Knobs.Entra.DeviceAutoApprove = upn
		w.Unlock()
	}
	y.mu.Lock()
	p := y.process(people, 100*time.Millisecond, true)
	y.event(nil, "%d a person signs %s in", p.id, a.name)
	y.mu.Unlock()
	approve(a.upn())
	defer approve("")
	product, err := p.app(p.log())
	if err != nil {
		panic(err)
	}
	acc, err := product.Account(a.name)
	if err != nil {
		panic(err)
	}
	said := ""
	if err := acc.LoginByDeviceCode(p.ctx, app.LoginScope, func(message string) { said += message }); err != nil {
		said += err.Error()
		y.mu.Lock()
		y.event(nil, "%d could not sign %s in: %v", p.id, a.name, err)
		y.mu.Unlock()
	}
	p.kill()
	y.mu.Lock()
	y.keep("login", said)
	y.keep("log of a login", p.logged.String())
	y.mu.Unlock()
}
