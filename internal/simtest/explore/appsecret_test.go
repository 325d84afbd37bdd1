package explore

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// secretPromise is what the manifest below says: all but the kind is as it is for a token.
var secretPromise = func() invariant.Promise {
	p := promise
	p.Kind, p.Owner, p.Organization, p.Adopts = invariant.AppSecret, world.AppReporting, "", ""
	return p
}()

var (
	secretManifest = sync.OnceValue(func() *manifest.Manifest { return theSecretManifest("") })
	// ownedManifest lists an owner whom the application does not have yet.
	ownedManifest = sync.OnceValue(func() *manifest.Manifest { return secretManifestWith(", owners: ["+administrator+"]", "") })
)

// administrator is a person of the built-in world.
const administrator = "f1b037aa-0a89-40d5-9e68-8304d672b3e9"

func theSecretManifest(more string) *manifest.Manifest { return secretManifestWith("", more) }

func secretManifestWith(owners, more string) *manifest.Manifest {
	src := fmt.Sprintf(`version: 1
tenant: contoso.onmicrosoft.com
identity:
  clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}
vaults:
  prod: {name: kv-pat-prod}
credentials:
  devops-pat:
    appSecret: {appId: %s%s}
    tags: {owner: platform}
%s
    lifetime: 6d
    rotateBefore: 2d
    overlap: 24h
    store: {vault: prod, secret: %s}
`, rekeyClient, world.AppReporting, owners, more, secretName)
	m, problems := manifest.Parse("rekey.yaml", []byte(src), app.Kinds())
	if m == nil || problems.Failed() {
		panic(fmt.Sprint(problems))
	}
	return m
}

// secretOrigin is the world in which no client secret was published yet: the application has those of two teams, and
// others that look like Rekey's. What is removed stays in the world, because a checker looks back.
func secretOrigin(change func(*world.State)) *node {
	s := theWorld()
	built := world.BuiltIn()
	for _, a := range built.Apps {
		if a.ClientID != world.AppReporting {
			continue
		}
		a.Owners = []string{s.Apps[len(s.Apps)-1].ServicePrincipalID}
		elsewhere := rotation.Target{Vault: prodHost, Name: "another-secret"}
		old := rotation.NewGeneration(born.Add(-day), [5]byte{1, 2, 3, 4, 5})
		for i, name := range []string{
			rotation.Stamp{Credential: credential, Hash: elsewhere.Hash(), Generation: old}.String(),
			rotation.Stamp{Credential: "another", Hash: promise.Target.Hash(), Generation: old}.String(), // a hash that collides
			"rekey/" + credential + "/typed-by-hand",
		} {
			a.Secrets = append(a.Secrets, &world.PasswordCredential{KeyID: fmt.Sprintf("c0c0c0c0-0000-4000-8000-00000000000%d", i), Name: name,
				Start: born.Add(-day), End: born.Add(199 * day), Value: fmt.Sprintf("Ot%d8Q~%sOtherOtherOtherOther%d", i, world.Canary, i)})
		}
		s.Apps[len(s.Apps)-1].ApplicationPermissions = []string{"Application.ReadWrite.OwnedBy"}
		s.Apps = append(s.Apps, a)
	}
	s.Knobs.Graph.KeepRemoved = true
	if change != nil {
		change(&s)
	}
	return &node{state: s, at: born.Add(90 * time.Minute), foreign: foreignIn(s, secretPromise), manifest: secretManifest(), promise: secretPromise, step: "no client secret is published"}
}

