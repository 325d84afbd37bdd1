package sim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

func TestTheControlPortSaysWhichConsumersWork(t *testing.T) {
	s, _ := newServer(t)
	read := func() (states []ConsumerState, broken string) {
		code, body := control(t, s, "GET", "/consumers", "")
		if err := json.Unmarshal([]byte(body), &states); code != 200 || err != nil {
			t.Fatal(code, body)
		}
		if strings.Contains(body, world.Canary) {
			t.Error("it holds a value")
		}
		for _, c := range states {
			if !c.Works {
				broken += c.Kind + " " + c.Consumer + " " + c.Name + ": " + c.Why + "\n"
			}
		}
		return states, broken
	}
	if states, broken := read(); len(states) < 10 || broken != "" {
		t.Errorf("%d consumers, broken are %s", len(states), broken)
	}
	s.World().Lock()
	s.World().Organizations[0].Endpoint(world.EndpointShared).Parameters["serviceprincipalkey"] = "wrong"
	s.World().Unlock()
	if _, broken := read(); !strings.HasPrefix(broken, "service-connection contoso/"+world.EndpointShared+" serviceprincipalkey: AADSTS7000215") {
		t.Errorf("broken are %s", broken)
	}
}

func TestKnobsOfConsumersAreSetThroughTheControlPort(t *testing.T) {
	s, _ := newServer(t)
	if code, body := control(t, s, "PUT", "/knobs", `{"endpoints":{"busyFor":"30s"},"automation":{"deadWorkers":["on-premises"],"jobOutcome":"hang"}}`); code != 200 {
		t.Fatal(code, body)
	}
	s.World().Lock()
	defer s.World().Unlock()
	k := s.World().Knobs
	if k.Endpoints.BusyFor == 0 || k.Automation.JobOutcome != "hang" || !s.World().Dead(s.World().AutomationAccounts[0].WorkerGroup(world.WorkerGroupName)) {
		t.Errorf("set %+v %+v", k.Endpoints, k.Automation)
	}
}
