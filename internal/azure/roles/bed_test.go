package roles

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// bed is a simulated Azure with a broker that signs in with a secret.
type bed struct {
	*testing.T
	sim *sim.Server
}

// officer is the role that the broker may give, by the name that a manifest has.
const officer = "Key Vault Secrets Officer"

func newBed(t *testing.T, change func(*world.State)) *bed {
	t.Helper()
	state := world.BuiltIn()
	for _, a := range state.Apps {
		if a.ClientID == world.AppBroker {
			a.ClientSecret = "Br18Q~" + world.Canary + "BrokerBrokerBrokerBro23"
			a.Secrets = []*world.PasswordCredential{{KeyID: "b", Start: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2199, 9, 1, 0, 0, 0, 0, time.UTC), Value: a.ClientSecret}}
		}
	}
	if change != nil {
		change(&state)
	}
	s, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return &bed{t, s}
}

func (b *bed) arm(app string) *azhttp.Resources {
	client := azhttp.NewClient(b.sim.Transport(), nil)
	cred := azhttp.NewCredential(app, &simulated.SignIn{Sim: b.sim, App: app})
	return azhttp.NewResources(client.Renewing(client.Options(cloud.AzurePublic), cred), cred)
}

func scope() string {
	return "/subscriptions/" + world.SubscriptionID + "/resourceGroups/rg-rekey/providers/Microsoft.KeyVault/vaults/" + world.VaultJIT
}

func settings() Settings {
	return Settings{Role: officer, Scope: scope(), Who: func(context.Context) (Principal, error) {
		return Principal{ID: world.RekeyPrincipal, Type: "ServicePrincipal"}, nil
	}}
}

func (b *bed) timed() *Timed { return NewTimed(b.arm("rekey-broker"), settings(), time.Hour) }
func (b *bed) assigned() *PIM {
	return NewAssignment(b.arm("rekey-broker"), settings())
}

// may says whether the worker may write secrets by now.
func (b *bed) may() bool {
	w := b.sim.World()
	w.Lock()
	defer w.Unlock()
	return w.AllowedData(world.RekeyPrincipal, "Microsoft.KeyVault/vaults/secrets/setSecret/action", scope())
}

func (b *bed) now() time.Time {
	w := b.sim.World()
	w.Lock()
	defer w.Unlock()
	return w.Now()
}

func ask(run string, d time.Duration) driver.Ask {
	return driver.Ask{Run: run, For: d, Reason: "rotate a secret"}
}

func (b *bed) take(e driver.Elevator, a driver.Ask) driver.Elevation {
	b.Helper()
	if err := e.Preflight(b.Context(), a); err != nil {
		b.Fatal("preflight: ", err)
	}
	got, err := e.Take(b.Context(), a)
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func (b *bed) release(e driver.Elevator, x driver.Elevation, run string) driver.Elevation {
	b.Helper()
	left, err := e.Release(b.Context(), x, run)
	if err != nil {
		b.Fatal(err)
	}
	return left
}

func (b *bed) has(want bool, when string) {
	b.Helper()
	if got := b.may(); got != want {
		b.Errorf("%s: the worker may write: %v", when, got)
	}
}

func lost(service, operation string) sim.Fault {
	return sim.Fault{Service: service, Operation: operation, Nth: 1, Times: 1, Do: sim.DoLost}
}

func (b *bed) fault(operation string, do string, nth int) {
	b.Helper()
	if err := b.sim.AddFaults(sim.Fault{Service: "arm", Operation: operation, Nth: nth, Times: 1, Do: do}); err != nil {
		b.Fatal(err)
	}
}

func why(err error) string {
	e, ok := err.(*driver.Error)
	if !ok {
		return fmt.Sprint(err)
	}
	return e.Error() + "; " + e.Hint
}
