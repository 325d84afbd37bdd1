package automation_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/automation"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func runbook(s *sim.Server, change ...func(*automation.RunbookSettings)) *automation.Runbook {
	x := settings(byID)
	for _, c := range change {
		c(&x)
	}
	return automation.NewRunbook("r", as(s, operator), x, shopID)
}

// now makes a publication of this moment.
func now(s *sim.Server, n byte) rotation.Publication {
	return locked(s, func(w *world.World, _ *world.AutomationAccount) rotation.Publication {
		return rotation.NewPublication(w.Now(), [5]byte{n})
	})
}

func jobs(s *sim.Server) []*world.Job {
	return locked(s, func(_ *world.World, a *world.AutomationAccount) []*world.Job { return a.Jobs })
}

// knobs turns those of Automation.
func knobs(s *sim.Server, f func(k *world.AutomationKnobs)) {
	locked(s, func(w *world.World, _ *world.AutomationAccount) bool { f(&w.Knobs.Automation); return true })
}

// told publishes a new value and tells the runbook.
func told(t *testing.T, s *sim.Server, r *automation.Runbook, p rotation.Publication) (rotation.ConsumerState, error) {
	t.Helper()
	v := mint(s, world.AppShop)
	publish(s, v)
	return r.Tell(t.Context(), p, value(v))
}

// is wants a consumer to be on a publication, or on none.
func is(t *testing.T, r *automation.Runbook, want rotation.Publication, works bool, published ...rotation.Publication) rotation.ConsumerState {
	t.Helper()
	state, err := r.State(t.Context(), published)
	if err != nil || state.Publication != want || state.Works != works || state.Works == (state.Why != "") {
		t.Errorf("%+v, %v; want %q, works %v", state, err, want, works)
	}
	return state
}

func TestARunbookIsGivenTheIDAndWhatTheManifestSaysAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		r := runbook(s, func(x *automation.RunbookSettings) {
			x.RunOn, x.Parameters = world.WorkerGroupName, map[string]string{"Environment": "production"}
		})
		state, err := told(t, s, r, now(s, 1))
		if err != nil || !state.Works || !strings.Contains(state.Said, ": Completed: The credential was updated.") {
			t.Fatalf("%+v %v", state, err)
		}
		j := jobs(s)[0]
		if len(j.Parameters) != 2 || j.Parameters["SecretId"] != shopID || j.Parameters["Environment"] != "production" || j.RunOn != world.WorkerGroupName || len(jobs(s)) != 1 {
			t.Errorf("%+v", j)
		}
	})
}

func TestAJobThatFailsIsFollowedByAnotherAndARepeatByNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		p := now(s, 1)
		knobs(s, func(k *world.AutomationKnobs) { k.JobOutcome = "Failed" })
		for n := range 5 {
			// Each in a process of its own, which knows nothing of the others.
			_, err := told(t, s, runbook(s), p)
			var e *driver.Error
			if !errors.As(err, &e) || e.Kind != driver.Rejected || e.Code != "Failed" || !driver.NotApplied(err) || e.Hint == "" {
				t.Fatalf("%v", err)
			}
			if len(jobs(s)) != n+1 {
				t.Fatalf("%d jobs after %d tries", len(jobs(s)), n+1)
			}
			if state := is(t, runbook(s), "", false, p); !strings.Contains(state.Why, "did its work") {
				t.Errorf("%+v", state)
			}
		}
		knobs(s, func(k *world.AutomationKnobs) { k.JobOutcome = "" })
		for range 3 {
			if state, err := told(t, s, runbook(s), p); err != nil || !state.Works {
				t.Fatalf("%+v %v", state, err)
			}
			is(t, runbook(s), p, true, p)
		}
		if n := len(jobs(s)); n != 6 {
			t.Errorf("%d jobs; a repeat of the one that completed is that job", n)
		}
	})
}

