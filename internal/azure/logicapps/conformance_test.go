package logicapps_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/logicapps"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const flat, inSet = "reporting-keyvault", "warehouse-sql"

func settings(names ...string) logicapps.Settings {
	s := logicapps.Settings{Secret: "token:clientSecret", Client: "token:clientId", TenantName: "token:TenantId"}
	for _, n := range names {
		s.IDs = append(s.IDs, group()+"/providers/Microsoft.Web/connections/"+n)
	}
	return s
}

var use = logicapps.Use{ClientID: world.AppReporting, Tenant: world.TenantID}

func find(w *world.World, name string) *world.Connection {
	return w.Connection(world.SubscriptionID, world.ResourceGroupApps, name)
}

func knobs(s *sim.Server, f func(k *world.ConnectionKnobs)) {
	locked(s, func(w *world.World) bool { f(&w.Knobs.Connections); return true })
}

func TestAPIConnectionsAreConsumers(t *testing.T) {
	for name, c := range map[string]struct {
		connection string
		untried    bool
	}{
		"with flat values":     {connection: flat},
		"with a set of values": {connection: inSet},
		"that nobody can try":  {connection: flat, untried: true},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Consumer(t, func(t *testing.T) drivertest.ConsumerBed {
				s := serve(t)
				if c.untried {
					knobs(s, func(k *world.ConnectionKnobs) { k.NoTestLinks = true })
				}
				connection := func(app, name string) driver.Consumer {
					return logicapps.New("conformance", as(s, app), settings(name), use)
				}
				return drivertest.ConsumerBed{
					Consumer: connection(operator, c.connection), Twin: connection(operator, c.connection), Powerless: connection(reader, c.connection), Absent: connection(operator, "not-there"),
					Service: simulated.Service(s, simulated.Operations{"Preflight": "connections GetConnection", "Read": "connections GetConnection", "Write": "connections PutConnection", "Test": "connections TestConnection"}, refusal),
					Value:   func() string { return mint(s, world.AppReporting) },
					Holds:   func() string { return held(s, c.connection) },
					Rest:    func() string { return rest(s) },
					Replace: func(v string) {
						locked(s, func(w *world.World) bool { find(w, c.connection).Values["token:clientSecret"] = v; return true })
					},
					Deaf: func() { knobs(s, func(k *world.ConnectionKnobs) { k.Ignore = true }) },
					Weak: true, Tried: !c.untried, Lapse: simulated.Lapse,
				}
			})
		})
	}
}

func held(s *sim.Server, name string) string {
	return locked(s, func(w *world.World) string { _, v := find(w, name).Credential(); return v })
}

// rest is every connection without its secret, its mark, and what every change changes.
func rest(s *sim.Server) string {
	return locked(s, func(w *world.World) string {
		var out []world.Connection
		for _, c := range w.Connections {
			x := *c
			x.Values, x.Tags = maps.Clone(c.Values), maps.Clone(c.Tags)
			delete(x.Values, "token:clientSecret")
			delete(x.Tags, "rekey")
			if len(x.Tags) == 0 {
				x.Tags = nil
			}
			x.Changed, x.Refused = time.Time{}, false
			out = append(out, x)
		}
		b, err := json.Marshal(out)
		if err != nil {
			panic(err)
		}
		return string(b)
	})
}

func TestSeveralConnectionsAreToldAtOnceAndAreTogetherOnTheOldestPublication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		locked(s, func(w *world.World) bool { find(w, flat).Tags = map[string]string{"team": "finance"}; return true })
		c := logicapps.New("c", as(s, operator), settings(flat, inSet), use)
		v := mint(s, world.AppReporting)
		if state, err := c.Tell(t.Context(), publication(1), value(v)); err != nil || state.Publication != publication(1) || !state.Works || !state.Weak {
			t.Fatalf("%+v %v", state, err)
		}
		if held(s, flat) != v || held(s, inSet) != v {
			t.Error("one of them does not hold it")
		}
		if team := locked(s, func(w *world.World) string { return find(w, flat).Tags["team"] }); team != "finance" {
			t.Errorf("the tag of people is %q", team)
		}
		one := logicapps.New("c", as(s, operator), settings(flat), use)
		if _, err := one.Tell(t.Context(), publication(2), value(v)); err != nil {
			t.Fatal(err)
		}
		if state, err := c.State(t.Context(), nil); err != nil || state.Publication != publication(1) {
			t.Errorf("%+v %v", state, err)
		}
		locked(s, func(w *world.World) bool { find(w, inSet).Values["token:clientSecret"] = "typed"; return true })
		if state, err := c.State(t.Context(), nil); err != nil || state.Works || !strings.Contains(state.Why, inSet) {
			t.Errorf("%+v %v", state, err)
		}
	})
}

