// Package app puts the program together: it turns a manifest into credentials with their issuers and stores.
//
// It decides nothing and talks to nobody: making things sends no request. What always holds: this is the only place
// that knows every adapter, so a new kind of issuer is a folder and one entry in kinds.
package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/entra"
	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Config is what the program takes from the machine.
type Config struct {
	Manifest *manifest.Manifest
	// Digest is that of the manifest's bytes: what was approved for one manifest is not for another.
	Digest string
	// Folder is the manifest's, which its paths are relative to.
	Folder string
	// Transport carries every request; nil is the network, through the proxy that the environment names.
	Transport http.RoundTripper
	// Getenv is os.Getenv unless set.
	Getenv func(string) string
	// Reason and Ticket are a person's words, told to whoever gives a right.
	Reason, Ticket string
	// Log hears of every call at debug level; nil for nobody.
	Log *slog.Logger
}

// App is a manifest brought to life.
type App struct {
	cfg      Config
	client   *azhttp.Client
	cloud    cloud.Configuration
	cred     *azhttp.Credential
	vaults   map[string]driver.Versions // by host
	accounts map[string]*entra.Account
	graph    *graph.Client // nil until something needs it
	rights   *elevation.Manager
	brokers  map[string]*azhttp.Credential // each of the manifest's, by name
	// pipelines is shared by all consumers in Azure DevOps.
	pipelines *pipelines.Client
	gate      gate
}

