package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// The copy has another vault. Both answer the same calls, so a fault is aimed by counting: of a run that publishes, the
// second PUT is the copy's.
const (
	copyVault  = "kv-apps"
	copySecret = "devops-pat-copy"
	copyID     = "second-region"
)

const copyYAML = `consumers:
  second-region:
    copy: {vault: apps, secret: devops-pat-copy}
    cache: 2h`

// copiers plays a scenario whose credential has a copy, which works whenever something was written or revoked.
func copiers(t *testing.T, change func(*world.State), scenario func(b *bed)) {
	t.Helper()
	playIn(t, change, func(b *bed) {
		b.write(func(s *settings) { s.more = copyYAML })
		b.heldAlready = true
		remove := b.sim.OnAnswer(func(_, operation string, _ int) {
			if operation == "SetSecret" || operation == "RevokePat" {
				b.copyWorks("after " + operation)
			}
		})
		defer remove()
		scenario(b)
	})
}

// copies are the copy's versions, oldest first.
func (b *bed) copies() (out []world.SecretVersion) {
	b.world(func(w *world.World) {
		if s := secretOf(vaultOf(w, copyVault), copySecret); s != nil {
			for _, v := range s.Versions {
				out = append(out, *v)
			}
		}
	})
	return out
}

// copyWorks fails the test if there is a copy that does not work.
func (b *bed) copyWorks(when string) {
	all := b.copies()
	if len(all) == 0 {
		return
	}
	b.world(func(w *world.World) {
		if tried := w.Try(all[len(all)-1].Value, world.Target{Organization: "contoso"}); !tried.Works {
			b.Errorf("the copy does not work %s: %s", when, tried.Why)
		}
	})
}

// copied fails the test unless the copy is what the newest version is.
func (b *bed) copied() {
	b.Helper()
	all, of := b.copies(), b.newest()
	if len(all) == 0 || all[len(all)-1].Value != of.Value || *all[len(all)-1].Expires != *of.Expires {
		b.Errorf("the copy, of %d versions, is not on the newest publication", len(all))
	}
}

// replacedCopy has the first token published and copied, and comes to the time of the second.
func (b *bed) replacedCopy() (old string) {
	b.Helper()
	b.apply().is(report.Done, "current").did("issue", "publish", "tell")
	b.copied()
	old = b.record().IssuerID
	b.pass(4*day + time.Minute)
	return old
}

