package roles

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func TestAnActiveAssignmentIsEndedEarlyOrByAzure(t *testing.T) {
	for name, c := range map[string]struct {
		length, after time.Duration
		left          bool
	}{
		"much would remain":        {time.Hour, 10 * time.Minute, false},
		"little would remain":      {20 * time.Minute, 6 * time.Minute, true},
		"too young to be removed":  {time.Hour, 2 * time.Minute, true},
		"so young that it is none": {time.Hour, 10 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, func(s *world.State) { s.Knobs.PIM.NotRemovableFor = world.Duration(time.Minute) })
				e := b.assigned()
				got := b.take(e, ask("run1", c.length))
				b.has(true, "inside")
				if got.State != driver.Elevated || !got.Bound.Equal(got.Until) || got.Until.Sub(got.Date) != c.length {
					t.Errorf("%+v", got)
				}
				<-time.After(c.after)
				left := b.release(e, got, "run1")
				if (left.State == driver.Elevated) != c.left {
					t.Errorf("it leaves %+v", left)
				}
				b.has(c.left, "after it was given back")
				<-time.After(c.length)
				b.has(false, "after its end")
				if left := b.release(e, got, "run1"); left.State == driver.Elevated && left.Until.After(b.now()) {
					t.Errorf("once more: %+v", left)
				}
			})
		})
	}
}

func TestTwoRunsShareAnActiveAssignmentAndTheLongerOneEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		one, other := b.assigned(), b.assigned()
		first := b.take(one, ask("run1", time.Hour))
		<-time.After(30 * time.Minute)
		short := b.take(other, ask("run2", 20*time.Minute))
		if !short.Shared("run2") || !short.Until.Equal(first.Until) {
			t.Errorf("%+v shares %+v", short, first)
		}
		if left := b.release(other, short, "run2"); left.State != driver.Elevated {
			t.Errorf("who only shared it has ended it: %+v", left)
		}
		long := b.take(other, ask("run3", 2*time.Hour))
		if !long.Until.Equal(b.now().Add(2 * time.Hour)) {
			t.Errorf("%+v", long)
		}
		if left := b.release(one, first, "run1"); left.State != driver.Elevated {
			t.Errorf("the first has ended what another made longer: %+v", left)
		}
		b.has(true, "while the longer one has it")
		<-time.After(10 * time.Minute)
		if left := b.release(other, long, "run3"); left.State != driver.NotElevated {
			t.Errorf("%+v", left)
		}
		b.has(false, "after all")
	})
}

func TestAnAssignmentThatListsDoNotShowYetIsAskedForLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(s *world.State) { s.Knobs.PIM.ListLag = world.Duration(time.Minute) })
		b.take(b.assigned(), ask("run1", time.Hour))
		_, err := b.assigned().Take(t.Context(), ask("run2", time.Hour))
		if driver.KindOf(err) != driver.Conflict {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if got := b.take(b.assigned(), ask("run2", time.Hour)); !got.Shared("run2") {
			t.Errorf("%+v", got)
		}
	})
}

func TestALostAnswerOfPIMIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		e := b.assigned()
		b.fault("PutRoleAssignmentRequest", sim.DoLost, 1)
		got, err := e.Take(t.Context(), ask("run1", time.Hour))
		if driver.KindOf(err) != driver.Ambiguous || got.ID == "" {
			t.Fatalf("%+v, %v", got, err)
		}
		looked, err := e.Look(t.Context(), got)
		if err != nil || looked.State != driver.Elevated || looked.Until.Before(b.now().Add(59*time.Minute)) {
			t.Fatalf("%+v, %v", looked, err)
		}
		b.fault("PutRoleAssignmentRequest", sim.DoCut, 1)
		if got, err = b.assigned().Take(t.Context(), ask("run2", time.Hour)); driver.KindOf(err) != driver.Ambiguous {
			t.Fatalf("%+v, %v", got, err)
		}
		if looked, err = e.Look(t.Context(), got); err != nil || looked.State != driver.NotElevated {
			t.Errorf("what never came is %+v, %v", looked, err)
		}
	})
}

func TestWhatTheRulesForbidIsNotAskedFor(t *testing.T) {
	at := world.Place{Realm: world.RealmAzure, Scope: scope(), RoleID: world.RoleKeyVaultOfficer}
	for name, c := range map[string]struct {
		policy world.RolePolicy
		ask    driver.Ask
		want   string
	}{
		"too long":            {world.RolePolicy{Place: at, MaxActive: world.Duration(30 * time.Minute)}, ask("r", time.Hour), "(ExpirationRule): 1h0m0s is longer than the 30m0s"},
		"a second factor":     {world.RolePolicy{Place: at, ActiveNeeds: []string{world.NeedMFA}}, ask("r", time.Hour), "(MfaRule)"},
		"a ticket":            {world.RolePolicy{Place: at, ActiveNeeds: []string{world.NeedTicket}}, ask("r", time.Hour), "--ticket"},
		"under five minutes":  {world.RolePolicy{Place: at}, ask("r", 4*time.Minute), "shorter than the 5m0s"},
		"a ticket that there": {world.RolePolicy{Place: at, ActiveNeeds: []string{world.NeedTicket}}, driver.Ask{Run: "r", For: time.Hour, Ticket: "INC-1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, func(s *world.State) { s.RolePolicies = append(s.RolePolicies, &c.policy) })
				err := b.assigned().Preflight(t.Context(), c.ask)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(why(err), c.want)) {
					t.Errorf("%v", err)
				}
				if w := b.sim.World(); len(w.RoleRequests) != 0 {
					t.Error("it was asked for")
				}
			})
		})
	}
}

func TestATenantWithoutPIMIsToldOfTimedAssignments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(s *world.State) { s.Knobs.PIM.NoLicence = true })
		if err := b.assigned().Preflight(t.Context(), ask("r", time.Hour)); err == nil || !strings.Contains(why(err), TimedKind) {
			t.Error(err)
		}
	})
}

func TestARefusedRequestNamesTheRuleAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(s *world.State) {
			s.RolePolicies = append(s.RolePolicies, &world.RolePolicy{Place: world.Place{Realm: world.RealmAzure, Scope: scope(), RoleID: world.RoleKeyVaultOfficer}, MaxActive: world.Duration(30 * time.Minute)})
		})
		_, err := b.assigned().Take(t.Context(), ask("r", time.Hour))
		if err == nil || !strings.Contains(why(err), "ExpirationRule") || strings.Contains(why(err), "requested duration") {
			t.Error(err)
		}
	})
}

func TestWhatIsThereIsFoundWithItsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		e := b.assigned()
		b.take(e, ask("run1", time.Hour))
		<-time.After(6 * time.Minute)
		found, err := e.Find(t.Context())
		if err != nil || len(found) != 1 || found[0].Runs[0] != "run1" || found[0].Until.Sub(b.now()) != 54*time.Minute {
			t.Fatalf("%+v, %v", found, err)
		}
		if left, err := e.End(t.Context(), found[0]); err != nil || left.State != driver.NotElevated {
			t.Errorf("%+v, %v", left, err)
		}
		b.has(false, "after it was ended")
		if found, err := e.Find(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}
