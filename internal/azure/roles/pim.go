package roles

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
)

// The ways that the manifest names.
const (
	AssignmentKind = "pimAssignment"
	ActivationKind = "pimActivation"
)

const (
	// leaveFor is how much of what Azure ends itself is not worth two more calls and a wait of minutes before it can be
	// had again (facts 2.2, measured).
	leaveFor = 15 * time.Minute
	// shortest is documented, and longest is what a run may need at most.
	shortest = 5 * time.Minute
)

// PIM is a role that Privileged Identity Management ends itself: an administrator's active assignment to any principal,
// or what a person activates for itself (facts 2.3: nothing but a person can).
type PIM struct {
	desk
	self bool
}

var _ driver.Elevator = (*PIM)(nil)

// desk is where a request is made: Azure Resource Manager's, or Microsoft Graph's for directory roles and groups.
type desk interface {
	// right names what is asked for.
	right(how string) driver.Right
	// rules reads what binds a request.
	rules(ctx context.Context, self bool) (rules, error)
	// dry has the service judge a request without making it. It may not be there for all.
	dry(ctx context.Context, r request) error
	// send makes a request.
	send(ctx context.Context, r request) (answer, error)
	// look reads a request.
	look(ctx context.Context, id string) (answer, error)
	// cancel takes one back that is not in force.
	cancel(ctx context.Context, id string) error
	// active lists what is in force, or will be, of the right.
	active(ctx context.Context) ([]active, time.Time, error)
	// ours lists the ids of the requests for the right that bear our mark, with what they were for.
	ours(ctx context.Context) ([]made, error)
}

// request is what is asked.
type request struct {
	id, action     string
	reason, ticket string
	length         time.Duration // 0: none is said
}

// answer is what a service says of a request.
type answer struct {
	id, status string
	start      time.Time
	length     time.Duration
	date       time.Time
}

// active is a role in force, with its end; zero: none.
type active struct{ until time.Time }

// made is a request that bears our mark.
type made struct {
	id, run string
	status  string
}

// Right implements driver.Elevator.
func (p *PIM) Right() driver.Right { return p.right(p.kind()) }

func (p *PIM) kind() string {
	if p.self {
		return ActivationKind
	}
	return AssignmentKind
}

// Preflight implements driver.Elevator. Rules that may not be read are left to the service, which judges a request
// before it is made where it can.
func (p *PIM) Preflight(ctx context.Context, ask driver.Ask) error {
	if ask.For < shortest {
		return &driver.Error{Kind: driver.Rejected, Op: "ask for " + p.Right().String(), Person: true,
			Detail: fmt.Sprintf("%s is shorter than the %s that it lasts at least", ask.For, shortest), Hint: "ask for longer"}
	}
	r, err := p.rules(ctx, p.self)
	switch driver.KindOf(err) {
	case driver.Denied, driver.Missing:
	case 0:
		if err != nil {
			return err
		}
		if err := r.allow(p.Right(), ask, p.self); err != nil {
			return err
		}
	default:
		return explain(err)
	}
	err = p.dry(ctx, p.request(p.begin(), ask))
	if codeOf(err) == roleExists || codeOf(err) == pending {
		return nil // that is Take's to deal with
	}
	return err
}

// Codes of refusals (facts 2.2).
const (
	roleExists   = "RoleAssignmentExists"
	notThere     = "RoleAssignmentDoesNotExist"
	tooYoung     = "ActiveDurationTooShort"
	pending      = "PendingRoleAssignmentRequest"
	rulesFailed  = "RoleAssignmentRequestPolicyValidationFailed"
	adminAssign  = "AdminAssign"
	adminUpdate  = "AdminUpdate"
	adminRemove  = "AdminRemove"
	selfActivate = "SelfActivate"
	selfEnd      = "SelfDeactivate"
)

func (p *PIM) begin() string {
	if p.self {
		return selfActivate
	}
	return adminAssign
}

func (p *PIM) request(action string, ask driver.Ask) request {
	return request{id: newID(), action: action, reason: justification(ask), ticket: ask.Ticket, length: ask.For}
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return guid(b[:], 4)
}

