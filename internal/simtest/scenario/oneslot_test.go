package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// slotStages are what a run of a service account's password can be about to do.
var slotStages = []struct {
	name    string
	prepare func(b *slotBed)
	args    []string
}{
	{"to take it over", func(*slotBed) {}, []string{"apply"}},
	{"when it is due", func(b *slotBed) { b.settle(); b.pass(4*day + time.Minute) }, []string{"apply"}},
	{"when one was prepared and it is compromised", func(b *slotBed) {
		b.settle()
		h := &hooks{}
		h.at("after UpdateUser", 1, func() fate { return die })
		b.run(h, "rotate", "batch-password")
		b.pass(time.Minute)
	}, []string{"rotate", "batch-password", "--compromised"}},
}

// A run is killed after each of its calls in turn, before it hears of the answer: the password is in one of the two
// secrets at every instant, and the next run recovers the account.
func TestAPasswordOutlivesARunThatIsKilledAtAnyCall(t *testing.T) {
	for _, stage := range slotStages {
		t.Run(stage.name, func(t *testing.T) {
			t.Parallel()
			var events []string
			t.Run("not at all", func(t *testing.T) {
				playSlotNow(t, nil, func(b *slotBed) {
					stage.prepare(b)
					b.gaps = nil
					before, h := b.password(), &hooks{}
					if r := b.run(h, stage.args...); r.code != cli.ExitDone {
						b.Errorf("%v\n%s", r, r.err)
					}
					events = slices.Clone(h.happened())
					if b.password() == before {
						b.Error("the password is the same")
					}
					b.settle()
					b.within(rotation.Gap)
				})
			})
			if len(events) < 16 {
				t.Fatalf("the run made only %d calls: %q", len(events)/2, events)
			}
			for i, event := range events {
				if strings.HasPrefix(event, "before") {
					continue
				}
				t.Run(fmt.Sprintf("%02d %s", i, event), func(t *testing.T) {
					playSlot(t, nil, func(b *slotBed) {
						stage.prepare(b)
						h := &hooks{}
						h.at("", i+1, func() fate { return die })
						if r := b.run(h, stage.args...); !r.killed {
							b.Errorf("it was not killed: %v", r)
						}
						b.pass(time.Minute)
						b.settle()
						b.within(3*time.Minute + rotation.Gap)
					})
				})
			}
		})
	}
}

func TestAPasswordOutlivesEveryFault(t *testing.T) {
	for _, at := range []struct {
		operation string
		nth       int
	}{{"UpdateUser", 1}, {"SetSecret", 1}, {"SetSecret", 2}, {"UpdateSecret", 1}} {
		service := "keyvault"
		if strings.HasSuffix(at.operation, "User") {
			service = "graph"
		}
		for _, f := range []sim.Fault{
			{Do: sim.DoLost}, {Do: sim.DoLate, Delay: world.Duration(20 * time.Second)}, {Do: sim.DoCut}, {Do: sim.DoThrottle, RetryAfter: "3"}, {Do: sim.DoTruncate}, {Do: sim.DoMalform},
			{Do: sim.DoAnswer, Status: 500, Body: `{"error":{"code":"InternalServerError"}}`}, {Do: sim.DoAnswer, Status: 403, Body: `{"error":{"code":"Forbidden"}}`},
			{Do: sim.DoAnswer, Status: 400, Body: `{"error":{"code":"Request_BadRequest"}}`},
		} {
			f.Service, f.Operation, f.Nth, f.Times = service, at.operation, at.nth, 1
			t.Run(fmt.Sprintf("%s %d %s %d", at.operation, at.nth, f.Do, f.Status), func(t *testing.T) {
				playSlot(t, nil, func(b *slotBed) {
					b.settle()
					b.pass(4*day + time.Minute)
					b.faults(f)
					b.apply()
					b.sim.ClearFaults()
					b.pass(time.Minute)
					b.settle()
					b.within(time.Minute + 2*rotation.Gap)
				})
			})
		}
	}
}

func TestAPasswordThatIsSlowToArrive(t *testing.T) {
	slow := func(d time.Duration) func(*world.State) {
		return func(s *world.State) {
			s.Knobs.Entra.NewPasswordDelay, s.Knobs.Entra.Regions = world.Duration(d), 3
		}
	}
	t.Run("it is proved everywhere before it is published", func(t *testing.T) {
		playSlot(t, slow(90*time.Second), func(b *slotBed) {
			b.apply()
			b.settle()
			b.within(rotation.Gap)
		})
	})
	t.Run("for longer than a run waits", func(t *testing.T) {
		playSlot(t, slow(10*time.Minute), func(b *slotBed) {
			if r := b.apply(); r.code != cli.ExitFailed {
				b.Errorf("%v", r)
			}
			b.pass(11 * time.Minute)
			b.settle()
		})
	})
}

func TestAPasswordThatSomebodySetsByHand(t *testing.T) {
	playSlot(t, nil, func(b *slotBed) {
		b.settle()
		b.excused = true
		w := b.sim.World()
		w.Lock()
		for _, u := range w.Users {
			if u.UPN == batchUser {
				u.Password, u.PasswordChanged = "Sim."+world.Canary+".by-hand.1Aa2", w.Now()
				w.Remember(u.Password)
			}
		}
		w.Unlock()
		for range 6 {
			b.pass(6 * time.Hour)
			b.apply()
		}
		b.converged() // by the daily census
		b.settle()
	})
}

// A process that was suspended right before it set a password must not set it when another run has set others since.
func TestARunThatSleptSetsNoOldPassword(t *testing.T) {
	for _, event := range []string{"before UpdateUser", "after GetSecret", "after UpdateSecret", "before SetSecret", "after SetSecret"} {
		t.Run(event, func(t *testing.T) {
			playSlot(t, nil, func(b *slotBed) {
				b.settle()
				h := &hooks{}
				h.at(event, 1, func() fate {
					b.pass(2 * time.Hour)
					b.run(&hooks{}, "rotate", "batch-password")
					b.pass(2 * time.Hour)
					return live
				})
				b.run(h, "rotate", "batch-password")
				b.pass(time.Minute)
				b.settle()
				b.within(rotation.Gap)
			})
		})
	}
}

// What cannot be closed: a call that is held up on its way arrives hours late. The next look mends it.
func TestAPasswordThatIsSetHoursLateIsMended(t *testing.T) {
	playSlot(t, nil, func(b *slotBed) {
		b.settle()
		b.excused = true
		h := &hooks{}
		h.at("before UpdateUser", 1, func() fate {
			b.pass(2 * time.Hour)
			b.run(&hooks{}, "rotate", "batch-password")
			return onItsWay
		})
		b.run(h, "rotate", "batch-password")
		b.pass(time.Minute)
		b.settle("--verify")
	})
}

func TestTwoRunsOfAPasswordAtOnceAreMended(t *testing.T) {
	playSlot(t, nil, func(b *slotBed) {
		b.settle()
		b.excused = true
		b.pass(4*day + time.Minute)
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.apply()
		}()
		b.apply()
		<-done
		b.pass(time.Minute)
		b.settle("--verify")
	})
}
