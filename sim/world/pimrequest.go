package world

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Actions of requests, as Azure Resource Manager spells them.
const (
	AdminAssign    = "AdminAssign"
	AdminRemove    = "AdminRemove"
	AdminUpdate    = "AdminUpdate"
	AdminExtend    = "AdminExtend"
	AdminRenew     = "AdminRenew"
	SelfActivate   = "SelfActivate"
	SelfDeactivate = "SelfDeactivate"
	SelfExtend     = "SelfExtend"
	SelfRenew      = "SelfRenew"
)

// RequestActions are all of them.
var RequestActions = []string{AdminAssign, AdminRemove, AdminUpdate, AdminExtend, AdminRenew, SelfActivate, SelfDeactivate, SelfExtend, SelfRenew}

// Requestor is who asks. Whether an administrator may ask is judged before.
type Requestor struct {
	ID   string
	User bool
	MFA  bool // signed in with a second factor
}

// PIMFault is a refusal of PIM.
type PIMFault struct {
	Status        int
	Code, Message string
}

func pimFault(code, format string, args ...any) *PIMFault {
	return &PIMFault{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// least is documented, for what is asked for and for what is taken away.
const least = 5 * time.Minute

// RequestRole does what a request asks for, if it may be. dry only finds out. It completes the request and keeps it.
// Locked.
func (w *World) RequestRole(r *RoleRequest, by Requestor, dry bool) *PIMFault {
	w.settleApprovals()
	k := w.Knobs.PIM
	if k.NoLicence {
		return NoLicence()
	}
	now := w.Now()
	r.RequestorID, r.Created, r.Ready = by.ID, now, now.Add(time.Duration(k.ProvisioningTakes))
	if slices.Contains([]string{SelfActivate, SelfDeactivate}, r.Action) && (!by.User || r.Eligible || !strings.EqualFold(by.ID, r.PrincipalID)) {
		return &PIMFault{http.StatusForbidden, "InsufficientPermissions", "The requestor " + by.ID + " does not have permissions for this request. Please use $filter=asTarget() to filter on the requestor's assignments."}
	}
	var f *PIMFault
	switch r.Action {
	case AdminAssign, SelfActivate:
		f = w.assign(r, by, dry)
	case AdminRemove, SelfDeactivate:
		f = w.unassign(r, dry)
	case AdminUpdate, AdminExtend, AdminRenew:
		f = w.reassign(r, by, dry)
	default:
		f = &PIMFault{http.StatusNotImplemented, "NotImplemented", "The simulator does not have requests of the type " + r.Action + "."}
	}
	if f == nil && !dry {
		w.RoleRequests = append(slices.DeleteFunc(w.RoleRequests, func(x *RoleRequest) bool { return !now.Before(x.Created.Add(requestLife)) }), r)
	}
	return f
}

// NoLicence is the refusal of a tenant without the licence.
func NoLicence() *PIMFault {
	return pimFault("AadPremiumLicenseRequired", "The tenant needs an AAD Premium 2 license.")
}

// current is the schedule of a request's place that is not over, nil if there is none.
func (w *World) current(r *RoleRequest) *RoleSchedule {
	i := slices.IndexFunc(w.RoleSchedules, func(s *RoleSchedule) bool {
		return s.Eligible == r.Eligible && s.Place.Same(r.Place) && s.Live(w.Now())
	})
	if i < 0 {
		return nil
	}
	return w.RoleSchedules[i]
}

func (w *World) assign(r *RoleRequest, by Requestor, dry bool) *PIMFault {
	if f := w.vacant(r); f != nil {
		return f
	}
	eligibility := ""
	if r.Action == SelfActivate {
		e := w.eligibilityFor(r)
		switch {
		case e == nil && r.Linked != "":
			return missing()
		case e == nil:
			return w.rulesFailed([]failure{{"EligibilityRule", "The principal is not eligible for the role"}})
		}
		eligibility = e.Name
	}
	if r.Eligible && r.PrincipalType == "ServicePrincipal" && !w.Knobs.PIM.PrincipalsMayBeEligible {
		return pimFault("InvalidRoleAssignmentRequest", "The role assignment request is invalid. Service principals cannot be eligible for roles.")
	}
	p, f := w.allowedBy(r, by)
	if f != nil {
		return f
	}
	if r.Action == SelfActivate && len(p.Approvers) > 0 {
		r.Approval = GUIDOf("approval", r.Name)
		return nil
	}
	if !dry {
		w.schedule(r, eligibility)
	}
	return nil
}

// vacant refuses what is there already, was a moment ago, or is being asked for.
func (w *World) vacant(r *RoleRequest) *PIMFault {
	gap, now := time.Duration(w.Knobs.PIM.ExistsAfterRemoval), w.Now()
	exists := slices.ContainsFunc(w.RoleSchedules, func(s *RoleSchedule) bool {
		return s.Eligible == r.Eligible && s.Place.Same(r.Place) && (s.Live(now) || !s.Ended.IsZero() && now.Before(s.Ended.Add(gap)))
	})
	if !r.Eligible {
		exists = exists || w.standing(r.Place)
	}
	if exists {
		return pimFault("RoleAssignmentExists", "The Role assignment already exists.")
	}
	if slices.ContainsFunc(w.RoleRequests, func(x *RoleRequest) bool {
		return x.Eligible == r.Eligible && x.Place.Same(r.Place) && x.Status(now) == "PendingApproval"
	}) {
		return pimFault("PendingRoleAssignmentRequest", "There is already an existing pending Role assignment request.")
	}
	return nil
}

// standing says whether a place is held without PIM.
func (w *World) standing(p Place) bool {
	switch p.Realm {
	case RealmAzure:
		return slices.ContainsFunc(w.RoleAssignments, func(a *RoleAssignment) bool {
			return a.Removed.IsZero() && p.Same(Place{RealmAzure, a.Scope, a.RoleID, a.PrincipalID})
		})
	case RealmDirectory:
		return slices.ContainsFunc(w.DirectoryRoleAssignments, func(a *DirectoryRoleAssignment) bool {
			return p.Same(Place{RealmDirectory, "/", a.RoleID, a.PrincipalID})
		})
	}
	return p.RoleID == "member" && slices.ContainsFunc(w.Groups, func(g *Group) bool {
		return strings.EqualFold(g.ID, p.Scope) && slices.ContainsFunc(g.Members, func(m string) bool { return strings.EqualFold(m, p.PrincipalID) })
	})
}

// eligibilityFor finds what an activation is of: the caller's or a group's, at its scope or above.
func (w *World) eligibilityFor(r *RoleRequest) *RoleSchedule {
	for _, s := range w.RoleSchedules {
		at := strings.EqualFold(s.Scope, r.Scope) || r.Realm == RealmAzure && covers(s.Scope, r.Scope)
		if s.Eligible && s.Realm == r.Realm && at && s.Active(w.Now()) && strings.EqualFold(s.RoleID, r.RoleID) &&
			w.IsPrincipal(r.PrincipalID, s.PrincipalID) && (r.Linked == "" || strings.EqualFold(r.Linked, s.Name)) {
			return s
		}
	}
	return nil
}

// allowedBy completes the times of a request and holds it to the rules.
func (w *World) allowedBy(r *RoleRequest, by Requestor) (RolePolicy, *PIMFault) {
	p := w.PolicyOf(r.Place)
	if r.Start.Before(r.Created) {
		r.Start = r.Created
	}
	length := time.Duration(0)
	switch r.Expiration {
	case "AfterDuration":
		d, err := ParseISODuration(r.Duration)
		if err != nil {
			return p, pimFault("InvalidRequestContent", "The duration '%s' is not valid.", r.Duration)
		}
		length = max(d, 1)
		r.End = r.Start.Add(length)
	case "AfterDateTime":
		length = max(r.End.Sub(r.Start), 1)
	default:
		r.End = time.Time{}
	}
	if length > 0 && length < least {
		return p, tooShort()
	}
	if fails := p.check(r, by, length); len(fails) > 0 {
		return p, w.rulesFailed(fails)
	}
	if r.Action == SelfActivate && p.AuthenticationContext != "" {
		return p, pimFault("RoleAssignmentRequestAcrsValidationFailed", `&claims=%%7B%%22access_token%%22%%3A%%7B%%22acrs%%22%%3A%%7B%%22essential%%22%%3Atrue%%2C%%22value%%22%%3A%%22%s%%22%%7D%%7D%%7D`, p.AuthenticationContext)
	}
	return p, nil
}

func tooShort() *PIMFault {
	return pimFault("ActiveDurationTooShort", "The Active duration is too short. Miniumum Required is 5 minutes.")
}

func missing() *PIMFault {
	return pimFault("RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
}

func (w *World) rulesFailed(fails []failure) *PIMFault {
	var names, reasons []string
	for _, f := range fails {
		names = append(names, f.rule)
		reasons = append(reasons, f.rule+" - "+f.why)
	}
	words := strings.Join(reasons, ", ")
	if w.Knobs.PIM.OldPolicyWords {
		b, _ := json.Marshal(names)
		words = string(b)
	}
	return pimFault("RoleAssignmentRequestPolicyValidationFailed", "The following policy rules failed: %s", words)
}

// schedule puts in force what a request asks for.
func (w *World) schedule(r *RoleRequest, eligibility string) {
	s := &RoleSchedule{
		Name: w.NewID(), Place: r.Place, PrincipalType: r.PrincipalType, Eligible: r.Eligible, Eligibility: eligibility,
		Condition: r.Condition, ConditionVer: r.ConditionVer, Request: r.Name, RequestorID: r.RequestorID,
		Created: w.Now(), Updated: w.Now(), Start: r.Start, End: r.End,
	}
	if s.Start.Before(r.Ready) {
		s.Start = r.Ready
	}
	r.Schedule = s.Name
	w.RoleSchedules = append(w.RoleSchedules, s)
}

func (w *World) unassign(r *RoleRequest, dry bool) *PIMFault {
	s, k := w.current(r), w.Knobs.PIM
	if s == nil || r.Action == SelfDeactivate && s.Eligibility == "" {
		return missing()
	}
	if age := w.Now().Sub(s.Start); !s.Eligible && age >= 0 {
		switch {
		case r.Action == AdminRemove && k.AdminRemovesAtOnce:
		case age < time.Duration(k.NotRemovableFor):
			return missing()
		case age < least:
			return tooShort()
		}
	}
	r.Closed, r.Schedule = "Revoked", s.Name
	if !dry {
		s.Ended, s.Updated = w.Now(), w.Now()
	}
	return nil
}

// reassign changes when what is there ends; a renewal begins anew what is over.
func (w *World) reassign(r *RoleRequest, by Requestor, dry bool) *PIMFault {
	s := w.current(r)
	if r.Action == AdminRenew {
		if s != nil {
			return pimFault("RoleAssignmentExists", "The Role assignment already exists.")
		}
		return w.assign(r, by, dry)
	}
	if s == nil {
		return missing()
	}
	if _, f := w.allowedBy(r, by); f != nil {
		return f
	}
	r.Schedule = s.Name
	if !dry {
		s.End, s.Updated, s.Request = r.End, w.Now(), r.Name
	}
	return nil
}

// CancelRequest takes back what is not in force yet. Locked.
func (w *World) CancelRequest(r *RoleRequest) *PIMFault {
	w.settleApprovals()
	switch now := w.Now(); r.Status(now) {
	case "PendingApproval", "Accepted", "PendingProvisioning", "Granted":
		if s := w.ScheduleNamed(r.Schedule); s != nil && r.Schedule != "" && s.Request == r.Name {
			s.Ended = now
		}
		r.Closed = "Canceled"
		return nil
	}
	return pimFault("RoleAssignmentRequestCannotBeCancelled", "The role assignment request cannot be canceled in its current status.")
}

// Approves says whether a principal decides on a request. Locked.
func (w *World) Approves(principal string, r *RoleRequest) bool {
	return r.Approval != "" && slices.ContainsFunc(w.PolicyOf(r.Place).Approvers, func(a string) bool { return w.IsPrincipal(principal, a) })
}

// Decide ends a pending request, with "Approve" or "Deny". Locked.
func (w *World) Decide(r *RoleRequest, by, decision, why string) {
	w.settleApprovals()
	w.decide(r, by, decision, why, w.Now())
}

func (w *World) decide(r *RoleRequest, by, decision, why string, at time.Time) {
	r.Decision, r.DecidedBy, r.DecisionOf, r.Decided = decision, by, why, at
	if decision != "Approve" {
		return
	}
	r.Ready = at.Add(r.Ready.Sub(r.Created))
	if r.Start.Before(at) { // the time begins when it may
		if !r.End.IsZero() && r.Expiration == "AfterDuration" {
			r.End = r.End.Add(at.Sub(r.Start))
		}
		r.Start = at
	}
	if e := w.eligibilityFor(r); e != nil {
		w.schedule(r, e.Name)
		s := w.RoleSchedules[len(w.RoleSchedules)-1]
		s.Created, s.Updated = at, at
	}
}

// settleApprovals decides what the knob says is decided by now.
func (w *World) settleApprovals() {
	after := time.Duration(w.Knobs.PIM.ApprovalAfter)
	if after == 0 || after >= approvalTime {
		return
	}
	for _, r := range w.RoleRequests {
		at := r.Created.Add(after)
		approvers := w.PolicyOf(r.Place).Approvers
		if r.Approval == "" || r.Decision != "" || r.Closed != "" || w.Now().Before(at) || len(approvers) == 0 {
			continue
		}
		decision := "Approve"
		if w.Knobs.PIM.ApprovalDenies {
			decision = "Deny"
		}
		w.decide(r, approvers[0], decision, "decided by the simulator", at)
	}
}