// justification is the mark that PIM keeps: a request names the run that made it.
func justification(ask driver.Ask) string {
	out := "rekey run " + ask.Run
	if reason := plainWords(ask.Reason); reason != "" {
		out += ": " + reason
	}
	return out
}

// runIn is the run that a justification names, "" if it is none of ours.
func runIn(justification string) string {
	rest, ours := strings.CutPrefix(justification, "rekey run ")
	if !ours {
		return ""
	}
	run, _, _ := strings.Cut(rest, ":")
	return run
}

// Take implements driver.Elevator.
func (p *PIM) Take(ctx context.Context, ask driver.Ask) (driver.Elevation, error) {
	r := p.request(p.begin(), ask)
	a, err := p.send(ctx, r)
	switch {
	case err == nil:
		return p.elevation(a, ask), nil
	case driver.KindOf(err) == driver.Ambiguous:
		return driver.Elevation{State: driver.Asked, ID: a.id, Until: a.date.Add(ask.For), Bound: a.date.Add(ask.For), Runs: []string{ask.Run}, Date: a.date}, err
	case codeOf(err) == roleExists:
		return p.share(ctx, ask, err)
	case codeOf(err) == pending:
		return driver.Elevation{}, later(err)
	}
	return driver.Elevation{}, explain(err)
}

// share is had of what is there already. A second request could end it (facts 2.2), so a person's is used as it is; an
// administrator's is made longer if it is too short.
func (p *PIM) share(ctx context.Context, ask driver.Ask, refusal error) (driver.Elevation, error) {
	all, date, err := p.active(ctx)
	if err != nil {
		return driver.Elevation{}, err
	}
	if len(all) == 0 {
		return driver.Elevation{}, later(refusal) // given back a moment ago, or not listed yet
	}
	out := driver.Elevation{State: driver.Elevated, Date: date, Runs: []string{"unknown", ask.Run}}
	for _, a := range all {
		if a.until.IsZero() {
			return driver.Elevation{State: driver.Elevated, ID: "standing", Standing: true, Date: date}, nil
		}
		if a.until.After(out.Until) {
			out.Until, out.Bound = a.until, a.until
		}
	}
	if out.ID = "shared"; p.self || out.Until.Sub(date) >= ask.For-time.Minute {
		return out, nil
	}
	r := p.request(adminUpdate, ask)
	a, err := p.send(ctx, r)
	switch {
	case err == nil:
		return p.elevation(a, ask), nil
	case driver.KindOf(err) == driver.Ambiguous:
		out.ID = a.id
		return out, err
	case codeOf(err) == notThere:
		return driver.Elevation{}, later(err)
	}
	return driver.Elevation{}, explain(err)
}

// later is a refusal that time alone mends.
func later(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Kind, out.RetryAfter = driver.Conflict, max(e.RetryAfter, 30*time.Second)
	return &out
}

// elevation is what an answer to an ask means.
func (p *PIM) elevation(a answer, ask driver.Ask) driver.Elevation {
	e := driver.Elevation{State: stateOf(a.status), ID: a.id, Runs: []string{ask.Run}, Date: a.date, Approval: approvals[a.status]}
	if e.State == driver.Refused {
		e.Why = "the request is " + a.status
		return e
	}
	// Not earlier than now: what was approved just now begins now, and lasts for as long as was asked.
	from := a.date
	if a.start.After(from) {
		from = a.start
	}
	length := a.length
	if length == 0 {
		length = ask.For
	}
	e.Until = from.Add(length)
	e.Bound = e.Until
	return e
}

var (
	inForce   = map[string]bool{"Provisioned": true, "Granted": true, "Accepted": true, "AdminApproved": true, "ProvisioningStarted": true, "ScheduleCreated": true}
	approvals = map[string]bool{"PendingApproval": true, "PendingAdminDecision": true, "PendingApprovalProvisioning": true}
	refusals  = map[string]bool{"Denied": true, "AdminDenied": true, "Failed": true, "FailedAsResourceIsLocked": true, "Canceled": true, "TimedOut": true, "Invalid": true}
)

// stateOf is what a status means (facts 2.2). What is accepted is taken to be in force: what honours it says when.
func stateOf(status string) driver.ElevationState {
	switch {
	case inForce[status]:
		return driver.Elevated
	case refusals[status]:
		return driver.Refused
	case status == "Revoked":
		return driver.NotElevated
	}
	return driver.Asked
}