func TestAnotherPublicationIsAnotherJob(t *testing.T) {
	for _, conflict := range []string{"", "conflict"} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t)
			knobs(s, func(k *world.AutomationKnobs) { k.RepeatedJob = conflict })
			r := runbook(s)
			var all []rotation.Publication
			for n := range byte(3) {
				s.World().Advance(time.Hour)
				all = append(all, now(s, n))
				if state, err := told(t, s, r, all[n]); err != nil || !state.Works {
					t.Fatalf("%+v %v", state, err)
				}
				is(t, runbook(s), all[n], true, all...)
			}
			if len(jobs(s)) != 3 {
				t.Errorf("%d jobs", len(jobs(s)))
			}
		})
	}
}

func TestAJobOfAnEarlierPublicationThatEndsLaterIsUndoneByAnotherJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		one := now(s, 1)
		knobs(s, func(k *world.AutomationKnobs) { k.JobTakes = world.Duration(2 * time.Hour) })
		if state, err := told(t, s, runbook(s), one); err != nil || state.Publication != one || state.Works || !strings.Contains(state.Why, "running") {
			t.Fatalf("%+v %v", state, err)
		}
		s.World().Advance(time.Hour)
		two := now(s, 2)
		knobs(s, func(k *world.AutomationKnobs) { k.JobTakes = 0 })
		locked(s, func(_ *world.World, a *world.AutomationAccount) bool {
			j := a.Jobs[0] // goes on, whatever other jobs take
			j.Status, j.Ended = "Running", time.Time{}
			j.Started = j.Started.Add(9 * time.Hour)
			return true
		})
		if state, err := told(t, s, runbook(s), two); err != nil || !state.Works {
			t.Fatalf("%+v %v", state, err)
		}
		other := runbook(s)
		if state := is(t, other, two, false, one, two); !strings.Contains(state.Why, "still runs") {
			t.Errorf("%+v", state)
		}
		// Told again, it waits for the other one and starts nothing.
		if state, err := other.Tell(t.Context(), two, value("x")); err != nil || state.Works || len(jobs(s)) != 2 {
			t.Errorf("%+v %v", state, err)
		}
		s.World().Advance(10 * time.Hour)
		is(t, other, one, false, one, two)
		if state, err := told(t, s, other, two); err != nil || !state.Works || len(jobs(s)) != 3 {
			t.Errorf("%+v %v, %d jobs", state, err, len(jobs(s)))
		}
		is(t, runbook(s), two, true, one, two)
	})
}

func TestWhatTheServiceForgotIsLapsedAndWhatFailedIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		r, p := runbook(s), now(s, 1)
		if _, err := told(t, s, r, p); err != nil {
			t.Fatal(err)
		}
		for _, day := range []int{14, 16, 29} {
			s.World().Advance(time.Duration(day)*24*time.Hour - locked(s, func(w *world.World, _ *world.AutomationAccount) time.Duration {
				return w.Now().Sub(rotation.Generation(p).Time())
			}))
			if is(t, runbook(s), p, true, p).Lapsed {
				t.Errorf("lapsed after %d days", day)
			}
		}
		s.World().Advance(3 * 24 * time.Hour)
		if state := is(t, runbook(s), p, true, p); !state.Lapsed || !state.Weak {
			t.Errorf("%+v", state)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		p := now(s, 1)
		knobs(s, func(k *world.AutomationKnobs) { k.JobOutcome = "Failed" })
		for day := range 50 {
			if _, err := told(t, s, runbook(s), p); err == nil {
				t.Fatal("it was told")
			}
			is(t, runbook(s), "", false, p)
			if n := len(jobs(s)); n != min(day+1, 30) {
				t.Fatalf("%d jobs on day %d", n, day)
			}
			s.World().Advance(24 * time.Hour)
		}
	})
}

func TestAJobThatHangsIsSaidToHangAfterItsTimeout(t *testing.T) {
	for name, hang := range map[string]func(k *world.AutomationKnobs){
		"a script that never ends": func(k *world.AutomationKnobs) { k.JobOutcome = "hang" },
		"a worker that is off":     func(k *world.AutomationKnobs) { k.DeadWorkers = []string{"*"} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				knobs(s, hang)
				r, p := runbook(s, func(x *automation.RunbookSettings) { x.RunOn = world.WorkerGroupName }), now(s, 1)
				begin := time.Now()
				state, err := told(t, s, r, p)
				if err != nil || state.Publication != p || state.Works || time.Since(begin) < 3*time.Minute || time.Since(begin) > 5*time.Minute {
					t.Errorf("%+v %v after %v", state, err, time.Since(begin))
				}
				s.World().Advance(time.Hour)
				if state := is(t, r, p, false, p); !strings.Contains(state.Why, "longer than its timeout") {
					t.Errorf("%+v", state)
				}
				begin = time.Now()
				if _, err := told(t, s, r, p); err != nil || time.Since(begin) > 10*time.Second || len(jobs(s)) != 1 {
					t.Errorf("%v after %v, %d jobs", err, time.Since(begin), len(jobs(s)))
				}
			})
		})
	}
}

