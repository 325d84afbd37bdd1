package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// Each of these made the YAML library, or a reader that trusts it, run for minutes, take gigabytes or end the process.
// The test is that it ends at all, well inside go test's own limit.
func TestNoFileIsTooMuch(t *testing.T) {
	const size = 4<<20 - 4096
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	in := func(s string) string { return "credentials:\n  a:\n    tags: " + s }
	numbered := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, src := range map[string]string{
		"blank lines in a block of text":       in("|\n") + fill("\n"),
		"some blank lines in blocks of text":   in("|\n") + fill(strings.Repeat("\n", 99)+"      x\n"),
		"many keys at the top":                 strings.Repeat("a:\n", 200_000),
		"many different keys at the top":       numbered("k%d:\n", 400_000),
		"many keys in a section":               "credentials:\n" + numbered("  k%d:\n", 300_000),
		"many keys in a credential":            "credentials:\n  a:\n" + numbered("    k%d:\n", 300_000),
		"many empty entries in braces":         in("{" + numbered("k%d,", 400_000) + "}\n"),
		"a whole file of empty entries":        "{" + numbered("k%d,", 20_000) + "}\n",
		"commas":                               in("[" + fill("x,") + "]\n"),
		"brackets":                             in(fill("[")),
		"brackets in a small piece":            in(strings.Repeat("[", 60_000)),
		"braces":                               strings.Repeat("{", 500_000),
		"dashes":                               "a:\n  " + strings.Repeat("- ", 30_000) + "\n",
		"ever deeper indentation":              "a:\n" + deeper(300),
		"one long text":                        in("\"" + fill("x") + "\"\n"),
		"one long line of blanks":              in("x" + fill(" ") + "\n"),
		"one long key":                         fill("k") + ": x\n",
		"one long comment":                     "# " + fill("#") + "\n",
		"comments":                             fill("#\n"),
		"anchors":                              in("[" + strings.Repeat("&a x,", 10_000) + "]\n"),
		"aliases of aliases":                   laughs(),
		"merges of merges":                     merges(),
		"a credential that all others are":     "credentials:\n  a: &a {pat: {scopes: [" + numbered("s%d,", 490) + "]}}\n" + numbered("  c%d: *a\n", 8_000),
		"a list that is too long":              in("x\n    pat: {scopes: [" + numbered("s%d,", 8_000) + "]}\n"),
		"tabs":                                 fill("\ta\n"),
		"colons":                               fill(":"),
		"over four megabytes":                  fill("a: b\n") + strings.Repeat(" ", 8192),
		"many problems, each with a neighbour": "vaults:\n" + numbered("  vault-%d: {name: kv-one}\n", 2_000) + "credentials:\n" + numbered("  c%d: {store: {vault: vualt-%[1]d, secret: s}}\n", 2_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, ps := manifest.Parse("rekey.yaml", []byte(src), kinds())
			if m != nil || !ps.Failed() {
				t.Error("it was taken")
			}
			if len(ps) > 1001 || len(ps.String()) > 1<<20 {
				t.Errorf("%d problems, %d bytes", len(ps), len(ps.String()))
			}
		})
	}
}

func deeper(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}

func laughs() string {
	var b strings.Builder
	b.WriteString("credentials:\n  l0: &l0 {pat: {scopes: [x]}}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "  l%d: &l%d {pat: *l%d, tags: *l%d, store: *l%d}\n", i, i, i-1, i-1, i-1)
	}
	return b.String()
}

func merges() string {
	var b strings.Builder
	b.WriteString("credentials:\n  m0: &m0 {k0: x}\n")
	for i := 1; i < 2_000; i++ {
		fmt.Fprintf(&b, "  m%d: &m%d {k%d: x, <<: [*m%d, *m%d]}\n", i, i, i, i-1, i-1)
	}
	return b.String()
}

func TestTheLastOfTooManyProblemsSaysSo(t *testing.T) {
	_, ps := manifest.Parse("rekey.yaml", []byte(strings.Repeat("a:\n", 2000)), kinds())
	last := ps[len(ps)-1]
	if len(ps) != 1001 || last.Message != "there are more problems than the 1000 that are shown" || last.Severity != manifest.Error {
		t.Errorf("%d, the last: %s", len(ps), last)
	}
}

// One credential may nest as deep as its settings need, and lists, comments and quotes do not lead elsewhere.
func TestTheQuickReaderReadsWhatAFleetIsMadeOf(t *testing.T) {
	piece := strings.SplitN(string(fleet(1)), "credentials:\n", 2)[1]
	if _, ok := manifest.Quickly(piece); !ok {
		t.Errorf("it says no to\n%s", piece)
	}
}
