// Package manifest reads rekey.yaml: what to rotate, who signs in, where values are kept. It turns the file into
// plain values, tells everything that is wrong with it at once, with line and column, and prints the JSON Schema
// that editors complete it with.
//
// It is not the configuration of an adapter: what an issuer needs is a Kind that the issuer registers, and nothing
// here knows one. It opens no file and no connection, reads no environment, and holds no secret: a value that looks
// like one is refused and never repeated.
//
// What always holds: Parse returns a manifest only if no problem is an error; every problem has a position inside
// the file; its texts are safe for a terminal; the same bytes give the same problems in the same order; work and
// memory are bounded by the size of the file, which is at most 4 MiB. The decoder and the schema read the same
// struct tags, so they cannot disagree.
package manifest

import (
	_ "embed"
	"time"
)

// Version is the manifest version that this package reads.
const Version = 1

// Manifest is a whole rekey.yaml, checked, with defaults filled in. Lists are in the order of the file.
type Manifest struct {
	Version     int           `yaml:"version,required" enum:"1" doc:"The version of this format."`
	Tenant      string        `yaml:"tenant,required" is:"tenant" doc:"The Entra tenant: its id or one of its domains."`
	Cloud       string        `yaml:"cloud" enum:"public,usgov,china" default:"public" doc:"The Azure cloud that the tenant is in."`
	Identity    Identity      `yaml:"identity,required" doc:"How Rekey itself signs in. Exactly one way, named here and never probed for."`
	Accounts    []Account     `yaml:"accounts" key:"name" doc:"The users that own personal access tokens, by a name of your choice."`
	Vaults      []Vault       `yaml:"vaults" key:"name" doc:"The Key Vaults that are referred to below, by a name of your choice."`
	Brokers     []Broker      `yaml:"brokers" key:"name" doc:"Identities that may give Rekey's own identity a role for a time, by a name of your choice."`
	Elevations  []Elevation   `yaml:"elevations" key:"name" doc:"Roles that are taken for a run and given back, by a name of your choice."`
	Schedule    time.Duration `yaml:"schedule" doc:"How often a run comes. Only used to warn when that is too seldom."`
	Ledger      Ledger        `yaml:"ledger" short:"folder" doc:"Where everything that was intended and done is recorded: a folder, or a folder or container and the key that signs it. Without it a run prints its entries."`
	Events      []EventSink   `yaml:"events" key:"name" doc:"What every entry of the ledger is handed on to, by a name of your choice."`
	SweepWindow time.Duration `yaml:"sweepWindow" default:"1h" doc:"How long a run may take from issue to commit, 30m at least: a younger credential without a record may belong to a run that is still going on."`
	Concurrency string        `yaml:"concurrency" enum:"external" doc:"Say 'external' if something else sees to it that no two runs are under way at once, such as the CI system. What has no overlap, such as a password, needs it."`
	Approval    *Approval     `yaml:"approval" doc:"Who may do what without asking, and who must approve the rest. Without it nothing is asked for."`
	Credentials []Credential  `yaml:"credentials,required" key:"name" doc:"What to rotate, by a name of your choice."`

	accounts, vaults map[string]int
}

// Ledger is where entries are kept, and how they are signed. The folder alone may stand for it.
type Ledger struct {
	Folder string     `yaml:"folder" one:"home of the ledger" doc:"The folder of the ledger, relative to this file."`
	Blob   string     `yaml:"blob" one:"home of the ledger" is:"container" doc:"The container that the ledger lies in, for several runners: https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX. Rekey's identity needs the role Storage Blob Data Contributor there, standing."`
	Key    *LedgerKey `yaml:"key" doc:"The key that signs a checkpoint at the end of each run that recorded something, as 'rekey ledger keygen' makes it. Never in a vault: what signs must not need the rights that it is evidence of."`
}

// LedgerKey says where the key is found, never what it is.
type LedgerKey struct {
	File string `yaml:"file" one:"place of the key" doc:"The file that holds the key, relative to this file."`
	Env  string `yaml:"env" is:"env-name" one:"place of the key" doc:"The environment variable that holds the key."`
}

// Identity is Rekey's own sign-in: exactly one field is set.
type Identity struct {
	ManagedIdentity   *ManagedIdentity   `yaml:"managedIdentity" one:"way to sign in" doc:"The managed identity of the machine that Rekey runs on. Without clientId and resourceId: the system-assigned one."`
	WorkloadIdentity  *WorkloadIdentity  `yaml:"workloadIdentity" one:"way to sign in" doc:"A federated token in a file, as Kubernetes projects it."`
	GitHubOIDC        *GitHubOIDC        `yaml:"githubOIDC" one:"way to sign in" doc:"The federated token of a GitHub Actions job."`
	AzurePipelines    *AzurePipelines    `yaml:"azurePipelines" one:"way to sign in" doc:"The federated token of an Azure Pipelines service connection."`
	ClientCertificate *ClientCertificate `yaml:"clientCertificate" one:"way to sign in" doc:"An app registration's certificate."`
	AzureCLI          *AzureCLI          `yaml:"azureCLI" one:"way to sign in" doc:"Whoever is signed in with az. For trying out on a laptop."`
	ClientSecret      *ClientSecret      `yaml:"clientSecret" one:"way to sign in" doc:"An app registration's client secret: one more secret that somebody has to rotate. Accepted with a warning."`
}