// appSecretFields are the worlds of a client secret. The first one gets everything when it is explored until no new world
// appears.
func appSecretFields() []field {
	const due = "+4d1m"
	of := func(name string, change func(*world.State), ways ...[]string) field {
		f := field{kind: invariant.AppSecret, name: "client secret, " + name, alone: true}
		for _, way := range ways {
			f.starts = append(f.starts, start{f.name + ", " + way[0], func(t *testing.T) *node { return then(t, secretOrigin(change), way[1:]...) }})
		}
		return f
	}
	fields := []field{
		of("plain", nil, []string{"absent"}, []string{"current", "run"}, []string{"due", "run", due}, []string{"in the overlap", "run", due, "run"},
			[]string{"after the overlap", "run", due, "run", "+24h1m"}, []string{"with a young stray", "run", due, "run AddPassword:crash-after"},
			[]string{"with an orphan", "run", due, "run AddPassword:crash-after", "+61m"}, []string{"absent with an orphan", "run AddPassword:crash-after", "+61m"},
			[]string{"with a loser", "run", due, "run SetSecret:much-later", "+21m"}),
		of("changes that travel", func(s *world.State) {
			s.Knobs.Entra.NewSecretDelay, s.Knobs.Entra.Regions = world.Duration(18*time.Second), 3
			s.Knobs.Graph.ReplicationLag, s.Knobs.Graph.Replicas = world.Duration(4*time.Second), 2
			s.Knobs.Graph.WriteGap = world.Duration(2 * time.Second)
		}, []string{"absent"}, []string{"due", "run", due}, []string{"after the overlap", "run", due, "run", "+24h1m"}),
	}
	owned := field{kind: invariant.AppSecret, name: "client secret, an owner to be made", alone: true, short: 60, at: appointing}
	for _, way := range [][]string{{"absent"}, {"due", "run", due}} {
		owned.starts = append(owned.starts, start{owned.name + ", " + way[0], func(t *testing.T) *node {
			n := then(t, secretOrigin(nil), way[1:]...)
			n.manifest = ownedManifest()
			return n
		}})
	}
	fields = append(fields, owned)
	fields[0].people, fields[0].crossings, fields[0].pairs, fields[0].latecomers = true, true, true, true
	return fields
}

// appointing says whether a point is about an owner, or next to where one is made.
func appointing(p point) bool {
	return strings.HasPrefix(p.Label, "ledger appoint") || p.Label == "AddOwner" || p.Label == "AddPassword"
}

func TestTheOracleSeesAClientSecretThatIsRemovedTooSoon(t *testing.T) {
	t.Parallel()
	overlap := steadily(t, secretOrigin(nil), undisturbed, script{until: 4*day + time.Minute}, undisturbed, script{until: 10 * time.Minute})
	for name, c := range map[string]struct {
		back int // versions before the newest
		wait time.Duration
		gap  bool
	}{"the current one": {0, 0, true}, "the old one while somebody may have read it": {1, 0, true}, "the old one later": {1, 2 * time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			n := steadily(t, overlap, script{until: c.wait})
			e := play(t, n, vandal("removes it", func(s *world.State, now time.Time) {
				value := secret(s).Versions[len(secret(s).Versions)-1-c.back].Value
				for _, a := range s.Apps {
					for i, p := range a.Secrets {
						if p.Value == value {
							gone := *p
							gone.Removed = now
							a.RemovedSecrets, a.Secrets = append(a.RemovedSecrets, &gone), append(a.Secrets[:i:i], a.Secrets[i+1:]...)
							return
						}
					}
				}
				t.Error("there is nothing to remove")
			}))
			e = play(t, e.next, script{until: 5 * time.Minute})
			if said := len(e.violations) > 0; said != c.gap {
				t.Errorf("the oracle says %v, a gap is %t", e.violations, c.gap)
			}
		})
	}
}

// The checkers know a client secret's calls: one that is removed without a look at anything is no proven one.
func TestARemovalOfAClientSecretThatNothingProvesIsSeen(t *testing.T) {
	t.Parallel()
	n := steadily(t, secretOrigin(nil), undisturbed, script{until: 4*day + time.Minute}, undisturbed, script{until: 25 * time.Hour})
	e := play(t, n, undisturbed)
	revoked := 0
	for _, x := range e.events {
		if x.Call != nil && x.Call.Operation == "RemovePassword" {
			revoked++
			if x.Call.Before == nil || x.Call.Token == "" {
				t.Error("nobody knows what it was about")
			}
		}
	}
	if revoked != 1 || len(e.violations) > 0 {
		t.Fatalf("%d removals, %v", revoked, e.violations)
	}
	blind := &invariant.History{Promises: []invariant.Promise{n.promise}, Now: e.next.at, State: &e.next.state}
	for _, x := range e.events {
		if x.Call == nil || x.Call.Operation != "SignIn" {
			blind.Events = append(blind.Events, x)
		}
	}
	if got := invariant.Revoke.Check(blind); len(got) == 0 {
		t.Error("a removal without a probe is let through")
	}
}
