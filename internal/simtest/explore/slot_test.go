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

const batchUser = "754c2455-5e48-4761-a579-96280daa33a9"

func batchOf(s *world.State) *world.User {
	for _, u := range s.Users {
		if u.ID == batchUser {
			return u
		}
	}
	return nil
}

// slotPromise is what the manifest below says.
func slotPromise(s world.State) invariant.Promise {
	p := promise
	p.Kind, p.Owner, p.Organization, p.Adopts = invariant.ServiceAccount, batchUser, "", batchOf(&s).Password
	return p
}

var slotManifest = sync.OnceValue(func() *manifest.Manifest {
	src := fmt.Sprintf(`version: 1
tenant: contoso.onmicrosoft.com
identity:
  clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}
concurrency: external
vaults:
  prod: {name: kv-pat-prod}
credentials:
  devops-pat:
    serviceAccount:
      user: svc-batch@contoso.onmicrosoft.com
      clientId: %s
      adopt: true
    tags: {owner: platform}
    lifetime: 6d
    rotateBefore: 2d
    store: {vault: prod, secret: %s}
`, rekeyClient, signInClient, secretName)
	m, problems := manifest.Parse("rekey.yaml", []byte(src), app.Kinds())
	if m == nil || problems.Failed() {
		panic(fmt.Sprint(problems))
	}
	return m
})

// slotOrigin is the world in which a person has put the account's password into the secret, or nobody has.
func slotOrigin(absent bool, change func(*world.State)) *node {
	s := theWorld()
	s.Apps[len(s.Apps)-1].ApplicationPermissions = []string{"User.Read.All", "User-PasswordProfile.ReadWrite.All"}
	if !absent {
		v := prod(&s)
		v.Secrets = append(v.Secrets, &world.Secret{Name: secretName})
		write(&s, born, batchOf(&s).Password, map[string]string{"team": "a"})
	}
	if change != nil {
		change(&s)
	}
	p := slotPromise(s)
	return &node{state: s, at: born.Add(90 * time.Minute), foreign: foreignIn(s, p), manifest: slotManifest(), promise: p, step: "no password was set"}
}

// slotFields are the worlds of a service account's password. People are left out, and so are two runs at once, which the
// manifest has said that there are none of; that one which sleeps is overtaken is gone through all the same.
func slotFields() []field {
	const due = "+4d1m"
	of := func(name string, absent bool, change func(*world.State), ways ...[]string) field {
		f := field{kind: "serviceAccount", name: "password, " + name, alone: true}
		for _, steps := range ways {
			f.starts = append(f.starts, start{f.name + ", " + cmp.Or(strings.Join(steps, " "), "first"), func(t *testing.T) *node { return then(t, slotOrigin(absent, change), steps...) }})
		}
		return f
	}
	return []field{
		of("plain", false, nil, nil, []string{"run"}, []string{"run", due}, []string{"run", due, "run UpdateUser:crash-after"}, []string{"run", due, "run SetSecret:much-later", "+21m"}),
		of("in no secret", true, nil, nil),
		of("slow to arrive", false, func(s *world.State) {
			s.Knobs.Entra.NewPasswordDelay, s.Knobs.Entra.Regions = world.Duration(20*time.Second), 3
		}, nil, []string{"run", due}),
	}
}

// The checkers know a password: one that somebody sets and tells nobody is lost, and one that is published late is seen
// when all is settled.
func TestTheOracleSeesAPasswordThatIsLost(t *testing.T) {
	t.Parallel()
	n := steadily(t, slotOrigin(false, nil), undisturbed)
	e := play(t, n, vandal("sets another", func(s *world.State, now time.Time) {
		batchOf(s).Password, batchOf(s).PasswordChanged = "Sim."+world.Canary+".by-hand.9Zz1", now
	}))
	if len(e.violations) != 1 || e.violations[0].Invariant != invariant.Gap.Name {
		t.Errorf("%v", e.violations)
	}
	half := then(t, slotOrigin(false, nil), "run", "+4d1m", "run UpdateUser:crash-after")
	h := &invariant.History{Promises: []invariant.Promise{half.promise}, Now: half.at, State: &half.state}
	if got := invariant.Stray.Check(h); len(got) != 1 {
		t.Errorf("a password that was never published: %v", got)
	}
}
