package manifest_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// FuzzQuick holds the quick reader to the YAML library.
func FuzzQuick(f *testing.F) {
	for _, s := range []string{
		"  a:\n    b: c\n    d: {e: f, g: [h, 30d]}\n  i: true\n", "a: {}\nb: []\n", "\"a\": \"x y\"\n", "a: \"é\"\n",
		"a: {b: \"é\", c: d}\n", "a: b\n\n# c\nd: e\n", "a: b\n  c\n", "a: b #c\n", "a: 1e3\n", "a:\n  b: c\n d: e\n", "a: x: y\n",
		"a: {b: {c: [d, {e: f}]}}\n", "a: [x y]\n", "a: {b: c,}\n", "a: -\n", "a: true\n", "a: b  \n", "a:  b\n", "a: \"b\"c\n", "a: [\"b\" ]\n",
		"a: {\"b\": c}\n", "a:\n    b: c\n", "x: a@b.c/d\n", "a: \"# x\"\n", "a: \": \"\n", "a: {b: x-y, c: z}\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 4096 || !utf8.ValidString(src) || strings.ContainsAny(src, "\r\t") || strings.ContainsFunc(src, func(r rune) bool { return r < ' ' && r != '\n' }) {
			return // refused before either reader sees it
		}
		if !strings.HasSuffix(src, "\n") {
			src += "\n"
		}
		got, ok := manifest.Quickly(src)
		if !ok {
			return
		}
		if want := manifest.Slowly(src); got != want {
			t.Errorf("%q\nquick %s\nslow  %s", src, got, want)
		}
	})
}

// FuzzParse: whatever the file is, Parse ends, and what it says is fit to be shown.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sound))
	f.Add(manifest.Starter())
	for _, c := range bad {
		src := sound
		for _, e := range c.edits {
			src = strings.Replace(src, e.old, e.new, 1)
		}
		f.Add([]byte(src))
	}
	for _, b := range badinput.Broken(`{"version":1,"tenant":"contoso.onmicrosoft.com","at":"2026-12-01T00:00:00Z"}`) {
		f.Add(b)
	}
	for _, s := range []string{"version: \x001\n", "version: 1\n\xff\n", "\u202eversion: 1\n", "version: 1\nversion: 1\n", "version: " + strings.Repeat("9", 4000) + "\n", "a: \x1b[31m\n", "schedule: 99999999999999999999d\n", "schedule: 1e400h\n", "--- 1\n---\n2\n", "!!binary x\n", "a: !!python/object x\n"} {
		f.Add([]byte(s))
	}
	ks := kinds()
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 16<<10 {
			return
		}
		var m *manifest.Manifest
		var ps manifest.Problems
		badinput.Bounded(t, len(src), func() { m, ps = manifest.Parse("rekey.yaml", src, ks) })
		if (m == nil) != ps.Failed() {
			t.Fatalf("manifest %v, failed %v", m != nil, ps.Failed())
		}
		inside(t, []byte(strings.ToValidUTF8(string(src), "\ufffd")), ps)
		if _, again := manifest.Parse("rekey.yaml", src, ks); again.String() != ps.String() {
			t.Errorf("two readings differ:\n%s\n%s", ps, again)
		}
	})
}

// libraryErrs are two things that the YAML library gets wrong when it reads a file whole: it takes the next key in an
// empty dash's column for its value, and loses what stands before << in a key.
var libraryErrs = regexp.MustCompile(`(?m)-\s*(#.*)?$|[^\s{,]\s*<<`)

// FuzzPieces: a file that is read in pieces without a complaint says the same when it is read whole, if that can be
// done: the library refuses some files whole that it reads in pieces, such as an empty text before another key, and
// what it makes of a tab in a key depends on what stands above.
func FuzzPieces(f *testing.F) {
	for _, s := range []string{
		sound, string(manifest.Starter()), "a:\n  b: |\n    x\n    # y\n  c: d\n", "a:\n  b: [\n    c\n  ]\n  d: e\n", "a:\n  b: {\n  c: d\n  }\n",
		"a:\n  b: \"x\n  c: y\"\n", "a:\n  b: 'x\n\n    y'\n  c: d\n", "a:\n- b\n- c: d\n", "a:\n  b: c\n    d\n  e: f\n", "a: >\n  b: c\n  d: e\nf: g\n",
		"a:\n  b: &x {c: d}\n  e: *x\nf: *x\n", "a:\n  ? b\n  c: d\n", "a:\n  b:\n  c:\n", "a:\n  -b: c\n  \"d\": e\n", "a:\n  b: x\n c: y\n", "a:\n  <<: {b: c}\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 8192 || strings.ContainsAny(src, "\r\t\ufeff") || strings.HasPrefix(src, "---") || strings.Contains(src, "\n---") {
			return // prepared for the one reading and not for the other
		}
		if !strings.HasSuffix(src, "\n") {
			src += "\n"
		}
		if libraryErrs.MatchString(src) {
			return
		}
		got, ok := manifest.InPieces(src)
		if !ok {
			return
		}
		if want := manifest.InOnePiece(src); got != want && !strings.HasPrefix(want, "error: ") {
			t.Errorf("%q\npieces %s\nwhole  %s", src, got, want)
		}
	})
}
