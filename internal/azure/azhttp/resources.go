package azhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/driver"
)

// managers are Azure Resource Manager's hosts, by the sign-in host of the cloud.
var managers = map[string]string{
	cloud.AzurePublic.ActiveDirectoryAuthorityHost:     "https://management.azure.com",
	cloud.AzureGovernment.ActiveDirectoryAuthorityHost: "https://management.usgovcloudapi.net",
	cloud.AzureChina.ActiveDirectoryAuthorityHost:      "https://management.chinacloudapi.cn",
}

// permissionsVersion is the api-version of Microsoft.Authorization/permissions.
const permissionsVersion = "2022-04-01"

// directories are Microsoft Graph's hosts, by the sign-in host of the cloud.
var directories = map[string]string{
	cloud.AzurePublic.ActiveDirectoryAuthorityHost:     "https://graph.microsoft.com",
	cloud.AzureGovernment.ActiveDirectoryAuthorityHost: "https://graph.microsoft.us",
	cloud.AzureChina.ActiveDirectoryAuthorityHost:      "https://microsoftgraph.chinacloudapi.cn",
}

// Resources is Azure Resource Manager as one identity: what resource providers behind it share. Microsoft Graph's part of
// Privileged Identity Management is asked in the same way.
type Resources struct {
	host  string
	below string // what every path begins with: a token goes nowhere else
	pl    runtime.Pipeline
}

// NewResources makes a client whose calls cred signs in, with options that Client.Renewing made. Nothing is sent.
func NewResources(signedIn policy.ClientOptions, cred azcore.TokenCredential) *Resources {
	return newResources(managers[signedIn.Cloud.ActiveDirectoryAuthorityHost], "/subscriptions/", signedIn, cred)
}

// NewDirectory makes a client of Microsoft Graph, whose paths begin with /v1.0/.
func NewDirectory(signedIn policy.ClientOptions, cred azcore.TokenCredential) *Resources {
	return newResources(directories[signedIn.Cloud.ActiveDirectoryAuthorityHost], "/v1.0/", signedIn, cred)
}

func newResources(host, below string, signedIn policy.ClientOptions, cred azcore.TokenCredential) *Resources {
	bearer := runtime.NewBearerTokenPolicy(cred, []string{host + "/.default"}, nil)
	return &Resources{host: host, below: below, pl: runtime.NewPipeline("rekey", "1", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, &signedIn)}
}

// Audience is the scope of a token for it.
func (c *Resources) Audience() string { return c.host + "/.default" }

// ResourceCall is one call.
type ResourceCall struct {
	Op     string
	Method string
	// Path begins with the id of a resource, and Version is the api-version, which Graph has none of.
	Path, Version string
	Query         url.Values // besides the api-version
	Body          []byte
	Write         bool // it changes something
	// Hint is what a person can do about a refusal, and about what is not there.
	Hint string
	// Words are those of a refusal's text that may be shown: everything else of it can quote what was sent.
	Words []string
}

// Call sends a request and decodes its answer into out: JSON, or the text itself where out is a *string; nil for an
// answer that nobody reads.
func (c *Resources) Call(ctx context.Context, r ResourceCall, out any) (time.Time, error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return time.Time{}, Failure(r.Op, r.Write, resp, err)
	}
	date := Date(resp)
	unreadable := func(detail string) (time.Time, error) {
		e := &driver.Error{Kind: driver.Unavailable, Op: r.Op, Detail: detail, Date: date}
		if r.Write {
			e.Kind = driver.Ambiguous
		}
		return date, e
	}
	switch {
	case SignInPage(resp):
		// No page of Resource Manager's: something answers in its place.
		resp.Body.Close()
		return unreadable("a page for people came in place of an answer: check that no proxy answers for Azure")
	case resp.StatusCode >= 300:
		return date, resourceRefusal(r, resp)
	}
	switch v := out.(type) {
	case nil:
		resp.Body.Close()
		return date, nil
	case *string:
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return unreadable("the answer broke off")
		}
		*v = string(b)
		return date, nil
	}
	if err := Decode(resp, out); err != nil {
		return unreadable(err.Error())
	}
	return date, nil
}

func (c *Resources) send(ctx context.Context, r ResourceCall) (*http.Response, error) {
	at, err := c.address(r.Path)
	if err != nil {
		return nil, err
	}
	q := url.Values{}
	if r.Version != "" {
		q.Set("api-version", r.Version)
	}
	for name, values := range r.Query {
		q[name] = values
	}
	req, err := runtime.NewRequest(ctx, r.Method, at+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	if r.Body != nil {
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader(r.Body)), "application/json"); err != nil {
			return nil, err
		}
	}
	req.Raw().Header.Set("Accept", "application/json, text/plain")
	return c.pl.Do(req)
}

