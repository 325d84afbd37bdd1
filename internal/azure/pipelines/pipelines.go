// Package pipelines is what Azure Pipelines signs in with, as consumers: the key of a service connection, and a secret
// variable of a variable group. Both are told as Rekey's own identity.
//
// It issues nothing, and it is not for what a pipeline reads from a vault by itself: a variable group that is linked to
// a vault needs no telling. What always holds (facts/azure-devops-entra.md 3, 4): an update replaces the whole object,
// so what was read goes back as it was, members that are not known here included, and a masked secret stays null, which
// keeps it; the publication's mark is written in the same request as the value; an answer's words never become part of
// an error.
package pipelines

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

const (
	host = "https://dev.azure.com"
	// scope is Azure DevOps as a resource.
	scope      = "499b84ac-1321-427f-aa17-267ca6975798/.default"
	apiVersion = "7.1"
)

// Identity is Rekey's own sign-in.
type Identity interface {
	azcore.TokenCredential
	// Invalidate makes the next token a new one.
	Invalidate()
}

// Client sends to Azure DevOps as one identity. All consumers of a program share one: it keeps those that change the
// same object from overwriting each other.
type Client struct {
	pl   runtime.Pipeline
	cred Identity

	mu    sync.Mutex
	locks map[string]chan struct{}
}

// NewClient makes a client. Nothing is sent.
func NewClient(opts policy.ClientOptions, cred Identity) *Client {
	return &Client{pl: runtime.NewPipeline("rekey", "1", runtime.PipelineOptions{}, &opts), cred: cred, locks: map[string]chan struct{}{}}
}

// lock makes everybody who changes one object wait for each other.
func (c *Client) lock(ctx context.Context, object string) (unlock func(), err error) {
	c.mu.Lock()
	l := c.locks[object]
	if l == nil {
		l = make(chan struct{}, 1)
		c.locks[object] = l
	}
	c.mu.Unlock()
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// request is one call.
type request struct {
	op, method, addr string
	body             []byte
	write            bool // it changes something
	// denied is what a person can do about a refusal.
	denied string
	// next takes the token of a list's next page, where it is not nil.
	next *string
}

// call sends a request and decodes its answer into out.
func (c *Client) call(ctx context.Context, r request, out any) (time.Time, error) {
	for renewed := false; ; renewed = true {
		token, err := c.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
		if err != nil {
			return time.Time{}, azhttp.Failure(r.op, false, nil, err)
		}
		resp, err := c.send(ctx, r, token.Token)
		if err != nil {
			return time.Time{}, azhttp.Failure(r.op, r.write, resp, err)
		}
		date := azhttp.Date(resp)
		page := azhttp.SignInPage(resp)
		if r.next != nil {
			*r.next = resp.Header.Get("X-MS-ContinuationToken")
		}
		switch {
		case !renewed && (resp.StatusCode == http.StatusUnauthorized || page && !r.write):
			// The token may have been ended before its date. A sign-in page in answer to a write is left to the caller's
			// look: nothing says that it came from the service.
			resp.Body.Close()
			c.cred.Invalidate()
			continue
		case page:
			resp.Body.Close()
			e := &driver.Error{Kind: driver.Denied, Op: r.op, Code: "sign-in page", Date: date,
				Detail: "Azure DevOps answered with its sign-in page, so it did not accept Rekey's identity",
				Hint:   "add Rekey's identity to the organisation, and check that the organisation belongs to its tenant and that no proxy answers in its place"}
			if r.write {
				e.Kind = driver.Ambiguous
			}
			return date, e
		case resp.StatusCode >= 300:
			return date, refusal(r, resp)
		}
		if err := azhttp.Decode(resp, out); err != nil {
			e := &driver.Error{Kind: driver.Unavailable, Op: r.op, Detail: err.Error(), Date: date}
			if r.write {
				e.Kind = driver.Ambiguous
			}
			return date, e
		}
		return date, nil
	}
}

func (c *Client) send(ctx context.Context, r request, token string) (*http.Response, error) {
	req, err := runtime.NewRequest(ctx, r.method, r.addr)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader(r.body)), "application/json"); err != nil {
			return nil, err
		}
	}
	req.Raw().Header.Set("Accept", "application/json")
	req.Raw().Header.Set("Authorization", "Bearer "+token)
	return c.pl.Do(req)
}

// refusal reads Azure DevOps' exception envelope for its type, never for its message.
func refusal(r request, resp *http.Response) error {
	err := azhttp.Failure(r.op, r.write, resp, nil)
	e, ok := err.(*driver.Error)
	if !ok {
		return err
	}
	var body struct {
		TypeKey string `json:"typeKey"`
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if json.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), &body) == nil && azhttp.Code(body.TypeKey) != "" {
		e.Code = body.TypeKey
	}
	switch e.Kind {
	case driver.Denied, driver.Missing:
		e.Hint, e.Person = r.denied, resp.StatusCode != http.StatusUnauthorized
	}
	return e
}

// missing is what is not there, or what the caller is not to know of: Azure DevOps answers null for both.
func missing(op, hint string) *driver.Error {
	return &driver.Error{Kind: driver.Missing, Op: op, Detail: "it is not there, or Rekey's identity may not change it", Hint: hint, Person: true}
}

// unfit is what cannot be told whatever is tried.
func unfit(op, detail, hint string) *driver.Error {
	return &driver.Error{Kind: driver.Rejected, Op: op, Detail: detail, Hint: hint, Person: true}
}

// address is that of a project, or of the organisation where project is "".
func address(organization, project, path string, query url.Values) string {
	at := host + "/" + url.PathEscape(organization)
	if project != "" {
		at += "/" + url.PathEscape(project)
	}
	if query == nil {
		query = url.Values{}
	}
	if !query.Has("api-version") {
		query.Set("api-version", apiVersion)
	}
	return at + path + "?" + query.Encode()
}
