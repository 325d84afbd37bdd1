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

// maxCertificateLife is without the checks, which are sign-ins. The current certificate is read once more for each change,
// which it proves.
const maxCertificateLife = 9

// BenchmarkLifeOfOneAppCertificate counts the calls of one certificate's whole life, as BenchmarkLifeOfOneAppSecret does.
// The first one is added by replacing the application's list, and is looked for 15 s later.
func BenchmarkLifeOfOneAppCertificate(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "rekey.yaml")
		if err := os.WriteFile(path, examples.Manifest("app-certificate"), 0o600); err != nil {
			b.Fatal(err)
		}
		a := serve(b, fleet{}.state())
		t := newTable("Calls of one certificate's life, from the simulator's request log", "run", "call", "counted")
		count := func(run string, calls []wire.Call) int {
			for _, c := range of(own, calls) {
				t.row(run, c.Method+" "+c.Host+c.Path+" "+fmt.Sprint(c.Status), "1")
			}
			lists, signIns := 0, 0
			for _, c := range calls {
				switch {
				case c.Operation == "GetApplication":
					lists++
				case c.Operation == "token:client_credentials":
					signIns++
				}
			}
			t.row(run, "reads of the application, for its list", fmt.Sprintf("(%d)", lists))
			t.row(run, "checks: sign-ins with the certificate", fmt.Sprintf("(%d)", signIns))
			return tally(calls)[own]
		}
		first := count("first", a.rekey(b, []int{0}, "apply", "-q", "-f", path).calls)
		a.World().Advance(150*day + time.Minute)
		replace := count("replace", a.rekey(b, []int{0}, "apply", "-q", "-f", path).calls)
		a.World().Advance(7*day + time.Minute)
		revoke := count("revoke", a.rekey(b, []int{0}, "apply", "-q", "-f", path).calls)
		t.row("whole life", fmt.Sprintf("replace %d + revoke %d, at most %d", replace, revoke, maxCertificateLife), fmt.Sprint(replace+revoke))
		t.row("of the first one", fmt.Sprintf("first %d + revoke %d", first, revoke), fmt.Sprint(first+revoke))
		b.ReportMetric(float64(replace+revoke), "calls/life")
		if replace+revoke > maxCertificateLife || first+revoke > maxCertificateLife+1 || revoke == 0 || replace == 0 {
			b.Errorf("a life of %d calls, the first of %d; at most %d are allowed, and one more of the first", replace+revoke, first+revoke, maxCertificateLife)
		}
	}
}
