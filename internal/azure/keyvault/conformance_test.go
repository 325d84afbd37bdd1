package keyvault_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func TestAVaultIsAStore(t *testing.T) {
	drivertest.Store(t, storeBed)
}

func TestAVaultEndsVersions(t *testing.T) {
	drivertest.Versions(t, storeBed)
}

func storeBed(t *testing.T) drivertest.StoreBed {
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	as := func(app string) driver.Store {
		client := azhttp.NewClient(s.Transport(), nil)
		cred := azhttp.NewCredential(app, &simulated.SignIn{Sim: s, App: app})
		v, err := keyvault.New("kv-pat-prod.vault.azure.net", cred, client.Renewing(client.Options(cloud.AzurePublic), cred))
		if err != nil {
			t.Fatal(err)
		}
		// A client's first call goes without a token, to be told where to sign in; faults are for those that follow.
		if _, err := v.Read(t.Context(), "nothing"); err != nil && driver.KindOf(err) != driver.Denied {
			t.Fatal(err)
		}
		return v
	}
	secret := func(name string, f func(*world.Secret)) {
		w := s.World()
		w.Lock()
		defer w.Unlock()
		for _, x := range w.Vaults[0].Secrets {
			if strings.EqualFold(x.Name, name) {
				f(x)
			}
		}
	}
	return drivertest.StoreBed{
		// The administrator may do everything, consumer only read, and stranger nothing.
		Store: as("administrator"), Reader: as("consumer"), Stranger: as("stranger"),
		Service: simulated.Service(s, operations, refusal),
		Delete:  func(name string) { secret(name, func(x *world.Secret) { x.Deleted = s.World().Now() }) },
		Disable: func(name string) {
			secret(name, func(x *world.Secret) { x.Versions[len(x.Versions)-1].Disabled = true })
		},
		Versions: func(name string) (out []drivertest.Version) {
			secret(name, func(x *world.Secret) { out = versions(x) })
			return out
		},
		Lapse: simulated.Lapse,
	}
}

func versions(x *world.Secret) (out []drivertest.Version) {
	for _, v := range x.Versions {
		y := drivertest.Version{ID: v.ID, Value: v.Value, Tags: v.Tags, Enabled: !v.Disabled}
		if v.ContentType != nil {
			y.ContentType = *v.ContentType
		}
		if v.Expires != nil {
			y.Expires = time.Unix(*v.Expires, 0).UTC()
		}
		out = append(out, y)
	}
	return out
}

var operations = simulated.Operations{"List": "keyvault GetSecrets", "Read": "keyvault GetSecret", "Deleted": "keyvault GetDeletedSecret", "Tags": "keyvault GetSecretVersions", "Version": "keyvault GetSecretVersion",
	"Update": "keyvault UpdateSecret", "Put": "keyvault SetSecret"}

// refusal is how Key Vault says no.
func refusal(f drivertest.Fault, message string) string {
	code := map[drivertest.Fault]string{drivertest.Unavailable: "ServiceUnavailable", drivertest.Refused: "BadParameter", drivertest.Denied: "Forbidden"}[f]
	return fmt.Sprintf(`{"error":{"code":%q,"message":%s}}`, code, message)
}
