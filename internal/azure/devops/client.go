package devops

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

const (
	patsHost = "https://vssps.dev.azure.com"
	apiHost  = "https://dev.azure.com"
	// apiVersion of the PAT API: every version is a preview, and the plain form may be refused
	// (facts/azure-devops-entra.md 1.1).
	apiVersion = "7.1-preview.1"
	// Scope is what a user's token for Azure DevOps is asked for: everything that the client application was consented
	// to; vso.pats and vso.pats_manage are the least.
	Scope = "499b84ac-1321-427f-aa17-267ca6975798/.default"
)

// Account is a signed-in user. The PAT API takes nobody else: no service principal and no PAT (facts 1.2).
type Account interface {
	Name() string
	Username() string
	// Quiet says whether a token can be had without redeeming a refresh token.
	Quiet() bool
	// Token returns an access token; renew passes over a cached one.
	Token(ctx context.Context, scope string, renew bool) (string, error)
}

// client sends to Azure DevOps as one account.
type client struct {
	pl      runtime.Pipeline
	account Account
}

func newClient(opts policy.ClientOptions, account Account) *client {
	return &client{pl: runtime.NewPipeline("rekey", "1", runtime.PipelineOptions{}, &opts), account: account}
}

// call sends one request as the account and decodes its answer into out, nil for none. The response is returned for
// its headers, whatever happened.
func (c *client) call(ctx context.Context, op, method, addr string, in, out any) (*http.Response, error) {
	write := method != http.MethodGet
	for renew := false; ; renew = true {
		token, err := c.account.Token(ctx, Scope, renew)
		if err != nil {
			return nil, err
		}
		resp, err := c.send(ctx, method, addr, "Bearer "+token, in, false)
		if err != nil {
			return resp, azhttp.Failure(op, write, resp, err)
		}
		switch {
		case resp.StatusCode == http.StatusUnauthorized && !renew, azhttp.SignInPage(resp) && !renew && !write:
			// The token may have been ended before its date. A sign-in page in answer to a write is left to the
			// caller's look: nothing says that it came from the service.
			resp.Body.Close()
			continue
		case azhttp.SignInPage(resp):
			resp.Body.Close()
			e := &driver.Error{Kind: driver.Denied, Op: op, Code: "sign-in page", Date: azhttp.Date(resp),
				Detail: "Azure DevOps answered with its sign-in page, so it did not accept the account's token",
				Hint:   "check that the organisation belongs to the account's tenant, and that a proxy does not answer in its place"}
			if write {
				e.Kind = driver.Ambiguous
			}
			return resp, e
		case resp.StatusCode >= 300:
			return resp, refusal(op, write, resp)
		}
		if out == nil {
			resp.Body.Close()
			return resp, nil
		}
		if err := azhttp.Decode(resp, out); err != nil {
			kind := driver.Unavailable
			if write {
				kind = driver.Ambiguous
			}
			return resp, &driver.Error{Kind: kind, Op: op, Detail: err.Error(), Date: azhttp.Date(resp)}
		}
		return resp, nil
	}
}

func (c *client) send(ctx context.Context, method, addr, authorization string, in any, suppressPage bool) (*http.Response, error) {
	req, err := runtime.NewRequest(ctx, method, addr)
	if err != nil {
		return nil, err
	}
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader(b)), "application/json"); err != nil {
			return nil, err
		}
	}
	req.Raw().Header.Set("Accept", "application/json")
	req.Raw().Header.Set("Authorization", authorization)
	if suppressPage {
		// Not always: in tenants with Conditional Access it is said to turn a usable token into a 401 (facts 5.4).
		req.Raw().Header.Set("X-TFS-FedAuthRedirect", "Suppress")
	}
	return c.pl.Do(req)
}

// refusal reads Azure DevOps' exception envelope for its type, never for its message (facts 1.6).
func refusal(op string, write bool, resp *http.Response) error {
	err := azhttp.Failure(op, write, resp, nil)
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
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		e.Hint = "check that the account is a member of the organisation, and that its client application may use vso.pats and vso.pats_manage"
	case e.Code == "InvalidAccessException":
		e.Hint = "Azure DevOps lets only users manage PATs: the account must be a user and not a service principal"
	case resp.StatusCode == http.StatusForbidden && strings.Contains(string(b), "VS403463"):
		e.Code = "VS403463"
		e.Hint = "a Conditional Access policy refuses the account from here"
	case resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(b), "TF24668"):
		e.Code = "TF24668"
		e.Hint = "the organisation is stopped: sign in to it once, or ask its owner"
	}
	return e
}

func orgURL(host, organization, path string, query url.Values) string {
	return host + "/" + url.PathEscape(organization) + path + "?" + query.Encode()
}
