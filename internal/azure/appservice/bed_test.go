package appservice_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/appservice"
	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	// Applications that sign in here: one that may do everything with apps and secrets, one that may look at apps.
	operator, reader = "administrator", "reader"

	setting = "Shop__ClientSecret"
	mark    = "rekey-told-app"
)

var target = rotation.Target{Vault: "kv-apps.vault.azure.net", Name: "shop-web"}

func appID(name string) string {
	return "/subscriptions/" + world.SubscriptionID + "/resourceGroups/" + world.ResourceGroupApps + "/providers/Microsoft.Web/sites/" + name
}

func settings(slot string) appservice.Settings {
	return appservice.Settings{App: appID(world.SiteShop), Slot: slot, Refresh: true}
}

// bed is an Azure with the app and the vault that it reads.
type bed struct {
	*testing.T
	srv  *sim.Server
	slot string
}

func newBed(t *testing.T, slot string) *bed {
	t.Helper()
	state := world.BuiltIn()
	state.Apps = append(state.Apps, &world.App{ID: "00000000-0000-4000-8000-0000000000a1", ClientID: "00000000-0000-4000-8000-0000000000a2", TenantID: world.TenantID, Name: reader,
		ServicePrincipalID: "00000000-0000-4000-8000-0000000000a0", ClientSecret: world.Canary + reader,
		Secrets: []*world.PasswordCredential{{KeyID: "k", Start: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2199, 9, 1, 0, 0, 0, 0, time.UTC), Value: world.Canary + reader}}})
	state.RoleAssignments = append(state.RoleAssignments, &world.RoleAssignment{Name: "0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2cf0", Scope: appID(world.SiteShop), RoleID: world.RoleReader, PrincipalID: "00000000-0000-4000-8000-0000000000a0", PrincipalType: "ServicePrincipal"})
	s, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return &bed{t, s, slot}
}

// as makes a client of its own for an application.
func (b *bed) as(app string) *azhttp.Resources {
	client := azhttp.NewClient(b.srv.Transport(), nil)
	cred := azhttp.NewCredential(app, &simulated.SignIn{Sim: b.srv, App: app})
	return azhttp.NewResources(client.Renewing(client.Options(cloud.AzurePublic), cred), cred)
}

// store is the vault, as the administrator sees it.
func (b *bed) store() *keyvault.Vault {
	b.Helper()
	client := azhttp.NewClient(b.srv.Transport(), nil)
	cred := azhttp.NewCredential(operator, &simulated.SignIn{Sim: b.srv, App: operator})
	v, err := keyvault.New(target.Vault, cred, client.Renewing(client.Options(cloud.AzurePublic), cred))
	if err != nil {
		b.Fatal(err)
	}
	// A client's first call goes without a token, to be told where to sign in; faults are for those that follow.
	if _, err := v.Read(b.Context(), "nothing"); err != nil {
		b.Fatal(err)
	}
	return v
}

// locked calls f with the app and the secret that it refers to.
func (b *bed) locked(f func(w *world.World, app *world.Site, x *world.Secret)) {
	w := b.srv.World()
	w.Lock()
	defer w.Unlock()
	w.SettleSites()
	for _, v := range w.Vaults {
		for _, x := range v.Secrets {
			if v.Name+".vault.azure.net" == target.Vault && x.Name == target.Name {
				f(w, w.Site(world.SubscriptionID, world.ResourceGroupApps, world.SiteShop, b.slot), x)
			}
		}
	}
}

func (b *bed) knobs(f func(k *world.AppServiceKnobs)) {
	b.locked(func(w *world.World, _ *world.Site, _ *world.Secret) { f(&w.Knobs.AppService) })
}

func newest(x *world.Secret) *world.SecretVersion { return x.Versions[len(x.Versions)-1] }

// publish makes a publication, as the engine does before it tells anybody.
func (b *bed) publish(p rotation.Publication, v string) {
	b.locked(func(w *world.World, _ *world.Site, x *world.Secret) {
		now := w.Now()
		r, err := rotation.Record{Generation: rotation.NewGeneration(now, [5]byte{1}), IssuerID: "i", Publication: p, Expires: now.AddDate(0, 1, 0), RevokeAfter: now}.Encode()
		if err != nil {
			b.Fatal(err)
		}
		tags := maps.Clone(newest(x).Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		tags[rotation.RecordTag] = r
		x.Versions = append(x.Versions, &world.SecretVersion{ID: w.NewVersion(), Value: v, Created: now, Updated: now, Tags: tags})
		w.Remember(v)
	})
}

// published is a consumer whose every tell comes after a publication.
type published struct {
	driver.Consumer
	b *bed
}

func (p published) Tell(ctx context.Context, publication rotation.Publication, v secret.Value) (rotation.ConsumerState, error) {
	if ctx.Err() == nil {
		_ = v.Use(func(x []byte) error { p.b.publish(publication, string(x)); return nil })
	}
	return p.Consumer.Tell(ctx, publication, v)
}

// consumer is the app as the product makes it.
func (b *bed) consumer(app string, s appservice.Settings, of rotation.Target) driver.Consumer {
	return published{hook.New("app", "shop", b.store(), of, appservice.New(b.as(app), s, of)), b}
}

func (b *bed) holds() (v string) {
	b.locked(func(_ *world.World, app *world.Site, _ *world.Secret) { v = app.Resolved[setting].Value })
	return v
}

// mint makes a new secret of the application that the app signs in as.
func (b *bed) mint() (v string) {
	b.locked(func(w *world.World, _ *world.Site, _ *world.Secret) {
		for _, a := range w.Apps {
			if a.ClientID == world.AppShop {
				v = w.MintClientSecret()
				a.Secrets = append(a.Secrets, &world.PasswordCredential{KeyID: w.NewID(), Start: w.Now().Add(-time.Hour), End: w.Now().AddDate(1, 0, 0), Value: v})
			}
		}
	})
	return v
}

// rest is every app without what it fetched, and the secret's tags without record and mark.
func (b *bed) rest() (out string) {
	b.locked(func(w *world.World, _ *world.Site, x *world.Secret) {
		var all []world.Site
		for _, s := range w.Sites {
			y := *s
			y.Resolved, y.Fetched, y.Due = nil, time.Time{}, time.Time{}
			all = append(all, y)
		}
		tags := maps.Clone(newest(x).Tags)
		delete(tags, rotation.RecordTag)
		delete(tags, mark)
		text, err := json.Marshal([]any{all, len(tags), fmt.Sprint(tags)})
		if err != nil {
			b.Fatal(err)
		}
		out = string(text)
	})
	return out
}

// refusal is how Resource Manager and Key Vault say no.
func refusal(f drivertest.Fault, message string) string {
	code := map[drivertest.Fault]string{drivertest.Unavailable: "ServiceUnavailable", drivertest.Refused: "BadRequest", drivertest.Denied: "AuthorizationFailed"}[f]
	return fmt.Sprintf(`{"error":{"code":%q,"message":%s}}`, code, message)
}

func publication(n byte) rotation.Publication {
	return rotation.NewPublication(time.Unix(1e9, 0), [5]byte{n})
}

func value(s string) secret.Value { return secret.New([]byte(s)) }
