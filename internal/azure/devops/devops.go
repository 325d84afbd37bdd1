// Package devops is the issuer of Azure DevOps personal access tokens: the PAT lifecycle API, and the probe of a PAT.
//
// It is not for other people's tokens, which only an administrator's API shows. What always holds
// (facts/azure-devops-entra.md 1): a PAT is for one organisation, never for all; the date that the service returned
// is the date, whatever was asked; HTTP 200 is not success until patTokenError says none; a sign-in page is never
// success; a PAT's value is in one answer and nowhere else.
package devops

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// PATs is a driver.Issuer for one PAT of an account.
type PATs struct {
	client       *client
	organization string
	scopes       []string // sorted, each once
	probe        string
}

var _ driver.Issuer = (*PATs)(nil)

// New makes an issuer. Nothing is sent.
func New(opts policy.ClientOptions, account Account, s Settings) *PATs {
	return &PATs{client: newClient(opts, account), organization: s.Organization, scopes: scopeSet(strings.Join(s.Scopes, " ")), probe: s.Probe}
}

// pat is a PatToken on the wire.
type pat struct {
	AuthorizationID string       `json:"authorizationId"`
	DisplayName     string       `json:"displayName"`
	Scope           string       `json:"scope"`
	ValidFrom       time.Time    `json:"validFrom"`
	ValidTo         time.Time    `json:"validTo"`
	TargetAccounts  []string     `json:"targetAccounts"` // ids of organisations; none: all of them
	Token           secret.Value `json:"token"`
}

// patResult is a PatTokenResult: a refusal comes with HTTP 200.
type patResult struct {
	PatToken      *pat   `json:"patToken"`
	PatTokenError string `json:"patTokenError"`
}

// ListKey implements driver.Issuer.
func (p *PATs) ListKey() string {
	return "devops/" + strings.ToLower(p.organization) + "/" + p.client.account.Name()
}

// Quiet implements driver.Issuer.
func (p *PATs) Quiet() bool { return p.client.account.Quiet() }

// Shape hashes what a PAT of these settings is: where it lives (organisation, user), and its set of scopes.
func (p *PATs) Shape() string { return p.shape(p.scopes) }

func (p *PATs) shape(scopes []string) string {
	user := p.client.account.Username()
	if user == "" {
		user = p.client.account.Name()
	}
	place := sha256.Sum256([]byte(strings.ToLower("pat\n" + p.organization + "\n" + user)))
	what := sha256.Sum256([]byte(strings.Join(scopes, " ")))
	return hex.EncodeToString(place[:2]) + hex.EncodeToString(what[:3])
}

// List implements driver.Issuer.
func (p *PATs) List(ctx context.Context) (driver.Listing, error) {
	all, date, err := p.list(ctx, "active")
	if err != nil {
		return driver.Listing{}, err
	}
	out := driver.Listing{Date: date}
	for _, t := range all {
		out.Issued = append(out.Issued, p.issued(t))
	}
	return out, nil
}

// list reads the account's PATs of one status, 100 a page. The service's continuation is an offset, so a list that
// changes under way can repeat or skip one; repeats are dropped, and what is missing is never taken for gone.
func (p *PATs) list(ctx context.Context, status string) (out []pat, date time.Time, err error) {
	op := fmt.Sprintf("list the PATs of account %s in organisation %s", p.client.account.Name(), p.organization)
	seen := map[string]bool{}
	q := url.Values{"api-version": {apiVersion}, "displayFilterOption": {status}, "sortByOption": {"displayDate"}, "isSortAscending": {"true"}, "$top": {"100"}}
	for page := 0; ; page++ {
		if page > 1000 {
			return nil, date, driver.Errorf(driver.Unavailable, op, "", "the list does not end")
		}
		var body struct {
			ContinuationToken string `json:"continuationToken"`
			PatTokens         []pat  `json:"patTokens"`
		}
		resp, err := p.client.call(ctx, op, http.MethodGet, orgURL(patsHost, p.organization, "/_apis/tokens/pats", q), nil, &body)
		if err != nil {
			return nil, date, err
		}
		for _, t := range body.PatTokens {
			t.Token.Wipe()
			if t.AuthorizationID != "" && !seen[t.AuthorizationID] {
				seen[t.AuthorizationID] = true
				out = append(out, t)
			}
		}
		date = azhttp.Date(resp)
		switch body.ContinuationToken {
		case "":
			return out, date, nil
		case q.Get("continuationToken"):
			return nil, date, driver.Errorf(driver.Unavailable, op, "", "the list does not end")
		}
		q.Set("continuationToken", body.ContinuationToken)
	}
}

