package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
)

// maxMadeLife is of a value of our own making: nobody issues it, and to revoke it is one update of its version.
const maxMadeLife = 6

const madeManifest = `version: 1
tenant: contoso.onmicrosoft.com
identity: {managedIdentity: {}}
vaults: {prod: {name: kv-pat-prod}}
schedule: 1h
credentials:
  session-key:
    random: {password: {length: 40}}
    lifetime: 90d
    rotateBefore: 20d
    overlap: 7d
    store: {vault: prod, secret: session-key}
`

// BenchmarkLifeOfOneMadeValue counts the calls of a value of our own making, as BenchmarkLifeOfOnePAT does.
func BenchmarkLifeOfOneMadeValue(b *testing.B) {
	for b.Loop() {
		a, manifest := example(b, []byte(madeManifest))
		t := newTable("Calls of the life of one value of our own making, from the simulator's request log", "run", "call", "counted")
		count := func(run string, calls []wire.Call) int {
			for _, c := range of(own, calls) {
				t.row(run, c.Method+" "+c.Host+c.Path+" "+fmt.Sprint(c.Status), "1")
			}
			n := tally(calls)
			t.row(run, "list pages", fmt.Sprintf("(%d)", n[list]))
			return n[own]
		}
		first := count("first", a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls)
		a.World().Advance(70*day + time.Minute)
		replace := count("replace", a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls)
		a.World().Advance(7*day + time.Minute)
		revoke := count("revoke", a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls)
		t.row("whole life", fmt.Sprintf("replace %d + revoke %d, at most %d", replace, revoke, maxMadeLife), fmt.Sprint(replace+revoke))
		t.row("of the first one", fmt.Sprintf("first %d + revoke %d, at most %d", first, revoke, maxMadeLife), fmt.Sprint(first+revoke))
		b.ReportMetric(float64(replace+revoke), "calls/life")
		if replace+revoke > maxMadeLife || first+revoke > maxMadeLife || revoke == 0 || replace == 0 {
			b.Errorf("a life of %d calls, the first of %d; at most %d are allowed", replace+revoke, first+revoke, maxMadeLife)
		}
	}
}
