package app

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// First are the questions of a new manifest, which nobody has to be asked for: there is no identity yet.
func First() []Question {
	way := func(ways ...string) func(*Asked) bool {
		return func(q *Asked) bool { return !slices.Contains(ways, q.Of("identity")) }
	}
	return []Question{
		{Flag: "tenant", Ask: "Which tenant (its id, or one of its domains)?", Usage: "the Entra tenant: its id or one of its domains, such as contoso.onmicrosoft.com", Form: isTenant},
		{Flag: "cloud", Usage: "the Azure cloud: public, usgov or china; public unless it is said", Form: regexp.MustCompile(`^(public|usgov|china)$`), Default: fixed("public"), Silent: true},
		{Flag: "identity", Ask: "How does Rekey itself sign in?", Usage: "how Rekey itself signs in, such as managedIdentity or githubOIDC", Form: isIdentity, List: identities},
		{Flag: "client-id", Ask: "The client id of its app registration, or of its managed identity?", Usage: "the client id of the app registration or the user-assigned managed identity that Rekey signs in as", Form: isGUID,
			Skip: way("workloadIdentity", "githubOIDC", "azurePipelines", "clientCertificate")},
		{Flag: "user-assigned", Ask: "The client id of the managed identity, if it is a user-assigned one?", Usage: "the client id of a user-assigned managed identity", Form: isGUID,
			Skip: way("managedIdentity"), None: "take the machine's own"},
		{Flag: "token-file", Ask: "The file with the federated token?", Usage: "the file with the federated token", Skip: way("workloadIdentity")},
		{Flag: "service-connection-id", Ask: "The id of the service connection that the pipeline signs in with?", Usage: "the id of the pipeline's service connection", Form: isGUID, Skip: way("azurePipelines")},
		{Flag: "certificate", Ask: "The file with the certificate and its key?", Usage: "the file with the certificate and its private key, relative to the manifest", Skip: way("clientCertificate")},
	}
}

// Before begins to ask what needs no manifest, and so nobody to list anything.
func Before(questions []Question) *Asked { return (*App)(nil).Ask(questions) }

var (
	isTenant   = regexp.MustCompile(`(?i)^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([a-z0-9-]+\.)+[a-z]{2,})$`)
	isIdentity = regexp.MustCompile(`^(managedIdentity|workloadIdentity|githubOIDC|azurePipelines|clientCertificate|azureCLI)$`)
	isUsername = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)
)

// identities are the ways to sign in that need no secret of their own.
var identities = &Listing{
	Name: "identities",
	list: func(context.Context, *Asked) ([]Choice, error) {
		return []Choice{
			{ID: "managedIdentity", About: []About{{"that of", "the machine that Rekey runs on"}}},
			{ID: "workloadIdentity", About: []About{{"a federated token", "in a file, as Kubernetes projects it"}}},
			{ID: "githubOIDC", About: []About{{"that of", "a GitHub Actions job"}}},
			{ID: "azurePipelines", About: []About{{"that of", "an Azure Pipelines service connection"}}},
			{ID: "clientCertificate", About: []About{{"a certificate", "of an app registration"}}},
			{ID: "azureCLI", About: []About{{"whoever", "is signed in with az, to try things out"}}},
		}, nil
	},
}

const begun = `# rekey.yaml says what Rekey rotates. It names secrets and never holds one.
#
#   rekey add           add what is there, out of lists
#   rekey validate      is this file right?
#   rekey plan          what would happen, why, and when is the next thing due? (writes nothing)
#   rekey apply         do it
#
# Editors complete it with the schema that ` + "`rekey schema`" + ` prints.
version: 1

# The Entra tenant: its id or one of its domains.
tenant: %s

# public, usgov or china.
cloud: %s

# How Rekey itself signs in. Exactly one way; it is never guessed.
identity:
  %s: %s

# The users that own personal access tokens. Each signs in once, with rekey login --account NAME.
accounts: {}

# The vaults, by a name that the rest of this file uses.
vaults: {}

# How often a run comes. Rekey warns if that is too seldom for what is below.
schedule: 1h

# Where the ledger of everything that was intended and done is kept, relative to this file.
ledger: ./ledger

credentials: {}
`

