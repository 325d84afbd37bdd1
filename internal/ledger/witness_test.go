package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/ledger"
)

func witness(t *testing.T, l *ledger.Ledger) ledger.Seen {
	t.Helper()
	size, root, err := l.Witness()
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Seen{Name: "version v1 of secret kv/pat", Size: size, Root: root}
}

func TestAWitnessSaysWhatTheLedgerHoldsAtThatMoment(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(5)
	l, write := b.open()
	other, alsoWrite := b.open()
	var seen []ledger.Seen
	for n := range 4 {
		write(3)
		alsoWrite(n)
		seen = append(seen, witness(t, l))
		if n == 2 {
			if _, err := other.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := seen[3].Size; got != 5+12+6 {
		t.Errorf("the last one is of %d entries, and there are 23", got)
	}
	r := judged(b, ledger.Options{Keys: b.keys, Seen: seen})
	if !r.OK || r.Witnesses != 4 {
		t.Errorf("%+v", r)
	}
}

func TestAVaultsWordAgainstTheLedgersIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b *bed, s *ledger.Seen)
		kind   ledger.Kind
		says   string
	}{
		"cut off with its checkpoints": {func(b *bed, _ *ledger.Seen) {
			b.setLines(b.lines()[:4])
			b.write(ledger.Checkpoints, "")
		}, ledger.Truncated, "version v1 of secret kv/pat was written when the ledger had 6 entries, and it ends after 4"},
		"another history": {func(b *bed, _ *ledger.Seen) {
			l := b.lines()
			l[1] = strings.Replace(l[1], "issue", "tell", 1)
			b.setLines(l)
			b.write(ledger.Checkpoints, "")
		}, ledger.Fork, "was written when the ledger had 6 entries, and they were others"},
		"a root that is none": {func(_ *bed, s *ledger.Seen) { s.Root = "x" }, ledger.Broken, "cannot be read"},
		"a size beyond all":   {func(_ *bed, s *ledger.Seen) { s.Size = 1 << 60 }, ledger.Truncated, "ends after 8"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, "prod-ledger")
			l, write := b.open()
			write(6)
			s := witness(t, l)
			write(2)
			if _, err := l.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			c.change(b, &s)
			// Without any key: a vault's word needs no signature.
			r := judged(b, ledger.Options{Seen: []ledger.Seen{s}})
			for _, f := range r.Findings {
				if f.Kind == c.kind && f.Problem && strings.Contains(f.Says, c.says) && f.Do != "" {
					return
				}
			}
			t.Errorf("got %+v, want %s: %s", r.Findings, c.kind, c.says)
		})
	}
}

func TestNoWitnessIsOfALedgerThatWasChanged(t *testing.T) {
	for name, change := range map[string]func([]string) []string{
		"an entry altered": func(l []string) []string { l[0] = strings.Replace(l[0], "issue", "tell", 1); return l },
		"the end cut off":  func(l []string) []string { return l[:3] },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, "prod-ledger")
			b.run(5)
			b.setLines(change(b.lines()))
			l, _ := b.open()
			for range 2 {
				if _, _, err := l.Witness(); !errors.Is(err, ledger.ErrChanged) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func judged(b *bed, o ledger.Options) ledger.Report {
	b.Helper()
	r, err := ledger.Verify(b.reader(), o)
	if err != nil {
		b.Fatal(err)
	}
	return r
}
