package roles

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// Timed is a role assignment that we end ourselves: one per principal, role and scope, which runs share. Its description
// says until when. Where every process that has it dies, it lasts until the next sweep; so it needs to be known how often
// one comes.
type Timed struct {
	*place
	sweep time.Duration
}

var _ driver.Elevator = (*Timed)(nil)

// NewTimed makes one. sweep is how often what is over is looked for. Nothing is sent.
func NewTimed(arm *azhttp.Resources, s Settings, sweep time.Duration) *Timed {
	return &Timed{newPlace(arm, s), sweep}
}

// TimedKind is what the manifest calls it.
const TimedKind = "roleAssignment"

// Right implements driver.Elevator.
func (t *Timed) Right() driver.Right { return t.right(TimedKind) }

// assignment is a role assignment.
type assignment struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Properties struct {
		Scope            string `json:"scope"`
		RoleDefinitionID string `json:"roleDefinitionId"`
		PrincipalID      string `json:"principalId"`
		Description      string `json:"description"`
	} `json:"properties"`
}

// Preflight implements driver.Elevator: plain role assignments have no rules but who may write them.
func (t *Timed) Preflight(ctx context.Context, _ driver.Ask) error {
	_, _, err := t.known(ctx)
	return err
}

// Take implements driver.Elevator.
func (t *Timed) Take(ctx context.Context, ask driver.Ask) (driver.Elevation, error) {
	who, roleID, err := t.known(ctx)
	if err != nil {
		return driver.Elevation{}, err
	}
	name := nameOf(who.ID, roleID, t.Scope)
	asked := time.Now().Round(0)
	there, date, err := t.get(ctx, name)
	if err != nil {
		return driver.Elevation{}, err
	}
	if held := time.Now().Round(0).Sub(asked); held > time.Minute {
		return driver.Elevation{}, driver.Errorf(driver.Unavailable, "assign "+t.Role+" at "+Place(t.Scope), "", "what is there was read %s ago: this process was suspended", held.Round(time.Second))
	}
	now := cmp.Or(date, time.Now().UTC())
	leases := append(without(alive(there, now), ask.Run), lease{ask.Run, now.Add(ask.For).Truncate(time.Second)})
	e := t.elevation(name, leases, now)
	date, err = t.put(ctx, name, who, roleID, markOf(leases, ask.Reason))
	if e.Date = cmp.Or(date, now); err == nil {
		return e, nil
	}
	if driver.KindOf(err) == driver.Ambiguous {
		return e, err
	}
	if driver.KindOf(err) == driver.Conflict {
		return t.exists(ctx, who, roleID, name, err)
	}
	return driver.Elevation{}, err
}

// exists finds out what "it exists" means: that the principal has the role by another assignment, or that one was
// removed a moment ago, which is over soon (facts 2.1).
func (t *Timed) exists(ctx context.Context, who Principal, roleID, name string, refusal error) (driver.Elevation, error) {
	all, date, err := t.list(ctx, who)
	if err != nil {
		return driver.Elevation{}, err
	}
	for _, a := range all {
		if a.Name != name && sameID(a.Properties.Scope, t.Scope) && hasRole(a.Properties.RoleDefinitionID, roleID) {
			return driver.Elevation{State: driver.Elevated, ID: a.Name, Standing: true, Date: date}, nil
		}
	}
	if e, ok := refusal.(*driver.Error); ok {
		later := *e
		later.RetryAfter = max(e.RetryAfter, 15*time.Second)
		return driver.Elevation{}, &later
	}
	return driver.Elevation{}, refusal
}

// Look implements driver.Elevator.
func (t *Timed) Look(ctx context.Context, e driver.Elevation) (driver.Elevation, error) {
	leases, date, err := t.get(ctx, e.ID)
	if err != nil {
		return e, err
	}
	return t.elevation(e.ID, leases, date), nil
}

// Release implements driver.Elevator. Between the look at who else has it and the removal another run may have come: it
// is refused then, and takes the role again. There is no way to remove one on a condition.
func (t *Timed) Release(ctx context.Context, e driver.Elevation, run string) (driver.Elevation, error) {
	who, roleID, err := t.known(ctx)
	if err != nil {
		return e, err
	}
	leases, date, err := t.get(ctx, e.ID)
	if err != nil {
		return e, err
	}
	if len(leases) == 0 {
		return driver.Elevation{ID: e.ID, Date: date}, nil
	}
	if others := without(alive(leases, date), run); len(others) > 0 {
		left := t.elevation(e.ID, others, date)
		if len(others) == len(leases) {
			return left, nil
		}
		_, err := t.put(ctx, e.ID, who, roleID, markOf(others, ""))
		return left, err
	}
	date, err = t.remove(ctx, t.Scope, e.ID)
	return driver.Elevation{ID: e.ID, Date: date}, err
}

