package random_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/random"
)

// parse reads a manifest with one credential of the given block.
func parse(t *testing.T, block string) (*random.Settings, string) {
	t.Helper()
	src := fmt.Sprintf(`version: 1
tenant: contoso.onmicrosoft.com
identity: {managedIdentity: {}}
vaults: {prod: {name: kv-pat-prod}}
schedule: 1h
credentials:
  key:
    random: %s
    lifetime: 30d
    rotateBefore: 7d
    overlap: 1d
    store: {vault: prod, secret: key}
`, block)
	m, problems := manifest.Parse("rekey.yaml", []byte(src), []manifest.Kind{random.Kind()})
	if m == nil {
		return nil, problems.String()
	}
	return m.Credentials[0].Settings.(*random.Settings), ""
}

func TestAValueIsDescribedWithWhatThereIsToGuess(t *testing.T) {
	for block, want := range map[string]string{
		"{password: {}}":           "a password of 32 of 62 characters, with at least one digit, one lower, one upper: 190 bits to guess",
		"{password: {length: 20}}": "a password of 20 of 62 characters, with at least one digit, one lower, one upper: 119 bits to guess", // 119.08 without the classes
		"{password: {alphabet: '0123456789abcdef', length: 32}}": "a password of 32 of 16 characters: 128 bits to guess",
		// 98.1 if the digit need not be there: of 17^24 texts, 16^24 have none.
		"{password: {alphabet: abcdefghijklmnop1, classes: [digit], length: 24}}": "a password of 24 of 17 characters, with at least one digit: 97 bits to guess",
		"{passphrase: {}}":           "a passphrase of 7 words: 126 bits to guess",
		"{keyPair: {}}":              "a key pair, ec-p256: about 128 bits of security",
		"{keyPair: {type: ed25519}}": "a key pair, ed25519: about 128 bits of security",
	} {
		s, problems := parse(t, block)
		if s == nil {
			t.Errorf("%s: %s", block, problems)
			continue
		}
		if got := s.Describe(); got != want {
			t.Errorf("%s: %s, want %s", block, got, want)
		}
	}
}

func TestAPolicyThatIsTooWeakOrCannotBeKeptIsRefused(t *testing.T) {
	for block, want := range map[string]string{
		"{password: {length: 13}}":                                     "leaves 77 bits to guess",
		"{password: {alphabet: '01', length: 79}}":                     "leaves 79 bits to guess",
		"{password: {alphabet: aaaa, length: 200}}":                    "leaves 0 bits to guess",
		"{password: {length: 0}}":                                      "must be 1 to 1024",
		"{password: {length: 1025}}":                                   "must be 1 to 1024",
		"{password: {classes: [lower, emoji]}}":                        "must be lower, upper, digit or symbol",
		"{password: {classes: [digit], forbidden: '0123456789'}}":      "must have a character of class digit",
		"{password: {alphabet: abcdef, classes: [upper], length: 60}}": "must have a character of class upper",
		"{password: {alphabet: 'a b', length: 60}}":                    "must be visible ASCII",
		"{password: {alphabet: 'äbc', length: 60}}":                    "must be visible ASCII",
		"{password: {alphabet: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ()[]{}<>+-*/=._~#%1!', classes: [digit, symbol], forbidden: '()[]{}<>+-*/=._~#%', length: 17}}": "",
		"{passphrase: {words: 4}}":         "leaves 72 bits to guess",
		"{passphrase: {words: 65}}":        "must be 1 to 64",
		"{passphrase: {separator: 'äöü'}}": "must be at most 8 ASCII",
		"{keyPair: {type: rsa-1024}}":      "rsa-1024",
		"{}":                               "form of the value",
		"{password: {}, keyPair: {}}":      "form of the value",
	} {
		_, problems := parse(t, block)
		if (want == "") != (problems == "") || !strings.Contains(problems, want) {
			t.Errorf("%s: %q, want %q", block, problems, want)
		}
	}
}

func TestAnotherPolicyIsAnotherShape(t *testing.T) {
	seen := map[string]string{}
	for _, block := range []string{"{password: {}}", "{password: {length: 33}}", "{password: {classes: [lower, digit]}}", "{password: {forbidden: x}}", "{password: {unambiguous: true}}",
		"{passphrase: {}}", "{passphrase: {words: 8}}", "{passphrase: {separator: ' '}}", "{keyPair: {}}", "{keyPair: {type: ed25519}}"} {
		s, problems := parse(t, block)
		if s == nil {
			t.Fatal(problems)
		}
		shape := random.New(newMemory(), "c", "s", 0, *s).Shape()
		if was, taken := seen[shape]; taken || len(shape) != 10 || shape[:4] != "made" {
			t.Errorf("%s has the shape %s, as %q", block, shape, was)
		}
		seen[shape] = block
	}
	a, _ := parse(t, "{password: {}}")
	b, _ := parse(t, "{password: {classes: [upper, lower, digit]}, adopt: true}")
	if random.New(newMemory(), "c", "s", 0, *a).Shape() != random.New(newMemory(), "c", "s", 0, *b).Shape() {
		t.Error("the same wish in other words is another shape")
	}
}
