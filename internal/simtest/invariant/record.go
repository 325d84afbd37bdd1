package invariant

import "time"

// rounding is how far two dates of one credential may be apart: the issuer rounds, and a record keeps whole seconds.
const rounding = time.Minute

// Record holds if the newest version's record promises no more life than the issuer gave. A run with nothing to do
// believes the record, so one that was written before the issuer agreed hides a credential's end for up to a day.
var Record = Checker{
	Name:  "record",
	Holds: "a record says what the issuer has agreed to, and never what it was asked for",
	broken: func(h *History, report func(string, ...any)) {
		for _, p := range h.Promises {
			s := h.scene(p)
			v := s.Newest()
			if v == nil || v.Record == nil {
				continue
			}
			t, ok := s.Token(v.Record.IssuerID)
			if ok && h.Excused[t.ID] == "" && v.Record.Expires.Sub(t.To) > rounding {
				report("%s: the record of version %s says that %s ends at %s, and the issuer says %s", p.Target, v.ID, t.ID, clock(v.Record.Expires), clock(t.To))
			}
		}
	},
}
