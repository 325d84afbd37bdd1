package arm

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

// eligible says whether the path is about eligibilities, and not about assignments.
func (c *call) eligible() bool { return strings.Contains(c.route.op, "Eligib") }

// kind is the type of what the path is about: "Role" + what it is about + suffix.
func (c *call) kind(suffix string) string {
	if c.eligible() {
		return "Microsoft.Authorization/RoleEligibility" + suffix
	}
	return "Microsoft.Authorization/RoleAssignment" + suffix
}

// licensed refuses a tenant without the licence.
func (c *call) licensed() *fault {
	if c.W.Knobs.PIM.NoLicence {
		return faultOf(world.NoLicence())
	}
	return nil
}

func faultOf(f *world.PIMFault) *fault {
	if f == nil {
		return nil
	}
	return &fault{Status: f.Status, Code: f.Code, Message: f.Message}
}

type requestInput struct {
	PrincipalID      string `json:"principalId"`
	RoleDefinitionID string `json:"roleDefinitionId"`
	RequestType      string `json:"requestType"`
	Linked           string `json:"linkedRoleEligibilityScheduleId"`
	Justification    string `json:"justification"`
	TicketInfo       struct {
		Number string `json:"ticketNumber"`
		System string `json:"ticketSystem"`
	} `json:"ticketInfo"`
	ScheduleInfo struct {
		Start      *time.Time `json:"startDateTime"`
		Expiration struct {
			Type     string     `json:"type"`
			Duration string     `json:"duration"`
			End      *time.Time `json:"endDateTime"`
		} `json:"expiration"`
	} `json:"scheduleInfo"`
	Condition        string `json:"condition"`
	ConditionVersion string `json:"conditionVersion"`
	// The portal's spelling is another: member names are compared without regard to case.
	IsValidationOnly bool `json:"isValidationOnly"`
}

func (c *call) putRequest() (int, any, *fault) {
	if !gateway.IsGUID(c.route.name) {
		return 0, nil, badRequest("InvalidRoleAssignmentRequestId", "The role assignment schedule request ID '"+c.route.name+"' is not valid. The ID must be a GUID.")
	}
	if c.requestNamed(c.route.name) != nil {
		return 0, nil, badRequest("RoleAssignmentRequestExists", "A role assignment schedule request with this ID already exists.")
	}
	r, f := c.ask(false)
	if f != nil {
		return 0, nil, f
	}
	return http.StatusCreated, c.requestBody(r), nil
}

// validateRequest finds out what would become of a request. One that would be taken is Granted.
func (c *call) validateRequest() (int, any, *fault) {
	r, f := c.ask(true)
	if f != nil {
		return 0, nil, f
	}
	b := c.requestBody(r)
	p := b["properties"].(map[string]any)
	p["status"] = "Granted"
	if r.Approval != "" {
		p["status"] = "PendingEvaluation"
	}
	return http.StatusOK, b, nil
}

func (c *call) ask(dry bool) (*world.RoleRequest, *fault) {
	var body struct {
		Properties *requestInput `json:"properties"`
	}
	if f := c.Decode(&body); f != nil {
		return nil, f
	}
	if f := c.checkScope(); f != nil {
		return nil, f
	}
	if body.Properties == nil || body.Properties.PrincipalID == "" || body.Properties.RoleDefinitionID == "" || body.Properties.RequestType == "" {
		return nil, badRequest("InvalidRequestContent", "The properties 'principalId', 'roleDefinitionId' and 'requestType' are required.")
	}
	in := *body.Properties
	i := slices.IndexFunc(world.RequestActions, func(a string) bool { return strings.EqualFold(a, in.RequestType) })
	if i < 0 {
		return nil, badRequest("InvalidRequestContent", "The request type '"+in.RequestType+"' is not valid.")
	}
	role, ok := world.RoleByID(path.Base(in.RoleDefinitionID))
	if !ok {
		return nil, badRequest("RoleNotFound", noSuchRole(path.Base(in.RoleDefinitionID)))
	}
	r := &world.RoleRequest{
		Name: c.route.name, Place: world.Place{Realm: world.RealmAzure, Scope: c.route.scope, RoleID: role.ID, PrincipalID: in.PrincipalID},
		Eligible: c.eligible(), Action: world.RequestActions[i], Expiration: in.ScheduleInfo.Expiration.Type, Duration: in.ScheduleInfo.Expiration.Duration,
		Reason: in.Justification, TicketNumber: in.TicketInfo.Number, TicketSystem: in.TicketInfo.System,
		Condition: in.Condition, ConditionVer: in.ConditionVersion, PrincipalType: c.kindOf(in.PrincipalID),
	}
	if in.Linked != "" {
		r.Linked = path.Base(in.Linked) // the full id and the bare name are both seen
	}
	if in.ScheduleInfo.Start != nil {
		r.Start = in.ScheduleInfo.Start.UTC()
	}
	if in.ScheduleInfo.Expiration.End != nil {
		r.End = in.ScheduleInfo.Expiration.End.UTC()
	}
	if f := c.authorizeRequest(r); f != nil {
		return nil, f
	}
	if r.PrincipalType == "" {
		return nil, badRequest("SubjectNotFound", "The subject is not found.")
	}
	if f := checkCondition(&in.Condition, &in.ConditionVersion); f != nil {
		return nil, f
	}
	return r, faultOf(c.W.RequestRole(r, c.requestor(), dry || in.IsValidationOnly))
}