// New makes an App. It reads the files that the identity names, and sends nothing.
func New(cfg Config) (*App, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Transport == nil {
		network, err := azhttp.Network(cfg.Getenv("SSL_CERT_FILE"))
		if err != nil {
			return nil, err
		}
		cfg.Transport = network
	}
	a := &App{cfg: cfg, client: azhttp.NewClient(cfg.Transport, cfg.Log), vaults: map[string]driver.Versions{}, accounts: map[string]*entra.Account{},
		brokers: map[string]*azhttp.Credential{}}
	a.rights = elevation.New(elevation.Config{Reason: cfg.Reason, Ticket: cfg.Ticket, Allow: a.allowRight()})
	switch cfg.Manifest.Cloud {
	case "usgov":
		a.cloud = cloud.AzureGovernment
	case "china":
		a.cloud = cloud.AzureChina
	default:
		a.cloud = cloud.AzurePublic
	}
	cred, err := entra.NewIdentity(cfg.Manifest.Identity, cfg.Manifest.Tenant, a.client, a.options(), entra.Environment{Getenv: cfg.Getenv, ReadFile: a.readFile})
	if err != nil {
		return nil, err
	}
	a.cred = cred
	a.pipelines = pipelines.NewClient(a.options(), cred)
	for _, v := range cfg.Manifest.Vaults {
		if _, err := a.store(v.Name); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *App) options() policy.ClientOptions { return a.client.Options(a.cloud) }

func (a *App) readFile(path string) ([]byte, error) { return os.ReadFile(a.Path(path)) }

// Path resolves a path of the manifest.
func (a *App) Path(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(a.cfg.Folder, path)
}

// Manifest is the manifest.
func (a *App) Manifest() *manifest.Manifest { return a.cfg.Manifest }

// store makes the store of a vault once; credentials share it.
func (a *App) store(name string) (driver.Versions, error) {
	v, ok := a.cfg.Manifest.Vault(name)
	if !ok {
		return nil, fmt.Errorf("no vault %q in the manifest", name)
	}
	if s, ok := a.vaults[v.Host]; ok {
		return s, nil
	}
	vault, err := keyvault.New(v.Host, a.cred, a.client.Renewing(a.options(), a.cred))
	if err != nil {
		return nil, err
	}
	a.vaults[v.Host] = vault
	if v.Elevation != "" {
		right, err := a.Right(v.Elevation)
		if err != nil {
			return nil, fmt.Errorf("vault %s: %w", name, err)
		}
		a.vaults[v.Host] = elevation.NewStore(vault, right)
	}
	return a.vaults[v.Host], nil
}

// authority is the tenant's address at the identity platform.
func (a *App) authority() string {
	return strings.TrimSuffix(a.cloud.ActiveDirectoryAuthorityHost, "/") + "/" + a.cfg.Manifest.Tenant
}

// Account makes an account once.
func (a *App) Account(name string) (*entra.Account, error) {
	if acc, ok := a.accounts[name]; ok {
		return acc, nil
	}
	m, ok := a.cfg.Manifest.Account(name)
	if !ok {
		return nil, fmt.Errorf("no account %q in the manifest%s", name, manifest.DidYouMean(name, a.AccountNames()))
	}
	cfg := entra.AccountConfig{Name: m.Name, Authority: a.authority(), ClientID: m.ClientID, Username: m.Username}
	var err error
	if cfg.Cache, err = a.secretRef(m.TokenCache); err != nil {
		return nil, err
	}
	if cfg.Password, err = a.secretRef(m.Password); err != nil {
		return nil, err
	}
	a.accounts[name] = entra.NewAccount(cfg, a.client)
	return a.accounts[name], nil
}

func (a *App) secretRef(r *manifest.SecretRef) (*entra.SecretRef, error) {
	if r == nil {
		return nil, nil
	}
	s, err := a.store(r.Vault)
	if err != nil {
		return nil, err
	}
	return &entra.SecretRef{Store: s, Name: r.Secret}, nil
}

// AccountNames lists the manifest's accounts.
func (a *App) AccountNames() []string {
	var out []string
	for _, x := range a.cfg.Manifest.Accounts {
		out = append(out, x.Name)
	}
	return out
}

// Credentials makes the engine's credentials in the manifest's order: all, or those named.
func (a *App) Credentials(names ...string) ([]engine.Credential, error) {
	all := a.cfg.Manifest.Credentials
	var known []string
	for _, c := range all {
		known = append(known, c.Name)
	}
	only, err := a.named(names, known)
	if err != nil {
		return nil, err
	}
	var out []engine.Credential
	for _, c := range all {
		if len(names) > 0 && !slices.Contains(names, c.Name) && only[c.Name] == nil {
			continue
		}
		ec, err := a.credential(c)
		if err != nil {
			return nil, fmt.Errorf("credential %s: %w", c.Name, err)
		}
		if slices.Contains(names, c.Name) || len(names) == 0 {
			out = append(out, ec)
			continue
		}
		for _, n := range only[c.Name] {
			ec.Only = rotation.CredentialID(n)
			out = append(out, ec)
		}
	}
	return out, nil
}

func (a *App) credential(c manifest.Credential) (engine.Credential, error) {
	store, err := a.store(c.Store.Vault)
	if err != nil {
		return engine.Credential{}, err
	}
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.manifest().Name == c.Kind })
	if i < 0 {
		return engine.Credential{}, fmt.Errorf("no kind %q", c.Kind)
	}
	issued, err := kinds[i].make(a, c)
	if err != nil {
		return engine.Credential{}, err
	}
	if c.Elevation != "" {
		right, err := a.Right(c.Elevation)
		if err != nil {
			return engine.Credential{}, err
		}
		issued.issuer = elevation.NewIssuer(issued.issuer, right)
	}
	issued.secretID = "https://" + store.Host() + "/secrets/" + c.Store.Secret
	target := rotation.Target{Vault: store.Host(), Name: c.Store.Secret}
	issued.credential = c.Name
	issued.origin = keyvault.Origin{Store: store, Target: target, ContentType: cmp.Or(c.ContentType, issued.contentType)}
	specs, consumers, err := a.consumers(c, issued)
	if err != nil {
		return engine.Credential{}, err
	}
	tags := issued.tags
	for name := range c.Tags {
		tags = append(tags, name)
	}
	for _, x := range consumers {
		if t, ok := x.(tagged); ok {
			tags = append(tags, t.Tag())
		}
	}
	slices.Sort(tags)
	out := engine.Credential{
		Spec: rotation.Spec{
			Name:    rotation.CredentialID(c.Name),
			Target:  target,
			Enabled: c.Enabled, Order: issued.order,
			Lifetime: c.Lifetime, RotateBefore: c.RotateBefore, Overlap: c.Overlap, SweepWindow: a.cfg.Manifest.SweepWindow,
			Extend: c.Strategy == manifest.Extend, Shape: issued.shape, Adopt: issued.adopt, TagNames: tags,
			Consumers: specs, RollbackAfter: c.RollbackAfter, Checks: trialNames(c),
		},
		Issuer: issued.issuer, Store: store, Consumers: consumers, Checks: a.trials(c), Tags: c.Tags, ContentType: cmp.Or(c.ContentType, issued.contentType), Seal: issued.seal, After: after(c), Makes: issued.makes,
	}
	if issued.several != nil {
		out.Several = several{issued.several}
	}
	return out, nil
}

// consumers makes a credential's consumers in the manifest's order.
func (a *App) consumers(c manifest.Credential, i issued) (specs []rotation.ConsumerSpec, out []driver.Consumer, err error) {
	for _, x := range c.Consumers {
		n := slices.IndexFunc(consumerKinds, func(k consumerKind) bool { return k.manifest().Name == x.Kind })
		if n < 0 {
			return nil, nil, fmt.Errorf("consumer %s: no kind %q", x.Name, x.Kind)
		}
		specs = append(specs, rotation.ConsumerSpec{ID: x.Name, Cache: x.Cache})
		consumer := consumerKinds[n].make(a, x, i)
		if x.Elevation != "" {
			right, err := a.Right(x.Elevation)
			if err != nil {
				return nil, nil, fmt.Errorf("consumer %s: %w", x.Name, err)
			}
			consumer = elevation.NewConsumer(consumer, right)
		}
		out = append(out, consumer)
	}
	return specs, out, nil
}