func TestACopyIsWrittenComparedAndThenTheOldValueEnds(t *testing.T) {
	copiers(t, nil, func(b *bed) {
		old := b.replacedCopy()
		b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell")
		b.copied()
		b.pass(day + time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		if b.lives(old) {
			b.Error("the old token lives on")
		}
		b.settle()
		b.copied()
		if n := len(b.copies()); n != len(b.versions()) {
			b.Errorf("%d versions of the copy for %d publications", n, len(b.versions()))
		}
	})
}

func TestACopyThatCannotBeWrittenHoldsTheEndOfTheOldValue(t *testing.T) {
	nothing := sim.Text(`{"value":"x","id":"https://` + copyVault + `.vault.azure.net/secrets/` + copySecret + `/0123456789abcdef0123456789abcdef","attributes":{"enabled":true}}`)
	for name, c := range map[string]struct {
		does  sim.Fault
		error string
	}{
		"it refuses":                       {sim.Fault{Do: sim.DoAnswer, Status: 400, Body: `{"error":{"code":"BadParameter"}}`}, "rejected"},
		"it may not be written any more":   {sim.Fault{Do: sim.DoAnswer, Status: 403, Body: `{"error":{"code":"Forbidden","innererror":{"code":"ForbiddenByRbac"}}}`}, "denied"},
		"it is down":                       {sim.Fault{Do: sim.DoAnswer, Status: 503}, "ambiguous"},
		"it hangs":                         {sim.Fault{Do: sim.DoDelay, Delay: world.Duration(3 * time.Hour)}, "ambiguous"},
		"it breaks off":                    {sim.Fault{Do: sim.DoCut}, "ambiguous"},
		"it throttles for ever":            {sim.Fault{Do: sim.DoThrottle, RetryAfter: "20"}, "throttled"},
		"it answers well and does nothing": {sim.Fault{Do: sim.DoAnswer, Status: 200, Body: nothing}, "is not on the publication"},
	} {
		t.Run(name, func(t *testing.T) {
			copiers(t, nil, func(b *bed) {
				b.neverRollsBack()
				old := b.replacedCopy()
				f := c.does
				f.Service, f.Operation, f.Nth, f.Times = "keyvault", "SetSecret", 2, 1000
				b.faults(f)
				o := b.apply().is(report.Failed, "")
				if e := o.cred().Error; e == nil || !strings.Contains(e.Text, c.error) {
					b.Errorf("%v, want %q", o, c.error)
				}
				b.pass(day + time.Hour) // over the overlap
				b.apply().is(report.Failed, "")
				if !b.lives(old) {
					b.Error("the old token was revoked although the copy still holds it")
				}
				b.struck()
				b.apply()
				b.pass(3 * time.Hour) // over the cache of who reads what was written late
				b.settle()
				b.copied()
				if b.lives(old) {
					b.Error("the old token lives on")
				}
				if got := b.told(copyID); strings.HasPrefix(got, "1 done") || strings.HasSuffix(got, "0 failed, 0 unknown") {
					b.Errorf("the ledger says of the copy: %s", got)
				}
			})
		})
	}
}

func TestACopyWhoseAnswerIsLostIsLookedForAndNotWrittenTwice(t *testing.T) {
	for name, f := range map[string]sim.Fault{"lost": {Do: sim.DoLost}, "half": {Do: sim.DoTruncate}, "late": {Do: sim.DoLate, Delay: world.Duration(10 * time.Millisecond)}} {
		t.Run(name, func(t *testing.T) {
			copiers(t, nil, func(b *bed) {
				b.replacedCopy()
				f.Service, f.Operation, f.Nth = "keyvault", "SetSecret", 2
				b.faults(f)
				b.apply().is(report.Waiting, "overlap")
				b.struck()
				b.copied()
				if n := len(b.copies()); n > 3 || f.Do != sim.DoLate && n != 2 {
					b.Errorf("%d versions of the copy after two publications", n)
				}
				b.settle()
			})
		})
	}
}

func TestACopyThatAPersonWroteOverIsAPersonsToDecide(t *testing.T) {
	copiers(t, nil, func(b *bed) {
		b.replacedCopy()
		b.apply().is(report.Waiting, "overlap")
		b.world(func(w *world.World) {
			s := secretOf(vaultOf(w, copyVault), copySecret)
			s.Versions = append(s.Versions, &world.SecretVersion{ID: w.NewVersion(), Value: tokenOf(0), Created: w.Now(), Updated: w.Now()})
		})
		o := b.apply().is(report.Held, "person").did()
		if !strings.Contains(o.cred().Do, "adopt: true") {
			b.Errorf("do: %s", o.cred().Do)
		}
		b.write(func(s *settings) {
			s.more = strings.Replace(copyYAML, "secret: devops-pat-copy", "secret: devops-pat-copy, adopt: true", 1)
		})
		b.apply().is(report.Waiting, "overlap").did("tell")
		b.copied()
		b.settle()
	})
}

func TestACopyThatIsNotOursIsLeftAloneBeforeAnythingIsIssued(t *testing.T) {
	copiers(t, func(s *world.State) {
		v := s.Vaults[2]
		v.Secrets = append(v.Secrets, &world.Secret{Name: copySecret, Versions: []*world.SecretVersion{{ID: "00000000000000000000000000000001", Value: tokenOf(0), Created: time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC), Updated: time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC)}}})
	}, func(b *bed) {
		b.apply().is(report.Held, "person").did()
		if all := b.copies(); len(all) != 1 || all[0].Value != tokenOf(0) {
			b.Error("it was written over")
		}
		b.write(func(s *settings) { s.more = strings.Replace(copyYAML, copySecret, copySecret+"-2", 1) })
		b.apply().is(report.Done, "current").did("issue", "publish", "tell")
		b.settle()
	})
}

func TestTwoRunsThatPublishAndCopyAtOnceEndWithTheCopyOnTheCurrentOne(t *testing.T) {
	for name, at := range map[string]string{"both about to publish": "before SetSecret", "both having published": "after SetSecret"} {
		t.Run(name, func(t *testing.T) {
			copiers(t, nil, func(b *bed) {
				b.replacedCopy()
				b.twoMeet(at)
				b.copyWorks("after both")
				b.apply()
				b.copied()
				b.settle()
				b.copied()
			})
		})
	}
}

func TestARunThatAnotherOneOvertakesAroundACopyEndsWithTheCopyOnTheCurrentOne(t *testing.T) {
	for _, at := range []string{"before SetSecret", "after SetSecret"} {
		t.Run(at, func(t *testing.T) {
			copiers(t, nil, func(b *bed) {
				b.replacedCopy()
				m := b.machine()
				m.hook.at(at, 2, func() fate {
					b.run("rotate", credential).did("issue", "publish", "tell")
					return live
				})
				m.begin("apply")()
				b.copyWorks("after both")
				b.apply()
				b.copied()
				b.settle()
				b.copied()
			})
		})
	}
}

func TestARunThatIsKilledAroundACopyLeavesWhatTheNextOneMends(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			copiers(t, nil, func(b *bed) {
				b.replacedCopy()
				b.killedAt(when+" SetSecret", 2, b.copyWorks)
				b.copied()
			})
		})
	}
}