func (c *call) requestor() world.Requestor {
	by := world.Requestor{ID: c.Token.ObjectID, User: c.Token.User}
	for _, u := range c.W.Users {
		// Who needs a second factor to sign in has given one.
		by.MFA = by.MFA || by.User && strings.EqualFold(u.ID, by.ID) && u.MFARequired
	}
	return by
}

// authorizeRequest takes for administrators what it takes to write role assignments, with the same conditions.
// Whoever is eligible activates without any role.
func (c *call) authorizeRequest(r *world.RoleRequest) *fault {
	if strings.HasPrefix(r.Action, "Self") {
		return nil
	}
	d := world.Deed{Action: assignmentType + "/write"}
	attributes := world.AssignmentAttributes(r.RoleID, r.PrincipalID, r.PrincipalType)
	if r.Action == world.AdminRemove {
		d.Action, d.Resource = assignmentType+"/delete", attributes
	} else {
		d.Request = attributes
	}
	if f := c.AuthorizeDeed(d, c.route.scope); f != nil {
		return f
	}
	if c.W.Knobs.PIM.FullAdministratorsOnly {
		return c.Authorize(c.kind("ScheduleRequests")+"/write", c.route.scope)
	}
	return nil
}

func (c *call) requestNamed(name string) *world.RoleRequest {
	for _, r := range c.W.KnownRequests(world.RealmAzure, c.eligible()) {
		if strings.EqualFold(r.Name, name) {
			return r
		}
	}
	return nil
}

// request is the one that the path names, which its own requestor and principal may see without a role.
func (c *call) request() (*world.RoleRequest, *fault) {
	if f := c.licensed(); f != nil {
		return nil, f
	}
	r := c.requestNamed(c.route.name)
	mine := r != nil && (strings.EqualFold(r.RequestorID, c.Token.ObjectID) || strings.EqualFold(r.PrincipalID, c.Token.ObjectID))
	if !mine {
		if f := c.Authorize(c.kind("ScheduleRequests")+"/read", c.route.scope); f != nil {
			return nil, f
		}
	}
	if r == nil || !sameScope(r.Scope, c.route.scope) {
		return nil, &fault{Status: http.StatusNotFound, Code: "RoleAssignmentScheduleRequestNotFound", Message: "The role assignment schedule request '" + c.route.name + "' is not found."}
	}
	return r, nil
}

func (c *call) getRequest() (int, any, *fault) {
	r, f := c.request()
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, c.requestBody(r), nil
}

func (c *call) cancelRequest() (int, any, *fault) {
	r, f := c.request()
	if f != nil {
		return 0, nil, f
	}
	if !strings.EqualFold(r.RequestorID, c.Token.ObjectID) {
		if f := c.Authorize(assignmentType+"/delete", c.route.scope); f != nil {
			return 0, nil, f
		}
	}
	return http.StatusOK, nil, faultOf(c.W.CancelRequest(r))
}

func (c *call) listRequests() (int, any, *fault) {
	look, f := c.look("requestorId", "status", "asRequestor()", "asApprover()", "asCreatedBy()")
	if f != nil {
		return 0, nil, f
	}
	var out []map[string]any
	for _, r := range c.W.KnownRequests(world.RealmAzure, c.eligible()) {
		_, mine := look.calls["asRequestor()"]
		_, made := look.calls["asCreatedBy()"]
		_, decide := look.calls["asApprover()"]
		switch {
		case !look.sees(r.Place), (mine || made) && !strings.EqualFold(r.RequestorID, c.Token.ObjectID), decide && !c.W.Approves(c.Token.ObjectID, r):
		case !look.match(map[string]string{"principalId": r.PrincipalID, "roleDefinitionId": r.RoleID, "requestorId": r.RequestorID, "status": r.Status(c.Now)}):
		default:
			out = append(out, c.requestBody(r))
		}
	}
	return http.StatusOK, list(out), nil
}

func (c *call) requestBody(r *world.RoleRequest) map[string]any {
	kind := c.kind("ScheduleRequests")
	p := c.placeBody(r.Place, r.PrincipalType, r.Condition, r.ConditionVer)
	p["requestType"], p["status"], p["createdOn"], p["requestorId"] = r.Action, r.Status(c.Now), date(r.Created), r.RequestorID
	p["approvalId"] = nil
	if r.Approval != "" {
		p["approvalId"] = "/providers/" + approvalType + "/" + r.Approval
	}
	p["justification"] = orNull(r.Reason)
	p["ticketInfo"] = map[string]any{"ticketNumber": orNull(r.TicketNumber), "ticketSystem": orNull(r.TicketSystem)}
	expiration := map[string]any{"type": cmp.Or(r.Expiration, "NoExpiration"), "duration": orNull(r.Duration), "endDateTime": nil}
	if r.Expiration == "AfterDateTime" {
		expiration["endDateTime"] = date(r.End)
	}
	start := r.Start
	if start.IsZero() {
		start = r.Created
	}
	p["scheduleInfo"] = map[string]any{"startDateTime": date(start), "expiration": expiration}
	target := "targetRoleAssignmentSchedule"
	if r.Eligible {
		target = "targetRoleEligibilitySchedule"
	}
	p[target+"InstanceId"] = nil
	if r.Schedule != "" {
		p[target+"Id"] = r.Schedule
	}
	if r.Linked != "" {
		p["linkedRoleEligibilityScheduleId"] = r.Linked
	}
	return map[string]any{"id": strings.TrimRight(r.Scope, "/") + "/providers/" + kind + "/" + r.Name, "name": r.Name, "type": kind, "properties": p}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
