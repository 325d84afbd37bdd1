package ledger_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/ledger"
)

// forged is an entry as somebody might write one who wants it to have happened.
const forged = `{"schema":1,"time":"2026-01-01T00:00:00Z","run":"run2","seq":99,"credential":"devops-pat","effect":"issue","phase":"intended","target":"x"}`

// TestEachTamperingIsNamed changes a ledger of three runs with 5, 6 and 4 entries, each with its checkpoint.
func TestEachTamperingIsNamed(t *testing.T) {
	honest := newBed(t, "prod-ledger")
	honest.run(5)
	honest.run(6)
	middle := honest.read(ledger.Checkpoints)
	honest.run(4)
	honest.sound(15)
	lines := func(change func([]string) []string) func(*bed) {
		return func(b *bed) { b.setLines(change(b.lines())) }
	}
	checkpoints := func(change func(string) string) func(*bed) {
		return func(b *bed) { b.write(ledger.Checkpoints, change(b.read(ledger.Checkpoints))) }
	}
	noTree := func(then func(*bed)) func(*bed) {
		return func(b *bed) {
			if err := os.Remove(b.path(ledger.Tree)); err != nil {
				b.Fatal(err)
			}
			then(b)
		}
	}
	none := func(*bed) {}
	for name, c := range map[string]struct {
		tamper func(*bed)
		held   string
		want   string
		says   string // of some finding
	}{
		"an entry is altered":                {tamper: lines(func(l []string) []string { l[7] = strings.Replace(l[7], "issue", "isSue", 1); return l }), want: "altered 8+1", says: "line 8: altered"},
		"the first entry is altered":         {tamper: lines(func(l []string) []string { l[0] = forged; return l }), want: "altered 1+1"},
		"the last entry is altered":          {tamper: lines(func(l []string) []string { l[14] = forged; return l }), want: "altered 15+1"},
		"two entries are altered":            {tamper: lines(func(l []string) []string { l[2], l[11] = forged, forged+" "; return l }), want: "altered 3+1, altered 12+1"},
		"three in a row are altered":         {tamper: lines(func(l []string) []string { l[4], l[5], l[6] = forged, forged+" ", forged+"  "; return l }), want: "altered 5+3", says: "lines 5 to 7: altered"},
		"an entry is dropped":                {tamper: lines(func(l []string) []string { return slices.Delete(l, 3, 4) }), want: "dropped 4+1", says: "1 entry that was signed there, as line 4, is gone"},
		"the first entry is dropped":         {tamper: lines(func(l []string) []string { return l[1:] }), want: "dropped 1+1"},
		"several entries are dropped":        {tamper: lines(func(l []string) []string { return slices.Delete(l, 3, 9) }), want: "dropped 4+6"},
		"an entry is inserted":               {tamper: lines(func(l []string) []string { return slices.Insert(l, 6, forged) }), want: "inserted 7+1", says: "1 entry that nobody signed there"},
		"an entry is written twice":          {tamper: lines(func(l []string) []string { return slices.Insert(l, 6, l[5]) }), want: "inserted 7+1"},
		"two entries change places":          {tamper: lines(func(l []string) []string { return swapped(l, 6, 7) }), want: "reordered 7+2", says: "entries were moved"},
		"the last two change places":         {tamper: lines(func(l []string) []string { return swapped(l, 13, 14) }), want: "reordered 14+1"},
		"an entry is moved far":              {tamper: lines(func(l []string) []string { x := l[1]; return slices.Insert(slices.Delete(l, 1, 2), 10, x) }), want: "reordered 2+1"},
		"the ledger is cut off":              {tamper: lines(func(l []string) []string { return l[:12] }), want: "truncated 13+3", says: "the ledger ends after 12 entries"},
		"it is cut off where a run ended":    {tamper: lines(func(l []string) []string { return l[:11] }), want: "truncated 12+4"},
		"the ledger is emptied":              {tamper: func(b *bed) { b.write(ledger.Lines, "") }, want: "truncated 1+15"},
		"the file is gone":                   {tamper: func(b *bed) { os.Remove(b.path(ledger.Lines)) }, want: "truncated 1+15"},
		"its last end is cut off":            {tamper: func(b *bed) { b.write(ledger.Lines, strings.TrimSuffix(b.read(ledger.Lines), "\n")) }, want: "(torn) 15+1, truncated 15+1"},
		"one entry is torn apart":            {tamper: lines(func(l []string) []string { l[7] = l[7][:20] + "\n" + l[7][20:]; return l }), want: "(torn) 8+1, (torn) 9+1, altered 8+1, inserted 9+1"},
		"altered, and the hashes are gone":   {tamper: noTree(lines(func(l []string) []string { l[7] = forged; return l })), want: "altered 6+6", says: "among lines 6 to 11 something was altered, dropped, inserted or moved"},
		"dropped, and the hashes are gone":   {tamper: noTree(lines(func(l []string) []string { return slices.Delete(l, 3, 4) })), want: "altered 1+5"},
		"cut off, and the hashes are gone":   {tamper: noTree(lines(func(l []string) []string { return l[:12] })), want: "truncated 13+3", says: "the ledger ends after 12 entries"},
		"the hashes are gone":                {tamper: noTree(none), want: ""},
		"the hashes are changed":             {tamper: func(b *bed) { b.write(ledger.Tree, flipped(b.read(ledger.Tree), 3)) }, want: ""},
		"a checkpoint's size is altered":     {tamper: checkpoints(func(s string) string { return strings.Replace(s, "\n11\n", "\n12\n", 1) }), want: "forged 8+1", says: "its signature is not that of what it says"},
		"a checkpoint is no checkpoint":      {tamper: checkpoints(func(s string) string { return strings.Replace(s, "\n11\n", "\nx1\n", 1) }), want: "broken 8+1"},
		"a checkpoint's signature is gone":   {tamper: checkpoints(func(s string) string { return s[:strings.LastIndex(s, "—")] }), want: "broken 14+1, (uncovered) 12+4", says: "4 entries, from line 12 on, are newer"},
		"the last checkpoint is gone":        {tamper: checkpoints(func(string) string { return middle }), want: "(uncovered) 12+4"},
		"every checkpoint is gone":           {tamper: checkpoints(func(string) string { return "" }), want: "unsigned", says: "no checkpoint that counts covers any of the 15 entries"},
		"a checkpoint was kept, all is well": {tamper: none, held: middle, want: ""},
		"both were taken back to before what was kept": {tamper: func(b *bed) {
			b.setLines(b.lines()[:5])
			b.write(ledger.Checkpoints, middle[:strings.Index(middle[1:], "\n\nprod")+2])
		}, held: middle, want: "truncated 6+6", says: "as lines 6 to 11, are gone"},
		"what was kept is no checkpoint": {tamper: none, held: "hello\n", want: "broken"},
		"what was kept was altered":      {tamper: none, held: strings.Replace(middle, "\n11\n", "\n12\n", 1), want: "forged"},
	} {
		t.Run(name, func(t *testing.T) {
			b := honest.copy()
			b.TB = t
			c.tamper(b)
			var held []string
			if c.held != "" {
				held = append(held, c.held)
			}
			r := b.verify(held...)
			if got := said(r); got != c.want {
				t.Errorf("found %q, want %q\n%+v", got, c.want, r.Findings)
			}
			if wrong := strings.TrimLeft(c.want, "(") == c.want && c.want != ""; r.OK == wrong && !strings.Contains(c.want, ", ") {
				t.Errorf("ok is %t", r.OK)
			}
			text := ""
			for _, f := range r.Findings {
				text += f.Says + "\n"
				if f.Problem && f.Do == "" {
					t.Errorf("%s does not say what to do", f.Kind)
				}
			}
			if !strings.Contains(text, c.says) {
				t.Errorf("it says\n%s\nand not %q", text, c.says)
			}
		})
	}
}

