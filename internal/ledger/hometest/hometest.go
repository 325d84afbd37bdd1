// Package hometest is the suite that every home of a ledger must pass.
//
// It is for tests alone, and knows no home. What always holds: it says nothing of how a home keeps what it is given, only
// of what can be read from it afterwards, by others too.
package hometest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
)

// Bed is one place that can be opened several times.
type Bed struct {
	// Open opens it as one more process.
	Open func() ledger.Home
	// Tear adds bytes to a part as somebody would who is ended in the middle of writing.
	Tear func(p ledger.Part, text string)
}

// Run runs the suite. Each test has a bed of its own.
func Run(t *testing.T, run func(t *testing.T, name string, test func(t *testing.T, b Bed))) {
	for name, test := range map[string]func(t *testing.T, b Bed){
		"what was never written is empty":              empty,
		"what was appended is there for everybody":     appended,
		"a snapshot stays as it was":                   snapshots,
		"a line that was cut off is ended":             torn,
		"a line that another process cut off is ended": tornMeanwhile,
		"processes append at once":                     atOnce,
		"what is kept is at its place":                 kept,
		"a ledger is written, verified and proved":     verified,
	} {
		run(t, name, test)
	}
}

func read(t *testing.T, r ledger.Reader, p ledger.Part) string {
	t.Helper()
	s, err := r.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func put(t *testing.T, h ledger.Home, p ledger.Part, text string) {
	t.Helper()
	if err := h.Append(p, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func empty(t *testing.T, b Bed) {
	h := b.Open()
	for _, p := range []ledger.Part{ledger.Checkpoints, ledger.Tree, ledger.Lines} {
		s, err := h.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.ReadAt(make([]byte, 1), 0); s.Size() != 0 || n != 0 || err == nil {
			t.Errorf("%s: size %d, read %d, %v", p, s.Size(), n, err)
		}
		s.Close()
	}
}

func appended(t *testing.T, b Bed) {
	one, two := b.Open(), b.Open()
	put(t, one, ledger.Lines, "one\n")
	put(t, two, ledger.Lines, "two\nthree\n")
	put(t, one, ledger.Checkpoints, "\nnote\n")
	put(t, one, ledger.Lines, "four\n")
	for _, h := range []ledger.Home{one, two, b.Open()} {
		if got := read(t, h, ledger.Lines); got != "one\ntwo\nthree\nfour\n" {
			t.Errorf("lines %q", got)
		}
		if got := read(t, h, ledger.Checkpoints); got != "\nnote\n" {
			t.Errorf("checkpoints %q", got)
		}
	}
}

func snapshots(t *testing.T, b Bed) {
	h := b.Open()
	put(t, h, ledger.Lines, "one\ntwo\n")
	s, err := h.Open(ledger.Lines)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, h, ledger.Lines, "three\n")
	if s.Size() != 8 {
		t.Errorf("size %d", s.Size())
	}
	got := make([]byte, 3)
	if _, err := s.ReadAt(got, 4); err != nil || string(got) != "two" {
		t.Errorf("%q, %v", got, err)
	}
}

func torn(t *testing.T, b Bed) {
	put(t, b.Open(), ledger.Lines, "one\n")
	b.Tear(ledger.Lines, "tw")
	put(t, b.Open(), ledger.Lines, "three\n")
	if got := read(t, b.Open(), ledger.Lines); got != "one\ntw\nthree\n" {
		t.Errorf("%q", got)
	}
}

func tornMeanwhile(t *testing.T, b Bed) {
	h := b.Open()
	put(t, h, ledger.Lines, "one\n")
	b.Tear(ledger.Lines, "tw")
	put(t, h, ledger.Lines, "three\n")
	if got := read(t, h, ledger.Lines); got != "one\ntw\nthree\n" {
		t.Errorf("%q", got)
	}
}

func atOnce(t *testing.T, b Bed) {
	const processes, each = 4, 8
	var wg sync.WaitGroup
	errs := make([]error, processes)
	for i := range processes {
		h := b.Open()
		wg.Go(func() {
			for n := range each {
				errs[i] = errors.Join(errs[i], h.Append(ledger.Lines, fmt.Appendf(nil, "process %d line %d\n", i, n)))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	next := make([]int, processes)
	lines := strings.Split(strings.TrimSuffix(read(t, b.Open(), ledger.Lines), "\n"), "\n")
	for _, l := range lines {
		var i, n int
		if _, err := fmt.Sscanf(l, "process %d line %d", &i, &n); err != nil || n != next[i] {
			t.Fatalf("%q after line %d of its process: %v", l, next[i], err)
		}
		next[i]++
	}
	if len(lines) != processes*each {
		t.Errorf("%d lines", len(lines))
	}
}

func kept(t *testing.T, b Bed) {
	one, two := b.Open(), b.Open()
	keep := func(h ledger.Home, text string, at int64) {
		if err := h.Keep(ledger.Tree, []byte(text), at); err != nil {
			t.Fatal(err)
		}
	}
	keep(one, "abc", 0)
	keep(two, "abcdef", 0)
	keep(one, "cdefgh", 2)
	keep(two, "ef", 4)
	if got := read(t, b.Open(), ledger.Tree); got != "abcdefgh" {
		t.Errorf("%q", got)
	}
}

func verified(t *testing.T, b Bed) {
	private, public, err := ledger.MakeKey("prod-ledger")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ledger.ParseKey(private)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ledger.ParseVerifiers(public)
	if err != nil {
		t.Fatal(err)
	}
	for run := range 3 {
		l := ledger.New(b.Open(), key)
		for n := range 5 {
			e := ledger.Entry{Run: fmt.Sprint("run", run), Seq: n + 1, Time: time.Unix(1e9, 0), Effect: "tell", Phase: ledger.Intended, Target: strings.Repeat("x", 100)}
			if err := l.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		if size, _, err := l.Witness(); err != nil || size != int64(5*run+5) {
			t.Errorf("a witness of %d entries, %v", size, err)
		}
		c, err := l.Checkpoint()
		if err != nil || c.Size != int64(5*run+5) {
			t.Fatalf("a checkpoint of %d, %v", c.Size, err)
		}
		if own, err := l.Segment(fmt.Sprint("run", run), c); err != nil || len(own) != 5 || own[0].Entry != int64(5*run+1) {
			t.Errorf("the run's own entries: %d, %v", len(own), err)
		}
	}
	r := b.Open()
	report, err := ledger.Verify(r, ledger.Options{Keys: keys})
	if err != nil || !report.OK || report.Entries != 15 || report.Covered != 15 {
		t.Errorf("%+v, %v", report, err)
	}
	p, err := ledger.Prove(r, 7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Check(keys); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	if _, n, err := ledger.Export(r, &out, nil); err != nil || n != 15 {
		t.Errorf("exported %d, %v", n, err)
	}
}
