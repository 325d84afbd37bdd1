package devops_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const manyVault = "kv-pat-prod.vault.azure.net"

// byHand makes a PAT in an organisation of the built-in world: 0 is contoso, 1 is fabrikam.
func byHand(w *world.World, organization int, name, scope string) string {
	w.Lock()
	defer w.Unlock()
	id := w.NewID()
	w.Organizations[organization].PATs = append(w.Organizations[organization].PATs, &world.PAT{
		AuthorizationID: id, OwnerID: w.Users[0].ID, Name: name, Scope: scope, AllOrgs: scope == "",
		ValidFrom: w.Now(), ValidTo: w.Now().Add(24 * time.Hour), Token: w.MintPAT(),
	})
	return id
}

func block(s *sim.Server, settings devops.SeveralSettings, template string, apart func(string, string, string) string) *devops.Several {
	opts := azhttp.NewClient(s.Transport(), nil).Options(cloud.AzurePublic)
	return devops.NewSeveral(opts, &user{s: s}, settings, "agents", manyVault, template, apart)
}

func TestOnePATOfManyIsAnIssuer(t *testing.T) {
	drivertest.Issuer(t, func(t *testing.T) drivertest.IssuerBed {
		s, err := sim.New(sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		byHand(s.World(), 0, "agent one", "vso.packaging vso.code")
		byHand(s.World(), 0, "agent two", "vso.wiki")
		b := block(s, devops.SeveralSettings{Account: "svc", Organizations: []string{"contoso"}, Select: "agent *"}, "pat-{name}", nil)
		if _, err := b.Lists()[0].List(t.Context()); err != nil {
			t.Fatal(err)
		}
		found := b.Choose(nil, true)
		if len(found) != 2 {
			t.Fatalf("%+v", found)
		}
		return drivertest.IssuerBed{
			Issuer: found[0].Issuer, Twin: found[1].Issuer, Service: simulated.Service(s, operations, refusal),
			Fill: func(n int) { fill(s.World(), n) },
			Clamp: func(d time.Duration) {
				w := s.World()
				w.Lock()
				defer w.Unlock()
				w.Knobs.DevOps.MaxLifespan = world.Duration(d)
			},
			Lapse: simulated.Lapse,
		}
	})
}

// seen is what a test wants of a choice: the credential's name, its secret, and whether it takes something over (a), is
// missing (m), is refused (r), or has a note (n).
func seen(all []devops.Chosen) (out []string) {
	for _, c := range all {
		s := string(c.Name) + " " + c.Secret + " "
		for _, x := range []struct {
			yes  bool
			mark string
		}{{c.Adopt != "", "a"}, {c.Missing, "m"}, {c.Why != "", "r"}, {len(c.Notes) > 0, "n"}} {
			if x.yes {
				s += x.mark
			}
		}
		out = append(out, strings.TrimSpace(s))
	}
	return out
}

func TestWhichPATsABlockStandsFor(t *testing.T) {
	both := devops.SeveralSettings{Account: "svc", Organizations: []string{"contoso", "fabrikam"}, Select: "agent*"}
	one := devops.SeveralSettings{Account: "svc", Organizations: []string{"contoso"}, Select: "agent*"}
	long := strings.Repeat("long ", 12)
	for _, c := range []struct {
		name     string
		settings devops.SeveralSettings
		template string
		apart    func(string, string, string) string
		across   bool
		world    func(*world.World)
		want     []string
	}{
		{name: "by name, whatever the case", settings: one, template: "p-{name}", world: func(w *world.World) {
			byHand(w, 0, "Agent  X.1", "vso.code")
			byHand(w, 0, "other", "vso.code")
			byHand(w, 0, "an agent", "vso.code")
		}, want: []string{"agents-agent-x-1 p-agent-x-1 a"}},
		{name: "each of its own organisation", settings: both, template: "{organization}-{name}", world: func(w *world.World) {
			byHand(w, 0, "agent", "vso.code")
			byHand(w, 1, "agent", "vso.wiki")
		}, want: []string{"agents-contoso-agent contoso-agent a", "agents-fabrikam-agent fabrikam-agent a"}},
		{name: "two organisations, one secret", settings: both, template: "p-{name}", world: func(w *world.World) {
			byHand(w, 0, "agent", "vso.code")
			byHand(w, 1, "agent", "vso.wiki")
		}, want: []string{"agents-agent p-agent r"}},
		{name: "an organisation's list has those of others", settings: one, template: "p-{name}", across: true, world: func(w *world.World) {
			byHand(w, 0, "agent here", "vso.code")
			byHand(w, 1, "agent there", "vso.code")
		}, want: []string{"agents-agent-here p-agent-here a"}},
		{name: "one for all organisations", settings: one, template: "p-{name}", world: func(w *world.World) { byHand(w, 0, "agent", "") },
			want: []string{"agents-agent p-agent r"}},
		{name: "a name that cannot be written, and two that are long", settings: one, template: "p-{name}", world: func(w *world.World) {
			byHand(w, 0, "agent 日本", "vso.code")
			byHand(w, 0, "agent "+long+"1", "vso.code")
			byHand(w, 0, "agent "+long+"2", "vso.code")
		}, want: []string{"agents-agent-f604d3 p-agent-f604d3 a", "agents-agent-long-long-long-long-c183d2 p-agent-long-long-long-long-c183d2 a", "agents-agent-long-long-long-long-ec4ad5 p-agent-long-long-long-long-ec4ad5 a"}},
		{name: "another credential adopts it", settings: one, template: "p-{name}", world: func(w *world.World) { byHand(w, 0, "agent", "vso.code") },
			apart: func(_, _, name string) string { return "credential x adopts " + name }, want: []string{"agents-agent p-agent ar"}},
		{name: "stamped for the secret, and published by nobody", settings: devops.SeveralSettings{Account: "svc", Organizations: []string{"contoso"}, Stamped: true}, template: "p-{name}",
			world: func(w *world.World) {
				h := rotation.Target{Vault: manyVault, Name: "p-agent"}.Hash()
				byHand(w, 0, "rekey/agents-agent/"+h+"/01m7ynsgfv5ed9wa8s", "vso.code")
				byHand(w, 0, "rekey/agents-other/"+h+"/01m7ynsgfv5ed9wa8s", "vso.code")
				byHand(w, 0, "rekey/agents-x", "vso.code")
			}, want: []string{"agents-agent p-agent"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := sim.New(sim.Config{})
			if err != nil {
				t.Fatal(err)
			}
			w := s.World()
			w.Knobs.DevOps.ListAcrossOrgs = c.across
			c.world(w)
			b := block(s, c.settings, c.template, c.apart)
			for _, l := range b.Lists() {
				if _, err := l.List(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := seen(b.Choose(nil, true)); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// record is the record of a secret that names a PAT and the one before it.
func record(t *testing.T, shape, id, predecessor string) rotation.Secret {
	t.Helper()
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	r := rotation.Record{Generation: rotation.NewGeneration(now, [5]byte{1}), Publication: rotation.NewPublication(now, [5]byte{2}), IssuerID: id, Predecessor: predecessor,
		Shape: shape, Expires: now.Add(time.Hour), RevokeAfter: now}
	if predecessor != "" {
		r.PredecessorExpires = now
	}
	tag, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return rotation.Secret{State: rotation.Present, Enabled: true, Tags: map[string]string{rotation.RecordTag: tag}}
}

func TestWhatWasTakenOverIsKnownByItsRecord(t *testing.T) {
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	before := byHand(s.World(), 0, "agent", "vso.code")
	hash := rotation.Target{Vault: manyVault, Name: "p-agent"}.Hash()
	now := byHand(s.World(), 0, "rekey/agents-agent/"+hash+"/01m7ynsgfv5ed9wa8s", "vso.code")
	b := block(s, devops.SeveralSettings{Account: "svc", Organizations: []string{"contoso"}, Select: "agent*"}, "p-{name}", nil)
	shape := func() string {
		if _, err := b.Lists()[0].List(t.Context()); err != nil {
			t.Fatal(err)
		}
		return b.Choose(nil, true)[0].Shape
	}()
	known := map[string]rotation.Secret{
		"p-agent":   record(t, shape, now, before),
		"p-gone":    record(t, shape, "00000000-0000-4000-8000-000000000001", ""),
		"p-foreign": {State: rotation.Present, Enabled: true},
		"p-single":  record(t, "0123456789", "00000000-0000-4000-8000-000000000002", ""),
		"q-agent":   record(t, shape, "00000000-0000-4000-8000-000000000003", ""),
	}
	if got, want := seen(b.Choose(known, false)), []string{"agents-agent p-agent", "agents-gone p-gone"}; !slices.Equal(got, want) {
		t.Errorf("by the vault alone: %q, want %q", got, want)
	}
	all := b.Choose(known, true)
	if got, want := seen(all), []string{"agents-agent p-agent a", "agents-gone p-gone m"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if all[0].Adopt != before {
		t.Errorf("adopts %s, and what was taken over is %s", all[0].Adopt, before)
	}

	// Another one of the same name is left alone, and said.
	byHand(s.World(), 0, "Agent", "vso.code")
	if _, err := b.Lists()[0].List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := seen(b.Choose(known, true)), []string{"agents-agent p-agent an", "agents-gone p-gone m"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}

	// A block that was renamed goes on with what it has: by the records, and by the stamps' hashes.
	opts := azhttp.NewClient(s.Transport(), nil).Options(cloud.AzurePublic)
	renamed := devops.NewSeveral(opts, &user{s: s}, devops.SeveralSettings{Account: "svc", Organizations: []string{"contoso"}, Stamped: true}, "builders", manyVault, "p-{name}", nil)
	if got, want := fmt.Sprint(seen(renamed.Choose(known, false))), "[builders-agent p-agent builders-gone p-gone]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}

	// A record of another organisation than the block names is said, where there are several to choose from.
	elsewhere := block(s, devops.SeveralSettings{Account: "svc", Organizations: []string{"fabrikam", "adatum"}, Stamped: true}, "p-{name}", nil)
	if got, want := seen(elsewhere.Choose(known, false)), []string{"agents-agent p-agent r", "agents-gone p-gone r"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
