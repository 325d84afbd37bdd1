package leak_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

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

func TestTextWithoutTheSecretHasNoFinding(t *testing.T) {
	for _, text := range []string{"", "nothing here", planted[:len(planted)-1], strings.ToUpper(planted), base64.StdEncoding.EncodeToString([]byte("another secret of that length"))} {
		if found := leak.Search(text, []string{planted, ""}); len(found) > 0 {
			t.Errorf("%q: %v", text, found)
		}
	}
}
