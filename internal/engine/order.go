package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// unit is one entry of the manifest in a run: a credential, or the many that a block stands for.
type unit struct {
	*Credential
	after   []*unit
	begun   bool
	ordered bool
	work    sync.WaitGroup
	results []Result
}

// each does one thing with every credential, many at once, and returns the results in the manifest's order. What
// depends on something begins when that has ended.
func (e *Engine) each(ctx context.Context, creds []Credential, how asks, one func(context.Context, *pass) Result) []Result {
	index := e.readIndex(ctx, creds)
	units, order := arrange(creds)
	slots := make(chan struct{}, e.cfg.Parallel)
	for _, u := range order {
		for _, first := range u.after {
			first.work.Wait()
		}
		if how != never {
			if d, stopped := u.stopped(); stopped {
				u.results = []Result{*e.about(u.Spec, index, d)}
				continue
			}
		}
		members, known := e.expand(ctx, *u.Credential, index, how)
		u.results = make([]Result, len(members))
		for i, c := range members {
			if known[i] != nil {
				u.results[i] = *known[i]
				continue
			}
			slots <- struct{}{}
			u.work.Go(func() {
				defer func() { <-slots }()
				u.results[i] = one(ctx, e.newPass(c, index))
			})
		}
	}
	out := make([]Result, 0, len(creds))
	for _, u := range units {
		u.work.Wait()
		out = append(out, u.results...)
		u.results = nil // of ten thousand credentials, not all twice
	}
	return out
}

// arrange makes units in the manifest's order, and the order in which they begin: the same, but that what comes first
// comes first. A circle, which no manifest has, is cut where it closes.
func arrange(creds []Credential) (units, order []*unit) {
	named := map[rotation.CredentialID]*unit{}
	for i := range creds {
		u := &unit{Credential: &creds[i]}
		units = append(units, u)
		named[u.Spec.Name] = u
	}
	for _, u := range units {
		for _, name := range u.After {
			if first := named[name]; first != nil && first != u {
				u.after = append(u.after, first)
			}
		}
	}
	// What depends on nothing begins first, so that nothing which could begin waits behind what cannot.
	for _, u := range units {
		if len(u.after) == 0 {
			u.ordered = true
			order = append(order, u)
		}
	}
	for _, u := range units {
		order = u.before(order)
	}
	return units, order
}

// before adds a unit to an order, and what it depends on before it.
func (u *unit) before(order []*unit) []*unit {
	if u.ordered || u.begun {
		return order
	}
	u.begun = true
	kept := u.after[:0:0]
	for _, first := range u.after {
		order = first.before(order)
		if first.ordered {
			kept = append(kept, first)
		}
	}
	u.after, u.ordered = kept, true
	return append(order, u)
}

// stopped says whether something that it depends on has come to grief, so that it is left as it is.
func (u *unit) stopped() (rotation.Decision, bool) {
	if !u.Spec.Enabled && u.Spec.Command != rotation.Retire {
		return rotation.Decision{}, false
	}
	var names []string
	for _, first := range u.after {
		for _, r := range first.results {
			if r.Err != nil || r.Decision.Kind == rotation.Hold || r.Decision.Code == dependsCode {
				names = append(names, string(first.Spec.Name))
				break
			}
		}
	}
	if len(names) == 0 {
		return rotation.Decision{}, false
	}
	return rotation.Decision{Kind: rotation.Wait, Code: dependsCode,
		Why: fmt.Sprintf("it depends on %s, which did not come to an end: it is left as it is until that is mended", strings.Join(names, ", "))}, true
}

// dependsCode is the word for what was not begun because of something else.
const dependsCode = "depends"
