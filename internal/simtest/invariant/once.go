package invariant

// Once holds if no process sent one credential to be made, or one value to be stored, twice: it may have been applied
// the first time, however the answer looked. What was plainly refused may be sent again.
var Once = Checker{
	Name:  "once",
	Holds: "a write whose answer was lost is looked up and not repeated",
	broken: func(h *History, report func(string, ...any)) {
		type write struct {
			process           int
			operation, of, to string
		}
		sent := map[write]bool{}
		h.calls(func(_ int, e Event, c *Call) bool {
			w := write{e.Process, c.Operation, c.Token, c.Target}
			switch {
			case c.Operation == "CreatePat":
				w.of = c.Name
			case c.Operation != "SetSecret":
				return true
			}
			if c.Late && c.Status != 0 || c.Status >= 400 {
				return true // noted when it was given up, or refused
			}
			if sent[w] {
				report("process %d: %s of %s was sent again at %s", e.Process, c.Operation, w.of, clock(c.At))
			}
			sent[w] = true
			return true
		})
	},
}
