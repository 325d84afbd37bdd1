package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// The scenarios' credential is a PAT for contoso, and so its consumers are here: a service connection that can be
// tried, and a variable group that cannot.
const (
	toldConnection = "5c0a9c1e-3b7d-4f0e-9d56-1e2f3a4b5caa"
	toldGroup      = 70
	toldVariable   = "DEPLOY_PAT"
	connectionID   = "production"
	groupID        = "library"
)

const toldYAML = `consumers:
  production:
    serviceConnection: {organization: contoso, project: platform, id: ` + toldConnection + `}
  library:
    variableGroup: {organization: contoso, project: platform, id: 70, variable: DEPLOY_PAT}
    cache: 2h`

// withConsumers adds both to the world. They hold a token that somebody made by hand.
func withConsumers(s *world.State) {
	org := s.Organizations[0]
	org.Members = append(org.Members, rekeySP)
	in := []*world.ProjectReference{{ProjectID: org.Projects[0].ID, Name: "deploy"}}
	use := world.Target{Organization: "contoso"}
	org.ServiceEndpoints = append(org.ServiceEndpoints, &world.ServiceEndpoint{
		ID: toldConnection, Name: "deploy", Type: "azuredevops", URL: "https://dev.azure.com/contoso", Owner: "library", Scheme: "Token",
		Parameters: map[string]string{"apitoken": tokenOf(0)}, Projects: in, Administrators: []string{rekeySP}, Description: "made by hand",
	})
	org.VariableGroups = append(org.VariableGroups, &world.VariableGroup{
		ID: toldGroup, Name: "deploy", Type: "Vsts", Projects: in, Administrators: []string{rekeySP},
		Variables: map[string]*world.Variable{toldVariable: {Value: tokenOf(0), Secret: true, Use: use}, "OTHER": {Value: "kept " + world.Canary, Secret: true, Use: world.Target{Secret: "none"}}, "URL": {Value: "https://x"}},
	})
}

// tellers plays a scenario whose credential has both consumers, and at whose every change both must work.
func tellers(t *testing.T, change func(*world.State), scenario func(b *bed)) {
	t.Helper()
	playIn(t, func(s *world.State) {
		withConsumers(s)
		if change != nil {
			change(s)
		}
	}, func(b *bed) {
		b.write(func(s *settings) { s.more = toldYAML })
		remove := b.sim.OnAnswer(func(_, operation string, _ int) {
			if strings.HasPrefix(operation, "Update") || operation == "RevokePat" {
				b.bothWork("after " + operation)
			}
		})
		defer remove()
		scenario(b)
		if other := b.held(toldGroup, "OTHER"); other != "kept "+world.Canary {
			b.Error("another secret of the group was lost")
		}
	})
}

// neverRollsBack lets consumers stand still for as long as they like.
func (b *bed) neverRollsBack() {
	b.Helper()
	b.write(func(s *settings) { s.more += "\nrollbackAfter: 30d" })
}

// held is what a consumer holds: a variable of the group, or the connection's token.
func (b *bed) held(group int, variable string) (v string) {
	b.world(func(w *world.World) {
		if group != 0 {
			v = w.Organizations[0].Group(group).Variables[variable].Value
			return
		}
		_, v = w.Organizations[0].Endpoint(toldConnection).Credential()
	})
	return v
}

// bothWork fails the test if a consumer holds what does not work.
func (b *bed) bothWork(when string) {
	for what, v := range map[string]string{connectionID: b.held(0, ""), groupID: b.held(toldGroup, toldVariable)} {
		b.world(func(w *world.World) {
			if tried := w.Try(v, world.Target{Organization: "contoso"}); !tried.Works {
				b.Errorf("%s stands still %s: %s", what, when, tried.Why)
			}
		})
	}
}

// onNewest fails the test unless both hold the newest version's value.
func (b *bed) onNewest() {
	b.Helper()
	b.bothWork("at the end")
	want := b.newest().Value
	for what, v := range map[string]string{connectionID: b.held(0, ""), groupID: b.held(toldGroup, toldVariable)} {
		if v != want {
			b.Errorf("%s is not on the newest publication", what)
		}
	}
}

