package roles

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
)

const (
	pimVersion     = "2020-10-01"
	requestsOf     = provider + "roleAssignmentScheduleRequests"
	instancesOf    = provider + "roleAssignmentScheduleInstances"
	eligibleOf     = provider + "roleEligibilityScheduleInstances"
	policiesOf     = provider + "roleManagementPolicyAssignments"
	maxLengthAsked = 24 * time.Hour
)

// NewAssignment makes an Elevator of active assignments at an Azure resource. arm is signed in as who may assign roles.
func NewAssignment(arm *azhttp.Resources, s Settings) *PIM {
	return &PIM{desk: &armDesk{newPlace(arm, s)}}
}

// NewActivation makes an Elevator of what a person activates at an Azure resource. arm is signed in as that person.
func NewActivation(arm *azhttp.Resources, s Settings) *PIM {
	if s.Hint == "" {
		s.Hint = "ask for an eligible assignment of the role there"
	}
	return &PIM{desk: &armDesk{newPlace(arm, s)}, self: true}
}

// armDesk asks Azure Resource Manager.
type armDesk struct{ *place }

func (d *armDesk) call(op, method, path, version string) azhttp.ResourceCall {
	return azhttp.ResourceCall{Op: op + " for " + d.Role + " at " + Place(d.Scope), Method: method, Path: d.Scope + path, Version: version, Hint: d.Hint, Words: ruleWords}
}

// armRequest is a request as it is sent and answered.
type armRequest struct {
	ID         string `json:"id,omitempty"`
	Name       string `json:"name,omitempty"`
	Properties struct {
		PrincipalID      string `json:"principalId,omitempty"`
		RoleDefinitionID string `json:"roleDefinitionId,omitempty"`
		RequestType      string `json:"requestType,omitempty"`
		Scope            string `json:"scope,omitempty"`
		Status           string `json:"status,omitempty"`
		Justification    string `json:"justification,omitempty"`
		Linked           string `json:"linkedRoleEligibilityScheduleId,omitempty"`
		Ticket           *struct {
			Number string `json:"ticketNumber,omitempty"`
		} `json:"ticketInfo,omitempty"`
		Schedule *armSchedule `json:"scheduleInfo,omitempty"`
	} `json:"properties"`
}

type armSchedule struct {
	Start      *time.Time `json:"startDateTime,omitempty"`
	Expiration struct {
		Type     string `json:"type,omitempty"`
		Duration string `json:"duration,omitempty"`
	} `json:"expiration"`
}

func (d *armDesk) body(ctx context.Context, r request) ([]byte, error) {
	who, roleID, err := d.known(ctx)
	if err != nil {
		return nil, err
	}
	var b armRequest
	p := &b.Properties
	p.PrincipalID, p.RoleDefinitionID, p.RequestType, p.Justification = who.ID, d.roleDefinitionID(roleID), r.action, r.reason
	if r.ticket != "" {
		p.Ticket = &struct {
			Number string `json:"ticketNumber,omitempty"`
		}{plainWords(r.ticket)}
	}
	if r.length > 0 {
		p.Schedule = &armSchedule{}
		p.Schedule.Expiration.Type, p.Schedule.Expiration.Duration = "AfterDuration", isoDuration(min(r.length, maxLengthAsked))
	}
	if r.action == selfActivate {
		if p.Linked, err = d.eligibility(ctx, roleID); err != nil {
			return nil, err
		}
	}
	return json.Marshal(b)
}

// eligibility is the full id of the schedule that is activated, at the scope or above; "" where none is listed: lists lag,
// and the service knows better.
func (d *armDesk) eligibility(ctx context.Context, roleID string) (out string, err error) {
	call := d.call("list eligibilities", http.MethodGet, eligibleOf, pimVersion)
	call.Query = url.Values{"$filter": {"asTarget()"}}
	_, err = d.pages(ctx, call, func() (any, func() string) {
		var page struct {
			Value []struct {
				Properties struct {
					Role     string `json:"roleDefinitionId"`
					Schedule string `json:"roleEligibilityScheduleId"`
				} `json:"properties"`
			} `json:"value"`
			Next string `json:"nextLink"`
		}
		return &page, func() string {
			for _, v := range page.Value {
				if hasRole(v.Properties.Role, roleID) && out == "" {
					out = v.Properties.Schedule
				}
			}
			return page.Next
		}
	})
	return out, err
}

func (d *armDesk) dry(ctx context.Context, r request) error {
	b, err := d.body(ctx, r)
	if err != nil {
		return err
	}
	call := d.call("find out whether PIM would take a request", http.MethodPost, requestsOf+"/"+r.id+"/validate", pimVersion)
	call.Body = b
	_, err = d.arm.Call(ctx, call, nil)
	return explain(err)
}

