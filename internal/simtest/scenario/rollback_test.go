package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// rollbackAfter is the manifest's default.
const rollbackAfter = time.Hour

// sickOf makes consumers ill with the second credential and with no other: the fault comes with its publication, and
// goes with the next.
func (b *bed) sickOf(second sim.Fault) (remove func()) {
	second.Service = "devops"
	published := 0
	return b.sim.OnAnswer(func(_, operation string, status int) {
		if operation != "SetSecret" || status != 200 {
			return
		}
		switch published++; published {
		case 1:
			b.faults(second)
		case 2:
			b.sim.ClearFaults()
		}
	})
}

// unauthorized is a connection that Azure DevOps cannot sign in with.
var unauthorized = sim.Fault{Operation: "TestServiceEndpoint", Do: sim.DoAnswer, Status: 200, Body: `{"statusCode":"unauthorized"}`}

// rolledBack fails the test unless the newest version holds a token again that was there before.
func (b *bed) rolledBack(to string) {
	b.Helper()
	r := b.record()
	if r.IssuerID != to || r.Predecessor == "" || r.Failures == 0 || r.NotBefore.IsZero() {
		b.Errorf("not rolled back to %s: %+v", to, r)
	}
	if !b.lives(to) || !b.lives(r.Predecessor) {
		b.Error("not both of them live")
	}
	b.onNewest()
}

// nextTry comes to the next try, which works, and to the end of what was rolled back from.
func (b *bed) nextTry() {
	b.Helper()
	first := b.record()
	b.passUntil(first.NotBefore)
	b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell", "tell")
	if r := b.record(); r.Predecessor != first.IssuerID || r.Failures != first.Failures || !r.NotBefore.IsZero() {
		b.Errorf("the record of the next try is %+v", r)
	}
	b.onNewest()
	b.settle()
	b.onNewest()
	if b.lives(first.Predecessor) || b.lives(first.IssuerID) {
		b.Error("what was rolled back from, or to, lives on")
	}
}

func TestWhatDoesNotWorkAfterItsPublicationIsRolledBack(t *testing.T) {
	for name, c := range sick {
		if c.operation == "GetVariableGroup" {
			continue // what cannot be read is unknown
		}
		t.Run(name, func(t *testing.T) {
			tellers(t, nil, func(b *bed) {
				old := b.replaced()
				f := c.does
				f.Operation = c.operation
				defer b.sickOf(f)()
				b.apply().is(report.Failed, "")
				tried := b.record().IssuerID
				b.pass(rollbackAfter)
				o := b.apply().is(report.Failed, "")
				if e := o.cred().Error; e == nil || !strings.Contains(e.Text, "rolled back to "+old+", next try at") {
					b.Errorf("%v", o)
				}
				b.rolledBack(old)
				if r := b.record(); r.Predecessor != tried {
					b.Errorf("the record does not name %s: %+v", tried, r)
				}
				b.storyOfARollback(tried, old)
				b.apply().is(report.Waiting, "overlap").did()
				b.nextTry()
			})
		})
	}
}

// storyOfARollback wants the ledger to say what was published, which tell went wrong, what was published again and why,
// and who was told.
func (b *bed) storyOfARollback(from, to string) {
	b.Helper()
	var story []string
	for _, e := range b.entries() {
		switch {
		case e.Phase == ledger.Intended, e.Effect == "prove", e.Effect == "issue":
		case e.Effect == "publish" && e.IssuerID == from:
			story = []string{"publish"}
		case e.Effect == "rollback" && e.IssuerID == to && strings.Contains(e.Reason, "over 1h after it was published, ") && e.Phase == ledger.Done:
			story = append(story, "rollback")
		default:
			story = append(story, e.Effect)
		}
	}
	if s := strings.Join(story, " "); !strings.HasPrefix(s, "publish tell ") || !strings.HasSuffix(s, " rollback tell tell") {
		b.Errorf("the ledger tells: %s", s)
	}
}

func TestAConsumerThatAnswersWellAndDoesNothingIsRolledBack(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		old := b.replaced()
		b.world(func(w *world.World) { w.Knobs.VariableGroups.Ignore = true })
		b.apply().is(report.Failed, "")
		b.pass(rollbackAfter)
		b.apply().is(report.Failed, "")
		if r := b.record(); r.IssuerID != old {
			b.Errorf("not rolled back: %+v", r)
		}
		b.bothWork("after the rollback")
		b.world(func(w *world.World) { w.Knobs.VariableGroups.Ignore = false })
		b.apply().is(report.Waiting, "overlap").did("tell")
		b.rolledBack(old)
		b.nextTry()
	})
}

