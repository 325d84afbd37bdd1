// Package azhttp is the HTTP pipeline that all Azure adapters share: one transport, retries that never repeat a write
// that may have been applied, one throttle budget per host, bounded answers, and vendor errors turned into
// driver.Error.
//
// It is not a client of any service. What always holds: a write is sent again only if the service said that it was
// not applied, or if it certainly did not leave; redirects are never followed, because a sign-in page that is
// followed looks like success; an answer's body is bounded and never becomes part of an error.
package azhttp

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Client is what everything here sends through.
type Client struct {
	rt   http.RoundTripper
	gate *gate
	log  *slog.Logger
}

// NewClient makes a client on a transport, Network's outside of tests. log hears of every call at debug level, without
// its query, headers and body; nil for nobody.
func NewClient(rt http.RoundTripper, log *slog.Logger) *Client {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Client{rt: rt, gate: newGate(), log: log}
}

// Do sends one request, follows no redirect and bounds the answer. It is azcore's and MSAL's transport.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := c.rt.RoundTrip(req)
	if err != nil {
		c.log.Debug("call failed", "method", req.Method, "host", req.URL.Host, "path", req.URL.Path, "error", plain(err))
		return nil, err
	}
	c.log.Debug("call", "method", req.Method, "host", req.URL.Host, "path", req.URL.Path, "status", resp.StatusCode, "took", time.Since(start).Round(time.Millisecond))
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// CloseIdleConnections is part of what MSAL asks of an HTTP client.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.rt.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Options are the azcore options that every client is made with. azcore's own retry is switched off, because it
// repeats a PUT; ours comes first.
func (c *Client) Options(cloudConf cloud.Configuration) policy.ClientOptions {
	return policy.ClientOptions{
		Cloud:           cloudConf,
		Transport:       c,
		Retry:           policy.RetryOptions{MaxRetries: -1},
		PerCallPolicies: []policy.Policy{&retry{}},
		PerRetryPolicies: []policy.Policy{
			c.gate,
		},
		Telemetry: policy.TelemetryOptions{ApplicationID: "rekey"},
	}
}
