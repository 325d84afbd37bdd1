package graph

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// pimInput is the body of a request, of either realm.
type pimInput struct {
	Action, PrincipalID, RoleDefinitionID, DirectoryScopeID, GroupID, AccessID, Justification, TargetScheduleID string

	ScheduleInfo struct {
		StartDateTime *time.Time
		Expiration    struct {
			Type, Duration string
			EndDateTime    *time.Time
		}
	}
	TicketInfo       struct{ TicketNumber, TicketSystem string }
	IsValidationOnly bool
}

var expirations = []string{"AfterDuration", "AfterDateTime", "NoExpiration"}

func (c *call) createPIMRequest(k pimKind) (int, any, *fault) {
	if f := c.authorize(k.write...); f != nil {
		return 0, nil, f
	}
	var in pimInput
	if _, f := c.decode("UnifiedRoleScheduleRequest", map[string]any{
		"action": &in.Action, "principalId": &in.PrincipalID, "roleDefinitionId": &in.RoleDefinitionID, "directoryScopeId": &in.DirectoryScopeID, "appScopeId": nil,
		"groupId": &in.GroupID, "accessId": &in.AccessID, "justification": &in.Justification, "scheduleInfo": &in.ScheduleInfo, "ticketInfo": &in.TicketInfo,
		"isValidationOnly": &in.IsValidationOnly, "customData": nil, "targetScheduleId": &in.TargetScheduleID,
	}); f != nil {
		return 0, nil, f
	}
	r, f := c.pimRequestOf(k, in)
	if f != nil {
		return 0, nil, f
	}
	by := world.Requestor{ID: c.token.ObjectID, User: c.delegated()}
	if u := c.w.Users; by.User {
		i := slices.IndexFunc(u, func(u *world.User) bool { return strings.EqualFold(u.ID, by.ID) })
		by.MFA = i >= 0 && u[i].MFARequired // who needs a second factor to sign in has given one
	}
	switch {
	case !strings.HasPrefix(r.Action, "Self") && by.User && !c.w.HasDirectoryRole(by.ID, world.RoleGlobalAdministrator, world.RolePrivilegedRoleAdministrator):
		return 0, nil, denied()
	case r.Action == world.SelfActivate && by.User && !by.MFA && k.realm == world.RealmDirectory:
		return 0, nil, badPIM("RoleAssignmentRequestPolicyValidationFailed", `The following policy rules failed: ["MfaRule"]`)
	}
	if f := c.w.RequestRole(r, by, in.IsValidationOnly); f != nil {
		return 0, nil, faultOf(f)
	}
	e := k.requestBody(r, c.now)
	e["isValidationOnly"] = in.IsValidationOnly
	e["@odata.context"] = Root + "/$metadata#" + k.path + "ScheduleRequests/$entity"
	return http.StatusCreated, e, nil
}

func badPIM(code, message string) *fault {
	return &fault{status: http.StatusBadRequest, code: code, message: message}
}

// pimRequestOf reads a request. Names of values are compared without regard to case.
func (c *call) pimRequestOf(k pimKind, in pimInput) (*world.RoleRequest, *fault) {
	one := func(of []string, value string) string {
		i := slices.IndexFunc(of, func(x string) bool { return strings.EqualFold(x, value) })
		if i < 0 {
			return ""
		}
		return of[i]
	}
	action := one(world.RequestActions, in.Action)
	principal := c.fullObject(in.PrincipalID)
	switch {
	case action == "":
		return nil, badRequest("Invalid value '%s' for property 'action'.", in.Action)
	case in.PrincipalID == "":
		return nil, badRequest("The property 'principalId' is required.")
	case principal == nil:
		return nil, badPIM("SubjectNotFound", "The subject is not found.")
	}
	e := in.ScheduleInfo.Expiration
	r := &world.RoleRequest{
		Name: c.w.NewID(), Eligible: k.eligible, Action: action, PrincipalType: principalKind(principal), Reason: in.Justification,
		TicketNumber: in.TicketInfo.TicketNumber, TicketSystem: in.TicketInfo.TicketSystem, Expiration: one(expirations, e.Type), Duration: e.Duration,
		Place: world.Place{Realm: k.realm, Scope: in.DirectoryScopeID, RoleID: in.RoleDefinitionID, PrincipalID: in.PrincipalID},
	}
	if in.ScheduleInfo.StartDateTime != nil {
		r.Start = in.ScheduleInfo.StartDateTime.UTC()
	}
	if e.EndDateTime != nil {
		r.End = e.EndDateTime.UTC()
	}
	if k.realm == world.RealmGroup {
		r.Scope, r.RoleID = in.GroupID, one([]string{"member", "owner"}, in.AccessID)
		if g := c.fullObject(in.GroupID); g == nil || g["@odata.type"] != "#microsoft.graph.group" || r.RoleID == "" {
			return nil, badPIM("ResourceNotFound", "The group or its access is not found.")
		}
		return r, nil
	}
	if _, ok := world.DirectoryRoleByID(r.RoleID); !ok {
		return nil, badPIM("RoleNotFound", "The role is not found.")
	}
	if r.Scope != "/" {
		return nil, badRequest("The simulator gives directory roles in the whole directory alone: directoryScopeId \"/\".")
	}
	return r, nil
}

