package manifest_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/internal/manifest"
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
	ks := kinds()
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 16<<10 {
			return
		}
		m, ps := manifest.Parse("rekey.yaml", src, ks)
		if (m == nil) != ps.Failed() {
			t.Fatalf("manifest %v, failed %v", m != nil, ps.Failed())
		}
		inside(t, []byte(strings.ToValidUTF8(string(src), "\ufffd")), ps)
		if _, again := manifest.Parse("rekey.yaml", src, ks); again.String() != ps.String() {
			t.Errorf("two readings differ:\n%s\n%s", ps, again)
		}
	})
}
