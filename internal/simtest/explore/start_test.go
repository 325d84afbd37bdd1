package explore

import (
	"cmp"
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
	return &node{state: s, at: born.Add(90 * time.Minute), foreign: foreignIn(s, promise), manifest: plainManifest(), promise: promise, step: "the secret is absent"}
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
	n.foreign = foreignIn(n.state, n.promise)
	return n
}

// then goes on from a world by what is named: "run", "run <point>:<outcome>", "+<duration>", "until <a date>", "a person <deed>".
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
	for _, s := range append(slices.Concat(acts(n), passages(n)), rollingBack) {
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

// field is one exploration: starts with one manifest and one behaviour of the services, so that they share their worlds.
type field struct {
	kind   string // as the manifest names it
	name   string
	starts []start
	// alone leaves people and other runs out of the short explorations.
	alone bool
	// people, crossings, pairs and latecomers are what a whole exploration has beside one thing that happens in a run.
	people, crossings, pairs, latecomers bool
	// at are the points that it is about, nil for all: nothing happens at others, and what people do is followed until
	// everything is at rest, and not by another fault. short is how many runs a short exploration has from each start, 0
	// for what others have.
	short int
	at    func(point) bool
	// except is what does not hold and is said not to, in ARCHITECTURE.md; nil for nothing.
	except func(point, outcome) bool
}

// fields are all explorations. A kind that the manifest can name brings its own, or TestEveryKindIsExplored fails.
func fields() []field {
	return slices.Concat(patFields(), appSecretFields(), madeFields(), certificateFields(), consumerFields(), patsFields(), slotFields(), elevatedFields())
}

// patFields are the worlds of a personal access token. The first field is what a run can find at all, and gets
// everything when it is explored until no new world appears. The others are services that behave as the real ones are
// known to, or said to: lists that lag, rights that take minutes, a create that is repeated inside the service, a policy
// that shortens lives. In them one thing happens in a run, with neither people nor other runs nor requests that are late
// by more than a run: what differs from the plain field is not in them.
func patFields() []field {
	from := func(name string, steps ...string) start {
		return start{name, func(t *testing.T) *node { return then(t, origin(), steps...) }}
	}
	const due = "+4d1m"
	difficult := func(name string, m *manifest.Manifest, change func(*world.State), ways ...[]string) field {
		f := field{kind: "pat", name: name, alone: true}
		for _, steps := range ways {
			f.starts = append(f.starts, start{name + ", " + cmp.Or(strings.Join(steps, " "), "absent"), func(t *testing.T) *node { return then(t, originWith(name, m, change), steps...) }})
		}
		return f
	}
	lag := world.Duration(45 * time.Second)
	return []field{
		{kind: "pat", name: "plain", people: true, crossings: true, pairs: true, latecomers: true, starts: []start{
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
		}},
		difficult("lists that lag", nil, func(s *world.State) { s.Knobs.DevOps.ListLag, s.Knobs.KeyVault.ListLag = lag, lag },
			nil, []string{"run", "+2m", due}, []string{"run", "+2m", due, "run", "+24h1m"}),
		difficult("revocations that lag", nil, func(s *world.State) { s.Knobs.DevOps.RevokeLatency = world.Duration(10 * time.Minute) },
			[]string{"run", due, "run", "+24h1m"}),
		difficult("rights that take minutes", nil, func(s *world.State) {
			s.Knobs.ARM.RBACDelay = world.Duration(10 * time.Minute)
			for _, a := range s.RoleAssignments {
				if strings.HasSuffix(a.Scope, "/kv-pat-prod") {
					a.Created = born.Add(85 * time.Minute)
				}
			}
		}, nil),
		difficult("a create that is repeated inside the service", nil, func(s *world.State) { s.Knobs.DevOps.DuplicateOnCreate = true }, nil),
		difficult("a policy that shortens lives", nil, func(s *world.State) { s.Knobs.DevOps.MaxLifespan = world.Duration(4 * day) }, nil),
		difficult("deletions that take a while", nil, func(s *world.State) {
			s.Knobs.KeyVault.DeleteTakes, s.Knobs.KeyVault.RecoverTakes = world.Duration(time.Minute), world.Duration(time.Minute)
		}, []string{"run", "a person deletes the secret"}),
		difficult("dates that are moved instead of values", theManifest("", "    strategy: extend"), nil, []string{"run", due}),
		{kind: "pat", name: "adoption", starts: []start{
			{"to be adopted", func(t *testing.T) *node { return adoptable(t) }},
			{"adopted", func(t *testing.T) *node { return adoptable(t, "run") }},
		}},
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
