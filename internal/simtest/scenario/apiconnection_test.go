package scenario

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// An API connection to a connector of our own, which takes the scenarios' token as it is.
const (
	apiConnection   = "deploy-api"
	apiConnectionID = "workflow"
	apiParameter    = "accessToken"
)

func apiConnectionPath() string {
	return "/subscriptions/" + world.SubscriptionID + "/resourceGroups/" + world.ResourceGroupApps + "/providers/Microsoft.Web/connections/" + apiConnection
}

// withAPIConnection adds it to the world. It holds a token that somebody made by hand.
func withAPIConnection(s *world.State) {
	s.Connections = append(s.Connections, &world.Connection{
		Name: apiConnection, SubscriptionID: world.SubscriptionID, ResourceGroup: world.ResourceGroupApps, Location: "westeurope", Kind: "V1", API: "deploy",
		DisplayName: "Deploy", Values: map[string]string{apiParameter: tokenOf(0)}, NonSecret: map[string]string{"region": "eu"}, Tags: map[string]string{"team": "deploy"},
	})
	s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f33",
		Scope: "/subscriptions/" + world.SubscriptionID + "/resourceGroups/" + world.ResourceGroupApps, RoleID: world.RoleLogicAppContributor, PrincipalID: rekeySP, PrincipalType: "ServicePrincipal"})
}

// connectionOperation names a call to an API connection.
func connectionOperation(r *http.Request) string {
	switch p := r.URL.Path; {
	case strings.HasSuffix(p, "/permissions"):
		return "ListPermissions"
	case strings.HasSuffix(p, "/testconnection"):
		return "TestConnection"
	}
	return map[string]string{"GET": "GetConnection", "PUT": "PutConnection"}[r.Method]
}

// connected plays a scenario whose credential the connection uses, which must work at every change.
func connected(t *testing.T, scenario func(b *bed)) {
	t.Helper()
	playIn(t, withAPIConnection, func(b *bed) {
		b.write(func(s *settings) {
			s.more = "consumers:\n  " + apiConnectionID + ":\n    apiConnection: {ids: [" + apiConnectionPath() + "], secretParameter: " + apiParameter + "}\n    cache: 2h"
		})
		remove := b.sim.OnAnswer(func(_, operation string, _ int) {
			if operation == "PutConnection" || operation == "RevokePat" {
				b.connectionWorks("after " + operation)
			}
		})
		defer remove()
		scenario(b)
		b.world(func(w *world.World) {
			c := w.Connection(world.SubscriptionID, world.ResourceGroupApps, apiConnection)
			if c.NonSecret["region"] != "eu" || c.Tags["team"] != "deploy" || c.DisplayName != "Deploy" || c.Kind != "V1" {
				b.Errorf("something of the connection was lost: %+v", *c)
			}
		})
	})
}

func (b *bed) connection() (v string) {
	b.world(func(w *world.World) {
		v = w.Connection(world.SubscriptionID, world.ResourceGroupApps, apiConnection).Value(apiParameter)
	})
	return v
}

func (b *bed) connectionWorks(when string) {
	v := b.connection()
	b.world(func(w *world.World) {
		if tried := w.Try(v, world.Target{Organization: "contoso"}); !tried.Works {
			b.Errorf("the connection stands still %s: %s", when, tried.Why)
		}
	})
}

func (b *bed) connectionNewest() {
	b.Helper()
	if b.connection() != b.newest().Value {
		b.Error("the connection is not on the newest publication")
	}
}

// joined has the first token published and told, and comes to the time of the second.
func (b *bed) joined() (old string) {
	b.Helper()
	b.apply().is(report.Done, "current").did("issue", "publish", "tell")
	b.connectionNewest()
	old = b.record().IssuerID
	b.pass(4*day + time.Minute)
	return old
}

