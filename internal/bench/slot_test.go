package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
)

// A password's life is one run: it has no predecessor to revoke. Its checks are sign-ins, which are not counted. The
// first one of a secret that does not exist yet has one look more, for it is looked for among the deleted.
const maxPasswordLife, maxFirstPassword = 9, 10

const passwordManifest = `version: 1
tenant: contoso.onmicrosoft.com
identity: {managedIdentity: {}}
concurrency: external
vaults: {prod: {name: kv-pat-prod}}
schedule: 1h
credentials:
  batch-password:
    serviceAccount: {user: svc-batch@contoso.onmicrosoft.com, clientId: 2bfcc342-eb74-4427-832c-db82f28995f4}
    lifetime: 30d
    rotateBefore: 5d
    store: {vault: prod, secret: batch-password}
`

// BenchmarkLifeOfOnePassword counts the calls of a service account's password: the run that replaces it, and an idle one.
func BenchmarkLifeOfOnePassword(b *testing.B) {
	for b.Loop() {
		a, manifest := example(b, []byte(passwordManifest))
		t := newTable("Calls of one service account's password, from the simulator's request log", "run", "call", "counted")
		count := func(run string) int {
			calls := a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls
			for _, c := range of(own, calls) {
				t.row(run, c.Method+" "+c.Host+c.Path+" "+fmt.Sprint(c.Status), "1")
			}
			t.row(run, "checks: sign-ins of the user", fmt.Sprintf("(%d)", signIns(calls)))
			return len(of(own, calls))
		}
		first := count("first")
		a.World().Advance(12 * time.Hour)
		idle := len(writes(a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls))
		a.World().Advance(25*day + time.Minute)
		replace := count("replace")
		t.row("whole life", fmt.Sprintf("at most %d; of the first one at most %d", maxPasswordLife, maxFirstPassword), fmt.Sprint(replace))
		b.ReportMetric(float64(replace), "calls/life")
		if replace > maxPasswordLife || first > maxFirstPassword || replace == 0 || first == 0 || idle > 0 {
			b.Errorf("a life of %d calls, the first of %d; at most %d and %d are allowed; an idle run writes %d times", replace, first, maxPasswordLife, maxFirstPassword, idle)
		}
	}
}

func signIns(calls []wire.Call) (n int) {
	for _, c := range calls {
		if c.Operation == "token:password" {
			n++
		}
	}
	return n
}
