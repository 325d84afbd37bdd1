package azhttp

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/driver"
)

func answer(status int, header map[string]string, body string) *http.Response {
	r := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	return r
}

func TestAFailedCallIsOneOfAHandfulOfKinds(t *testing.T) {
	page := map[string]string{"Content-Type": "text/html; charset=utf-8"}
	for _, c := range []struct {
		name        string
		resp        *http.Response
		err         error
		read, write driver.Kind
	}{
		{"401", answer(401, nil, ""), nil, driver.Denied, driver.Denied},
		{"403", answer(403, nil, ""), nil, driver.Denied, driver.Denied},
		{"302 to a sign-in", answer(302, nil, ""), nil, driver.Denied, driver.Denied},
		{"203", answer(203, nil, ""), nil, driver.Denied, driver.Denied},
		{"200 with a page", answer(200, page, ""), nil, driver.Denied, driver.Denied},
		{"404", answer(404, nil, ""), nil, driver.Missing, driver.Missing},
		{"410", answer(410, nil, ""), nil, driver.Missing, driver.Missing},
		{"409", answer(409, nil, ""), nil, driver.Conflict, driver.Conflict},
		{"412", answer(412, nil, ""), nil, driver.Conflict, driver.Conflict},
		{"429", answer(429, nil, ""), nil, driver.Throttled, driver.Throttled},
		{"400", answer(400, nil, ""), nil, driver.Rejected, driver.Rejected},
		{"422", answer(422, nil, ""), nil, driver.Rejected, driver.Rejected},
		{"404 with a page", answer(404, page, ""), nil, driver.Missing, driver.Missing},
		{"408", answer(408, nil, ""), nil, driver.Unavailable, driver.Ambiguous},
		{"500", answer(500, nil, ""), nil, driver.Unavailable, driver.Ambiguous},
		{"503 with a page", answer(503, page, ""), nil, driver.Unavailable, driver.Ambiguous},
		{"a reset", nil, errReset, driver.Unavailable, driver.Ambiguous},
		{"a reset inside an answer", answer(200, nil, ""), io.ErrUnexpectedEOF, driver.Unavailable, driver.Ambiguous},
		{"no connection", nil, errDial, driver.Unavailable, driver.Unavailable},
		{"no proxy", nil, errProxy, driver.Unavailable, driver.Unavailable},
		{"an interrupt", nil, context.Canceled, driver.Unavailable, driver.Ambiguous},
	} {
		for write, want := range map[bool]driver.Kind{false: c.read, true: c.write} {
			err := Failure("do something", write, c.resp, c.err)
			if driver.KindOf(err) != want {
				t.Errorf("%s, write %v: %v, want %v", c.name, write, err, want)
			}
			if !strings.HasPrefix(err.Error(), "do something: ") {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func TestAFailureHoldsNoVendorsText(t *testing.T) {
	const secret = "eyJsecret"
	body := answer(403, nil, `{"error":{"code":"Forbidden","message":"`+secret+`"}}`)
	for name, err := range map[string]error{
		"a transport's error": &url.Error{Op: "Put", URL: "https://host/?sig=" + secret, Err: errors.New(secret)},
		"an SDK's error":      &azcore.ResponseError{ErrorCode: "Forbidden", StatusCode: 403, RawResponse: body},
		"a bad certificate":   &url.Error{Op: "Put", URL: "https://host/?sig=" + secret, Err: x509.UnknownAuthorityError{}},
		"a timeout":           &url.Error{Op: "Put", URL: "https://host/?sig=" + secret, Err: os.ErrDeadlineExceeded},
	} {
		got := Failure("do something", true, nil, err)
		if strings.Contains(got.Error(), secret) {
			t.Errorf("%s: %v", name, got)
		}
	}
	err := Failure("do something", false, nil, &url.Error{Op: "Get", URL: "https://host", Err: x509.UnknownAuthorityError{}})
	if !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("a certificate that is not trusted: %v", err)
	}
	err = Failure("do something", false, nil, &url.Error{Op: "Get", URL: "https://host", Err: os.ErrDeadlineExceeded})
	if !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("a timeout: %v", err)
	}
}

func TestAFailureKeepsDatePatienceAndCode(t *testing.T) {
	header := map[string]string{"Date": "Sat, 01 Jan 2000 00:00:00 GMT", "Retry-After": "90"}
	var e *driver.Error
	if err := Failure("x", true, answer(429, header, ""), nil); !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.RetryAfter != 90*time.Second || !e.Date.Equal(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) || e.Code != "HTTP Too Many Requests" {
		t.Errorf("%+v", e)
	}
	ours := driver.Errorf(driver.Conflict, "op", "", "detail")
	if got := Failure("x", true, nil, ours); got != error(ours) {
		t.Errorf("an error of ours became %v", got)
	}
}

func TestDecodeTakesOneJSONValueAndABOM(t *testing.T) {
	for body, good := range map[string]bool{
		`{"a":1}`: true, "\xef\xbb\xbf{\"a\":1}": true, "  {\"a\":1}\n": true,
		"": false, "\xef\xbb\xbf": false, "{": false, `{"a":1}{"a":2}`: false, "<html>": false, `{"a":"secret`: false, "null": true,
	} {
		var v struct{ A int }
		err := Decode(answer(200, nil, body), &v)
		if (err == nil) != good || good && body != "null" && v.A != 1 {
			t.Errorf("%q: %v, %+v", body, err, v)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestACodeIsAShortPlainWord(t *testing.T) {
	for _, s := range []string{"ForbiddenByRbac", "AADSTS50076", "VS403463", "disablePatCreationPolicyViolation", "interaction_required", "Some.Type-1"} {
		if Code(s) != s {
			t.Errorf("%q is no code", s)
		}
	}
	for _, s := range []string{"", "two words", "a\nb", "\x1b[31m", "a\u202eb", "café", "a/b", "<b>", strings.Repeat("x", 51), "a=b"} {
		if got := Code(s); got != "" {
			t.Errorf("%q is shown as %q", s, got)
		}
	}
	// What an SDK takes for a code is as much a text of the answer's as the rest of it.
	for _, text := range []string{"the value hunter2 is not allowed", strings.Repeat("hunter2", 100), "hunter2\x1b"} {
		err := Failure("do something", true, nil, &azcore.ResponseError{ErrorCode: text, StatusCode: 400, RawResponse: answer(400, nil, "")})
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func TestAPageForPeopleIsTold(t *testing.T) {
	for _, c := range []struct {
		status int
		media  string
		want   bool
	}{
		{200, "application/json; charset=utf-8", false}, {200, "text/html", true}, {200, "Text/HTML; charset=utf-8", true}, {203, "application/json", true},
		{204, "", false}, {302, "", true}, {307, "application/json", true}, {404, "text/html", false}, {401, "text/html", false}, {500, "text/html", false},
	} {
		if got := SignInPage(answer(c.status, map[string]string{"Content-Type": c.media}, "")); got != c.want {
			t.Errorf("%d %s: %v", c.status, c.media, got)
		}
	}
}

type refusing struct{ err error }

func (r refusing) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, r.err
}

func TestAnIdentityThatCannotSignInSaysItsCodeAndNothingElse(t *testing.T) {
	inner := errors.New(`ClientSecretCredential authentication failed. {"error_description":"AADSTS7000215: Invalid client secret provided: hunter2secret"}`)
	_, err := NewCredential("clientSecret", refusing{inner}).GetToken(t.Context(), policy.TokenRequestOptions{})
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != driver.Denied || e.Code != "AADSTS7000215" || strings.Contains(err.Error()+e.Hint, "hunter2") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = NewCredential("clientSecret", refusing{context.Canceled}).GetToken(ctx, policy.TokenRequestOptions{})
	if driver.KindOf(err) != driver.Unavailable {
		t.Errorf("%v", err)
	}
}

type crashing struct{ times int }

func (c *crashing) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.times++
	panic("hunter2secret")
}

func TestALibraryThatPanicsIsAskedNoMoreAndNotQuoted(t *testing.T) {
	inner := &crashing{}
	c := NewCredential("x", inner)
	for range 2 {
		_, err := c.GetToken(t.Context(), policy.TokenRequestOptions{})
		if driver.KindOf(err) != driver.Unavailable || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
	if inner.times != 1 {
		t.Errorf("it was asked %d times", inner.times)
	}
}

type claims struct{ asked []string }

func (c *claims) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.asked = append(c.asked, o.Claims)
	return azcore.AccessToken{Token: "t"}, nil
}

func TestAnInvalidatedTokenIsPassedOverOnce(t *testing.T) {
	inner := &claims{}
	c := NewCredential("x", inner)
	c.Invalidate()
	for range 2 {
		if _, err := c.GetToken(t.Context(), policy.TokenRequestOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if inner.asked[0] == "" || inner.asked[1] != "" || !json.Valid([]byte(inner.asked[0])) {
		t.Errorf("claims %q", inner.asked)
	}
}