// Look implements driver.Elevator.
func (p *PIM) Look(ctx context.Context, e driver.Elevation) (driver.Elevation, error) {
	a, err := p.look(ctx, e.ID)
	if driver.KindOf(err) == driver.Missing {
		return driver.Elevation{ID: e.ID, Date: dateOf(err)}, nil
	}
	if err != nil {
		return e, err
	}
	next := p.elevation(a, driver.Ask{For: e.Until.Sub(e.Date)})
	next.Runs = e.Runs
	if e.State == driver.Elevated && !e.Until.IsZero() && e.Until.Before(next.Until) {
		next.Until, next.Bound = e.Until, e.Bound // it does not begin anew with each look
	}
	return next, nil
}

// Release implements driver.Elevator. What ends soon, what others have moved the end of, and what is too young to be taken
// away is left to Azure, which ends it on its own.
func (p *PIM) Release(ctx context.Context, e driver.Elevation, run string) (driver.Elevation, error) {
	if e.State == driver.Asked {
		err := p.cancel(ctx, e.ID)
		switch {
		case err == nil, driver.KindOf(err) == driver.Missing:
			return driver.Elevation{ID: e.ID, Date: dateOf(err)}, nil
		case driver.KindOf(err) != driver.Rejected:
			return e, err
		}
		// It is in force meanwhile, or was refused.
	}
	if e.Shared(run) {
		return e, nil
	}
	all, date, err := p.active(ctx)
	if err != nil {
		return e, err
	}
	var last time.Time
	for _, a := range all {
		if a.until.After(last) {
			last = a.until
		}
	}
	e.Date = date
	switch {
	case e.Until.Sub(date) <= leaveFor:
		return e, nil
	case last.After(e.Until.Add(time.Minute)):
		return e, nil // another run has made it longer, and ends it
	}
	return p.end(ctx, e)
}

// end takes it away, if it is old enough.
func (p *PIM) end(ctx context.Context, e driver.Elevation) (driver.Elevation, error) {
	action := adminRemove
	if p.self {
		action = selfEnd
	}
	a, err := p.send(ctx, request{id: newID(), action: action})
	switch codeOf(err) {
	case tooYoung:
		return e, nil
	case notThere:
		// Said for a minute or two of what is there all the same, and of what is over (facts 2.2).
		if e.Until.After(e.Date) {
			return e, nil
		}
		return driver.Elevation{ID: e.ID, Date: e.Date}, nil
	}
	if err != nil {
		return e, err
	}
	return driver.Elevation{ID: e.ID, Date: a.date}, nil
}

// Find implements driver.Elevator.
func (p *PIM) Find(ctx context.Context) ([]driver.Found, error) {
	requests, err := p.ours(ctx)
	if err != nil {
		return nil, err
	}
	all, date, err := p.active(ctx)
	if err != nil {
		return nil, err
	}
	var out []driver.Found
	r := p.Right()
	for _, a := range all {
		i := slices.IndexFunc(requests, func(m made) bool { return stateOf(m.status) == driver.Elevated })
		if a.until.IsZero() || i < 0 {
			continue // nobody's of ours
		}
		out = append(out, driver.Found{Elevation: driver.Elevation{State: driver.Elevated, ID: requests[i].id, Until: a.until, Bound: a.until, Runs: []string{requests[i].run}, Date: date}, Role: r.Role, Scope: r.Place})
	}
	for _, m := range requests {
		if stateOf(m.status) == driver.Asked {
			out = append(out, driver.Found{Elevation: driver.Elevation{State: driver.Asked, ID: m.id, Approval: approvals[m.status], Runs: []string{m.run}, Date: date}, Role: r.Role, Scope: r.Place})
		}
	}
	return out, nil
}

// End implements driver.Elevator.
func (p *PIM) End(ctx context.Context, f driver.Found) (driver.Elevation, error) {
	if f.State == driver.Asked {
		if err := p.cancel(ctx, f.ID); err != nil && driver.KindOf(err) != driver.Rejected {
			return f.Elevation, err
		}
	}
	return p.end(ctx, f.Elevation)
}

func codeOf(err error) string {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
