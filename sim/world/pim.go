package world

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// PIM is what Privileged Identity Management keeps: who may have a role for a time, who has it, and who asked for it.
//
// What is in force follows from the schedules and the time alone: nothing has to happen for a role to begin or end.
type PIM struct {
	RoleSchedules []*RoleSchedule `json:"roleSchedules,omitempty"`
	RoleRequests  []*RoleRequest  `json:"roleRequests,omitempty"`
	// RolePolicies are the rules for roles that have other than the default ones.
	RolePolicies []*RolePolicy `json:"rolePolicies,omitempty"`
}

// Realms are what roles are in: Azure's resources, the directory, a group. In a group the scope is the group's id, and
// the role "member" or "owner".
const (
	RealmAzure     = "azure"
	RealmDirectory = "directory"
	RealmGroup     = "group"
)

// Place is one role of one principal at one scope.
type Place struct {
	Realm       string `json:"realm"`
	Scope       string `json:"scope"`
	RoleID      string `json:"roleDefinitionId"`
	PrincipalID string `json:"principalId"`
}

// Same says whether two places are one.
func (p Place) Same(q Place) bool {
	return p.Realm == q.Realm && strings.EqualFold(strings.TrimRight(p.Scope, "/"), strings.TrimRight(q.Scope, "/")) &&
		strings.EqualFold(p.RoleID, q.RoleID) && strings.EqualFold(p.PrincipalID, q.PrincipalID)
}

// RoleSchedule is a time in which a principal has a role, or may activate it.
type RoleSchedule struct {
	Name string `json:"name"` // GUID
	Place
	PrincipalType string `json:"principalType"`
	Eligible      bool   `json:"eligible,omitempty"`
	// Eligibility is the name of the schedule that was activated, "" of what an administrator assigned.
	Eligibility  string    `json:"eligibility,omitempty"`
	Condition    string    `json:"condition,omitempty"`
	ConditionVer string    `json:"conditionVersion,omitempty"`
	Request      string    `json:"request,omitempty"` // the name of the one that made it
	RequestorID  string    `json:"requestorId,omitempty"`
	Created      time.Time `json:"createdOn"`
	Updated      time.Time `json:"updatedOn"`
	Start        time.Time `json:"startDateTime"`
	End          time.Time `json:"endDateTime,omitzero"` // zero: never
	Ended        time.Time `json:"ended,omitzero"`       // taken away before
}

// Over is when a schedule ends or ended, zero if never.
func (s *RoleSchedule) Over() time.Time {
	if !s.Ended.IsZero() && (s.End.IsZero() || s.Ended.Before(s.End)) {
		return s.Ended
	}
	return s.End
}

// Live says whether a schedule has not ended by now. It may not have begun.
func (s *RoleSchedule) Live(now time.Time) bool { return s.Over().IsZero() || now.Before(s.Over()) }

// Active says whether a schedule is in force.
func (s *RoleSchedule) Active(now time.Time) bool { return !now.Before(s.Start) && s.Live(now) }

// Instance is the id of what a schedule puts in force: the role assignment's, of one at a resource.
func (s *RoleSchedule) Instance() string { return GUIDOf("instance", s.Name) }