func (p *PATs) issued(t pat) rotation.Issued {
	return rotation.Issued{ID: t.AuthorizationID, Name: t.DisplayName, From: t.ValidFrom.UTC(), To: t.ValidTo.UTC(), Shape: p.shape(scopeSet(t.Scope))}
}

// Issue implements driver.Issuer.
func (p *PATs) Issue(ctx context.Context, req driver.IssueRequest) (driver.Issue, error) {
	op := "create a PAT in organisation " + p.organization
	in := map[string]any{
		"displayName": req.Stamp.String(),
		"scope":       strings.Join(p.scopes, " "),
		"validTo":     req.Until.UTC().Format("2006-01-02T15:04:05.000Z"),
		"allOrgs":     false, // all-organisation PATs stop working on 2026-12-01 (facts 1.5)
	}
	var body patResult
	resp, err := p.client.call(ctx, op, http.MethodPost, p.patsURL(nil), in, &body)
	if err != nil {
		return driver.Issue{}, err
	}
	if err := business(op, body.PatTokenError, resp); err != nil {
		return driver.Issue{}, err
	}
	t := body.PatToken
	if t == nil || t.AuthorizationID == "" || t.Token.Empty() || t.ValidTo.IsZero() {
		return driver.Issue{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the answer holds no whole PAT", Date: azhttp.Date(resp)}
	}
	return driver.Issue{Issued: p.issued(*t), Value: t.Token, Date: azhttp.Date(resp)}, nil
}

// Extend implements driver.Issuer. The service keeps the value (facts 1.7) and may clamp the date to the PAT's
// original creation plus the tenant's maximum.
func (p *PATs) Extend(ctx context.Context, id string, until time.Time) (rotation.Issued, error) {
	op := "extend PAT " + id + " in organisation " + p.organization
	in := map[string]any{"authorizationId": id, "validTo": until.UTC().Format("2006-01-02T15:04:05.000Z")}
	var body patResult
	resp, err := p.client.call(ctx, op, http.MethodPut, p.patsURL(nil), in, &body)
	if err != nil {
		return rotation.Issued{}, err
	}
	if err := business(op, body.PatTokenError, resp); err != nil {
		return rotation.Issued{}, err
	}
	if body.PatToken == nil || body.PatToken.ValidTo.IsZero() {
		return rotation.Issued{}, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the answer holds no PAT"}
	}
	body.PatToken.Token.Wipe()
	return p.issued(*body.PatToken), nil
}

// Revoke implements driver.Issuer. What a second DELETE answers is not documented (facts 1.6), so every form of "not
// there" is success.
func (p *PATs) Revoke(ctx context.Context, permit rotation.Permit, now time.Time) error {
	if err := permit.Valid(now); err != nil {
		return err
	}
	op := "revoke PAT " + permit.IssuerID() + " in organisation " + p.organization
	_, err := p.client.call(ctx, op, http.MethodDelete, p.patsURL(url.Values{"authorizationId": {permit.IssuerID()}}), nil, nil)
	if e, ok := err.(*driver.Error); ok && (e.Kind == driver.Missing || e.Code == "SessionTokenNotFoundException") {
		return nil
	}
	return err
}

func (p *PATs) patsURL(q url.Values) string {
	if q == nil {
		q = url.Values{}
	}
	q.Set("api-version", apiVersion)
	return orgURL(patsHost, p.organization, "/_apis/tokens/pats", q)
}

// anonymous is whom Azure DevOps takes a caller for whose credential was not looked at (facts 5.2).
const anonymous = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"

// Check implements driver.Issuer: connectionData takes any PAT, whatever its scopes, and says whose it is; the probe
// "projects" needs vso.project or vso.profile and shows that the organisation lets it in.
func (p *PATs) Check(ctx context.Context, value secret.Value) (driver.Checked, error) {
	op := "probe a PAT in organisation " + p.organization
	addr := orgURL(apiHost, p.organization, "/_apis/connectionData", url.Values{"api-version": {"7.1-preview"}})
	if p.probe == "projects" {
		addr = orgURL(apiHost, p.organization, "/_apis/projects", url.Values{"api-version": {"7.1"}, "$top": {"1"}})
	}
	resp, err := p.sendPAT(ctx, addr, value, false)
	if err == nil && azhttp.SignInPage(resp) {
		// A credential that Azure DevOps does not know gets a page for people, and so does anybody whose proxy has
		// one: the page says nothing of the PAT. Asked not to send one, Azure DevOps says 401.
		resp.Body.Close()
		resp, err = p.sendPAT(ctx, addr, value, true)
	}
	if err != nil {
		return driver.Checked{}, azhttp.Failure(op, false, resp, err)
	}
	out := driver.Checked{Date: azhttp.Date(resp)}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		resp.Body.Close()
		out.Why = "Azure DevOps refuses it: expired, revoked, of another organisation, or without the scope for the probe"
		return out, nil
	case azhttp.SignInPage(resp):
		resp.Body.Close()
		return driver.Checked{}, &driver.Error{Kind: driver.Denied, Op: op, Code: "sign-in page", Date: out.Date, Detail: "the answer is a sign-in page, which says nothing of the PAT"}
	case resp.StatusCode != http.StatusOK:
		return driver.Checked{}, refusal(op, false, resp)
	}
	var body struct {
		AuthenticatedUser struct {
			ID         string `json:"id"`
			Properties struct {
				Account struct {
					Value string `json:"$value"`
				} `json:"Account"`
			} `json:"properties"`
		} `json:"authenticatedUser"`
		Count int `json:"count"`
	}
	if err := azhttp.Decode(resp, &body); err != nil {
		return driver.Checked{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: err.Error(), Date: out.Date}
	}
	if p.probe == "projects" {
		user, _, _ := strings.Cut(resp.Header.Get("x-vss-userdata"), ":")
		out.Works = user != anonymous
		return out, nil
	}
	out.Identity = body.AuthenticatedUser.Properties.Account.Value
	switch id := body.AuthenticatedUser.ID; {
	case id == "":
		return driver.Checked{}, &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer names nobody", Date: out.Date}
	case id == anonymous:
		out.Why = "Azure DevOps did not look at it and let the probe in as anonymous"
	default:
		out.Works = true
	}
	return out, nil
}