func principalKind(e entity) string {
	switch e["@odata.type"] {
	case "#microsoft.graph.user":
		return "User"
	case "#microsoft.graph.group":
		return "Group"
	}
	return "ServicePrincipal"
}

// pimApproval is the request whose approval the path names, of directory roles or of groups.
func (c *call) pimApproval(realm string) (*world.RoleRequest, *fault) {
	if !c.delegated() {
		return nil, denied() // application permissions are not supported
	}
	for _, r := range c.w.KnownRequests(realm, false) {
		if r.Approval != "" && strings.EqualFold(r.Name, c.keys[0].value) {
			return r, nil
		}
	}
	return nil, notFound(c.keys[0].value)
}

func (c *call) stageEntity(r *world.RoleRequest) entity {
	e := entity{"id": r.Stage(), "displayName": nil, "reviewedDateTime": moment(r.Decided), "reviewResult": "NotReviewed", "status": "InProgress", "assignedToMe": c.w.Approves(c.token.ObjectID, r), "justification": r.DecisionOf, "reviewedBy": nil}
	if r.Decision != "" {
		e["reviewResult"], e["status"], e["reviewedBy"] = r.Decision, "Completed", entity{"id": r.DecidedBy}
	} else if r.Status(c.now) != "PendingApproval" {
		e["status"] = "Expired"
	}
	return e
}

// getPIMApproval has its stages under the name that the realm gives them.
func (c *call) getPIMApproval(realm, stages string) (int, any, *fault) {
	r, f := c.pimApproval(realm)
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, entity{"id": r.Name, stages: []entity{c.stageEntity(r)}}, nil
}

func (c *call) listPIMStages(realm string) (int, any, *fault) {
	r, f := c.pimApproval(realm)
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, entity{"value": []entity{c.stageEntity(r)}}, nil
}

func (c *call) decidePIMStage(realm string) (int, any, *fault) {
	r, f := c.pimApproval(realm)
	if f != nil {
		return 0, nil, f
	}
	var result, why string
	if _, f := c.decode("ApprovalStage", map[string]any{"reviewResult": &result, "justification": &why}); f != nil {
		return 0, nil, f
	}
	switch {
	case !strings.EqualFold(r.Stage(), c.keys[1].value):
		return 0, nil, notFound(c.keys[1].value)
	case result != "Approve" && result != "Deny":
		return 0, nil, badRequest("Invalid value specified for property 'reviewResult'.")
	case !c.w.Approves(c.token.ObjectID, r) || strings.EqualFold(r.PrincipalID, c.token.ObjectID):
		return 0, nil, denied()
	case r.Status(c.now) != "PendingApproval":
		return 0, nil, &fault{status: http.StatusConflict, code: "Conflict", message: "The request has been decided, or its time is over."}
	}
	c.w.Decide(r, c.token.ObjectID, result, why)
	return http.StatusNoContent, nil, nil
}

// approvalOperations are v1.0 for groups, where documents call the stages steps too, and beta for directory roles.
func approvalOperations() (out []operation) {
	for _, a := range []struct{ realm, name, path, stages string }{
		{world.RealmGroup, "Group", "identityGovernance/privilegedAccess/group/assignmentApprovals/{}", "stages"},
		{world.RealmGroup, "Group", "identityGovernance/privilegedAccess/group/assignmentApprovals/{}", "steps"},
		{world.RealmDirectory, "Directory", "beta/roleManagement/directory/roleAssignmentApprovals/{}", "steps"},
	} {
		out = append(out,
			operation{"Get" + a.name + "Approval", http.MethodGet, a.path, func(c *call) (int, any, *fault) { return c.getPIMApproval(a.realm, a.stages) }},
			operation{"List" + a.name + "ApprovalStages", http.MethodGet, a.path + "/" + a.stages, func(c *call) (int, any, *fault) { return c.listPIMStages(a.realm) }},
			operation{"Decide" + a.name + "Approval", http.MethodPatch, a.path + "/" + a.stages + "/{}", func(c *call) (int, any, *fault) { return c.decidePIMStage(a.realm) }})
	}
	return out
}
