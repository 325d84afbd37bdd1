package leak_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/rekeyhq/rekey/internal/simtest/leak"
)

// planted has every character that an encoding treats differently.
const planted = `Zx9+/=&"<\ÿ~Q canary?`

func TestAPlantedSecretIsFoundInEveryEncoding(t *testing.T) {
	asJSON, err := json.Marshal(planted)
	if err != nil {
		t.Fatal(err)
	}
	var plainJSON bytes.Buffer
	e := json.NewEncoder(&plainJSON)
	e.SetEscapeHTML(false)
	if err := e.Encode(planted); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{
		"plain":                 planted,
		"JSON":                  string(asJSON),
		"JSON without HTML":     plainJSON.String(),
		"a Go string":           fmt.Sprintf("%q", planted),
		"hex":                   hex.EncodeToString([]byte(planted)),
		"upper-case hex":        strings.ToUpper(hex.EncodeToString([]byte(planted))),
		"hex of something more": hex.EncodeToString([]byte("user:" + planted + "\n")),
		"a URL's query":         "https://a.test/?q=" + url.QueryEscape(planted) + "&b=c",
		"a URL's path":          "https://a.test/" + url.PathEscape(planted) + "/b",
	}
	lower := url.QueryEscape(planted)
	for i := 0; i+2 < len(lower); i++ {
		if lower[i] == '%' {
			lower = lower[:i+1] + strings.ToLower(lower[i+1:i+3]) + lower[i+3:]
		}
	}
	texts["a URL's query with lower-case escapes"] = lower
	for _, user := range []string{"", "u", "us", "user", "a longer name of a user"} {
		pair := []byte(user + ":" + planted)
		texts["a Basic header of "+user] = "Authorization: Basic " + base64.StdEncoding.EncodeToString(pair)
		texts["a Basic header in base64url of "+user] = "Authorization: Basic " + base64.RawURLEncoding.EncodeToString(pair)
		texts["a JSON document's header of "+user] = `{"headers":{"Authorization":["Basic ` + base64.StdEncoding.EncodeToString(pair) + `"]}}`
	}
	for name, order := range map[string]binary.AppendByteOrder{"low": binary.LittleEndian, "high": binary.BigEndian} {
		var b []byte
		for _, u := range utf16.Encode([]rune("x" + planted + "y")) {
			b = order.AppendUint16(b, u)
		}
		texts["UTF-16, "+name+" byte first"] = string(b)
	}
	for before := range 3 {
		for after := range 3 {
			whole := []byte(strings.Repeat("u", before) + planted + strings.Repeat(":", after))
			at := fmt.Sprintf(" with %d bytes before and %d after", before, after)
			texts["base64"+at] = base64.StdEncoding.EncodeToString(whole)
			texts["base64url"+at] = base64.URLEncoding.EncodeToString(whole)
			texts["raw base64"+at] = base64.RawStdEncoding.EncodeToString(whole)
		}
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			found := leak.Search("first line\nsecond, "+text+" and more\n", []string{"something-else-entirely", planted})
			if len(found) == 0 {
				t.Fatal("not found")
			}
			for _, f := range found {
				if f.Secret != 1 || f.Line != 2 {
					t.Errorf("%+v; want the second secret in line 2", f)
				}
				if strings.Contains(f.String(), planted) {
					t.Error("the finding repeats the secret")
				}
			}
		})
	}
}

func TestALongSecretIsFoundByItsPieces(t *testing.T) {
	long := strings.Repeat("abcdefghij", 3) + strings.Repeat("0123456789", 60) + strings.Repeat("ABCDEFGHIJ", 3) + "end"
	for name, text := range map[string]string{
		"its beginning": long[:60] + "...",
		"its end":       "..." + long[len(long)-60:],
		"its middle":    long[200:460],
	} {
		if len(leak.Search(text, []string{long})) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
}

func TestASecretOfAnyLengthIsFoundAtTheEdges(t *testing.T) {
	for n := 1; n <= len(planted); n++ {
		s := planted[:n]
		for _, text := range []string{s, s + "....", "...." + s, "." + s + "."} {
			if len(leak.Search(text, []string{s})) == 0 {
				t.Errorf("%q is not found in %q", s, text)
			}
		}
	}
}

func TestTextWithoutTheSecretHasNoFinding(t *testing.T) {
	for _, text := range []string{"", "nothing here", planted[:len(planted)-1], strings.ToUpper(planted), base64.StdEncoding.EncodeToString([]byte("another secret of that length"))} {
		if found := leak.Search(text, []string{planted, ""}); len(found) > 0 {
			t.Errorf("%q: %v", text, found)
		}
	}
}

func TestAFoldedSecretIsFoundWithItsLine(t *testing.T) {
	fold := func(s, end string, at int) string {
		var b strings.Builder
		for len(s) > at {
			b.WriteString(s[:at] + end)
			s = s[at:]
		}
		return b.String() + s
	}
	const long = "a user with a name:" + planted + planted + planted + planted
	const simple = "Zx9~Qcanary-which-has-no-blank"
	encoded := base64.StdEncoding.EncodeToString([]byte(long))
	for name, text := range map[string]string{
		"base64 as in mail":         fold(encoded, "\r\n", 20),
		"base64 as in a header":     fold(encoded, "\r\n\t", 20),
		"base64 as in YAML":         fold(encoded, "\n    ", 16),
		"the secret itself":         fold("value: "+simple, "\n", 11),
		"the secret, as in mail":    fold("value: "+simple, "=\r\n", 11),
		"the secret from a line on": "a line before\n" + fold(planted, "\n", 8),
	} {
		t.Run(name, func(t *testing.T) {
			found := leak.Search("first line\nsecond line\n"+text+"\nlast line\n", []string{planted, simple})
			if len(found) == 0 {
				t.Fatal("not found")
			}
			for _, f := range found {
				if f.Line < 3 || f.Line > 8 || !strings.Contains(f.Form, "folded") && name != "base64 as in mail" {
					t.Errorf("%+v", f)
				}
			}
		})
	}
	if found := leak.Search("abc\ndef", []string{"abc", "cd"}); len(found) != 2 || found[0].Line != 1 || found[1].Line != 1 {
		t.Errorf("%v", found)
	}
}
