package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/examples"
	"github.com/rekeyhq/rekey/sim/wire"
)

// What consumers behind Azure Resource Manager may add: to be looked at and told when the credential is replaced, and
// to be looked at before the old one is revoked. How often a job is asked whether it is over is not counted.
var armBudgets = map[string][2]int{
	"runbook":    {6, 4},
	"variable":   {5, 1},
	"credential": {5, 1},
	// Two of them.
	"connections": {10, 4},
}

// consumerOf is which consumer of the example an operation is for; "" for what is none's.
var consumerOf = map[string]string{
	"GetRunbook": "runbook", "GetWorkerGroup": "runbook", "GetJob": "runbook", "CreateJob": "runbook", "GetJobOutput": "runbook",
	"GetVariable": "variable", "UpdateVariable": "variable", "GetCredential": "credential", "UpdateCredential": "credential",
	"GetConnection": "connections", "PutConnection": "connections", "TestConnection": "connections",
}

// BenchmarkLifeOfARunbook counts what a runbook, a variable and a credential of Azure Automation add to the life of the
// client secret that they are told.
func BenchmarkLifeOfARunbook(b *testing.B) {
	for b.Loop() {
		countConsumers(b, "runbook", "What consumers in Azure Automation add to a secret's life, from the simulator's request log")
	}
}

// BenchmarkLifeOfAPIConnections counts the same of two API connections.
func BenchmarkLifeOfAPIConnections(b *testing.B) {
	for b.Loop() {
		countConsumers(b, "api-connection", "What two API connections add to a secret's life, from the simulator's request log")
	}
}

func countConsumers(b *testing.B, example, title string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "rekey.yaml")
	if err := os.WriteFile(path, examples.Manifest(example), 0o600); err != nil {
		b.Fatal(err)
	}
	a := serve(b, fleet{}.state())
	t := newTable(title, "run", "consumer", "call", "counted")
	count := func(run string) map[string]int {
		n, last, started := map[string]int{}, "", false
		for _, c := range of(own, a.rekey(b, []int{0}, "apply", "-q", "-f", path).calls) {
			if x := consumerOf[c.Operation]; x != "" {
				last = x
			} else if c.Operation != "ListPermissions" {
				continue
			}
			started = started || c.Operation == "CreateJob"
			counted := "1"
			if c.Operation == "GetJob" && started {
				counted = "(1)" // is it over?
			} else {
				n[last]++
			}
			t.row(run, last, call(c), counted)
		}
		return n
	}
	count("first")
	a.World().Advance(70*day + time.Minute)
	tell := count("replace")
	a.World().Advance(7*day + time.Minute)
	prove := count("revoke")
	for name := range tell {
		budget := armBudgets[name]
		t.row("more", name, fmt.Sprintf("tell %d, at most %d; prove %d, at most %d", tell[name], budget[0], prove[name], budget[1]), fmt.Sprint(tell[name]+prove[name]))
		b.ReportMetric(float64(tell[name]+prove[name]), name+"-calls/life")
		if tell[name] > budget[0] || prove[name] > budget[1] || prove[name] == 0 {
			b.Errorf("%s: tell %d, prove %d", name, tell[name], prove[name])
		}
	}
	if len(tell) == 0 {
		b.Error("nobody was told")
	}
}

func call(c wire.Call) string { return c.Method + " " + c.Operation + " " + fmt.Sprint(c.Status) }