func TestAnAPIConnectionIsToldTriedAndWeak(t *testing.T) {
	connected(t, func(b *bed) {
		old := b.joined()
		o := b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell")
		b.connectionNewest()
		if notes := strings.Join(o.cred().Notes, " "); !strings.Contains(notes, "cannot be read back") || !strings.Contains(notes, apiConnectionID+" cannot be tried") {
			b.Errorf("notes %q", notes)
		}
		b.world(func(w *world.World) {
			w.Connection(world.SubscriptionID, world.ResourceGroupApps, apiConnection).Values[apiParameter] = "typed wrongly"
		})
		b.apply().is(report.Waiting, "overlap").did("tell")
		b.connectionNewest()
		b.pass(day + time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		if b.lives(old) {
			b.Error("the old token lives on")
		}
		b.settle()
		b.connectionNewest()
	})
}

// sickConnection is what can go wrong with it.
var sickConnection = map[string]struct {
	does  sim.Fault
	error string
}{
	"it refuses":         {sim.Fault{Operation: "PutConnection", Do: sim.DoAnswer, Status: 400, Body: `{"error":{"code":"ParameterNotDefined","message":"no"}}`}, "rejected (ParameterNotDefined)"},
	"it is down":         {sim.Fault{Operation: "PutConnection", Do: sim.DoAnswer, Status: 503}, "ambiguous"},
	"it hangs":           {sim.Fault{Operation: "PutConnection", Do: sim.DoDelay, Delay: world.Duration(3 * time.Hour)}, "ambiguous"},
	"it breaks off":      {sim.Fault{Operation: "PutConnection", Do: sim.DoCut}, "ambiguous"},
	"it cannot be read":  {sim.Fault{Operation: "GetConnection", Do: sim.DoAnswer, Status: 500}, "unavailable"},
	"its test fails":     {sim.Fault{Operation: "TestConnection", Do: sim.DoAnswer, Status: 401, Body: `{"error":{"code":"Unauthorized","message":"no"}}`}, "cannot sign in with it"},
	"its test is broken": {sim.Fault{Operation: "TestConnection", Do: sim.DoAnswer, Status: 502}, "unavailable"},
}

func TestAnAPIConnectionThatCannotBeToldHoldsTheEndOfTheOldOne(t *testing.T) {
	for name, c := range sickConnection {
		t.Run(name, func(t *testing.T) {
			connected(t, func(b *bed) {
				b.neverRollsBack()
				old := b.joined()
				f := c.does
				f.Service = "connections"
				b.faults(f)
				o := b.apply()
				if strings.Contains(f.Operation, "Get") {
					o.is(report.Failed, "").did() // it is not issued what cannot be delivered
				} else {
					o.is(report.Failed, "")
				}
				if e := o.cred().Error; e == nil || !strings.Contains(e.Text, c.error) {
					b.Errorf("%v, want %q", o, c.error)
				}
				b.pass(day + time.Hour) // over the overlap
				b.apply().is(report.Failed, "")
				if !b.lives(old) {
					b.Error("the old token was revoked although the connection may use it")
				}
				b.struck()
				b.apply()
				b.pass(day + 3*time.Hour)
				b.settle()
				b.connectionNewest()
				if b.lives(old) {
					b.Error("the old token lives on")
				}
			})
		})
	}
}

func TestAnAPIConnectionThatAnswersWellAndDoesNothingIsSaidToHaveDoneNothing(t *testing.T) {
	connected(t, func(b *bed) {
		b.neverRollsBack()
		old := b.joined()
		deaf := func(on bool) { b.world(func(w *world.World) { w.Knobs.Connections.Ignore = on }) }
		deaf(true)
		for range 2 {
			o := b.apply().is(report.Failed, "")
			if e := o.cred().Error; e == nil || !strings.Contains(e.Text, "is not on the publication") {
				b.Errorf("%v", o)
			}
			b.pass(20 * time.Hour)
		}
		if !b.lives(old) {
			b.Error("the old token was revoked although the connection uses it")
		}
		deaf(false)
		b.apply()
		b.pass(3 * time.Hour)
		b.settle()
		b.connectionNewest()
	})
}

func TestARunThatIsKilledAnywhereAroundAnAPIConnectionLeavesWhatTheNextOneMends(t *testing.T) {
	for _, at := range []string{"ListPermissions", "GetConnection", "PutConnection", "TestConnection"} {
		for _, when := range []string{"before ", "after "} {
			t.Run(when+at, func(t *testing.T) {
				connected(t, func(b *bed) {
					b.joined()
					b.killedAt(when+at, 1, b.connectionWorks)
					b.connectionNewest()
				})
			})
		}
	}
}

func TestTwoRunsThatCrossAtAnAPIConnectionEndOnTheCurrentPublication(t *testing.T) {
	for _, meet := range []string{"before SetSecret", "after SetSecret", "before PutConnection", "after PutConnection", "after GetConnection"} {
		t.Run(meet, func(t *testing.T) {
			connected(t, func(b *bed) {
				b.joined()
				b.twoMeet(meet)
				b.connectionWorks("after both")
				b.apply()
				b.settle()
				b.connectionNewest()
			})
		})
	}
}
