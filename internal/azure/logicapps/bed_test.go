package logicapps_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// Applications that sign in here: one that may change API connections, one that may look at everything.
const operator, reader = "operator", "reader"

func group() string {
	return "/subscriptions/" + world.SubscriptionID + "/resourceGroups/" + world.ResourceGroupApps
}

// serve makes an Azure with both.
func serve(t testing.TB) *sim.Server {
	t.Helper()
	state := world.BuiltIn()
	for i, x := range []struct{ name, role string }{{operator, world.RoleLogicAppContributor}, {reader, world.RoleReader}} {
		sp := fmt.Sprintf("00000000-0000-4000-8000-0000000000a%d", 3*i)
		secret := world.Canary + x.name
		state.Apps = append(state.Apps, &world.App{ID: fmt.Sprintf("00000000-0000-4000-8000-0000000000a%d", 3*i+1), ClientID: fmt.Sprintf("00000000-0000-4000-8000-0000000000a%d", 3*i+2), TenantID: world.TenantID,
			Name: x.name, ServicePrincipalID: sp, ClientSecret: secret,
			Secrets: []*world.PasswordCredential{{KeyID: "k", Start: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2199, 9, 1, 0, 0, 0, 0, time.UTC), Value: secret}}})
		state.RoleAssignments = append(state.RoleAssignments, &world.RoleAssignment{Name: fmt.Sprintf("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2cf%d", i), Scope: group(), RoleID: x.role, PrincipalID: sp, PrincipalType: "ServicePrincipal"})
	}
	s, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// as makes a client of its own for an application.
func as(s *sim.Server, app string) *azhttp.Resources {
	client := azhttp.NewClient(s.Transport(), nil)
	cred := azhttp.NewCredential(app, &simulated.SignIn{Sim: s, App: app})
	return azhttp.NewResources(client.Renewing(client.Options(cloud.AzurePublic), cred), cred)
}

// locked calls f with the world.
func locked[T any](s *sim.Server, f func(w *world.World) T) T {
	w := s.World()
	w.Lock()
	defer w.Unlock()
	return f(w)
}

func publication(n byte) rotation.Publication {
	return rotation.NewPublication(time.Unix(1e9, 0), [5]byte{n})
}

func value(s string) secret.Value { return secret.New([]byte(s)) }

// mint makes a new secret of an application.
func mint(s *sim.Server, clientID string) string {
	return locked(s, func(w *world.World) string {
		for _, a := range w.Apps {
			if a.ClientID == clientID {
				v := w.MintClientSecret()
				a.Secrets = append(a.Secrets, &world.PasswordCredential{KeyID: w.NewID(), Start: w.Now().Add(-time.Hour), End: w.Now().AddDate(1, 0, 0), Value: v})
				return v
			}
		}
		panic("nothing to mint")
	})
}

// refusal is how Resource Manager says no.
func refusal(f drivertest.Fault, message string) string {
	code := map[drivertest.Fault]string{drivertest.Unavailable: "ServiceUnavailable", drivertest.Refused: "InvalidRequestContent", drivertest.Denied: "AuthorizationFailed"}[f]
	return fmt.Sprintf(`{"error":{"code":%q,"message":%s}}`, code, message)
}
