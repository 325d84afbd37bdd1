package invariant

import (
	"slices"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// Revoke holds if each token that was revoked was either superseded, with everything proved in the same pass; or
// proved to be an orphan; or issued by the very process, which had not sent it to the store.
var Revoke = Checker{
	Name:  "revoke",
	Holds: "a revoke follows one observation in which every consumer was on the newest publication and every check passed, or a proven orphan",
	broken: func(h *History, report func(string, ...any)) {
		h.calls(func(i int, e Event, c *Call) bool {
			if c.Operation != kindOf(c.Operation).Revoke || !c.Applied() || c.Before == nil || h.Excused[c.Token] != "" {
				return true
			}
			p, t, ok := h.promised(c)
			if !ok || !t.Alive(c.Before.At) {
				return true
			}
			if why := h.unproved(h.Events[:i], e.Process, p, c, t); why != "" {
				report("%s: token %s of generation %s was revoked at %s by process %d: %s", p.Target, t.ID, t.Generation, clock(c.At), e.Process, why)
			}
			return true
		})
	},
}

func (h *History) promised(c *Call) (Promise, Token, bool) {
	for _, p := range h.Promises {
		if c.Target == p.Target.String() {
			t, ok := c.Before.Token(c.Token)
			return p, t, ok
		}
	}
	return Promise{}, Token{}, false
}

// unproved says what is missing of the proof for a revocation; "" for nothing.
func (h *History) unproved(before []Event, process int, p Promise, c *Call, t Token) string {
	if issued, sent := own(before, process, t); issued && !sent {
		return ""
	}
	if t.Generation == "" && p.Adopts != t.ID {
		return "it is not stamped for this secret"
	}
	s, looked := c.Before, lookedAt(before, process, p, c.Asked)
	// What was read counts, and not what somebody made of it in the same second.
	read := s.version(looked.secret)
	switch {
	case !looked.list:
		return "the issuer's list was not read lately"
	case !looked.versions && looked.secret != "":
		return "the versions were not read lately"
	case looked.secret == "" && !looked.deleted:
		return "the secret was neither read lately, and since the last change, nor looked for among the deleted"
	case looked.secret != "" && !looked.recorded:
		return "the newest version was not Rekey's when it was read"
	}
	if newest := s.Newest(); newest != nil && newest.Holds == t.ID {
		return "it is what the newest version holds"
	}
	if !s.published(t) && !names(looked.record, t) {
		if age := s.At.Sub(t.Born()); age < p.Window {
			return "it is in no version and only " + age.String() + " old"
		}
		return ""
	}
	switch {
	case looked.secret == "":
		return "it was published, and the secret could not be read"
	case p.kind().Probe != "" && (looked.probed == "" || read != nil && looked.probed != read.Holds): // else there is nobody to ask
		return "the value that was read was not probed"
	}
	if why := h.unaware(p, looked, read); why != "" {
		return why
	}
	if read != nil && read.Record != nil && read.Record.Compromised && s.reported(t) {
		return ""
	}
	var end time.Time
	for i, v := range s.Versions {
		if v.Holds == t.ID {
			end = later(end, s.SupersededAt(i).Add(p.Overlap))
		}
	}
	// A date of the store is cut to the second.
	if s.At.Add(time.Second).Before(end) {
		return "its overlap ends at " + clock(end)
	}
	return ""
}

// reported says whether somebody reported a token as compromised: a record names it as what was replaced for that, or it
// was there when they asked.
func (s *Scene) reported(t Token) bool {
	return slices.ContainsFunc(s.Versions, func(v Version) bool {
		r := v.Record
		return r != nil && r.Compromised && v.Holds != t.ID && (r.Predecessor == t.ID || !t.Born().After(r.RevokeAfter))
	})
}

// own says whether a process issued a token, and whether it sent it to a store that did not refuse it. The service may
// have made it twice.
func own(before []Event, process int, t Token) (issued, sent bool) {
	ids := map[string]bool{t.ID: true}
	for _, e := range before {
		if e.Process != process || e.Call == nil {
			continue
		}
		switch c := e.Call; c.Operation {
		case kindOf(c.Operation).Create:
			if c.Token == t.ID || c.Name == t.Name {
				issued, ids[c.Token] = true, true
			}
		case "SetSecret":
			sent = sent || ids[c.Token] && (c.Status < 400 || c.Status >= 500 || !c.Heard)
		}
	}
	return issued, sent
}

// looks are what a process looked at and got a whole answer to.
type looks struct {
	list, versions, deleted bool
	secret                  string           // the version that it read
	recorded                bool             // and whether it was Rekey's
	record                  *rotation.Record // what that said: a person may have taken it off since
	probed                  string           // the token that it probed and found working
	consumers               map[string]seenOf
}

// observationAge is how old what a revocation rests on may be. It must be so much shorter than the sweep window that
// who could have published something when it was looked for had done so: a run publishes within ten minutes of its
// issue.
const observationAge = 15 * time.Minute

// lookedAt gathers what a process had seen lately when it asked for something. The secret and the probe of its value
// count only since the process last changed it.
func lookedAt(before []Event, process int, p Promise, asked time.Time) (l looks) {
	changed, wrote := false, ""
	for i := len(before) - 1; i >= 0; i-- {
		e := before[i]
		if e.Process != process {
			continue
		}
		if e.Ended != nil {
			return l
		}
		c := e.Call
		if c == nil || !c.Heard || c.Asked.Before(asked.Add(-observationAge)) || c.Asked.After(asked) {
			continue
		}
		l.see(p, c)
		changed = changed || c.Operation == "SetSecret" && c.Target == p.Target.String()
		if c.Operation == "UpdateSecret" && c.Applied() && c.Changed && c.Recorded && c.Target == p.Target.String() {
			wrote = c.Version // who adopts a version writes its record itself
		}
		if c.Operation == p.kind().List {
			l.list = l.list || c.Applied() && (c.Target == "" || c.Target == p.Target.String())
		}
		switch c.Operation {
		case "GetSecretVersions":
			l.versions = l.versions || c.Applied() && c.Target == p.Target.String()
		case "GetDeletedSecret":
			l.deleted = l.deleted || c.Status == 404 && c.Target == p.Target.String()
		case "GetSecret":
			l.seeMarks(c)
			if !changed && l.secret == "" && c.Applied() && c.Target == p.Target.String() {
				l.secret, l.recorded, l.record = c.Version, c.Recorded || wrote == c.Version, c.Record
			}
		case p.kind().Probe:
			if !changed && l.probed == "" && c.Applied() {
				l.probed = c.Token
			}
		}
	}
	return l
}
