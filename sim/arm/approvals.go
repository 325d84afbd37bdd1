package arm

import (
	"net/http"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

const approvalType = "Microsoft.Authorization/roleAssignmentApprovals"

// approvals are the requests that need one and that the caller may see: its own, and those that it decides.
func (c *call) approvals() []*world.RoleRequest {
	var out []*world.RoleRequest
	for _, r := range c.W.KnownRequests(world.RealmAzure, false) {
		seen := c.W.Approves(c.Token.ObjectID, r) || strings.EqualFold(r.RequestorID, c.Token.ObjectID)
		if r.Approval != "" && seen && (c.route.scope == "" || within(r.Scope, c.route.scope)) {
			out = append(out, r)
		}
	}
	return out
}

func (c *call) listApprovals() (int, any, *fault) {
	if f := c.licensed(); f != nil {
		return 0, nil, f
	}
	terms, f := c.filter("asApprover()", "asCreatedBy()", "asTarget()")
	if f != nil {
		return 0, nil, f
	}
	_, decide := terms.calls["asApprover()"]
	_, made := terms.calls["asCreatedBy()"]
	_, target := terms.calls["asTarget()"]
	var out []map[string]any
	for _, r := range c.approvals() {
		switch {
		case decide && (!c.W.Approves(c.Token.ObjectID, r) || r.Status(c.Now) != "PendingApproval"):
		case made && !strings.EqualFold(r.RequestorID, c.Token.ObjectID), target && !strings.EqualFold(r.PrincipalID, c.Token.ObjectID):
		default:
			out = append(out, c.approvalBody(r))
		}
	}
	return http.StatusOK, list(out), nil
}

// approval is the one that the path names. A service principal sees none: approvals are for people.
func (c *call) approval() (*world.RoleRequest, *fault) {
	if f := c.licensed(); f != nil {
		return nil, f
	}
	for _, r := range c.approvals() {
		if strings.EqualFold(r.Approval, c.route.name) {
			return r, nil
		}
	}
	return nil, &fault{Status: http.StatusNotFound, Code: "RoleAssignmentApprovalNotFound", Message: "The role assignment approval '" + c.route.name + "' is not found."}
}

func (c *call) getApproval() (int, any, *fault) {
	r, f := c.approval()
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, c.approvalBody(r), nil
}

func (c *call) listStages() (int, any, *fault) {
	r, f := c.approval()
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, list([]map[string]any{c.stageBody(r)}), nil
}

func (c *call) stageOf() (*world.RoleRequest, *fault) {
	r, f := c.approval()
	if f == nil && !strings.EqualFold(r.Stage(), c.route.stage) {
		f = &fault{Status: http.StatusNotFound, Code: "RoleAssignmentApprovalStageNotFound", Message: "The stage '" + c.route.stage + "' is not found."}
	}
	return r, f
}

func (c *call) getStage() (int, any, *fault) {
	r, f := c.stageOf()
	if f != nil {
		return 0, nil, f
	}
	return http.StatusOK, c.stageBody(r), nil
}

// decideStage takes the decision in "properties" and without (2.5). The first approver's counts.
func (c *call) decideStage() (int, any, *fault) {
	r, f := c.stageOf()
	if f != nil {
		return 0, nil, f
	}
	type decision struct {
		Result string `json:"reviewResult"`
		Why    string `json:"justification"`
	}
	var body struct {
		Properties *decision `json:"properties"`
		decision
	}
	if f := c.Decode(&body); f != nil {
		return 0, nil, f
	}
	in := body.decision
	if body.Properties != nil {
		in = *body.Properties
	}
	switch {
	case in.Result != "Approve" && in.Result != "Deny":
		return 0, nil, badRequest("InvalidRequestContent", "The review result '"+in.Result+"' is not valid.")
	case !c.Token.User || strings.EqualFold(r.PrincipalID, c.Token.ObjectID) || !c.W.Approves(c.Token.ObjectID, r):
		return 0, nil, &fault{Status: http.StatusForbidden, Code: "InsufficientPermissions", Message: "The caller may not decide on this request."}
	case r.Status(c.Now) != "PendingApproval":
		return 0, nil, &fault{Status: http.StatusConflict, Code: "RequestAlreadyDecided", Message: "The request has been decided, or its time is over."}
	case strings.TrimSpace(in.Why) == "":
		return 0, nil, badRequest("InvalidRequestContent", "A justification is required.")
	}
	c.W.Decide(r, c.Token.ObjectID, in.Result, in.Why)
	if c.W.Knobs.PIM.EmptyDecisions {
		return http.StatusNoContent, nil, nil
	}
	return http.StatusOK, c.stageBody(r), nil
}

func (c *call) approvalBody(r *world.RoleRequest) map[string]any {
	return map[string]any{
		"id": c.route.scope + "/providers/" + approvalType + "/" + r.Approval, "name": r.Approval, "type": approvalType,
		"properties": map[string]any{"stages": []any{c.stageBody(r)}},
	}
}

func (c *call) stageBody(r *world.RoleRequest) map[string]any {
	p := map[string]any{
		"displayName": nil, "assignedToMe": c.W.Approves(c.Token.ObjectID, r), "status": "InProgress",
		"reviewedBy": nil, "reviewedDateTime": nil, "reviewResult": "NotReviewed", "justification": "",
	}
	switch r.Status(c.Now) {
	case "TimedOut", "Canceled":
		p["status"] = "Expired"
	}
	if r.Decision != "" {
		by := c.principalBody(r.DecidedBy, "user")
		p["status"], p["reviewResult"], p["justification"], p["reviewedDateTime"] = "Completed", r.Decision, r.DecisionOf, date(r.Decided)
		p["reviewedBy"] = map[string]any{"principalType": "user", "principalId": r.DecidedBy, "principalName": by["displayName"], "userPrincipalName": by["email"]}
	}
	return map[string]any{
		"id": c.route.scope + "/providers/" + approvalType + "/" + r.Approval + "/stages/" + r.Stage(), "name": r.Stage(),
		"type": approvalType + "/stages", "properties": p,
	}
}
