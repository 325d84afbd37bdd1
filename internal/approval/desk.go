package approval

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Config is what a Desk is made of.
type Config struct {
	Policy *Policy
	// Box is nil if no rule asks.
	Box      Box
	Verifier Verifier
	// ClientID is the application that approvers sign in to.
	ClientID  string
	Approvers Approvers
	// Actors are the object ids of people by the names that CI systems know them by.
	Actors map[string]string
	// Life is how long a request, and a decision on it, count.
	Life time.Duration
	// Now and Random are the clock and crypto/rand unless set.
	Now    func() time.Time
	Random func([]byte)
}

// Desk answers by a policy and a box. It is safe for use by many at once.
type Desk struct {
	cfg Config
	// writing keeps two requests of one run from being written for one intent.
	writing sync.Mutex
}

// NewDesk makes a desk. Nothing is read.
func NewDesk(cfg Config) *Desk {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = func(b []byte) { _, _ = rand.Read(b) }
	}
	return &Desk{cfg: cfg}
}

// Ask says whether something may be done. Where the policy says to ask and nobody was asked yet, it writes a request.
func (d *Desk) Ask(ctx context.Context, r Request) (Verdict, error) { return d.ask(ctx, r, true) }

// Look is Ask without a request being written.
func (d *Desk) Look(ctx context.Context, r Request) (Verdict, error) { return d.ask(ctx, r, false) }

func (d *Desk) ask(ctx context.Context, r Request, write bool) (Verdict, error) {
	r.Intent = r.plain()
	if r.Now.IsZero() {
		r.Now = d.cfg.Now()
	}
	for _, text := range append(slices.Concat(r.Credentials, r.Kinds, r.Consumers), r.Role, r.Scope, r.Manifest, r.Reason, r.Ticket) {
		if !utf8.ValidString(text) {
			// Two intents could have one hash.
			return Verdict{Outcome: Deny, Why: "what is asked for is not text"}, nil
		}
	}
	ruling := d.cfg.Policy.Decide(ctx, r)
	switch {
	case ruling.Then == Allow:
		return Verdict{Outcome: Allow, Rule: ruling.Rule, Why: "allowed by " + ruling.Why}, nil
	case ruling.Then != Ask:
		return Verdict{Outcome: Deny, Rule: ruling.Rule, Why: "denied: " + ruling.Why, Do: "change what is asked for, or the manifest's approval rules; rekey policy test tries them out"}, nil
	case d.cfg.Box == nil || d.cfg.Verifier == nil:
		return Verdict{Outcome: Deny, Rule: ruling.Rule, Why: "denied: " + ruling.Why + " says to ask, and the manifest does not say where"}, nil
	}
	if write {
		d.writing.Lock()
		defer d.writing.Unlock()
	}
	v, err := d.find(ctx, r, ruling)
	if err != nil || v.Outcome != "" || !write {
		if v.Outcome == "" && err == nil {
			v = Verdict{Outcome: Ask, Rule: ruling.Rule, Why: ruling.Why + " says that a person must approve it", Do: "run it: that writes the request"}
		}
		return v, err
	}
	a, err := d.write(ctx, r, ruling)
	if err != nil {
		return Verdict{}, fmt.Errorf("ask for approval in %s: %w", d.cfg.Box.Place(), err)
	}
	return d.waits(a, r, ruling, ""), nil
}

// find looks for a request with this intent that still lives, and for what was decided on it. Of several, one that was
// approved wins over one that waits, and one that was denied over both.
func (d *Desk) find(ctx context.Context, r Request, ruling Ruling) (Verdict, error) {
	hash := r.Hash()
	names, err := d.cfg.Box.List(ctx, prefix(hash))
	if err != nil {
		return Verdict{}, fmt.Errorf("look for approvals in %s: %w", d.cfg.Box.Place(), err)
	}
	var best Verdict
	rank := map[string]int{"": 0, Ask: 1, Allow: 2, Deny: 3}
	for _, name := range names {
		id, ok := strings.CutSuffix(name, ".json")
		if !ok || !idForm.MatchString(id) {
			continue
		}
		a, err := d.request(ctx, id)
		if RefusalOf(err) != nil || errors.Is(err, ErrNotThere) || errors.Is(err, errMalformed) {
			continue // it asks for nothing that it can be held to
		}
		if err != nil {
			return Verdict{}, err
		}
		if a.Hash != hash || !r.Now.Before(a.Expires) {
			continue
		}
		v, err := d.judged(ctx, a, r, ruling)
		if err != nil {
			return Verdict{}, err
		}
		if rank[v.Outcome] > rank[best.Outcome] {
			best = v
		}
	}
	return best, nil
}

