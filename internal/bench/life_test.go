package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/examples"
	"github.com/rekeyhq/rekey/sim/wire"
)

const (
	maxLife = 9
	day     = 24 * time.Hour
)

// BenchmarkLifeOfOnePAT counts the calls of one PAT's whole life: the run that replaces its predecessor, and the run
// that revokes it. The first PAT of a secret that does not exist yet is counted too: it has no predecessor.
func BenchmarkLifeOfOnePAT(b *testing.B) {
	for b.Loop() {
		a, manifest := example(b, examples.Manifest("pat"))
		t := newTable("Calls of one PAT's life, from the simulator's request log", "run", "call", "counted")
		count := func(run string, calls []wire.Call) int {
			for _, c := range of(own, calls) {
				t.row(run, c.Method+" "+c.Host+c.Path+" "+fmt.Sprint(c.Status), "1")
			}
			n := tally(calls)
			t.row(run, "sign-in: the account's own secret, once a run for all its credentials", fmt.Sprintf("(%d)", n[signIn]))
			t.row(run, "list pages", fmt.Sprintf("(%d)", n[list]))
			t.row(run, "challenges and tokens", fmt.Sprintf("(%d)", n[challenge]+n[token]))
			return n[own]
		}
		first := count("first", a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls)
		a.World().Advance(25*day + time.Minute)
		replace := count("replace", a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls)
		a.World().Advance(day + time.Minute)
		revoke := count("revoke", a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls)
		t.row("whole life", fmt.Sprintf("replace %d + revoke %d, at most %d", replace, revoke, maxLife), fmt.Sprint(replace+revoke))
		t.row("of the first one", fmt.Sprintf("first %d + revoke %d, at most %d", first, revoke, maxLife), fmt.Sprint(first+revoke))
		b.ReportMetric(float64(replace+revoke), "calls/life")
		if replace+revoke > maxLife || first+revoke > maxLife || revoke == 0 || replace == 0 {
			b.Errorf("a life of %d calls, the first of %d; at most %d are allowed", replace+revoke, first+revoke, maxLife)
		}
	}
}

// maxSecretLife is without the checks, which are sign-ins.
const maxSecretLife = 8

// BenchmarkLifeOfOneAppSecret counts the calls of one client secret's whole life, as BenchmarkLifeOfOnePAT does. With
// the reads of the application, which are its list, a life is two calls longer; they have a bound of their own.
func BenchmarkLifeOfOneAppSecret(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "rekey.yaml")
		if err := os.WriteFile(path, examples.Manifest("app-secret"), 0o600); err != nil {
			b.Fatal(err)
		}
		a := serve(b, fleet{}.state())
		t := newTable("Calls of one client secret's life, from the simulator's request log", "run", "call", "counted")
		reads := 0
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
			reads = max(reads, lists)
			t.row(run, "reads of the application, for its list", fmt.Sprintf("(%d)", lists))
			t.row(run, "checks: sign-ins with the secret", fmt.Sprintf("(%d)", signIns))
			return tally(calls)[own]
		}
		first := count("first", a.rekey(b, []int{0}, "apply", "-q", "-f", path).calls)
		a.World().Advance(70*day + time.Minute)
		replace := count("replace", a.rekey(b, []int{0}, "apply", "-q", "-f", path).calls)
		a.World().Advance(7*day + time.Minute)
		revoke := count("revoke", a.rekey(b, []int{0}, "apply", "-q", "-f", path).calls)
		t.row("whole life", fmt.Sprintf("replace %d + revoke %d, at most %d", replace, revoke, maxSecretLife), fmt.Sprint(replace+revoke))
		t.row("of the first one", fmt.Sprintf("first %d + revoke %d, at most %d", first, revoke, maxSecretLife), fmt.Sprint(first+revoke))
		b.ReportMetric(float64(replace+revoke), "calls/life")
		if replace+revoke > maxSecretLife || first+revoke > maxSecretLife || revoke == 0 || replace == 0 {
			b.Errorf("a life of %d calls, the first of %d; at most %d are allowed", replace+revoke, first+revoke, maxSecretLife)
		}
		if reads != 1 {
			b.Errorf("a run reads the application %d times, and once is enough", reads)
		}
	}
}

// A service connection may cost so much more: to be looked at, told and tried when the credential is replaced, and to be
// looked at and tried before the old one is revoked. How often it is asked whether it is ready is not counted.
const maxTell, maxProve = 3, 2

// BenchmarkLifeOfAServiceConnection counts what it adds to the life of the PAT that it holds.
func BenchmarkLifeOfAServiceConnection(b *testing.B) {
	for b.Loop() {
		a, manifest := example(b, examples.Manifest("service-connection"))
		t := newTable("What a service connection adds to a PAT's life, from the simulator's request log", "run", "call", "counted")
		count := func(run string) (whole, more int) {
			calls := of(own, a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls)
			for _, c := range calls {
				if strings.Contains(c.Operation, "ServiceEndpoint") {
					t.row(run, c.Method+" "+c.Host+c.Path+" "+fmt.Sprint(c.Status), "1")
					more++
				}
			}
			return len(calls), more
		}
		_, first := count("first")
		a.World().Advance(25*day + time.Minute)
		replaced, tell := count("replace")
		a.World().Advance(day + time.Minute)
		revoked, prove := count("revoke")
		whole := replaced + revoked
		t.row("more", fmt.Sprintf("tell %d, at most %d; prove %d, at most %d", tell, maxTell, prove, maxProve), fmt.Sprint(tell+prove))
		t.row("whole life", fmt.Sprintf("at most %d", maxLife+maxTell+maxProve), fmt.Sprint(whole))
		b.ReportMetric(float64(whole), "calls/life")
		if first > maxTell || tell > maxTell || prove > maxProve || whole > maxLife+maxTell+maxProve || first == 0 || tell == 0 || prove == 0 {
			b.Errorf("first %d, tell %d, prove %d, whole life %d", first, tell, prove, whole)
		}
	}
}

// BenchmarkLivesOfAnAccount counts a hundred PATs of one account, which share its sign-in and its lists.
func BenchmarkLivesOfAnAccount(b *testing.B) {
	f := fleet{accounts: 1, vaults: 1, credentials: 100}
	for b.Loop() {
		a := serve(b, f.state())
		manifest := f.manifest(b)
		a.rekey(b, []int{0}, "apply", "-q", "-f", manifest)
		a.World().Advance(25*day + time.Minute)
		calls := a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls
		a.World().Advance(day + time.Minute)
		calls = append(calls, a.rekey(b, []int{0}, "apply", "-q", "-f", manifest).calls...)
		n := tally(calls)
		t := newTable("Calls of 100 PATs' lives, one account, one vault", "kind", "calls", "for each")
		for _, row := range []struct {
			what string
			n    int
		}{{"counted", n[own]}, {"sign-in: the account's own secret", n[signIn]}, {"list pages", n[list]}, {"challenges", n[challenge]}} {
			t.row(row.what, fmt.Sprint(row.n), fmt.Sprintf("%.2f", float64(row.n)/100))
		}
		b.ReportMetric(float64(n[own])/100, "calls/life")
		if n[own] > 100*maxLife || n[own] == 0 {
			b.Errorf("%d calls for 100 lives, at most %d each are allowed", n[own], maxLife)
		}
	}
}

// example is the example manifest in a folder of its own, and the world that it is for.
func example(b *testing.B, manifest []byte) (*azure, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "rekey.yaml")
	if err := os.WriteFile(path, manifest, 0o600); err != nil {
		b.Fatal(err)
	}
	return serve(b, fleet{}.state()), path
}