// Begin is a manifest of the answers, without anything to rotate.
func Begin(q *Asked) []byte {
	var in []string
	for _, x := range []struct{ key, flag string }{
		{"clientId", "client-id"}, {"clientId", "user-assigned"}, {"tokenFile", "token-file"}, {"serviceConnectionId", "service-connection-id"}, {"path", "certificate"},
	} {
		if v := q.Of(x.flag); v != "" {
			in = append(in, x.key+": "+manifest.Scalar(v))
		}
	}
	return fmt.Appendf(nil, begun, manifest.Scalar(q.Of("tenant")), q.Of("cloud"), q.Of("identity"), "{"+strings.Join(in, ", ")+"}")
}

// FirstCredential asks what to begin with.
func FirstCredential() Question {
	return Question{
		Flag: "credential", Ask: "What is the first thing to rotate?", Usage: "pat or app-secret", Form: regexp.MustCompile(`^(pat|app-secret)$`), None: "begin without one",
		List: &Listing{Name: "kinds", list: func(context.Context, *Asked) ([]Choice, error) {
			return []Choice{
				{ID: "app-secret", About: []About{{"a client secret", "of an app registration"}}},
				{ID: "pat", About: []About{{"a personal access token", "of Azure DevOps"}}},
			}, nil
		}},
	}
}

// addAccount adds a user that owns PATs, whose sign-in is sealed in a vault.
func addAccount() Addition {
	name := named("the account's name", func(q *Asked) string {
		local, _, _ := strings.Cut(q.Of("username"), "@")
		return local
	})
	return Addition{
		Command: "account", Short: "add a user that owns personal access tokens",
		Long: `Add account writes a user into the manifest that owns personal access tokens: Azure DevOps lets nobody else make them.
The user signs in once, with rekey login --account NAME; what comes of that is sealed in a vault that no consumer may
read.`,
		Examples: []string{"rekey add account", "rekey add account svc-devops-pat --username svc-devops-pat@contoso.onmicrosoft.com --client-id 00000000-0000-0000-0000-000000000000 --vault kv-rekey"},
		Questions: []Question{
			{Flag: "username", Ask: "The user's sign-in name?", Usage: "the user's sign-in name", Form: isUsername},
			{Flag: "client-id", Ask: "The client id of the public client application that it signs in through?", Usage: "the client id of a public client app registration of the tenant, which may use Azure DevOps for the user", Form: isGUID},
			name,
			{Flag: "vault", Ask: "Which vault is its sign-in sealed in (one that no consumer may read)?", Usage: "the vault that its sign-in is sealed in: a name out of the manifest's, or its name in Azure, which is added", Form: isVault, List: sealVaults},
			{Flag: "secret", Ask: "Which secret of that vault?", Usage: "the secret that its sign-in is sealed in; NAME-msal unless it is said", Form: isSecret, Silent: true,
				Default: func(_ context.Context, q *Asked) (string, error) {
					if q.Of(Name) == "" {
						return "", nil
					}
					return q.Of(Name) + "-msal", nil
				}},
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			vault, adds, err := q.vault()
			if err != nil {
				return nil, err
			}
			return append(adds, manifest.Addition{Path: []string{"accounts"}, Lines: []string{
				key(q.Of(Name)),
				"  clientId: " + manifest.Scalar(q.Of("client-id")),
				"  username: " + manifest.Scalar(q.Of("username")),
				"  tokenCache: {vault: " + manifest.Scalar(vault) + ", secret: " + manifest.Scalar(q.Of("secret")) + "}",
			}}), nil
		},
	}
}