// ManagedIdentity is the system-assigned identity, or a user-assigned one by client id or resource id.
type ManagedIdentity struct {
	ClientID   string `yaml:"clientId" is:"guid" one:"user-assigned identity,optional" doc:"The client id of a user-assigned identity."`
	ResourceID string `yaml:"resourceId" is:"resource-id" one:"user-assigned identity,optional" doc:"The resource id of a user-assigned identity."`
}

// WorkloadIdentity is a federated token in a file.
type WorkloadIdentity struct {
	ClientID  string `yaml:"clientId,required" is:"guid" doc:"The client id of the app registration or managed identity."`
	TokenFile string `yaml:"tokenFile,required" doc:"The file that holds the federated token."`
}

// GitHubOIDC is a GitHub Actions job's federated token.
type GitHubOIDC struct {
	ClientID string `yaml:"clientId,required" is:"guid" doc:"The client id of the app registration or managed identity."`
	Audience string `yaml:"audience" default:"api://AzureADTokenExchange" doc:"The audience that the federated credential expects."`
}

// AzurePipelines is an Azure Pipelines service connection's federated token.
type AzurePipelines struct {
	ClientID            string `yaml:"clientId,required" is:"guid" doc:"The client id of the app registration or managed identity."`
	ServiceConnectionID string `yaml:"serviceConnectionId,required" is:"guid" doc:"The id of the service connection."`
}

// ClientCertificate is an app registration's certificate with its key, in a PEM or PKCS#12 file.
type ClientCertificate struct {
	ClientID string `yaml:"clientId,required" is:"guid" doc:"The client id of the app registration."`
	Path     string `yaml:"path,required" doc:"The file with the certificate and its private key, relative to this file."`
}

// AzureCLI is the account that az is signed in with.
type AzureCLI struct{}

// ClientSecret says where an app registration's client secret is found, never what it is.
type ClientSecret struct {
	ClientID string `yaml:"clientId,required" is:"guid" doc:"The client id of the app registration."`
	Env      string `yaml:"env" is:"env-name" one:"place of the secret" doc:"The environment variable that holds the secret."`
	File     string `yaml:"file" one:"place of the secret" doc:"The file that holds the secret, relative to this file."`
}

// Account is a user that owns personal access tokens. Exactly one of TokenCache and Password is set.
type Account struct {
	Name        string     `yaml:"-"`
	ClientID    string     `yaml:"clientId,required" is:"guid" doc:"The public client app registration that the user signs in through."`
	Username    string     `yaml:"username,required" is:"username" doc:"The user's sign-in name."`
	TokenCache  *SecretRef `yaml:"tokenCache" one:"way to get the user's token" doc:"MSAL's cache, sealed in a vault by 'rekey login'."`
	Password    *SecretRef `yaml:"password" one:"way to get the user's token" doc:"The user's password in a vault. A last resort, accepted with a warning: it works only without MFA."`
	SharedVault string     `yaml:"sharedVault" enum:"accepted" doc:"Say 'accepted' if the account's secret may lie in a vault that is also the store of a credential, where consumers could read it."`
}

// Secret is the account's secret, whichever it is.
func (a Account) Secret() SecretRef {
	switch {
	case a.TokenCache != nil:
		return *a.TokenCache
	case a.Password != nil:
		return *a.Password
	}
	return SecretRef{}
}

// SecretRef names one secret in one vault of the manifest.
type SecretRef struct {
	Vault  string `yaml:"vault,required" ref:"vaults" doc:"A name out of 'vaults'."`
	Secret string `yaml:"secret,required" is:"secret-name" doc:"The name of the secret in that vault."`
}

// Store is where a credential's value is kept, or where the values of a block of many are.
type Store struct {
	Vault  string `yaml:"vault,required" ref:"vaults" doc:"A name out of 'vaults'."`
	Secret string `yaml:"secret,required" is:"secret-template" doc:"The name of the secret in that vault. A block that stands for many credentials has a template, with {name} in it."`
}

// Vault is a Key Vault, by its name or its address.
type Vault struct {
	Name      string `yaml:"-"`
	VaultName string `yaml:"name" is:"vault-name" one:"way to name the vault" doc:"The vault's name in Azure."`
	URL       string `yaml:"url" one:"way to name the vault" doc:"The vault's address, https://NAME.vault.azure.net in the public cloud."`
	Elevation string `yaml:"elevation" ref:"elevations" doc:"A name out of 'elevations': the role that Rekey takes for as long as it reads and writes values in this vault. What its list shows takes none."`

	// Host is the lower-case host of the vault, worked out from either.
	Host string `yaml:"-"`
}