// GUIDOf is an id that follows from other words.
func GUIDOf(words ...string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(words, "\x00"))))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	x := hex.EncodeToString(sum[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// RoleRequest is what somebody asked of PIM.
type RoleRequest struct {
	Name string `json:"name"` // GUID
	Place
	PrincipalType string `json:"principalType"`
	Eligible      bool   `json:"eligible,omitempty"` // about an eligibility
	Action        string `json:"requestType"`        // AdminAssign, SelfActivate ...
	RequestorID   string `json:"requestorId"`

	Start time.Time `json:"startDateTime,omitzero"`
	// Expiration is AfterDuration, AfterDateTime, NoExpiration, or "".
	Expiration   string    `json:"expiration,omitempty"`
	Duration     string    `json:"duration,omitempty"` // ISO 8601
	End          time.Time `json:"endDateTime,omitzero"`
	Reason       string    `json:"justification,omitempty"`
	TicketNumber string    `json:"ticketNumber,omitempty"`
	TicketSystem string    `json:"ticketSystem,omitempty"`
	Linked       string    `json:"linkedEligibility,omitempty"` // name of the eligibility's schedule
	Condition    string    `json:"condition,omitempty"`
	ConditionVer string    `json:"conditionVersion,omitempty"`

	Created  time.Time `json:"createdOn"`
	Ready    time.Time `json:"ready"`              // when it is provisioned
	Schedule string    `json:"schedule,omitempty"` // name of the schedule that it made or changed
	// Closed is a status that nothing changes any more: Revoked, Canceled.
	Closed string `json:"closed,omitempty"`

	Approval   string    `json:"approval,omitempty"` // id, of one that needs it
	Decision   string    `json:"decision,omitempty"` // Approve, Deny
	DecidedBy  string    `json:"decidedBy,omitempty"`
	DecisionOf string    `json:"decisionJustification,omitempty"`
	Decided    time.Time `json:"decided,omitzero"`
}

// Stage is the id of the one stage of a request's approval.
func (r *RoleRequest) Stage() string { return GUIDOf("stage", r.Approval) }

// approvalTime is documented, and cannot be set.
const approvalTime = 24 * time.Hour

// Status is what a request says of itself at a time.
func (r *RoleRequest) Status(now time.Time) string {
	switch {
	case r.Closed != "":
		return r.Closed
	case r.Decision == "Deny":
		return "Denied"
	case r.Approval != "" && r.Decision == "" && !now.Before(r.Created.Add(approvalTime)):
		return "TimedOut"
	case r.Approval != "" && r.Decision == "":
		return "PendingApproval"
	case now.Before(r.Created.Add(r.Ready.Sub(r.Created) / 2)):
		return "Accepted"
	case now.Before(r.Ready):
		return "PendingProvisioning"
	case now.Before(r.Start):
		return "Granted" // measured; not ScheduleCreated
	}
	return "Provisioned"
}

// requestLife is how long requests are kept (2.3).
const requestLife = 45 * 24 * time.Hour

// KnownRequests are the requests of a realm that are still kept. Locked.
func (w *World) KnownRequests(realm string, eligible bool) (out []*RoleRequest) {
	w.settleApprovals()
	for _, r := range w.RoleRequests {
		if r.Realm == realm && r.Eligible == eligible && w.Now().Before(r.Created.Add(requestLife)) {
			out = append(out, r)
		}
	}
	return out
}

// Schedules are those of a realm that are not over, as lists show them: what is new or gone a lag later. Locked.
func (w *World) Schedules(realm string, eligible bool, lag time.Duration) (out []*RoleSchedule) {
	w.settleApprovals()
	at := w.Now().Add(-lag)
	for _, s := range w.RoleSchedules {
		gone := !s.Ended.IsZero() && !at.Before(s.Ended) || !s.End.IsZero() && !w.Now().Before(s.End)
		if s.Realm == realm && s.Eligible == eligible && !at.Before(s.Created) && !gone {
			out = append(out, s)
		}
	}
	return out
}

// ScheduleNamed finds a schedule by its name, over or not; nil if there is none. Locked.
func (w *World) ScheduleNamed(name string) *RoleSchedule {
	w.settleApprovals()
	i := slices.IndexFunc(w.RoleSchedules, func(s *RoleSchedule) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return nil
	}
	return w.RoleSchedules[i]
}

// Assignments are all role assignments with those that PIM keeps in force, or did: Created and Removed bound them, and
// Removed may lie ahead. Locked.
func (w *World) Assignments() []*RoleAssignment {
	if len(w.RoleSchedules) == 0 && len(w.RoleRequests) == 0 {
		return w.RoleAssignments
	}
	w.settleApprovals()
	out := slices.Clone(w.RoleAssignments)
	for _, s := range w.RoleSchedules {
		if s.Realm == RealmAzure && !s.Eligible && (s.Over().IsZero() || s.Over().After(s.Start)) {
			out = append(out, s.assignment())
		}
	}
	return out
}

// DirectoryAssignments are all directory roles in force. Those of PIM name no tenant. Locked.
func (w *World) DirectoryAssignments() []*DirectoryRoleAssignment {
	out := slices.Clone(w.DirectoryRoleAssignments)
	for _, s := range w.Schedules(RealmDirectory, false, 0) {
		if s.Active(w.Now()) {
			out = append(out, &DirectoryRoleAssignment{ID: s.Instance(), RoleID: s.RoleID, PrincipalID: s.PrincipalID})
		}
	}
	return out
}

// MembersOf are the ids of a group's members, with those who are for a time. Locked.
func (w *World) MembersOf(g *Group) []string {
	out := slices.Clone(g.Members)
	for _, s := range w.Schedules(RealmGroup, false, 0) {
		if s.Active(w.Now()) && strings.EqualFold(s.Scope, g.ID) && s.RoleID == "member" {
			out = append(out, s.PrincipalID)
		}
	}
	return out
}

func (s *RoleSchedule) assignment() *RoleAssignment {
	a := &RoleAssignment{
		Name: s.Instance(), Scope: s.Scope, RoleID: s.RoleID, PrincipalID: s.PrincipalID, PrincipalType: s.PrincipalType,
		CreatedBy: s.RequestorID, UpdatedBy: s.RequestorID, Created: s.Start, Updated: s.Start, Removed: s.Over(), Schedule: s.Name,
	}
	if s.Condition != "" {
		a.Condition, a.ConditionVer = &s.Condition, &s.ConditionVer
	}
	return a
}

// holds says whether a schedule puts a place in force. Locked.
func (w *World) holds(p Place) bool {
	return slices.ContainsFunc(w.RoleSchedules, func(s *RoleSchedule) bool {
		return !s.Eligible && s.Place.Same(p) && s.Active(w.Now())
	})
}

func (p PIM) clone() PIM {
	p.RoleSchedules = cloneAll(p.RoleSchedules, nil)
	p.RoleRequests = cloneAll(p.RoleRequests, nil)
	p.RolePolicies = cloneAll(p.RolePolicies, func(r *RolePolicy) {
		r.ActivationNeeds, r.Approvers = slices.Clone(r.ActivationNeeds), slices.Clone(r.Approvers)
		r.ActiveNeeds, r.EligibleNeeds = slices.Clone(r.ActiveNeeds), slices.Clone(r.EligibleNeeds)
	})
	return p
}

func (v *validation) pim(s State) {
	for i, x := range s.RoleSchedules {
		if at := v.entry("roleSchedules", i, x == nil); x != nil {
			v.unique("role schedule", at+".name", x.Name)
			v.place(at, x.Place)
			if !x.End.IsZero() && !x.End.After(x.Start) {
				v.bad(at+".endDateTime", "is not after startDateTime")
			}
		}
	}
	for i, x := range s.RoleRequests {
		if at := v.entry("roleRequests", i, x == nil); x != nil {
			v.unique("role request", at+".name", x.Name)
			v.place(at, x.Place)
		}
	}
	for i, x := range s.RolePolicies {
		if at := v.entry("rolePolicies", i, x == nil); x != nil {
			x := *x
			x.PrincipalID = "of every principal"
			v.place(at, x.Place)
			for j, a := range x.Approvers {
				v.refer("principal", v.entry(at+".approvers", j, false), a)
			}
		}
	}
}

func (v *validation) place(at string, p Place) {
	v.need(at+".scope", p.Scope)
	v.need(at+".principalId", p.PrincipalID)
	v.need(at+".roleDefinitionId", p.RoleID)
	known := false
	switch p.Realm {
	case RealmAzure:
		_, known = RoleByID(p.RoleID)
	case RealmDirectory:
		_, known = DirectoryRoleByID(p.RoleID)
	case RealmGroup:
		known = p.RoleID == "member" || p.RoleID == "owner"
	default:
		v.bad(at+".realm", "%q is not one of azure, directory, group", p.Realm)
		return
	}
	if !known {
		v.bad(at+".roleDefinitionId", "%q is no role of its realm that the simulator knows", p.RoleID)
	}
}
