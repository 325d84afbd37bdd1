package invariant

import (
	"maps"
	"slices"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// Once holds if no process sent one credential to be made, or one value to be stored, twice, and none made or stored
// another one before it had looked what became of one whose answer it did not hear: that may have been applied, however
// the answer looked. What was plainly refused may be sent again.
var Once = Checker{
	Name:  "once",
	Holds: "a write whose answer was lost is looked up and not repeated",
	broken: func(h *History, report func(string, ...any)) {
		type write struct {
			process           int
			operation, of, to string
		}
		sent := map[write]bool{}
		unheard := map[write]*Call{} // the last one of a process, for what it was made or stored
		h.calls(func(_ int, e Event, c *Call) bool {
			if c.Consumer != "" {
				return true // to tell it again is harmless
			}
			w, last := write{e.Process, c.Operation, c.Token, c.Target}, write{e.Process, c.Operation, "", c.Target}
			of := kindOf(c.Operation)
			switch c.Operation {
			case of.Create:
				w.of = c.Name
				if s, ok := rotation.ParseStamp(c.Name); ok {
					last.of = string(s.Credential) + "/" + s.Hash
				}
			case "SetSecret":
			case of.List, "GetSecret":
				tellsOf := "SetSecret"
				if c.Operation == of.List {
					tellsOf = of.Create
				}
				// The same password may be published again once it was looked up that it is not: it can be no other one.
				maps.DeleteFunc(sent, func(w write, _ bool) bool {
					return h.slotted(c.Target) && c.Heard && w.process == e.Process && w.operation == "SetSecret" && w.to == c.Target
				})
				maps.DeleteFunc(unheard, func(w write, _ *Call) bool {
					return c.Heard && (c.Applied() || c.Status == 404) && w.process == e.Process && w.operation == tellsOf && w.to == c.Target
				})
				return true
			default:
				return true
			}
			if c.Late && c.Status != 0 || c.Status >= 400 {
				return true // noted when it was given up, or refused
			}
			if was := unheard[last]; was != nil && !sent[w] {
				report("process %d: %s at %s, before it was looked up what became of the one at %s", e.Process, c.Operation, clock(c.Asked), clock(was.Asked))
			}
			if !c.Heard && h.concerns(c) {
				unheard[last] = c
			}
			if sent[w] {
				report("process %d: %s of %s was sent again at %s", e.Process, c.Operation, w.of, clock(c.At))
			}
			sent[w] = true
			return true
		})
	},
}

// slotted says whether a secret is promised to hold a user's password.
func (h *History) slotted(target string) bool {
	return slices.ContainsFunc(h.Promises, func(p Promise) bool { return p.Kind == ServiceAccount && p.Target.String() == target })
}
