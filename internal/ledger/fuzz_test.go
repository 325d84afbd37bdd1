package ledger_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// FuzzEntry: whatever an entry names, it is one line that can be seen, and is read back as it was. The file that it is
// added to may hold anything: that stays, and the entry stands on a line of its own.
func FuzzEntry(f *testing.F) {
	for _, name := range []string{
		"", "deploy script", "a\nb", "\x1b[31m", "\u202e", "a\u009bb", "\x00", "\u2028", "\xff", `"},{"`, "=cmd|'x'!A0", "../../etc/passwd", "%s%n", "\u2028\u2029\x7f", string(bytes.Repeat([]byte("x"), 64<<10)),
	} {
		f.Add([]byte(""), name)
		f.Add([]byte(`{"schema":1,"time":"2026-`), name)
	}
	f.Add([]byte("\n"), "x")
	f.Add([]byte("\xef\xbb\xbf\x00"), "x")
	f.Fuzz(func(t *testing.T, before []byte, name string) {
		dir := t.TempDir()
		file := filepath.Join(dir, ledger.File)
		if err := os.WriteFile(file, before, 0o600); err != nil {
			t.Fatal(err)
		}
		var after []byte
		badinput.Bounded(t, len(before)+len(name), func() {
			l, err := ledger.OpenFolder(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := ledger.New(l, nil).Append(ledger.Entry{Time: time.Unix(1e9, 0), Credential: name, Target: name, Reason: name, IssuerID: name, Error: name}); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if after, err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		})
		rest, ok := bytes.CutPrefix(after, before)
		if !ok {
			t.Fatal("what was there is changed")
		}
		if len(before) > 0 && before[len(before)-1] != '\n' {
			if rest, ok = bytes.CutPrefix(rest, []byte("\n")); !ok {
				t.Fatal("the entry is glued to what was there")
			}
		}
		line, ok := bytes.CutSuffix(rest, []byte("\n"))
		if !ok || !utf8.Valid(line) || bytes.ContainsFunc(line, func(r rune) bool {
			return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp)
		}) {
			t.Fatalf("%.200q", rest)
		}
		var e ledger.Entry
		if err := json.Unmarshal(line, &e); err != nil || e.Schema != ledger.Schema {
			t.Fatalf("%.200q: %v", line, err)
		}
		if utf8.ValidString(name) && (e.Credential != name || e.Target != name || e.Reason != name || e.IssuerID != name || e.Error != name) {
			t.Errorf("%.100q was read back as %.100q", name, e.Target)
		}
	})
}
