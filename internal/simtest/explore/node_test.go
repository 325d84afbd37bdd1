package explore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// node is one world, and how it was come to.
type node struct {
	state    world.State // never changed: cloned before anything goes on from it
	at       time.Time
	pending  []*pending
	persons  int               // how often a person acted
	mayHold  bool              // a person acted, or a policy stands in the way: a Hold can be right
	excused  map[string]string // what they are to blame for
	lastCalm time.Time
	held     []invariant.Held // what consumers hold, and what somebody may still use of what they held
	foreign  invariant.Bystanders
	manifest *manifest.Manifest
	promise  invariant.Promise // what the manifest says

	from *node
	step string // what led here from there
	key  string
}

// path is the way from the world that the exploration started from.
func (n *node) path() []string {
	var out []string
	for ; n != nil; n = n.from {
		out = append(out, n.step)
	}
	slices.Reverse(out)
	return out
}

// canonical is what of a world can decide anything, of a run or of a checker. Ids and values are replaced by the order in
// which they appear, times by how far away they are, in the steps that matter. Of what is the same in this sense only
// whether there are none, one or several counts. What is over is left out: dead tokens that nothing names, and of
// versions that nobody reads any more all but what they promise and what their token still is.
func canonical(n *node) string {
	s := invariant.SceneOf(&n.state, n.promise, n.at)
	c := namer{now: n.at, names: map[string]string{}, excused: n.excused}
	var lines []string
	line := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }

	line("secret %d", s.State)
	if n.promise.Kind == invariant.ServiceAccount {
		line("%s", invariant.Slotted(&n.state, n.promise))
	}
	for _, a := range n.state.Apps {
		if n.promise.Kind == invariant.AppSecret && a.ClientID == n.promise.Owner {
			line("owners %d", len(a.Owners))
		}
	}
	var older []string
	for i := len(s.Versions) - 1; i >= 0; i-- {
		v, last := s.Versions[i], i == len(s.Versions)-1
		t, isToken := s.Token(v.Holds)
		if last {
			line("newest %s", c.newest(s, v))
			if x := secret(&n.state); x != nil {
				line("tags %d", len(x.Versions[i].Tags))
			}
			continue
		}
		superseded := s.SupersededAt(i)
		promises := ""
		if r := v.Record; r != nil && r.RevokeAfter.After(n.at) {
			promises = " revoke " + c.time(r.RevokeAfter)
		}
		switch alive := isToken && t.Alive(n.at); {
		case alive && v.Record != nil:
			older = append(older, fmt.Sprintf("older holds %s enabled %t overlap %s cache %s id %t gen %t%s", c.token(t, true, v.Holds), v.Enabled,
				c.time(superseded.Add(promise.Overlap)), c.time(superseded.Add(promise.Cache)), v.Record.IssuerID == v.Holds, v.Record.Generation == t.Generation, promises))
		case alive:
			older = append(older, fmt.Sprintf("older holds %s unrecorded", c.token(t, true, v.Holds)))
		case promises != "":
			older = append(older, "older"+promises)
		}
	}
	lines = append(lines, several(older)...)
	lines = append(lines, c.consumers(n, s)...)
	lines = append(lines, c.elevations(n)...)
	var loose []string
	for _, t := range s.Tokens {
		if t.Alive(n.at) && !c.named(t.ID) {
			loose = append(loose, fmt.Sprintf("loose stamped %t window %s", t.Generation != "", c.time(t.Born().Add(promise.Window))))
		}
	}
	lines = append(lines, several(loose)...)
	var waiting []string
	for _, p := range n.pending {
		waiting = append(waiting, fmt.Sprintf("pending %s of %s", p.label, c.subject(n, p)))
	}
	lines = append(lines, several(waiting)...)
	if n.persons > 0 {
		line("persons %d blamed %t", n.persons, n.excused[promise.Target.String()] != "")
	}
	if v := s.Newest(); v != nil {
		if t, ok := s.Token(v.Holds); ok {
			line("calm since due %t", n.lastCalm.After(promise.DueAt(t.From, t.To)))
		}
	}
	return strings.Join(lines, "\n")
}

