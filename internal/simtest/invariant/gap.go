package invariant

import "time"

// Gap is the oracle of what consumers can see. Somebody may have read a version at any instant while it was the newest
// one, and goes on using it for the length of its cache: so the token in it must work from when the version was made
// until it was superseded, and a cache longer.
//
// It needs no memory, because the world has it all: versions keep when they were made, tokens when they ended. A consumer
// that is told is another matter: it holds what it was told last, so what it holds must work, and what it held for a
// cache longer. That is noted as it happens (Held).
//
// Not held against the product: a token that expired although no undisturbed run had ended a cache's length before, in
// the time in which it was due, or only one that asked a person to decide; and what a person did (History.Excused). What
// was rolled back to is due when its next try is.
var Gap = Checker{
	Name:  "gap",
	Holds: "every consumer holds a working credential at every instant",
	broken: func(h *History, report func(string, ...any)) {
		for _, p := range h.Promises {
			if p.Kind == ServiceAccount {
				lost(h, p, report)
				continue
			}
			s := h.scene(p)
			misled(h, p, s, report)
			for i, v := range s.Versions {
				t, ok := s.Token(v.Holds)
				if v.Record == nil || !ok || h.Excused[t.ID] != "" || h.Excused[v.ID] != "" {
					continue
				}
				// The store cuts its dates to the second.
				if t.Accepted.After(v.Created.Add(time.Second)) && t.Generation != "" {
					report("%s: version %s was published at %s, and is accepted everywhere from %s on (%s)", p.Target, v.ID, clock(v.Created), clock(t.Accepted), t.ID)
				}
				read := s.SupersededAt(i)
				until := read.Add(p.Cache)
				if read.IsZero() {
					until = h.Now.Add(time.Nanosecond) // whoever reads it now
				}
				if t.Alive(h.Now) || !t.Dead().Before(until) || neglected(h, p, t) {
					continue
				}
				report("%s: version %s holds a token that ended at %s (%s), and a consumer may use it until %s",
					p.Target, v.ID, clock(t.Dead()), t.ID, clock(until))
			}
		}
	},
}

// neglected says whether a token came to its own end without a run that could have replaced it in time.
func neglected(h *History, p Promise, t Token) bool {
	if !t.Dead().Equal(t.To) {
		return false
	}
	due, late := p.DueAt(t.From, t.To), t.To.Add(-p.Cache)
	for _, v := range h.scene(p).Versions {
		if r := v.Record; r != nil && r.RolledBack() && r.IssuerID == t.ID && r.NotBefore.After(due) && r.NotBefore.Before(late) {
			due = r.NotBefore
		}
	}
	inTime := func(at time.Time) bool { return !at.Before(due) && at.Before(late) }
	if inTime(h.LastCalm) {
		return false
	}
	for _, e := range h.Events {
		if e.Ended != nil && e.Ended.Calm && inTime(e.Ended.At) && !e.Ended.holds(p) {
			return false
		}
	}
	return true
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
