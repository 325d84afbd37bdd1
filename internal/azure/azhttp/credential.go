package azhttp

import (
	"context"
	"errors"
	"regexp"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/driver"
)

// renewClaims makes azidentity and MSAL pass over every cached token: it is what a resource asks for that wants a
// newer one.
const renewClaims = `{"access_token":{"nbf":{"essential":true}}}`

// Credential signs Rekey itself in, and can be told that a token was refused although its date has not come.
type Credential struct {
	what  string
	inner azcore.TokenCredential
	stale atomic.Bool
	// broken is why inner is asked no more: a library that did not survive an answer may hold its locks for ever.
	broken atomic.Pointer[driver.Error]
	who    atomic.Pointer[Identity] // nil until a token named somebody
}

// NewCredential wraps one of azidentity's credentials; what names it as the manifest does ("managedIdentity").
func NewCredential(what string, inner azcore.TokenCredential) *Credential {
	return &Credential{what: what, inner: inner}
}

// Invalidate makes the next token a new one.
func (c *Credential) Invalidate() { c.stale.Store(true) }

// GetToken implements azcore.TokenCredential.
func (c *Credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if c.stale.Swap(false) && o.Claims == "" {
		o.Claims = renewClaims
	}
	op := "sign Rekey in with identity " + c.what
	if broken := c.broken.Load(); broken != nil {
		return azcore.AccessToken{}, broken
	}
	var t azcore.AccessToken
	var err error
	if broken := Survive(op, func() { t, err = c.inner.GetToken(ctx, o) }); broken != nil {
		c.broken.Store(broken)
		return azcore.AccessToken{}, broken
	}
	if err == nil {
		if c.who.Load() == nil {
			if i, ok := named(c.what, t.Token); ok {
				c.who.Store(&i)
			}
		}
		return t, nil
	}
	var ours *driver.Error
	if errors.As(err, &ours) {
		return azcore.AccessToken{}, ours
	}
	// The inner error's text holds the service's whole answer.
	e := &driver.Error{Kind: driver.Denied, Op: op, Detail: "no token could be had",
		Hint: "check the manifest's identity, and that this machine is where it works"}
	if ctx.Err() != nil {
		e.Kind, e.Detail, e.Hint = driver.Unavailable, "interrupted, or no answer in time", ""
	}
	if m := aadsts.FindString(err.Error()); m != "" {
		e.Code = m
		e.Hint = "look the code up at https://login.microsoftonline.com/error?code=" + m[len("AADSTS"):]
	}
	return azcore.AccessToken{}, e
}

// Survive calls f, which has a library read a service's answer, and turns the library's panic into an error. Some do
// not expect null where an object is due; the text of their panic is not ours to show.
func Survive(op string, f func()) (broken *driver.Error) {
	defer func() {
		if recover() != nil {
			broken = &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer makes no sense, and broke the library that reads it",
				Hint: "check that no proxy answers in the service's place"}
		}
	}()
	f()
	return nil
}

var aadsts = regexp.MustCompile(`AADSTS\d{1,9}`)

// Renewing are Options whose calls sign in once more after a 401.
func (c *Client) Renewing(o policy.ClientOptions, cred *Credential) policy.ClientOptions {
	o.PerCallPolicies = []policy.Policy{&retry{cred: cred}}
	return o
}
