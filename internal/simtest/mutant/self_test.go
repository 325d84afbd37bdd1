package mutant

import (
	"strings"
	"testing"
)

const head = "breaks: x\nmeant for: gap\n\n"

func TestAMutantThatIsNotWellFormedIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"meant for: gap\n\n--- a.go\n-a\n+b\n": "does not say what it breaks",
		"breaks: x\n\n--- a.go\n-a\n+b\n":      "which checker",
		"breaks: x\ncolour: red\n\n--- a.go\n": "unknown line",
		head:                                   "changes nothing",
		head + "-a\n+b\n":                      "begins with ---",
		head + "--- a.go\n?a\n":                "begins with a blank",
	} {
		if _, err := parse("m", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", text, err, want)
		}
	}
}

func TestAPatchReplacesWhatIsThereExactlyOnce(t *testing.T) {
	t.Parallel()
	m, err := parse("m", head+"--- a.go\n one\n-two\n+2\n@@\n-four\n\n+4\n+\n")
	if err != nil || len(m.patches) != 1 {
		t.Fatal(m, err)
	}
	for source, want := range map[string]string{
		"one\ntwo\nthree\nfour\n\n":        "one\n2\nthree\n\n4\n\n",
		"one\ntwo\nthree\nfour\n":          "",
		"one\ntwo\none\ntwo\nfour\n\n":     "",
		"two\nthree\nfour\n\n":             "",
		"one\ntwo\nfour\n\nfive\nfour\n\n": "",
	} {
		got, err := m.patches[0].apply(source)
		if want == "" && (err == nil || !strings.Contains(err.Error(), "moved on")) {
			t.Errorf("%q: got %q, %v", source, got, err)
		}
		if want != "" && (got != want || err != nil) {
			t.Errorf("%q: got %q, %v, want %q", source, got, err, want)
		}
	}
}

// What is no proof must not count as one.
func TestWhatIsNotCaughtIsSaidToBe(t *testing.T) {
	if testing.Short() {
		t.Skip("the product is compiled anew for each mutant")
	}
	overlap := "\n--- internal/rotation/decide.go\n-\t\tif d.now.Before(revokeAt) {\n+\t\tif false && d.now.Before(revokeAt) {\n \t\t\treturn d.waitForOverlap(revokeAt)\n"
	const now = "\n--- internal/engine/engine.go\n-func (e *Engine) wall() time.Time { return e.cfg.Now().Round(0) }\n+func (e *Engine) wall() time.Time { "
	for name, c := range map[string]struct{ text, want string }{
		"one that breaks nothing":               {"meant for: gap\n" + now + "return e.cfg.Now().Round(0).Round(0) }\n", "it survived"},
		"one that is not Go":                    {"meant for: gap\n" + now + "return 1 }\n", "it cannot be built"},
		"one that panics":                       {"meant for: gap\n" + now + "panic(1) }\n", "it panicked"},
		"one that another one caught":           {"meant for: leak\nsteps: run; +4d1m\n" + overlap, "leak is meant to catch it"},
		"one that is caught for something else": {"meant for: revoke\nsays: nonsense\nsteps: run; +4d1m\n" + overlap, `revoke is meant to catch it ("nonsense")`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := parse("m", "breaks: x\n"+c.text)
			if err != nil {
				t.Fatal(err)
			}
			m.runs = 20
			o, err := m.hunt(t.Context(), t.TempDir())
			got := m.verdict(o)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
