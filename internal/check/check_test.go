package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/secret"
)

const canary = "REKEYCANARYofACheck+value/0123456789=="

func value() secret.Value { return secret.New([]byte(canary)) }

// clean fails the test if a text holds a part of the value.
func clean(t *testing.T, text string) {
	t.Helper()
	for i := 0; i+piece <= len(canary); i++ {
		if strings.Contains(text, canary[i:i+piece]) {
			t.Fatalf("a part of the value is in %q", strings.ReplaceAll(text, canary[i:i+piece], "<part>"))
		}
	}
}

func request(h manifest.HTTPTrial) *Request {
	if h.Method == "" {
		h.Method = "GET"
	}
	return NewRequest(manifest.Trial{Name: "api", HTTP: &h, Timeout: time.Minute}, http.DefaultTransport)
}

func TestARequestCarriesTheValueAndItsStatusDecides(t *testing.T) {
	t.Parallel()
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+r.Header.Get("X-Key"))
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/elsewhere?"+canary, http.StatusFound)
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+canary && r.Header.Get("X-Key") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, canary)
	}))
	defer s.Close()
	for name, c := range map[string]struct {
		h          manifest.HTTPTrial
		works      bool
		says, sent string
	}{
		"bearer":                       {manifest.HTTPTrial{URL: s.URL + "/a", Status: 200, Header: "Authorization", Value: "Bearer {value}"}, true, "", "GET /a Bearer " + canary},
		"basic, in another header":     {manifest.HTTPTrial{URL: s.URL + "/a", Method: "POST", Status: 200, Header: "X-Key", Value: "{basic}"}, true, "", "POST /a OlJFS0VZQ0FOQVJZb2ZBQ2hlY2srdmFsdWUvMDEyMzQ1Njc4OT09"},
		"without a header":             {manifest.HTTPTrial{URL: s.URL + "/a", Status: 200, Value: "Bearer {value}"}, false, "answers 401 where 200 is expected", "GET /a "},
		"another status is expected":   {manifest.HTTPTrial{URL: s.URL + "/a", Status: 401}, true, "", "GET /a "},
		"a redirect is not followed":   {manifest.HTTPTrial{URL: s.URL + "/moved", Status: 200, Header: "Authorization", Value: "Bearer {value}"}, false, "answers 302 where 200 is expected; it is not followed", "GET /moved Bearer " + canary},
		"unless that is what it wants": {manifest.HTTPTrial{URL: s.URL + "/moved", Status: 302}, true, "", "GET /moved "},
	} {
		got = nil
		r, err := request(c.h).Try(t.Context(), value())
		if err != nil || r.Works != c.works || !strings.Contains(r.Why, c.says) || !slices.Equal(got, []string{c.sent}) {
			t.Errorf("%s: %+v, %v; sent %q", name, r, err, got)
		}
		clean(t, r.Why)
	}
}

func TestWhatDoesNotAnswerSaysNothingOfTheValue(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }))
	defer busy.Close()
	hangs := transport(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
	quotes := transport(func(r *http.Request) (*http.Response, error) {
		return nil, errors.New("a proxy says: " + r.Header.Get("Authorization"))
	})
	h := manifest.HTTPTrial{URL: gone.URL, Method: "GET", Status: 200, Header: "Authorization", Value: "{value}"}
	short := manifest.Trial{Name: "api", HTTP: &h, Timeout: time.Millisecond}
	b := h
	b.URL = busy.URL
	for name, c := range map[string]struct {
		r    *Request
		v    secret.Value
		kind driver.Kind
		says string
	}{
		"nobody listens":        {request(h), value(), driver.Unavailable, "no connection"},
		"it hangs":              {NewRequest(short, hangs), value(), driver.Unavailable, "no answer within 1ms"},
		"what fails quotes it":  {NewRequest(manifest.Trial{Name: "api", HTTP: &h, Timeout: time.Minute}, quotes), value(), driver.Unavailable, "no connection"},
		"it is busy":            {request(b), value(), driver.Throttled, "HTTP 429"},
		"no header can hold it": {request(h), secret.New([]byte(canary + "\nX: y")), driver.Rejected, "characters that no header can carry"},
	} {
		r, err := c.r.Try(t.Context(), c.v)
		var e *driver.Error
		if r.Works || !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Error(), c.says) || e.Op != "check api, "+c.r.Place() {
			t.Errorf("%s: %+v, %v", name, r, err)
			continue
		}
		clean(t, e.Error()+e.Hint)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The tests' own program is the one that is run.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "program" {
		os.Exit(program(os.Args[2]))
	}
	os.Exit(m.Run())
}

