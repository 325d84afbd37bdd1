package invariant

import (
	"slices"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/consumer"
)

// tellAge is how old the read may be that a tell begins from: a tell may take a while where a service throttles.
const tellAge = 6 * time.Minute

// Fresh holds if each tell begins from a read of the store of its own: another run may have published since the last
// one. What was handled when its process had given up is not asked about: it was sent in time.
var Fresh = Checker{
	Name:  "fresh",
	Holds: "a consumer is told what was read of the store directly before, and never what is in memory",
	broken: func(h *History, report func(string, ...any)) {
		type reader struct {
			process int
			target  string
		}
		reads := map[reader]*Call{}
		h.calls(func(_ int, e Event, c *Call) bool {
			if c.Operation == "GetSecret" && c.Heard && c.Applied() {
				reads[reader{e.Process, c.Target}] = c
			}
			for _, p := range h.Promises {
				one, ours := p.consumer(c.Consumer)
				if !ours || c.Late || !c.Applied() || !slices.Contains(consumer.Of(one.Kind).Tells, c.Operation) {
					continue
				}
				from := reader{e.Process, p.Target.String()}
				read := reads[from]
				delete(reads, from)
				if read == nil {
					report("%s: process %d told %s at %s from memory: it has not read the store since it told somebody", p.Target, e.Process, one.ID, clock(c.Asked))
					continue
				}
				if age := c.Asked.Sub(read.Asked); age > tellAge {
					report("%s: process %d told %s at %s what it had read %s before", p.Target, e.Process, one.ID, clock(c.Asked), age)
				}
				if consumer.Of(one.Kind).MarksSecret {
					continue // marked by a call of its own, after this one: what it is marked with now is from before
				}
				v := h.scene(p).version(read.Version)
				if v != nil && v.Record != nil && c.Took && c.Marked == string(v.Record.Publication) && c.Holds != v.Holds {
					report("%s: process %d marked %s with publication %s at %s, and it holds something else", p.Target, e.Process, one.ID, c.Marked, clock(c.At))
				}
			}
			return true
		})
	},
}
