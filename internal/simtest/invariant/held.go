package invariant

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/sim/world"
)

// Held is what a consumer held for a time. The world keeps no memory of that, so whoever keeps a History notes it.
type Held struct {
	At string // the consumer's
	consumer.Holding
	Token string // id of the credential whose value it is, "" for none that is known
	From  time.Time
	Until time.Time // zero while it holds it
}

// Note takes down what the consumers of all promises hold now.
func (h *History) Note(w *world.World, now time.Time) {
	for _, p := range h.Promises {
		for _, c := range p.Consumers {
			x := consumer.Of(c.Kind).Holds(w, c.At)
			last := h.Holding(c.At)
			if last != nil && last.Holding == x {
				continue
			}
			from := now
			if last != nil {
				if x.Since.After(last.From) {
					from = x.Since
				}
				last.Until = from
			}
			next := Held{At: c.At, Holding: x, Token: tokenByValue(&w.State, x.Value), From: from}
			h.Held = append(h.Held, next)
			if v := SceneOf(&w.State, p, now).Newest(); v != nil && v.Holds != "" && v.Holds == next.Token {
				delete(h.Excused, c.At) // whatever was done to it is mended
			}
		}
	}
}

// Holding is what a consumer holds, nil if that was never noted.
func (h *History) Holding(at string) *Held {
	for i := len(h.Held) - 1; i >= 0; i-- {
		if h.Held[i].At == at && h.Held[i].Until.IsZero() {
			return &h.Held[i]
		}
	}
	return nil
}

// See adds to a call about a consumer what that holds now, and to a read of a secret the marks that are in its tags.
func (h *History) See(c *Call) {
	if x := h.Holding(c.Consumer); x != nil {
		c.Marked, c.Holds, c.Took = x.Publication, x.Token, x.From.Equal(c.At)
	}
	for _, p := range h.Promises {
		for _, one := range p.Consumers {
			x := h.Holding(one.At)
			if c.Operation != "GetSecret" || x == nil || !consumer.Of(one.Kind).MarksSecret || !strings.EqualFold(c.Target, p.Target.String()) {
				continue
			}
			if c.Marks == nil {
				c.Marks = map[string]string{}
			}
			c.Marks[one.At] = x.Publication
		}
	}
}

// ConsumerOf gives the promised consumer that a request is about, "" for none.
func (h *History) ConsumerOf(req *http.Request) string {
	for _, p := range h.Promises {
		for _, one := range p.Consumers {
			if at := consumer.Of(one.Kind).About(req); strings.EqualFold(at, one.At) {
				return one.At
			}
		}
	}
	return ""
}

// Lately gives what consumers hold, and what somebody may still use of what they held before. It is asked for before
// anything goes on from a history whose checkers were asked: what ended a credential since then was seen.
func (h *History) Lately(now time.Time) (out []Held) {
	for _, x := range h.Held {
		if x.Until.IsZero() || now.Before(x.Until.Add(h.cacheOf(x.At))) {
			out = append(out, x)
		}
	}
	return out
}

func (h *History) cacheOf(at string) time.Duration {
	for _, p := range h.Promises {
		for _, c := range p.Consumers {
			if c.At == at {
				return c.Cache
			}
		}
	}
	return 0
}

// BlamePerson is the key in History.Excused for a credential that a person put into a consumer by hand: no gap there is
// held against the product.
func BlamePerson(at, token string) string { return at + " " + token }

// misled are the gaps of consumers: each must be able to use what it holds, and for the length of its cache what it held.
func misled(h *History, p Promise, s *Scene, report func(string, ...any)) {
	for _, x := range h.Held {
		c, ours := p.consumer(x.At)
		t, ok := s.Token(x.Token)
		if !ours || !ok || h.Excused[t.ID] != "" || h.Excused[BlamePerson(x.At, t.ID)] != "" {
			continue
		}
		until := x.Until.Add(c.Cache)
		if x.Until.IsZero() {
			until = h.Now.Add(time.Nanosecond)
		}
		if t.Alive(h.Now) || !t.Dead().Before(until) || neglected(h, p, t) {
			continue
		}
		held := "holds"
		if !x.Until.IsZero() {
			held = "held until " + clock(x.Until)
		}
		report("%s: consumer %s %s a credential that ended at %s (%s), and may use it until %s", p.Target, c.ID, held, clock(t.Dead()), t.ID, clock(until))
	}
}