// newest is the newest version with all that its record says.
func (c *namer) newest(s *invariant.Scene, v invariant.Version) string {
	t, isToken := s.Token(v.Holds)
	text := fmt.Sprintf("holds %s enabled %t", c.token(t, isToken, v.Holds), v.Enabled)
	if c.excused[v.ID] != "" {
		text += " excused"
	}
	r := v.Record
	if r == nil {
		return text + " unrecorded"
	}
	if r.RolledBack() {
		text += fmt.Sprintf(" rolled back until %s, %d failed", c.time(r.NotBefore), r.Failures)
	}
	pred, known := s.Token(r.Predecessor)
	return text + fmt.Sprintf(" overlap %s record id=%t gen=%t pred=%s due=%s expires=%s revoke=%s compromised=%t", c.time(v.Created.Add(promise.Overlap)), r.IssuerID == v.Holds,
		r.Generation == t.Generation, c.token(pred, known, r.Predecessor), c.time(promise.DueAt(r.Generation.Time(), r.Expires)), c.time(r.Expires), c.time(r.RevokeAfter), r.Compromised)
}

// several sorts what has no order and reduces what is there more than twice to twice.
func several(lines []string) []string {
	slices.Sort(lines)
	var out []string
	for i, l := range lines {
		if i < 2 || l != lines[i-2] {
			out = append(out, l)
		}
	}
	return out
}

// namer gives tokens names by the order in which they appear.
type namer struct {
	now     time.Time
	names   map[string]string
	excused map[string]string
}

func (c *namer) named(id string) bool { return c.names[id] != "" }

func (c *namer) token(t invariant.Token, known bool, id string) string {
	switch {
	case id == "":
		return "nothing"
	case !known:
		return "unknown"
	}
	if c.names[id] == "" {
		c.names[id] = fmt.Sprintf("#%d", len(c.names)+1)
	}
	blamed := ""
	if c.excused[id] != "" {
		blamed = ", excused"
	}
	switch {
	case !t.Revoked.IsZero() && !t.Revoked.After(c.now):
		return c.names[id] + "(revoked" + blamed + ")"
	case !t.Alive(c.now):
		return c.names[id] + "(expired" + blamed + ")"
	}
	return fmt.Sprintf("%s(stamped %t, ends %s%s)", c.names[id], t.Generation != "", c.time(t.To), blamed)
}

// subject names what a request that is yet to be handled is about.
func (c *namer) subject(n *node, p *pending) string {
	if name := c.toldIn(n, p.body); name != "" && consumer.Operation(p.req) != "" {
		return name
	}
	if id := p.req.URL.Query().Get("authorizationId"); id != "" && c.names[id] != "" {
		return c.names[id]
	}
	for id, name := range c.names {
		if p.label == "RemovePassword" && strings.Contains(string(p.body), id) {
			return name
		}
	}
	if tag := recordIn(p.body); tag != nil {
		if c.names[tag.IssuerID] != "" {
			return c.names[tag.IssuerID]
		}
		return "loose"
	}
	return "-"
}

// recordIn finds a record in the body of a request to a vault.
func recordIn(body []byte) *rotation.Record {
	_, rest, ok := strings.Cut(string(body), `"`+rotation.RecordTag+`":"`)
	if !ok {
		return nil
	}
	tag, _, _ := strings.Cut(rest, `"`)
	r, err := rotation.ParseRecord(tag)
	if err != nil {
		return nil
	}
	return &r
}

// steps are the distances that matter: a late request, the sweep window and a suspension, the overlap, and the time in
// which a credential is due.
var steps = []struct {
	d    time.Duration
	name string
}{{30 * time.Second, "at once"}, {25 * time.Minute, "soon"}, {time.Hour + time.Minute, "within the window"}, {day + time.Minute, "within the overlap"}, {2*day + time.Hour, "within due"}}

func (c *namer) time(t time.Time) string {
	switch left := t.Sub(c.now); {
	case t.IsZero():
		return "never"
	case left <= 0:
		return "past"
	default:
		for _, s := range steps {
			if left <= s.d {
				return s.name
			}
		}
		return "far"
	}
}

func foreignIn(s world.State, p invariant.Promise) invariant.Bystanders {
	return invariant.BystandersOf(&s, []invariant.Promise{p})
}
