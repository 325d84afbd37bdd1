package azhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/rekeyhq/rekey/internal/driver"
)

// Date is the service's own clock, to the second; zero if the answer does not say.
func Date(resp *http.Response) time.Time {
	if resp == nil {
		return time.Time{}
	}
	t, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// SignInPage says whether an answer is a page for people where data was asked for: Azure DevOps answers 203, or a
// redirect, with HTML when it does not accept a credential (facts/azure-devops-entra.md 5.4). It is never success.
func SignInPage(resp *http.Response) bool {
	if resp.StatusCode == http.StatusNonAuthoritativeInfo || resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return true
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return media == "text/html" && resp.StatusCode < 300
}

// Decode reads a JSON answer into v, past a byte order mark. It refuses anything but one JSON value; its error never
// quotes the body.
func Decode(resp *http.Response, v any) error {
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		if errors.Is(err, ErrTooLarge) {
			return err
		}
		return errors.New("the answer broke off")
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if err := json.Unmarshal(b, v); err != nil {
		return errors.New("the answer is not the JSON that was expected")
	}
	return nil
}

// Code is a vendor's code if it is one: a short plain word. Everything else is "", because whatever answers in the
// service's place may put a text there, and quote in it what was sent.
func Code(s string) string {
	if len(s) > 50 {
		return ""
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' {
			return ""
		}
	}
	return s
}

// Failure turns a failed call into a driver.Error. write says whether the call changes something: then what may have
// been applied is Ambiguous. resp may be nil.
func Failure(op string, write bool, resp *http.Response, err error) error {
	var de *driver.Error
	if errors.As(err, &de) {
		return err
	}
	e := &driver.Error{Op: op}
	var re *azcore.ResponseError
	if errors.As(err, &re) {
		resp = re.RawResponse
		e.Code = Code(re.ErrorCode)
	}
	if resp == nil || resp.StatusCode < 300 && err != nil && re == nil {
		e.Kind = driver.Ambiguous
		if !write || neverLeft(err) {
			e.Kind = driver.Unavailable
		}
		e.Detail = plain(err)
		return e
	}
	e.Date = Date(resp)
	e.RetryAfter = retryAfter(resp)
	if e.Code == "" {
		e.Code = "HTTP " + http.StatusText(resp.StatusCode)
	}
	switch s := resp.StatusCode; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden, SignInPage(resp):
		e.Kind = driver.Denied
	case s == http.StatusNotFound, s == http.StatusGone:
		e.Kind = driver.Missing
	case s == http.StatusConflict, s == http.StatusPreconditionFailed:
		e.Kind = driver.Conflict
	case s == http.StatusTooManyRequests:
		e.Kind = driver.Throttled
	case s == http.StatusRequestTimeout || s >= 500:
		e.Kind = driver.Unavailable
		if write {
			e.Kind = driver.Ambiguous
		}
	default:
		e.Kind = driver.Rejected
	}
	return e
}

// plain says in a few words of ours what a transport's error was. The error's own text can hold an address with a
// query, or a body.
func plain(err error) string {
	var timeout interface{ Timeout() bool }
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case neverLeft(err):
		return "no connection could be made: check the network and HTTPS_PROXY"
	case strings.Contains(text, "certificate"):
		return "the server's certificate is not trusted: check SSL_CERT_FILE and any proxy that ends TLS"
	case strings.Contains(text, "context canceled"):
		return "interrupted"
	}
	return "the connection broke, or the answer could not be read"
}
