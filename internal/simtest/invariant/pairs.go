package invariant

import (
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
)

// effects are what a write to Azure is called in the ledger.
var effects = map[string][]string{
	"CreatePat":    {"issue"},
	"UpdatePat":    {"extend"},
	"RevokePat":    {"revoke"},
	"SetSecret":    {"publish", "rollback"},
	"UpdateSecret": {"prove", "amend"},

	"AddPassword":    {"issue"},
	"RemovePassword": {"revoke"},
	"AddOwner":       {"appoint"},

	"DisableVersion": {"revoke"},

	"AddKey":    {"issue"},
	"RemoveKey": {"revoke"},

	"UpdateUser": {"set"},

	// A share that is given back while others have theirs is a write like the one that takes it.
	"PutRoleAssignment":           {"elevate", "release"},
	"DeleteRoleAssignment":        {"release"},
	"PutRoleAssignmentRequest":    {"elevate", "release"},
	"CancelRoleAssignmentRequest": {"release"},
}

// ofRole says whether an effect takes or gives back a right, which may be in the middle of another effect.
func ofRole(effect string) bool { return effect == "elevate" || effect == "release" }

// Intent holds if each change of Azure was announced: the process had an entry open that intends it.
var Intent = Checker{
	Name:  "intent",
	Holds: "every effect has a ledger entry, written before it, that says that it was intended",
	broken: func(h *History, report func(string, ...any)) {
		type intent struct {
			process int
			role    bool
		}
		open := map[intent]ledger.Entry{}
		for _, e := range h.Events {
			switch {
			case e.Entry != nil && !e.Entry.Refused && e.Entry.Phase == ledger.Intended:
				open[intent{e.Process, ofRole(e.Entry.Effect)}] = e.Entry.Entry
			case e.Entry != nil && e.Entry.Phase == ledger.Recovered: // a later word on what has ended
			case e.Entry != nil:
				delete(open, intent{e.Process, ofRole(e.Entry.Effect)})
			case e.Ended != nil:
				delete(open, intent{e.Process, false})
				delete(open, intent{e.Process, true})
			case e.Call != nil && e.Call.Write && e.Call.Applied() && !e.Call.Late:
				names, known := h.effectsOf(e.Call)
				is, has := open[intent{e.Process, known && ofRole(names[0])}]
				if !h.concerns(e.Call) || e.Call.Operation == "UpdateSecret" && !e.Call.Changed {
					continue
				}
				if !known {
					report("process %d: %s of %s at %s is no effect that the ledger has a word for", e.Process, e.Call.Operation, e.Call.Target, clock(e.Call.At))
				} else if !has {
					report("process %d: %s of %s%s at %s was not intended", e.Process, e.Call.Operation, e.Call.Target, e.Call.Token, clock(e.Call.At))
				} else if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+is.Effect+" ") {
					report("process %d: %s at %s, where %s was intended", e.Process, e.Call.Operation, clock(e.Call.At), is.Effect)
				}
			}
		}
	},
}

// effectsOf gives what a call is called in the ledger.
func (h *History) effectsOf(c *Call) (names []string, known bool) {
	for _, p := range h.Promises {
		if one, ours := p.consumer(c.Consumer); ours && slices.Contains(consumer.Of(one.Kind).Tells, c.Operation) {
			return []string{"tell"}, true
		}
	}
	names, known = effects[c.Operation]
	for _, p := range h.Promises {
		if c.Operation == "UpdateSecret" && strings.EqualFold(c.Target, p.Target.String()) && slices.ContainsFunc(p.Consumers, func(one consumer.One) bool { return consumer.Of(one.Kind).MarksSecret }) {
			names = append(slices.Clone(names), "tell") // the mark
		}
	}
	return names, known
}

// concerns says whether a call is about what was promised, and not about an account's own sealed token.
func (h *History) concerns(c *Call) bool {
	if c.Consumer != "" {
		return true
	}
	if !strings.HasSuffix(c.Operation, "Secret") {
		return true
	}
	for _, p := range h.Promises {
		if strings.EqualFold(c.Target, p.Target.String()) {
			return true
		}
	}
	return false
}

// livesOn gives what an entry says has been revoked, if it is alive.
func (h *History) livesOn(x ledger.Entry) string {
	if x.Effect != "revoke" || x.Phase != ledger.Done {
		return ""
	}
	for _, p := range h.Promises {
		if t, ok := h.scene(p).Token(x.IssuerID); ok && t.Alive(h.Now) {
			return t.ID
		}
	}
	return ""
}

// Pairs holds if each intent has an end, in order, unless its process was killed or could not write; and if what is said
// to have been revoked is.
var Pairs = Checker{
	Name:  "pairs",
	Holds: "every effect has a ledger entry that says how it ended, or that this is not known",
	broken: func(h *History, report func(string, ...any)) {
		type state struct {
			open    map[string]ledger.Entry // by credential
			unknown map[[3]string]int       // by credential, effect and target: how many
			refused bool
		}
		of := map[int]*state{}
		for _, e := range h.Events {
			s := of[e.Process]
			if s == nil {
				s = &state{open: map[string]ledger.Entry{}, unknown: map[[3]string]int{}}
				of[e.Process] = s
			}
			switch {
			case e.Entry != nil && e.Entry.Refused:
				s.refused = true
				if x := e.Entry.Entry; x.Phase == ledger.Unknown { // the process knows it all the same
					s.unknown[[3]string{x.Credential, x.Effect, x.Target}]++
				}
			case e.Entry != nil:
				x := e.Entry.Entry
				was, isOpen := s.open[x.Credential]
				this := [3]string{x.Credential, x.Effect, x.Target}
				if x.Phase == ledger.Recovered {
					if s.unknown[this]--; s.unknown[this] < 0 {
						report("process %d: a later word on %s %s, whose end was known", e.Process, x.Effect, x.Target)
					}
					continue
				}
				if x.Phase == ledger.Unknown {
					s.unknown[this]++
				}
				if x.Phase == ledger.Intended {
					if isOpen && !s.refused {
						report("process %d: %s %s has no end", e.Process, was.Effect, was.Target)
					}
					s.open[x.Credential] = x
					continue
				}
				if !isOpen || was.Effect != x.Effect || was.Target != x.Target {
					report("process %d: %s %s ended (%s) and was not intended", e.Process, x.Effect, x.Target, x.Phase)
				}
				delete(s.open, x.Credential)
				if id := h.livesOn(x); id != "" {
					report("process %d: revoke %s is said to be done, and it is alive", e.Process, id)
				}
			case e.Ended != nil:
				for _, x := range s.open {
					if !e.Ended.Killed && !s.refused {
						report("process %d: %s %s has no end", e.Process, x.Effect, x.Target)
					}
				}
				of[e.Process] = nil
			}
		}
	},
}
