package bench

import (
	"fmt"
	"testing"
	"time"
)

const maxIdle = 0.06

// BenchmarkIdle counts what a run costs that has nothing to do: 1,000 credentials of 10 accounts in 10 vaults that
// hold nothing else. Everything counts but token requests; a run must write nothing. The daily census makes some
// account ask its issuer in some hour, so a whole day of hourly runs is counted.
func BenchmarkIdle(b *testing.B) {
	f := fleet{accounts: 10, vaults: 10, credentials: 1000}
	for b.Loop() {
		a := serve(b, f.state())
		manifest := f.manifest(b)
		a.rekey(b, []int{0}, "apply", "-q", "-f", manifest)
		// Past the overlap, and past the day for which losers of a race are looked for.
		a.World().Advance(3 * day)
		a.rekey(b, []int{0}, "apply", "-q", "-f", manifest)

		t := newTable("An idle run: 1,000 credentials, 10 accounts, 10 vaults; 24 hourly runs", "run", "challenges", "list pages", "sign-ins", "other", "for each", "writes")
		var sum, worst float64
		for hour := range 24 {
			a.World().Advance(time.Hour)
			calls := a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls
			n := tally(calls)
			each := float64(n[challenge]+n[list]+n[signIn]+n[own]) / 1000
			sum, worst = sum+each, max(worst, each)
			w := writes(calls)
			t.row(fmt.Sprint(hour+1), fmt.Sprint(n[challenge]), fmt.Sprint(n[list]), fmt.Sprint(n[signIn]), fmt.Sprint(n[own]), fmt.Sprintf("%.3f", each), fmt.Sprint(len(w)))
			if len(w) > 0 {
				b.Errorf("an idle run writes: %s %s%s", w[0].Method, w[0].Host, w[0].Path)
			}
			if n[list] < 40 {
				b.Errorf("an idle run reads only %d list pages: it did not look at every vault", n[list])
			}
		}
		t.row("mean", "", "", "", "", fmt.Sprintf("%.3f", sum/24), "")
		t.row("worst", "", "", "", "", fmt.Sprintf("%.3f", worst), "")
		b.ReportMetric(sum/24, "calls/credential")
		b.ReportMetric(worst, "worst-calls/credential")
		if worst > maxIdle {
			b.Errorf("an idle run costs up to %.3f calls a credential, at most %.2f are allowed", worst, maxIdle)
		}
	}
}
