package scenario

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

// begin starts a run on a machine; the returned function waits for its end.
func (m *machine) begin(args ...string) func() outcome {
	ended := make(chan outcome, 1)
	go func() { ended <- m.run(context.Background(), args...) }()
	return func() outcome { return <-ended }
}

// meeting is a place where processes wait until all have come. One that has waited for a minute goes on: what the first
// one did can leave the others nothing to do there.
func meeting(n int) func() fate {
	var mu sync.Mutex
	all, came := make(chan struct{}), 0
	return func() fate {
		mu.Lock()
		if came++; came == n {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
		case <-time.After(time.Minute):
		}
		return live
	}
}

// twoMeet has two runs at once wait for each other at these places, the first time that each comes there, and gives what
// became of both.
func (b *bed) twoMeet(places ...string) []outcome {
	b.Helper()
	one, two := b.machine(), b.machine()
	for _, place := range places {
		met := meeting(2)
		one.hook.at(place, 1, met)
		two.hook.at(place, 1, met)
	}
	first, second := one.begin("apply"), two.begin("apply")
	return []outcome{first(), second()}
}

func TestTwoRunsAtOnceEndWithOneCredential(t *testing.T) {
	for name, c := range map[string]struct {
		due  bool
		meet string // where both runs wait for each other
	}{
		"on an absent secret, both about to issue":                {false, "before CreatePat"},
		"on an absent secret, both about to publish":              {false, "before SetSecret"},
		"on a due credential, both about to issue":                {true, "before CreatePat"},
		"on a due credential, both about to publish":              {true, "before SetSecret"},
		"on a due credential, both having published":              {true, "after SetSecret"},
		"on a due credential, both having looked at the secret":   {true, "after GetSecret"},
		"on an absent secret, both having shown that they may":    {false, "after UpdateSecret"},
		"on a due credential, both having checked what they made": {true, "after ConnectionData"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				if c.due {
					b.published()
				}
				places := []string{c.meet}
				if c.meet == "after SetSecret" {
					// Else one may publish before the other has looked, which then has nothing to publish and never comes.
					places = []string{"before SetSecret", c.meet}
				}
				for _, o := range b.twoMeet(places...) {
					// The first of two on an absent secret cannot know of the other yet.
					if o.did("issue", "publish"); c.due {
						o.is(report.Waiting, "overlap")
					} else if o.code != cli.ExitDone {
						b.Errorf("%v", o)
					}
				}
				// Somebody may have read the loser, so it lives on for the overlap, as the old one does.
				want := 2
				if c.due {
					want = 3
				}
				if n := len(b.alive()); n != want {
					b.Errorf("%d tokens are alive, want %d", n, want)
				}
				b.pass(day - 10*time.Minute)
				b.apply().is(report.Waiting, "overlap").did()
				if n := len(b.alive()); n != want {
					b.Errorf("%d tokens are alive before the overlap has passed, want %d", n, want)
				}
				b.settle()
				if n := len(b.alive()); n != 1 {
					b.Errorf("%d tokens are alive after the overlap", n)
				}
			})
		})
	}
}

func TestWhosePUTIsOvertakenIsRevokedAfterTheOverlap(t *testing.T) {
	for name, due := range map[string]bool{"on an absent secret": false, "on a due credential": true} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				if due {
					b.published()
				}
				slow, quick := b.machine(), b.machine()
				issued, overtaken := make(chan struct{}), make(chan struct{})
				slow.hook.at("before SetSecret", 1, func() fate { close(issued); <-overtaken; return live })
				quick.hook.at("before CreatePat", 1, func() fate { <-issued; return live })
				first, second := slow.begin("apply"), quick.begin("apply")
				two := second()
				two.did("issue", "publish")
				loser := b.record().IssuerID
				b.pass(20 * time.Second)
				close(overtaken)
				// On an absent secret it cannot know of the other yet; the next run does.
				if o := first().did("issue", "publish"); due {
					o.is(report.Waiting, "overlap")
				}
				if r := b.record(); r.IssuerID == loser || r.Generation.Time().After(time.Now()) {
					b.Errorf("the slower run did not publish last")
				}
				b.pass(day - 10*time.Minute)
				b.apply().is(report.Waiting, "overlap").did()
				if !b.pat(loser).Revoked.IsZero() {
					b.Error("the loser is revoked, and somebody may have read it")
				}
				b.settle()
				if b.pat(loser).Revoked.IsZero() {
					b.Error("the loser is alive")
				}
			})
		})
	}
}

func TestAPUTThatIsAppliedMinutesLateIsRecovered(t *testing.T) {
	for name, due := range map[string]bool{"on an absent secret": false, "on a due credential": true} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				if due {
					b.published()
				}
				b.faults(late("SetSecret", 3*time.Minute))
				o := b.apply().did("issue", "publish unknown", "issue", "publish")
				if o.code != cli.ExitDone {
					b.Errorf("%v", o)
				}
				overtaken := b.record().IssuerID
				b.pass(3 * time.Minute)
				if b.record().IssuerID == overtaken {
					b.Fatal("the late PUT did not come")
				}
				b.apply().did()
				b.pass(day - 10*time.Minute)
				b.apply().is(report.Waiting, "overlap").did()
				if !b.pat(overtaken).Revoked.IsZero() {
					b.Error("what the late PUT overtook is revoked, and somebody may have read it")
				}
				b.settle()
			})
		})
	}
}

