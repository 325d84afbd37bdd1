package invariant

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// Elevation is a right that is taken for the work and given back.
type Elevation struct {
	Scope, RoleID, Principal string
	For                      time.Duration // how long it is taken for at most
}

// stated is one way in which the right is in force by now, with its stated end, zero if it has none.
type stated struct {
	id    string
	until time.Time
}

var untilIn = regexp.MustCompile(`^rekey until (\S{20}) \(run `)

// inForce are all ways in which a right is in force, as its own service has it.
func (e *Elevation) inForce(s *world.State, now time.Time) (out []stated) {
	is := func(scope, role, principal string) bool {
		return strings.EqualFold(scope, e.Scope) && strings.EqualFold(role, e.RoleID) && strings.EqualFold(principal, e.Principal)
	}
	for _, a := range s.RoleAssignments {
		if !is(a.Scope, a.RoleID, a.PrincipalID) || a.Created.After(now) || !a.Removed.IsZero() && !a.Removed.After(now) {
			continue
		}
		x := stated{id: "role assignment " + a.Name}
		if a.Description != nil {
			if m := untilIn.FindStringSubmatch(*a.Description); m != nil {
				x.until, _ = time.Parse(time.RFC3339, m[1])
			}
		}
		out = append(out, x)
	}
	for _, r := range s.RoleSchedules {
		if r.Realm == world.RealmAzure && !r.Eligible && is(r.Scope, r.RoleID, r.PrincipalID) && r.Active(now) {
			out = append(out, stated{"schedule " + r.Name, r.End})
		}
	}
	return out
}

// InForce says until when the right is stated to be in force; zero if it is not.
func (e *Elevation) InForce(s *world.State, now time.Time) (last time.Time) {
	for _, x := range e.inForce(s, now) {
		if x.until.After(last) {
			last = x.until
		}
	}
	return last
}

// Elevated holds if whatever gives the right has a stated end that is no further away than it may be taken for, and if
// nothing is written to the vault after that end. A right that nobody gave back goes on until somebody sweeps; it must not
// be used.
var Elevated = Checker{
	Name:  "elevated",
	Holds: "no right is taken without a stated end, or used after it",
	broken: func(h *History, report func(string, ...any)) {
		for _, p := range h.Promises {
			if p.Elevation == nil {
				continue
			}
			for _, x := range p.Elevation.inForce(h.State, h.Now) {
				switch longest := h.Now.Add(p.Elevation.For + time.Minute); {
				case x.until.IsZero():
					report("%s: %s has no stated end", p.Target, x.id)
				case x.until.After(longest):
					report("%s: %s ends at %s, and is taken for %s at most", p.Target, x.id, clock(x.until), p.Elevation.For)
				}
			}
			if n := len(h.Events); n > 0 {
				c := h.Events[n-1].Call
				writes := c != nil && (c.Operation == "SetSecret" || c.Operation == "UpdateSecret") && c.Applied() && !c.Late && strings.EqualFold(c.Target, p.Target.String())
				if last := p.Elevation.InForce(h.State, h.Now); writes && last.Before(c.Asked) {
					report("%s: %s was asked for at %s, and the right was stated to end at %s", p.Target, c.Operation, clock(c.Asked), clock(last))
				}
			}
		}
	},
}

// GivenBack holds if nothing is in force past its stated end once runs have ended and the sweep has come.
var GivenBack = Checker{
	Name:  "given back",
	Holds: "no right outlives its stated end, once the sweep has come",
	broken: func(h *History, report func(string, ...any)) {
		for _, p := range h.Promises {
			if p.Elevation == nil {
				continue
			}
			for _, x := range p.Elevation.inForce(h.State, h.Now) {
				if !x.until.After(h.Now) {
					report("%s: %s was to end at %s", p.Target, x.id, clock(x.until))
				}
			}
		}
	},
}

// elevating names a request that takes or gives back a right, or looks at one, as the simulator's log does.
func elevating(r *http.Request) string {
	if r.URL.Host != "management.azure.com" {
		return ""
	}
	_, rest, ok := strings.Cut(strings.ToLower(r.URL.Path), "/providers/microsoft.authorization/")
	if !ok {
		return ""
	}
	kind, below, _ := strings.Cut(rest, "/")
	_, action, _ := strings.Cut(below, "/")
	what := map[string]string{"roleassignments": "RoleAssignment", "roleassignmentschedulerequests": "RoleAssignmentRequest"}[kind]
	switch {
	case what == "":
		return map[string]string{"roledefinitions": "ListRoleDefinitions", "rolemanagementpolicyassignments": "ListRolePolicyAssignments", "roleassignmentscheduleinstances": "ListRoleAssignmentInstances"}[kind]
	case below == "":
		return "List" + what + "s"
	case action != "":
		return strings.ToUpper(action[:1]) + action[1:] + what
	}
	return map[string]string{http.MethodGet: "Get", http.MethodPut: "Put", http.MethodDelete: "Delete"}[r.Method] + what
}