func (p *PATs) sendPAT(ctx context.Context, addr string, value secret.Value, suppress bool) (resp *http.Response, err error) {
	err = value.Use(func(b []byte) error {
		basic := "Basic " + base64.StdEncoding.EncodeToString(append([]byte(":"), b...))
		resp, err = p.client.send(ctx, http.MethodGet, addr, basic, nil, suppress)
		return err
	})
	return resp, err
}

// scopeSet splits a scope string into a sorted set: the service does not promise to keep its order or spacing.
func scopeSet(s string) []string {
	set := strings.Fields(s)
	slices.Sort(set)
	return slices.Compact(set)
}

// business turns a patTokenError into an error: a refusal, and so not applied.
func business(op, code string, resp *http.Response) error {
	if code == "" || code == "none" {
		return nil
	}
	if azhttp.Code(code) == "" {
		code = "patTokenError"
	}
	e := &driver.Error{Kind: driver.Rejected, Op: op, Code: code, Date: azhttp.Date(resp)}
	if hint, ok := refusals[code]; ok {
		e.Hint, e.Person = hint, true
	}
	return e
}

// refusals are the SessionTokenErrors that a person can do something about (facts 1.5).
var refusals = map[string]string{
	"invalidScope":                      "correct the scopes in the manifest: the organisation does not take one of them",
	"accessDenied":                      "give the account access to the organisation",
	"globalPatPolicyViolation":          "the tenant forbids PATs for all organisations; this should not happen, as Rekey asks for one",
	"globalPATCreationBlocked":          "the tenant forbids PATs for all organisations; this should not happen, as Rekey asks for one",
	"fullScopePatPolicyViolation":       "the tenant forbids full-scoped PATs: name the scopes that are needed in place of app_token",
	"patLifespanPolicyViolation":        "the tenant limits how long a PAT may live: shorten the lifetime in the manifest",
	"disablePatCreationPolicyViolation": "the organisation forbids the creation of PATs: put the account on the policy's allow list",
	"failedToReadTenantPolicy":          "Azure DevOps could not read the tenant's policy; if it stays so, ask an administrator",
	"failedToReadOrgPolicy":             "Azure DevOps could not read the organisation's policy; if it stays so, ask an administrator",
}
