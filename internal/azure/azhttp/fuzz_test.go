package azhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// mark is what the fuzzed bodies quote; no error may repeat it.
const mark = badinput.Secret

func FuzzDecode(f *testing.F) {
	for _, b := range badinput.Broken(`{"value":[{"id":"i","at":"2026-12-01T00:00:00Z","n":1.5,"text":"` + mark + `"}],"next":null}`) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		var typed struct {
			Value []struct {
				ID   string
				At   time.Time
				N    int64
				Text *string
			}
		}
		badinput.Bounded(t, len(b), func() {
			s := &badinput.Service{Body: b}
			err := Decode(got(t, s), &v)
			if (err == nil) != json.Valid(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))) && !hugeNumber(err, b) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%v", err)
			}
			for _, err := range []error{err, Decode(got(t, s), &typed)} {
				if err != nil && strings.Contains(err.Error(), mark) {
					t.Errorf("the error quotes the answer: %v", err)
				}
			}
			s.Within(t)
		})
	})
}

// hugeNumber says whether it was a number that is JSON and fits no float.
func hugeNumber(err error, b []byte) bool {
	var v any
	var mismatch *json.UnmarshalTypeError
	return err != nil && errors.As(json.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), &v), &mismatch)
}

// got is an answer as the client hands it on.
func got(t *testing.T, s *badinput.Service) *http.Response {
	t.Helper()
	resp, err := NewClient(s, nil).Do(request(t, http.MethodGet))
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// FuzzFailure: whatever a service answers in place of success becomes one of our kinds, in our words.
func FuzzFailure(f *testing.F) {
	for _, b := range badinput.Broken(`{"error":{"code":"Forbidden","message":"` + mark + `","innererror":{"code":"ForbiddenByRbac"}}}`) {
		f.Add(b, "", 403)
	}
	f.Add([]byte("<Error><Code>"+mark+"</Code></Error>"), "text/xml", 400)
	f.Add([]byte("{}"), mark, 500)
	f.Fuzz(func(t *testing.T, body []byte, code string, status int) {
		if status < 200 || status > 599 {
			return
		}
		header := http.Header{"X-Ms-Error-Code": {code}, "Content-Type": {code}, "Www-Authenticate": {code}}
		s := &badinput.Service{Status: status, Body: body, Header: header}
		var resp *http.Response
		var err error
		badinput.Bounded(t, len(body)+len(code), func() {
			resp, err = NewClient(s, nil).Do(request(t, http.MethodPut))
			if err == nil {
				err = runtime.NewResponseError(resp)
			}
		})
		s.Within(t)
		for _, write := range []bool{false, true} {
			var e *driver.Error
			if out := Failure("do something", write, resp, err); !errors.As(out, &e) || e.Kind == 0 {
				t.Fatalf("%v", out)
			}
			if text := e.Error() + e.Hint; strings.Contains(text, mark) || len(text) > 300 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%q", text)
			}
		}
	})
}

// FuzzSignInFailure: what an identity's library says of its own failure holds the whole answer.
func FuzzSignInFailure(f *testing.F) {
	for _, s := range []string{"", mark, "AADSTS50076: " + mark, "AADSTS" + strings.Repeat("7", 5000), "AADSTS" + mark, "aadsts1", "AADSTS\u0661"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		badinput.Bounded(t, len(text), func() {
			_, err := NewCredential("clientSecret", refusing{errors.New(text)}).GetToken(t.Context(), policy.TokenRequestOptions{})
			var e *driver.Error
			if !errors.As(err, &e) || strings.Contains(err.Error()+e.Hint, mark) || len(err.Error()+e.Hint) > 400 {
				t.Errorf("%v", err)
			}
		})
	})
}

// FuzzRetryAfter: a wait is never negative, and none that is out of all proportion is slept through.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "1", "1.5", "-1", "-0", "NaN", "Inf", "-Inf", "1e300", "1e-300", "0x1p-2", "1_000", "９", "Sat, 01 Jan 2000 00:00:12 GMT", "Sat, 01 Jan 2000 00:00:12", "Friday, 31-Dec-99 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", strings.Repeat("9", 400), "\x00", "\xff"} {
		f.Add(s, "Sat, 01 Jan 2000 00:00:00 GMT")
		f.Add("60", s)
	}
	f.Fuzz(func(t *testing.T, v, date string) {
		for _, name := range []string{"Retry-After", "retry-after-ms", "x-ms-retry-after-ms"} {
			resp := answer(429, map[string]string{name: v, "Date": date}, "")
			badinput.Bounded(t, len(v)+len(date), func() {
				if d := retryAfter(resp); d < 0 {
					t.Errorf("%s %q at %q: %s", name, v, date, d)
				}
				if at := Date(resp); at.Location() != time.UTC || at.Year() > 9999 {
					t.Errorf("the date %q is %v", date, at)
				}
			})
		}
	})
}

func TestAnAnswerThatIsAllMembersIsRefused(t *testing.T) {
	all := []byte(`{"value":[` + strings.Repeat("{},", (8<<20-32)/3) + `{}]}`)
	badinput.Bounded(t, 0, func() {
		var v struct{ Value []struct{ A, B, C string } }
		if err := Decode(got(t, &badinput.Service{Body: all}), &v); !errors.Is(err, ErrTooLarge) || len(v.Value) > 0 {
			t.Errorf("%v with %d members", err, len(v.Value))
		}
	})
	honest := []byte(`{"value":[` + strings.Repeat("{},", maxMembers) + `{}]}`)
	var v struct{ Value []struct{} }
	if err := Decode(got(t, &badinput.Service{Body: honest}), &v); err != nil || len(v.Value) != maxMembers+1 {
		t.Errorf("the longest list that is taken: %v, %d members", err, len(v.Value))
	}
}

func TestOnlyWhatStandsOutsideOfTextIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		body  string
		taken bool
	}{
		"as deep as is taken":         {strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth), true},
		"deeper":                      {strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), false},
		"objects that are deeper":     {strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1), false},
		"brackets and commas in text": {`{"a":"` + strings.Repeat(`[{,\"`, 200_000) + `"}`, true},
		"a backslash at a text's end": {`{"a":"\\","b":[` + strings.Repeat("1,", maxMembers) + `1]}`, false},
		"many that are closed":        {"[" + strings.Repeat("[],", maxMembers-1) + "[]]", true},
	} {
		t.Run(name, func(t *testing.T) {
			var v any
			if err := Decode(got(t, &badinput.Service{Body: []byte(c.body)}), &v); (err == nil) != c.taken || err != nil && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAnEndlessAnswerCostsNoMoreThanItsBound(t *testing.T) {
	s := &badinput.Service{Status: 500, Endless: true, Body: []byte(`{"error":{"code":"x"`)}
	badinput.Bounded(t, badinput.MostRead, func() {
		o := NewClient(s, nil).Options(cloud.AzurePublic)
		resp, err := send(t.Context(), t, runtime.NewPipeline("rekey", "1", runtime.PipelineOptions{}, &o), http.MethodPut)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		var re *azcore.ResponseError
		if !errors.Is(err, ErrTooLarge) && !errors.As(err, &re) {
			t.Errorf("%v", err)
		}
	})
	s.Within(t)
	if s.Read < 8<<20 {
		t.Errorf("%d bytes were read: nothing was bounded", s.Read)
	}
}
