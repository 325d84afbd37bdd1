package ledger_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/ledger"
)

func TestAnyCheckpointIsConsistentWithTheWhole(t *testing.T) {
	b := newBed(t, "prod-ledger")
	r := rand.New(rand.NewPCG(1, 2))
	var kept []string
	n := int64(0)
	for range 20 {
		more := 1 + r.IntN(9)
		n += int64(more)
		c := b.run(more)
		if c.Size != n {
			t.Fatalf("a checkpoint of %d entries, want %d", c.Size, n)
		}
		kept = append(kept, c.Note)
	}
	b.sound(n)
	for i, k := range kept {
		if r := b.verify(k); !r.OK {
			t.Errorf("checkpoint %d: %s", i, said(r))
		}
	}
	// And it is the same without the hashes beside the lines, which are worked out anew.
	tree := b.read(ledger.Tree)
	b.write(ledger.Tree, "")
	b.run(1)
	b.sound(n + 1)
	if !strings.HasPrefix(b.read(ledger.Tree), tree) {
		t.Error("the hashes that were made anew are others")
	}
}

func TestNoCheckpointRestsOnHashesThatWereChanged(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(7)
	tree := b.read(ledger.Tree)
	for at := 5; at < len(tree); at += 40 {
		c := b.copy()
		c.write(ledger.Tree, flipped(tree, at))
		c.run(1)
		c.sound(8)
		if p, err := ledger.Prove(c.reader(), 8); err != nil {
			t.Error(err)
		} else if _, err := p.Check(c.keys); err != nil {
			t.Error(err)
		}
	}
}

func TestAnyEntrysProofHolds(t *testing.T) {
	b := newBed(t, "prod-ledger")
	other := newBed(t, "prod-ledger")
	for _, n := range []int{1, 1, 1, 4, 1, 9, 16} {
		c := b.run(n)
		for i := range c.Size {
			p, err := ledger.Prove(b.reader(), i+1)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Check(b.keys)
			if err != nil || got.Entry != i+1 || got.Said.Run == "" || got.Checkpoint.Size != c.Size {
				t.Fatalf("entry %d of %d: %+v %v", i+1, c.Size, got, err)
			}
			if _, err := p.Check(other.keys); err == nil {
				t.Error("it holds by another key")
			}
			p.Entry = (i+1)%c.Size + 1
			if _, err := p.Check(b.keys); err == nil && c.Size > 1 {
				t.Errorf("entry %d of %d is proved to be entry %d", i+1, c.Size, p.Entry)
			}
		}
	}
	if _, err := ledger.Prove(b.reader(), 34); err == nil || !strings.Contains(err.Error(), "no signed checkpoint covers it") {
		t.Errorf("%v", err)
	}
}

// TestAnyChangedByteIsCaught changes each byte of a ledger, one at a time.
func TestAnyChangedByteIsCaught(t *testing.T) {
	for name, signed := range map[string]bool{"signed": true, "unsigned": false} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, "prod-ledger")
			if !signed {
				b.key, b.keys = nil, nil
			}
			b.run(3)
			b.run(2)
			r := fixed{ledger.Lines: b.read(ledger.Lines), ledger.Checkpoints: b.read(ledger.Checkpoints), ledger.Tree: b.read(ledger.Tree)}
			for _, part := range []ledger.Part{ledger.Lines, ledger.Checkpoints} {
				text := r[part]
				for i := range text {
					// Of an unsigned ledger the name is worth nothing, and can be another.
					if !signed && strings.Contains(text[max(0, i-12):min(len(text), i+12)], ledger.Unsigned) {
						continue
					}
					for _, x := range []byte{text[i] ^ 1, text[i] ^ 4, text[i] + 1, '\n', ' ', 'A'} {
						r[part] = text[:i] + string([]byte{x}) + text[i+1:]
						report, err := ledger.Verify(r, ledger.Options{Keys: b.keys})
						if err != nil || report.OK && x != text[i] {
							t.Fatalf("%s, byte %d: %q in place of %q was not caught: %s %v", part, i, x, text[i], said(report), err)
						}
					}
				}
				r[part] = text
			}
			b.sound(5)
		})
	}
}

func TestAnyChangedByteOfAProofOrAnExportIsCaughtOrChangesNothing(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(6)
	p, err := ledger.Prove(b.reader(), 4)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		changed, err := ledger.ParseProof([]byte(flipped(string(text), i)))
		if err != nil {
			continue
		}
		if _, err := changed.Check(b.keys); err == nil && (changed.Line != p.Line || changed.Entry != p.Entry || changed.Checkpoint != p.Checkpoint) {
			t.Errorf("byte %d: %+v", i, changed)
		}
	}
	for name, wanted := range map[string]ledger.Wanted{"whole": nil, "in part": func(n int64, _ ledger.Entry) bool { return n%2 == 0 }} {
		var out bytes.Buffer
		if _, _, err := ledger.Export(b.reader(), &out, wanted); err != nil {
			t.Fatal(err)
		}
		got, err := ledger.CheckExport(strings.NewReader(out.String()), b.keys, nil)
		if err != nil || got.Complete != (wanted == nil) || got.Entries != map[bool]int64{true: 6, false: 3}[wanted == nil] {
			t.Fatalf("%s: %+v %v", name, got, err)
		}
		head := strings.IndexByte(out.String(), '\n')
		for i := range out.Len() {
			if got, err := ledger.CheckExport(strings.NewReader(flipped(out.String(), i)), b.keys, nil); err == nil && i > head {
				t.Errorf("%s, byte %d was not caught: %+v", name, i, got)
			}
			if _, err := ledger.CheckExport(strings.NewReader(out.String()[:i]), b.keys, nil); err == nil {
				t.Errorf("%s, cut off at byte %d, was not caught", name, i)
			}
		}
	}
}

func TestAnExportIsHeldAgainstWhatWasKept(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(5)
	other := b.copy()
	keep := func(b *bed) []ledger.Checkpoint {
		c, err := ledger.ParseHeld(ledger.Held{Name: "kept", Text: b.read(ledger.Checkpoints)}, b.keys)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	b.run(3)
	other.runs = 9
	other.run(2)
	b.run(3)
	ours, theirs := keep(b), keep(other)
	export := func(wanted ledger.Wanted) *bytes.Buffer {
		var out bytes.Buffer
		if _, _, err := ledger.Export(b.reader(), &out, wanted); err != nil {
			t.Fatal(err)
		}
		return &out
	}
	if _, err := ledger.CheckExport(export(nil), b.keys, ours); err != nil {
		t.Error(err)
	}
	if _, err := ledger.CheckExport(export(nil), b.keys, theirs); err == nil || !strings.Contains(err.Error(), "is not of the entries in this export") {
		t.Errorf("a fork: %v", err)
	}
	old := export(nil)
	b.run(1)
	if _, err := ledger.CheckExport(old, b.keys, keep(b)); err == nil || !strings.Contains(err.Error(), "the export ends after 11 entries") {
		t.Errorf("an export from before: %v", err)
	}
	if _, err := ledger.CheckExport(export(func(int64, ledger.Entry) bool { return true }), b.keys, ours); err == nil || !strings.Contains(err.Error(), "complete export") {
		t.Errorf("an export in part: %v", err)
	}
}
