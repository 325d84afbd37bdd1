package explore

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// madePromise is what the manifest below says.
var madePromise = func() invariant.Promise {
	p := promise
	p.Kind, p.Owner, p.Organization, p.Adopts = invariant.Random, "", "", ""
	return p
}()

func madeManifest(adopt string) *manifest.Manifest {
	src := fmt.Sprintf(`version: 1
tenant: contoso.onmicrosoft.com
identity:
  clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}
vaults:
  prod: {name: kv-pat-prod}
credentials:
  devops-pat:
    random: {password: {length: 32}%s}
    tags: {owner: platform}
    lifetime: 6d
    rotateBefore: 2d
    overlap: 24h
    store: {vault: prod, secret: %s}
`, rekeyClient, adopt, secretName)
	m, problems := manifest.Parse("rekey.yaml", []byte(src), app.Kinds())
	if m == nil || problems.Failed() {
		panic(fmt.Sprint(problems))
	}
	return m
}

var plainMade = sync.OnceValue(func() *manifest.Manifest { return madeManifest("") })
var adoptMade = sync.OnceValue(func() *manifest.Manifest { return madeManifest(", adopt: true") })

// madeOrigin is the world in which there is no value yet.
func madeOrigin(change func(*world.State)) *node {
	s := theWorld()
	if change != nil {
		change(&s)
	}
	return &node{state: s, at: born.Add(90 * time.Minute), foreign: foreignIn(s, madePromise), manifest: plainMade(), promise: madePromise, step: "no value is made"}
}

// theirs is a secret that a person made, which the manifest adopts.
func theirs(t *testing.T, steps ...string) *node {
	n := madeOrigin(func(s *world.State) {
		v := prod(s)
		v.Secrets = append(v.Secrets, &world.Secret{Name: secretName})
		write(s, born, "somebody's own value", map[string]string{"team": "a"})
	})
	n.manifest, n.step = adoptMade(), "a person's value is in the secret"
	return then(t, n, steps...)
}

// madeFields are the worlds of a value of our own making: it is in no list but that of its versions, and nothing of it is
// anywhere before it is published.
func madeFields() []field {
	const due = "+4d1m"
	of := func(name string, change func(*world.State), ways ...[]string) field {
		f := field{kind: "random", name: "made value, " + name, alone: true}
		for _, steps := range ways {
			f.starts = append(f.starts, start{f.name + ", " + cmp.Or(strings.Join(steps, " "), "absent"), func(t *testing.T) *node { return then(t, madeOrigin(change), steps...) }})
		}
		return f
	}
	lag := world.Duration(45 * time.Second)
	adoption := field{kind: "random", name: "made value, adoption", alone: true}
	for _, steps := range [][]string{nil, {"run"}, {"run", due}, {"run", due, "run", "+24h1m"}} {
		adoption.starts = append(adoption.starts, start{adoption.name + ", " + cmp.Or(strings.Join(steps, " "), "to be adopted"), func(t *testing.T) *node { return theirs(t, steps...) }})
	}
	return []field{
		of("plain", nil, nil, []string{"run"}, []string{"run", due}, []string{"run", due, "run"}, []string{"run", due, "run", "+24h1m"},
			[]string{"run", due, "run SetSecret:crash-after"}, []string{"run", due, "run SetSecret:much-later", "+21m"}, []string{"run SetSecret:much-later", "+21m"}),
		of("lists that lag", func(s *world.State) { s.Knobs.KeyVault.ListLag = lag }, nil, []string{"run", "+2m", due}, []string{"run", "+2m", due, "run", "+24h1m"}),
		adoption,
	}
}

// The checkers know what is made here: a version that is disabled while somebody may have read it is a gap, and one that
// nobody looked at the versions for is no proven one.
func TestTheOracleSeesAVersionThatIsDisabledTooSoon(t *testing.T) {
	t.Parallel()
	overlap := steadily(t, madeOrigin(nil), undisturbed, script{until: 4*day + time.Minute}, undisturbed, script{until: 10 * time.Minute})
	for name, c := range map[string]struct {
		back int // versions before the newest
		wait time.Duration
		gap  bool
	}{"the current one": {0, 0, true}, "the old one while somebody may have read it": {1, 0, true}, "the old one later": {1, 2 * time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			n := steadily(t, overlap, script{until: c.wait})
			e := play(t, n, vandal("disables it", func(s *world.State, now time.Time) {
				v := secret(s).Versions[len(secret(s).Versions)-1-c.back]
				v.Disabled, v.Updated = true, now
			}))
			e = play(t, e.next, script{until: 5 * time.Minute})
			if said := len(e.violations) > 0; said != c.gap {
				t.Errorf("the oracle says %v, a gap is %t", e.violations, c.gap)
			}
		})
	}
}

func TestAVersionThatIsDisabledWithoutALookIsSeen(t *testing.T) {
	t.Parallel()
	n := steadily(t, madeOrigin(nil), undisturbed, script{until: 4*day + time.Minute}, undisturbed, script{until: 25 * time.Hour})
	e := play(t, n, undisturbed)
	ended := 0
	for _, x := range e.events {
		if x.Call != nil && x.Call.Operation == "DisableVersion" {
			if ended++; x.Call.Before == nil || x.Call.Token == "" {
				t.Error("nobody knows what it was about")
			}
		}
	}
	if ended != 1 || len(e.violations) > 0 {
		t.Fatalf("%d versions are disabled, %v", ended, e.violations)
	}
	for _, unseen := range []string{"GetSecretVersions", "GetSecret"} {
		blind := &invariant.History{Promises: []invariant.Promise{n.promise}, Now: e.next.at, State: &e.next.state}
		for _, x := range e.events {
			if x.Call == nil || x.Call.Operation != unseen {
				blind.Events = append(blind.Events, x)
			}
		}
		if got := invariant.Revoke.Check(blind); len(got) == 0 {
			t.Errorf("a version that is disabled without %s is let through", unseen)
		}
	}
}
