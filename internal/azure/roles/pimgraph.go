package roles

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// Directory is a role of the directory, or the membership of a group that has roles.
type Directory struct {
	Role          string // its name or id; "" for a group
	Group, Access string // the group's object id; "member" or "owner"
	Who           func(context.Context) (Principal, error)
}

// NewDirectory makes an Elevator of roles of the directory and of groups. graph is signed in as who may assign them, or
// with self as the person who is eligible.
func NewDirectory(graph *azhttp.Resources, d Directory, self bool) *PIM {
	return &PIM{desk: &graphDesk{graph: graph, Directory: d, self: self}, self: self}
}

// graphDesk asks Microsoft Graph (facts 3.3). Its requests get their ids from Graph, so that one whose answer was lost is
// found by the run that its justification names.
type graphDesk struct {
	graph *azhttp.Resources
	Directory
	self bool

	mu        sync.Mutex
	principal Principal
	roleID    string
}

func (d *graphDesk) right(how string) driver.Right {
	if d.Group != "" {
		return driver.Right{Key: strings.ToLower(how + " group " + d.Group + " " + d.Access), Role: d.Access, Place: "group " + d.Group, How: how}
	}
	return driver.Right{Key: strings.ToLower(how + " directory " + d.Role), Role: d.Role, Place: "the directory", How: how}
}

// path is where requests are made, schedules are listed and so on.
func (d *graphDesk) path(what string) string {
	if d.Group != "" {
		return "/v1.0/identityGovernance/privilegedAccess/group/assignmentSchedule" + what
	}
	return "/v1.0/roleManagement/directory/roleAssignmentSchedule" + what
}

func (d *graphDesk) call(op, method, path string) azhttp.ResourceCall {
	hint := "give the broker the application permission RoleAssignmentSchedule.ReadWrite.Directory of Microsoft Graph"
	switch {
	case d.self:
		hint = "ask for an eligible assignment of it, and sign in with a second factor"
	case d.Group != "":
		hint = "give the broker the application permission PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup of Microsoft Graph"
	}
	return azhttp.ResourceCall{Op: op + " for " + d.right("").String(), Method: method, Path: path, Hint: hint, Words: ruleWords}
}

func (d *graphDesk) known(ctx context.Context) (Principal, string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.principal.ID == "" {
		who, err := d.Who(ctx)
		if err != nil {
			return Principal{}, "", err
		}
		d.principal = who
	}
	switch {
	case d.roleID != "":
	case d.Group != "":
		d.roleID = d.Access
	case isGUID.MatchString(d.Role):
		d.roleID = strings.ToLower(d.Role)
	default:
		call := d.call("look the role up", http.MethodGet, "/v1.0/roleManagement/directory/roleDefinitions")
		call.Query = url.Values{"$filter": {"displayName eq '" + strings.ReplaceAll(d.Role, "'", "''") + "'"}}
		var page struct {
			Value []struct {
				ID   string `json:"id"`
				Name string `json:"displayName"`
			} `json:"value"`
		}
		if _, err := d.graph.Call(ctx, call, &page); err != nil {
			return Principal{}, "", err
		}
		for _, v := range page.Value {
			if strings.EqualFold(v.Name, d.Role) && isGUID.MatchString(v.ID) {
				d.roleID = strings.ToLower(v.ID)
			}
		}
		if d.roleID == "" {
			return Principal{}, "", &driver.Error{Kind: driver.Missing, Op: call.Op, Detail: "the directory has no role of that name", Person: true, Hint: "name it as the portal does, or by its id"}
		}
	}
	return d.principal, d.roleID, nil
}

// graphRequest is a request as it is sent and answered.
type graphRequest struct {
	ID            string         `json:"id,omitempty"`
	Action        string         `json:"action,omitempty"`
	Status        string         `json:"status,omitempty"`
	PrincipalID   string         `json:"principalId,omitempty"`
	RoleID        string         `json:"roleDefinitionId,omitempty"`
	Scope         string         `json:"directoryScopeId,omitempty"`
	GroupID       string         `json:"groupId,omitempty"`
	AccessID      string         `json:"accessId,omitempty"`
	Justification string         `json:"justification,omitempty"`
	Validate      bool           `json:"isValidationOnly,omitempty"`
	Created       *time.Time     `json:"createdDateTime,omitempty"`
	Ticket        *graphTicket   `json:"ticketInfo,omitempty"`
	Schedule      *graphSchedule `json:"scheduleInfo,omitempty"`
}

