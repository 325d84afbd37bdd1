package graph_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// play runs f with an issuer for reporting-shared, in a bubble.
func play(t *testing.T, change func(*world.World), f func(t *testing.T, s *sim.Server, i *graph.Secrets)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, client := over(t, change)
		f(t, s, graph.New(client, authority, graph.Settings{AppID: world.AppReporting}))
	})
}

func request(at time.Time, n byte) driver.IssueRequest {
	return driver.IssueRequest{Stamp: rotation.Stamp{Credential: "c", Hash: "00000000", Generation: rotation.NewGeneration(at, [5]byte{n})}, Until: at.Add(30 * 24 * time.Hour)}
}

func sent(s *sim.Server, operation string) (n int) {
	for _, c := range s.Requests() {
		if c.Operation == operation {
			n++
		}
	}
	return n
}

func refusedWith(t *testing.T, err error, kind driver.Kind, person bool, hint string) {
	t.Helper()
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Person != person || !strings.Contains(e.Hint, hint) {
		t.Errorf("%v (%+v), want %v, for a person %v, %q", err, e, kind, person, hint)
	}
}

func TestWhatIsRefusedSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world.World)
		kind   driver.Kind
		person bool
		hint   string
	}{
		"who does not own the application":                       {func(w *world.World) { app(w, world.AppReporting).Owners = nil }, driver.Denied, false, "an owner of the app registration"},
		"who has no permission at all":                           {func(w *world.World) { w.Apps[len(w.Apps)-1].ApplicationPermissions = nil }, driver.Denied, false, "Application.ReadWrite.OwnedBy"},
		"a third secret of an application for personal accounts": {func(w *world.World) { app(w, world.AppReporting).SignInAudience = "PersonalMicrosoftAccount" }, driver.Rejected, true, "two client secrets at most"},
		"a secret under a policy against secrets": {func(w *world.World) {
			w.AppManagementPolicies = append(w.AppManagementPolicies, &world.AppManagementPolicy{ID: w.NewID(), TenantID: world.TenantID, Default: true, NoSecrets: true})
		}, driver.Rejected, true, "certificate"},
		"a secret that would outlive a policy": {func(w *world.World) {
			w.AppManagementPolicies = append(w.AppManagementPolicies, &world.AppManagementPolicy{ID: w.NewID(), TenantID: world.TenantID, Default: true, MaxSecretLife: world.Duration(time.Hour)})
		}, driver.Rejected, true, "shorten the lifetime"},
		"a secret for which there is no room":      {func(w *world.World) { w.Knobs.Graph.MaxCredentials = 2 }, driver.Rejected, true, "remove those that nobody needs"},
		"an application that is not in the tenant": {func(w *world.World) { app(w, world.AppReporting).ClientID = w.NewID() }, driver.Missing, false, "not its service principal's"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, c.change, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
				_, err := i.Issue(t.Context(), request(time.Now(), 1))
				refusedWith(t, err, c.kind, c.person, c.hint)
				if !driver.NotApplied(err) {
					t.Error("it may have been applied")
				}
			})
		})
	}
}

