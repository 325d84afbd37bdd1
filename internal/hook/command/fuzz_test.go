package command

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// FuzzSaid: whatever a program prints, nothing that a person is shown of it has a part of the value in it, however it
// was spelt, and wherever the output was cut.
func FuzzSaid(f *testing.F) {
	f.Add("the value of it all", "cannot sign in with ", "\n", 0)
	f.Add("short", "x", "\x1b[31m", 3)
	f.Add("\x00\xff\xfe binary \n of many lines \n", "", "\xe2\x80\xae", 1)
	f.Add(strings.Repeat("long", 100), strings.Repeat("x", 9000), "y", 2)
	f.Fuzz(func(t *testing.T, value, before, after string, shift int) {
		if len(value) < window {
			return
		}
		spelt := map[string]string{
			"plain": value, "base64": base64.StdEncoding.EncodeToString([]byte(value)), "hex": hex.EncodeToString([]byte(value)), "query": url.QueryEscape(value),
			"basic": base64.StdEncoding.EncodeToString([]byte("user:"[:2+min(max(shift, 0), 3)] + value)),
		}
		for name, s := range spelt {
			if strings.Contains(before+after, s[:window]) {
				continue
			}
			output := &tail{}
			badinput.Bounded(t, len(before)+20*len(value)+len(after), func() {
				_, _ = output.Write([]byte(before + s + after))
				got := said(output.b, secret.New([]byte(value)))
				if len(got) > 3*shown {
					t.Errorf("%d bytes are shown", len(got))
				}
				// The first and last characters of base64 hold what stands around the value.
				from, end := 0, len(s)
				switch name {
				case "basic":
					from, end = 8, max(0, len(strings.TrimRight(s, "="))-4)
				case "base64":
					end = max(0, len(strings.TrimRight(s, "="))-4)
				}
				for i := from; i+window <= end; i++ {
					if part := s[i : i+window]; strings.Contains(got, part) && !strings.Contains(before+after, part) {
						t.Fatalf("%s: a part of the value is shown: %q", name, part)
					}
				}
			})
		}
	})
}
