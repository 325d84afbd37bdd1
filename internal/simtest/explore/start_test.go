package explore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/sim/world"
)

// origin is the world in which the secret does not exist yet.
func origin() *node {
	s := theWorld()
	return &node{state: s, at: born.Add(90 * time.Minute), foreign: foreignIn(s), manifest: plainManifest(), step: "the secret is absent"}
}

// originWith is origin with the services as difficult as the real ones can be.
func originWith(step string, m *manifest.Manifest, change func(*world.State)) *node {
	n := origin()
	n.step += ", " + step
	if m != nil {
		n.manifest = m
	}
	if change != nil {
		change(&n.state)
	}
	n.foreign = foreignIn(n.state)
	return n
}

// then goes on from a world by what is named: "run", "run <point>:<outcome>", "+<duration>", "a person <deed>".
func then(t *testing.T, n *node, steps ...string) *node {
	t.Helper()
	for _, text := range steps {
		e := play(t, n, named(t, n, text))
		for _, v := range e.violations {
			t.Fatalf("on the way to a start, %s: %v", text, v)
		}
		e.next.step, e.next.persons = text, 0
		n = e.next
	}
	return n
}

func named(t *testing.T, n *node, text string) script {
	t.Helper()
	if text == "run" {
		return undisturbed
	}
	if d, ok := strings.CutPrefix(text, "+"); ok {
		v, err := world.ParseDuration(d)
		if err != nil {
			t.Fatal(err)
		}
		return script{name: text, until: v}
	}
	for _, s := range acts(n) {
		if s.name == text {
			return s
		}
	}
	if what, ok := strings.CutPrefix(text, "run "); ok {
		label, o, _ := strings.Cut(what, ":")
		clean := play(t, n, undisturbed)
		i := slices.IndexFunc(clean.points[0], func(p point) bool { return p.Label == label })
		if i < 0 {
			t.Fatalf("an undisturbed run has no %s", label)
		}
		return script{name: text, plans: []map[int]outcome{{i: outcome(o)}}}
	}
	t.Fatalf("nobody can do %q here", text)
	return script{}
}

// start is a world that an exploration begins with.
type start struct {
	name string
	make func(*testing.T) *node
}

// starts are the worlds of DESIGN's list: what a run can find at all.
func starts() []start {
	from := func(name string, steps ...string) start {
		return start{name, func(t *testing.T) *node { return then(t, origin(), steps...) }}
	}
	const due = "+4d1m"
	return []start{
		from("absent"),
		from("current", "run"),
		from("due", "run", due),
		from("in the overlap", "run", due, "run"),
		from("after the overlap", "run", due, "run", "+24h1m"),
		from("with a young stray", "run", due, "run CreatePat:crash-after"),
		from("with an orphan", "run", due, "run CreatePat:crash-after", "+61m"),
		from("absent with an orphan", "run CreatePat:crash-after", "+61m"),
		from("with a loser", "run", due, "run SetSecret:much-later", "+21m"),
		from("without the record", "run", due, "run", "+24h1m", "run", "a person takes the record off"),
		from("soft-deleted", "run", due, "run", "a person deletes the secret"),
		{"adopted", func(t *testing.T) *node { return adoptable(t, "run") }},
		{"to be adopted", func(t *testing.T) *node { return adoptable(t) }},
	}
}

// adoptable is a secret that a person made and wrote their own token into, which the manifest adopts.
func adoptable(t *testing.T, steps ...string) *node {
	m := theManifest("      adopt: {id: "+adoptedID+"}", "")
	n := originWith("a person's token is in the secret", m, func(s *world.State) {
		v := prod(s)
		v.Secrets = append(v.Secrets, &world.Secret{Name: secretName})
		p := pat(s, adoptedID)
		p.ValidTo = born.Add(10 * day)
		write(s, born, p.Token, map[string]string{"team": "a"})
	})
	delete(n.foreign.Tokens, adoptedID) // named, and so not foreign
	n.mayHold = true                    // it may end before it is adopted
	return then(t, n, steps...)
}

// variants are services that behave as the real ones are known to, or said to: lists that lag, rights that take
// minutes, a create that is repeated inside the service, a policy that shortens lives.
func variants() []start {
	const due = "+4d1m"
	lag := world.Duration(45 * time.Second)
	v := func(name string, m *manifest.Manifest, change func(*world.State), steps ...string) start {
		return start{name, func(t *testing.T) *node { return then(t, originWith(name, m, change), steps...) }}
	}
	lists := func(s *world.State) { s.Knobs.DevOps.ListLag, s.Knobs.KeyVault.ListLag = lag, lag }
	return []start{
		v("lists that lag, absent", nil, lists),
		v("lists that lag, due", nil, lists, "run", "+2m", due),
		v("lists that lag, after the overlap", nil, lists, "run", "+2m", due, "run", "+24h1m"),
		v("revocations that lag", nil, func(s *world.State) { s.Knobs.DevOps.RevokeLatency = world.Duration(10 * time.Minute) }, "run", due, "run", "+24h1m"),
		v("rights that take minutes", nil, func(s *world.State) {
			s.Knobs.ARM.RBACDelay = world.Duration(10 * time.Minute)
			for _, a := range s.RoleAssignments {
				if strings.HasSuffix(a.Scope, "/kv-pat-prod") {
					a.Created = born.Add(85 * time.Minute)
				}
			}
		}),
		v("a create that is repeated inside the service", nil, func(s *world.State) { s.Knobs.DevOps.DuplicateOnCreate = true }),
		v("a policy that shortens lives", nil, func(s *world.State) { s.Knobs.DevOps.MaxLifespan = world.Duration(4 * day) }),
		v("deletions that take a while", nil, func(s *world.State) {
			s.Knobs.KeyVault.DeleteTakes, s.Knobs.KeyVault.RecoverTakes = world.Duration(time.Minute), world.Duration(time.Minute)
		}, "run", "a person deletes the secret"),
		v("dates that are moved instead of values", theManifest("", "    strategy: extend"), nil, "run", due),
	}
}
