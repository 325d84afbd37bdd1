package pipelines_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func connection(s *sim.Server, id string, use pipelines.Use) *pipelines.Connection {
	return pipelines.NewConnection("c", as(s, manager), pipelines.ConnectionSettings{Organization: "contoso", Project: project, ID: id}, use)
}

func group(c *pipelines.Client, id int, variable string) *pipelines.Group {
	return pipelines.NewGroup("g", c, pipelines.GroupSettings{Organization: "contoso", Project: project, ID: id, Variable: variable})
}

func publication(n byte) rotation.Publication {
	return rotation.NewPublication(time.Unix(1e9, 0), [5]byte{n})
}

func value(s string) secret.Value { return secret.New([]byte(s)) }

func TestWhatCannotBeToldIsRefusedInPreflightAndByATellWithWhatToDo(t *testing.T) {
	set := func(member, to string) func(*world.ServiceEndpoint) {
		return func(e *world.ServiceEndpoint) {
			switch member {
			case "scheme":
				e.Scheme = to
			default:
				e.Parameters[member] = to
			}
		}
	}
	for name, c := range map[string]struct {
		consumer func(s *sim.Server) driver.Consumer
		change   func(*world.ServiceEndpoint)
		want     string
	}{
		"an Automatic connection": {consumer: func(s *sim.Server) driver.Consumer {
			return connection(s, world.EndpointAutomatic, pipelines.Use{})
		}, want: "workload identity federation"},
		"a federated connection": {consumer: func(s *sim.Server) driver.Consumer {
			return connection(s, world.EndpointShared, pipelines.Use{})
		}, change: set("scheme", "WorkloadIdentityFederation"), want: "take it out"},
		"a managed identity's": {consumer: func(s *sim.Server) driver.Consumer {
			return connection(s, world.EndpointShared, pipelines.Use{})
		}, change: set("scheme", "ManagedServiceIdentity"), want: "take it out"},
		"one with a certificate": {consumer: func(s *sim.Server) driver.Consumer {
			return connection(s, world.EndpointShared, pipelines.Use{})
		}, change: set("authenticationType", "spnCertificate"), want: "a certificate is none of them"},
		"a PAT for a connection to Azure": {consumer: func(s *sim.Server) driver.Consumer {
			return connection(s, world.EndpointShared, pipelines.Use{Organization: "fabrikam"})
		}, want: "holds a PAT"},
		"another application's secret": {consumer: func(s *sim.Server) driver.Consumer {
			return connection(s, world.EndpointShared, pipelines.Use{ClientID: world.AppShop})
		}, want: "of that application"},
		"another organisation's PAT": {consumer: func(s *sim.Server) driver.Consumer {
			return connection(s, world.EndpointFeed, pipelines.Use{Organization: "contoso"})
		}, want: "service connection to contoso"},
		"a group that is linked to a vault": {consumer: func(s *sim.Server) driver.Consumer {
			return group(as(s, manager), world.GroupVault, "shop-web")
		}, want: "stored in that vault"},
		"a variable that is not there": {consumer: func(s *sim.Server) driver.Consumer {
			return group(as(s, manager), world.GroupPlain, "FabrikamPAT2")
		}, want: "add a secret variable"},
		"a variable that everybody can read": {consumer: func(s *sim.Server) driver.Consumer {
			return group(as(s, manager), world.GroupPlain, "ApiUrl")
		}, want: "to secret"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				if c.change != nil {
					locked(s, func(_ *world.World, o *world.Organization) bool {
						c.change(o.Endpoint(world.EndpointShared))
						return true
					})
				}
				writes := 0
				s.OnAnswer(func(_, operation string, _ int) {
					if strings.HasPrefix(operation, "Update") {
						writes++
					}
				})
				consumer := c.consumer(s)
				_, told := consumer.Tell(t.Context(), publication(1), value("v"))
				for what, err := range map[string]error{"Preflight": consumer.Preflight(t.Context()), "Tell": told} {
					var e *driver.Error
					if !errors.As(err, &e) || e.Kind != driver.Rejected || !e.Person || !strings.Contains(e.Hint, c.want) {
						t.Errorf("%s: %v, want a hint with %q", what, err, c.want)
					}
				}
				if writes > 0 {
					t.Error("it was written")
				}
			})
		})
	}
}

func TestACredentialThatFitsItsConnectionPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		for id, use := range map[string]pipelines.Use{
			world.EndpointShared: {ClientID: world.AppDeploy}, world.EndpointDevOps: {Organization: "Fabrikam"}, world.EndpointTFS: {Organization: "fabrikam"},
			world.EndpointFeed: {Organization: "fabrikam"}, world.EndpointGeneric: {Organization: "fabrikam"},
		} {
			if err := connection(s, id, use).Preflight(t.Context()); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}

