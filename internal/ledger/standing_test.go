package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
)

func TestAnUnknownEffectStandsUntilThereIsALaterWord(t *testing.T) {
	b := newBed(t, "prod-ledger")
	l, _ := b.open()
	seq := 0
	write := func(effect, target string, p ledger.Phase) {
		seq++
		if err := l.Append(ledger.Entry{Run: "run1", Seq: seq, Time: time.Unix(1e9, 0), Credential: "pat", Effect: effect, Target: target, Phase: p}); err != nil {
			t.Fatal(err)
		}
	}
	write("issue", "a", ledger.Unknown)
	write("publish", "b", ledger.Unknown)
	write("issue", "a", ledger.Recovered)
	write("issue", "c", ledger.Unknown)
	write("revoke", "c", ledger.Recovered)
	if _, err := l.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	got, err := ledger.Standing(b.reader())
	if err != nil || len(got) != 2 || got[0].Number != 2 || got[1].Number != 4 {
		t.Errorf("%+v, %v", got, err)
	}
	r := judged(b, ledger.Options{Keys: b.keys})
	var notes []string
	for _, f := range r.Findings {
		if f.Kind == ledger.NotKnown && !f.Problem {
			notes = append(notes, f.Says)
		}
	}
	if !r.OK || len(notes) != 2 || !strings.HasPrefix(notes[0], "line 2: run run1, publish of b:") {
		t.Errorf("%+v", r)
	}
}