// judged is what was decided on a request.
func (d *Desk) judged(ctx context.Context, a Asked, r Request, ruling Ruling) (Verdict, error) {
	s := d.standard(ruling.Approvers, r.Now, a.By, r.Requester)
	decision, by, err := d.decision(ctx, a, r.Hash(), s)
	switch refused := RefusalOf(err); {
	case errors.Is(err, ErrNotThere):
		return d.waits(a, r, ruling, ""), nil
	case refused != nil:
		return d.waits(a, r, ruling, fmt.Sprintf("; what lies there as its decision does not count: %s", refused.Text)), nil
	case err != nil:
		return Verdict{}, fmt.Errorf("verify the decision on request %s: %w", a.ID, err)
	}
	v := Verdict{Outcome: Allow, Rule: ruling.Rule, ID: a.ID, Decided: &by,
		Why: fmt.Sprintf("approved by %s (request %s): %s", by.By, a.ID, by.Reason)}
	if decision.Decision == Reject {
		v.Outcome, v.Why = Deny, fmt.Sprintf("denied by %s (request %s): %s", by.By, a.ID, by.Reason)
		v.Do = fmt.Sprintf("speak to %s; it can be asked again from %s on", by.By, a.Expires.Format("2006-01-02 15:04Z"))
	}
	return v, nil
}

func (d *Desk) standard(narrower *Approvers, now time.Time, asks ...Requester) standard {
	s := standard{clientID: d.cfg.ClientID, who: d.cfg.Approvers, life: d.cfg.Life, actors: d.cfg.Actors, now: now, asks: asks}
	if narrower != nil {
		s.who = *narrower
	}
	return s
}

func (d *Desk) request(ctx context.Context, id string) (Asked, error) {
	b, err := d.cfg.Box.Read(ctx, requestName(id))
	if err != nil {
		return Asked{}, fmt.Errorf("read request %s in %s: %w", id, d.cfg.Box.Place(), err)
	}
	a, err := ParseAsked(b)
	if err == nil && a.ID != id {
		err = refuse("edited", "the request was edited: it says that it is %s", a.ID)
	}
	return a, err
}

// decision reads and verifies the decision on a request.
func (d *Desk) decision(ctx context.Context, a Asked, intent string, s standard) (Decision, Decided, error) {
	b, err := d.cfg.Box.Read(ctx, decisionName(a.ID))
	if err != nil {
		return Decision{}, Decided{}, err
	}
	decision, err := ParseDecision(b)
	if err != nil {
		return Decision{}, Decided{}, refuse("malformed", "it is not what Rekey writes there")
	}
	by, err := hold(ctx, d.cfg.Verifier, a, decision, intent, s)
	return decision, by, err
}

func (d *Desk) write(ctx context.Context, r Request, ruling Ruling) (Asked, error) {
	now := r.Now.UTC().Truncate(time.Second)
	a := Asked{Schema: requestSchema, Hash: r.Hash(), Intent: r.Canonical(), Asked: now, Expires: now.Add(d.cfg.Life).Truncate(time.Second),
		Rule: ruling.Rule, By: r.Requester, Reason: r.Reason, Ticket: r.Ticket, Compromised: r.Compromised}
	a.ID, a.Words = newID(a.Hash, d.cfg.Random), words(r, a.Expires)
	b, err := encode(a)
	if err != nil {
		return Asked{}, err
	}
	return a, d.cfg.Box.Create(ctx, requestName(a.ID), b)
}

func (d *Desk) waits(a Asked, r Request, ruling Ruling, but string) Verdict {
	v := Verdict{Outcome: Ask, Rule: ruling.Rule, ID: a.ID,
		Why: fmt.Sprintf("%s says that a person must approve it: request %s waits until %s%s", ruling.Why, a.ID, a.Expires.Format("2006-01-02 15:04Z"), but),
		Do:  fmt.Sprintf("have somebody else say rekey approve %s --reason TEXT, or rekey deny %s, and run it again", a.ID, a.ID)}
	if note := d.standard(nil, r.Now, a.By, r.Requester).unknownActor(); note != "" {
		v.Do += " (" + note + ")"
	}
	return v
}
