package invariant

import "time"

// Stray holds if nothing is alive for a secret that should not be, and what should be is.
var Stray = Checker{
	Name:  "stray",
	Holds: "after convergence nothing with our stamp is alive but the current credential, predecessors inside their overlap, and what is younger than the sweep window",
	broken: func(h *History, report func(string, ...any)) {
		for _, p := range h.Promises {
			s := h.scene(p)
			newest := s.Newest()
			if newest == nil || newest.Record == nil || !newest.Enabled || h.held(p) {
				continue // a person's to decide: nothing can be proved
			}
			if p.Kind == ServiceAccount {
				if !slotOf(h.State, p).published() {
					report("%s: what is published is not the account's password", p.Target)
				}
				continue
			}
			if t, ok := s.Token(newest.Holds); !ok || !t.Alive(h.Now) {
				report("%s: the newest version holds no living token", p.Target)
			}
			if newest.Holds != newest.Record.IssuerID {
				report("%s: the newest version holds %s, and its record says %s", p.Target, newest.Holds, newest.Record.IssuerID)
			}
			for _, t := range s.Tokens {
				if t.ID == newest.Holds || !t.Alive(h.Now) || t.Generation == "" || h.Now.Sub(t.Born()) < p.Window || insideOverlap(s, t, p) {
					continue
				}
				report("%s: token %s of generation %s is alive, %s old, and nobody's", p.Target, t.ID, t.Generation, h.Now.Sub(t.Born()))
			}
		}
	},
}

// insideOverlap says whether a token was superseded so lately that it may live.
func insideOverlap(s *Scene, t Token, p Promise) bool {
	return s.published(t) && s.At.Before(overlapEnd(s, t, p))
}

// overlapEnd is until when a published token must live: the overlap, counted from when it was last superseded, or
// what a record promised.
func overlapEnd(s *Scene, t Token, p Promise) (end time.Time) {
	newest := s.Versions[len(s.Versions)-1].Record
	for i, v := range s.Versions {
		if v.Holds == t.ID {
			end = later(end, s.SupersededAt(i).Add(p.Overlap))
		}
		if r := v.Record; r != nil && newest != nil && !newest.Compromised {
			end = later(end, r.RevokeAfter)
		}
	}
	return end
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
