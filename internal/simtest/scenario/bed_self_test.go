package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/simtest/leak"
	"github.com/rekeyhq/rekey/sim/world"
)

func TestTheConsumerSeesAGapAndWhoseItIs(t *testing.T) {
	play(t, func(b *bed) {
		b.apply().is(report.Done, "current")
		b.pass(time.Hour)
		if probes, gaps := b.consumer.seen(); len(gaps) > 0 || probes < 5 {
			b.Fatalf("%d probes, gaps %v", probes, gaps)
		}
		b.consumer.excused("the test's own", func() {
			b.editPAT(b.record().IssuerID, func(w *world.World, p *world.PAT) { p.Revoked = w.Now() })
			b.pass(time.Hour)
			if g := b.consumer.unexcused(); len(g) == 0 {
				b.Error("nobody noticed that the token is dead")
			}
			b.edit(func(w *world.World, s *world.Secret) { s.Deleted = w.Now() })
			b.pass(time.Hour)
			if why := b.consumer.works(); !strings.Contains(why, "cannot read") {
				b.Errorf("nobody noticed that the secret is gone: %q", why)
			}
		})
		if g := b.consumer.unexcused(); len(g) > 0 {
			b.Errorf("excused, and still %v", g)
		}
	})
}

func TestAnExcuseDoesNotOutliveItsCause(t *testing.T) {
	play(t, func(b *bed) {
		b.apply().is(report.Done, "current")
		b.consumer.excused("nothing has happened yet", func() { b.pass(time.Minute) })
		b.editPAT(b.record().IssuerID, func(w *world.World, p *world.PAT) { p.Revoked = w.Now() })
		b.pass(time.Hour)
		if g := b.consumer.unexcused(); len(g) == 0 {
			b.Error("a gap after the excuse passes")
		}
		b.consumer.mu.Lock()
		defer b.consumer.mu.Unlock()
		b.consumer.gaps = nil // they were asked for
	})
}

// panicFile tells the child process where to write the secrets that its world knows.
const panicFile = "REKEY_TEST_PANIC_FILE"

// A panic prints the panic's value and every goroutine's stack. It happens in a process of its own, at the moment in
// which the new value is in memory and on its way.
func TestAPanicWithAValueInMemoryPrintsNone(t *testing.T) {
	if file := os.Getenv(panicFile); file != "" {
		panicAtThePUT(t, file)
		return
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secrets")
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), panicFile+"="+file, "GOTRACEBACK=all")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: a bug with ") {
		t.Fatalf("it did not panic: %v\n%s", err, out)
	}
	known, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	secrets := strings.Fields(string(known))
	if len(secrets) < 8 {
		t.Fatalf("only %d secrets were in memory", len(secrets))
	}
	for _, f := range leak.Search(string(out), append(secrets, world.Canary)) {
		t.Errorf("the panic's text holds a secret: %v", f)
	}
}

func panicAtThePUT(t *testing.T, file string) {
	play(t, func(b *bed) {
		b.home.hook.at("before SetSecret", 1, func() fate {
			var secrets []string
			b.world(func(w *world.World) { secrets = w.Secrets() })
			if err := os.WriteFile(file, []byte(strings.Join(secrets, "\n")), 0o600); err != nil {
				b.Error(err)
			}
			panic(fmt.Sprintf("a bug with %v in hand", b.home.hook))
		})
		b.apply()
	})
}
