package invariant

import (
	"slices"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// lastRun is the end of the last process, and where its events begin.
func (h *History) lastRun() (*Ended, int, int) {
	for i := len(h.Events) - 1; i >= 0; i-- {
		if h.Events[i].Ended != nil {
			return h.Events[i].Ended, h.Events[i].Process, i
		}
	}
	return nil, 0, 0
}

// held says whether the last run left a credential for a person to decide.
func (h *History) held(p Promise) bool {
	ended, _, _ := h.lastRun()
	return ended != nil && ended.holds(p)
}

func (e *Ended) holds(p Promise) bool {
	return slices.ContainsFunc(e.Results, func(r Result) bool { return r.Credential == p.Credential && r.Kind == rotation.Hold })
}

// Converged holds if the last run brought each credential to Done, or to a Hold that says what a person must do.
var Converged = Checker{
	Name:  "converged",
	Holds: "when faults stop, every credential reaches Done or a Hold that says what a person must do",
	broken: func(h *History, report func(string, ...any)) {
		ended, _, _ := h.lastRun()
		if ended == nil {
			return
		}
		for _, r := range ended.Results {
			switch {
			case r.Failed != "":
				report("%s: failed: %s", r.Credential, r.Failed)
			case r.Kind == rotation.Hold && r.Do == "":
				report("%s: Hold %s says nothing that a person could do", r.Credential, r.Code)
			case r.Kind != rotation.Hold && r.Kind != rotation.Done:
				report("%s: ended with %s %s", r.Credential, r.Kind, r.Code)
			}
		}
	},
}

// Idle holds if the last run wrote nothing, to Azure or to the ledger.
var Idle = Checker{
	Name:  "idle",
	Holds: "a run with nothing to do writes nothing",
	broken: func(h *History, report func(string, ...any)) {
		ended, process, end := h.lastRun()
		if ended == nil {
			return
		}
		for i := end - 1; i >= 0; i-- {
			e := h.Events[i]
			if e.Process != process {
				continue
			}
			if e.Ended != nil {
				return
			}
			// A write to a secret that is not there is how it is asked whether one could: it changes nothing.
			if e.Call != nil && e.Call.Write && (e.Call.Operation != "UpdateSecret" || e.Call.Status != 404) {
				report("the run called %s", e.Call.Operation)
			}
			if e.Entry != nil {
				report("the run wrote to the ledger: %s %s", e.Entry.Effect, e.Entry.Phase)
			}
		}
	},
}
