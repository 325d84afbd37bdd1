package engine

import (
	"context"
	"slices"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// Wanted is what a pass is about to do, before any of it is done.
type Wanted struct {
	Spec rotation.Spec
	// Kinds are the kinds of action that follow from the decision in this pass: issue, extend, adopt, amend, tell, revoke,
	// retire, rollback.
	Kinds       []string
	Compromised bool
	// Plan says that nothing will be done, so nobody is to be asked.
	Plan bool
	Now  time.Time
}

// Consent is the answer. Without it nothing is done, and Code, Why and Do say what a person is shown.
type Consent struct {
	Given         bool
	Code, Why, Do string
}

// approved says whether a decision may be carried out. It asks before the pass's first effect, and again only for what
// the answer did not cover. What ends this pass's own attempt, which nobody else can know of, was covered when that was
// issued. A decision in its place says why nothing is done.
func (p *pass) approved(ctx context.Context, d rotation.Decision, plan bool) (instead rotation.Decision, ok bool, err error) {
	if p.cfg.Approve == nil || p.endsAttempt(d.Action) {
		return d, true, nil
	}
	kinds := p.kinds(d.Action)
	if !slices.ContainsFunc(kinds, func(k string) bool { return !slices.Contains(p.consent, k) }) {
		return d, true, nil
	}
	c, err := p.cfg.Approve(ctx, Wanted{Spec: p.c.Spec, Kinds: kinds, Compromised: slices.Contains(kinds, "revoke") && slices.Contains(kinds, "issue"), Plan: plan, Now: p.now()})
	if err != nil {
		return d, false, err
	}
	if !c.Given {
		return rotation.Decision{Kind: rotation.Hold, Code: c.Code, Why: d.Why + "; " + c.Why, Do: c.Do, Notes: d.Notes}, false, nil
	}
	p.consent = append(p.consent, kinds...)
	if c.Why != "" && !slices.Contains(p.approvals, c.Why) {
		p.approvals = append(p.approvals, c.Why)
	}
	return d, true, nil
}

// kinds are what an action leads to in the pass that begins with it. They are of the manifest and of what a person asked
// for, never of what was observed, so that the run after a crash asks for the same.
func (p *pass) kinds(a rotation.Action) []string {
	with := func(kinds ...string) []string {
		if len(p.c.Consumers) > 0 {
			kinds = append(kinds, "tell")
		}
		return kinds
	}
	switch a := a.(type) {
	case rotation.Issue:
		if a.Compromised {
			return with("issue", "revoke")
		}
		return with("issue")
	case rotation.Prepare, rotation.Assign, rotation.Promote:
		return with("issue")
	case rotation.Extend:
		return []string{"extend"}
	case rotation.Restore:
		return with("rollback")
	case rotation.Tell:
		return []string{"tell"}
	case rotation.Amend:
		if a.Adopt {
			return []string{"adopt"}
		}
		return []string{"amend"}
	case rotation.Revoke:
		if p.c.Spec.Command == rotation.Retire {
			return []string{"retire"}
		}
		return []string{"revoke"}
	}
	return []string{"unknown"}
}
