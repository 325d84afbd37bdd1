package roles

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func TestATimedAssignmentIsMadeSharedAndRemovedByTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		b.has(false, "before")
		one, other := b.timed(), b.timed()
		first := b.take(one, ask("run1", 10*time.Minute))
		b.has(true, "inside")
		if first.State != driver.Elevated || !first.Bound.Equal(first.Until.Add(time.Hour)) || first.Shared("run1") {
			t.Errorf("%+v", first)
		}
		<-time.After(5 * time.Minute)
		second := b.take(other, ask("run2", 10*time.Minute))
		if !second.Until.Equal(first.Until.Add(5*time.Minute)) || !second.Shared("run2") || second.ID != first.ID {
			t.Errorf("the second has %+v of %+v", second, first)
		}
		if left := b.release(one, first, "run1"); left.State != driver.Elevated || !left.Until.Equal(second.Until) {
			t.Errorf("the first leaves %+v", left)
		}
		b.has(true, "while the other has it")
		if left := b.release(other, second, "run2"); left.State != driver.NotElevated {
			t.Errorf("the last leaves %+v", left)
		}
		b.has(false, "after the last")
		if left := b.release(other, second, "run2"); left.State != driver.NotElevated {
			t.Errorf("once more: %+v", left)
		}
	})
}

func TestALongerAskMovesTheEndOfTheSameRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		e := b.timed()
		first := b.take(e, ask("run1", 10*time.Minute))
		<-time.After(8 * time.Minute)
		again := b.take(e, ask("run1", 10*time.Minute))
		if !again.Until.Equal(first.Until.Add(8*time.Minute)) || again.Shared("run1") {
			t.Errorf("%+v", again)
		}
	})
}

func TestWhatADeadRunLeftIsOverForTheNextOneAndFoundByTheSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		b.take(b.timed(), ask("dead", 10*time.Minute))
		<-time.After(time.Hour)
		found, err := b.timed().Find(t.Context())
		if err != nil || len(found) != 1 || found[0].Until.After(b.now()) || found[0].Runs[0] != "dead" || found[0].Role != officer {
			t.Fatalf("found %+v, %v", found, err)
		}
		b.has(true, "nobody has ended it")
		e := b.take(b.timed(), ask("run2", 10*time.Minute))
		if e.Shared("run2") {
			t.Errorf("it is shared with the dead: %+v", e)
		}
		found, _ = b.timed().Find(t.Context())
		if _, err := b.timed().End(t.Context(), found[0]); err != nil {
			t.Fatal(err)
		}
		b.has(false, "after it was ended")
	})
}

func TestAStandingAssignmentIsUsedAndLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(s *world.State) {
			s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: "0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2bff", Scope: scope(), RoleID: world.RoleKeyVaultOfficer, PrincipalID: world.RekeyPrincipal, PrincipalType: "ServicePrincipal"})
		})
		e := b.take(b.timed(), ask("run1", 10*time.Minute))
		if !e.Standing || !e.Until.IsZero() {
			t.Errorf("%+v", e)
		}
		if found, err := b.timed().Find(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}

func TestWhatWasJustRemovedIsAskedForAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(s *world.State) { s.Knobs.ARM.ExistsAfterRemoval = world.Duration(3 * time.Minute) })
		e := b.timed()
		b.release(e, b.take(e, ask("run1", 10*time.Minute)), "run1")
		_, err := e.Take(t.Context(), ask("run2", 10*time.Minute))
		var de *driver.Error
		if driver.KindOf(err) != driver.Conflict || !asDriver(err, &de) || de.RetryAfter == 0 {
			t.Fatalf("%v", err)
		}
		<-time.After(3 * time.Minute)
		b.take(e, ask("run2", 10*time.Minute))
	})
}

func asDriver(err error, e **driver.Error) bool {
	x, ok := err.(*driver.Error)
	*e = x
	return ok
}

func TestALostAnswerToAnAssignmentIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		e := b.timed()
		b.fault("PutRoleAssignment", sim.DoLost, 1)
		got, err := e.Take(t.Context(), ask("run1", 10*time.Minute))
		if driver.KindOf(err) != driver.Ambiguous || got.ID == "" {
			t.Fatalf("%+v, %v", got, err)
		}
		looked, err := e.Look(t.Context(), got)
		if err != nil || looked.State != driver.Elevated || !looked.Until.Equal(got.Until) {
			t.Fatalf("%+v, %v", looked, err)
		}
		b.fault("DeleteRoleAssignment", sim.DoLost, 1)
		if _, err := e.Release(t.Context(), looked, "run1"); driver.KindOf(err) != driver.Ambiguous {
			t.Fatal(err)
		}
		if left := b.release(e, looked, "run1"); left.State != driver.NotElevated {
			t.Errorf("%+v", left)
		}
		b.has(false, "after all")
	})
}

func TestABrokerThatMayNotIsSaidToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		s := settings()
		s.Role = "Key Vault Administrator"
		_, err := NewTimed(b.arm("rekey-broker"), s, time.Hour).Take(t.Context(), ask("run1", time.Hour))
		if driver.KindOf(err) != driver.Denied || !strings.Contains(why(err), "Data Access Administrator") {
			t.Error(why(err))
		}
		s.Role = "Key Vault Secret Officer"
		_, err = NewTimed(b.arm("rekey-broker"), s, time.Hour).Take(t.Context(), ask("run1", time.Hour))
		if driver.KindOf(err) != driver.Missing || !strings.Contains(why(err), "no role of that name at vault kv-jit") {
			t.Error(why(err))
		}
	})
}

func TestAMarkIsReadAsItWasWritten(t *testing.T) {
	at := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	var many []lease
	for i := range 12 {
		many = append(many, lease{"run" + string(rune('a'+i)), at.Add(time.Duration(i) * time.Minute)})
	}
	for name, leases := range map[string][]lease{"one": many[:1], "two": many[:2], "too many": many} {
		text := markOf(leases, "why\nindeed: (run x until y)")
		got, ours := parseMark(text)
		if want := leases[max(0, len(leases)-maxLeases):]; !ours || !slices.Equal(got, want) {
			t.Errorf("%s: %q is read as %v", name, text, got)
		}
	}
	for _, s := range []string{"", "rekey", "rekey until 2026-11-21T15:00:00Z ()", "rekey until 2026-11-21T15:00:00Z (run a until yesterday)", "made by rekey until 2026-11-21T15:00:00Z (run a until 2026-11-21T15:00:00Z)"} {
		if got, ours := parseMark(s); ours {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}
