package graph

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// pimKind is one of the four kinds of what PIM keeps for a directory: assignments and eligibilities, of directory
// roles and of groups.
type pimKind struct {
	realm    string
	eligible bool
	name     string // "DirectoryAssignment", in names of operations
	path     string // up to "ScheduleRequests"
	write    []string
	read     []string
}

var pimKinds = []pimKind{
	{world.RealmDirectory, false, "DirectoryAssignment", "roleManagement/directory/roleAssignment", []string{"RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory"}, []string{"RoleAssignmentSchedule.Read.Directory", "RoleManagement.Read.Directory", "RoleManagement.Read.All"}},
	{world.RealmDirectory, true, "DirectoryEligibility", "roleManagement/directory/roleEligibility", []string{"RoleEligibilitySchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory"}, []string{"RoleEligibilitySchedule.Read.Directory", "RoleManagement.Read.Directory", "RoleManagement.Read.All"}},
	{world.RealmGroup, false, "GroupAssignment", "identityGovernance/privilegedAccess/group/assignment", []string{"PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup"}, []string{"PrivilegedAssignmentSchedule.Read.AzureADGroup", "PrivilegedAccess.Read.AzureADGroup"}},
	{world.RealmGroup, true, "GroupEligibility", "identityGovernance/privilegedAccess/group/eligibility", []string{"PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup"}, []string{"PrivilegedEligibilitySchedule.Read.AzureADGroup", "PrivilegedAccess.Read.AzureADGroup"}},
}

// pimOperations are the same for each kind.
func pimOperations() (out []operation) {
	for _, k := range pimKinds {
		for _, o := range []struct {
			name, method, path string
			do                 func(*call, pimKind) (int, any, *fault)
		}{
			{"List@Requests", http.MethodGet, "ScheduleRequests", (*call).listPIMRequests},
			{"List@Requests", http.MethodGet, "ScheduleRequests/filterByCurrentUser/{}", (*call).listPIMRequests},
			{"Create@Request", http.MethodPost, "ScheduleRequests", (*call).createPIMRequest},
			{"Get@Request", http.MethodGet, "ScheduleRequests/{}", (*call).getPIMRequest},
			{"Cancel@Request", http.MethodPost, "ScheduleRequests/{}/cancel", (*call).cancelPIMRequest},
			{"List@Schedules", http.MethodGet, "Schedules", (*call).listPIMSchedules},
			{"List@Schedules", http.MethodGet, "Schedules/filterByCurrentUser/{}", (*call).listPIMSchedules},
			{"Get@Schedule", http.MethodGet, "Schedules/{}", (*call).getPIMSchedule},
			{"List@Instances", http.MethodGet, "ScheduleInstances", (*call).listPIMInstances},
			{"List@Instances", http.MethodGet, "ScheduleInstances/filterByCurrentUser/{}", (*call).listPIMInstances},
		} {
			do := o.do
			out = append(out, operation{strings.Replace(o.name, "@", k.name, 1), o.method, k.path + o.path, func(c *call) (int, any, *fault) { return do(c, k) }})
		}
	}
	return append(out,
		operation{"ListRolePolicyAssignments", http.MethodGet, "policies/roleManagementPolicyAssignments", (*call).listPIMPolicyAssignments},
		operation{"UpdateRolePolicyRule", http.MethodPatch, "policies/roleManagementPolicies/{}/rules/{}", (*call).updatePIMRule})
}

func faultOf(f *world.PIMFault) *fault {
	if f == nil {
		return nil
	}
	return &fault{status: f.Status, code: f.Code, message: f.Message}
}

// mine says whether the request asks for what is the caller's own, and by what.
func (c *call) mine() (on string, asked bool) {
	if !strings.Contains(strings.ToLower(c.r.URL.Path), "filterbycurrentuser") {
		return "", false
	}
	return strings.ToLower(c.keys[0].value), true
}

// authorizePIM is for reading; who asks for its own needs to be a person.
func (c *call) authorizePIM(k pimKind) *fault {
	if c.w.Knobs.PIM.NoLicence {
		return faultOf(world.NoLicence())
	}
	if _, mine := c.mine(); mine && !c.delegated() {
		return denied()
	}
	return c.authorize(slices.Concat(k.read, k.write)...)
}