// Readers of what was reported are cut off, and nobody else: what was published since is not what was reported.
func TestWhatIsPublishedForACompromiseLivesThoughThePUTsComeLate(t *testing.T) {
	play(t, func(b *bed) {
		b.published()
		old := b.record().IssuerID
		second := late("SetSecret", 7*time.Minute)
		second.Nth = 2
		b.faults(late("SetSecret", 90*time.Second), second)
		b.consumer.excused("who still has the compromised token is cut off", func() {
			b.run("rotate", "--compromised", credential).is(report.Waiting, "young").did("issue", "publish unknown", "issue", "publish unknown", "revoke")
		})
		b.consumer.forget()
		first := b.record().IssuerID
		if first == old || b.pat(old).Revoked.IsZero() || len(b.alive()) != 2 {
			b.Fatalf("the first publication, which came after the second was sent, is not the answer: %d tokens are alive", len(b.alive()))
		}
		b.pass(7 * time.Minute)
		if b.record().IssuerID == first {
			b.Fatal("the second PUT did not come")
		}
		b.pass(day - 10*time.Minute)
		b.apply().is(report.Waiting, "overlap").did()
		if !b.pat(first).Revoked.IsZero() {
			b.Error("what was published for the report is revoked, and somebody may have read it")
		}
		b.pass(30 * time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		b.settle()
	})
}

func TestAProcessThatWasSuspendedPublishesNothingOld(t *testing.T) {
	for name, c := range map[string]struct {
		due bool
		at  string
	}{
		"between check and PUT":                          {true, "after ConnectionData"},
		"between create and check":                       {true, "after CreatePat"},
		"between check and PUT of the first one":         {false, "after ConnectionData"},
		"between create and check of the first one":      {false, "after CreatePat"},
		"while the check is under way":                   {true, "before ConnectionData"},
		"before the create":                              {true, "before CreatePat"},
		"before the create of the first one":             {false, "before CreatePat"},
		"between the look and the proof of write access": {true, "after GetSecretVersions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("alone", func(t *testing.T) {
				play(t, func(b *bed) {
					if c.due {
						b.published()
					}
					b.home.hook.at(c.at, 1, func() fate { <-time.After(2 * time.Hour); return live })
					o := b.apply()
					if o.code != cli.ExitDone {
						b.Errorf("%v\nstderr:\n%s", o, o.err)
					}
					b.settle()
				})
			})
			t.Run("while another run goes on and sweeps", func(t *testing.T) {
				play(t, func(b *bed) {
					if c.due {
						b.published()
					}
					sleeper, other := b.machine(), b.machine()
					sleeper.hook.at(c.at, 1, func() fate { <-time.After(2 * time.Hour); return live })
					woken := sleeper.begin("apply")
					b.pass(10 * time.Minute)
					other.run(context.Background(), "apply")
					published := b.record()
					b.pass(70 * time.Minute)
					other.run(context.Background(), "apply")
					if n := len(b.alive()); c.at == "after ConnectionData" && n > 2 {
						b.Errorf("%d tokens are alive after the sweep", n)
					}
					o := woken()
					if o.code != cli.ExitDone {
						b.Errorf("%v\nstderr:\n%s", o, o.err)
					}
					if slices.ContainsFunc(o.cred().Effects, func(e report.Effect) bool { return e.Effect == "publish" }) {
						b.Errorf("it published\nstderr:\n%s", o.err)
					}
					if b.record().IssuerID != published.IssuerID {
						b.Error("something else is published than the run that went on published")
					}
					b.settle()
				})
			})
		})
	}
}

// A PUT whose time is over while it waits to be sent is not sent.
func TestAPUTThatIsHeldUpForHoursDoesNotLeave(t *testing.T) {
	for name, due := range map[string]bool{"on an absent secret": false, "on a due credential": true} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				if due {
					b.published()
				}
				sleeper, other := b.machine(), b.machine()
				sleeper.hook.at("before SetSecret", 1, func() fate { <-time.After(2 * time.Hour); return live })
				woken := sleeper.begin("apply")
				b.pass(10 * time.Minute)
				other.run(context.Background(), "apply")
				published := b.record()
				b.pass(70 * time.Minute)
				other.run(context.Background(), "apply")
				woken().did("issue", "publish unknown")
				if b.record().IssuerID != published.IssuerID {
					b.Error("something else is published than the run that went on published")
				}
				b.settle()
			})
		})
	}
}

