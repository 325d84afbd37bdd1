// Package oidc verifies ID tokens against their issuers' published keys, asks CI systems for the token of the job that
// Rekey runs in, and signs a person in for one ID token.
//
// It signs Rekey itself in nowhere; package entra does. It knows no policy: what a claim is good for is others' business.
// What always holds: only RS256 and ES256 count, and only with a key of the issuer's own set, which is read over https
// from the issuer's own host; keys and documents are bounded; a token's issuer, audience and times are compared and never
// taken from the token alone; no token becomes part of an error.
package oidc

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// Client verifies tokens. It is safe for use by many at once.
type Client struct {
	http *azhttp.Client
	now  func() time.Time

	mu      sync.Mutex
	issuers map[string]*issuer // by the address of their metadata
}

// NewClient makes a client. now is the wall clock, which issuers' dates are held against; nil is time.Now.
func NewClient(client *azhttp.Client, now func() time.Time) *Client {
	if now == nil {
		now = time.Now
	}
	return &Client{http: client, now: now, issuers: map[string]*issuer{}}
}

// issuer is what an issuer publishes of itself.
type issuer struct {
	name string // what its tokens say under iss
	jwks string
	keys keySet
	read time.Time // when the keys were read
	// authorize and token are where people sign in, "" where none can.
	authorize, token string
}

// keysFor is how long keys are believed without being read again, and againAfter how soon they may be for a key that is
// not among them: issuers change keys, and anybody can name one that does not exist.
const (
	keysFor    = time.Hour
	againAfter = time.Minute
)

// wellKnown is where an issuer's metadata lies below its address.
const wellKnown = "/.well-known/openid-configuration"

// discover reads what the issuer at an address publishes, once an hour. It is held by c.mu.
func (c *Client) discover(ctx context.Context, at string) (*issuer, error) {
	op := "read the keys of " + at
	if i := c.issuers[at]; i != nil && c.now().Sub(i.read) < keysFor {
		return i, nil
	}
	var doc struct {
		Issuer    string `json:"issuer"`
		JWKS      string `json:"jwks_uri"`
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
	}
	if err := c.get(ctx, op, at+wellKnown, &doc); err != nil {
		return nil, err
	}
	i := &issuer{name: doc.Issuer, jwks: doc.JWKS, authorize: doc.Authorize, token: doc.Token}
	host := hostOf(at)
	for _, address := range []string{i.name, i.jwks} {
		if host == "" || hostOf(address) != host {
			return nil, unfit(op, "it names an address of another host, or one that is not https")
		}
	}
	for _, address := range []string{i.authorize, i.token} {
		if address != "" && hostOf(address) != host {
			return nil, unfit(op, "it names an address of another host, or one that is not https")
		}
	}
	if err := c.readKeys(ctx, op, i); err != nil {
		return nil, err
	}
	c.issuers[at] = i
	return i, nil
}

func (c *Client) readKeys(ctx context.Context, op string, i *issuer) error {
	var set jwks
	if err := c.get(ctx, op, i.jwks, &set); err != nil {
		return err
	}
	keys := set.keys()
	if len(keys) == 0 {
		return unfit(op, "it publishes no key that signs with RS256 or ES256")
	}
	i.keys, i.read = keys, c.now()
	return nil
}

// get reads one JSON document, which nobody has to sign in for.
func (c *Client) get(ctx context.Context, op, address string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return unfit(op, "it is no address")
	}
	req.Header.Set("Accept", "application/json")
	return c.send(req, op, out)
}

func (c *Client) send(req *http.Request, op string, out any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return azhttp.Failure(op, false, nil, err)
	}
	if resp.StatusCode != http.StatusOK || azhttp.SignInPage(resp) {
		resp.Body.Close()
		return azhttp.Failure(op, false, resp, nil)
	}
	if err := azhttp.Decode(resp, out); err != nil {
		return driver.Errorf(driver.Unavailable, op, "", "%s", err)
	}
	return nil
}

// hostOf is the host of an https address, "" for every other address.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Hostname() == "" {
		return ""
	}
	return strings.ToLower(u.Host)
}

// unfit is an answer that came, and cannot be worked with.
func unfit(op, detail string) *driver.Error {
	return &driver.Error{Kind: driver.Unavailable, Op: op, Detail: detail, Hint: "check that no proxy answers in its place"}
}
