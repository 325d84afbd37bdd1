package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// hosts are Microsoft Graph's, by the sign-in host of the cloud.
var hosts = map[string]string{
	cloud.AzurePublic.ActiveDirectoryAuthorityHost:     "https://graph.microsoft.com",
	cloud.AzureGovernment.ActiveDirectoryAuthorityHost: "https://graph.microsoft.us",
	cloud.AzureChina.ActiveDirectoryAuthorityHost:      "https://microsoftgraph.chinacloudapi.cn",
}

// Client sends to Microsoft Graph as Rekey itself. One serves all credentials of a process, because writes to one
// application have to take turns.
type Client struct {
	host string
	pl   runtime.Pipeline // signed in
	bare runtime.Pipeline // for the identity platform, which a probe signs in at as somebody else

	mu    sync.Mutex
	turns map[string]chan struct{} // by the application's object or app id, in lower case
	appID map[string]string        // by the object id, in lower case
}

// NewClient makes a client. Nothing is sent. signedIn are the options of calls that cred signs in.
func NewClient(opts, signedIn policy.ClientOptions, cred azcore.TokenCredential) *Client {
	host := hosts[opts.Cloud.ActiveDirectoryAuthorityHost]
	bearer := runtime.NewBearerTokenPolicy(cred, []string{host + "/.default"}, nil)
	return &Client{
		host: host,
		pl:   runtime.NewPipeline("rekey", "1", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, &signedIn),
		bare: runtime.NewPipeline("rekey", "1", runtime.PipelineOptions{}, &opts), turns: map[string]chan struct{}{}, appID: map[string]string{},
	}
}

// key names one application in an address, and in what the client knows.
type key struct{ objectID, appID string }

func (k key) path() string {
	if k.objectID != "" {
		return "/v1.0/applications/" + url.PathEscape(k.objectID)
	}
	return "/v1.0/applications(appId='" + url.PathEscape(k.appID) + "')"
}

func (k key) String() string { return strings.ToLower(k.objectID + k.appID) }

// same notes that two ids are one application's, so that its writes take turns however a manifest names it.
func (c *Client) same(objectID, appID string) {
	objectID, appID = strings.ToLower(objectID), strings.ToLower(appID)
	if objectID == "" || appID == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appID[objectID] = appID
	turn := c.turn(objectID)
	if c.turns[appID] == nil {
		c.turns[appID] = turn
	}
}

// known is the app id of an object id, "" if no answer has named it yet.
func (c *Client) known(objectID string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.appID[strings.ToLower(objectID)]
}

// objectOf is the object id of an app id, "" if no answer has named it yet.
func (c *Client) objectOf(appID string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for objectID, id := range c.appID {
		if strings.EqualFold(id, appID) {
			return objectID
		}
	}
	return ""
}

// turn is held by who writes to an application. The caller has the lock.
func (c *Client) turn(id string) chan struct{} {
	if c.turns[id] == nil {
		c.turns[id] = make(chan struct{}, 1)
	}
	return c.turns[id]
}

// writes bounds how often a write is sent that was answered with Directory_ConcurrencyViolation: some 20 s in all.
const writes = 6

// write changes an application, when nobody else in this process does. A clash with somebody elsewhere was not applied
// and is safe to repeat (facts/keyvault-graph-arm.md 3.2).
func (c *Client) write(ctx context.Context, op string, app key, action string, in, out any) (*http.Response, error) {
	done, err := c.takeTurn(ctx, op, app)
	if err != nil {
		return nil, err
	}
	defer done()
	for try := 1; ; try++ {
		resp, err := c.call(ctx, op, http.MethodPost, app.path()+"/"+action, in, out)
		if codeOf(err) != clash || try == writes || pause(ctx, try) != nil {
			return resp, err
		}
	}
}

// takeTurn waits until nobody else in this process writes to an application; done gives the turn back.
func (c *Client) takeTurn(ctx context.Context, op string, app key) (done func(), err error) {
	c.mu.Lock()
	turn := c.turn(app.String())
	c.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "interrupted, or no turn in time"}
	}
}