// Strategies of a credential.
const (
	Replace = "replace"
	Extend  = "extend"
)

// Credential is one thing to rotate.
type Credential struct {
	Name          string            `yaml:"-"`
	Lifetime      time.Duration     `yaml:"lifetime,required" doc:"How long a new one is valid, a year at most."`
	RotateBefore  time.Duration     `yaml:"rotateBefore,required" doc:"How long before the end it is replaced."`
	Overlap       time.Duration     `yaml:"overlap" doc:"How long the old one lives on beside the new one, rotateBefore at most. Needed but where there is only one at a time, as with a password."`
	Strategy      string            `yaml:"strategy" enum:"replace,extend" default:"replace" doc:"'replace' issues a new value; 'extend' keeps the value and moves its date."`
	Store         Store             `yaml:"store,required" doc:"Where the value is kept."`
	Tags          map[string]string `yaml:"tags" doc:"Tags to set on the secret: 14 at most, for the fifteenth, 'rekey', is Rekey's own."`
	ContentType   string            `yaml:"contentType" is:"content-type" doc:"The content type to set on the secret."`
	Consumers     []Consumer        `yaml:"consumers" key:"name" doc:"What uses the value and is told of each new one, by a name of your choice. The old value is revoked only when all of them work with the new one."`
	Checks        []Trial           `yaml:"checks" key:"name" doc:"What must work besides, once everything was told a new value and again before the old one is revoked, by a name of your choice."`
	RollbackAfter time.Duration     `yaml:"rollbackAfter" default:"1h" doc:"How long after a new value was published consumers and checks may take to work with it. Then the value before it is published again, they are told, and the next try waits."`
	DependsOn     Set               `yaml:"dependsOn" doc:"Credentials that come first in each run: if one of them fails, this one is left as it is. What an account issues depends on the account's password by itself."`
	Check         Check             `yaml:"check" doc:"Settings of the probe that proves that a value works. It runs without them too."`
	Elevation     string            `yaml:"elevation" ref:"elevations" doc:"A name out of 'elevations': the role that Rekey takes for as long as it works with what issues this credential. What is in its vault is the vault's own."`
	Enabled       bool              `yaml:"enabled" default:"true" doc:"false: leave it alone for now."`

	// Kind is the name of the issuer's kind, and Settings the block under that name.
	Kind     string   `yaml:"-"`
	Settings Settings `yaml:"-"`
	// After are the credentials that come first: DependsOn, and the password of the account that issues it.
	After []string `yaml:"-"`
}

// Consumer is something that uses a credential's value and is told of each new one.
type Consumer struct {
	Name  string        `yaml:"-"`
	Cache time.Duration `yaml:"cache" doc:"How long it may go on using what it held before it was told, such as a job that runs; overlap at most. Each kind has its own default."`
	// Elevation names the role that is taken for it.
	Elevation string `yaml:"elevation" ref:"elevations" doc:"A name out of 'elevations': the role that Rekey takes for as long as it tells this consumer and looks at it."`

	// Kind is the name of the consumer's kind, and Settings the block under that name.
	Kind     string   `yaml:"-"`
	Settings Settings `yaml:"-"`
}

// Check holds the settings of the built-in probe.
type Check struct {
	Probe string `yaml:"probe" doc:"What the probe asks for; each kind of issuer has its own."`
}

// Account returns the account with that name.
func (m *Manifest) Account(name string) (Account, bool) {
	i, ok := m.accounts[name]
	if !ok {
		return Account{}, false
	}
	return m.Accounts[i], true
}

// Vault returns the vault with that name in the manifest.
func (m *Manifest) Vault(name string) (Vault, bool) {
	i, ok := m.vaults[name]
	if !ok {
		return Vault{}, false
	}
	return m.Vaults[i], true
}

// Parse reads a manifest. file is only named in problems. Warnings come back beside a manifest; with an error among
// the problems the manifest is nil. rules are those that this package cannot know.
func Parse(file string, src []byte, kinds []Kind, rules ...Rule) (*Manifest, Problems) {
	mustBeSound(kinds)
	c := &collector{file: file}
	defs := read(c, src)
	if defs == nil {
		return nil, c.sorted()
	}
	m := new(Manifest)
	decode(c, m, defs, kinds)
	check(c, m, defs, kinds, rules)
	ps := c.sorted()
	if ps.Failed() {
		return nil, ps
	}
	return m, ps
}

//go:embed starter.yaml
var starter []byte

// Starter is the commented manifest that `rekey init` writes.
func Starter() []byte { return append([]byte(nil), starter...) }
