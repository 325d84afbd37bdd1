// Package entra signs people's service accounts and Rekey itself in at Microsoft Entra ID.
//
// It is not for managing applications or users. What always holds: what was redeemed is sealed in the vault again
// before anything uses it, so that a crash never loses the only refresh token; a sign-in that needs a person says what
// that person must do; no vendor's text becomes part of an error, only its AADSTS number.
package entra

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

// SecretRef names a secret that an account is signed in with.
type SecretRef struct {
	Store driver.Store
	Name  string
}

// AccountConfig says how the token of a user is had: from MSAL's cache, sealed in a vault by a person's sign-in once,
// or, as a last resort, by the user's password.
type AccountConfig struct {
	Name      string // in the manifest
	Authority string // https://login.microsoftonline.com/<tenant>
	ClientID  string // a public client application
	Username  string
	Cache     *SecretRef
	Password  *SecretRef
}

// Account is a user that Rekey acts for. It is safe for concurrent use; sign-ins happen one at a time.
type Account struct {
	cfg    AccountConfig
	client *azhttp.Client

	mu    sync.Mutex
	msal  *public.Client
	seal  *seal
	token string
	until time.Time
	scope string
}

// NewAccount makes an account; nothing is sent until a token is asked for.
func NewAccount(cfg AccountConfig, client *azhttp.Client) *Account {
	return &Account{cfg: cfg, client: client}
}

// Name is the account's name in the manifest.
func (a *Account) Name() string { return a.cfg.Name }

// Username is the user's principal name, if the manifest gives it.
func (a *Account) Username() string { return a.cfg.Username }

// Quiet says whether a token can be had without redeeming a refresh token.
func (a *Account) Quiet() bool { return a.cfg.Cache == nil }

// Seal is where the token cache lies, nil for an account that signs in with a password.
func (a *Account) Seal() *SecretRef { return a.cfg.Cache }

// Token returns an access token for a scope. renew passes over a cached one, after the service refused it.
func (a *Account) Token(ctx context.Context, scope string, renew bool) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !renew && a.scope == scope && time.Now().Before(a.until) {
		return a.token, nil
	}
	op := "sign in account " + a.cfg.Name
	if err := a.open(); err != nil {
		return "", err
	}
	var (
		res public.AuthResult
		err error
	)
	broken := azhttp.Survive(op, func() {
		if a.cfg.Password != nil {
			res, err = a.byPassword(ctx, scope)
		} else {
			res, err = a.silently(ctx, scope, renew)
		}
	})
	if broken != nil {
		a.msal = nil // it may hold its locks for ever
		return "", broken
	}
	if err != nil {
		return "", a.failure(op, err)
	}
	// Two minutes early, so that a token does not end between here and the service.
	a.token, a.until, a.scope = res.AccessToken, res.ExpiresOn.Add(-2*time.Minute), scope
	return a.token, nil
}

// open makes MSAL's client, which asks for the authority's metadata when it is first used.
func (a *Account) open() error {
	if a.msal != nil {
		return nil
	}
	opts := []public.Option{public.WithAuthority(a.cfg.Authority), public.WithHTTPClient(a.client)}
	if a.cfg.Cache != nil {
		a.seal = &seal{ref: *a.cfg.Cache}
		opts = append(opts, public.WithCache(a.seal))
	}
	c, err := public.New(a.cfg.ClientID, opts...)
	if err != nil {
		return driver.Errorf(driver.Rejected, "set up account "+a.cfg.Name, "", "the client id or the tenant is not valid")
	}
	a.msal = &c
	return nil
}

func (a *Account) byPassword(ctx context.Context, scope string) (public.AuthResult, error) {
	r, err := a.cfg.Password.Store.Read(ctx, a.cfg.Password.Name)
	if err != nil {
		return public.AuthResult{}, err
	}
	if r.Value.Empty() {
		return public.AuthResult{}, &driver.Error{Kind: driver.Missing, Op: "read the password of account " + a.cfg.Name,
			Person: true, Hint: fmt.Sprintf("put the account's password into secret %s of vault %s", a.cfg.Password.Name, a.cfg.Password.Store.Host())}
	}
	defer r.Value.Wipe()
	var res public.AuthResult
	err = r.Value.Use(func(b []byte) error {
		var err error
		//lint:ignore SA1019 the password grant is deprecated, and the manifest warns of it; some accounts have nothing else.
		res, err = a.msal.AcquireTokenByUsernamePassword(ctx, []string{scope}, a.cfg.Username, string(b))
		return err
	})
	return res, err
}