func (p Promise) consumer(at string) (consumer.One, bool) {
	i := slices.IndexFunc(p.Consumers, func(c consumer.One) bool { return c.At == at })
	if i < 0 {
		return consumer.One{}, false
	}
	return p.Consumers[i], true
}

// Told holds if every consumer ends up on what is current, where no person is to decide.
var Told = Checker{
	Name:  "told",
	Holds: "after convergence every consumer holds what the newest version holds",
	broken: func(h *History, report func(string, ...any)) {
		for _, p := range h.Promises {
			newest := h.scene(p).Newest()
			if newest == nil || newest.Record == nil || !newest.Enabled || newest.Holds == "" || h.held(p) {
				continue
			}
			for _, c := range p.Consumers {
				x := h.Holding(c.At)
				if x == nil || h.Excused[c.At] != "" {
					continue
				}
				if x.Token != newest.Holds {
					report("%s: consumer %s is not on the newest publication: it holds %s, and the newest version %s", p.Target, c.ID, x.Token, newest.Holds)
				}
			}
		}
	},
}

// unaware says which consumer a process had not seen on the newest publication and working, among what it looked at; ""
// for none. A consumer that a person gave something else under the same mark cannot be told from one that is well.
func (h *History) unaware(p Promise, looked looks, read *Version) string {
	if read == nil || read.Record == nil {
		return ""
	}
	for _, c := range p.Consumers {
		k, seen := consumer.Of(c.Kind), looked.consumers[c.At]
		switch {
		case seen.marked == nil:
			return "consumer " + c.ID + " was not looked at"
		case k.Unmark != nil && *seen.marked != string(read.Record.Publication):
			return "consumer " + c.ID + " was on another publication when it was looked at"
		case len(k.Tries) > 0 && !k.Weak && seen.tried == nil:
			return "consumer " + c.ID + " was not tried"
		case len(k.Tries) > 0 && !k.Weak && *seen.tried != read.Holds && h.Excused[BlamePerson(c.At, *seen.tried)] == "":
			return "consumer " + c.ID + " was tried with something else than what was read"
		}
	}
	return ""
}

// seenOf is what a process saw of a consumer last: nil for what it did not look at.
type seenOf struct {
	looked bool    // at one whose mark is in the credential's own secret, which is read before
	marked *string // the publication that it was marked with
	tried  *string // the credential that it was tried with
}

// see takes a call about a consumer, the latest first.
func (l *looks) see(p Promise, c *Call) {
	one, ours := p.consumer(c.Consumer)
	if !ours || !c.Applied() {
		return
	}
	if l.consumers == nil {
		l.consumers = map[string]seenOf{}
	}
	// What was read counts, and not what somebody made of it in the same second.
	k := consumer.Of(one.Kind)
	seen, trial := l.consumers[one.At], slices.Contains(k.Tries, c.Operation)
	if slices.Contains(k.Looks, c.Operation) || slices.Contains(k.Tells, c.Operation) {
		if seen.looked = k.MarksSecret; seen.marked == nil && !k.MarksSecret {
			seen.marked = &c.Marked
		}
	}
	if seen.tried == nil && trial {
		seen.tried = &c.Holds
	}
	l.consumers[one.At] = seen
}

// seeMarks takes a read of the secret that holds the marks of consumers that were looked at after it.
func (l *looks) seeMarks(c *Call) {
	for at, seen := range l.consumers {
		if mark, ours := c.Marks[at]; ours && seen.looked && seen.marked == nil && c.Applied() {
			seen.marked = &mark
			l.consumers[at] = seen
		}
	}
}