// told counts the ledger's tells of a consumer by how they ended.
func (b *bed) told(consumer string) string {
	b.Helper()
	n := map[ledger.Phase]int{}
	for _, e := range b.entries() {
		if e.Effect == "tell" && strings.HasPrefix(e.Target, consumer+", ") && e.Phase != ledger.Intended {
			n[e.Phase]++
		}
	}
	return fmt.Sprintf("%d done, %d failed, %d unknown", n[ledger.Done], n[ledger.Failed], n[ledger.Unknown])
}

// replaced has the first token published and told, and comes to the time of the second.
func (b *bed) replaced() (old string) {
	b.Helper()
	b.apply().is(report.Done, "current").did("issue", "publish", "tell", "tell")
	b.onNewest()
	old = b.record().IssuerID
	b.pass(4*day + time.Minute)
	return old
}

func (b *bed) lives(id string) bool {
	b.Helper()
	p := b.pat(id)
	return p.Revoked.IsZero() && b.now().Before(p.ValidTo)
}

func TestConsumersAreToldProvedAndThenTheOldOneEnds(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		old := b.replaced()
		o := b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell", "tell")
		b.onNewest()
		if !strings.Contains(strings.Join(o.cred().Notes, " "), "library cannot be tried") {
			b.Errorf("notes %q", o.cred().Notes)
		}
		if !b.lives(old) {
			b.Error("the old token is revoked within its overlap")
		}
		b.pass(day - time.Hour)
		b.apply().is(report.Waiting, "overlap").did()
		b.pass(time.Hour + time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		if b.lives(old) {
			b.Error("the old token lives on")
		}
		b.settle()
		b.onNewest()
	})
}

// sick is what a consumer can do wrong while the other one is well.
var sick = map[string]struct {
	operation string
	does      sim.Fault
	error     string
	ledger    string // of the sick one's tells, up to its recovery
}{
	"the connection refuses":       {"UpdateServiceEndpoint", sim.Fault{Do: sim.DoAnswer, Status: 400, Body: `{"typeKey":"ServiceEndpointException"}`}, "rejected", "failed"},
	"the connection is down":       {"UpdateServiceEndpoint", sim.Fault{Do: sim.DoAnswer, Status: 503}, "ambiguous", "unknown"},
	"the connection hangs":         {"UpdateServiceEndpoint", sim.Fault{Do: sim.DoDelay, Delay: world.Duration(3 * time.Hour)}, "ambiguous", "unknown"},
	"the connection breaks off":    {"UpdateServiceEndpoint", sim.Fault{Do: sim.DoCut}, "ambiguous", "unknown"},
	"the connection's test fails":  {"TestServiceEndpoint", sim.Fault{Do: sim.DoAnswer, Status: 200, Body: `{"statusCode":"unauthorized"}`}, "does not work with the newest publication yet", "done"},
	"the group refuses":            {"UpdateVariableGroup", sim.Fault{Do: sim.DoAnswer, Status: 400, Body: `{"typeKey":"InvalidRequestException"}`}, "rejected", "failed"},
	"the group hangs":              {"UpdateVariableGroup", sim.Fault{Do: sim.DoDelay, Delay: world.Duration(3 * time.Hour)}, "ambiguous", "unknown"},
	"the group cannot be read":     {"GetVariableGroup", sim.Fault{Do: sim.DoAnswer, Status: 500}, "unavailable", "failed"},
	"the group throttles for ever": {"UpdateVariableGroup", sim.Fault{Do: sim.DoThrottle, RetryAfter: "20"}, "throttled", "failed"},
}

