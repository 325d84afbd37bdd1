package ledger_test

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// fixed is a ledger in memory.
type fixed map[ledger.Part]string

type snapshot struct{ *strings.Reader }

func (snapshot) Close() error { return nil }

func (f fixed) Open(p ledger.Part) (ledger.Snapshot, error) {
	return snapshot{strings.NewReader(f[p])}, nil
}

// Append implements ledger.Home.
func (f fixed) Append(p ledger.Part, b []byte) error {
	if s := f[p]; s != "" && !strings.HasSuffix(s, "\n") {
		f[p] += "\n"
	}
	f[p] += string(b)
	return nil
}

// Keep implements ledger.Home.
func (f fixed) Keep(p ledger.Part, b []byte, at int64) error {
	s := []byte(f[p])
	s = append(s, make([]byte, max(0, int(at)+len(b)-len(s)))...)
	copy(s[at:], b)
	f[p] = string(s)
	return nil
}

// honest is a signed ledger, in memory.
func honest(f *testing.F) (fixed, *ledger.Key, []ledger.Verifier) {
	b := newBed(f, "prod-ledger")
	b.run(3)
	b.run(4)
	return fixed{ledger.Lines: b.read(ledger.Lines), ledger.Checkpoints: b.read(ledger.Checkpoints), ledger.Tree: b.read(ledger.Tree)}, b.key, b.keys
}

// FuzzLines: whatever the three files hold, it is verified, shown and exported without harm, and signed over only if it
// goes on from the checkpoint that is there.
func FuzzLines(f *testing.F) {
	good, key, keys := honest(f)
	for _, lines := range append(badinput.Broken(good[ledger.Lines]), []byte(strings.Repeat("x", 3<<20)), []byte("\n\n\n")) {
		f.Add(lines, good[ledger.Checkpoints], good[ledger.Tree])
	}
	for _, tree := range badinput.Broken(good[ledger.Tree]) {
		f.Add([]byte(good[ledger.Lines]), good[ledger.Checkpoints], string(tree))
	}
	f.Fuzz(func(t *testing.T, lines []byte, checkpoints, tree string) {
		if slices.ContainsFunc([]int{len(lines), len(checkpoints), len(tree)}, func(n int) bool { return n > 4<<20 }) {
			return
		}
		r := fixed{ledger.Lines: string(lines), ledger.Checkpoints: checkpoints, ledger.Tree: tree}
		badinput.Bounded(t, 8*(len(lines)+len(checkpoints)+len(tree)), func() {
			report, err := ledger.Verify(r, ledger.Options{Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			if checkpoints == good[ledger.Checkpoints] && report.OK && !bytes.HasPrefix(lines, []byte(good[ledger.Lines])) {
				t.Errorf("what was signed is not there: %s", said(report))
			}
			if err := ledger.Walk(r, func(int64, ledger.Entry) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if _, _, err := ledger.Export(r, io.Discard, nil); err == nil && !report.OK && checkpoints == good[ledger.Checkpoints] {
				t.Errorf("what does not hold was exported: %s", said(report))
			}
			l := ledger.New(r, key)
			if err := l.Append(ledger.Entry{Run: "r", Seq: 1}); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Checkpoint(); err == nil {
				after, err := ledger.Verify(r, ledger.Options{Keys: keys})
				if err != nil || report.OK && !after.OK {
					t.Errorf("a run has broken what was whole: %s, %v", said(after), err)
				}
			}
		})
	})
}

// FuzzCheckpoints: what is taken for a checkpoint is written in the only way, and signed.
func FuzzCheckpoints(f *testing.F) {
	good, _, keys := honest(f)
	note := strings.TrimPrefix(good[ledger.Checkpoints], "\n")
	f.Add([]byte(note))
	f.Add([]byte("rekey-ledger\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n(unsigned)\n"))
	for _, b := range badinput.Broken(note) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		badinput.Bounded(t, len(b), func() {
			if c, err := ledger.ParseCheckpoint(string(b), keys); err == nil {
				if len(c.Signers) > 0 && !strings.Contains(note, string(b)) {
					t.Errorf("nobody has signed %q", b)
				}
				if !strings.HasPrefix(string(b), c.Origin+"\n") || c.Size <= 0 {
					t.Errorf("%+v", c)
				}
			}
			held, err := ledger.ParseHeld(ledger.Held{Name: "kept", Text: string(b)}, keys)
			for _, c := range held {
				if err == nil && !strings.Contains(note, c.Note) {
					t.Errorf("nobody has signed %q", c.Note)
				}
			}
		})
	})
}

// FuzzProof: no proof holds but of what was signed.
func FuzzProof(f *testing.F) {
	good, _, keys := honest(f)
	lines := strings.Split(good[ledger.Lines], "\n")
	for n := range int64(7) {
		p, err := ledger.Prove(good, n+1)
		if err != nil {
			f.Fatal(err)
		}
		b, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		if n == 4 {
			for _, x := range badinput.Broken(string(b)) {
				f.Add(x)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		badinput.Bounded(t, len(b), func() {
			p, err := ledger.ParseProof(b)
			if err != nil {
				return
			}
			got, err := p.Check(keys)
			if err == nil && lines[got.Entry-1] != p.Line {
				t.Errorf("%q is proved to be entry %d", p.Line, got.Entry)
			}
		})
	})
}

// FuzzExport: no export holds but of what was signed.
func FuzzExport(f *testing.F) {
	good, _, keys := honest(f)
	lines := strings.Split(good[ledger.Lines], "\n")
	for _, wanted := range []ledger.Wanted{nil, func(n int64, _ ledger.Entry) bool { return n != 2 }} {
		var b bytes.Buffer
		if _, _, err := ledger.Export(good, &b, wanted); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		for _, x := range badinput.Broken(b.String()) {
			f.Add(x)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		badinput.Bounded(t, len(b), func() {
			got, err := ledger.CheckExport(bytes.NewReader(b), keys, nil)
			if err != nil {
				return
			}
			for line := range bytes.Lines(b) {
				var e struct {
					Entry int64
					Line  string
				}
				if json.Unmarshal(line, &e) == nil && e.Entry > 0 && lines[e.Entry-1] != e.Line {
					t.Errorf("%q is exported as entry %d of %+v", e.Line, e.Entry, got)
				}
			}
		})
	})
}

// FuzzKeys: what is no key is refused, and nothing of it is in the error.
func FuzzKeys(f *testing.F) {
	private, public, err := ledger.MakeKey("prod-ledger")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(private)
	f.Add(public)
	f.Add(public + "\n\n" + public)
	for _, b := range slices.Concat(badinput.Broken(private), badinput.Broken(public)) {
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, text string) {
		badinput.Bounded(t, len(text), func() {
			k, err := ledger.ParseKey(text)
			if err == nil && k.Name() == "" {
				t.Error("a key without a name")
			}
			for _, err := range []error{err, func() error { _, err := ledger.ParseVerifiers(text); return err }()} {
				if err != nil && len(text) > 30 && strings.Contains(err.Error(), text[len(text)-20:]) {
					t.Errorf("%v", err)
				}
			}
		})
	})
}
