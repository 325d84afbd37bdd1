package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func TestAClientSecretLivesItsLife(t *testing.T) {
	playSecret(t, nil, func(b *bed) {
		b.apply().is(report.Done, "current").did("issue", "publish")
		b.idle()
		b.pass(4*day + time.Minute)
		old := b.record()
		b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		b.pass(23 * time.Hour)
		b.apply().is(report.Waiting, "overlap").did()
		b.pass(time.Hour)
		b.apply().is(report.Done, "current").did("revoke")
		if b.pat(old.IssuerID).Revoked.IsZero() {
			b.Error("the old secret is alive")
		}
		b.run("rotate", credential).is(report.Waiting, "overlap").did("issue", "publish")
		b.consumer.excused("who still has the compromised secret is cut off", func() {
			b.run("rotate", "--compromised", credential).did("issue", "publish", "revoke", "revoke")
		})
		b.consumer.forget()
		b.settle()
	})
}

func TestAClientSecretIsRetired(t *testing.T) {
	playSecret(t, nil, func(b *bed) {
		b.published()
		b.apply().is(report.Waiting, "overlap")
		b.write(func(s *settings) { s.more = "enabled: false" })
		b.consumer.excused("the credential's life ends", func() {
			b.run("retire", credential, "--yes").is(report.Done, "retired").did("revoke", "revoke")
			b.run("retire", credential, "--yes").is(report.Done, "retired").did()
		})
		b.consumer.forget()
		if n := len(b.alive()); n != 0 {
			b.Errorf("%d are alive", n)
		}
	})
}

func TestAnExistingClientSecretIsAdopted(t *testing.T) {
	const id = "0948bb94-1a5f-48f7-bea4-9b2c9cbf35f8" // finance
	for how, adopt := range map[string]string{"by id": "id: " + id, "by name": "name: finance"} {
		t.Run(how, func(t *testing.T) {
			playSecret(t, nil, func(b *bed) {
				b.world(func(w *world.World) {
					v := vaultOf(w, "kv-pat-prod")
					a := appOf(&w.State, world.AppReporting)
					a.Secrets[0].End = w.Now().Add(6 * day)
					v.Secrets = append(v.Secrets, &world.Secret{Name: secretName, Versions: []*world.SecretVersion{{
						ID: w.NewVersion(), Value: a.Secrets[0].Value, Created: w.Now(), Updated: w.Now(),
					}}})
				})
				b.secrets()
				delete(b.bystanders, id) // from here on it is Rekey's
				b.consumer.probe("")
				b.write(func(s *settings) { s.pat = "adopt: {" + adopt + "}" })
				b.apply().did("amend")
				if r := b.record(); r.IssuerID != id {
					b.Errorf("adopted %s", r.IssuerID)
				}
				b.pass(4*day + time.Minute)
				b.apply().is(report.Waiting, "overlap").did("issue", "publish")
				b.settle()
				if b.pat(id).Revoked.IsZero() {
					b.Error("what was adopted and replaced is alive")
				}
			})
		})
	}
}

