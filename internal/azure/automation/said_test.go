package automation_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/rekeyhq/rekey/internal/azure/automation"
)

func TestOfAJobsOutputNothingIsKeptThatLooksLikeASecret(t *testing.T) {
	const v = "Abc8Q~0123456789abcdefXYZ-_.~tuvw"
	for name, c := range map[string]struct{ output, want string }{
		"plain words":                  {"The credential was updated.\r\nDone.", "The credential was updated. Done."},
		"the value":                    {"set " + v + " on web-01", "set [hidden] on web-01"},
		"the value, broken by a line":  {"set " + v[:20] + "\r\n" + v[20:] + " on web-01", "set [hidden] [hidden] on web-01"},
		"a piece of the value":         {"begins with Abc8Q~0", "begins with [hidden]"},
		"another secret":               {"was Zyx7Q~abcdefghij0123456789klmnopqrstuv", "was [hidden]"},
		"an older token in lower case": {"was abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuv2", "was [hidden]"},
		"ids and names":                {"job 0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e6f of https://kv-apps.vault.azure.net/secrets/shop-web", "job 0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e6f of https://kv-apps.vault.azure.net/secrets/shop-web"},
		"control characters":           {"a\x1b[31mred\x07\x00 \u202eb", "a [31mred b"},
		"nothing":                      {"", ""},
	} {
		if got := automation.Said(c.output, value(v)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := automation.Said(strings.Repeat("wörter ", 5000), value(v)); len(got) > 700 || !strings.HasSuffix(got, "...") {
		t.Errorf("%d bytes", len(got))
	}
	if got := automation.Said("pw is abc, it is abc", value("abc")); strings.Contains(got, "abc") {
		t.Errorf("%q", got)
	}
}

// FuzzSaid: what a script may write.
func FuzzSaid(f *testing.F) {
	f.Add("set secret-value-1 on web", "secret-value-1")
	f.Add("\xff\x00\x1a", "x")
	f.Add("secret-\nvalue", "secret-value")
	f.Fuzz(func(t *testing.T, output, v string) {
		if len(v) > 200 || len(output) > 8<<10 {
			return
		}
		got := automation.Said(output, value(v))
		if len(got) > 700 || strings.ContainsFunc(got, func(r rune) bool { return r != unicode.ReplacementChar && !unicode.IsPrint(r) }) {
			t.Errorf("%q", got)
		}
		if len(v) >= 12 && strings.Contains(got, v) {
			t.Errorf("%q holds the value", got)
		}
	})
}
