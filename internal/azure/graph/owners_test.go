package graph_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const administrator = "a7e3d0c1-5b7e-4f55-9a36-000000000001"

// playOwners is play in a world that has somebody to be an owner.
func playOwners(t *testing.T, change func(*world.World), f func(t *testing.T, s *sim.Server, i *graph.Secrets)) {
	t.Helper()
	play(t, func(w *world.World) {
		w.Users = append(w.Users, &world.User{ID: administrator, TenantID: world.TenantID, UPN: "admin@contoso.onmicrosoft.com"})
		if change != nil {
			change(w)
		}
	}, f)
}

func ownersOf(s *sim.Server) []string {
	w := s.World()
	w.Lock()
	defer w.Unlock()
	return slices.Clone(app(w, world.AppReporting).Owners)
}

func TestAnAdministratorIsMadeAnOwnerOnce(t *testing.T) {
	playOwners(t, nil, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		before := ownersOf(s)
		l, err := i.List(t.Context())
		if err != nil || !l.OwnersWhole || !slices.Equal(l.Owners, before) {
			t.Fatalf("listed %q (whole %t), %v, want %q", l.Owners, l.OwnersWhole, err, before)
		}
		for range 2 { // who is one already is a success
			if err := i.Appoint(t.Context(), administrator); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := ownersOf(s), append(before, administrator); !slices.Equal(got, want) {
			t.Errorf("the owners are %q, want %q", got, want)
		}
	})
}

func TestAnOwnerWhoIsRefusedIsSaidWhatToDoAbout(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world.World)
		id     func(*world.World) string
		kind   driver.Kind
		hint   string
	}{
		"who may not read the directory": {func(w *world.World) { w.Knobs.Graph.OwnersNeedDirectory = true }, nil, driver.Denied, "Directory.Read.All"},
		"who does not own the app":       {func(w *world.World) { app(w, world.AppReporting).Owners = nil }, nil, driver.Denied, "page Owners"},
		"somebody who is not there":      {nil, func(*world.World) string { return "a7e3d0c1-5b7e-4f55-9a36-00000000dead" }, driver.Missing, "a user or a service principal of this tenant"},
		"a group":                        {nil, func(w *world.World) string { return w.Groups[0].ID }, driver.Rejected, "nothing else can own"},
	} {
		t.Run(name, func(t *testing.T) {
			playOwners(t, c.change, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
				id := administrator
				if c.id != nil {
					id = c.id(s.World())
				}
				err := i.Appoint(t.Context(), id)
				refusedWith(t, err, c.kind, false, c.hint)
				if !driver.NotApplied(err) {
					t.Error("it may have been applied")
				}
			})
		})
	}
}

// The list that comes with the application names so many owners at most: then nobody knows whether there are more.
func TestAListOfTwentyOwnersMayNotBeWhole(t *testing.T) {
	for n, whole := range map[int]bool{19: true, 20: false} {
		playOwners(t, func(w *world.World) {
			a := app(w, world.AppReporting)
			for len(a.Owners) < n {
				u := &world.User{ID: w.NewID(), TenantID: world.TenantID, UPN: w.NewID() + "@contoso.onmicrosoft.com"}
				w.Users, a.Owners = append(w.Users, u), append(a.Owners, u.ID)
			}
		}, func(t *testing.T, _ *sim.Server, i *graph.Secrets) {
			if l, err := i.List(t.Context()); err != nil || len(l.Owners) != n || l.OwnersWhole != whole {
				t.Errorf("%d owners: %d listed, whole %t, %v", n, len(l.Owners), l.OwnersWhole, err)
			}
		})
	}
}

func TestAClashOfAnAppointmentIsSentAgain(t *testing.T) {
	playOwners(t, func(w *world.World) { w.Knobs.Graph.WriteGap = world.Duration(5 * time.Second) }, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		if _, err := i.Issue(t.Context(), request(time.Now(), 1)); err != nil {
			t.Fatal(err)
		}
		if err := i.Appoint(t.Context(), administrator); err != nil || sent(s, "AddOwner") < 2 {
			t.Errorf("%v after %d requests", err, sent(s, "AddOwner"))
		}
	})
}

func TestALostAppointmentMayHaveBeenApplied(t *testing.T) {
	playOwners(t, nil, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		if err := s.AddFaults(sim.Fault{Service: "graph", Operation: "AddOwner", Nth: 1, Do: sim.DoLost}); err != nil {
			t.Fatal(err)
		}
		if err := i.Appoint(t.Context(), administrator); driver.KindOf(err) != driver.Ambiguous {
			t.Errorf("%v", err)
		}
	})
}

// A certificate's issuer appoints as a client secret's does, to the application that it is of.
func TestTheIssuerOfACertificateAppointsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := over(t, func(w *world.World) {
			w.Users = append(w.Users, &world.User{ID: administrator, TenantID: world.TenantID, UPN: "admin@contoso.onmicrosoft.com"})
		})
		i := graph.NewCertificates(client, authority, nil, "", graph.CertificateSettings{AppID: world.AppReporting, Owners: manifest.Set{strings.ToUpper(administrator)}})
		of, ids := i.Owners()
		if of != "application "+world.AppReporting || !slices.Equal(ids, []string{administrator}) {
			t.Fatalf("%q of %q", ids, of)
		}
		if err := i.Appoint(t.Context(), ids[0]); err != nil || !slices.Contains(ownersOf(s), administrator) {
			t.Errorf("%v, %q", err, ownersOf(s))
		}
	})
}
