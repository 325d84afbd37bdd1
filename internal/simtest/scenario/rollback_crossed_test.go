package scenario

import (
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// due comes to the time at which the second token is to be rolled back, and gives what it is rolled back to.
func (b *bed) dueToRollBack() (old string) {
	b.Helper()
	b.write(func(s *settings) { s.lifetime, s.rotateBefore = "9d", "5d" })
	old = b.replaced()
	b.Cleanup(b.sickOf(unauthorized))
	b.apply().is(report.Failed, "")
	b.pass(rollbackAfter)
	return old
}

func TestARunThatIsKilledAnywhereAroundARollbackLeavesWhatTheNextOneMends(t *testing.T) {
	for at, nth := range map[string]int{
		"GetSecretVersions": 2, "GetSecret": 2, "ConnectionData": 1, "SetSecret": 1, "UpdateServiceEndpoint": 2, "TestServiceEndpoint": 3, "UpdateVariableGroup": 1,
	} {
		for _, when := range []string{"before ", "after "} {
			t.Run(when+at, func(t *testing.T) {
				tellers(t, nil, func(b *bed) {
					old := b.dueToRollBack()
					m := b.machine()
					m.hook.at(when+at, nth, func() fate { return die })
					if o := m.begin("apply")(); !o.killed {
						b.Fatalf("it was not killed: %v", o)
					}
					b.bothWork("after the kill")
					b.pass(10 * time.Minute)
					b.apply()
					b.rolledBack(old)
					b.nextTry()
				})
			})
		}
	}
}

func TestARollbackWhoseAnswerIsLostIsLookedForAndNotSentTwiceByOneRun(t *testing.T) {
	for name, c := range map[string]struct {
		does sim.Fault
		puts int // of the token that was there before, in all
	}{
		"applied":                   {sim.Fault{Do: sim.DoLost}, 2},
		"never arrived":             {sim.Fault{Do: sim.DoCut}, 3},
		"arrives a minute and more": {sim.Fault{Do: sim.DoLate, Delay: world.Duration(3 * time.Minute)}, 3},
		"not known":                 {sim.Fault{Do: sim.DoAnswer, Status: 503}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			tellers(t, nil, func(b *bed) {
				old := b.dueToRollBack()
				f := c.does
				f.Service, f.Operation, f.Nth = "keyvault", "SetSecret", 1
				f.Agent = agent
				if err := b.sim.AddFaults(f); err != nil {
					b.Fatal(err)
				}
				b.apply().is(report.Failed, "")
				b.bothWork("after the answer was lost")
				b.pass(10 * time.Minute)
				b.apply()
				b.rolledBack(old)
				if n := b.versionsOf(old); n > c.puts {
					b.Errorf("it was published %d times", n)
				}
				b.nextTry()
			})
		})
	}
}

// versionsOf counts the versions that hold a token.
func (b *bed) versionsOf(id string) (n int) {
	token := b.pat(id).Token
	for _, v := range b.versions() {
		if v.Value == token {
			n++
		}
	}
	return n
}

func TestTwoRunsThatCrossWithARollbackEndWithEveryConsumerOnTheCurrentPublication(t *testing.T) {
	for name, c := range map[string]struct {
		meet string
		nth  int
		args []string // of the other run
	}{
		"both about to roll back":                    {"before SetSecret", 1, []string{"apply"}},
		"both having rolled back":                    {"after SetSecret", 1, []string{"apply"}},
		"both having read what they roll back to":    {"after ConnectionData", 1, []string{"apply"}},
		"both about to tell":                         {"before UpdateServiceEndpoint", 2, []string{"apply"}},
		"both having told the connection":            {"after UpdateServiceEndpoint", 2, []string{"apply"}},
		"both having told the group":                 {"after UpdateVariableGroup", 1, []string{"apply"}},
		"one rolls back, a person replaces":          {"before SetSecret", 1, []string{"rotate", credential}},
		"a person has replaced, one has rolled back": {"after SetSecret", 1, []string{"rotate", credential}},
		"a person has replaced and tells":            {"before UpdateVariableGroup", 1, []string{"rotate", credential}},
		"a person rolls back too":                    {"before SetSecret", 1, []string{"rollback", credential, "--yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			tellers(t, nil, func(b *bed) {
				old := b.dueToRollBack()
				one, two := b.machine(), b.machine()
				met := meeting(2)
				nth := c.nth
				one.hook.at(c.meet, nth, met)
				if c.args[0] != "apply" && nth > 1 {
					nth = 1 // it tells nobody again first
				}
				two.hook.at(c.meet, nth, met)
				first, second := one.begin("apply"), two.begin(c.args...)
				first()
				second()
				b.bothWork("after both")
				b.sim.ClearFaults()
				b.apply()
				b.onNewest()
				if r := b.record(); c.args[0] != "rotate" && r.IssuerID != old {
					b.Errorf("not rolled back: %+v", r)
				}
				b.settle()
				b.onNewest()
			})
		})
	}
}

func TestARunThatSleptBeforeItsRollbackPublishesNothingOld(t *testing.T) {
	for name, at := range map[string]struct {
		event string
		nth   int
	}{"before the put": {"before SetSecret", 1}, "having probed": {"after ConnectionData", 1}, "having read the value": {"after GetSecret", 3}} {
		t.Run(name, func(t *testing.T) {
			tellers(t, nil, func(b *bed) {
				b.dueToRollBack()
				slow := b.machine()
				slow.hook.at(at.event, at.nth, func() fate { b.pass(30 * time.Hour); return live })
				ended := slow.begin("apply")
				b.pass(time.Hour)
				b.sim.ClearFaults()
				b.run("rotate", credential)
				b.pass(25 * time.Hour)
				b.apply() // ends what the sleeping one would go back to
				b.onNewest()
				ended()
				b.bothWork("after the sleeper woke")
				b.apply()
				b.settle()
				b.onNewest()
			})
		})
	}
}
