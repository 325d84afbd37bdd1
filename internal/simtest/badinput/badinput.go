// Package badinput is what fuzz targets have in common: answers that no service meant, a service that gives them, and
// the one statement of how much they may cost.
//
// It is for tests alone, and knows no format: a target brings one honest input, and here it is broken in every way that
// inputs are. What always holds: a bound counts bytes, allocations and calls and never a clock, so that a slow machine
// fails nothing and a fast one hides nothing; everything is the same at each run.
package badinput

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The bounds, for every decoder of an input that comes from outside.
const (
	// PerByte and Base bound what reading an input may allocate in all, kept or not: so many bytes for each of its own,
	// and so many for a client and its pipeline however short it is. The decoders of encoding/json take up to 300 for
	// an empty object in a list; what is worse grows faster than its input.
	PerByte = 1024
	Base    = 4 << 20
	// Most bounds it for inputs of every length.
	Most = 256 << 20
	// MostRead is how much of an endless answer may be read: azhttp's bound, and a last buffer beyond it.
	MostRead = 8<<20 + 64<<10
	// MostCalls is how many requests one call of an adapter may make of a service that answers all of them alike: what
	// is said once and not heeded is not asked for for ever.
	MostCalls = 12
)

// Bounded runs f, which reads an input of n bytes, and fails the test if that allocates more than the bounds allow.
func Bounded(t testing.TB, n int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, min(uint64(n)*PerByte+Base, Most); got > most {
		t.Errorf("an input of %d bytes made it allocate %d bytes, over %d", n, got, most)
	}
}

// Secret is what broken answers quote in the place of a secret. Nothing that a person is shown may repeat it.
const Secret = "s3cr3t value"

// Service answers every request alike. Its zero value says 200 and nothing.
type Service struct {
	Status int // 0 is 200
	Header http.Header
	Body   []byte
	// Endless makes the body begin with Body and never end: blanks follow, which no decoder minds.
	Endless bool

	Calls int
	Read  int64 // bytes of the bodies that were asked for
}

// RoundTrip implements http.RoundTripper.
func (s *Service) RoundTrip(r *http.Request) (*http.Response, error) {
	s.Calls++
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	resp := &http.Response{StatusCode: s.Status, Header: s.Header.Clone(), Request: r, ProtoMajor: 1, ProtoMinor: 1}
	if s.Status == 0 {
		resp.StatusCode = http.StatusOK
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	if resp.Header.Get("Content-Type") == "" {
		resp.Header.Set("Content-Type", "application/json")
	}
	resp.Body = &body{s: s, rest: bytes.NewReader(s.Body)}
	return resp, nil
}

// Within fails the test if more was asked for or read than the bounds allow.
func (s *Service) Within(t testing.TB) {
	t.Helper()
	if s.Calls > MostCalls {
		t.Errorf("%d calls of a service that answers all of them alike, over %d", s.Calls, MostCalls)
	}
	if most := int64(MostRead) * int64(s.Calls); s.Read > most {
		t.Errorf("%d bytes were read in %d calls, over %d", s.Read, s.Calls, most)
	}
}

type body struct {
	s    *Service
	rest *bytes.Reader
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.rest.Read(p)
	if err == io.EOF && b.s.Endless {
		for i := range p {
			p[i] = ' '
		}
		n, err = len(p), nil
	}
	b.s.Read += int64(n)
	return n, err
}

func (b *body) Close() error { return nil }

// Depth is how deep nested inputs are: as deep as encoding/json goes, and one more.
const Depth = 10_001

var (
	stringValue = regexp.MustCompile(`:\s*"[^"]*"`)
	numberValue = regexp.MustCompile(`:\s*-?[0-9][0-9.eE+-]*`)
	dateValue   = regexp.MustCompile(`"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]*Z?"`)
)

// Broken is an honest JSON text and everything that can be wrong with it, each once.
func Broken(honest string) [][]byte {
	out := []string{
		honest, "", " ", "\xef\xbb\xbf", "\xef\xbb\xbf" + honest, "\xef\xbb\xbf\xef\xbb\xbf" + honest, "\xff\xfe" + strings.Join(strings.Split(honest, ""), "\x00"),
		"<!DOCTYPE html><html><head><title>Sign in</title></head><body>" + honest + "</body></html>",
		"null", "true", "0", "-0", "1e400", `""`, `"` + "\x00" + `"`, "[]", "{}", "[" + honest + "]", "[null]", honest + honest, honest + "\x00", honest + ",", "NaN", "'a'", "{a:1}", "//\n" + honest,
		strings.Repeat("[", Depth), strings.Repeat("[", Depth) + strings.Repeat("]", Depth), strings.Repeat(`{"a":`, Depth), strings.Repeat(`{"value":`, Depth) + "1" + strings.Repeat("}", Depth),
		strings.Repeat(`{"error":`, Depth) + "1" + strings.Repeat("}", Depth),
	}
	for _, n := range []int{len(honest) / 4, len(honest) / 2, len(honest) * 3 / 4, max(0, len(honest)-1)} {
		out = append(out, honest[:n])
	}
	if inner, ok := strings.CutSuffix(strings.TrimSpace(honest), "}"); ok {
		out = append(out, inner+","+strings.TrimPrefix(strings.TrimSpace(honest), "{"), inner+`,"error":{"code":"x"}}`, inner+`,"":""}`)
	}
	replace := func(what *regexp.Regexp, values ...string) {
		for _, v := range values {
			out = append(out, what.ReplaceAllLiteralString(honest, v))
		}
	}
	long := strings.Repeat("x", 16<<10)
	replace(stringValue, ":0", ":null", ":true", ":{}", ":[]", `:""`, `:"`+long+`"`, `:"\u0000"`, ":\"\x00\"", ":\"\xff\xc3\"", `:"\ud800"`, `:"\u202e\u001b[31m\u009b"`, `:"../../../etc/passwd"`, `:"=cmd|'x'!A0"`, `:"%s%n%!d("`)
	replace(numberValue, ":-1", ":1e400", ":9223372036854775808", ":"+strings.Repeat("9", 4096), ":1.5", `:"1"`, ":null", ":0x10", ":01")
	replace(dateValue, `"2026-12-01T00:00:00"`, `"2026-12-01"`, `"0001-01-01T00:00:00"`, `"9999-12-31T23:59:59.9999999Z"`, `"99999-01-01T00:00:00Z"`, `"2026-13-45T25:61:61Z"`, `"/Date(1700000000000)/"`, `"Tue, 01 Dec 2026 00:00:00 GMT"`, "1796083200", `"-0001-01-01T00:00:00Z"`, `"2026-12-01T00:00:00+99:99"`)
	slices.Sort(out)
	out = slices.Compact(out)
	all := make([][]byte, len(out))
	for i, s := range out {
		all[i] = []byte(s)
	}
	return all
}
