package world

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RolePolicy is the rules for one role at one scope, which those below do not inherit. PrincipalID is not used.
type RolePolicy struct {
	Place
	MaxActivation   Duration `json:"maxActivation,omitempty"` // 0: the default's, as of the others
	ActivationNeeds []string `json:"activationNeeds,omitempty"`
	Approvers       []string `json:"approvers,omitempty"` // users and groups; none: no approval is needed
	// AuthenticationContext is the claim that an activation needs ("c1"). No token here has one.
	AuthenticationContext string   `json:"authenticationContext,omitempty"`
	MaxActive             Duration `json:"maxActive,omitempty"`
	ActiveForever         bool     `json:"activeForever,omitempty"`
	ActiveNeeds           []string `json:"activeNeeds,omitempty"`
	MaxEligible           Duration `json:"maxEligible,omitempty"`
	EligibleForever       bool     `json:"eligibleForever,omitempty"`
	EligibleNeeds         []string `json:"eligibleNeeds,omitempty"`
}

// What rules can need.
const (
	NeedMFA           = "MultiFactorAuthentication"
	NeedJustification = "Justification"
	NeedTicket        = "Ticketing"
)

const day = 24 * time.Hour

// PolicyOf is the rules for a role at a scope. A copy, where they are the default ones: eight hours for an activation
// and half a year for an assignment, with a justification for each. Locked.
func (w *World) PolicyOf(p Place) RolePolicy {
	p.PrincipalID = ""
	out := RolePolicy{Place: p, ActivationNeeds: []string{NeedJustification}, ActiveNeeds: []string{NeedJustification}}
	if own := w.ownPolicy(p); own != nil {
		out = *own
	}
	defaultTo(&out.MaxActivation, 8*time.Hour)
	defaultTo(&out.MaxActive, 180*day)
	defaultTo(&out.MaxEligible, 365*day)
	return out
}

func (w *World) ownPolicy(p Place) *RolePolicy {
	i := slices.IndexFunc(w.RolePolicies, func(r *RolePolicy) bool {
		r2 := r.Place
		r2.PrincipalID = p.PrincipalID
		return r2.Same(p)
	})
	if i < 0 {
		return nil
	}
	return w.RolePolicies[i]
}

// SetPolicy puts other rules in force. Locked.
func (w *World) SetPolicy(p RolePolicy) {
	p.PrincipalID = ""
	if own := w.ownPolicy(p.Place); own != nil {
		*own = p
		return
	}
	w.RolePolicies = append(w.RolePolicies, &p)
}

func defaultTo(d *Duration, v time.Duration) {
	if *d == 0 {
		*d = Duration(v)
	}
}

// failure is one rule that a request does not keep.
type failure struct{ rule, why string }

// check holds a request to the rules. length is 0 for one without end.
func (p RolePolicy) check(r *RoleRequest, by Requestor, length time.Duration) (out []failure) {
	needs, most, forever := p.ActiveNeeds, p.MaxActive, p.ActiveForever
	switch {
	case r.Action == SelfActivate:
		needs, most, forever = p.ActivationNeeds, p.MaxActivation, false
	case r.Eligible:
		needs, most, forever = p.EligibleNeeds, p.MaxEligible, p.EligibleForever
	}
	switch {
	case length == 0 && !forever:
		out = append(out, failure{"ExpirationRule", "An expiration is required"})
	case length > time.Duration(most) && !(forever && r.Action != SelfActivate):
		out = append(out, failure{"ExpirationRule", "The requested duration is longer than the maximum of " + ISODuration(time.Duration(most))})
	}
	if slices.Contains(needs, NeedMFA) && !by.MFA {
		out = append(out, failure{"MfaRule", "Multi-factor authentication is required"})
	}
	if slices.Contains(needs, NeedJustification) && strings.TrimSpace(r.Reason) == "" {
		out = append(out, failure{"JustificationRule", "Justification is required"})
	}
	if slices.Contains(needs, NeedTicket) && strings.TrimSpace(r.TicketNumber) == "" {
		out = append(out, failure{"TicketingRule", "Ticket information is required"})
	}
	return out
}

var isoForm = regexp.MustCompile(`^P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,8})S)?)?$`)

// ParseISODuration reads "PT8H", "P90D". A year is 365 days and a month 30.
func ParseISODuration(s string) (time.Duration, error) {
	m := isoForm.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "T") || s == "P" {
		return 0, fmt.Errorf("%q is no duration like \"PT8H\"", s)
	}
	var out time.Duration
	for i, unit := range []time.Duration{365 * day, 30 * day, 7 * day, day, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi("0" + m[i+1])
		more := time.Duration(n) * unit
		if n > 0 && (more/unit != time.Duration(n) || out+more < out) {
			return 0, fmt.Errorf("%q is too long", s)
		}
		out += more
	}
	return out, nil
}

// ISODuration writes whole seconds, days where they are whole.
func ISODuration(d time.Duration) string {
	switch {
	case d >= day && d%day == 0:
		return fmt.Sprintf("P%dD", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("PT%dH", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("PT%dM", d/time.Minute)
	}
	return fmt.Sprintf("PT%dS", d/time.Second)
}
