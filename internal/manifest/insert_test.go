package manifest_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
)

const grown = `# What is rotated here.
version: 1
tenant: contoso.onmicrosoft.com
identity: {managedIdentity: {}}
vaults:
  prod: {name: kv-prod}     # what consumers read

credentials:
  # The first.
  one:
    random: {}
    lifetime: 30d
    rotateBefore: 5d
    overlap: 24h
    store: {vault: prod, secret: one}
    # enabled: false

  # A second one, later.

# The end.
`

var another = manifest.Addition{Path: []string{"credentials"}, Lines: []string{
	"two:", "  random: {}", "  lifetime: 30d", "  rotateBefore: 5d", "  overlap: 24h", "  store: {vault: prod, secret: two}",
}}

func consumer(of, name string) manifest.Addition {
	return manifest.Addition{Path: []string{"credentials", of, "consumers"}, Lines: []string{name + ":", "  hook: {room: " + name + "}"}}
}

func TestAnEntryIsAddedWhereItBelongsAndNothingElseChanges(t *testing.T) {
	t.Parallel()
	const two = "  two:\n    random: {}\n    lifetime: 30d\n    rotateBefore: 5d\n    overlap: 24h\n    store: {vault: prod, secret: two}\n"
	const vault = "  other: {name: kv-other}\n"
	other := manifest.Addition{Path: []string{"vaults"}, Lines: []string{"other: {name: kv-other}"}}
	const told = "    consumers:\n      hall:\n        hook: {room: hall}\n"
	twice := strings.Replace(grown, "    # enabled: false\n", "    # enabled: false\n"+told, 1)
	for name, c := range map[string]struct {
		src, after, added string
		add               []manifest.Addition
	}{
		"a credential, behind the last and the comments that belong to it": {grown, "  # A second one, later.\n", "\n" + two, []manifest.Addition{another}},
		"a vault":                                  {grown, "# what consumers read\n", vault, []manifest.Addition{other}},
		"the first consumer of a credential":       {grown, "    # enabled: false\n", told, []manifest.Addition{consumer("one", "hall")}},
		"a second consumer":                        {twice, told, "      cellar2:\n        hook: {room: cellar2}\n", []manifest.Addition{consumer("one", "cellar2")}},
		"to a file without a line end":             {strings.TrimSuffix(grown[:strings.Index(grown, "    # enabled")], "\n"), "secret: one}", "\n\n" + two, []manifest.Addition{another}},
		"to a file with a byte order mark":         {"\ufeff" + grown, "  # A second one, later.\n", "\n" + two, []manifest.Addition{another}},
		"to a section that is not there":           {strings.Replace(grown, "vaults:", "sweepWindow: 2h\nvaults:", 1), "# The end.\n", "\naccounts:\n  svc:\n    clientId: 2bfcc342-eb74-4427-832c-db82f28995f4\n    username: a@b.example\n    tokenCache: {vault: prod, secret: msal}\n    sharedVault: accepted\n", []manifest.Addition{{Path: []string{"accounts"}, Lines: []string{"svc:", "  clientId: 2bfcc342-eb74-4427-832c-db82f28995f4", "  username: a@b.example", "  tokenCache: {vault: prod, secret: msal}", "  sharedVault: accepted"}}}},
		"entries that are indented by four":        {strings.Replace(grown, "  prod:", "    prod:", 1), "# what consumers read\n", "  " + vault, []manifest.Addition{other}},
		"a credential whose name has to be quoted": {grown, "  # A second one, later.\n", strings.Replace("\n"+two, "two:", `"007":`, 1), []manifest.Addition{{Path: another.Path, Lines: slices.Concat([]string{`"007":`}, another.Lines[1:])}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, eol := range []string{"\n", "\r\n"} {
				src := strings.ReplaceAll(c.src, "\n", eol)
				got, err := manifest.Insert("rekey.yaml", []byte(src), kinds(), c.add...)
				if err != nil {
					t.Fatal(err)
				}
				if got.Problems.Failed() {
					t.Fatal(got.Problems)
				}
				want := strings.ReplaceAll(strings.Replace(c.src, c.after, c.after+c.added, 1), "\n", eol)
				if string(got.Source) != want {
					t.Errorf("got:\n%s\nwant:\n%s", got.Source, want)
				}
			}
		})
	}
}