func TestAConsumerThatCannotBeToldHoldsTheEndOfTheOldOneAndNoOtherConsumer(t *testing.T) {
	for name, c := range sick {
		t.Run(name, func(t *testing.T) {
			tellers(t, nil, func(b *bed) {
				b.neverRollsBack()
				old := b.replaced()
				f := c.does
				f.Service, f.Operation = "devops", c.operation
				b.faults(f)
				o := b.apply()
				o.is(report.Failed, "")
				if e := o.cred().Error; e == nil || !strings.Contains(e.Text, c.error) {
					b.Errorf("%v, want %q", o, c.error)
				}
				ill, well := connectionID, groupID
				if strings.Contains(c.operation, "Group") {
					ill, well = well, ill
				}
				if b.told(well) != "2 done, 0 failed, 0 unknown" {
					b.Errorf("the other one was told: %s", b.told(well))
				}
				b.pass(day + time.Hour) // over the overlap
				b.apply().is(report.Failed, "")
				if !b.lives(old) {
					b.Error("the old token was revoked although a consumer may use it")
				}
				b.struck()
				b.apply()
				b.pass(3 * time.Hour) // over the cache of who was told late
				b.settle()
				b.onNewest()
				if b.lives(old) {
					b.Error("the old token lives on")
				}
				if got := b.told(ill); !strings.Contains(got, " done") || strings.Contains(got, "0 "+c.ledger) {
					b.Errorf("the ledger says of %s: %s, want some %s", ill, got, c.ledger)
				}
			})
		})
	}
}

func TestAConsumerThatAnswersWellAndDoesNothingIsSaidToHaveDoneNothing(t *testing.T) {
	for name, deaf := range map[string]func(k *world.Knobs, on bool){
		"the connection": func(k *world.Knobs, on bool) { k.Endpoints.Ignore = on },
		"the group":      func(k *world.Knobs, on bool) { k.VariableGroups.Ignore = on },
	} {
		t.Run(name, func(t *testing.T) {
			tellers(t, nil, func(b *bed) {
				b.neverRollsBack()
				old := b.replaced()
				b.world(func(w *world.World) { deaf(&w.Knobs, true) })
				for range 2 {
					o := b.apply().is(report.Failed, "")
					if e := o.cred().Error; e == nil || !strings.Contains(e.Text, "is not on the publication") {
						b.Errorf("%v", o)
					}
					b.pass(20 * time.Hour)
				}
				if !b.lives(old) {
					b.Error("the old token was revoked although a consumer uses it")
				}
				b.world(func(w *world.World) { deaf(&w.Knobs, false) })
				b.apply()
				b.pass(3 * time.Hour)
				b.settle()
				b.onNewest()
			})
		})
	}
}

func TestAConsumerThatAPersonBrokeIsMendedByTheNextRunThatLooks(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		b.replaced()
		b.apply().is(report.Waiting, "overlap")
		b.world(func(w *world.World) {
			w.Organizations[0].Endpoint(toldConnection).Parameters["apitoken"] = "typed wrongly"
		})
		b.apply().is(report.Waiting, "overlap").did("tell")
		b.onNewest()
		b.world(func(w *world.World) {
			w.Organizations[0].Endpoint(toldConnection).Parameters["apitoken"] = tokenOf(0)
			w.Organizations[0].Endpoint(toldConnection).Projects[0].Description = "I set this myself"
			w.Organizations[0].Endpoint(toldConnection).Description = ""
		})
		b.apply().is(report.Waiting, "overlap").did("tell")
		b.settle()
		b.onNewest()
	})
}

func TestAConsumerThatWasToldLateKeepsTheOldOneForItsCache(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		old := b.replaced()
		b.faults(sim.Fault{Service: "devops", Operation: "UpdateVariableGroup", Do: sim.DoAnswer, Status: 400, Body: `{}`})
		b.apply().is(report.Failed, "")
		b.struck()
		b.pass(day + time.Hour)
		b.apply().is(report.Waiting, "cache").did("tell")
		if !b.lives(old) {
			b.Error("the old token was revoked right after the consumer was told")
		}
		b.pass(2*time.Hour - 10*time.Minute)
		b.apply().is(report.Waiting, "cache").did()
		b.pass(11 * time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		b.settle()
		b.onNewest()
	})
}

