package app

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/azure/resources"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
)

var (
	isVault  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$`)
	isSecret = regexp.MustCompile(`^[A-Za-z0-9-]{1,127}$`)
)

// vaultSuffix follows a vault's name in its host.
func (a *App) vaultSuffix() string {
	switch a.cfg.Manifest.Cloud {
	case "usgov":
		return ".vault.usgovcloudapi.net"
	case "china":
		return ".vault.azure.cn"
	}
	return ".vault.azure.net"
}

func (a *App) seen() *resources.Client { return resources.New(a.resources()) }

// vaults are those that Rekey's identity sees, and those of the manifest.
var vaults = &Listing{
	Name: "vaults", Short: "the key vaults that Rekey's identity sees in Resource Manager",
	ByHand: "type the vault's name, as in https://NAME.vault.azure.net; to see vaults, Rekey's identity needs Reader on them",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		seen, err := q.App.seen().List(ctx, resources.Vaults, q.heard)
		if err != nil {
			return nil, err
		}
		var out []Choice
		for _, r := range seen {
			c := Choice{ID: strings.ToLower(r.Name), About: []About{{"group", r.Group}, {"subscription", r.Subscription}}}
			if name := q.App.vaultNamed(r.Name); name != "" {
				c.About = append(c.About, About{"manifest", name})
			}
			out = append(out, c)
		}
		return out, nil
	},
}

// storeVaults are vaults to publish to, sealVaults those to seal a sign-in in: what one is, the other must not be.
var (
	storeVaults = &Listing{Name: "vaults", ByHand: vaults.ByHand, list: vaultsBut((*App).signsIn)}
	sealVaults  = &Listing{Name: "vaults", ByHand: vaults.ByHand, list: vaultsBut((*App).publishes)}
)

// vaultsBut are the vaults of the manifest, and those that can be seen if that works.
func vaultsBut(unfit func(a *App, vault string) string) func(context.Context, *Asked) ([]Choice, error) {
	return func(ctx context.Context, q *Asked) ([]Choice, error) {
		var out []Choice
		for _, v := range q.App.cfg.Manifest.Vaults {
			out = append(out, Choice{ID: v.Name, About: []About{{"vault", strings.TrimSuffix(v.Host, q.App.vaultSuffix())}, {"manifest", "yes"}}, Unfit: unfit(q.App, v.Name)})
		}
		seen, err := vaults.list(ctx, q)
		if err != nil && len(out) > 0 && driver.KindOf(err) == driver.Denied {
			return out, nil // who may not list vaults has those that the manifest names
		}
		for _, c := range seen {
			if q.App.vaultNamed(c.ID) == "" {
				out = append(out, c)
			}
		}
		return out, err
	}
}

// vaultNamed is the manifest's name for a vault; "" if it has none.
func (a *App) vaultNamed(vault string) string {
	for _, v := range a.cfg.Manifest.Vaults {
		if strings.EqualFold(v.Host, vault+a.vaultSuffix()) {
			return v.Name
		}
	}
	return ""
}

// signsIn says why a vault is none to publish to: what accounts sign in with is in it.
func (a *App) signsIn(vault string) string {
	for _, acc := range a.cfg.Manifest.Accounts {
		if acc.Secret().Vault == vault && acc.SharedVault == "" {
			return "account " + acc.Name + " signs in with a secret of it, which no consumer may read"
		}
	}
	return ""
}

// publishes says why a vault is none to seal a sign-in in: consumers read it.
func (a *App) publishes(vault string) string {
	for _, c := range a.cfg.Manifest.Credentials {
		if c.Store.Vault == vault {
			return "credential " + c.Name + " is kept in it, so that consumers read it"
		}
	}
	return ""
}

// vault is the manifest's name of the vault that was chosen, and its entry if there is none yet.
func (q *Asked) vault() (string, []manifest.Addition, error) {
	said := q.Of("vault")
	if _, ok := q.App.cfg.Manifest.Vault(said); ok {
		return said, nil, nil
	}
	if name := q.App.vaultNamed(said); name != "" {
		return name, nil, nil
	}
	if !isVault.MatchString(said) {
		return "", nil, fmt.Errorf("--vault %q is no vault of the manifest, and no name of one in Azure", said)
	}
	said = strings.ToLower(said)
	return said, []manifest.Addition{{Path: []string{"vaults"}, Lines: []string{key(said) + " {name: " + manifest.Scalar(said) + "}"}}}, nil
}

// vaultHost is the host of a vault, by its name in the manifest or in Azure.
func (q *Asked) vaultHost() string {
	if v, ok := q.App.cfg.Manifest.Vault(q.Of("vault")); ok {
		return v.Host
	}
	return strings.ToLower(q.Of("vault")) + q.App.vaultSuffix()
}

// vaultSecrets are the names and dates of a vault's secrets.
var vaultSecrets = &Listing{
	Name: "secrets", Short: "the secrets of a key vault: names and dates, never a value", Needs: []Question{askVault("the vault: a name out of the manifest's, or its name in Azure")},
	ByHand: "type the secret's name; to list secrets, Rekey's identity needs Key Vault Secrets Officer or Key Vault Reader on the vault",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		a := q.App
		host := q.vaultHost()
		store, ok := a.vaults[host]
		if !ok {
			v, err := keyvault.New(host, a.cred, a.client.Renewing(a.options(), a.cred))
			if err != nil {
				return nil, err
			}
			store = v
		}
		index, err := store.List(ctx)
		if err != nil {
			return nil, err
		}
		q.heard(len(index.Secrets))
		var out []Choice
		for _, name := range slices.Sorted(maps.Keys(index.Secrets)) {
			s := index.Secrets[name]
			out = append(out, Choice{ID: name, About: aboutSecret(s), Unfit: a.storedAt(host, name)})
		}
		return out, nil
	},
}

func aboutSecret(s rotation.Secret) (out []About) {
	if !s.Created.IsZero() {
		out = append(out, About{"created", day(s.Created)})
	}
	if !s.Expires.IsZero() {
		out = append(out, About{"expires", day(s.Expires)})
	}
	if s.Tags["rekey"] != "" {
		out = append(out, About{"kept by", "Rekey"})
	}
	return out
}

// storedAt says why a secret is none to publish to: the manifest has something else in it.
func (a *App) storedAt(host, name string) string {
	is := func(vault, secret string) bool {
		v, _ := a.cfg.Manifest.Vault(vault)
		return strings.EqualFold(v.Host, host) && strings.EqualFold(secret, name)
	}
	for _, c := range a.cfg.Manifest.Credentials {
		if is(c.Store.Vault, c.Store.Secret) {
			return "the manifest has credential " + c.Name + " in it"
		}
	}
	for _, acc := range a.cfg.Manifest.Accounts {
		if s := acc.Secret(); is(s.Vault, s.Secret) {
			return "account " + acc.Name + " signs in with it"
		}
	}
	return ""
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

func askVault(usage string) Question {
	return Question{Flag: "vault", Ask: "Which vault?", Usage: usage, Form: isVault, List: storeVaults}
}

// places are the questions for where the value is kept. What is adopted has its value in a secret already.
func places() []Question {
	return []Question{
		{Flag: "vault", Ask: "Which vault is the value kept in?", Usage: "the vault that the value is kept in: a name out of the manifest's, or its name in Azure, which is added", Form: isVault, List: storeVaults},
		{
			Flag: "secret", Ask: "Which secret of the vault is the value kept in?", Usage: "the secret that the value is kept in; the one that holds it already, where one is taken over", Form: isSecret, List: vaultSecrets,
			Listed: func(q *Asked) bool { return q.Of("adopt") != "" },
			Default: func(_ context.Context, q *Asked) (string, error) {
				if q.Of("adopt") != "" {
					return "", nil
				}
				return q.Of(Name), nil
			},
		},
	}
}

// addVault adds a vault under a name.
func addVault() Addition {
	name := named("the name for the rest of the manifest", func(q *Asked) string { return q.Of("vault") })
	return Addition{
		Command: "vault", Short: "add a key vault",
		Long: `Add vault writes a key vault into the manifest, under a name of your choice that credentials then refer to. What is
listed is what Rekey's identity sees in Resource Manager.`,
		Examples:  []string{"rekey add vault", "rekey add vault prod --vault kv-pat-prod"},
		Questions: []Question{{Flag: "vault", Ask: "Which vault?", Usage: "the vault's name in Azure", Form: isVault, List: vaults}, name},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			return []manifest.Addition{{Path: []string{"vaults"}, Lines: []string{key(q.Of(Name)) + " {name: " + manifest.Scalar(q.Of("vault")) + "}"}}}, nil
		},
	}
}
