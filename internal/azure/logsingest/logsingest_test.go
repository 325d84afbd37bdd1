package logsingest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/logsingest"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/events"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// bed is a rule that a runner may send to.
type bed struct {
	*testing.T
	s *sim.Server
}

func newBed(t *testing.T) *bed {
	t.Helper()
	s, err := sim.New(sim.Config{State: world.BuiltIn()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&simulated.SignIn{Sim: s, App: "runner"}).GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://monitor.azure.com/.default"}}); err != nil {
		t.Fatal(err)
	}
	b := &bed{t, s}
	b.locked(func(w *world.World) {
		i := slices.IndexFunc(w.Apps, func(a *world.App) bool { return a.Name == "runner" })
		w.RoleAssignments = append(w.RoleAssignments, &world.RoleAssignment{Name: w.NewID(), Scope: w.CollectionRules[0].ResourceID(), RoleID: world.RoleMetricsPublisher,
			PrincipalID: w.Apps[i].ServicePrincipalID, PrincipalType: "ServicePrincipal"})
	})
	return b
}

func (b *bed) locked(f func(w *world.World)) {
	w := b.s.World()
	w.Lock()
	defer w.Unlock()
	f(w)
}

func (b *bed) sink(stream string) *logsingest.Stream {
	client := azhttp.NewClient(b.s.Transport(), nil)
	cred := azhttp.NewCredential("test", &simulated.SignIn{Sim: b.s, App: "runner"})
	return logsingest.New("siem", world.EventsEndpoint, world.EventsRule, stream, client.Renewing(client.Options(cloud.AzurePublic), cred), cred)
}

// details are what a query finds.
func (b *bed) details() (out []string) {
	b.locked(func(w *world.World) {
		for _, r := range w.Records(w.CollectionRules[0], world.EventsStream) {
			out = append(out, fmt.Sprint(r.Fields["Kind"], "|", r.Fields["Credential"], "|", r.Fields["Run"], "|", r.Fields["Detail"]))
		}
	})
	return out
}

func some(n, size int) (out []events.Event) {
	for i := range n {
		data := fmt.Sprintf(`{"seq":%d,"reason":"%s"}`, i, strings.Repeat("x", size))
		out = append(out, events.Event{ID: fmt.Sprint("r/", i), Time: time.Unix(1e9, 0), Data: []byte(data),
			Entry: ledger.Entry{Run: "r", Seq: i, Credential: "devops-pat", Effect: "issue", Phase: ledger.Done}})
	}
	return out
}

func TestEventsAreRecordsOfAStreamInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		taken, err := b.sink(world.EventsStream).Send(t.Context(), some(120, 20_000))
		if err != nil || taken != 120 {
			t.Fatalf("%d, %v", taken, err)
		}
		simulated.Lapse()
		got := b.details()
		if len(got) != 120 || !strings.HasPrefix(got[7], `issue done|devops-pat|r|{"seq":7,`) {
			t.Fatalf("%d records, %.60s", len(got), got[7])
		}
		calls := 0
		for _, c := range b.s.Requests() {
			if c.Operation == "Upload" {
				calls++
			}
		}
		if calls != 3 { // 2.4 MB
			t.Errorf("%d calls", calls)
		}
	})
}

func TestWhatWasTakenIsKnownAndTheRestIsAnErrorThatSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(b *bed)
		stream  string
		kind    driver.Kind
		says    string
		taken   int
	}{
		"no role":   {func(b *bed) { b.locked(func(w *world.World) { w.RoleAssignments = nil }) }, world.EventsStream, driver.Denied, "Monitoring Metrics Publisher", 0},
		"no stream": {func(*bed) {}, "Custom-Other_CL", driver.Missing, "the stream must be one", 0},
		"the second call fails": {func(b *bed) {
			if err := b.s.SetFaults(sim.Fault{Service: "monitor", Operation: "Upload", Nth: 2, Do: sim.DoAnswer, Status: 503, Body: sim.Text("{}")}); err != nil {
				b.Fatal(err)
			}
		}, world.EventsStream, driver.Ambiguous, "Azure Monitor", 45},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				c.prepare(b)
				taken, err := b.sink(c.stream).Send(t.Context(), some(100, 20_000))
				var e *driver.Error
				if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Error()+e.Hint, c.says) || taken != c.taken {
					t.Errorf("%d taken, %v (%+v)", taken, err, e)
				}
			})
		})
	}
}