func TestAForkIsNamed(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(5)
	other := b.copy()
	b.run(3)
	other.runs = 7
	other.run(3)
	kept := other.read(ledger.Checkpoints)
	t.Run("two histories of the same length", func(t *testing.T) {
		if r := b.verify(kept); said(r) != "fork" || r.OK || !strings.Contains(r.Findings[0].Says, "There are two histories") {
			t.Errorf("%s %+v", said(r), r.Findings)
		}
	})
	t.Run("one goes on", func(t *testing.T) {
		c := b.copy()
		c.run(2)
		if r := c.verify(kept); said(r) != "fork" {
			t.Errorf("%s %+v", said(r), r.Findings)
		}
	})
	t.Run("it is of a length that the other never had", func(t *testing.T) {
		short := newBed(t, "prod-ledger")
		short.key, short.keys, short.runs = b.key, b.keys, 20
		short.run(7)
		if r := b.verify(short.read(ledger.Checkpoints)); said(r) != "fork" || !strings.Contains(r.Findings[0].Says, "the checkpoint of 7 entries (kept) and the checkpoint of 8 entries") {
			t.Errorf("%s %+v", said(r), r.Findings)
		}
	})
	t.Run("both are in one folder", func(t *testing.T) {
		c := b.copy()
		c.write(ledger.Checkpoints, c.read(ledger.Checkpoints)+kept)
		if r := c.verify(); said(r) != "fork" {
			t.Errorf("%s %+v", said(r), r.Findings)
		}
	})
	t.Run("the one that was kept is longer", func(t *testing.T) {
		other.run(4)
		if r := b.verify(other.read(ledger.Checkpoints)); r.OK || !strings.Contains(said(r), "fork") {
			t.Errorf("%s %+v", said(r), r.Findings)
		}
	})
}

