package approval

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// States of a request in a list.
const (
	Waiting  = "waiting"
	Approved = "approved"
	Denied   = "denied"
	Expired  = "expired"
	Refused  = "refused" // there is a decision, and it does not count
)

// Entry is a request in the list.
type Entry struct {
	Asked
	State string
	// Why says why a decision does not count.
	Why string
	By  *Decided
}

// List gives all requests, the newest last. Files that are none are left out.
func (d *Desk) List(ctx context.Context) ([]Entry, error) {
	if d.cfg.Box == nil {
		return nil, errors.New("the manifest does not say where requests lie: it has no approval.requests")
	}
	names, err := d.cfg.Box.List(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("list the requests in %s: %w", d.cfg.Box.Place(), err)
	}
	var out []Entry
	for _, name := range names {
		id, ok := strings.CutSuffix(name, ".json")
		if !ok || !idForm.MatchString(id) {
			continue
		}
		e, err := d.entry(ctx, id)
		if errors.Is(err, errMalformed) || RefusalOf(err) != nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (d *Desk) entry(ctx context.Context, id string) (Entry, error) {
	a, err := d.request(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	now := d.cfg.Now()
	e := Entry{Asked: a, State: Waiting}
	if !now.Before(a.Expires) {
		e.State = Expired
		return e, nil
	}
	decision, by, err := d.decision(ctx, a, a.Hash, d.standard(d.narrower(a), now, a.By))
	switch refused := RefusalOf(err); {
	case errors.Is(err, ErrNotThere):
	case refused != nil:
		e.State, e.Why = Refused, refused.Text
	case err != nil:
		return Entry{}, fmt.Errorf("verify the decision on request %s: %w", id, err)
	case decision.Decision == Reject:
		e.State, e.By = Denied, &by
	default:
		e.State, e.By = Approved, &by
	}
	return e, nil
}

// narrower are the approvers of the rule that a request names. A request that was written under other rules is judged
// by those of now when it is used.
func (d *Desk) narrower(a Asked) *Approvers {
	for _, r := range d.cfg.Policy.rules {
		if r.Name == a.Rule {
			return r.Approvers
		}
	}
	return nil
}

// Find gives the one request that waits under an id, or under the begin of one.
func (d *Desk) Find(ctx context.Context, id string) (Asked, error) {
	all, err := d.List(ctx)
	if err != nil {
		return Asked{}, err
	}
	var found []Entry
	for _, e := range all {
		if strings.HasPrefix(e.ID, id) && id != "" {
			found = append(found, e)
		}
	}
	switch {
	case len(found) == 0:
		return Asked{}, fmt.Errorf("there is no request %s in %s: rekey approvals lists them", id, d.cfg.Box.Place())
	case len(found) > 1:
		return Asked{}, fmt.Errorf("%d requests begin with %s: name one of them whole", len(found), id)
	}
	switch e := found[0]; e.State {
	case Waiting:
		return e.Asked, nil
	case Refused:
		return Asked{}, fmt.Errorf("there is a decision on request %s that does not count (%s): have somebody find out where it came from, and take %s away", e.ID, e.Why, decisionName(e.ID))
	default:
		return Asked{}, fmt.Errorf("request %s is %s already", e.ID, e.State)
	}
}

// SignIn has a person sign in with a nonce, and gives their ID token.
type SignIn func(ctx context.Context, nonce string) (token string, err error)

// maxReason is how long a reason may be.
const maxReason = 2000

// Decide has a person sign in with their word on a request, verifies what comes of it as a run will, and keeps it.
func (d *Desk) Decide(ctx context.Context, a Asked, word, reason string, signIn SignIn) (Decided, error) {
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > maxReason {
		return Decided{}, fmt.Errorf("a reason of at most %d bytes is needed", maxReason)
	}
	if a.Expires.After(d.cfg.Now().Add(d.cfg.Life + backdated)) {
		return Decided{}, refuse("life", "the request ends later than the manifest allows one to live")
	}
	decision := Decision{Schema: decisionSchema, ID: a.ID, Hash: a.Hash, Decision: word, Reason: reason, Expires: a.Expires}
	token, err := signIn(ctx, Nonce(a.Hash, a.ID, word, reason, a.Expires))
	if err != nil {
		return Decided{}, err
	}
	decision.Token = token
	by, err := hold(ctx, d.cfg.Verifier, a, decision, a.Hash, d.standard(d.narrower(a), d.cfg.Now(), a.By))
	if err != nil {
		return Decided{}, fmt.Errorf("nothing was decided: %w", err)
	}
	b, err := encode(decision)
	if err == nil {
		err = d.cfg.Box.Create(ctx, decisionName(a.ID), b)
	}
	if errors.Is(err, ErrThere) {
		return Decided{}, fmt.Errorf("somebody else has decided on request %s meanwhile", a.ID)
	}
	if err != nil {
		return Decided{}, fmt.Errorf("keep the decision in %s: %w", d.cfg.Box.Place(), err)
	}
	return by, nil
}
