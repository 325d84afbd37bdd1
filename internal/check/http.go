package check

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Request is a check by an HTTP request.
type Request struct {
	id      string
	set     manifest.HTTPTrial
	timeout time.Duration
	client  *http.Client
}

var _ driver.Check = (*Request)(nil)

// NewRequest makes a check that sends over a transport.
func NewRequest(s manifest.Trial, transport http.RoundTripper) *Request {
	// A redirect would carry the value to where an answer says, and an expected status can be one of them.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Request{id: s.Name, set: *s.HTTP, timeout: s.Timeout, client: &http.Client{Transport: transport, CheckRedirect: stay}}
}

// ID implements driver.Check.
func (r *Request) ID() string { return r.id }

// Place implements driver.Check.
func (r *Request) Place() string { return r.set.Method + " " + r.set.URL }

// Try implements driver.Check. That nothing answers says nothing of the value; another status than the expected one does,
// also one of the service's own failures: what does not get in with its credential often answers so.
func (r *Request) Try(ctx context.Context, value secret.Value) (rotation.Check, error) {
	op := "check " + r.id + ", " + r.Place()
	bounded, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(bounded, r.set.Method, r.set.URL, nil)
	if err != nil {
		return rotation.Check{}, driver.Errorf(driver.Rejected, op, "", "the address cannot be asked")
	}
	req.Header.Set("User-Agent", "rekey-check")
	if r.set.Header != "" {
		fits := true
		_ = value.Use(func(b []byte) error {
			basic := base64.StdEncoding.EncodeToString(append([]byte(":"), b...))
			v := strings.NewReplacer("{value}", string(b), "{basic}", basic).Replace(r.set.Value)
			fits = !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' })
			req.Header.Set(r.set.Header, v)
			return nil
		})
		if !fits {
			return rotation.Check{}, &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the value holds characters that no header can carry", Person: true,
				Hint: "use {basic} in the check's value, or a command as check"}
		}
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return rotation.Check{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: r.silence(err), Hint: "look whether it can be reached from here"}
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode == r.set.Status:
		return rotation.Check{Works: true}, nil
	case resp.StatusCode == http.StatusTooManyRequests:
		return rotation.Check{}, &driver.Error{Kind: driver.Throttled, Op: op, Code: "HTTP 429"}
	case resp.StatusCode/100 == 3:
		return rotation.Check{Why: fmt.Sprintf("answers %d where %d is expected; it is not followed to where that leads", resp.StatusCode, r.set.Status)}, nil
	}
	return rotation.Check{Why: fmt.Sprintf("answers %d where %d is expected", resp.StatusCode, r.set.Status)}, nil
}

// silence says in our words why there was no answer: an error of the network can quote what a proxy said.
func (r *Request) silence(err error) string {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", r.timeout)
	case errors.As(err, &dns):
		return "its name cannot be resolved"
	case errors.As(err, &cert):
		return "its certificate is not accepted"
	}
	return "no connection"
}
