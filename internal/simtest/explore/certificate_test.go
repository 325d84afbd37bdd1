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
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// certificatePromise is what the manifest below says.
var certificatePromise = func() invariant.Promise {
	p := promise
	p.Kind, p.Owner, p.Organization, p.Adopts = invariant.AppCertificate, world.AppSigning, "", ""
	return p
}()

var certificateManifest = sync.OnceValue(func() *manifest.Manifest {
	src := fmt.Sprintf(`version: 1
tenant: contoso.onmicrosoft.com
identity:
  clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}
vaults:
  prod: {name: kv-pat-prod}
credentials:
  devops-pat:
    appCertificate: {appId: %s}
    tags: {owner: platform}
    lifetime: 6d
    rotateBefore: 2d
    overlap: 24h
    store: {vault: prod, secret: %s}
`, rekeyClient, world.AppSigning, secretName)
	m, problems := manifest.Parse("rekey.yaml", []byte(src), app.Kinds())
	if m == nil || problems.Failed() {
		panic(fmt.Sprint(problems))
	}
	return m
})

// certificateOrigin is the world in which no certificate was published yet: the application has its owners' own one, and
// others that look like Rekey's. What is removed stays in the world, because a checker looks back.
func certificateOrigin(change func(*world.State)) *node {
	s := theWorld()
	built := world.BuiltIn()
	for _, a := range built.Apps {
		if a.ClientID != world.AppSigning {
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
			a.Certificates = append(a.Certificates, &world.KeyCredential{KeyID: fmt.Sprintf("d0d0d0d0-0000-4000-8000-00000000000%d", i), Name: name,
				Start: born.Add(-day), End: born.Add(199 * day), DER: []byte{byte(i)}})
		}
		s.Apps[len(s.Apps)-1].ApplicationPermissions = []string{"Application.ReadWrite.OwnedBy"}
		s.Apps = append(s.Apps, a)
	}
	s.Knobs.Graph.KeepRemoved = true
	if change != nil {
		change(&s)
	}
	return &node{state: s, at: born.Add(90 * time.Minute), foreign: foreignIn(s, certificatePromise), manifest: certificateManifest(), promise: certificatePromise, step: "no certificate is published"}
}

// lateList is a list in place of the application's that arrives when its run is long over. It takes away what was added
// since, and Microsoft Graph has nothing to hold it against.
func lateList(p point, o outcome) bool {
	return (p.Label == "AddKey" || p.Label == "RemoveKey") && o == muchLater
}

// certificateFields are the worlds of an application's certificate. The first one comes by a list in place of the
// application's; those after it are added by themselves, and may be late.
func certificateFields() []field {
	const due = "+4d1m"
	of := func(name string, change func(*world.State), ways ...[]string) field {
		f := field{kind: "appCertificate", name: "certificate, " + name, alone: true, short: 12} // each run makes keys
		for _, steps := range ways {
			f.starts = append(f.starts, start{f.name + ", " + cmp.Or(strings.Join(steps, " "), "absent"), func(t *testing.T) *node { return then(t, certificateOrigin(change), steps...) }})
		}
		return f
	}
	first := of("the first one", nil, nil, []string{"run AddKey:crash-after", "+61m"})
	first.except = lateList
	return []field{
		first,
		of("plain", nil, []string{"run", due}, []string{"run", due, "run", "+24h1m"}, []string{"run", due, "run AddKey:crash-after", "+61m"}),
		of("changes that travel", func(s *world.State) {
			s.Knobs.Entra.NewCertificateDelay = world.Duration(18 * time.Second)
			s.Knobs.Graph.ReplicationLag, s.Knobs.Graph.Replicas = world.Duration(4*time.Second), 2
			s.Knobs.Graph.WriteGap = world.Duration(2 * time.Second)
		}, []string{"run", due}),
	}
}

// The checkers know what is a certificate's: one that is removed too soon is a gap, and one that is somebody else's is
// none of Rekey's business, in a list of all too.
func TestTheOracleSeesWhatBecomesOfCertificates(t *testing.T) {
	t.Parallel()
	overlap := steadily(t, certificateOrigin(nil), undisturbed, script{until: 4*day + time.Minute}, undisturbed, script{until: 10 * time.Minute})
	for name, c := range map[string]struct {
		remove func(s *world.State) string // a key id
		wait   time.Duration
		seen   bool
	}{
		"the current one":   {func(s *world.State) string { return heldCertificate(s, 0) }, 0, true},
		"the old one":       {func(s *world.State) string { return heldCertificate(s, 1) }, 0, true},
		"the old one later": {func(s *world.State) string { return heldCertificate(s, 1) }, 2 * time.Hour, false},
		"somebody else's":   {func(*world.State) string { return "d0d0d0d0-0000-4000-8000-000000000001" }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := steadily(t, overlap, script{until: c.wait})
			e := play(t, n, vandal("removes it", func(s *world.State, now time.Time) {
				id := c.remove(s)
				for _, a := range s.Apps {
					for i, k := range a.Certificates {
						if k.KeyID == id {
							gone := *k
							gone.Removed = now
							a.RemovedCertificates, a.Certificates = append(a.RemovedCertificates, &gone), append(a.Certificates[:i:i], a.Certificates[i+1:]...)
							return
						}
					}
				}
				t.Error("there is nothing to remove")
			}))
			e = play(t, e.next, script{until: 5 * time.Minute})
			if said := len(e.violations) > 0; said != c.seen {
				t.Errorf("the oracle says %v, and should: %t", e.violations, c.seen)
			}
		})
	}
}

// heldCertificate is the id of the certificate in a version of the secret, counted back from the newest.
func heldCertificate(s *world.State, back int) string {
	scene := invariant.SceneOf(s, certificatePromise, born)
	return scene.Versions[len(scene.Versions)-1-back].Holds
}

// Two strays are left, of which one becomes old enough to be an orphan during the run, and the vault's list is not to be
// had. It is ended after the first publication, and that must not rest on the absence that was seen before.
func TestWhatWasAbsentBeforeAPublicationProvesNoOrphanAfterIt(t *testing.T) {
	t.Parallel()
	n := then(t, certificateOrigin(nil), "run AddKey:late", "run AddKey:late", "until the end of the sweep window", "run challenge:malformed")
	for _, c := range invariant.SceneOf(&n.state, n.promise, n.at).Tokens {
		if c.Alive(n.at) && c.ID != heldCertificate(&n.state, 0) {
			t.Errorf("the orphan %s is left", c.ID)
		}
	}
}
