package oidc

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Issuers of jobs' tokens.
const (
	GitHub = "https://token.actions.githubusercontent.com"
	// Pipelines is followed by the id of an organisation.
	Pipelines = "https://vstoken.dev.azure.com/"
	// PipelinesAudience is what a job of Azure Pipelines gets its token for: it cannot choose.
	PipelinesAudience = "api://AzureADTokenExchange"
)

// InGitHub and InPipelines say whether this process is in a job that may ask for its token. That is all that the
// environment is believed: everything else is in the token.
func InGitHub(getenv func(string) string) bool {
	return getenv("ACTIONS_ID_TOKEN_REQUEST_URL") != "" && getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN") != ""
}

func InPipelines(getenv func(string) string) bool {
	return getenv("SYSTEM_OIDCREQUESTURI") != "" && getenv("SYSTEM_ACCESSTOKEN") != ""
}

// GitHubToken asks GitHub for the job's token, for an audience (facts/azure-devops-entra.md 8.8).
func (c *Client) GitHubToken(ctx context.Context, getenv func(string) string, audience string) (string, error) {
	const op = "get the job's token from GitHub"
	address, err := with(getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), "audience", audience)
	if err != nil {
		return "", refused(op, "ACTIONS_ID_TOKEN_REQUEST_URL is not an https address", "")
	}
	var body struct {
		Value secret.Value `json:"value"`
	}
	return c.jobToken(ctx, op, http.MethodGet, address, getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), &body, &body.Value)
}

// PipelinesToken asks Azure Pipelines for the job's own token, which is for no service connection (facts 8.9).
func (c *Client) PipelinesToken(ctx context.Context, getenv func(string) string) (string, error) {
	const op = "get the job's token from Azure Pipelines"
	address, err := with(getenv("SYSTEM_OIDCREQUESTURI"), "api-version", "7.1")
	if err != nil {
		return "", refused(op, "SYSTEM_OIDCREQUESTURI is not an https address", "")
	}
	var body struct {
		Token secret.Value `json:"oidcToken"`
	}
	return c.jobToken(ctx, op, http.MethodPost, address, getenv("SYSTEM_ACCESSTOKEN"), &body, &body.Token)
}

func (c *Client) jobToken(ctx context.Context, op, method, address, bearer string, body any, value *secret.Value) (string, error) {
	var content *strings.Reader
	if method == http.MethodPost {
		content = strings.NewReader("{}")
	} else {
		content = strings.NewReader("")
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return "", refused(op, "the job names no address to ask", "")
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-TFS-FedAuthRedirect", "Suppress") // a refusal, and no way to a page where people sign in
	}
	if err := c.send(req, op, body); err != nil {
		return "", err
	}
	if value.Empty() {
		return "", refused(op, "the answer holds no token", "")
	}
	var out string
	_ = value.Use(func(b []byte) error { out = string(b); return nil })
	return out, nil
}

// with adds a parameter to an https address that may have some.
func with(address, name, value string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || hostOf(address) == "" {
		return "", errNoAddress
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

var errNoAddress = &driver.Error{Kind: driver.Rejected, Op: "read an address", Detail: "it is not https"}

func refused(op, detail, hint string) *driver.Error {
	return &driver.Error{Kind: driver.Denied, Op: op, Detail: detail, Hint: hint}
}