func (d *armDesk) send(ctx context.Context, r request) (answer, error) {
	b, err := d.body(ctx, r)
	if err != nil {
		return answer{}, err
	}
	call := d.call("ask PIM", http.MethodPut, requestsOf+"/"+r.id, pimVersion)
	call.Body, call.Write = b, true
	var got armRequest
	date, err := d.arm.Call(ctx, call, &got)
	if err != nil {
		return answer{id: r.id, date: orNow(date)}, err
	}
	return answerOf(got, r.id, date), nil
}

func answerOf(got armRequest, id string, date time.Time) answer {
	a := answer{id: id, status: got.Properties.Status, date: orNow(date)}
	if s := got.Properties.Schedule; s != nil {
		a.length, _ = parseISO(s.Expiration.Duration)
		if s.Start != nil {
			a.start = s.Start.UTC()
		}
	}
	return a
}

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now().UTC().Truncate(time.Second)
	}
	return t
}

func (d *armDesk) look(ctx context.Context, id string) (answer, error) {
	var got armRequest
	date, err := d.arm.Call(ctx, d.call("read a request to PIM", http.MethodGet, requestsOf+"/"+id, pimVersion), &got)
	if err != nil {
		return answer{}, err
	}
	return answerOf(got, id, date), nil
}

func (d *armDesk) cancel(ctx context.Context, id string) error {
	call := d.call("take a request to PIM back", http.MethodPost, requestsOf+"/"+id+"/cancel", pimVersion)
	call.Write = true
	_, err := d.arm.Call(ctx, call, nil)
	return err
}

// active implements desk. Lists lag by a minute and more (facts 2.2), so what is missing may be there.
func (d *armDesk) active(ctx context.Context) (out []active, date time.Time, err error) {
	who, roleID, err := d.known(ctx)
	if err != nil {
		return nil, date, err
	}
	call := d.call("list what PIM has in force", http.MethodGet, instancesOf, pimVersion)
	call.Query = url.Values{"$filter": {"principalId eq '" + who.ID + "'"}}
	date, err = d.pages(ctx, call, func() (any, func() string) {
		var page struct {
			Value []struct {
				Properties struct {
					Scope string     `json:"scope"`
					Role  string     `json:"roleDefinitionId"`
					Who   string     `json:"principalId"`
					End   *time.Time `json:"endDateTime"`
				} `json:"properties"`
			} `json:"value"`
			Next string `json:"nextLink"`
		}
		return &page, func() string {
			for _, v := range page.Value {
				p := v.Properties
				if !hasRole(p.Role, roleID) || !sameID(p.Who, who.ID) || !sameID(p.Scope, d.Scope) {
					continue
				}
				a := active{}
				if p.End != nil {
					a.until = p.End.UTC()
				}
				out = append(out, a)
			}
			return page.Next
		}
	})
	return out, orNow(date), err
}

func (d *armDesk) ours(ctx context.Context) (out []made, err error) {
	who, roleID, err := d.known(ctx)
	if err != nil {
		return nil, err
	}
	call := d.call("list requests to PIM", http.MethodGet, requestsOf, pimVersion)
	call.Query = url.Values{"$filter": {"principalId eq '" + who.ID + "'"}}
	_, err = d.pages(ctx, call, func() (any, func() string) {
		var page struct {
			Value []armRequest `json:"value"`
			Next  string       `json:"nextLink"`
		}
		return &page, func() string {
			for _, r := range page.Value {
				p := r.Properties
				begins := strings.EqualFold(p.RequestType, adminAssign) || strings.EqualFold(p.RequestType, adminUpdate) || strings.EqualFold(p.RequestType, selfActivate)
				if run := runIn(p.Justification); begins && run != "" && hasRole(p.RoleDefinitionID, roleID) && sameID(p.PrincipalID, who.ID) {
					out = append(out, made{r.Name, run, p.Status})
				}
			}
			return page.Next
		}
	})
	return out, err
}

func (d *armDesk) rules(ctx context.Context, _ bool) (rules, error) {
	_, roleID, err := d.known(ctx)
	if err != nil {
		return nil, err
	}
	var out rules
	call := d.call("read the rules of PIM", http.MethodGet, policiesOf, pimVersion)
	// That the service filters is unverified (facts 2.4), so every answer's role is compared.
	call.Query = url.Values{"$filter": {"roleDefinitionId eq '" + d.roleDefinitionID(roleID) + "'"}}
	_, err = d.pages(ctx, call, func() (any, func() string) {
		var page struct {
			Value []struct {
				Properties struct {
					Role  string `json:"roleDefinitionId"`
					Rules []rule `json:"effectiveRules"`
				} `json:"properties"`
			} `json:"value"`
			Next string `json:"nextLink"`
		}
		return &page, func() string {
			for _, v := range page.Value {
				if hasRole(v.Properties.Role, roleID) {
					out = v.Properties.Rules
				}
			}
			return page.Next
		}
	})
	return out, err
}