func TestWhatCannotBeToldIsRefusedInPreflightWithWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(x *automation.RunbookSettings)
		world  func(a *world.AutomationAccount)
		kind   driver.Kind
		want   string
	}{
		"a runbook that is not published":         {world: func(a *world.AutomationAccount) { a.Runbook(byID).State = "New" }, kind: driver.Rejected, want: "publish the runbook"},
		"a worker group that is not there":        {change: func(x *automation.RunbookSettings) { x.RunOn = "nowhere" }, kind: driver.Rejected, want: "register the worker group"},
		"a mandatory parameter that nobody gives": {change: func(x *automation.RunbookSettings) { x.IDParameter = "Id" }, kind: driver.Rejected, want: "as idParameter"},
		"an account that is not there":            {change: func(x *automation.RunbookSettings) { x.Account += "0" }, kind: driver.Denied, want: "check the account"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				if c.world != nil {
					locked(s, func(_ *world.World, a *world.AutomationAccount) bool { c.world(a); return true })
				}
				var change []func(*automation.RunbookSettings)
				if c.change != nil {
					change = append(change, c.change)
				}
				var e *driver.Error
				if err := runbook(s, change...).Preflight(t.Context()); !errors.As(err, &e) || e.Kind != c.kind || !e.Person || !strings.Contains(e.Hint, c.want) {
					t.Errorf("%v, want a hint with %q", err, c.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		v := automation.NewVariable("v", as(s, operator), automation.VariableSettings{Account: accountID(), Name: "ReportingUrl"})
		var e *driver.Error
		if _, err := v.Tell(t.Context(), publication(1), value("v")); !errors.As(err, &e) || !e.Person || !strings.Contains(e.Hint, "encrypted") {
			t.Errorf("%v", err)
		}
	})
}

func TestAParameterThatTheRunbookDoesNotDeclareIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := automation.NewRunbook("r", as(serve(t), operator), func() automation.RunbookSettings {
			x := settings("Restart-Workers")
			x.IncludeSecret, x.Parameters = true, map[string]string{"Environment": "x"}
			return x
		}(), shopID)
		if n := r.Notes(); len(n) != 1 || !strings.Contains(n[0], "readable for 30 days") {
			t.Errorf("%q", n)
		}
		if err := r.Preflight(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Join(r.Notes(), "; "); !strings.Contains(n, "declares no parameter ClientSecret") || !strings.Contains(n, "declares no parameter Environment") {
			t.Errorf("%q", n)
		}
	})
}

func TestAnUpdateOfAnAssetKeepsPeoplesWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		locked(s, func(_ *world.World, a *world.AutomationAccount) bool {
			a.Credential("Reporting").Description = "of the finance team"
			return true
		})
		c := automation.NewCredential("c", as(s, operator), automation.CredentialSettings{Account: accountID(), Name: "reporting"})
		for n := range byte(2) {
			if state, err := c.Tell(t.Context(), publication(n), value(`a "value" <with> \ all`)); err != nil || state.Publication != publication(n) {
				t.Fatalf("%+v %v", state, err)
			}
		}
		x := locked(s, func(_ *world.World, a *world.AutomationAccount) world.AutomationCredential {
			return *a.Credential("Reporting")
		})
		if !strings.HasPrefix(x.Description, "of the finance team [rekey ") || strings.Count(x.Description, "[rekey") != 1 || x.Password != `a "value" <with> \ all` || x.UserName != world.AppReporting {
			t.Errorf("%+v", x)
		}
	})
}