// pause waits 1, 2, 4, 8, 16 s with jitter.
func pause(ctx context.Context, try int) error {
	return sleep(ctx, azhttp.Backoff(try))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call sends one request as Rekey and decodes its answer into out, nil for none. The response is returned for its
// headers, whatever happened.
func (c *Client) call(ctx context.Context, op, method, path string, in, out any) (*http.Response, error) {
	write := method != http.MethodGet
	req, err := runtime.NewRequest(ctx, method, c.host+path)
	if err != nil {
		return nil, &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the application's id makes no address"}
	}
	req.Raw().Header.Set("Accept", "application/json")
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, &driver.Error{Kind: driver.Rejected, Op: op, Detail: "what is to be sent cannot be encoded"}
		}
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader(b)), "application/json"); err != nil {
			return nil, azhttp.Failure(op, false, nil, err)
		}
	}
	resp, err := c.pl.Do(req)
	if err != nil {
		return resp, azhttp.Failure(op, write, resp, err)
	}
	lost := driver.Unavailable
	if write {
		lost = driver.Ambiguous
	}
	switch {
	case azhttp.SignInPage(resp):
		resp.Body.Close()
		return resp, &driver.Error{Kind: lost, Op: op, Code: "sign-in page", Date: azhttp.Date(resp), Detail: "the answer is a page for people, and not Microsoft Graph's",
			Hint: "check that no proxy answers in Microsoft Graph's place"}
	case resp.StatusCode >= 300:
		return resp, refusal(op, write, resp)
	case out == nil && resp.StatusCode != http.StatusNoContent:
		// What answers nothing answers 204 (facts/keyvault-graph-arm.md 3.1). Anything else was said by somebody on the way,
		// and Microsoft Graph may have refused.
		resp.Body.Close()
		return resp, &driver.Error{Kind: lost, Op: op, Date: azhttp.Date(resp), Detail: fmt.Sprintf("the answer is a %d, and Microsoft Graph answers 204", resp.StatusCode),
			Hint: "check that no proxy answers in Microsoft Graph's place"}
	case out == nil:
		resp.Body.Close()
	default:
		if err := azhttp.Decode(resp, out); err != nil {
			return resp, &driver.Error{Kind: lost, Op: op, Detail: err.Error(), Date: azhttp.Date(resp)}
		}
	}
	return resp, nil
}

const (
	clash   = "Directory_ConcurrencyViolation"
	unfound = "NoCredential"     // ours: the service's own code says nothing
	two     = "TwoSecretsAtMost" // ours too
	already = "OwnerAlready"     // and this
	// badProof is what a proof gets that no certificate of the application has signed: it is read like a token.
	badProof = "Authentication_MissingOrMalformed"
)

// refusal reads Microsoft Graph's error for its code. Its message is compared with what is known, and never kept.
func refusal(op string, write bool, resp *http.Response) error {
	err := azhttp.Failure(op, write, resp, nil)
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if json.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), &body) == nil && azhttp.Code(body.Error.Code) != "" {
		e.Code = body.Error.Code
	}
	if resp.StatusCode == http.StatusBadRequest {
		switch text := strings.ToLower(body.Error.Message); {
		case strings.Contains(text, "no password credential found with keyid"), strings.Contains(text, "no key credential found with keyid"):
			e.Kind, e.Code = driver.Missing, unfound
		case strings.Contains(text, "you can only add a maximum of 2 encrypted credentials"):
			e.Code = two
		case strings.Contains(text, "one or more added object references already exist"):
			e.Code = already
		}
	}
	known, ok := refusals[e.Code]
	if !ok || resp.StatusCode < 400 || resp.StatusCode > 499 {
		return e
	}
	if e.Hint, e.Person = known.hint, known.person; known.person {
		e.Kind = driver.Rejected
	}
	return e
}

// refusals are the codes of facts/keyvault-graph-arm.md 3.1 and 3.5 that somebody can do something about.
var refusals = map[string]struct {
	hint   string
	person bool // waiting does not help
}{
	"Authorization_RequestDenied": {"give Rekey's identity the application permission Application.ReadWrite.OwnedBy of Microsoft Graph, with an administrator's consent, and make its service principal an owner of the app registration; " +
		"with Application.ReadWrite.All it need not be an owner, and could change every application", false},
	"Request_ResourceNotFound":                {"check the application's id and the tenant in the manifest: it is the app registration's and not its service principal's. One that was just made is not known everywhere for some seconds", false},
	"CredentialInvalidLifetimeAsPerAppPolicy": {"the tenant's policy limits how long a client secret may live: shorten the lifetime in the manifest", true},
	"CredentialTypeNotAllowedAsPerAppPolicy":  {"the tenant's policy forbids new client secrets for this application: have an administrator exempt it, or have it sign in with a certificate or a federated credential", true},
	"Directory_ResourceSizeExceeded":          {"the application has no room for another credential: remove those that nobody needs", true},
	"Directory_QuotaExceeded":                 {"the directory has no room left: ask its administrator", true},
	two:                                       {"an application for personal Microsoft accounts has two client secrets at most, and Rekey needs one of the two for the new one: remove the one that nobody needs, or restrict the application to accounts of an organisation", true},
}

func codeOf(err error) string {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
