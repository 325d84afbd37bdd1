package scenario

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/artifact"
	"github.com/rekeyhq/rekey/internal/ledger"
)

func TestARunRecordsWhatBecameOfALostAnswer(t *testing.T) {
	for operation, c := range map[string]struct {
		effect string
		wait   time.Duration
		run    []string
	}{
		"CreatePat": {"issue", time.Hour, []string{"rotate", credential}},
		"SetSecret": {"publish", time.Hour, []string{"rotate", credential}},
		"RevokePat": {"revoke", day + time.Hour, []string{"apply"}},
	} {
		t.Run(operation, func(t *testing.T) {
			play(t, func(b *bed) {
				b.apply()
				b.pass(time.Hour)
				b.run("rotate", credential)
				b.pass(c.wait)
				b.faults(lost(operation))
				before := len(b.artifacts())
				o := b.run(c.run...)
				b.struck()
				n := map[ledger.Phase]int{}
				for _, e := range b.recorded() {
					if e.Effect == c.effect {
						n[e.Phase]++
					}
				}
				if n[ledger.Unknown] != 1 || n[ledger.Recovered] != 1 {
					t.Errorf("%v\n%s: %v", o, c.effect, n)
				}
				seen := false
				for _, raw := range b.artifacts() {
					_, s, err := artifact.Parse(raw)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range s.Credentials[0].Effects {
						seen = seen || e.Effect == c.effect && e.Outcome == string(ledger.Recovered)
					}
				}
				if !seen || len(b.artifacts()) != before+1 {
					t.Errorf("no artefact of %d says %s", len(b.artifacts()), fmt.Sprint(c.effect, " recovered"))
				}
				b.settle()
			})
		})
	}
}
