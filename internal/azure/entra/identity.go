package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Environment reads what a sign-in needs from the machine: environment variables and files named in the manifest,
// relative to it.
type Environment struct {
	Getenv   func(string) string
	ReadFile func(path string) ([]byte, error)
}

// NewIdentity makes the credential that the manifest names for Rekey itself. Exactly that one: there is no chain, and
// nothing is probed for.
func NewIdentity(id manifest.Identity, tenant string, client *azhttp.Client, opts policy.ClientOptions, env Environment) (*azhttp.Credential, error) {
	// The tenant may be a domain in the manifest and is an id in a vault's challenge, so azidentity must not compare
	// them. Only the one tenant knows the identity.
	any := []string{"*"}
	var cred azcore.TokenCredential
	var err error
	var what string
	switch {
	case id.ManagedIdentity != nil:
		what = "managedIdentity"
		o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: opts}
		if id.ManagedIdentity.ClientID != "" {
			o.ID = azidentity.ClientID(id.ManagedIdentity.ClientID)
		} else if id.ManagedIdentity.ResourceID != "" {
			o.ID = azidentity.ResourceID(id.ManagedIdentity.ResourceID)
		}
		cred, err = azidentity.NewManagedIdentityCredential(o)
	case id.WorkloadIdentity != nil:
		what = "workloadIdentity"
		cred, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: opts, AdditionallyAllowedTenants: any,
			ClientID: id.WorkloadIdentity.ClientID, TenantID: tenant, TokenFilePath: id.WorkloadIdentity.TokenFile})
	case id.GitHubOIDC != nil:
		what = "githubOIDC"
		g := &gitHub{}
		assertion := func(ctx context.Context) (string, error) {
			token, err := gitHubToken(ctx, client, env, id.GitHubOIDC.Audience)
			g.why.Store(&err)
			return token, err
		}
		g.inner, err = azidentity.NewClientAssertionCredential(tenant, id.GitHubOIDC.ClientID, assertion,
			&azidentity.ClientAssertionCredentialOptions{ClientOptions: opts, AdditionallyAllowedTenants: any})
		cred = g
	case id.AzurePipelines != nil:
		what = "azurePipelines"
		access := env.Getenv("SYSTEM_ACCESSTOKEN")
		if access == "" {
			return nil, errors.New("identity azurePipelines: SYSTEM_ACCESSTOKEN is not set: map it in the step's env (SYSTEM_ACCESSTOKEN: $(System.AccessToken))")
		}
		cred, err = azidentity.NewAzurePipelinesCredential(tenant, id.AzurePipelines.ClientID, id.AzurePipelines.ServiceConnectionID, access,
			&azidentity.AzurePipelinesCredentialOptions{ClientOptions: opts, AdditionallyAllowedTenants: any})
	case id.ClientCertificate != nil:
		what = "clientCertificate"
		pem, rerr := env.ReadFile(id.ClientCertificate.Path)
		if rerr != nil {
			return nil, fmt.Errorf("identity clientCertificate: %w", rerr)
		}
		certs, key, perr := azidentity.ParseCertificates(pem, nil)
		if perr != nil {
			return nil, fmt.Errorf("identity clientCertificate: %s holds no certificate with an unencrypted private key (PEM or PKCS#12)", id.ClientCertificate.Path)
		}
		cred, err = azidentity.NewClientCertificateCredential(tenant, id.ClientCertificate.ClientID, certs, key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: opts, AdditionallyAllowedTenants: any})
	case id.AzureCLI != nil:
		what = "azureCLI"
		cred, err = azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: tenant, AdditionallyAllowedTenants: any})
	case id.ClientSecret != nil:
		what = "clientSecret"
		value, serr := clientSecret(*id.ClientSecret, env)
		if serr != nil {
			return nil, serr
		}
		cred, err = azidentity.NewClientSecretCredential(tenant, id.ClientSecret.ClientID, value,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: opts, AdditionallyAllowedTenants: any})
	default:
		return nil, errors.New("the manifest names no identity")
	}
	if err != nil {
		return nil, fmt.Errorf("identity %s: %w", what, err)
	}
	return azhttp.NewCredential(what, cred), nil
}

func clientSecret(c manifest.ClientSecret, env Environment) (string, error) {
	if c.Env != "" {
		if v := env.Getenv(c.Env); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("identity clientSecret: the environment variable %s is not set", c.Env)
	}
	b, err := env.ReadFile(c.File)
	if err != nil {
		return "", fmt.Errorf("identity clientSecret: %w", err)
	}
	// Some editors put a mark before a text, or write two bytes for each character.
	value := strings.TrimSpace(strings.TrimPrefix(string(b), "\ufeff"))
	if value == "" || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return "", fmt.Errorf("identity clientSecret: %s holds no secret: one line of text in UTF-8", c.File)
	}
	return value, nil
}

// gitHub signs in with a job's token. azidentity hides why there was none, so that is kept beside.
type gitHub struct {
	inner azcore.TokenCredential
	why   atomic.Pointer[error]
}

func (g *gitHub) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t, err := g.inner.GetToken(ctx, o)
	if why := g.why.Load(); err != nil && why != nil && *why != nil {
		return t, *why
	}
	return t, err
}

// gitHubToken asks the job's own endpoint for a token (facts/azure-devops-entra.md 8.8).
func gitHubToken(ctx context.Context, client *azhttp.Client, env Environment, audience string) (string, error) {
	addr, token := env.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), env.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if addr == "" || token == "" {
		return "", noGitHubToken("GitHub gives this job none", "give the job permissions: {id-token: write}")
	}
	sep := "&"
	if !strings.Contains(addr, "?") {
		sep = "?"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, addr+sep+"audience="+url.QueryEscape(audience), nil)
	if err != nil {
		return "", noGitHubToken("ACTIONS_ID_TOKEN_REQUEST_URL is not an address", "")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return "", azhttp.Failure(gitHubOp, false, nil, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return "", azhttp.Failure(gitHubOp, false, resp, nil)
	}
	var body struct {
		Value secret.Value `json:"value"`
	}
	if err := azhttp.Decode(resp, &body); err != nil {
		return "", noGitHubToken(err.Error(), "")
	}
	if body.Value.Empty() {
		return "", noGitHubToken("the answer holds no token", "")
	}
	var out string
	_ = body.Value.Use(func(b []byte) error { out = string(b); return nil })
	return out, nil
}

const gitHubOp = "get an OIDC token of GitHub"

func noGitHubToken(detail, hint string) error {
	return &driver.Error{Kind: driver.Denied, Op: gitHubOp, Detail: detail, Hint: hint}
}
