package app

import (
	"github.com/rekeyhq/rekey/internal/azure/appservice"
	"github.com/rekeyhq/rekey/internal/azure/automation"
	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/azure/logicapps"
	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/hook/command"
	"github.com/rekeyhq/rekey/internal/hook/webhook"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/random"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// kind is a kind of issuer: what a manifest can say of it, and how it is made.
type kind struct {
	manifest func() manifest.Kind
	make     func(*App, manifest.Credential) (issued, error)
}

// issued is what a kind makes of a credential.
type issued struct {
	issuer driver.Issuer
	order  rotation.Order
	shape  string
	adopt  rotation.Adoption
	seal   *engine.Seal
	use    use
	// several, instead of an issuer, is what a block that stands for many credentials finds them with.
	several *devops.Several
	// secretID is the id of the vault's secret, without a version.
	secretID string
	// makes says in words what is made, if that is worth saying before it is.
	makes string
	// tags are those that the issuer sets on the secret, and contentType is the secret's unless the manifest names one.
	tags        []string
	contentType string
	// credential is its name, and origin is where it is kept, for consumers that read it there themselves.
	credential string
	origin     keyvault.Origin
}

// use is what a value signs in to, for consumers that must not be told another's; empty where nobody can say.
type use struct {
	clientID     string // an application
	organization string // of Azure DevOps
}

// kinds are all kinds of issuers. A new one is its folder and its entry here.
var kinds = []kind{
	{devops.Kind, makePAT},
	{graph.Kind, makeAppSecret},
	{devops.SeveralKind, makePATs},
	{random.Kind, makeRandom},
	{graph.CertificateKind, makeAppCertificate},
	{graph.UserKind, makeServiceAccount},
}

// consumerKind is a kind of consumer.
type consumerKind struct {
	manifest func() manifest.Kind
	make     func(*App, manifest.Consumer, issued) driver.Consumer
}

// consumerKinds are all kinds of consumers. A new one is its folder and its entry here.
var consumerKinds = []consumerKind{
	{pipelines.ConnectionKind, makeConnection},
	{pipelines.GroupKind, makeGroup},
	{automation.RunbookKind, makeRunbook},
	{automation.VariableKind, makeVariable},
	{automation.CredentialKind, makeCredentialAsset},
	{logicapps.Kind, makeAPIConnections},
	{keyvault.CopyKind, makeCopy},
	{webhook.Kind, makeWebhook},
	{command.Kind, makeCommand},
	{appservice.Kind, makeAppService},
}

// Kinds are what a manifest can name.
func Kinds() []manifest.Kind {
	var out []manifest.Kind
	for _, k := range kinds {
		out = append(out, k.manifest())
	}
	for _, k := range consumerKinds {
		out = append(out, k.manifest())
	}
	return out
}

func makeConnection(a *App, c manifest.Consumer, i issued) driver.Consumer {
	return pipelines.NewConnection(c.Name, a.pipelines, *c.Settings.(*pipelines.ConnectionSettings),
		pipelines.Use{ClientID: i.use.clientID, Organization: i.use.organization})
}

func makeGroup(a *App, c manifest.Consumer, _ issued) driver.Consumer {
	return pipelines.NewGroup(c.Name, a.pipelines, *c.Settings.(*pipelines.GroupSettings))
}

// LoginScope is what a person who signs an account in is asked to agree to.
const LoginScope = devops.Scope

func makePAT(a *App, c manifest.Credential) (issued, error) {
	s := *c.Settings.(*devops.Settings)
	s.Probe = c.Check.Probe
	account, err := a.Account(s.Account)
	if err != nil {
		return issued{}, err
	}
	i := devops.New(a.options(), account, s)
	out := issued{issuer: i, order: rotation.ShownOnce, shape: i.Shape(), use: use{organization: s.Organization}}
	if s.Adopt != nil {
		out.adopt = rotation.Adoption{ID: s.Adopt.ID, Name: s.Adopt.Name}
	}
	if seal := account.Seal(); seal != nil {
		out.seal = &engine.Seal{Store: seal.Store, Name: seal.Name}
	}
	return out, nil
}

func makeAppSecret(a *App, c manifest.Credential) (issued, error) {
	s := *c.Settings.(*graph.Settings)
	i := graph.New(a.graphClient(), a.authority(), s)
	out := issued{issuer: i, order: rotation.ShownOnce, shape: i.Shape(), use: use{clientID: s.AppID}}
	if s.Adopt != nil {
		out.adopt = rotation.Adoption{ID: s.Adopt.ID, Name: s.Adopt.Name}
	}
	return out, nil
}