func TestARotationOfAClientSecretEndsWellWhateverIsLostOnTheWay(t *testing.T) {
	for _, c := range []onARotation{
		{
			name: "the answer to addPassword is lost", faults: []sim.Fault{lost("AddPassword")},
			did: []string{"issue unknown", "revoke", "issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "addPassword is cut before it arrives", faults: []sim.Fault{fault("AddPassword", sim.DoCut)},
			did: []string{"issue unknown", "issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "half of addPassword's answer comes", faults: []sim.Fault{fault("AddPassword", sim.DoTruncate)},
			did: []string{"issue unknown", "revoke", "issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "a page in place of addPassword's answer", faults: []sim.Fault{fault("AddPassword", sim.DoSignIn)},
			did: []string{"issue unknown", "issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "the answer to the PUT is lost", faults: []sim.Fault{lost("SetSecret")},
			did: []string{"issue", "publish unknown"}, alive: 1, newVersions: 1,
		},
		{
			name: "the PUT is cut before it arrives", faults: []sim.Fault{fault("SetSecret", sim.DoCut)},
			did: []string{"issue", "publish unknown", "issue", "publish"}, alive: 2, newVersions: 1,
		},
		{
			name: "the application's answer is no JSON", faults: []sim.Fault{fault("GetApplication", sim.DoMalform)},
			did: []string{"issue", "publish"}, alive: 1, newVersions: 1,
		},
		{
			name: "addPassword's and the PUT's answers are lost", faults: []sim.Fault{lost("AddPassword"), lost("SetSecret")},
			did: []string{"issue unknown", "revoke", "issue", "publish unknown"}, alive: 1, newVersions: 1,
		},
		{
			name: "the answer to the removal of what was lost is lost", faults: []sim.Fault{lost("AddPassword"), lost("RemovePassword")},
			did: []string{"issue unknown", "revoke unknown", "issue", "publish"}, alive: 1, newVersions: 1,
		},
	} {
		c.what, c.code = report.Waiting, "overlap"
		t.Run(c.name, func(t *testing.T) {
			playSecret(t, nil, func(b *bed) {
				b.published()
				b.disturbed(c, 1)
				b.settle()
			})
		})
	}
}

func TestALostAnswerToARemovalIsLookedUp(t *testing.T) {
	playSecret(t, nil, func(b *bed) {
		b.published()
		old := b.record().IssuerID
		b.apply().is(report.Waiting, "overlap")
		b.pass(day)
		b.faults(lost("RemovePassword"))
		b.apply().is(report.Done, "current").did("revoke unknown")
		b.struck()
		if b.pat(old).Revoked.IsZero() {
			b.Error("the old secret is alive")
		}
		b.settle()
	})
}

// A run is killed after each of its calls in turn, before it hears of the answer.
func TestARunOfAClientSecretThatIsKilledAtAnyCallLeavesWhatTheNextOneMends(t *testing.T) {
	for name, prepare := range map[string]func(b *bed){
		"on an absent secret": func(*bed) {}, "on a due credential": func(b *bed) { b.published() },
		"after the overlap": func(b *bed) { b.published(); b.apply(); b.pass(day) },
	} {
		t.Run(name, func(t *testing.T) {
			var events []string
			t.Run("not at all", func(t *testing.T) {
				stageSecret(t, nil, func(b *bed) {
					prepare(b)
					m := b.machine()
					m.run(context.Background(), "apply")
					events = slices.Clone(m.hook.happened())
					b.settle()
				})
			})
			if len(events) < 8 {
				t.Fatalf("the run made only %d calls: %q", len(events)/2, events)
			}
			for i, event := range events {
				if strings.HasPrefix(event, "before") {
					continue
				}
				t.Run(fmt.Sprintf("%02d %s", i, event), func(t *testing.T) {
					playSecret(t, nil, func(b *bed) {
						prepare(b)
						m := b.machine()
						m.hook.at("", i+1, func() fate { return die })
						if o := m.run(context.Background(), "apply"); !o.killed {
							b.Errorf("it was not killed: %v", o)
						}
						b.pass(time.Minute)
						b.settle()
					})
				})
			}
		})
	}
}

func TestTwoRunsOfAClientSecretAtOnceEndWithOne(t *testing.T) {
	for _, meet := range []string{"before AddPassword", "after AddPassword", "before SetSecret", "after SetSecret", "after GetApplication"} {
		t.Run(meet, func(t *testing.T) {
			playSecret(t, nil, func(b *bed) {
				b.published()
				for _, o := range b.twoMeet(meet) {
					o.is(report.Waiting, "overlap").did("issue", "publish")
				}
				if n := len(b.alive()); n != 3 { // somebody may have read the loser
					b.Errorf("%d are alive, want 3", n)
				}
				b.settle()
				if n := len(b.alive()); n != 1 {
					b.Errorf("%d are alive after the overlap", n)
				}
			})
		})
	}
}

func TestAThrottledCallForAClientSecretIsMadeAgain(t *testing.T) {
	for name, after := range map[string]sim.Text{"without Retry-After": "", "with Retry-After in seconds": "20"} {
		t.Run(name, func(t *testing.T) {
			playSecret(t, nil, func(b *bed) {
				b.apply().is(report.Done, "current")
				for _, call := range []string{"token:client_credentials", "GetApplication", "AddPassword"} {
					began := time.Now()
					b.faults(sim.Fault{Operation: call, Nth: 1, Do: sim.DoThrottle, RetryAfter: after})
					b.run("rotate", credential).is(report.Waiting, "overlap").did("issue", "publish")
					b.struck()
					if took := time.Since(began); after != "" && took < 20*time.Second || took > 3*time.Minute {
						b.Errorf("%s was made again after %s", call, took)
					}
				}
				b.pass(day + time.Minute)
				b.faults(sim.Fault{Operation: "RemovePassword", Nth: 1, Do: sim.DoThrottle, RetryAfter: after})
				b.apply().is(report.Done, "current")
				b.struck()
				b.settle()
			})
		})
	}
}

func TestAClientSecretThatIsNotAcceptedFor40SecondsIsPublishedAfterThem(t *testing.T) {
	playSecret(t, func(s *world.State) { s.Knobs.Entra.NewSecretDelay = world.Duration(40 * time.Second) }, func(b *bed) {
		began := time.Now()
		b.apply().is(report.Done, "current").did("issue", "publish")
		if took := time.Since(began); took < 40*time.Second {
			b.Errorf("published after %s", took)
		}
		b.pass(4*day + time.Minute)
		b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		b.settle()
	})
}

func TestAClientSecretThatIsNeverAcceptedIsTakenBack(t *testing.T) {
	playSecret(t, nil, func(b *bed) {
		b.published()
		b.world(func(w *world.World) { w.Knobs.Entra.NewSecretDelay = world.Duration(day) })
		b.apply().is(report.Failed, "").did("issue", "revoke")
		if n := len(b.alive()); n != 1 {
			b.Errorf("%d are alive, want the old one alone", n)
		}
		b.world(func(w *world.World) { w.Knobs.Entra.NewSecretDelay = 0 })
		b.settle()
	})
}

// The directory as it is said to be on a bad day: late everywhere, and two writes in a row clash.
func TestAClientSecretLivesItsLifeWhereChangesTravel(t *testing.T) {
	playSecret(t, func(s *world.State) {
		s.Knobs.Entra.NewSecretDelay, s.Knobs.Entra.RemovalDelay = world.Duration(18*time.Second), world.Duration(time.Minute)
		s.Knobs.Graph.ReplicationLag, s.Knobs.Graph.Replicas = world.Duration(9*time.Second), 3
		s.Knobs.Graph.WriteGap = world.Duration(3 * time.Second)
	}, func(b *bed) {
		b.published()
		b.faults(lost("AddPassword"))
		o := b.apply()
		b.struck()
		if c := o.cred(); o.code != 0 || len(c.Effects) == 0 {
			b.Errorf("%v", o)
		}
		b.pass(2 * window) // until then a stray that no replica showed is too young to judge
		b.pass(day)
		b.settle()
		if n := len(b.alive()); n != 1 {
			b.Errorf("%d are alive", n)
		}
	})
}

func TestClashesOfWritesAreOver(t *testing.T) {
	playSecret(t, func(s *world.State) { s.Knobs.Graph.WriteGap = world.Duration(10 * time.Second) }, func(b *bed) {
		b.published()
		for range 2 {
			b.run("rotate", credential).is(report.Waiting, "overlap").did("issue", "publish")
		}
		b.pass(day + time.Minute)
		b.apply().is(report.Done, "current").did("revoke", "revoke")
		b.settle()
	})
}
