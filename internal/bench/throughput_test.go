package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	maxOverBound = 1.15
	latency      = 50 * time.Millisecond
)

// BenchmarkAThousandAppSecrets issues the client secrets of 1,000 applications into one vault and replaces them, while
// each answer takes 50 ms and the published limits hold. No run can be faster than the limits let its writes through,
// and than one credential takes alone; those two are the bound.
func BenchmarkAThousandAppSecrets(b *testing.B) {
	const many = 1000
	for b.Loop() {
		alone := slow(b, 1)
		one := alone.run(b, 1)
		a := slow(b, many)
		t := newTable("1,000 client secrets of 1,000 applications in one vault, 50 ms a call, published limits", "run", "bound", "took", "of it", "calls", "throttled", "what binds")
		for i, run := range []string{"first", "replace"} {
			if i > 0 {
				a.World().Advance(70*day + time.Minute)
			}
			before := a.Quotas()
			r := a.run(b, many)
			floor, binds := a.Floor(before)
			bound := floor + one.Wall
			throttled := 0
			for _, c := range r.calls {
				if c.Status == 429 {
					throttled++
				}
			}
			over := r.Wall.Seconds() / bound.Seconds()
			t.row(run, bound.Round(10*time.Millisecond).String(), r.Wall.Round(10*time.Millisecond).String(), fmt.Sprintf("%.2f, at most %.2f", over, maxOverBound), fmt.Sprint(len(r.calls)), fmt.Sprint(throttled),
				fmt.Sprintf("%s: %d in %s; and %s that one takes alone", binds.Scope, binds.N, binds.Window, one.Wall.Round(10*time.Millisecond)))
			if over > maxOverBound {
				b.Errorf("the %s run took %s, %.2f times its bound of %s", run, r.Wall, over, bound)
			}
			b.ReportMetric(over, run+"-of-bound")
		}
	}
}

// thousand is a simulated Azure with many applications that Rekey owns, whose answers take a while.
type thousand struct {
	*azure
	manifest string
}

func slow(b *testing.B, apps int) *thousand {
	s := world.BuiltIn()
	me := s.ManagedIdentities[0]
	var y strings.Builder
	y.WriteString("version: 1\ntenant: contoso.onmicrosoft.com\nidentity: {managedIdentity: {}}\nschedule: 1h\nledger: ./ledger\nvaults:\n  prod: {name: kv-pat-prod}\ncredentials:\n")
	for i := range apps {
		s.Apps = append(s.Apps, &world.App{ID: uuid(6, i), ClientID: uuid(7, i), TenantID: me.TenantID, Name: fmt.Sprintf("app-%03d", i), ServicePrincipalID: uuid(8, i), Owners: []string{me.ID}})
		fmt.Fprintf(&y, "  app-%03d:\n    appSecret: {appId: %s}\n    lifetime: 90d\n    rotateBefore: 20d\n    overlap: 7d\n    store: {vault: prod, secret: app-%03d}\n", i, uuid(7, i), i)
	}
	a := &thousand{serve(b, s), filepath.Join(b.TempDir(), "rekey.yaml")}
	if err := os.WriteFile(a.manifest, []byte(y.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := a.SetFaults(sim.Fault{Do: sim.DoDelay, Delay: world.Duration(latency)}); err != nil {
		b.Fatal(err)
	}
	return a
}

// run has Rekey make a new secret for each application.
func (a *thousand) run(b *testing.B, apps int) ran {
	b.Helper()
	r := a.rekey(b, []int{0}, "apply", "-q", "-f", a.manifest)
	if n := issued(r.calls); n != apps {
		b.Errorf("%d client secrets were issued, want %d", n, apps)
	}
	return r
}

func issued(calls []wire.Call) (n int) {
	for _, c := range calls {
		if c.Operation == "AddPassword" && c.Status == 200 {
			n++
		}
	}
	return n
}