type graphTicket struct {
	Number string `json:"ticketNumber,omitempty"`
}

type graphSchedule struct {
	Start      *time.Time `json:"startDateTime,omitempty"`
	Expiration struct {
		Type     string `json:"type,omitempty"`
		Duration string `json:"duration,omitempty"`
	} `json:"expiration"`
}

// graphAction spells an action as Graph does.
func graphAction(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func (d *graphDesk) post(ctx context.Context, r request, dry bool) (graphRequest, time.Time, error) {
	who, roleID, err := d.known(ctx)
	if err != nil {
		return graphRequest{}, time.Time{}, err
	}
	b := graphRequest{Action: graphAction(r.action), PrincipalID: who.ID, Justification: r.reason, Validate: dry}
	if d.Group != "" {
		b.GroupID, b.AccessID = d.Group, d.Access
	} else {
		b.RoleID, b.Scope = roleID, "/"
	}
	if r.ticket != "" {
		b.Ticket = &graphTicket{plainWords(r.ticket)}
	}
	if r.length > 0 {
		b.Schedule = &graphSchedule{}
		b.Schedule.Expiration.Type, b.Schedule.Expiration.Duration = "afterDuration", isoDuration(min(r.length, maxLengthAsked))
	}
	call := d.call("ask PIM", http.MethodPost, d.path("Requests"))
	call.Body, _ = json.Marshal(b)
	call.Write = !dry
	var got graphRequest
	date, err := d.graph.Call(ctx, call, &got)
	return got, orNow(date), err
}

func (d *graphDesk) dry(ctx context.Context, r request) error {
	if d.Group != "" {
		return nil // there a request that is only to be judged is not known
	}
	_, _, err := d.post(ctx, r, true)
	return explain(err)
}

// lostID finds a request by its run, as its id is Graph's and was in the answer that was lost.
const lostID = "of run "

func (d *graphDesk) send(ctx context.Context, r request) (answer, error) {
	got, date, err := d.post(ctx, r, false)
	if err != nil {
		return answer{id: lostID + runIn(r.reason), date: date}, err
	}
	return graphAnswer(got, date), nil
}

func graphAnswer(got graphRequest, date time.Time) answer {
	a := answer{id: got.ID, status: got.Status, date: date}
	if s := got.Schedule; s != nil {
		a.length, _ = parseISO(s.Expiration.Duration)
		if s.Start != nil {
			a.start = s.Start.UTC()
		}
	}
	return a
}

func (d *graphDesk) look(ctx context.Context, id string) (answer, error) {
	if run, lost := strings.CutPrefix(id, lostID); lost {
		all, date, err := d.requests(ctx)
		if err != nil {
			return answer{}, err
		}
		var newest graphRequest
		for _, r := range all {
			if runIn(r.Justification) == run && (newest.ID == "" || r.Created != nil && newest.Created != nil && r.Created.After(*newest.Created)) {
				newest = r
			}
		}
		if newest.ID == "" {
			return answer{}, &driver.Error{Kind: driver.Missing, Op: "look for a request to PIM", Detail: "no request names this run", Date: date}
		}
		return graphAnswer(newest, date), nil
	}
	var got graphRequest
	date, err := d.graph.Call(ctx, d.call("read a request to PIM", http.MethodGet, d.path("Requests")+"/"+id), &got)
	return graphAnswer(got, orNow(date)), err
}

func (d *graphDesk) cancel(ctx context.Context, id string) error {
	if strings.HasPrefix(id, lostID) {
		a, err := d.look(ctx, id)
		if err != nil {
			return err
		}
		id = a.id
	}
	call := d.call("take a request to PIM back", http.MethodPost, d.path("Requests")+"/"+id+"/cancel")
	call.Write = true
	_, err := d.graph.Call(ctx, call, nil)
	return err
}

// filter is what lists are asked for; a person may ask for its own without a permission.
func (d *graphDesk) list(what, principal string) azhttp.ResourceCall {
	path := d.path(what)
	if d.self {
		path += "/filterByCurrentUser(on='principal')"
	}
	call := d.call("list what PIM has", http.MethodGet, path)
	filter := "principalId eq '" + principal + "'"
	if d.Group != "" {
		filter += " and groupId eq '" + d.Group + "'" // which Graph wants
	}
	call.Query = url.Values{"$filter": {filter}}
	return call
}

func (d *graphDesk) requests(ctx context.Context) ([]graphRequest, time.Time, error) {
	who, roleID, err := d.known(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	var out []graphRequest
	date, err := graphPages(ctx, d.graph, d.list("Requests", who.ID), func(r graphRequest) {
		if sameID(r.PrincipalID, who.ID) && (d.Group == "" && sameID(r.RoleID, roleID) || d.Group != "" && sameID(r.GroupID, d.Group) && sameID(r.AccessID, d.Access)) {
			out = append(out, r)
		}
	})
	return out, orNow(date), err
}

func (d *graphDesk) ours(ctx context.Context) (out []made, err error) {
	all, _, err := d.requests(ctx)
	for _, r := range all {
		begins := strings.EqualFold(r.Action, adminAssign) || strings.EqualFold(r.Action, adminUpdate) || strings.EqualFold(r.Action, selfActivate)
		if run := runIn(r.Justification); begins && run != "" {
			out = append(out, made{r.ID, run, r.Status})
		}
	}
	return out, err
}

func (d *graphDesk) active(ctx context.Context) (out []active, date time.Time, err error) {
	who, roleID, err := d.known(ctx)
	if err != nil {
		return nil, date, err
	}
	type instance struct {
		PrincipalID string     `json:"principalId"`
		RoleID      string     `json:"roleDefinitionId"`
		Scope       string     `json:"directoryScopeId"`
		GroupID     string     `json:"groupId"`
		AccessID    string     `json:"accessId"`
		End         *time.Time `json:"endDateTime"`
	}
	date, err = graphPages(ctx, d.graph, d.list("Instances", who.ID), func(v instance) {
		here := d.Group == "" && sameID(v.RoleID, roleID) && v.Scope == "/" || d.Group != "" && sameID(v.GroupID, d.Group) && sameID(v.AccessID, d.Access)
		if !here || !sameID(v.PrincipalID, who.ID) {
			return
		}
		a := active{}
		if v.End != nil {
			a.until = v.End.UTC()
		}
		out = append(out, a)
	})
	return out, orNow(date), err
}

func (d *graphDesk) rules(ctx context.Context, _ bool) (rules, error) {
	_, roleID, err := d.known(ctx)
	if err != nil {
		return nil, err
	}
	scope, kind := "/", "DirectoryRole"
	if d.Group != "" {
		scope, kind = d.Group, "Group"
	}
	call := d.call("read the rules of PIM", http.MethodGet, "/v1.0/policies/roleManagementPolicyAssignments")
	call.Query = url.Values{"$filter": {"scopeId eq '" + scope + "' and scopeType eq '" + kind + "' and roleDefinitionId eq '" + roleID + "'"}, "$expand": {"policy($expand=rules)"}}
	var out rules
	type policy struct {
		RoleID string `json:"roleDefinitionId"`
		Policy struct {
			Rules rules `json:"rules"`
		} `json:"policy"`
	}
	_, err = graphPages(ctx, d.graph, call, func(p policy) {
		if sameID(p.RoleID, roleID) {
			out = p.Policy.Rules
		}
	})
	return out, err
}

// graphPages reads a list of Graph's to its end.
func graphPages[T any](ctx context.Context, graph *azhttp.Resources, call azhttp.ResourceCall, visit func(T)) (time.Time, error) {
	var date time.Time
	last := ""
	for range maxPages {
		var page struct {
			Value []T    `json:"value"`
			Next  string `json:"@odata.nextLink"`
		}
		at, err := graph.Call(ctx, call, &page)
		if err != nil {
			return date, err
		}
		date = at
		for _, v := range page.Value {
			visit(v)
		}
		if page.Next == "" {
			return date, nil
		}
		var ok bool
		if call.Path, call.Query, ok = graph.Next(page.Next); !ok || page.Next == last {
			break
		}
		last = page.Next
	}
	return date, driver.Errorf(driver.Unavailable, call.Op, "", "the list does not end, or leads elsewhere")
}