func (a *Account) silently(ctx context.Context, scope string, renew bool) (public.AuthResult, error) {
	for try := 0; ; try++ {
		accounts, err := a.msal.Accounts(ctx)
		if err != nil {
			return public.AuthResult{}, err
		}
		account, ok := a.choose(accounts)
		if !ok {
			return public.AuthResult{}, a.signInAgain("read the sealed token of account "+a.cfg.Name, "nobody has signed in yet")
		}
		opts := []public.AcquireSilentOption{public.WithSilentAccount(account)}
		if renew {
			opts = append(opts, public.WithClaims(`{"access_token":{"nbf":{"essential":true}}}`))
		}
		version := a.seal.version
		res, err := a.msal.AcquireTokenSilent(ctx, []string{scope}, opts...)
		if err == nil || try > 0 || driver.KindOf(err) != 0 {
			return res, err
		}
		// Another run may have redeemed the token and sealed its successor since we read it.
		if lerr := a.seal.load(ctx); lerr != nil || a.seal.version == version {
			return res, err
		}
	}
}

func (a *Account) choose(accounts []public.Account) (public.Account, bool) {
	for _, x := range accounts {
		if a.cfg.Username == "" || strings.EqualFold(x.PreferredUsername, a.cfg.Username) {
			return x, true
		}
	}
	return public.Account{}, false
}

func (a *Account) signInAgain(op, detail string) *driver.Error {
	return &driver.Error{Kind: driver.Denied, Op: op, Detail: detail, Person: true,
		Hint: "a person must sign the account in once: rekey login --account " + a.cfg.Name}
}

var aadsts = regexp.MustCompile(`AADSTS(\d{1,9})`)

// failure turns MSAL's error into ours. MSAL's text holds the whole answer, so only the AADSTS number is kept.
func (a *Account) failure(op string, err error) error {
	if driver.KindOf(err) != 0 {
		return err
	}
	m := aadsts.FindStringSubmatch(err.Error())
	if m == nil {
		return azhttp.Failure(op, false, nil, err)
	}
	code := m[1]
	e := &driver.Error{Kind: driver.Denied, Op: op, Code: "AADSTS" + code}
	again := "rekey login --account " + a.cfg.Name
	if a.cfg.Password != nil {
		again = "the manifest's password for account " + a.cfg.Name + " cannot do it; give it a tokenCache and run rekey login --account " + a.cfg.Name
	}
	for _, c := range classes {
		if strings.Contains(" "+c.codes+" ", " "+code+" ") {
			e.Detail, e.Kind, e.Person = c.detail, c.kind, c.do != ""
			e.Hint = strings.ReplaceAll(strings.ReplaceAll(c.do, "{again}", again), "{account}", a.cfg.Name)
			return e
		}
	}
	e.Detail = "Entra ID refused the sign-in"
	e.Person = true
	e.Hint = "look the code up at https://login.microsoftonline.com/error?code=" + code + ", then sign in again: " + again
	return e
}

// classes are the AADSTS codes of facts/azure-devops-entra.md 8.3 by what helps.
var classes = []struct {
	codes  string
	kind   driver.Kind
	detail string
	do     string // "": waiting helps
}{
	{"50072 50074 50076 50078 50079 50158", driver.Denied, "the account must pass multi-factor authentication", "sign the account in as a person: {again}"},
	{"50097 50105 50131 53000 53001 53002 53003 530032 530034 530035", driver.Denied, "a Conditional Access policy stands in the way", "have the policy exclude the account, or sign in from where it allows: {again}"},
	{"65001 90094", driver.Denied, "the application was not consented to", "have an administrator consent to the client application's permissions for Azure DevOps"},
	{"50126 50056", driver.Denied, "the password is wrong", "put the account's password into its secret; trying again would lock the account"},
	{"50055", driver.Denied, "the account's password has expired", "set a new password for account {account} and put it into its secret"},
	{"50034", driver.Denied, "the user does not exist in this tenant", "correct the account's username or tenant in the manifest"},
	{"50057", driver.Denied, "the account is disabled", "enable the account in Entra ID, or take its credentials out of the manifest"},
	{"50053 50144", driver.Denied, "the account is locked or its password is no longer valid", "unlock account {account} in Entra ID"},
	{"50132 50133 50173 70008 700082 700084 70043 70000 54005", driver.Denied, "the sealed sign-in is no longer valid", "sign in again: {again}"},
	{"7000218 700025", driver.Denied, "the application does not allow public client flows, or is not a public client", "enable \"Allow public client flows\" on the application that the account's clientId names"},
	{"700016 7000112 70001", driver.Denied, "the application does not exist in this tenant or is disabled", "correct the account's clientId in the manifest"},
	{"90002 90014 900144 500011 70011 650053 650057", driver.Rejected, "Entra ID does not know the tenant, resource or scope", "correct the tenant and the account in the manifest"},
	{"50196 90055", driver.Throttled, "Entra ID asks for patience", ""},
}
