package badinput_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// failing hears whether a test would have failed.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed = true }

var sink []byte

func TestWhatAllocatesTooMuchFails(t *testing.T) {
	for name, c := range map[string]struct {
		input, allocates int
		fails            bool
	}{
		"nothing":                              {0, 0, false},
		"as much as is allowed":                {1 << 10, badinput.Base, false},
		"more than a short input allows":       {16, badinput.Base + 1<<20, true},
		"more than an input of any length may": {8 << 20, badinput.Most + 1<<20, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{TB: t}
			badinput.Bounded(f, c.input, func() { sink = make([]byte, c.allocates) })
			if sink = nil; f.failed != c.fails {
				t.Errorf("failed: %v", f.failed)
			}
		})
	}
}

func TestAServiceCountsWhatIsAskedOfIt(t *testing.T) {
	s := &badinput.Service{Status: 404, Body: []byte("abc"), Endless: true}
	for range badinput.MostCalls + 1 {
		r, err := http.NewRequest(http.MethodPost, "https://a.test", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.RoundTrip(r)
		if err != nil || resp.StatusCode != 404 {
			t.Fatal(err)
		}
		var b [5]byte
		if _, err := io.ReadFull(resp.Body, b[:]); err != nil || string(b[:]) != "abc  " {
			t.Fatalf("%q, %v", b, err)
		}
	}
	f := &failing{TB: t}
	if s.Within(f); !f.failed || s.Read < 5*int64(s.Calls) {
		t.Errorf("%d calls, %d bytes, failed: %v", s.Calls, s.Read, f.failed)
	}
	s = &badinput.Service{Calls: 1, Read: badinput.MostRead + 1}
	f = &failing{TB: t}
	if s.Within(f); !f.failed {
		t.Error("too many bytes pass")
	}
}

func TestAnHonestTextIsBrokenInEveryWay(t *testing.T) {
	const honest = `{"a":"b","at":"2026-12-01T00:00:00Z","n":5,"list":[{"c":"d"}]}`
	all := badinput.Broken(honest)
	valid, has := 0, map[string]bool{}
	for _, b := range all {
		if json.Valid(b) {
			valid++
		}
		for what, part := range map[string]string{
			"itself": honest, "BOM": "\xef\xbb\xbf{", "a page": "<html>", "depth": strings.Repeat("[", 10_000), "twice the same key": `}],"a":`, "no zone": `"2026-12-01T00:00:00"`,
			"a huge number": "9223372036854775808", "broken UTF-8": "\xff\xc3", "NUL": "\"\x00\"", "a long string": strings.Repeat("x", 16_000), "another type": `"a":0`,
		} {
			has[what] = has[what] || bytes.Contains(b, []byte(part))
		}
	}
	for what, there := range has {
		if !there {
			t.Errorf("%s is not among them", what)
		}
	}
	if len(all) < 60 || valid < 20 || valid > len(all)-20 {
		t.Errorf("%d texts, of which %d are JSON", len(all), valid)
	}
}
