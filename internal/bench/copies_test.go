package bench

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/examples"
	"github.com/rekeyhq/rekey/sim/world"
)

// What a copy, a webhook and a command may add, in calls of Azure: to be looked at and told when the token is replaced,
// and to be looked at before the old one is revoked. What a webhook sends to its receiver is none of them, and what signs
// it is read as Rekey's own password is, which is not counted.
var copyBudgets = map[string][2]int{"copy": {6, 2}, "webhook": {3, 1}, "command": {3, 1}}

// BenchmarkLifeOfACopy counts what they add to the life of the token of the first example, which is the same one.
func BenchmarkLifeOfACopy(b *testing.B) {
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	for b.Loop() {
		t := newTable("What copies, webhooks and commands add to a token's life, from the simulator's request log", "consumer", "tell", "prove")
		alone := callsOf(b, examples.Manifest("pat"))
		for _, name := range []string{"copy", "webhook", "command"} {
			y := bytes.ReplaceAll(examples.Manifest(name), []byte("http://localhost:8787"), []byte(receiver.URL))
			y = bytes.ReplaceAll(y, []byte("[deploy, "), []byte(`["true", `))
			with, most := callsOf(b, y), copyBudgets[name]
			tell, prove := with[0]-alone[0], with[1]-alone[1]
			t.row(name, fmt.Sprintf("%d, at most %d", tell, most[0]), fmt.Sprintf("%d, at most %d", prove, most[1]))
			b.ReportMetric(float64(tell+prove), name+"-calls/life")
			if tell > most[0] || prove > most[1] || tell == 0 || prove == 0 {
				b.Errorf("%s: tell %d, prove %d", name, tell, prove)
			}
		}
	}
}

// callsOf counts the calls of an example's runs that replace its token and revoke the old one, in a world that was changed.
func callsOf(b *testing.B, y []byte, change ...func(*world.State)) (n [2]int) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "rekey.yaml")
	if err := os.WriteFile(path, y, 0o600); err != nil {
		b.Fatal(err)
	}
	state := fleet{}.state()
	for _, f := range change {
		f(&state)
	}
	a := serve(b, state)
	a.rekey(b, []int{0}, "apply", "-q", "-f", path)
	for i, later := range []time.Duration{25 * day, day} {
		a.World().Advance(later + time.Minute)
		n[i] = len(of(own, a.rekey(b, []int{0}, "apply", "-q", "-f", path).calls))
	}
	return n
}
