package pipelines_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const project = "platform"

// Applications that sign in here: one that may change what the tests are about, one that is a member and may use it.
const manager, member = "consumer", "ci-worker"

// serve makes an Azure in which both are members of contoso.
func serve(t testing.TB) *sim.Server {
	t.Helper()
	state := world.BuiltIn()
	state.Apps = append(state.Apps, &world.App{ID: "00000000-0000-4000-8000-0000000000a1", ClientID: "00000000-0000-4000-8000-0000000000a2", TenantID: world.TenantID,
		Name: member, ServicePrincipalID: "00000000-0000-4000-8000-0000000000a3", ClientSecret: world.Canary + "member"})
	var manages string
	for _, a := range state.Apps {
		if a.Name == member {
			a.Secrets = []*world.PasswordCredential{{KeyID: "k", Start: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2199, 9, 1, 0, 0, 0, 0, time.UTC), Value: a.ClientSecret}}
		}
		if a.Name == manager {
			manages = a.ServicePrincipalID
		}
	}
	org := state.Organizations[0]
	org.Members = append(org.Members, manages, "00000000-0000-4000-8000-0000000000a3")
	for _, e := range org.ServiceEndpoints {
		e.Administrators = append(e.Administrators, manages)
		e.Users = append(e.Users, "00000000-0000-4000-8000-0000000000a3")
		e.More = map[string]json.RawMessage{"serviceManagementReference": json.RawMessage(`"team-7"`)}
		for _, p := range e.Projects {
			if p.Description == "" {
				p.Description = "made by hand [do not touch]"
			}
		}
	}
	for _, g := range org.VariableGroups {
		g.Administrators = append(g.Administrators, manages)
	}
	s, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// as makes a client of its own for an application.
func as(s *sim.Server, app string) *pipelines.Client {
	client := azhttp.NewClient(s.Transport(), nil)
	return pipelines.NewClient(client.Options(cloud.AzurePublic), azhttp.NewCredential(app, &simulated.SignIn{Sim: s, App: app}))
}

// locked calls f with the first organisation.
func locked[T any](s *sim.Server, f func(w *world.World, o *world.Organization) T) T {
	w := s.World()
	w.Lock()
	defer w.Unlock()
	return f(w, w.Organizations[0])
}

// refusal is how Azure DevOps says no.
func refusal(f drivertest.Fault, message string) string {
	code := map[drivertest.Fault]string{drivertest.Unavailable: "ServiceUnavailableException", drivertest.Refused: "ServiceEndpointException", drivertest.Denied: "AccessCheckException"}[f]
	return fmt.Sprintf(`{"$id":"1","typeKey":%q,"message":%s}`, code, message)
}
