package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	maxPlanCPU = 2 * time.Second
	maxPlanRSS = 150 << 20
)

// BenchmarkPlan10000 measures the processor time and the memory of a plan over 10,000 credentials in 10 vaults. Nine of
// ten have a secret, one of twenty is due.
func BenchmarkPlan10000(b *testing.B) {
	f := fleet{accounts: 10, vaults: 10, credentials: 10_000}
	for b.Loop() {
		state := f.state()
		f.published(&state, time.Now())
		state.Knobs = world.Knobs{}
		state.Knobs.KeyVault.Unthrottled = true
		a := serve(b, state)
		manifest := f.manifest(b)
		r := a.rekey(b, []int{0}, "plan", "-q", "-f", manifest)
		t := newTable("rekey plan over 10,000 credentials in 10 vaults", "what", "measured", "at most")
		t.row("processor time", r.CPU.Round(time.Millisecond).String(), maxPlanCPU.String())
		t.row("memory", fmt.Sprintf("%d MiB", r.RSS>>20), fmt.Sprintf("%d MiB", maxPlanRSS>>20))
		t.row("waiting", r.Wall.Round(time.Millisecond).String(), "-")
		t.row("calls", fmt.Sprint(len(r.calls)), "-")
		b.ReportMetric(r.CPU.Seconds(), "cpu-s")
		b.ReportMetric(float64(r.RSS>>20), "MiB")
		if r.CPU > maxPlanCPU || r.RSS > maxPlanRSS {
			b.Errorf("a plan needs %s of processor time and %d MiB; at most %s and %d MiB are allowed", r.CPU, r.RSS>>20, maxPlanCPU, maxPlanRSS>>20)
		}
		if len(r.calls) < 400 {
			b.Errorf("a plan of %d calls has not read 10 vaults", len(r.calls))
		}
	}
}

const maxVersion = 30 * time.Millisecond

// BenchmarkVersionCold measures how long the program takes to say its version: what every command pays.
func BenchmarkVersionCold(b *testing.B) {
	a := serve(b, fleet{}.state())
	var best, sum time.Duration
	const times = 20
	for b.Loop() {
		best, sum = 0, 0
		for range times {
			r := a.rekey(b, []int{0}, "version")
			sum += r.Wall
			if best == 0 || r.Wall < best {
				best = r.Wall
			}
		}
	}
	t := newTable("rekey version, cold, 20 times", "what", "measured", "at most")
	t.row("mean", (sum / times).Round(time.Microsecond).String(), maxVersion.String())
	t.row("best", best.Round(time.Microsecond).String(), "-")
	b.ReportMetric(float64((sum/times).Microseconds())/1000, "ms")
	if sum/times > maxVersion {
		b.Errorf("rekey version takes %s, at most %s is allowed", sum/times, maxVersion)
	}
}