// Find implements driver.Elevator.
func (t *Timed) Find(ctx context.Context) ([]driver.Found, error) {
	who, _, err := t.known(ctx)
	if err != nil {
		return nil, err
	}
	all, date, err := t.list(ctx, who)
	if err != nil {
		return nil, err
	}
	var out []driver.Found
	for _, a := range all {
		p := a.Properties
		role := p.RoleDefinitionID[strings.LastIndex(p.RoleDefinitionID, "/")+1:]
		leases, ours := parseMark(p.Description)
		// The name follows from what it is for, so it is ours even where a person took the mark off.
		if ours || a.Name == nameOf(who.ID, role, p.Scope) {
			f := driver.Found{Elevation: t.elevation(a.Name, leases, date), Role: role, Scope: p.Scope, Principal: who.ID}
			if role == t.roleID {
				f.Role = t.Role
			}
			out = append(out, f)
		}
	}
	return out, nil
}

// End implements driver.Elevator.
func (t *Timed) End(ctx context.Context, f driver.Found) (driver.Elevation, error) {
	date, err := t.remove(ctx, f.Scope, f.ID)
	return driver.Elevation{ID: f.ID, Date: date}, err
}

// elevation is an assignment with its shares. One without any is over, whoever left it.
func (t *Timed) elevation(name string, leases []lease, now time.Time) driver.Elevation {
	e := driver.Elevation{ID: name, Date: now}
	if len(leases) == 0 {
		return e
	}
	e.State, e.Until, e.Runs = driver.Elevated, end(leases), runsOf(leases)
	e.Bound = e.Until.Add(t.sweep)
	return e
}

// get reads the assignment of a name. One that is not there has no shares, and one without a mark one that is over.
func (t *Timed) get(ctx context.Context, name string) ([]lease, time.Time, error) {
	var a assignment
	date, err := t.arm.Call(ctx, t.call("read the role assignment for "+t.Role, http.MethodGet, t.Scope, name), &a)
	if driver.KindOf(err) == driver.Missing {
		return nil, dateOf(err), nil
	}
	if err != nil {
		return nil, date, err
	}
	leases, ours := parseMark(a.Properties.Description)
	if !ours {
		leases = []lease{{"unknown", date}}
	}
	return leases, date, nil
}

func (t *Timed) call(op, method, scope, name string) azhttp.ResourceCall {
	return azhttp.ResourceCall{Op: op + " at " + Place(scope), Method: method, Path: scope + provider + "roleAssignments/" + name, Version: assignmentsVersion,
		Write: method != http.MethodGet, Hint: t.Hint}
}

func (t *Timed) put(ctx context.Context, name string, who Principal, roleID, description string) (time.Time, error) {
	call := t.call("assign "+t.Role, http.MethodPut, t.Scope, name)
	properties := map[string]any{"roleDefinitionId": t.roleDefinitionID(roleID), "principalId": who.ID, "description": description}
	if who.Type != "" {
		properties["principalType"] = who.Type
	}
	call.Body, _ = json.Marshal(map[string]any{"properties": properties})
	var a assignment
	date, err := t.arm.Call(ctx, call, &a)
	if err == nil && !sameID(a.Properties.PrincipalID, who.ID) {
		return date, &driver.Error{Kind: driver.Ambiguous, Op: call.Op, Detail: "the answer is of another assignment", Date: date}
	}
	return date, err
}

// remove is done where there is nothing: then 204 is the answer, or what the broker's condition says of it.
func (t *Timed) remove(ctx context.Context, scope, name string) (time.Time, error) {
	return t.arm.Call(ctx, t.call("remove the role assignment for "+t.Role, http.MethodDelete, scope, name), nil)
}

// list reads the principal's assignments at, above and below the scope.
func (t *Timed) list(ctx context.Context, who Principal) (out []assignment, date time.Time, err error) {
	call := azhttp.ResourceCall{Op: "list role assignments at " + Place(t.Scope), Method: http.MethodGet, Path: t.Scope + provider + "roleAssignments", Version: assignmentsVersion,
		Query: url.Values{"$filter": {"principalId eq '" + who.ID + "'"}}, Hint: t.Hint}
	date, err = t.pages(ctx, call, func() (any, func() string) {
		var page struct {
			Value []assignment `json:"value"`
			Next  string       `json:"nextLink"`
		}
		return &page, func() string {
			out = append(out, page.Value...)
			return page.Next
		}
	})
	return out, date, err
}

func hasRole(definitionID, roleID string) bool {
	return strings.EqualFold(definitionID[strings.LastIndex(definitionID, "/")+1:], roleID)
}

// dateOf is the service's clock in a refusal.
func dateOf(err error) time.Time {
	if e, ok := err.(*driver.Error); ok {
		return e.Date
	}
	return time.Time{}
}
