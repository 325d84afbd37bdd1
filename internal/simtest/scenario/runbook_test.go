package scenario

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// A runbook that reads the scenarios' secret by its id and configures something that uses it, and an encrypted variable.
const (
	runbookName = "Deploy-Token"
	jobVariable = "DeployToken"
	runbookID   = "deploy"
	variableID  = "scripts"
)

func automationAccount() *world.AutomationAccount { return world.BuiltIn().AutomationAccounts[0] }

func runbookYAML() string {
	at := automationAccount().ResourceID()
	return "consumers:\n  " + runbookID + ":\n    runbook: {account: " + at + ", name: " + runbookName + "}\n  " +
		variableID + ":\n    automationVariable: {account: " + at + ", name: " + jobVariable + "}\n    cache: 2h"
}

// withRunbook adds both to the world. They hold a token that somebody made by hand.
func withRunbook(s *world.State) {
	a := s.AutomationAccounts[0]
	use := world.Target{Organization: "contoso"}
	a.Runbooks = append(a.Runbooks, &world.Runbook{Name: runbookName, Type: "PowerShell", Holds: tokenOf(0),
		Parameters: []*world.RunbookParameter{{Name: "SecretId", Type: "System.String", Mandatory: true}}, Script: world.Script{IDParameter: "SecretId", Use: use}})
	a.Variables = append(a.Variables, &world.AutomationVariable{Name: jobVariable, Encrypted: true, Value: `"` + tokenOf(0) + `"`, Description: "made by hand", Use: use})
	s.RoleAssignments = append(s.RoleAssignments,
		&world.RoleAssignment{Name: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f31", Scope: a.ResourceID(), RoleID: world.RoleAutomationContributor, PrincipalID: rekeySP, PrincipalType: "ServicePrincipal"},
		&world.RoleAssignment{Name: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f32", Scope: s.Vaults[0].ResourceID(), RoleID: world.RoleKeyVaultUser, PrincipalID: a.IdentityID, PrincipalType: "ServicePrincipal"})
}

// automationOperation names a call to an Automation account.
func automationOperation(r *http.Request) string {
	switch p := r.URL.Path; {
	case strings.HasSuffix(p, "/permissions"):
		return "ListPermissions"
	case strings.HasSuffix(p, "/output"):
		return "GetJobOutput"
	case strings.Contains(p, "/jobs/"):
		return map[string]string{"GET": "GetJob", "PUT": "CreateJob"}[r.Method]
	case strings.Contains(p, "/runbooks/"):
		return "GetRunbook"
	case strings.Contains(p, "/variables/"):
		return map[string]string{"GET": "GetVariable", "PATCH": "UpdateVariable"}[r.Method]
	}
	return "other"
}

// runners plays a scenario whose credential has both, and at whose every change both must work.
func runners(t *testing.T, scenario func(b *bed)) {
	t.Helper()
	playIn(t, withRunbook, func(b *bed) {
		b.write(func(s *settings) { s.more = runbookYAML() })
		remove := b.sim.OnAnswer(func(_, operation string, _ int) {
			switch operation {
			case "CreateJob", "GetJob", "UpdateVariable", "RevokePat":
				b.runbooksWork("after " + operation)
			}
		})
		defer remove()
		scenario(b)
	})
}

// configured is what both hold.
func (b *bed) configured() (out map[string]string) {
	b.world(func(w *world.World) {
		out = map[string]string{}
		for _, h := range w.Holdings() {
			switch {
			case strings.HasSuffix(h.Consumer, "/runbooks/"+runbookName):
				out[runbookID] = h.Value
			case strings.HasSuffix(h.Consumer, "/variables/"+jobVariable):
				out[variableID] = h.Value
			}
		}
	})
	return out
}

func (b *bed) runbooksWork(when string) {
	for what, v := range b.configured() {
		b.world(func(w *world.World) {
			if tried := w.Try(v, world.Target{Organization: "contoso"}); !tried.Works {
				b.Errorf("%s stands still %s: %s", what, when, tried.Why)
			}
		})
	}
}

// configuredNewest fails the test unless both hold the newest version's value.
func (b *bed) configuredNewest() {
	b.Helper()
	want := b.newest().Value
	for what, v := range b.configured() {
		if v != want {
			b.Errorf("%s is not on the newest publication", what)
		}
	}
}

// ran has the first token published and told, and comes to the time of the second.
func (b *bed) ran() (old string) {
	b.Helper()
	b.apply().is(report.Done, "current").did("issue", "publish", "tell", "tell")
	b.configuredNewest()
	old = b.record().IssuerID
	b.pass(4*day + time.Minute)
	return old
}

func (b *bed) automation(f func(k *world.AutomationKnobs)) {
	b.world(func(w *world.World) { f(&w.Knobs.Automation) })
}

func TestARunbooksJobIsWaitedForAndItsOutputIsInTheLedger(t *testing.T) {
	runners(t, func(b *bed) {
		old := b.ran()
		b.automation(func(k *world.AutomationKnobs) { k.JobTakes = world.Duration(90 * time.Second) })
		o := b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell", "tell")
		b.configuredNewest()
		if notes := strings.Join(o.cred().Notes, " "); !strings.Contains(notes, runbookID+" cannot be tried") {
			b.Errorf("notes %q", notes)
		}
		said := ""
		for _, e := range b.entries() {
			said += e.Said
		}
		if !strings.Contains(said, ": Completed: The credential was updated.") {
			b.Errorf("the ledger says %q", said)
		}
		b.pass(day + time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		if b.lives(old) {
			b.Error("the old token lives on")
		}
		b.settle()
		b.configuredNewest()
	})
}

// sickRunbook is what can go wrong with a runbook while the variable is well.
var sickRunbook = map[string]struct {
	does  sim.Fault
	knobs func(k *world.AutomationKnobs)
	error string
}{
	"the service refuses the job": {does: sim.Fault{Operation: "CreateJob", Do: sim.DoAnswer, Status: 400, Body: `{"code":"BadRequest","message":"no"}`}, error: "rejected"},
	"the service is down":         {does: sim.Fault{Operation: "CreateJob", Do: sim.DoAnswer, Status: 503}, error: "ambiguous"},
	"the service hangs":           {does: sim.Fault{Operation: "CreateJob", Do: sim.DoDelay, Delay: world.Duration(3 * time.Hour)}, error: "ambiguous"},
	"jobs cannot be read":         {does: sim.Fault{Operation: "GetJob", Do: sim.DoAnswer, Status: 500}, error: "unavailable"},
	"the job fails":               {knobs: func(k *world.AutomationKnobs) { k.JobOutcome = "Failed" }, error: "rejected (Failed)"},
	"the job is suspended":        {knobs: func(k *world.AutomationKnobs) { k.JobOutcome = "Suspended" }, error: "rejected (Suspended)"},
	"the job hangs":               {knobs: func(k *world.AutomationKnobs) { k.JobOutcome = "hang" }, error: "does not work with the newest publication yet: its job"},
}

func TestARunbookThatCannotBeToldHoldsTheEndOfTheOldOneAndNoOtherConsumer(t *testing.T) {
	for name, c := range sickRunbook {
		t.Run(name, func(t *testing.T) {
			runners(t, func(b *bed) {
				b.neverRollsBack()
				old := b.ran()
				if c.knobs != nil {
					b.automation(c.knobs)
				} else {
					f := c.does
					f.Service = "automation"
					b.faults(f)
				}
				o := b.apply()
				o.is(report.Failed, "")
				if e := o.cred().Error; e == nil || !strings.Contains(e.Text, c.error) {
					b.Errorf("%v, want %q", o, c.error)
				}
				b.pass(day + time.Hour) // over the overlap
				b.apply().is(report.Failed, "")
				if b.told(variableID) != "2 done, 0 failed, 0 unknown" {
					b.Errorf("the other one was told: %s", b.told(variableID))
				}
				if !b.lives(old) {
					b.Error("the old token was revoked although the runbook's system may use it")
				}
				if c.knobs != nil {
					b.automation(func(k *world.AutomationKnobs) { *k = world.AutomationKnobs{} })
				} else {
					b.struck()
				}
				b.apply()
				b.pass(3 * time.Hour)
				b.settle()
				b.configuredNewest()
				if b.lives(old) {
					b.Error("the old token lives on")
				}
			})
		})
	}
}

// The exception, which plan and run name: nobody but the script knows what it did.
func TestARunbookThatDoesNothingAndSaysThatItDidIsGuardedByTheOverlapAlone(t *testing.T) {
	playIn(t, withRunbook, func(b *bed) {
		b.write(func(s *settings) { s.more = runbookYAML() })
		old := b.ran()
		b.automation(func(k *world.AutomationKnobs) { k.JobOutcome = "nothing" })
		o := b.apply().is(report.Waiting, "overlap")
		if notes := strings.Join(o.cred().Notes, " "); !strings.Contains(notes, runbookID+" cannot be tried: that it works rests on its mark and on the overlap") {
			b.Errorf("notes %q", notes)
		}
		b.pass(day - time.Hour)
		b.apply().is(report.Waiting, "overlap").did()
		if !b.lives(old) {
			b.Error("the old token ended within its overlap")
		}
		b.runbooksWork("within the overlap")
	})
}

func TestTwoRunsWhoseJobsCrossEndWithTheRunbookOnTheCurrentPublication(t *testing.T) {
	for _, meet := range []string{"before SetSecret", "after SetSecret", "before CreateJob", "after CreateJob", "after GetJobOutput"} {
		for _, takes := range []time.Duration{0, 2 * time.Minute} {
			t.Run(meet+", a job takes "+takes.String(), func(t *testing.T) {
				runners(t, func(b *bed) {
					b.ran()
					b.automation(func(k *world.AutomationKnobs) { k.JobTakes = world.Duration(takes) })
					b.twoMeet(meet)
					b.runbooksWork("after both")
					b.pass(10 * time.Minute)
					b.settle()
					b.configuredNewest()
				})
			})
		}
	}
}

func TestARunThatIsKilledAnywhereAroundAJobLeavesWhatTheNextOneMends(t *testing.T) {
	for _, at := range []string{"GetRunbook", "ListPermissions", "GetJob", "CreateJob", "GetJobOutput", "UpdateVariable"} {
		for _, when := range []string{"before ", "after "} {
			t.Run(when+at, func(t *testing.T) {
				runners(t, func(b *bed) {
					b.ran()
					b.killedAt(when+at, 1, b.runbooksWork)
					b.configuredNewest()
				})
			})
		}
	}
}

func TestAJobsLostAnswerStartsNoSecondJob(t *testing.T) {
	runners(t, func(b *bed) {
		b.ran()
		b.faults(sim.Fault{Service: "automation", Operation: "CreateJob", Do: sim.DoLost, Times: 1})
		b.apply().is(report.Waiting, "overlap")
		b.configuredNewest()
		jobs := 0
		b.world(func(w *world.World) { jobs = len(w.AutomationAccounts[0].Jobs) })
		if jobs != 2 {
			b.Errorf("%d jobs for two publications", jobs)
		}
		b.settle()
	})
}
