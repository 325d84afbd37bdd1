package hook_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/hook/command"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim/world"
)

// programs are what commands run in place of processes: one that keeps what it is handed, and one that tries it.
type programs struct {
	b     *bed
	holds string
	works map[string]bool
}

var errKilled = errors.New("signal: killed")

func (x *programs) run(ctx context.Context, p command.Process) command.Ended {
	value := string(p.Stdin)
	said := []byte("refused: " + value)
	take := func() {
		x.b.mu.Lock()
		defer x.b.mu.Unlock()
		x.holds = value
	}
	if filepath.Base(p.Argv[0]) == "check" {
		switch x.b.due("Test") {
		case drivertest.Page, drivertest.Malformed, drivertest.Truncated:
			return command.Ended{Started: true, Err: errKilled, Output: said}
		case drivertest.Denied:
			return command.Ended{Err: os.ErrPermission}
		}
		x.b.mu.Lock()
		defer x.b.mu.Unlock()
		// It uses what was taken, and not what it is handed.
		if !x.works[x.holds] || x.holds != value {
			return command.Ended{Started: true, Code: 1, Output: said}
		}
		return command.Ended{Started: true}
	}
	switch x.b.due("Write") {
	case drivertest.Lost, drivertest.Truncated, drivertest.Malformed:
		take()
		return command.Ended{Started: true, Err: errKilled, Output: said}
	case drivertest.Late:
		go func() {
			<-time.After(10 * time.Second)
			take()
		}()
		return command.Ended{Started: true, Err: errKilled, Output: said}
	case drivertest.Cut, drivertest.Unavailable, drivertest.Page:
		return command.Ended{Started: true, Err: errKilled, Output: said}
	case drivertest.Hung:
		<-ctx.Done()
		return command.Ended{Started: true, Err: ctx.Err(), Output: said}
	case drivertest.Throttled:
		return command.Ended{Started: true, Code: 75, Output: said}
	case drivertest.Refused:
		return command.Ended{Started: true, Code: 1, Output: said}
	case drivertest.Denied:
		return command.Ended{Err: os.ErrPermission}
	}
	take()
	return command.Ended{Started: true}
}

// folder holds programs that are there, and one that may not be run.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"take": 0o700, "check": 0o700, "forbidden": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/false\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestACommandIsAConsumer(t *testing.T) {
	for name, check := range map[string][]string{"with a check": {"./check"}, "without one": nil} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			drivertest.Consumer(t, func(t *testing.T) drivertest.ConsumerBed {
				b := newBed(t)
				x := &programs{b: b, works: map[string]bool{}}
				v, _ := b.store()
				to := func(program, secretName string) published {
					of := target
					of.Name = secretName
					s := command.Settings{Run: []string{"./" + program, "--quietly"}, Proof: check, Timeout: time.Minute}
					return published{hook.New("receiver", "devops-pat", v, of, command.New(s, dir, func(string) string { return "" }, x.run)), b}
				}
				n := 0
				return drivertest.ConsumerBed{
					Consumer: to("take", target.Name), Twin: to("take", target.Name), Powerless: to("forbidden", target.Name), Absent: to("nothing", "nothing"),
					Service: b.service(),
					Value: func() string {
						n++
						v := fmt.Sprintf("value %d %s", n, world.Canary)
						x.works[v] = true
						return v
					},
					Holds: func() string {
						b.mu.Lock()
						defer b.mu.Unlock()
						return x.holds
					},
					Rest:    b.rest,
					Replace: func(v string) { x.holds = v },
					Weak:    check == nil, Local: true, Forgets: true, Lapse: simulated.Lapse,
				}
			})
		})
	}
}

func TestACommandThatAsksForAnotherTryGetsItInAMoment(t *testing.T) {
	dir := folder(t)
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := command.New(command.Settings{Run: []string{"./take"}, Timeout: time.Minute}, dir, os.Getenv, func(context.Context, command.Process) command.Ended {
			calls++
			if calls < 3 {
				return command.Ended{Started: true, Code: 75}
			}
			return command.Ended{Started: true}
		})
		if err := c.Hand(t.Context(), hook.Handover{Value: secret.New([]byte("v"))}); err != nil || calls != 3 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

func TestACommandWhoseCheckChangedIsNotToldAgain(t *testing.T) {
	s := command.Settings{Run: []string{"a", "b"}}
	key := func(change func(*command.Settings)) string {
		x := s
		change(&x)
		return command.New(x, "", os.Getenv, nil).Key()
	}
	was := key(func(*command.Settings) {})
	if key(func(s *command.Settings) { s.Proof = []string{"c"} }) != was {
		t.Error("another check is another receiver")
	}
	if key(func(s *command.Settings) { s.Run = []string{"a b"} }) == was || key(func(s *command.Settings) { s.Run = []string{"a"} }) == was {
		t.Error("another command is the same receiver")
	}
}

func TestAProgramThatIsNotThereIsAPersonsToMend(t *testing.T) {
	dir := folder(t)
	for program, want := range map[string]driver.Kind{"./nothing": driver.Missing, "no-such-program-anywhere": driver.Missing, "./forbidden": driver.Denied, "./take": 0} {
		for what, s := range map[string]command.Settings{"run": {Run: []string{program}}, "check": {Run: []string{"./take"}, Proof: []string{program}}} {
			err := command.New(s, dir, os.Getenv, nil).Preflight(t.Context())
			var e *driver.Error
			if driver.KindOf(err) != want || errors.As(err, &e) && (!e.Person || e.Hint == "") {
				t.Errorf("%s %s: %v, want %v", what, program, err, want)
			}
		}
	}
}
