package pipelines_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

var endpointOperations = simulated.Operations{"Preflight": "devops GetServiceEndpoint", "Read": "devops GetServiceEndpoint", "Write": "devops UpdateServiceEndpoint", "Test": "devops TestServiceEndpoint"}

func TestServiceConnectionsAreConsumers(t *testing.T) {
	for name, c := range map[string]struct {
		id   string
		weak bool
	}{
		"azurerm with a key, shared by two projects": {id: world.EndpointShared},
		"azuredevops with a token":                   {id: world.EndpointDevOps},
		"externaltfs with a token":                   {id: world.EndpointTFS},
		"a NuGet feed with a key":                    {id: world.EndpointFeed},
		"generic with a password":                    {id: world.EndpointGeneric, weak: true},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Consumer(t, func(t *testing.T) drivertest.ConsumerBed {
				s := serve(t)
				connection := func(app, id string) driver.Consumer {
					return pipelines.NewConnection("conformance", as(s, app), pipelines.ConnectionSettings{Organization: "contoso", Project: project, ID: id}, pipelines.Use{})
				}
				endpoint := func(f func(e *world.ServiceEndpoint)) {
					locked(s, func(_ *world.World, o *world.Organization) bool { f(o.Endpoint(c.id)); return true })
				}
				knobs := func(f func(k *world.EndpointKnobs)) {
					locked(s, func(w *world.World, _ *world.Organization) bool { f(&w.Knobs.Endpoints); return true })
				}
				return drivertest.ConsumerBed{
					Consumer: connection(manager, c.id), Twin: connection(manager, c.id), Powerless: connection(member, c.id),
					Absent:  connection(manager, "00000000-0000-4000-8000-000000000001"),
					Service: simulated.Service(s, endpointOperations, refusal),
					Value:   func() string { return mint(s, c.id) },
					Holds: func() (v string) {
						endpoint(func(e *world.ServiceEndpoint) { _, v = e.Credential() })
						return v
					},
					Rest: func() (rest string) {
						endpoint(func(e *world.ServiceEndpoint) { rest = restOf(t, e) })
						return rest
					},
					Replace: func(v string) {
						endpoint(func(e *world.ServiceEndpoint) {
							key, _ := e.Credential()
							e.Parameters[key] = v
						})
					},
					Deaf:  func() { knobs(func(k *world.EndpointKnobs) { k.Ignore = true }) },
					Slow:  func(d time.Duration) { knobs(func(k *world.EndpointKnobs) { k.BusyFor = world.Duration(d) }) },
					Weak:  c.weak,
					Lapse: simulated.Lapse,
				}
			})
		})
	}
}

// mint makes a new credential that works for a connection: a client secret, or a PAT.
func mint(s *sim.Server, id string) string {
	return locked(s, func(w *world.World, o *world.Organization) string {
		use := o.Endpoint(id).Use()
		if use.ClientID == "" {
			return mintPAT(w, use.Organization)
		}
		for _, a := range w.Apps {
			if a.ClientID == use.ClientID {
				v := w.MintClientSecret()
				a.Secrets = append(a.Secrets, &world.PasswordCredential{KeyID: w.NewID(), Start: w.Now().Add(-time.Hour), End: w.Now().AddDate(1, 0, 0), Value: v})
				return v
			}
		}
		panic("nothing to mint")
	})
}

func mintPAT(w *world.World, organization string) string {
	for _, o := range w.Organizations {
		if o.Name == organization {
			p := &world.PAT{AuthorizationID: w.NewID(), OwnerID: w.Users[0].ID, Name: "conformance", Scope: "vso.code", ValidFrom: w.Now(), ValidTo: w.Now().AddDate(0, 6, 0), Token: w.MintPAT()}
			o.PATs = append(o.PATs, p)
			return p.Token
		}
	}
	panic("no such organisation")
}

// restOf is a connection without its secret, its marks, and what every change changes.
func restOf(t *testing.T, e *world.ServiceEndpoint) string {
	t.Helper()
	c := *e
	c.Parameters = maps.Clone(e.Parameters)
	key, _ := e.Credential()
	delete(c.Parameters, key)
	c.ModifiedBy, c.Modified, c.BusyUntil, c.Description = "", time.Time{}, time.Time{}, ""
	c.Projects = nil
	for _, p := range e.Projects {
		r := *p
		r.Description, _, _ = strings.Cut(r.Description, " [rekey ")
		c.Projects = append(c.Projects, &r)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestVariableGroupsAreConsumers(t *testing.T) {
	const variable = "FabrikamPat"
	drivertest.Consumer(t, func(t *testing.T) drivertest.ConsumerBed {
		s := serve(t)
		group := func(app string, id int) driver.Consumer {
			return pipelines.NewGroup("conformance", as(s, app), pipelines.GroupSettings{Organization: "contoso", Project: project, ID: id, Variable: variable})
		}
		of := func(f func(g *world.VariableGroup) string) string {
			return locked(s, func(_ *world.World, o *world.Organization) string { return f(o.Group(world.GroupPlain)) })
		}
		return drivertest.ConsumerBed{
			Consumer: group(manager, world.GroupPlain), Twin: group(manager, world.GroupPlain), Powerless: group(member, world.GroupPlain), Absent: group(manager, 4711),
			Service: simulated.Service(s, simulated.Operations{"Preflight": "devops ListVariableGroups", "Read": "devops GetVariableGroup", "Write": "devops UpdateVariableGroup"}, refusal),
			Value: func() string {
				return locked(s, func(w *world.World, _ *world.Organization) string { return mintPAT(w, "fabrikam") })
			},
			Holds: func() string { return of(func(g *world.VariableGroup) string { return g.Variables[variable].Value }) },
			Rest: func() string {
				return of(func(g *world.VariableGroup) string {
					c := *g
					c.Variables = maps.Clone(g.Variables)
					delete(c.Variables, variable)
					delete(c.Variables, variable+".rekey")
					c.ModifiedBy, c.Modified = "", time.Time{}
					b, err := json.Marshal(c)
					if err != nil {
						panic(err)
					}
					return fmt.Sprintf("%s, the secret is one: %v", b, g.Variables[variable].Secret)
				})
			},
			Replace: func(v string) {
				of(func(g *world.VariableGroup) string { g.Variables[variable].Value = v; return "" })
			},
			Deaf: func() {
				locked(s, func(w *world.World, _ *world.Organization) bool {
					w.Knobs.VariableGroups.Ignore = true
					return true
				})
			},
			Weak:  true,
			Lapse: simulated.Lapse,
		}
	})
}