func TestWritesToOneApplicationTakeTurnsHoweverItIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := over(t, func(w *world.World) { w.Knobs.Graph.WriteGap = world.Duration(100 * time.Millisecond) })
		var id string
		w := s.World()
		w.Lock()
		id = app(w, world.AppReporting).ID
		w.Unlock()
		issuers := []*graph.Secrets{graph.New(client, authority, graph.Settings{AppID: world.AppReporting}), graph.New(client, authority, graph.Settings{ObjectID: id})}
		for _, i := range issuers {
			if _, err := i.List(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		// Each takes half a second, and nobody else's may begin in it.
		if err := s.AddFaults(sim.Fault{Service: "graph", Operation: "AddPassword", Nth: 1, Times: 100, Do: sim.DoDelay, Delay: world.Duration(500 * time.Millisecond)}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var all sync.WaitGroup
		for n := range 6 {
			all.Go(func() {
				if _, err := issuers[n%2].Issue(t.Context(), request(start, byte(n))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n, took := sent(s, "AddPassword"), time.Since(start); n != 6 || took < 3*time.Second {
			t.Errorf("%d were sent in %v, want 6 one after the other", n, took)
		}
	})
}

func TestAClashIsNotAppliedAndSentAgain(t *testing.T) {
	play(t, func(w *world.World) { w.Knobs.Graph.WriteGap = world.Duration(5 * time.Second) }, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		for n := range 2 {
			if _, err := i.Issue(t.Context(), request(time.Now(), byte(n))); err != nil {
				t.Fatal(err)
			}
		}
		if n := sent(s, "AddPassword"); n < 3 {
			t.Errorf("%d were sent, so nothing clashed", n)
		}
		l, err := i.List(t.Context())
		if stamped := stampedIn(l); err != nil || stamped != 2 {
			t.Errorf("%d are there, %v", stamped, err)
		}
	})
	play(t, func(w *world.World) { w.Knobs.Graph.WriteGap = world.Duration(time.Hour) }, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		if _, err := i.Issue(t.Context(), request(time.Now(), 1)); err != nil {
			t.Fatal(err)
		}
		_, err := i.Issue(t.Context(), request(time.Now(), 2))
		refusedWith(t, err, driver.Conflict, false, "")
		if n := sent(s, "AddPassword"); n > 10 {
			t.Errorf("%d were sent", n)
		}
	})
}

func stampedIn(l driver.Listing) (n int) {
	for _, i := range l.Issued {
		if rotation.LooksStamped(i.Name) {
			n++
		}
	}
	return n
}

func TestASecretThatAReplicaDoesNotKnowYetIsRemovedAllTheSame(t *testing.T) {
	play(t, func(w *world.World) { w.Knobs.Graph.ReplicationLag = world.Duration(4 * time.Second) }, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		made, err := i.Issue(t.Context(), request(time.Now(), 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Revoke(t.Context(), permitFor(t, made.Issued, time.Now()), time.Now()); err != nil {
			t.Fatal(err)
		}
		w := s.World()
		w.Lock()
		defer w.Unlock()
		for _, p := range app(w, world.AppReporting).Secrets {
			if p.KeyID == made.Issued.ID {
				t.Error("it was called gone, and it is alive")
			}
		}
	})
}

// Microsoft Graph refuses for once, and what arrives is somebody else's 200.
func TestARemovalThatIsAnsweredByAnotherIsNotDone(t *testing.T) {
	play(t, nil, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		made, err := i.Issue(t.Context(), request(time.Now(), 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AddFaults(sim.Fault{Service: "graph", Operation: "RemovePassword", Times: 1, Do: sim.DoAnswer, Status: 200, Body: `{}`}); err != nil {
			t.Fatal(err)
		}
		err = i.Revoke(t.Context(), permitFor(t, made.Issued, time.Now()), time.Now())
		refusedWith(t, err, driver.Ambiguous, false, "proxy")
		if err := i.Revoke(t.Context(), permitFor(t, made.Issued, time.Now()), time.Now()); err != nil {
			t.Error(err)
		}
	})
}

func permitFor(t *testing.T, i rotation.Issued, now time.Time) rotation.Permit {
	t.Helper()
	s, _ := rotation.ParseStamp(i.Name)
	d := rotation.Decide(rotation.Spec{Name: "c", Target: rotation.Target{Vault: "v", Name: "n"}, Enabled: true},
		rotation.Observation{Attempt: &rotation.Attempt{Generation: s.Generation, IssuerID: i.ID}}, now)
	r, ok := d.Action.(rotation.Revoke)
	if !ok {
		t.Fatalf("the core gives no permit: %v %s", d.Kind, d.Why)
	}
	return r.Permit
}

func TestOneSignInProvesNothing(t *testing.T) {
	play(t, func(w *world.World) {
		w.Knobs.Entra.NewSecretDelay, w.Knobs.Entra.NewSecretFlaps = world.Duration(40*time.Second), true
	}, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		made, err := i.Issue(t.Context(), request(time.Now(), 1))
		if err != nil {
			t.Fatal(err)
		}
		c, err := i.Check(t.Context(), made.Value)
		if err != nil || c.Works {
			t.Errorf("works %v, %v: it is taken every second time", c.Works, err)
		}
		time.Sleep(40 * time.Second)
		start := time.Now()
		if c, err = i.Check(t.Context(), made.Value); err != nil || !c.Works {
			t.Errorf("works %v, %v", c.Works, err)
		}
		if took := time.Since(start); took < 2*time.Second {
			t.Errorf("three sign-ins in %v: they are to be a second apart", took)
		}
	})
}

// Two regions know the secret, and the third has said that it does not: that answer was lost, and the next region was asked.
func TestASignInWhoseAnswerWasLostBeginsANewRow(t *testing.T) {
	play(t, func(w *world.World) {
		w.Knobs.Entra.NewSecretDelay, w.Knobs.Entra.Regions = world.Duration(time.Minute), 3
	}, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		made, err := i.Issue(t.Context(), request(time.Now(), 1))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(41 * time.Second)
		before := sent(s, "token:client_credentials")
		if err := s.AddFaults(sim.Fault{Service: "entra", Operation: "token:client_credentials", Nth: 3, Do: sim.DoLost}); err != nil {
			t.Fatal(err)
		}
		c, err := i.Check(t.Context(), made.Value)
		if err != nil || c.Works {
			t.Errorf("works %v, %v: one region in three refuses it", c.Works, err)
		}
		if n := sent(s, "token:client_credentials") - before; n < 6 {
			t.Errorf("%d sign-ins: the test is not about what it says", n)
		}
	})
}

func TestAnObstacleToEverySignInIsNotHeldAgainstTheSecret(t *testing.T) {
	for name, change := range map[string]func(*world.World){
		"no service principal":         func(w *world.World) { app(w, world.AppReporting).ServicePrincipalID = "" },
		"a disabled service principal": func(w *world.World) { app(w, world.AppReporting).Disabled = true },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, change, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
				made, err := i.Issue(t.Context(), request(time.Now(), 1))
				if err != nil {
					t.Fatal(err)
				}
				_, err = i.Check(t.Context(), made.Value)
				refusedWith(t, err, driver.Denied, false, "service principal")
			})
		})
	}
}

