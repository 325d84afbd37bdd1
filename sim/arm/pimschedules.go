package arm

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// look is what a list is asked for.
type look struct {
	terms
	c *call
}

// look reads the $filter of a list. Who asks for what is its own needs no role.
func (c *call) look(names ...string) (look, *fault) {
	out := look{c: c}
	if f := c.licensed(); f != nil {
		return out, f
	}
	var f *fault
	if out.terms, f = c.filter(append(names, "principalId", "roleDefinitionId", "asTarget()", "atScope()", "assignedTo()")...); f != nil {
		return out, f
	}
	if id := out.eq["roleDefinitionId"]; id != "" {
		out.eq["roleDefinitionId"] = id[strings.LastIndex(id, "/")+1:]
	}
	own := slices.ContainsFunc([]string{"asTarget()", "asRequestor()", "asCreatedBy()", "asApprover()"}, func(n string) bool { _, asked := out.calls[n]; return asked })
	if !own {
		if f := c.Authorize(c.kind("Schedules")+"/read", c.route.scope); f != nil {
			return out, f
		}
	}
	return out, c.checkScope()
}

// sees says whether a list at the path's scope has a place in it: at the scope and above, and below it unless
// atScope() is asked for.
func (l look) sees(p world.Place) bool {
	_, notBelow := l.calls["atScope()"]
	_, mine := l.calls["asTarget()"]
	assigned, to := l.calls["assignedTo()"]
	switch {
	case !within(l.c.route.scope, p.Scope) && (notBelow || !within(p.Scope, l.c.route.scope)):
		return false
	case mine && !l.c.W.IsPrincipal(l.c.Token.ObjectID, p.PrincipalID):
		return false
	case to && !l.c.W.IsPrincipal(assigned, p.PrincipalID):
		return false
	}
	return true
}

// schedules are those that a list has in it, with those of assignments that PIM did not make.
func (c *call) schedules() ([]*world.RoleSchedule, *fault) {
	l, f := c.look()
	if f != nil {
		return nil, f
	}
	all := c.W.Schedules(world.RealmAzure, c.eligible(), time.Duration(c.W.Knobs.PIM.ListLag))
	if !c.eligible() {
		for _, a := range c.W.RoleAssignments {
			if c.there(a) {
				all = append(all, standing(a))
			}
		}
	}
	return slices.DeleteFunc(all, func(s *world.RoleSchedule) bool {
		return !l.sees(s.Place) || !l.match(map[string]string{"principalId": s.PrincipalID, "roleDefinitionId": s.RoleID})
	}), nil
}

// standing is a role assignment without an end, as PIM shows it.
func standing(a *world.RoleAssignment) *world.RoleSchedule {
	s := &world.RoleSchedule{
		Name: a.Name, Place: world.Place{Realm: world.RealmAzure, Scope: a.Scope, RoleID: a.RoleID, PrincipalID: a.PrincipalID},
		PrincipalType: a.PrincipalType, Created: a.Created, Updated: a.Updated, Start: a.Created,
	}
	if a.Condition != nil && a.ConditionVer != nil {
		s.Condition, s.ConditionVer = *a.Condition, *a.ConditionVer
	}
	return s
}

func (c *call) listSchedules() (int, any, *fault) {
	all, f := c.schedules()
	if f != nil {
		return 0, nil, f
	}
	var out []map[string]any
	for _, s := range all {
		out = append(out, c.scheduleBody(s))
	}
	return http.StatusOK, list(out), nil
}

func (c *call) listInstances() (int, any, *fault) {
	all, f := c.schedules()
	if f != nil {
		return 0, nil, f
	}
	var out []map[string]any
	for _, s := range all {
		if !c.Now.Before(s.Start) {
			out = append(out, c.instanceBody(s))
		}
	}
	return http.StatusOK, list(out), nil
}

// find is the schedule whose name, or whose instance's, is the path's.
func (c *call) find(name func(*world.RoleSchedule) string) (*world.RoleSchedule, *fault) {
	if f := c.licensed(); f != nil {
		return nil, f
	}
	if f := c.Authorize(c.kind("Schedules")+"/read", c.route.scope); f != nil {
		return nil, f
	}
	all := c.W.Schedules(world.RealmAzure, c.eligible(), 0)
	for _, a := range c.W.RoleAssignments {
		if !c.eligible() && c.there(a) {
			all = append(all, standing(a))
		}
	}
	for _, s := range all {
		if strings.EqualFold(name(s), c.route.name) && sameScope(s.Scope, c.route.scope) {
			return s, nil
		}
	}
	return nil, &fault{Status: http.StatusNotFound, Code: "RoleAssignmentScheduleNotFound", Message: "The role assignment schedule '" + c.route.name + "' is not found."}
}

func (c *call) getSchedule() (int, any, *fault) {
	s, f := c.find(func(s *world.RoleSchedule) string { return s.Name })
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, c.scheduleBody(s), nil
}

func (c *call) getInstance() (int, any, *fault) {
	s, f := c.find(instanceName)
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, c.instanceBody(s), nil
}

// instanceName is the role assignment's, for those that are one.
func instanceName(s *world.RoleSchedule) string {
	if s.Request == "" && !s.Eligible {
		return s.Name
	}
	return s.Instance()
}