func program(does string) int {
	in, _ := io.ReadAll(os.Stdin)
	switch does {
	case "judge":
		if string(in) != canary || strings.Contains(strings.Join(append(os.Environ(), os.Args...), "\n"), "REKEYCANARY") {
			return 3
		}
		return 0
	case "tell":
		fmt.Printf("\x1b[31mrefused\x1b[0m\n%s\n", in)
		fmt.Fprintf(os.Stderr, "half of it: %s, %q\n", in[:len(in)/2], in)
		return 7
	case "flood":
		for range 20_000 {
			fmt.Printf("%s %s\n", in, strings.Repeat("x", 60))
		}
		fmt.Println("the end")
		return 1
	case "hang":
		fmt.Printf("waiting with %s\n", in)
		select {}
	case "environment":
		for _, e := range os.Environ() {
			name, _, _ := strings.Cut(e, "=")
			fmt.Print(name, " ")
		}
		return 1
	}
	return 0
}

func run(t *testing.T, does string, timeout time.Duration) *Program {
	t.Helper()
	getenv := func(name string) string {
		return map[string]string{"PATH": "/usr/bin", "HOME": "/", "REKEY_CLIENT_SECRET": canary, "SYSTEMROOT": os.Getenv("SYSTEMROOT")}[name]
	}
	return NewProgram(manifest.Trial{Name: "smoke", Command: &manifest.CommandTrial{Run: manifest.Argv{os.Args[0], "program", does}}, Timeout: timeout}, t.TempDir(), getenv)
}

func TestAProgramReadsTheValueAndItsExitCodeDecides(t *testing.T) {
	t.Parallel()
	for does, says := range map[string]string{
		"judge":       "",
		"tell":        `ended with exit status 7: `,
		"flood":       "the end",
		"environment": "REKEY_CHECK PATH HOME",
	} {
		r, err := run(t, does, time.Minute).Try(t.Context(), value())
		if err != nil || r.Works != (says == "") || !strings.Contains(r.Why, says) || len(r.Why) > shownFor+100 || strings.Contains(r.Why, "\x1b") {
			t.Errorf("%s: %+v, %v", does, r, err)
		}
		clean(t, r.Why)
		if does == "tell" && (!strings.Contains(r.Why, "refused") || !strings.Contains(r.Why, taken)) {
			t.Errorf("what it said is not there: %s", r.Why)
		}
	}
}

func TestAProgramThatDoesNotEndIsEnded(t *testing.T) {
	t.Parallel()
	r, err := run(t, "hang", 300*time.Millisecond).Try(t.Context(), value())
	if err != nil || r.Works || !strings.Contains(r.Why, "it did not end within 300ms") {
		t.Errorf("%+v, %v", r, err)
	}
	clean(t, r.Why)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := run(t, "judge", time.Minute).Try(ended, value()); err == nil || r.Works {
		t.Errorf("interrupted: %+v, %v", r, err)
	}
}

func TestAProgramThatIsNotThereIsForAPersonToMend(t *testing.T) {
	t.Parallel()
	p := NewProgram(manifest.Trial{Name: "smoke", Command: &manifest.CommandTrial{Run: manifest.Argv{"./is-not-there"}}, Timeout: time.Minute}, t.TempDir(), os.Getenv)
	_, err := p.Try(t.Context(), value())
	var e *driver.Error
	if !errors.As(err, &e) || !e.Person || e.Hint == "" || !strings.Contains(e.Error(), "program ./is-not-there: rejected: the program could not be started") {
		t.Errorf("%v", err)
	}
}

func FuzzScrub(f *testing.F) {
	f.Add([]byte("a "+canary+" b"), []byte(canary))
	f.Add([]byte("short"), []byte("or"))
	f.Add([]byte(canary[3:20]+"\n"+canary[20:]), []byte(canary))
	f.Fuzz(func(t *testing.T, text, v []byte) {
		if len(v) == 0 || len(v) > 200 || len(text) > 2000 || strings.Contains(taken, string(v)) {
			return
		}
		whole := string(v)
		out := string(scrub(append(append(slices.Clone(text), v...), text...), secret.New(v)))
		for part := range strings.SplitSeq(out, taken) {
			if strings.Contains(part, whole) {
				t.Errorf("the value is left in what was scrubbed")
			}
		}
	})
}