func TestEachTryThatIsRolledBackMakesTheNextOneWaitLonger(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		b.write(func(s *settings) { s.lifetime, s.rotateBefore = "20d", "16d" })
		old := b.replaced()
		for n, delay := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour} {
			remove := b.sickOf(unauthorized)
			b.apply().is(report.Failed, "").did("issue", "publish", "tell", "tell")
			b.pass(rollbackAfter)
			b.apply().is(report.Failed, "")
			remove()
			b.rolledBack(old)
			r := b.record()
			if wait := r.NotBefore.Sub(b.now()); r.Failures != n+1 || (wait-delay).Abs() > time.Minute {
				b.Errorf("after %d tries the next one waits %s: %+v", n+1, wait, r)
			}
			b.passUntil(r.NotBefore.Add(-10 * time.Minute))
			b.apply().is(report.Waiting, "overlap").did()
			b.passUntil(r.NotBefore)
		}
		b.apply().did("issue", "publish", "tell", "tell")
		b.settle()
		b.onNewest()
	})
}

func TestWhatWasCompromisedIsNotGoneBackTo(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		old := b.replaced()
		defer b.sickOf(unauthorized)()
		b.run("rotate", credential, "--compromised").is(report.Failed, "")
		b.pass(rollbackAfter)
		o := b.apply().is(report.Held, "no-way-back")
		if !strings.Contains(o.cred().Why, "reported as compromised") || !b.lives(old) || b.record().IssuerID == old {
			b.Errorf("%v", o)
		}
		b.sim.ClearFaults()
		b.apply().did("revoke") // the connection works without being told again
		b.settle()
		b.onNewest()
	})
}

func TestWhatEndsWithinTheOverlapIsNotGoneBackTo(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		old := b.replaced()
		b.pass(21 * time.Hour)
		defer b.sickOf(unauthorized)()
		b.apply().is(report.Failed, "")
		b.pass(3 * time.Hour)
		o := b.apply().is(report.Held, "no-way-back")
		if !strings.Contains(o.cred().Why, "within the overlap") || !b.lives(old) {
			b.Errorf("%v", o)
		}
		b.bothWork("when neither way is open")
		b.sim.ClearFaults()
		b.settle()
		b.onNewest()
	})
}

func TestWhatNobodyCanReadAnyMoreIsNotGoneBackTo(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		b.replaced()
		defer b.sickOf(unauthorized)()
		b.apply().is(report.Failed, "")
		b.disable(0)
		b.pass(rollbackAfter)
		if o := b.apply().is(report.Held, "no-way-back"); !strings.Contains(o.cred().Why, "is disabled") {
			b.Errorf("%v", o)
		}
		b.sim.ClearFaults()
		b.settle()
		b.onNewest()
	})
}

// disable disables the nth version of the secret.
func (b *bed) disable(n int) {
	b.world(func(w *world.World) {
		for _, v := range w.Vaults {
			for _, s := range v.Secrets {
				if strings.EqualFold(s.Name, secretName) {
					s.Versions[n].Disabled = true
				}
			}
		}
	})
}

func TestARollbackByHandStaysForADay(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		b.write(func(s *settings) { s.lifetime, s.rotateBefore = "12d", "8d" })
		old := b.replaced()
		b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell", "tell")
		if o := b.run("rollback", credential); o.code != cli.ExitPerson || b.record().IssuerID == old {
			b.Errorf("without a person to ask: %v", o)
		}
		b.run("rollback", credential, "--yes").is(report.Waiting, "overlap").did("rollback", "tell", "tell")
		r := b.record()
		if wait := r.NotBefore.Sub(b.now()); r.IssuerID != old || r.Failures != 0 || (wait-day).Abs() > time.Minute {
			b.Errorf("the next try waits %s: %+v", wait, r)
		}
		b.onNewest()
		b.run("rollback", credential, "--yes").is(report.Waiting, "overlap").did()
		b.pass(day - time.Hour)
		b.apply().is(report.Waiting, "overlap").did()
		b.pass(time.Hour)
		b.nextTry()
	})
}
