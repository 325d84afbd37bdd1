package engine

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Several is a block of the manifest that stands for many credentials: which, is found out at run time. From there on
// each of them is a credential like any other.
type Several interface {
	// Lists are the issuers whose lists name them.
	Lists() []driver.Issuer
	// Choose names them, each like the block: by the vault's list and, if listed, by what Lists have read last.
	Choose(block Credential, known map[string]rotation.Secret, listed bool) []Member
}

// Member is one of them. With Why, it cannot be worked with until a person does what Do says.
type Member struct {
	Credential
	Why, Do string
}

// asks says what a command may ask an account.
type asks int

const (
	asking  asks = iota // whatever is needed
	quietly             // what redeems no token
	never
)

// expand puts in the place of a block what it stands for. known are results that are there already.
func (e *Engine) expand(ctx context.Context, c Credential, index index, how asks) (out []Credential, known []*Result) {
	if c.Several == nil {
		return []Credential{c}, []*Result{nil}
	}
	members, whole := e.stands(ctx, c, index, how)
	if whole != nil {
		out, known = append(out, c), append(known, whole)
	}
	for _, m := range members {
		e.members[m.Spec.Target.Hash()] = true
		var r *Result
		if m.Why != "" {
			r = e.about(m.Spec, index, rotation.Decision{Kind: rotation.Hold, Code: "selection", Why: m.Why, Do: m.Do})
		}
		out, known = append(out, m.Credential), append(known, r)
	}
	return out, known
}

// stands finds what a block stands for. whole is said of the block itself: that it was not read, or chooses nothing.
func (e *Engine) stands(ctx context.Context, c Credential, index index, how asks) (out []Member, whole *Result) {
	if !c.Spec.Enabled {
		return nil, e.about(c.Spec, index, rotation.Decision{Kind: rotation.Done, Code: "disabled", Why: "disabled in the manifest"})
	}
	in := index[c.Store.Host()]
	if in.err != nil {
		e.unlisted = true
		whole = e.about(c.Spec, index, rotation.Decision{})
		whole.Err = in.err
		return nil, whole
	}
	found := c.Several.Choose(c, in.Secrets, false)
	listed := e.asksAccount(c, in, len(found) == 0, how)
	if listed {
		for _, i := range c.Several.Lists() {
			if _, _, err := e.readList(ctx, i, time.Time{}); err != nil {
				listed = false
				p := e.newPass(c.bare(), index)
				r := p.ended(rotation.Decision{Kind: rotation.Look, Need: rotation.NeedIssued, Why: "what the account lists"}, err)
				whole, e.unlisted = &r, true
				break
			}
		}
	}
	if listed {
		found = c.Several.Choose(c, in.Secrets, true)
	}
	for _, m := range found {
		if c.Only == "" || m.Spec.Name == c.Only {
			out = append(out, m)
		}
	}
	if whole != nil {
		return out, whole
	}
	switch {
	case len(out) == 0 && c.Only != "":
		whole = e.about(c.Spec, index, rotation.Decision{})
		whole.Err = driver.Errorf(driver.Missing, "find "+string(c.Only), "look at the names that rekey plan shows", "nothing that %s chooses has that name", c.Spec.Name)
	case len(out) == 0 && listed:
		whole = e.about(c.Spec, index, rotation.Decision{Kind: rotation.Done, Code: "none", Why: "nothing has such a name, and nothing was taken over before"})
	case !listed && how == quietly:
		whole = e.about(c.Spec, index, rotation.Decision{Kind: rotation.Done, Code: "not-asked", Why: "what the account lists is not asked for by a plan, so what is new is not shown"})
	case len(out) == 0:
		whole = e.about(c.Spec, index, rotation.Decision{Kind: rotation.Done, Code: "none", Why: "nothing was taken over yet"})
	}
	return out, whole
}

// asksAccount says whether this run asks what the account lists. Where that redeems a token, and so seals one, it is
// done once a day, like the census, and whenever a person asks for something.
func (e *Engine) asksAccount(c Credential, in indexed, first bool, how asks) bool {
	if how == never {
		return false
	}
	quiet, due := true, false
	for _, i := range c.Several.Lists() {
		quiet = quiet && i.Quiet()
		h := fnv.New32a()
		h.Write([]byte(i.ListKey()))
		due = due || rotation.CensusDue(h.Sum32(), in.Date, e.cfg.Interval)
	}
	if how == quietly {
		return quiet
	}
	if s := c.Seal; s != nil && s.Store.Host() == c.Store.Host() {
		due = due || in.Date.Sub(in.Secrets[strings.ToLower(s.Name)].Created).Hours() > 24
	}
	return quiet || due || first || c.Only != "" || c.Spec.Command != rotation.Converge || c.Spec.Verify
}

// bare is a block without what only its members have.
func (c Credential) bare() Credential {
	c.Consumers = nil
	if lists := c.Several.Lists(); len(lists) > 0 {
		c.Issuer = lists[0]
	}
	return c
}

// about is a result that needed no look at the credential itself.
func (e *Engine) about(spec rotation.Spec, index index, d rotation.Decision) *Result {
	now := index[spec.Target.Vault].Date
	if now.IsZero() {
		now = e.wall().UTC()
	}
	return &Result{Spec: spec, Now: now, Decision: d}
}

// one is the one member that a person named.
func (e *Engine) one(ctx context.Context, c Credential) (Credential, error) {
	found, known := e.expand(ctx, c, e.readIndex(ctx, []Credential{c}), asking)
	var names []string
	for i := range found {
		if known[i] != nil && known[i].Err != nil {
			return c, known[i].Err
		}
		if found[i].Several == nil {
			names = append(names, string(found[i].Spec.Name))
		}
	}
	if len(names) != 1 {
		return c, fmt.Errorf("%s stands for %d credentials, and this is done to one at a time: name it (%s)", c.Spec.Name, len(names), strings.Join(names, ", "))
	}
	return found[0], nil
}