func TestWhatAPreflightSawServesOneTellWithinAMinute(t *testing.T) {
	for name, c := range map[string]struct {
		wait  time.Duration
		tells int
		reads int
	}{
		"the tell that follows":    {30 * time.Second, 1, 1},
		"a tell after over it":     {61 * time.Second, 1, 2},
		"and never the next one":   {0, 2, 2},
		"nor one without the look": {0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				reads := 0
				s.OnAnswer(func(_, operation string, _ int) {
					if operation == "GetServiceEndpoint" {
						reads++
					}
				})
				consumer := connection(s, world.EndpointDevOps, pipelines.Use{})
				if err := consumer.Preflight(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.wait)
				start := time.Now().Truncate(time.Second)
				for range c.tells {
					state, err := consumer.Tell(t.Context(), publication(1), value(mint(s, world.EndpointDevOps)))
					if err != nil || !state.Works {
						t.Fatalf("%+v %v", state, err)
					}
					if d := state.Told.Sub(start).Abs(); d > 2*time.Second {
						t.Errorf("told at %v, it is %v", state.Told, start)
					}
				}
				if reads != c.reads {
					t.Errorf("read %d times, want %d", reads, c.reads)
				}
			})
		})
	}
}

func TestTwoSecretsOfOneGroupThatAreToldAtOnceBothStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		if err := s.AddFaults(sim.Fault{Service: "devops", Operation: "UpdateVariableGroup", Do: sim.DoDelay, Delay: world.Duration(time.Second)}); err != nil {
			t.Fatal(err)
		}
		client := as(s, manager)
		variables := []string{"FabrikamPat", "ReportingClientSecret"}
		var wg sync.WaitGroup
		for _, v := range variables {
			wg.Go(func() {
				if state, err := group(client, world.GroupPlain, v).Tell(t.Context(), publication(1), value("value of "+v)); err != nil || !state.Works {
					t.Errorf("%s: %+v %v", v, state, err)
				}
			})
		}
		wg.Wait()
		for _, v := range variables {
			state, err := group(client, world.GroupPlain, v).State(t.Context(), nil)
			held := locked(s, func(_ *world.World, o *world.Organization) string {
				return o.Group(world.GroupPlain).Variables[v].Value
			})
			if err != nil || state.Publication != publication(1) || held != "value of "+v {
				t.Errorf("%s is on %q, %v", v, state.Publication, err)
			}
		}
	})
}

func TestAConnectionIsToldThroughAnyOfItsProjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		through := func(project string) driver.Consumer {
			return pipelines.NewConnection("c", as(s, manager), pipelines.ConnectionSettings{Organization: "contoso", Project: project, ID: world.EndpointShared}, pipelines.Use{})
		}
		for n, project := range []string{"apps", "platform", "3C8E5B72-9D14-4F6A-8B2E-7A5C1D9E4F31"} {
			state, err := through(project).Tell(t.Context(), publication(byte(n)), value(mint(s, world.EndpointShared)))
			if err != nil || !state.Works || state.Publication != publication(byte(n)) {
				t.Errorf("%s: %+v %v", project, state, err)
			}
			state, err = through(project).State(t.Context(), nil)
			if err != nil || state.Publication != publication(byte(n)) {
				t.Errorf("%s: on %q, %v", project, state.Publication, err)
			}
		}
		names := locked(s, func(_ *world.World, o *world.Organization) string {
			b, _ := json.Marshal(o.Endpoint(world.EndpointShared).Projects)
			return string(b)
		})
		if !strings.Contains(names, `"azure-from-platform"`) || !strings.Contains(names, `"azure-production"`) || !strings.Contains(names, "shared by platform") {
			t.Errorf("projects are %s", names)
		}
	})
}

func TestAMarkThatAPersonSpoiltCountsForNothing(t *testing.T) {
	const mark = "[rekey 01m7y2pqh4tqpq43th 2026-11-21T10:00:00Z]"
	for description, want := range map[string]rotation.Publication{
		"": "", "made by hand": "", "[rekey]": "", "[rekey now]": "", mark: "01m7y2pqh4tqpq43th", "by hand " + mark: "01m7y2pqh4tqpq43th",
		mark + " and more": "01m7y2pqh4tqpq43th", "[rekey 01m7y2pqh4tqpq43th]": "01m7y2pqh4tqpq43th", mark + mark: "",
		"[rekey 01m7y2pqh4tqpq43th 2026-13-45T10:00:00Z]": "", "[rekey 01M7Y2PQH4TQPQ43TH]": "",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t)
			locked(s, func(_ *world.World, o *world.Organization) bool {
				e := o.Endpoint(world.EndpointGeneric)
				e.Description, e.Projects[0].Description = description, description
				return true
			})
			state, err := connection(s, world.EndpointGeneric, pipelines.Use{}).State(t.Context(), nil)
			if err != nil || state.Publication != want {
				t.Errorf("%q: on %q, %v; want %q", description, state.Publication, err, want)
			}
		})
	}
}
