package printable_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/internal/printable"
)

func TestTextIsOneLineThatCommandsNothing(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"an honest name":           {"deploy script (prod) – Zoë 部署", "deploy script (prod) – Zoë 部署"},
		"a colour":                 {"\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"},
		"a link (OSC 8)":           {"\x1b]8;;https://a.test\x1b\\x", "\ufffd]8;;https://a.test\ufffd\\x"},
		"a command of one byte":    {"a\u009b31mb\u009d0;t\u009c", "a\ufffd31mb\ufffd0;t\ufffd"},
		"a bell and a backspace":   {"a\a\b\x7f", "a\ufffd\ufffd\ufffd"},
		"line breaks and tabs":     {"a\r\nb\tc\u2028d\u2029e", "a  b c d e"},
		"a vertical tab":           {"a\vb\fc\u0085d", "a\ufffdb\ufffdc\ufffdd"},
		"a right-to-left override": {"a\u202egpj.exe\u2066", "a\ufffdgpj.exe\ufffd"},
		"nothing to see":           {"a\u200b\u200d\ufeff\u00ad\U000e0041\u3164b", "a\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdb"},
		"broken UTF-8":             {"a\xffb\xc3", "a\ufffdb\ufffd"},
		"NUL":                      {"a\x00b", "a\ufffdb"},
		"percents and formulas":    {"=cmd|' /C calc'!A0 100%s %!d(", "=cmd|' /C calc'!A0 100%s %!d("},
	} {
		t.Run(name, func(t *testing.T) {
			if got := printable.Text(c.in); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := printable.Name(c.in); got != c.want {
				t.Errorf("as a name %q, want %q", got, c.want)
			}
		})
	}
}

func TestALongTextIsCutAndSaysSo(t *testing.T) {
	book := strings.Repeat("é", 1<<20)
	for what, got := range map[string]string{"text": printable.Text(book), "name": printable.Name(book)} {
		if n := utf8.RuneCountInString(got); n > 2001 || !strings.HasSuffix(got, "é…") {
			t.Errorf("%s of %d characters, %q", what, n, got[max(0, len(got)-8):])
		}
	}
	if got := printable.Name(strings.Repeat("x", 256)); len(got) != 256 {
		t.Errorf("an honest name is cut to %d", len(got))
	}
}

func TestJSONIsRespelledAndMeansTheSame(t *testing.T) {
	value := map[string]string{"a\u009b": "\u202e\u0085\u007f\U000e0041\u2028 \x1b[31m Zoë 部署 😀 \"\\", "b": "plain"}
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	out := printable.JSON(b)
	if bytes.ContainsFunc(out, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Cf) }) {
		t.Errorf("%q", out)
	}
	if !bytes.Contains(out, []byte("Zoë 部署 😀")) {
		t.Errorf("what can be shown was escaped: %s", out)
	}
	var back map[string]string
	if err := json.Unmarshal(out, &back); err != nil || len(back) != 2 {
		t.Fatalf("%s: %v", out, err)
	}
	for k, v := range value {
		if back[k] != v {
			t.Errorf("%q became %q", v, back[k])
		}
	}
}

func TestJSONKeepsTheLayout(t *testing.T) {
	const doc = "{\n  \"a\": \"b\"\n}\n"
	if got := printable.JSON([]byte(doc)); string(got) != doc {
		t.Errorf("%q", got)
	}
}

// FuzzText: whatever comes in, what goes out is one line of valid UTF-8 that can be seen, and is not a book.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b[31m", "\u202e", "\u05eb", "\u115f\u3164\u2065", "\xff\xfe", "a\u009bb", strings.Repeat("\u200b", 3000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{printable.Text(s), printable.Name(s)} {
			if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 2001 || strings.ContainsFunc(got, func(r rune) bool {
				return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp)
			}) {
				t.Errorf("%q became %q", s, got)
			}
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back, want string
		if err := json.Unmarshal(printable.JSON(b), &back); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &want); err != nil || back != want {
			t.Errorf("%q became %q", want, back)
		}
		if bytes.ContainsFunc(printable.JSON(b), unicode.IsControl) {
			t.Errorf("%q", printable.JSON(b))
		}
	})
}