func TestOneConnectionThatIsRefusedKeepsNoOtherAndIsNoWorkUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		if err := s.AddFaults(sim.Fault{Service: "connections", Operation: "PutConnection", Nth: 1, Times: 1, Do: sim.DoAnswer, Status: 400, Body: `{"error":{"code":"ParameterNotDefined","message":"no"}}`}); err != nil {
			t.Fatal(err)
		}
		c, v := logicapps.New("c", as(s, operator), settings(flat, inSet), use), mint(s, world.AppReporting)
		_, err := c.Tell(t.Context(), publication(1), value(v))
		if driver.KindOf(err) != driver.Ambiguous || driver.NotApplied(err) || !strings.Contains(err.Error(), "ParameterNotDefined") {
			t.Errorf("%v", err)
		}
		if held(s, flat) == v || held(s, inSet) != v {
			t.Error("not the second one alone was told")
		}
		if state, err := c.State(t.Context(), nil); err != nil || state.Publication != "" {
			t.Errorf("%+v %v", state, err)
		}
		if state, err := c.Tell(t.Context(), publication(1), value(v)); err != nil || !state.Works {
			t.Errorf("%+v %v", state, err)
		}
	})
}

func TestAConnectionThatNothingCanBeToldIsRefusedWithWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		use      logicapps.Use
		settings func(*logicapps.Settings)
		change   func(*world.Connection)
		want     string
	}{
		"a managed identity's":             {use: use, change: func(c *world.Connection) { c.Set = "managedIdentityAuth" }, want: "take it out"},
		"an application that nobody names": {want: "name the application's clientId"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				if c.change != nil {
					locked(s, func(w *world.World) bool { c.change(find(w, flat)); return true })
				}
				x := logicapps.New("c", as(s, operator), settings(flat), c.use)
				_, told := x.Tell(t.Context(), publication(1), value("v"))
				for what, err := range map[string]error{"Preflight": x.Preflight(t.Context()), "Tell": told} {
					var e *driver.Error
					if !errors.As(err, &e) || e.Kind != driver.Rejected || !e.Person || !strings.Contains(e.Hint, c.want) {
						t.Errorf("%s: %v", what, err)
					}
				}
			})
		})
	}
}

func TestOtherConnectorsAreGivenTheirOwnParametersAndNoClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		x := settings(flat)
		x.Secret, x.Values = "accessKey", map[string]string{"accountName": "storage1"}
		c := logicapps.New("c", as(s, operator), x, logicapps.Use{})
		if state, err := c.Tell(t.Context(), publication(1), value(`a "key" <&>`)); err != nil || state.Publication != publication(1) {
			t.Fatalf("%+v %v", state, err)
		}
		got := locked(s, func(w *world.World) map[string]string { return find(w, flat).Values })
		if want := map[string]string{"accessKey": `a "key" <&>`, "accountName": "storage1"}; !maps.Equal(got, want) {
			t.Errorf("%v", got)
		}
	})
}

func TestAStatusOfErrorIsNoStateThatWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		x := settings(flat)
		x.ParameterSet = "unread" // a set that the connector does not know: its client is lost
		x.Secret = "other"
		c := logicapps.New("c", as(s, operator), x, use)
		locked(s, func(w *world.World) bool { w.Knobs.Connections.NoTestLinks = true; return true })
		if _, err := c.Tell(t.Context(), publication(1), value("v")); err != nil {
			t.Fatal(err)
		}
		locked(s, func(w *world.World) bool { find(w, flat).Broken = true; return true })
		if state, err := c.State(t.Context(), []rotation.Publication{publication(1)}); err != nil || state.Works || !strings.Contains(state.Why, "ConfigurationNeeded") {
			t.Errorf("%+v %v", state, err)
		}
	})
}