// Key Vault has no conditional PUT, so a process that is suspended after its last look at the clock, with the PUT
// prepared, publishes what another run has swept meanwhile. No check before the PUT can close that; the run itself sees
// by the services' dates how late it was, proves the value, and replaces it: the gap ends within the run that made it.
func TestAPUTThatIsSentHoursLateIsMendedByTheRunThatSentIt(t *testing.T) {
	for name, due := range map[string]bool{"on an absent secret": false, "on a due credential": true} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				if due {
					b.published()
				}
				sleeper, other := b.machine(), b.machine()
				sleeper.hook.at("before SetSecret", 1, func() fate { <-time.After(2 * time.Hour); return onItsWay })
				woken := sleeper.begin("apply")
				b.pass(10 * time.Minute)
				other.run(context.Background(), "apply")
				b.pass(70 * time.Minute)
				other.run(context.Background(), "apply")
				b.consumer.excused("a suspended process published what was swept", func() {
					woken().did("issue", "publish unknown", "issue", "publish")
				})
				b.consumer.forget()
				b.settle()
			})
		})
	}
}

// A revoke is allowed by what was observed a moment ago. One that was held up until its token had ended must not be sent
// again with a new token, but rest on a new look.
func TestARevokeThatWasHeldUpLooksAgainBeforeItIsRepeated(t *testing.T) {
	play(t, func(b *bed) {
		b.published()
		b.apply().is(report.Waiting, "overlap")
		b.pass(day)
		b.home.hook.at("before RevokePat", 1, func() fate { <-time.After(2 * time.Hour); return live })
		since := len(b.sim.Requests())
		b.apply().is(report.Done, "current")
		var order []string
		for _, c := range b.sim.Requests()[since:] {
			if c.Operation == "RevokePat" || c.Operation == "GetSecretVersions" {
				order = append(order, c.Operation)
			}
		}
		// The first revoke was given up before it reached the service.
		if want := []string{"GetSecretVersions", "GetSecretVersions", "RevokePat"}; !slices.Equal(order, want) {
			b.Errorf("got %q, want %q", order, want)
		}
		b.settle()
	})
}

func TestTwoRunsAtOnceRevokeOnce(t *testing.T) {
	play(t, func(b *bed) {
		b.published()
		b.apply().is(report.Waiting, "overlap")
		b.pass(day)
		one, two := b.machine(), b.machine()
		met := meeting(2)
		one.hook.at("before RevokePat", 1, met)
		two.hook.at("before RevokePat", 1, met)
		first, second := one.begin("apply"), two.begin("apply")
		first().is(report.Done, "current").did("revoke")
		second().is(report.Done, "current").did("revoke")
		b.settle()
	})
}

// The vault's list and the issuer's may be minutes behind. Nothing is concluded from what is missing in one.
func TestListsThatLagMisleadNobody(t *testing.T) {
	change := func(s *world.State) {
		s.Knobs.KeyVault.ListLag = world.Duration(10 * time.Minute)
		s.Knobs.DevOps.ListLag = world.Duration(10 * time.Minute)
	}
	t.Run("on quiet days", func(t *testing.T) {
		playIn(t, change, func(b *bed) {
			b.apply().did("issue", "publish")
			b.apply().did()
			b.pass(4*day + time.Minute)
			b.apply().is(report.Waiting, "overlap").did("issue", "publish")
			b.apply().is(report.Waiting, "overlap").did()
			b.settleLagging()
		})
	})
	t.Run("with the create's answer lost", func(t *testing.T) {
		playIn(t, change, func(b *bed) {
			b.apply().did("issue", "publish")
			b.pass(4*day + time.Minute)
			b.faults(lost("CreatePat"))
			b.apply().did("issue unknown", "issue", "publish")
			b.struck()
			b.settleLagging()
		})
	})
	t.Run("with the PUT's answer lost", func(t *testing.T) {
		playIn(t, change, func(b *bed) {
			b.apply().did("issue", "publish")
			b.pass(4*day + time.Minute)
			b.faults(lost("SetSecret"))
			b.apply().is(report.Waiting, "overlap").did("issue", "publish unknown")
			b.struck()
			b.settleLagging()
		})
	})
}

// settleLagging is settle for lists that lag: what was done a moment ago may be done again or noted, until they agree.
func (b *bed) settleLagging() {
	b.Helper()
	b.sim.ClearFaults()
	for range 9 {
		if o := b.apply(); o.code != cli.ExitDone {
			b.Errorf("%v\nstderr:\n%s", o, o.err)
		}
		b.pass(6 * time.Hour)
	}
	b.settle()
}

func TestOneLedgerTakesTheEntriesOfRunsAtOnce(t *testing.T) {
	play(t, func(b *bed) {
		const n = 6
		met := meeting(n) // else the first may end before the last begins, which then has nothing to do
		var runs []func() outcome
		for range n {
			m := b.machine()
			m.hook.at("before CreatePat", 1, met)
			runs = append(runs, m.begin("apply"))
		}
		for _, ended := range runs {
			if o := ended(); o.code != cli.ExitDone {
				b.Errorf("%v", o)
			}
		}
		seen := map[string]bool{} // runs
		for _, e := range b.entries() {
			seen[e.Run] = true
			if _, ok := rotation.ParseStamp(e.Target); e.Effect == "issue" && !ok {
				b.Errorf("an issue without a stamp: %+v", e)
			}
		}
		if len(seen) != n {
			b.Errorf("the ledger knows %d runs, want %d", len(seen), n)
		}
		b.settle()
	})
}
