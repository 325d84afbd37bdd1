package entra

import (
	"context"
	"strings"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// LoginByDeviceCode signs a person in on another device and seals the result. show gets Microsoft's instruction: the
// address and the code to type.
func (a *Account) LoginByDeviceCode(ctx context.Context, scope string, show func(message string)) error {
	return a.login(ctx, func() (public.AuthResult, error) {
		dc, err := a.msal.AcquireTokenByDeviceCode(ctx, []string{scope})
		if err != nil {
			return public.AuthResult{}, err
		}
		show(dc.Result.Message)
		return dc.AuthenticationResult(ctx)
	})
}

// LoginByBrowser signs a person in with a browser on this machine (authorization code with PKCE, answered on
// loopback) and seals the result. open gets the address to open.
func (a *Account) LoginByBrowser(ctx context.Context, scope string, open func(url string) error) error {
	return a.login(ctx, func() (public.AuthResult, error) {
		opts := []public.AcquireInteractiveOption{public.WithOpenURL(open), public.WithRedirectURI("http://localhost")}
		if a.cfg.Username != "" {
			opts = append(opts, public.WithLoginHint(a.cfg.Username))
		}
		return a.msal.AcquireTokenInteractive(ctx, []string{scope}, opts...)
	})
}

func (a *Account) login(ctx context.Context, signIn func() (public.AuthResult, error)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	op := "sign in account " + a.cfg.Name
	if a.cfg.Cache == nil {
		return &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the account has no tokenCache in the manifest",
			Hint: "replace the account's password by tokenCache: {vault: ..., secret: ...}"}
	}
	if err := a.open(); err != nil {
		return err
	}
	// Read first: a sign-in that cannot be sealed is of no use, and a person's time is dear.
	if err := a.seal.load(ctx); err != nil {
		return err
	}
	if a.seal.version != "" {
		if err := a.cfg.Cache.Store.Prove(ctx, a.cfg.Cache.Name, a.seal.version); err != nil {
			return err
		}
	}
	// A sign-in replaces what was sealed: an old, broken cache must not come back.
	a.seal.plain, a.seal.held = nil, true
	defer func() { a.seal.held = false }()
	var res public.AuthResult
	var err error
	if broken := azhttp.Survive(op, func() { res, err = signIn() }); broken != nil {
		a.msal = nil // it may hold its locks for ever
		return broken
	}
	if err != nil {
		return a.failure(op, err)
	}
	if a.cfg.Username != "" && !strings.EqualFold(res.Account.PreferredUsername, a.cfg.Username) {
		return &driver.Error{Kind: driver.Rejected, Op: op, Detail: "another user signed in than the manifest names",
			Hint: "sign in as " + a.cfg.Username + ", in a private window if the browser remembers somebody else"}
	}
	return a.seal.store(ctx, a.seal.pending)
}
