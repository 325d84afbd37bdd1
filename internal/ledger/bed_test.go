package ledger_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
)

// bed is a folder with a ledger, and the key that signs it.
type bed struct {
	testing.TB
	dir  string
	key  *ledger.Key
	keys []ledger.Verifier
	runs int
}

func newBed(t testing.TB, name string) *bed {
	private, public, err := ledger.MakeKey(name)
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{TB: t, dir: t.TempDir()}
	if b.key, err = ledger.ParseKey(private); err != nil {
		t.Fatal(err)
	}
	if b.keys, err = ledger.ParseVerifiers(public); err != nil {
		t.Fatal(err)
	}
	return b
}

// open opens the ledger for one more run.
func (b *bed) open() (*ledger.Ledger, func(n int)) {
	b.Helper()
	f, err := ledger.OpenFolder(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	b.runs++
	run, seq := fmt.Sprintf("run%d", b.runs), 0
	l := ledger.New(f, b.key)
	return l, func(n int) {
		b.Helper()
		for range n {
			seq++
			e := ledger.Entry{Time: time.Unix(1e9+int64(seq), 0), Run: run, Seq: seq, Credential: "devops-pat", Effect: "issue", Phase: ledger.Intended, Target: fmt.Sprint(run, "/", seq)}
			if err := l.Append(e); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// run is a run that records n entries and ends as it should.
func (b *bed) run(n int) ledger.Checkpoint {
	b.Helper()
	l, write := b.open()
	write(n)
	c, err := l.Checkpoint()
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func (b *bed) path(p ledger.Part) string { return filepath.Join(b.dir, string(p)) }

func (b *bed) read(p ledger.Part) string {
	b.Helper()
	got, err := os.ReadFile(b.path(p))
	if err != nil {
		b.Fatal(err)
	}
	return string(got)
}

func (b *bed) write(p ledger.Part, text string) {
	b.Helper()
	if err := os.WriteFile(b.path(p), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// lines are the entries' lines without their ends.
func (b *bed) lines() []string {
	b.Helper()
	return strings.Split(strings.TrimSuffix(b.read(ledger.Lines), "\n"), "\n")
}

func (b *bed) setLines(lines []string) {
	b.Helper()
	b.write(ledger.Lines, strings.Join(lines, "\n")+"\n")
}

func (b *bed) reader() ledger.Reader {
	b.Helper()
	r, err := ledger.ReadFolder(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func (b *bed) verify(held ...string) ledger.Report {
	b.Helper()
	o := ledger.Options{Keys: b.keys}
	for _, h := range held {
		o.Held = append(o.Held, ledger.Held{Name: "kept", Text: h})
	}
	r, err := ledger.Verify(b.reader(), o)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// said is what was found, in short.
func said(r ledger.Report) string {
	var out []string
	for _, f := range r.Findings {
		word := string(f.Kind)
		if !f.Problem {
			word = "(" + word + ")"
		}
		if f.Line > 0 {
			word += fmt.Sprintf(" %d+%d", f.Line, f.Count)
		}
		out = append(out, word)
	}
	return strings.Join(out, ", ")
}

// sound fails the test unless everything is covered and holds.
func (b *bed) sound(n int64) {
	b.Helper()
	if r := b.verify(); !r.OK || r.Entries != n || r.Covered != n || len(r.Findings) > 0 {
		b.Errorf("%d of %d entries are covered, want %d: %s %+v", r.Covered, r.Entries, n, said(r), r.Findings)
	}
}

// copy is another folder with the same in it.
func (b *bed) copy() *bed {
	b.Helper()
	c := *b
	c.dir = b.TempDir()
	if err := os.CopyFS(c.dir, os.DirFS(b.dir)); err != nil {
		b.Fatal(err)
	}
	return &c
}

func flipped(s string, at int) string {
	b := []byte(s)
	b[at] ^= 1
	if bytes.Equal(b, []byte(s)) {
		panic("nothing changed")
	}
	return string(b)
}

func swapped(lines []string, i, j int) []string {
	out := slices.Clone(lines)
	out[i], out[j] = out[j], out[i]
	return out
}