func TestEmptyBracesGiveWay(t *testing.T) {
	t.Parallel()
	src := strings.Replace(grown, "    # enabled: false\n", "    consumers: {}   # none yet\n", 1)
	got, err := manifest.Insert("rekey.yaml", []byte(src), kinds(), consumer("one", "hall"))
	want := strings.Replace(src, "consumers: {}   # none yet\n", "consumers:   # none yet\n      hall:\n        hook: {room: hall}\n", 1)
	if err != nil || string(got.Source) != want {
		t.Errorf("%v\n%s", err, got.Source)
	}
	if text := consumer("one", "hall").String(); text != "credentials:\n  one:\n    consumers:\n      hall:\n        hook: {room: hall}\n" {
		t.Errorf("%q", text)
	}
}

func TestWhatCannotBeAddedToIsLeftToItsPerson(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src, why string
		add      manifest.Addition
	}{
		"entries in braces":                  {strings.Replace(grown, "vaults:\n  prod: {name: kv-prod}     # what consumers read", "vaults: {prod: {name: kv-prod}}", 1), "rekey.yaml:5: nothing can be added to vaults: what it holds begins on its own line", manifest.Addition{Path: []string{"vaults"}, Lines: []string{"other: {name: kv-other}"}}},
		"a file of braces":                   {`{version: 1, tenant: contoso.example, identity: {managedIdentity: {}}, vaults: {v: {name: kv-v}}, credentials: {}}`, "nothing can be added", another},
		"braces that go on on new lines":     {strings.Replace(grown, "vaults:\n  prod: {name: kv-prod}     # what consumers read", "vaults:\n  {\n  prod: {name: kv-prod}\n  }", 1), "do not stand on lines of their own", manifest.Addition{Path: []string{"vaults"}, Lines: []string{"other: {name: kv-other}"}}},
		"consumers from an alias":            {strings.Replace(grown, "    # enabled: false\n", "    consumers: &all\n      hall: {hook: {room: hall}}\n", 1), "what it holds begins on its own line", consumer("one", "attic2")},
		"lines that are more than one entry": {grown, "the lines would mean something else there", manifest.Addition{Path: []string{"vaults"}, Lines: []string{"other: {name: kv-other}", "more: {name: kv-more}"}}},
		"a file that is none":                {"", "cannot be read", another},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.Insert("rekey.yaml", []byte(c.src), kinds(), c.add)
			var byHand *manifest.ByHand
			if !errors.As(err, &byHand) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhatIsWrongWithAnEntryIsAProblemOfTheWhole(t *testing.T) {
	t.Parallel()
	got, err := manifest.Insert("rekey.yaml", []byte(grown), kinds(), manifest.Addition{Path: []string{"credentials"}, Lines: slices.Concat([]string{"one:"}, another.Lines[1:])})
	if err != nil || !got.Problems.Failed() {
		t.Errorf("%v, %v", err, got.Problems)
	}
}

func TestAScalarMeansItsText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"prod": "prod", "my project": "my project", "30d": "30d", "5c0a9c1e-3b7d-4f0e-9d56-1e2f3a4b5c03": "5c0a9c1e-3b7d-4f0e-9d56-1e2f3a4b5c03",
		"7": `"7"`, "true": `"true"`, "No": `"No"`, "": `""`, "a: b": `"a: b"`, "a #b": `"a #b"`, "{x}": `"{x}"`, "x,y": `"x,y"`, "a\nb": `"a\nb"`, "é <": `"é <"`,
		"1e5": `"1e5"`, "-x": `"-x"`, "a ": `"a "`,
	} {
		if got := manifest.Scalar(text); got != want {
			t.Errorf("%q is written as %s, want %s", text, got, want)
		}
	}
}

// FuzzInsert: whatever the manifest is, what was in it is in it still, byte for byte, or nothing is added.
func FuzzInsert(f *testing.F) {
	f.Add([]byte(grown))
	f.Add(manifest.Starter())
	for _, s := range []string{"", "{}", "credentials:\n", "credentials: {}\n", "a: &a {x: 1}\ncredentials:\n  <<: *a\n", "credentials:\n  one: |\n    text\n\n  # c", "---\nversion: 1\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 64<<10 {
			return
		}
		got, err := manifest.Insert("f", src, kinds(), another)
		if err != nil {
			return
		}
		left := got.Source
		for _, l := range bytes.SplitAfter(src, []byte("\n")) {
			at := bytes.Index(left, bytes.TrimRight(braced(l), "\r\n"))
			if at < 0 {
				t.Fatalf("%q is gone or moved", l)
			}
			left = left[at:]
		}
	})
}

// braced is what must be left of a line: "{}" may go.
func braced(l []byte) []byte {
	if before, _, ok := bytes.Cut(l, []byte("{")); ok {
		return bytes.TrimRight(before, " \t")
	}
	return l
}