// enumName spells a value as Graph does.
func enumName(s string) any {
	if s == "" {
		return nil
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func (k pimKind) placeBody(p world.Place) entity {
	if k.realm == world.RealmGroup {
		return entity{"groupId": p.Scope, "accessId": p.RoleID, "principalId": p.PrincipalID}
	}
	return entity{"directoryScopeId": p.Scope, "appScopeId": nil, "roleDefinitionId": p.RoleID, "principalId": p.PrincipalID}
}

// scheduleID is how schedules are called: those of groups have the group and the access in front.
func (k pimKind) scheduleID(p world.Place, name string) any {
	switch {
	case name == "":
		return nil
	case k.realm == world.RealmGroup:
		return p.Scope + "_" + p.RoleID + "_" + name
	}
	return name
}

func (k pimKind) requestBody(r *world.RoleRequest, now time.Time) entity {
	e := k.placeBody(r.Place)
	e["id"], e["action"], e["status"] = r.Name, enumName(r.Action), r.Status(now)
	e["justification"], e["approvalId"], e["customData"], e["isValidationOnly"] = orNull(r.Reason), nil, nil, false
	if r.Approval != "" {
		e["approvalId"] = r.Name // the approval of a request has its id
	}
	e["createdDateTime"], e["completedDateTime"] = moment(r.Created), nil
	e["createdBy"] = entity{"application": nil, "device": nil, "user": entity{"id": r.RequestorID, "displayName": nil}}
	e["targetScheduleId"] = k.scheduleID(r.Place, r.Schedule)
	e["ticketInfo"] = entity{"ticketNumber": orNull(r.TicketNumber), "ticketSystem": orNull(r.TicketSystem)}
	expiration := entity{"type": enumName(r.Expiration), "duration": orNull(r.Duration), "endDateTime": nil}
	if r.Expiration == "AfterDateTime" {
		expiration["endDateTime"] = moment(r.End)
	}
	e["scheduleInfo"] = entity{"startDateTime": moment(r.Start), "recurrence": nil, "expiration": expiration}
	return e
}

func (k pimKind) scheduleBody(s *world.RoleSchedule) entity {
	e := k.timedBody(s)
	e["id"] = k.scheduleID(s.Place, s.Name)
	end := entity{"type": "noExpiration", "duration": nil, "endDateTime": nil}
	if over := s.Over(); !over.IsZero() {
		end["type"], end["endDateTime"] = "afterDateTime", moment(over)
	}
	e["scheduleInfo"] = entity{"startDateTime": moment(s.Start), "recurrence": nil, "expiration": end}
	e["status"], e["createdDateTime"], e["modifiedDateTime"], e["createdUsing"] = "Provisioned", moment(s.Created), moment(s.Updated), orNull(s.Request)
	return e
}

func (k pimKind) instanceBody(s *world.RoleSchedule) entity {
	e := k.timedBody(s)
	e["id"] = k.scheduleID(s.Place, s.Instance())
	e["startDateTime"], e["endDateTime"] = moment(s.Start), moment(s.Over())
	member := "roleAssignmentScheduleId"
	switch {
	case k.realm == world.RealmGroup && k.eligible:
		member = "eligibilityScheduleId"
	case k.realm == world.RealmGroup:
		member = "assignmentScheduleId"
	case k.eligible:
		member = "roleEligibilityScheduleId"
	}
	e[member] = k.scheduleID(s.Place, s.Name)
	return e
}

func (k pimKind) timedBody(s *world.RoleSchedule) entity {
	e := k.placeBody(s.Place)
	e["memberType"] = "Direct"
	if k.realm == world.RealmGroup {
		e["memberType"] = "direct"
	}
	if !k.eligible {
		e["assignmentType"] = "Assigned"
		if s.Eligibility != "" {
			e["assignmentType"] = "Activated"
		}
		if k.realm == world.RealmGroup {
			e["assignmentType"] = enumName(e["assignmentType"].(string))
		}
	}
	return e
}

// pimSet is how a list of a kind is filtered and named.
func (k pimKind) pimSet(what string, like entity) set {
	return set{
		path: k.path + what, context: k.path + what, kind: "UnifiedRoleSchedule",
		filters: []string{"id", "principalId", "roleDefinitionId", "directoryScopeId", "groupId", "accessId", "status"},
		known:   func(p string) bool { return hasProperty(like, p) },
	}
}

func (c *call) listPIMRequests(k pimKind) (int, any, *fault) {
	if f := c.authorizePIM(k); f != nil {
		return 0, nil, f
	}
	on, mine := c.mine()
	me := c.token.ObjectID
	var all []entity
	for _, r := range c.w.KnownRequests(k.realm, k.eligible) {
		seen := !mine || on == "principal" && c.w.IsPrincipal(me, r.PrincipalID) || on == "createdby" && strings.EqualFold(me, r.RequestorID) || on == "approver" && c.w.Approves(me, r)
		if seen {
			all = append(all, k.requestBody(r, c.now))
		}
	}
	return c.page(k.pimSet("ScheduleRequests", k.requestBody(&world.RoleRequest{}, c.now)), all)
}

func (c *call) pimRequest(k pimKind) (*world.RoleRequest, *fault) {
	for _, r := range c.w.KnownRequests(k.realm, k.eligible) {
		if strings.EqualFold(r.Name, c.keys[0].value) {
			return r, nil
		}
	}
	return nil, &fault{status: http.StatusNotFound, code: "ResourceNotFound", message: "The requested resource is not found."}
}

func (c *call) getPIMRequest(k pimKind) (int, any, *fault) {
	if f := c.authorizePIM(k); f != nil {
		return 0, nil, f
	}
	r, f := c.pimRequest(k)
	if f != nil {
		return 0, nil, f
	}
	e := k.requestBody(r, c.now)
	return c.one(k.pimSet("ScheduleRequests", e), e)
}

func (c *call) cancelPIMRequest(k pimKind) (int, any, *fault) {
	if f := c.authorize(k.write...); f != nil {
		return 0, nil, f
	}
	r, f := c.pimRequest(k)
	if f != nil {
		return 0, nil, f
	}
	if !strings.EqualFold(r.RequestorID, c.token.ObjectID) {
		return 0, nil, denied()
	}
	return http.StatusNoContent, nil, faultOf(c.w.CancelRequest(r))
}

// pimSchedules are those of a list.
func (c *call) pimSchedules(k pimKind) ([]*world.RoleSchedule, *fault) {
	if f := c.authorizePIM(k); f != nil {
		return nil, f
	}
	all := c.w.Schedules(k.realm, k.eligible, time.Duration(c.w.Knobs.PIM.ListLag))
	if _, mine := c.mine(); mine {
		all = slices.DeleteFunc(all, func(s *world.RoleSchedule) bool { return !c.w.IsPrincipal(c.token.ObjectID, s.PrincipalID) })
	}
	return all, nil
}

func (c *call) listPIMSchedules(k pimKind) (int, any, *fault) {
	schedules, f := c.pimSchedules(k)
	if f != nil {
		return 0, nil, f
	}
	var all []entity
	for _, s := range schedules {
		all = append(all, k.scheduleBody(s))
	}
	return c.page(k.pimSet("Schedules", k.scheduleBody(&world.RoleSchedule{})), all)
}

func (c *call) getPIMSchedule(k pimKind) (int, any, *fault) {
	if f := c.authorizePIM(k); f != nil {
		return 0, nil, f
	}
	for _, s := range c.w.Schedules(k.realm, k.eligible, 0) {
		if e := k.scheduleBody(s); strings.EqualFold(e.text("id"), c.keys[0].value) {
			return c.one(k.pimSet("Schedules", e), e)
		}
	}
	return 0, nil, notFound(c.keys[0].value)
}

func (c *call) listPIMInstances(k pimKind) (int, any, *fault) {
	schedules, f := c.pimSchedules(k)
	if f != nil {
		return 0, nil, f
	}
	var all []entity
	for _, s := range schedules {
		if !c.now.Before(s.Start) {
			all = append(all, k.instanceBody(s))
		}
	}
	return c.page(k.pimSet("ScheduleInstances", k.instanceBody(&world.RoleSchedule{})), all)
}
