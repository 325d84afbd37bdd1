package devops

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// userHost has what belongs to a user and to no organisation.
const userHost = "https://app.vssps.visualstudio.com"

// Listed is a living PAT of an account, for a person to choose from: never its value.
type Listed struct {
	ID, Name string
	Scopes   []string // sorted
	From, To time.Time
	// Stamped says that Rekey issued it, for this manifest or another one.
	Stamped bool
}

// Organizations are those that the account is a member of (facts/azure-devops-entra.md 5.5). The answer is empty for
// anybody but a user.
func Organizations(ctx context.Context, opts policy.ClientOptions, account Account) ([]string, error) {
	op := "list the organisations of account " + account.Name()
	c := newClient(opts, account)
	var me struct {
		ID string `json:"id"`
	}
	resp, err := c.call(ctx, op, http.MethodGet, userHost+"/_apis/profile/profiles/me?api-version=7.1", nil, &me)
	if err == nil && me.ID == "" {
		err = &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer names nobody", Date: azhttp.Date(resp)}
	}
	if err != nil {
		return nil, browsing(err, "the account's client application may need the delegated permission vso.profile of Azure DevOps")
	}
	var body struct {
		Value []struct {
			Name string `json:"accountName"`
		} `json:"value"`
	}
	q := url.Values{"memberId": {me.ID}, "api-version": {"7.1"}}
	if _, err := c.call(ctx, op, http.MethodGet, userHost+"/_apis/accounts?"+q.Encode(), nil, &body); err != nil {
		return nil, browsing(err, "the account's client application may need the delegated permission vso.profile of Azure DevOps")
	}
	var out []string
	for _, a := range body.Value {
		if a.Name != "" {
			out = append(out, a.Name)
		}
	}
	return out, nil
}

// Browse lists the account's living PATs in an organisation. heard is told how many there are.
func Browse(ctx context.Context, opts policy.ClientOptions, account Account, organization string, heard func(int)) ([]Listed, error) {
	p := New(opts, account, Settings{Organization: organization})
	all, _, err := p.list(ctx, "active")
	if err != nil {
		return nil, browsing(err, "the account's client application may need the delegated permission vso.pats of Azure DevOps")
	}
	heard(len(all))
	var out []Listed
	for _, t := range all {
		out = append(out, Listed{ID: t.AuthorizationID, Name: t.DisplayName, Scopes: scopeSet(t.Scope), From: t.ValidFrom.UTC(), To: t.ValidTo.UTC(), Stamped: rotation.LooksStamped(t.DisplayName)})
	}
	return out, nil
}

// browsing says what it takes to list something, where nothing better is known.
func browsing(err error, hint string) error {
	if e, ok := err.(*driver.Error); ok && e.Kind == driver.Denied && !e.Person {
		e.Hint = hint
	}
	return err
}
