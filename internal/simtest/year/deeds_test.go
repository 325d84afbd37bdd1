package year

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// deed is what people do in a portal, in a pipeline or with another tool.
type deed struct {
	name string
	can  func(*life, time.Time) bool
	do   func(*hand)
}

func there(l *life, _ time.Time) bool { return l.newest() != nil }
func recorded(l *life, _ time.Time) bool {
	v := l.newest()
	return v != nil && v.Tags[rotation.RecordTag] != ""
}
func held(l *life, now time.Time) bool    { return recorded(l, now) && alive(l.holder(), now) }
func heldPAT(l *life, now time.Time) bool { return isPAT(l) && held(l, now) }
func several(l *life, now time.Time) bool { return there(l, now) && len(l.secret().Versions) > 1 }

var deeds = slices.Concat(vaultDeeds, toldDeeds)

var vaultDeeds = []deed{
	{"deletes the secret", there, func(h *hand) { h.l.secret().Deleted = h.w.Now() }},
	{"writes a value of their own", there, func(h *hand) {
		h.write("somebody's own value "+h.w.Letters(12), nil)
		delete(h.l.history.Foreign.Tags, h.target())
	}},
	{"takes the record off", recorded, func(h *hand) {
		h.retag(func(tags map[string]string) { delete(tags, rotation.RecordTag) })
		if p := h.l.holder(); p != nil {
			h.excuse(p.AuthorizationID, "took its record off")
		}
	}},
	{"mangles the record", recorded, func(h *hand) {
		h.retag(func(tags map[string]string) { tags[rotation.RecordTag] += "?" })
		if p := h.l.holder(); p != nil {
			h.excuse(p.AuthorizationID, "mangled its record")
		}
	}},
	{"adds a tag", there, func(h *hand) {
		v := fmt.Sprint(h.rng.IntN(9000))
		h.retag(func(tags map[string]string) { tags["cost-centre"] = v })
	}},
	{"fills the tags up", there, func(h *hand) {
		h.retag(func(tags map[string]string) {
			for i := 0; len(tags) < 15; i++ {
				tags[fmt.Sprintf("filler-%d", i)] = "x"
			}
		})
	}},
	{"disables the newest version", func(l *life, now time.Time) bool { return there(l, now) && !l.newest().Disabled }, func(h *hand) {
		v := h.l.newest()
		v.Disabled = true
		h.excuse(v.ID, invariant.Disabled)
	}},
	{"publishes the version before again", several, func(h *hand) {
		s := h.l.secret()
		v := s.Versions[len(s.Versions)-2]
		h.write(v.Value, maps.Clone(v.Tags))
		delete(h.l.history.Foreign.Tags, h.target())
		if p := h.l.byValue(v.Value); p != nil {
			h.excuse(p.AuthorizationID, "went back to it")
		}
	}},
	{"revokes the current token", held, func(h *hand) {
		p := h.l.holder()
		h.revoke(p)
		h.excuse(p.AuthorizationID, "revoked it")
	}},
	{"renames the current token", heldPAT, func(h *hand) { h.l.holder().Name = "renamed by hand" }},
	{"shortens the current token's life", heldPAT, func(h *hand) {
		p := h.l.holder()
		if end := h.w.Now().Add(2 * day); end.Before(p.ValidTo) {
			p.ValidTo = end
		}
		h.excuse(p.AuthorizationID, "shortened its life")
	}},
	{"gives the current token other scopes", heldPAT, func(h *hand) { h.l.holder().Scope = "vso.wiki" }},
	{"makes a token with the name of the current one", held, func(h *hand) {
		h.again(*h.l.holder())
	}},
	{"revokes the token before", func(l *life, now time.Time) bool { return before(l, now) != nil }, func(h *hand) {
		p := before(h.l, h.w.Now())
		h.revoke(p)
		h.excuse(p.AuthorizationID, "revoked it")
	}},
}

// before is a living token that the newest version does not hold.
func before(l *life, now time.Time) *world.PAT {
	h := l.holder()
	for _, p := range l.tokens() {
		if h != nil && p != h && alive(p, now) {
			return p
		}
	}
	return nil
}

