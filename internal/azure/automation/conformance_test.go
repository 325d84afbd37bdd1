package automation_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/automation"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	byID    = "Update-ShopCredential"
	byValue = "Set-ReportingSecret"
	shopID  = "https://kv-apps.vault.azure.net/secrets/shop-web"
)

func settings(name string) automation.RunbookSettings {
	return automation.RunbookSettings{Account: accountID(), Name: name, IDParameter: "SecretId", Timeout: 15 * time.Minute}
}

// published puts a value into the vault before it is told, as every run does.
type published struct {
	driver.Consumer
	s *sim.Server
}

func (p published) Tell(ctx context.Context, publication rotation.Publication, v secret.Value) (rotation.ConsumerState, error) {
	if ctx.Err() == nil {
		_ = v.Use(func(b []byte) error { publish(p.s, string(b)); return nil })
	}
	return p.Consumer.Tell(ctx, publication, v)
}

func publish(s *sim.Server, v string) {
	locked(s, func(w *world.World, _ *world.AutomationAccount) bool {
		_, x := w.SecretAt(shopID, w.Now())
		x.Value = v
		w.Remember(v)
		return true
	})
}

func TestRunbooksAreConsumers(t *testing.T) {
	for name, c := range map[string]struct {
		settings automation.RunbookSettings
		client   string
	}{
		"given the id of the secret": {settings(byID), world.AppShop},
		"given the value, on a hybrid worker": {func() automation.RunbookSettings {
			s := settings(byValue)
			s.IncludeSecret, s.RunOn = true, world.WorkerGroupName
			return s
		}(), world.AppReporting},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Consumer(t, func(t *testing.T) drivertest.ConsumerBed {
				s := serve(t)
				runbook := func(app string, x automation.RunbookSettings) driver.Consumer {
					return published{automation.NewRunbook("conformance", as(s, app), x, shopID), s}
				}
				absent := c.settings
				absent.Name = "Not-There"
				return drivertest.ConsumerBed{
					Consumer: runbook(operator, c.settings), Twin: runbook(operator, c.settings), Powerless: runbook(reader, c.settings), Absent: runbook(operator, absent),
					Service: simulated.Service(s, simulated.Operations{"Preflight": "automation GetRunbook", "Read": "automation GetJob", "Write": "automation CreateJob"}, refusal),
					Value:   func() string { return mint(s, c.client) },
					Holds: func() string {
						return locked(s, func(_ *world.World, a *world.AutomationAccount) string { return a.Runbook(c.settings.Name).Holds })
					},
					Rest: func() string { return rest(s) },
					Replace: func(v string) {
						locked(s, func(_ *world.World, a *world.AutomationAccount) bool {
							a.Runbook(c.settings.Name).Holds = v
							return true
						})
					},
					Slow: func(d time.Duration) {
						locked(s, func(w *world.World, _ *world.AutomationAccount) bool {
							w.Knobs.Automation.JobTakes = world.Duration(d)
							return true
						})
					},
					Weak: true, Once: true, Lapse: simulated.Lapse,
				}
			})
		})
	}
}

// rest is the account without jobs, values, marks, and what every change changes.
func rest(s *sim.Server) string {
	return locked(s, func(_ *world.World, a *world.AutomationAccount) string {
		c := *a
		c.Jobs, c.Runbooks, c.Variables, c.Credentials = nil, nil, nil, nil
		for _, r := range a.Runbooks {
			x := *r
			x.Holds = ""
			c.Runbooks = append(c.Runbooks, &x)
		}
		for _, v := range a.Variables {
			x := *v
			if x.Encrypted {
				x.Value, x.Modified, x.Description = "", time.Time{}, ""
			}
			c.Variables = append(c.Variables, &x)
		}
		for _, v := range a.Credentials {
			x := *v
			x.Password, x.Modified, x.Description = "", time.Time{}, ""
			c.Credentials = append(c.Credentials, &x)
		}
		b, err := json.Marshal(c)
		if err != nil {
			panic(err)
		}
		return string(b)
	})
}

func TestAssetsAreConsumers(t *testing.T) {
	for name, c := range map[string]struct {
		consumer   func(s *sim.Server, app, name string) driver.Consumer
		asset      string
		operations simulated.Operations
		held       func(a *world.AutomationAccount) *string
		shown      func(string) string
	}{
		"an encrypted variable": {
			func(s *sim.Server, app, name string) driver.Consumer {
				return automation.NewVariable("conformance", as(s, app), automation.VariableSettings{Account: accountID(), Name: name})
			}, "ReportingSecret", simulated.Operations{"Preflight": "automation GetVariable", "Read": "automation GetVariable", "Write": "automation UpdateVariable"},
			func(a *world.AutomationAccount) *string { return &a.Variable("ReportingSecret").Value },
			func(v string) string { b, _ := json.Marshal(v); return string(b) },
		},
		"a credential": {
			func(s *sim.Server, app, name string) driver.Consumer {
				return automation.NewCredential("conformance", as(s, app), automation.CredentialSettings{Account: accountID(), Name: name})
			}, "Reporting", simulated.Operations{"Preflight": "automation GetCredential", "Read": "automation GetCredential", "Write": "automation UpdateCredential"},
			func(a *world.AutomationAccount) *string { return &a.Credential("Reporting").Password },
			func(v string) string { return v },
		},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Consumer(t, func(t *testing.T) drivertest.ConsumerBed {
				s := serve(t)
				return drivertest.ConsumerBed{
					Consumer: c.consumer(s, operator, c.asset), Twin: c.consumer(s, operator, c.asset), Powerless: c.consumer(s, reader, c.asset), Absent: c.consumer(s, operator, "NotThere"),
					Service: simulated.Service(s, c.operations, refusal),
					Value:   func() string { return mint(s, world.AppReporting) },
					Holds: func() string {
						return locked(s, func(_ *world.World, a *world.AutomationAccount) string {
							v := *c.held(a)
							var text string
							if c.shown("x") != "x" && json.Unmarshal([]byte(v), &text) == nil {
								return text
							}
							return v
						})
					},
					Rest: func() string { return rest(s) },
					Replace: func(v string) {
						locked(s, func(_ *world.World, a *world.AutomationAccount) bool { *c.held(a) = c.shown(v); return true })
					},
					Deaf: func() {
						locked(s, func(w *world.World, _ *world.AutomationAccount) bool { w.Knobs.Automation.Ignore = true; return true })
					},
					Weak: true, Lapse: simulated.Lapse,
				}
			})
		})
	}
}