func TestAnApplicationThatIsNamedByItsObjectIDIsTheSameOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := over(t, nil)
		w := s.World()
		w.Lock()
		id := app(w, world.AppReporting).ID
		w.Unlock()
		i := graph.New(client, authority, graph.Settings{ObjectID: id})
		made, err := i.Issue(t.Context(), request(time.Now(), 1))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if c, err := i.Check(t.Context(), made.Value); err != nil || !c.Works || c.Identity != world.AppReporting {
				t.Errorf("works %v as %q, %v", c.Works, c.Identity, err)
			}
		}
		if n := sent(s, "GetApplication"); n != 1 {
			t.Errorf("the application was read %d times for its app id, want once", n)
		}
	})
}

func TestWhatHasExpiredIsListedIfItIsOurs(t *testing.T) {
	play(t, nil, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
		if _, err := i.Issue(t.Context(), request(time.Now(), 1)); err != nil {
			t.Fatal(err)
		}
		fill(s.World(), 3)
		s.World().Advance(31 * 24 * time.Hour)
		l, err := i.List(t.Context())
		if err != nil || stampedIn(l) != 1 || len(l.Issued) != 3 { // the built-in world's two live on
			t.Errorf("%d listed, %d ours, %v", len(l.Issued), stampedIn(l), err)
		}
	})
}

func TestAnApplicationWithoutAnOwnerIsReported(t *testing.T) {
	all := func(w *world.World) {
		w.Apps[len(w.Apps)-1].ApplicationPermissions = []string{"Application.ReadWrite.All"}
	}
	for owners, want := range map[string]int{"": 1, "somebody": 0} {
		play(t, func(w *world.World) {
			all(w)
			app(w, world.AppReporting).Owners = nil
			if owners != "" {
				app(w, world.AppReporting).Owners = []string{w.Users[0].ID}
			}
		}, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
			if l, err := i.List(t.Context()); err != nil || len(l.Notes) != want {
				t.Errorf("owner %q: notes %q, %v", owners, l.Notes, err)
			}
		})
	}
}

func TestWhatAReplicaDoesNotFindAndAnotherListsIsNotGone(t *testing.T) {
	for reads := range 2 { // which replica answers first
		play(t, func(w *world.World) {
			w.Knobs.Graph.ReplicationLag, w.Knobs.Graph.Replicas = world.Duration(time.Hour), 2
		}, func(t *testing.T, s *sim.Server, i *graph.Secrets) {
			made, err := i.Issue(t.Context(), request(time.Now(), 1))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Minute) // long after what is new is known
			for range reads {
				if _, err := i.List(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			err = i.Revoke(t.Context(), permitFor(t, made.Issued, time.Now()), time.Now())
			if err != nil {
				refusedWith(t, err, driver.Conflict, false, "")
			}
			w := s.World()
			w.Lock()
			defer w.Unlock()
			for _, p := range app(w, world.AppReporting).Secrets {
				if p.KeyID == made.Issued.ID && err == nil {
					t.Errorf("after %d reads it was called gone, and it is alive", reads)
				}
			}
		})
	}
}