// Next is the path and the query of a list's next page, if its address is Resource Manager's own.
func (c *Resources) Next(link string) (path string, query url.Values, ok bool) {
	rest, own := strings.CutPrefix(link, c.host+"/")
	path, raw, _ := strings.Cut("/"+rest, "?")
	query, err := url.ParseQuery(raw)
	plain, perr := url.PathUnescape(path)
	return plain, query, own && err == nil && perr == nil
}

// address escapes each part of a path, which must begin as this client's do: a token goes nowhere else. The list of
// subscriptions alone is what lies above.
func (c *Resources) address(path string) (string, error) {
	if path+"/" != c.below && !strings.HasPrefix(strings.ToLower(path), c.below) {
		return "", &driver.Error{Kind: driver.Rejected, Op: "call " + c.host, Detail: "the path is not below " + c.below}
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if parts[i] = url.PathEscape(p); p == "." || p == ".." {
			return "", &driver.Error{Kind: driver.Rejected, Op: "call " + c.host, Detail: "the path is not plain"}
		}
	}
	return c.host + strings.Join(parts, "/"), nil
}

// resourceRefusal reads a refusal for its code, never for its message: wrapped in "error", as Resource Manager itself
// does it, or flat, as some providers do.
func resourceRefusal(r ResourceCall, resp *http.Response) error {
	err := Failure(r.Op, r.Write, resp, nil)
	e, ok := err.(*driver.Error)
	if !ok {
		return err
	}
	var body struct {
		Code  string `json:"code"`
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if json.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), &body) == nil {
		said := slices.DeleteFunc(slices.Clone(r.Words), func(w string) bool { return !strings.Contains(body.Error.Message, w) })
		e.Detail = strings.Join(said, ", ")
		for _, code := range []string{body.Code, body.Error.Code} {
			if Code(code) != "" {
				e.Code = code
			}
		}
	}
	switch e.Kind {
	case driver.Denied, driver.Missing:
		e.Hint, e.Person = r.Hint, resp.StatusCode != http.StatusUnauthorized
	}
	return e
}

// May says whether the caller may do all of some actions at a scope, by the roles that it has: what is asked for before
// anything is changed. A deny assignment is not seen by it.
func (c *Resources) May(ctx context.Context, op, scope, hint string, actions ...string) error {
	path := scope + "/providers/Microsoft.Authorization/permissions"
	var page struct {
		Value    []permission `json:"value"`
		NextLink string       `json:"nextLink"`
	}
	if _, err := c.Call(ctx, ResourceCall{Op: op, Method: http.MethodGet, Path: path, Version: permissionsVersion, Hint: hint}, &page); err != nil {
		return err
	}
	roles := page.Value
	for _, a := range actions {
		if slices.ContainsFunc(roles, func(p permission) bool { return p.allows(a) }) {
			continue
		}
		if page.NextLink != "" {
			return nil // more roles than one answer holds: the service itself will say
		}
		return &driver.Error{Kind: driver.Denied, Op: op, Code: "AuthorizationFailed", Detail: "Rekey's identity lacks " + a + " there", Hint: hint, Person: true}
	}
	return nil
}

// Roles says whether the caller has any role at a scope by now. Resource Manager knows of a new one at once; what honours
// it may take minutes.
func (c *Resources) Roles(ctx context.Context, op, scope string) error {
	var page struct {
		Value []permission `json:"value"`
	}
	call := ResourceCall{Op: op, Method: http.MethodGet, Path: scope + "/providers/Microsoft.Authorization/permissions", Version: permissionsVersion}
	if _, err := c.Call(ctx, call, &page); err != nil {
		return err
	}
	if len(page.Value) == 0 {
		return &driver.Error{Kind: driver.Denied, Op: op, Code: "AuthorizationFailed", Detail: "there is none"}
	}
	return nil
}

// permission is what one role allows.
type permission struct {
	Actions    []string `json:"actions"`
	NotActions []string `json:"notActions"`
}

func (p permission) allows(action string) bool {
	fits := func(pattern string) bool { return wild(strings.ToLower(pattern), strings.ToLower(action)) }
	return slices.ContainsFunc(p.Actions, fits) && !slices.ContainsFunc(p.NotActions, fits)
}

// Allows says whether a role with these actions, and without those, allows an action.
func Allows(actions, notActions []string, action string) bool {
	return permission{actions, notActions}.allows(action)
}

// wild is Azure's wildcard: "*" stands for any run of characters, slashes included. It goes back to the last star alone,
// so that no pattern costs more than its length times the action's.
func wild(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