func TestTwoRunsWhosePublicationsAndTellsCrossEndWithEveryConsumerOnTheCurrentOne(t *testing.T) {
	for name, meet := range map[string]string{
		"both about to publish":                   "before SetSecret",
		"both having published":                   "after SetSecret",
		"both having read what they tell":         "before UpdateServiceEndpoint",
		"both having told the connection":         "after UpdateServiceEndpoint",
		"both about to tell the group":            "before UpdateVariableGroup",
		"both having told the group":              "after UpdateVariableGroup",
		"both having read the group to change it": "after GetVariableGroup",
	} {
		t.Run(name, func(t *testing.T) {
			tellers(t, nil, func(b *bed) {
				b.replaced()
				b.twoMeet(meet)
				b.bothWork("after both")
				b.apply()
				b.onNewest()
				b.settle()
				b.onNewest()
			})
		})
	}
}

// The publication that the run had given up is found by the very read that a tell begins with.
func TestAPublicationThatComesBetweenTwoTellsIsToldToAll(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		b.published()
		first := late("SetSecret", 75*time.Second)
		b.faults(first, sim.Fault{Operation: "UpdateServiceEndpoint", Nth: 1, Do: sim.DoDelay, Delay: world.Duration(20 * time.Second)})
		b.apply().did("issue", "publish unknown", "issue", "publish", "tell", "tell", "tell")
		b.struck()
		b.onNewest()
		b.settle()
	})
}

func TestARunThatSleptBeforeItsTellTellsNothingOld(t *testing.T) {
	for _, at := range []string{"before UpdateServiceEndpoint", "before UpdateVariableGroup", "after GetSecret"} {
		t.Run(at, func(t *testing.T) {
			tellers(t, nil, func(b *bed) {
				b.replaced()
				slow := b.machine()
				nth := 1
				if at == "after GetSecret" {
					nth = 2 // the read back
				}
				slow.hook.at(at, nth, func() fate { b.pass(30 * time.Hour); return live })
				ended := slow.begin("apply")
				b.pass(time.Hour)
				b.run("rotate", credential)
				b.pass(25 * time.Hour)
				b.apply() // ends what the sleeping one holds
				b.onNewest()
				ended()
				b.bothWork("after the sleeper woke")
				b.apply()
				b.settle()
				b.onNewest()
			})
		})
	}
}

func TestARunThatIsKilledAnywhereAroundATellLeavesWhatTheNextOneMends(t *testing.T) {
	for _, at := range []string{"GetServiceEndpoint", "UpdateServiceEndpoint", "TestServiceEndpoint", "GetVariableGroup", "UpdateVariableGroup"} {
		for _, when := range []string{"before ", "after "} {
			t.Run(when+at, func(t *testing.T) {
				tellers(t, nil, func(b *bed) {
					b.replaced()
					b.killedAt(when+at, 1, b.bothWork)
					b.onNewest()
				})
			})
		}
	}
}

func TestWhileAConsumerWaitsForAPersonNothingIsWritten(t *testing.T) {
	tellers(t, nil, func(b *bed) {
		b.replaced()
		group := func(who ...string) {
			b.world(func(w *world.World) { w.Organizations[0].Group(toldGroup).Administrators = who })
		}
		group()
		before := len(b.entries())
		b.apply().is(report.Held, "person").did()
		if n := len(b.entries()) - before; n > 0 {
			b.Errorf("%d ledger entries of a run that does nothing until a person has acted", n)
		}
		group(rekeySP)
		b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell", "tell")
	})
}

func TestWhatCannotBeDeliveredIsNotIssued(t *testing.T) {
	tellers(t, func(s *world.State) { s.Organizations[0].VariableGroups[2].Administrators = nil }, func(b *bed) {
		o := b.apply().is(report.Held, "person").did()
		if c := o.cred(); !strings.Contains(c.Do, "Administrator of the variable group") || !strings.Contains(c.Why, toldVariable) {
			b.Errorf("%v; do: %s", o, c.Do)
		}
		b.world(func(w *world.World) { w.Organizations[0].Group(toldGroup).Administrators = []string{rekeySP} })
		b.apply().is(report.Done, "current").did("issue", "publish", "tell", "tell")
		if i := slices.IndexFunc(b.entries(), func(e ledger.Entry) bool { return e.Effect == "tell" && e.Publication == "" }); i >= 0 {
			b.Error("a tell without its publication in the ledger")
		}
		b.settle()
		b.onNewest()
	})
}
