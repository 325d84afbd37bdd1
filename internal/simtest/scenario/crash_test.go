package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/cli"
	"github.com/rekeyhq/rekey/internal/report"
)

// stages are what a run can be about to do when it ends before its time.
var stages = []struct {
	name    string
	prepare func(b *bed)
	args    []string
}{
	{"on an absent secret", func(*bed) {}, []string{"apply"}},
	{"on a due credential", func(b *bed) { b.published() }, []string{"apply"}},
	{"after the overlap", func(b *bed) { b.published(); b.apply(); b.pass(day) }, []string{"apply"}},
	{"on a compromised credential", func(b *bed) { b.apply(); b.pass(26 * time.Hour) }, []string{"rotate", "--compromised", credential}},
}

// killedAt kills a run the nth time that it comes to a place. The next ones mend what it leaves; works says whether whoever
// uses the credential can go on after the kill.
func (b *bed) killedAt(place string, nth int, works func(when string)) {
	b.Helper()
	m := b.machine()
	m.hook.at(place, nth, func() fate { return die })
	if o := m.begin("apply")(); !o.killed {
		b.Fatalf("it was not killed: %v", o)
	}
	works("after the kill")
	b.pass(2 * time.Hour)
	b.settle()
}

// A run is killed after each of its calls in turn, before it hears of the answer. To be killed before a call is to the
// world as to be killed after the one before.
func TestARunThatIsKilledAtAnyCallLeavesWhatTheNextOneMends(t *testing.T) {
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			t.Parallel()
			var events []string
			t.Run("not at all", func(t *testing.T) {
				playNow(t, func(b *bed) {
					stage.prepare(b)
					m := b.machine()
					b.calm(stage.args, func() { m.run(context.Background(), stage.args...) })
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
					play(t, func(b *bed) {
						stage.prepare(b)
						m := b.machine()
						m.hook.at("", i+1, func() fate { return die })
						b.calm(stage.args, func() {
							if o := m.run(context.Background(), stage.args...); !o.killed {
								b.Errorf("it was not killed: %v", o)
							}
						})
						b.pass(time.Minute)
						b.settle()
					})
				})
			}
		})
	}
}

// calm runs f; where the old token is to die at once, whoever still has it is cut off, and the plan says so.
func (b *bed) calm(args []string, f func()) {
	if !slices.Contains(args, "--compromised") {
		f()
		return
	}
	b.consumer.excused("the old token is compromised and dies at once", func() {
		f()
		b.apply()
		b.apply()
	})
	b.consumer.forget()
}

func TestARunThatIsInterruptedStopsAndSaysSo(t *testing.T) {
	for _, stage := range stages[:3] {
		for _, event := range []string{"after CreatePat", "after SetSecret", "after RevokePat", "before CreatePat", "before SetSecret", "before RevokePat", "after GetSecret"} {
			t.Run(stage.name+" "+event, func(t *testing.T) {
				play(t, func(b *bed) {
					stage.prepare(b)
					m := b.machine()
					ctx, interrupt := context.WithCancel(context.Background())
					defer interrupt()
					hit := false
					m.hook.at(event, 1, func() fate { hit = true; interrupt(); return live })
					o := m.run(ctx, stage.args...)
					if hit && o.code != cli.ExitFailed {
						b.Errorf("%v\nstderr:\n%s", o, o.err)
					}
					b.pass(time.Minute)
					b.settle()
				})
			})
		}
	}
}

func TestWhatCannotBeRecordedDoesNotHappen(t *testing.T) {
	t.Run("a folder that is a file", func(t *testing.T) {
		play(t, func(b *bed) {
			b.published()
			b.write(func(s *settings) { s.ledger = "./rekey.yaml" })
			calls := len(b.sim.Requests())
			if o := b.apply(); o.code != cli.ExitFailed {
				b.Errorf("%v", o)
			}
			if n := len(b.writes(calls)); n > 0 {
				b.Errorf("%d writes", n)
			}
			b.write(func(s *settings) { s.ledger = "./ledger" })
			b.settle()
		})
	})
	t.Run("a disk that is full", func(t *testing.T) {
		play(t, func(b *bed) {
			b.published()
			b.fullDisk()
			b.write(func(s *settings) { s.ledger = "./full" })
			calls := len(b.sim.Requests())
			o := b.apply().is(report.Failed, "").did()
			if e := o.cred().Error; e == nil || e.Hint == "" {
				b.Errorf("no hint: %v", o)
			}
			if n := len(b.writes(calls)); n > 0 {
				b.Errorf("%d writes", n)
			}
			b.write(func(s *settings) { s.ledger = "./ledger" })
			b.settle()
		})
	})
}

// writes are the calls since then that change something.
func (b *bed) writes(since int) (out []string) {
	for _, c := range b.sim.Requests()[since:] {
		if c.Service != "entra" && c.Method != "GET" {
			out = append(out, c.Operation)
		}
	}
	return out
}