func TestWhoseSignatureCounts(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(5)
	stranger := newBed(t, "prod-ledger")
	t.Run("another key of the same name", func(t *testing.T) {
		c := b.copy()
		c.keys = stranger.keys
		if r := c.verify(); said(r) != "stranger 2+1, unsigned" || r.OK {
			t.Errorf("%s", said(r))
		}
	})
	t.Run("a run with another key", func(t *testing.T) {
		c := b.copy()
		c.key = stranger.key
		c.run(2)
		if r := c.verify(); said(r) != "stranger 8+1, (uncovered) 6+2" || r.OK {
			t.Errorf("%s", said(r))
		}
		c.keys = append(slices.Clone(c.keys), stranger.keys...)
		c.sound(7)
	})
	t.Run("a run without a key", func(t *testing.T) {
		c := b.copy()
		c.key = nil
		c.run(2)
		if r := c.verify(); said(r) != "(uncovered) 6+2" || !r.OK {
			t.Errorf("%s", said(r))
		}
		c.key = b.key
		c.run(1)
		c.sound(8)
	})
	t.Run("no key is given", func(t *testing.T) {
		c := b.copy()
		c.keys = nil
		c.sound(5)
		c.setLines(c.lines()[1:])
		if r := c.verify(); r.OK || r.Signed {
			t.Errorf("%s", said(r))
		}
	})
	t.Run("a key is given twice", func(t *testing.T) {
		c := b.copy()
		c.keys = append(slices.Clone(c.keys), c.keys...)
		c.sound(5)
	})
	t.Run("a checkpoint of another ledger with the same key", func(t *testing.T) {
		// One key for each ledger: what the name of a ledger is, is in its key.
		other := newBed(t, "prod-ledger")
		other.key, other.keys = b.key, b.keys
		other.runs = 50
		other.run(5)
		if r := b.verify(other.read(ledger.Checkpoints)); r.OK || said(r) != "fork" {
			t.Errorf("%s", said(r))
		}
	})
}

func TestWhatIsMissingBeforeACheckpointIsSaid(t *testing.T) {
	b := newBed(t, "prod-ledger")
	_, write := b.open() // a run that is killed
	write(4)
	b.setLines(slices.Delete(b.lines(), 1, 2))
	b.run(2)
	r := b.verify()
	if !r.OK || said(r) != "(gap) 2+1" || !strings.Contains(r.Findings[0].Says, "run run1 goes from its entry 1 to its entry 3") {
		t.Errorf("%s %+v", said(r), r.Findings)
	}
}

func TestManyFindingsAreCounted(t *testing.T) {
	b := newBed(t, "prod-ledger")
	b.run(400)
	lines := b.lines()
	for i := 0; i < len(lines); i += 4 {
		lines[i] = forged
	}
	b.setLines(lines)
	r := b.verify()
	if r.OK || len(r.Findings) != 50 {
		t.Errorf("%d findings, %d more", len(r.Findings), r.More)
	}
}
