package year

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// crew are the people around the fleet: they do things in portals, pipelines and with other tools, edit the manifest,
// and read within a day or so what a Hold asks of them.
type crew struct {
	y     *year
	rng   *rand.Rand
	from  time.Time
	to    time.Time // from when on they leave things alone
	queue []errand  // by time
}

// errand is something that somebody will do.
type errand struct {
	at time.Time
	do func()
}

// tick is how often people look at what is to be done.
const tick = 7 * time.Minute

func newCrew(y *year, from, to time.Time, acts int) *crew {
	c := &crew{y: y, rng: rand.New(rand.NewPCG(y.seed, 4)), from: from, to: to}
	for range acts {
		c.later(from.Add(time.Duration(c.rng.Int64N(int64(to.Sub(from))))), func() {
			c.act(y.book.lives[c.rng.IntN(len(y.book.lives))], c.rng, false)
		})
	}
	return c
}

// later puts something off. The year is locked, or has not begun.
func (c *crew) later(at time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(c.queue, at, func(e errand, at time.Time) int {
		if e.at.After(at) {
			return 1
		}
		return -1
	})
	c.queue = slices.Insert(c.queue, i, errand{at, do})
}

// live does everything in its time, until a stated one.
func (c *crew) live(until time.Time) {
	for at := c.from; at.Before(until); at = at.Add(tick) {
		if time.Now().After(at) {
			continue // what they ran took longer
		}
		people.until(at)
		for {
			c.y.mu.Lock()
			if len(c.queue) == 0 || c.queue[0].at.After(time.Now()) {
				c.y.mu.Unlock()
				break
			}
			next := c.queue[0]
			c.queue = c.queue[1:]
			c.y.mu.Unlock()
			next.do()
		}
	}
}

// halfway has somebody do something to a credential while the product works on it.
func (c *crew) halfway(p *process, l *life) {
	if now := time.Now(); now.Before(c.from) || !now.Before(c.to) || p.rng.IntN(400) != 0 {
		return
	}
	p.mu.Lock()
	p.struck[l.n] = true
	p.mu.Unlock()
	c.act(l, p.rng, true)
}

// act has somebody do one thing that can be done.
func (c *crew) act(l *life, rng *rand.Rand, halfway bool) {
	if !time.Now().Before(c.to) {
		return
	}
	for range 20 {
		if rng.IntN(3) > 0 || halfway {
			if d := deeds[rng.IntN(len(deeds))]; c.portal(l, d, rng) {
				return
			}
			continue
		}
		d := orders[rng.IntN(len(orders))]
		c.y.mu.Lock()
		can := d.can == nil || d.can(c.y, l)
		if can {
			c.y.stats.act(d.name)
			c.y.event(l, "a person %s", d.name)
		}
		c.y.mu.Unlock()
		if can {
			d.do(c, l, rng)
			return
		}
	}
}

// portal has somebody do something to the world, where it can be done.
func (c *crew) portal(l *life, d deed, rng *rand.Rand) bool {
	w := c.y.srv.World()
	w.Lock()
	c.y.mu.Lock()
	c.y.book.index(&w.State)
	can := d.can(l, w.Now())
	if can {
		c.y.stats.act(d.name)
		c.y.event(l, "a person %s", d.name)
		d.do(&hand{c.y, w, l, rng})
		c.y.book.index(&w.State)
	}
	c.y.mu.Unlock()
	w.Unlock()
	if can {
		c.y.judge(l, *l.promise())
	}
	return can
}

// hand is a person's, on one credential. The world and the year are locked.
type hand struct {
	y   *year
	w   *world.World
	l   *life
	rng *rand.Rand
}

// excuse has nobody blame the product for what becomes of a token, a version or a secret.
func (h *hand) excuse(id, why string) { h.l.history.Excused[id] = why }

func (h *hand) target() string { return h.l.promise().Target.String() }

// write adds a version to the secret.
func (h *hand) write(value string, tags map[string]string) {
	s := h.l.secret()
	s.Deleted = time.Time{}
	now := h.w.Now()
	s.Versions = append(s.Versions, &world.SecretVersion{ID: h.w.NewVersion(), Value: value, Created: now, Updated: now, Tags: tags})
	h.w.Remember(value)
}

// purge has the secret gone for good.
func (h *hand) purge() {
	name := h.l.promise().Target.Name
	h.l.vault.Secrets = slices.DeleteFunc(h.l.vault.Secrets, func(s *world.Secret) bool { return s.Name == name })
	delete(h.l.history.Foreign.Tags, h.target())
	// Nothing tells any more what was published.
	for _, t := range h.l.tokens() {
		h.excuse(t.AuthorizationID, "purged the secret")
	}
}

// cred is the credential in the manifest, which is to be changed.
func (h *hand) cred() *cred { return h.y.edit(h.l) }

// edit gives a credential of the manifest to be changed. The year is locked.
func (y *year) edit(l *life) *cred {
	y.dirty = true
	return y.fleet.creds[l.n]
}

// blameless are what Excused says of whom an order ends.
func (y *year) blameless(l *life, why string) {
	for _, t := range l.tokens() {
		l.history.Excused[t.AuthorizationID] = why
	}
}
