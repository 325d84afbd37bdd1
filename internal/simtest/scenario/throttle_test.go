package scenario

import (
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
)

// calls are all that the program sends in a replacement, by the names of the request log.
var calls = []string{
	"token:client_credentials", "GetSecrets", "GetSecret", "token:password", "ListPats", "GetSecretVersions", "UpdateSecret", "CreatePat",
	"ConnectionData", "SetSecret",
}

func TestAThrottledCallIsMadeAgainAndNoSoonerThanAsked(t *testing.T) {
	for name, after := range map[string]sim.Text{"without Retry-After": "", "with Retry-After in seconds": "20"} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.apply().is(report.Done, "current")
				for _, call := range calls {
					began := time.Now()
					b.faults(sim.Fault{Operation: call, Nth: 1, Do: sim.DoThrottle, RetryAfter: after})
					if call == "GetSecrets" { // a run that is told what to replace lists nothing
						b.apply().is(report.Waiting, "overlap").did()
					} else {
						b.run("rotate", credential).is(report.Waiting, "overlap").did("issue", "publish")
					}
					b.struck()
					if took := time.Since(began); after != "" && took < 20*time.Second || took > 3*time.Minute {
						b.Errorf("%s was made again after %s", call, took)
					}
				}
				b.pass(day + time.Minute)
				b.faults(sim.Fault{Operation: "RevokePat", Nth: 1, Do: sim.DoThrottle, RetryAfter: after})
				b.apply().is(report.Done, "current")
				b.struck()
				b.settle()
			})
		})
	}
}

func TestAServiceThatWantsALongRestGetsIt(t *testing.T) {
	for _, call := range []string{"GetSecret", "ListPats", "CreatePat", "SetSecret"} {
		t.Run(call, func(t *testing.T) {
			play(t, func(b *bed) {
				b.published()
				b.faults(sim.Fault{Operation: call, Nth: 1, Times: 3, Do: sim.DoThrottle, RetryAfter: "1200"})
				o := b.apply()
				o.is(report.Failed, "")
				if e := o.cred().Error; e == nil || e.Kind != "throttled" {
					b.Errorf("%v; want it to say that it was throttled", o)
				}
				b.settle()
			})
		})
	}
}

func TestASignInPageInPlaceOfARevokeRevokesNothing(t *testing.T) {
	play(t, func(b *bed) {
		b.published()
		b.apply().is(report.Waiting, "overlap")
		b.pass(day)
		b.faults(fault("RevokePat", sim.DoSignIn))
		b.apply().is(report.Done, "current").did("revoke unknown", "revoke")
		b.struck()
		b.settle()
	})
}

func TestARevokeWhoseAnswerIsLostIsLookedUp(t *testing.T) {
	for name, c := range map[string]struct {
		do  string
		did []string
	}{
		"applied":                   {sim.DoLost, []string{"revoke unknown"}},
		"not applied":               {sim.DoCut, []string{"revoke unknown", "revoke"}},
		"applied a few seconds on":  {sim.DoLate, []string{"revoke unknown", "revoke"}},
		"applied, and half an echo": {sim.DoMalform, []string{"revoke"}},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.published()
				b.apply().is(report.Waiting, "overlap")
				b.pass(day)
				b.faults(fault("RevokePat", c.do))
				b.apply().is(report.Done, "current").did(c.did...)
				b.struck()
				if n := len(b.alive()); n != 1 {
					b.Errorf("%d tokens are alive", n)
				}
				b.pass(5 * time.Second)
				b.settle()
			})
		})
	}
}

func TestAListThatStaysUnreadableIsUnknownAndNotEmpty(t *testing.T) {
	for _, do := range []string{sim.DoTruncate, sim.DoMalform, sim.DoSignIn, sim.DoCut} {
		for _, call := range []string{"ListPats", "GetSecretVersions", "GetSecret"} {
			if do == sim.DoSignIn && call != "ListPats" {
				continue
			}
			t.Run(do+" "+call, func(t *testing.T) {
				play(t, func(b *bed) {
					b.published()
					b.faults(sim.Fault{Operation: call, Do: do})
					o := b.apply().did()
					if o.code != 1 {
						b.Errorf("%v; want a failure", o)
					}
					b.struck()
					if n := len(b.alive()); n != 1 {
						b.Errorf("%d tokens are alive", n)
					}
					b.settle()
				})
			})
		}
	}
}

func TestAVaultsListThatCannotBeReadIsDoneWithout(t *testing.T) {
	play(t, func(b *bed) {
		b.published()
		b.faults(sim.Fault{Operation: "GetSecrets", Do: sim.DoCut})
		b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		b.struck()
		b.settle()
	})
}