// listEligibleChildren are the scopes below the path's in which the caller may activate something.
func (c *call) listEligibleChildren() (int, any, *fault) {
	if f := c.licensed(); f != nil {
		return 0, nil, f
	}
	var out []map[string]any
	var seen []string
	for _, s := range c.W.Schedules(world.RealmAzure, true, time.Duration(c.W.Knobs.PIM.ListLag)) {
		key := strings.ToLower(s.Scope)
		if !slices.Contains(seen, key) && within(s.Scope, c.route.scope) && !sameScope(s.Scope, c.route.scope) && c.W.IsPrincipal(c.Token.ObjectID, s.PrincipalID) {
			seen = append(seen, key)
			x := c.scopeBody(s.Scope)
			out = append(out, map[string]any{"id": s.Scope, "name": x["displayName"], "type": x["type"]})
		}
	}
	return http.StatusOK, list(out), nil
}

func (c *call) scheduleBody(s *world.RoleSchedule) map[string]any {
	p := c.timedBody(s)
	p["updatedOn"] = date(s.Updated)
	if s.Request != "" {
		member := "roleAssignmentScheduleRequestId"
		if s.Eligible {
			member = "roleEligibilityScheduleRequestId"
		}
		p[member] = s.Scope + "/providers/" + c.kind("ScheduleRequests") + "/" + s.Request
	}
	return named(s.Scope, c.kind("Schedules"), s.Name, p)
}

func (c *call) instanceBody(s *world.RoleSchedule) map[string]any {
	p := c.timedBody(s)
	of := s.Scope + "/providers/" + c.kind("Schedules") + "/" + s.Name
	if s.Eligible {
		p["roleEligibilityScheduleId"] = of
	} else {
		p["roleAssignmentScheduleId"] = of
		p["originRoleAssignmentId"] = s.Scope + "/providers/" + assignmentType + "/" + instanceName(s)
		if e := c.W.ScheduleNamed(s.Eligibility); e != nil {
			p["linkedRoleEligibilityScheduleInstanceId"] = e.Instance()
		}
	}
	return named(s.Scope, c.kind("ScheduleInstances"), instanceName(s), p)
}

func named(scope, kind, name string, properties map[string]any) map[string]any {
	return map[string]any{"id": strings.TrimRight(scope, "/") + "/providers/" + kind + "/" + name, "name": name, "type": kind, "properties": properties}
}

// timedBody is what schedules and instances have in common.
func (c *call) timedBody(s *world.RoleSchedule) map[string]any {
	p := c.placeBody(s.Place, s.PrincipalType, s.Condition, s.ConditionVer)
	p["status"], p["memberType"] = "Provisioned", c.memberType(s)
	p["startDateTime"], p["createdOn"] = date(s.Start), date(s.Created)
	if end := s.Over(); !end.IsZero() {
		p["endDateTime"] = date(end)
	}
	if !s.Eligible {
		p["assignmentType"] = "Assigned"
		if s.Eligibility != "" {
			p["assignmentType"], p["linkedRoleEligibilityScheduleId"] = "Activated", s.Eligibility
		}
	}
	return p
}

func (c *call) memberType(s *world.RoleSchedule) string {
	switch {
	case s.PrincipalType == "Group":
		return "Group"
	case c.route.scope != "" && !sameScope(s.Scope, c.route.scope) && within(c.route.scope, s.Scope):
		return "Inherited"
	}
	return "Direct"
}

func (c *call) placeBody(p world.Place, principalType, condition, version string) map[string]any {
	out := map[string]any{
		"scope": p.Scope, "roleDefinitionId": c.definitionID(p.RoleID), "principalId": p.PrincipalID, "principalType": principalType,
		"expandedProperties": map[string]any{
			"scope": c.scopeBody(p.Scope), "roleDefinition": c.roleBody(p.RoleID),
			"principal": c.principalBody(p.PrincipalID, principalType),
		},
	}
	if condition != "" {
		out["condition"], out["conditionVersion"] = condition, version
	}
	return out
}

func (c *call) roleBody(id string) map[string]any {
	r, _ := world.RoleByID(id)
	return map[string]any{"id": c.definitionID(id), "displayName": r.Name, "type": "BuiltInRole"}
}

func (c *call) scopeBody(scope string) map[string]any {
	segs := strings.Split(strings.Trim(scope, "/"), "/")
	name, kind := segs[len(segs)-1], "resource"
	switch len(segs) {
	case 2:
		kind = "subscription"
		for _, s := range c.W.Subscriptions {
			if strings.EqualFold(s.ID, name) {
				name = s.Name
			}
		}
	case 4:
		kind = "resourcegroup"
	}
	return map[string]any{"id": scope, "displayName": name, "type": kind}
}

func (c *call) principalBody(id, kind string) map[string]any {
	out := map[string]any{"id": id, "type": kind}
	is := func(x string) bool { return strings.EqualFold(x, id) }
	for _, u := range c.W.Users {
		if is(u.ID) {
			out["displayName"], out["email"] = u.Name, u.UPN
		}
	}
	for _, a := range c.W.Apps {
		if is(a.ServicePrincipalID) {
			out["displayName"] = a.Name
		}
	}
	for _, m := range c.W.ManagedIdentities {
		if is(m.ID) {
			out["displayName"] = m.Name
		}
	}
	for _, g := range c.W.Groups {
		if is(g.ID) {
			out["displayName"] = g.Name
		}
	}
	return out
}