func (h *hand) retag(change func(map[string]string)) {
	v := h.l.newest()
	tags := maps.Clone(v.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	change(tags)
	v.Tags, v.Updated = tags, h.w.Now()
	foreign := invariant.ForeignTags(tags)
	delete(foreign, "owner") // the manifest's
	h.l.history.Foreign.Tags[h.target()], h.l.tagged = foreign, h.w.Now()
}

// order is what people do with the manifest, the command line and the directory.
type order struct {
	name string
	can  func(*year, *life) bool
	do   func(*crew, *life, *rand.Rand)
}

func enabled(y *year, l *life) bool { return y.fleet.creds[l.n].enabled }
func bySeal(y *year, l *life) bool  { return y.fleet.accounts[l.account].sealed }

// edits changes the manifest.
func edits(change func(*cred, *life, *rand.Rand)) func(*crew, *life, *rand.Rand) {
	return func(c *crew, l *life, rng *rand.Rand) {
		c.y.mu.Lock()
		defer c.y.mu.Unlock()
		change(c.y.edit(l), l, rng)
	}
}

// for a while: something is changed now and changed back within hours or days.
func (c *crew) forAWhile(most time.Duration, now, then func(*world.World)) {
	w := c.y.srv.World()
	do := func(f func(*world.World)) {
		w.Lock()
		c.y.mu.Lock()
		f(w)
		c.y.mu.Unlock()
		w.Unlock()
	}
	do(now)
	c.y.mu.Lock()
	c.later(time.Now().Add(between(c.rng, time.Hour, most)), func() { do(then) })
	c.y.mu.Unlock()
}

func user(w *world.World, upn string) *world.User {
	for _, u := range w.Users {
		if u.UPN == upn {
			return u
		}
	}
	return nil
}

// orders are what people want of the product, and what they do to accounts and roles.
var orders = []order{
	{"changes the lifetime", nil, edits(func(c *cred, _ *life, rng *rand.Rand) {
		c.lifetime = pick[time.Duration](rng, 7, 14, 30, 60, 90) * day
		c.times(rng, 12*time.Hour)
	})},
	{"changes the overlap", nil, edits(func(c *cred, _ *life, rng *rand.Rand) {
		c.overlap = min(c.rotateBefore, pick(rng, 12*time.Hour, day, 3*day))
	})},
	{"changes what is asked of the issuer", nil, edits(func(c *cred, _ *life, rng *rand.Rand) {
		c.scopes = nil
		adopt := c.adopt
		kinds[c.kind].choose(c, rng)
		c.adopt = adopt
	})},
	{"changes the strategy", nil, edits(func(c *cred, _ *life, _ *rand.Rand) { c.extend = !c.extend })},
	{"renames the credential", nil, edits(func(c *cred, l *life, rng *rand.Rand) {
		c.name = fmt.Sprintf("cred-%05d-%04x", c.n, rng.IntN(1<<16))
		l.names[rotation.CredentialID(c.name)] = true
	})},
	{"disables the credential", enabled, func(c *crew, l *life, rng *rand.Rand) {
		edits(func(x *cred, _ *life, _ *rand.Rand) { x.enabled = false })(c, l, rng)
		c.enableLater(l)
	}},
	{"retires the credential", enabled, func(c *crew, l *life, rng *rand.Rand) {
		edits(func(x *cred, l *life, _ *rand.Rand) { x.enabled = false; c.y.blameless(l, "retired") })(c, l, rng)
		c.command(l, rotation.Retire)
		c.enableLater(l)
	}},
	{"asks for a rotation", enabled, func(c *crew, l *life, _ *rand.Rand) { c.command(l, rotation.Rotate) }},
	{"asks for a rotation, compromised", enabled, func(c *crew, l *life, _ *rand.Rand) {
		c.y.mu.Lock()
		c.y.blameless(l, "compromised")
		c.y.mu.Unlock()
		c.command(l, rotation.Compromised)
	}},
	{"changes the account's password", func(y *year, l *life) bool { return !bySeal(y, l) }, func(c *crew, l *life, rng *rand.Rand) {
		a := c.y.fleet.accounts[l.account]
		w := c.y.srv.World()
		w.Lock()
		defer w.Unlock()
		u := user(w, a.upn())
		u.Password, u.PasswordChanged = "Sim."+world.Canary+"."+w.Letters(12), w.Now()
		w.Remember(u.Password)
	}},
	{"ends the account's sessions", bySeal, func(c *crew, l *life, _ *rand.Rand) {
		w := c.y.srv.World()
		w.Lock()
		defer w.Unlock()
		user(w, c.y.fleet.accounts[l.account].upn()).SessionsRevoked = w.Now()
	}},
	{"disables the account", nil, func(c *crew, l *life, _ *rand.Rand) {
		upn := c.y.fleet.accounts[l.account].upn()
		c.forAWhile(2*day, func(w *world.World) { user(w, upn).Disabled = true }, func(w *world.World) { user(w, upn).Disabled = false })
	}},
	{"takes Rekey's role at the vault away", nil, func(c *crew, l *life, _ *rand.Rand) {
		role := func(w *world.World, do func(*world.RoleAssignment)) {
			for _, a := range w.RoleAssignments {
				if a.PrincipalID == rekeySP && a.Scope == l.vault.ResourceID() {
					do(a)
				}
			}
		}
		c.forAWhile(2*day, func(w *world.World) { role(w, func(a *world.RoleAssignment) { a.Removed = w.Now() }) },
			func(w *world.World) {
				role(w, func(a *world.RoleAssignment) { a.Removed, a.Created = time.Time{}, w.Now() })
			})
	}},
}

func (c *crew) enableLater(l *life) {
	c.y.mu.Lock()
	defer c.y.mu.Unlock()
	c.later(time.Now().Add(between(c.rng, 6*time.Hour, 20*day)), func() {
		c.y.mu.Lock()
		defer c.y.mu.Unlock()
		c.y.edit(l).enabled = true
		c.y.event(l, "a person enables the credential again")
	})
}

// command runs the product for one credential, as a person at a terminal does.
func (c *crew) command(l *life, command rotation.Command) {
	c.y.mu.Lock()
	name := c.y.fleet.creds[l.n].name
	p := c.y.process(people, 200*time.Millisecond, false)
	c.y.mu.Unlock()
	p.run(command, name)
}
