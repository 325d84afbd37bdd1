package appendblob_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/appendblob"
	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/ledger/hometest"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const runner = "runner"

var policyFor = policy.TokenRequestOptions{Scopes: []string{"https://storage.azure.com/.default"}}

const address = "https://" + world.LedgerAccount + ".blob.core.windows.net/" + world.LedgerContainer + "/prod"

// bed is a storage account that a runner may write to.
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
	b := &bed{t, s}
	if _, err := (&simulated.SignIn{Sim: s, App: runner}).GetToken(t.Context(), policyFor); err != nil {
		t.Fatal(err)
	}
	b.locked(func(w *world.World) {
		i := slices.IndexFunc(w.Apps, func(a *world.App) bool { return a.Name == runner })
		w.RoleAssignments = append(w.RoleAssignments, &world.RoleAssignment{Name: w.NewID(), Scope: w.StorageAccounts[0].ResourceID(), RoleID: world.RoleBlobDataContributor,
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

func (b *bed) open() *appendblob.Home {
	client := azhttp.NewClient(b.s.Transport(), nil)
	cred := azhttp.NewCredential("test", &simulated.SignIn{Sim: b.s, App: runner})
	return appendblob.New(b.Context(), address, client.Renewing(client.Options(cloud.AzurePublic), cred), cred)
}

// blob is a blob of a part, nil if there is none.
func (b *bed) blob(name string) (out *world.Blob) {
	b.locked(func(w *world.World) {
		for _, c := range w.StorageAccounts[0].Containers {
			for _, x := range c.Blobs {
				if c.Name == world.LedgerContainer && x.Name == "prod/"+name {
					out = x
				}
			}
		}
	})
	return out
}

func (b *bed) tear(p ledger.Part, text string) {
	x := b.blob(string(p))
	b.locked(func(*world.World) { x.Data, x.Blocks = append(x.Data, text...), x.Blocks+1 })
}

func (b *bed) read(p ledger.Part) string {
	b.Helper()
	s, err := b.open().Open(p)
	if err != nil {
		b.Fatal(err)
	}
	all, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
	if err != nil {
		b.Fatal(err)
	}
	return string(all)
}

func (b *bed) put(h *appendblob.Home, line string) {
	b.Helper()
	if err := h.Append(ledger.Lines, []byte(line)); err != nil {
		b.Fatal(err)
	}
}

func TestAContainerIsAHome(t *testing.T) {
	hometest.Run(t, func(t *testing.T, name string, test func(*testing.T, hometest.Bed)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				test(t, hometest.Bed{Open: func() ledger.Home { return b.open() }, Tear: b.tear})
			})
		})
	})
}

func TestALineIsThereOnceWhateverBecomesOfAnAnswer(t *testing.T) {
	for _, operation := range []string{"AppendBlock", "PutBlob", "GetBlob"} {
		for name, f := range map[string]sim.Fault{
			"lost":        {Do: sim.DoLost},
			"late":        {Do: sim.DoLate, Delay: world.Duration(10 * time.Second)},
			"cut":         {Do: sim.DoCut},
			"throttled":   {Do: sim.DoThrottle, RetryAfter: "3"},
			"unavailable": {Do: sim.DoAnswer, Status: 503, Body: sim.Text("<Error/>")},
			"broken":      {Do: sim.DoTruncate},
			"twice lost":  {Do: sim.DoLost, Times: 2},
		} {
			t.Run(operation+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBed(t)
					one, two := b.open(), b.open()
					f.Service, f.Operation, f.Times = "blob", operation, max(f.Times, 1)
					want := ""
					if operation != "PutBlob" {
						b.put(one, "one\n")
						b.put(two, "two\n")
						want = "one\ntwo\n"
					}
					if err := b.s.SetFaults(f); err != nil {
						t.Fatal(err)
					}
					b.put(one, "three\n")
					b.put(two, "four\n")
					simulated.Lapse()
					b.put(one, "five\n")
					hit := b.s.Faults()[0].Hit
					b.s.ClearFaults()
					if got := b.read(ledger.Lines); got != want+"three\nfour\nfive\n" {
						t.Errorf("%q", got)
					}
					if hit == 0 {
						t.Error("the fault did not strike")
					}
				})
			})
		}
	}
}

func TestWhatCannotBeWrittenIsAnErrorThatSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(b *bed)
		kind    driver.Kind
		says    string
	}{
		"no role": {func(b *bed) { b.locked(func(w *world.World) { w.RoleAssignments = nil }) }, driver.Denied, "Storage Blob Data Contributor"},
		"no container": {func(b *bed) { b.locked(func(w *world.World) { w.StorageAccounts[0].Containers = nil }) }, driver.Missing,
			"make the container"},
		"a blob of another kind": {func(b *bed) {
			b.put(b.open(), "one\n")
			x := b.blob(string(ledger.Lines))
			b.locked(func(*world.World) { x.Append = false })
		}, driver.Unavailable, "it is no append blob"},
		"a service that is gone": {func(b *bed) {
			b.put(b.open(), "one\n")
			if err := b.s.SetFaults(sim.Fault{Service: "blob", Operation: "AppendBlock", Do: sim.DoCut, Times: 1000}); err != nil {
				b.Fatal(err)
			}
		}, driver.Ambiguous, "connection"},
		"a sign-in page": {func(b *bed) {
			if err := b.s.SetFaults(sim.Fault{Service: "blob", Do: sim.DoSignIn, Times: 1000}); err != nil {
				b.Fatal(err)
			}
		}, driver.Denied, "Storage Blob Data Contributor"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				c.prepare(b)
				err := b.open().Append(ledger.Lines, []byte("two\n"))
				var e *driver.Error
				if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Error()+e.Hint, c.says) {
					t.Errorf("got %v (%+v), want kind %v, %q", err, e, c.kind, c.says)
				}
			})
		})
	}
}

func TestALedgerThatWasCutShortUnderARunStopsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		h := b.open()
		b.put(h, "one\n")
		x := b.blob(string(ledger.Lines))
		b.locked(func(*world.World) { x.Data = x.Data[:2] })
		err := h.Append(ledger.Lines, []byte("two\n"))
		if driver.KindOf(err) != driver.Missing || !strings.Contains(err.Error(), "gone or shorter") {
			t.Errorf("%v", err)
		}
	})
}

func TestALedgerGoesOnInTheNextBlobWhenOneIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		private, public, err := ledger.MakeKey("prod-ledger")
		if err != nil {
			t.Fatal(err)
		}
		key, _ := ledger.ParseKey(private)
		keys, _ := ledger.ParseVerifiers(public)
		run := func(name string, before int) func(n int) {
			l := ledger.New(b.open(), key)
			return func(n int) {
				for i := range n {
					if err := l.Append(ledger.Entry{Run: name, Seq: i + 1, Time: time.Unix(1e9, 0), Phase: ledger.Intended, Effect: "tell"}); err != nil {
						t.Fatal(err)
					}
				}
				if c, err := l.Checkpoint(); err != nil || c.Size != int64(before+n) {
					t.Fatalf("%d, %v", c.Size, err)
				}
			}
		}
		run("first", 0)(3)
		full := func(name string) {
			x := b.blob(name)
			b.locked(func(*world.World) { x.Blocks = 49_998 })
		}
		full(string(ledger.Lines))
		run("second", 3)(5)
		if x := b.blob(string(ledger.Lines) + ".2"); x == nil || x.Blocks != 3 {
			t.Fatalf("the next blob is %+v", x)
		}
		// A process that knew the first blob before it was full, and one that begins within the second.
		full(string(ledger.Lines) + ".2")
		one, two := b.open(), b.open()
		b.put(one, "x\n")
		for n := range 3 {
			b.put(two, fmt.Sprintln("y", n))
			b.put(one, fmt.Sprintln("z", n))
		}
		run("third", 15)(2)
		if x := b.blob(string(ledger.Lines) + ".3"); x == nil {
			t.Fatal("there is no third blob")
		}
		r, err := ledger.Verify(b.open(), ledger.Options{Keys: keys})
		if err != nil || !r.OK || r.Entries != 17 || r.Covered != 17 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestALongLedgerIsReadWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		h := b.open()
		b.put(h, "first\n")
		long := strings.Repeat(strings.Repeat("x", 999)+"\n", 2500)
		b.tear(ledger.Lines, long)
		b.put(h, "last\n")
		if got := b.read(ledger.Lines); got != "first\n"+long+"last\n" {
			t.Errorf("%d bytes, want %d", len(got), len(long)+11)
		}
	})
}

func TestAnInterruptedRunStillRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		ctx, cancel := context.WithCancel(t.Context())
		client := azhttp.NewClient(b.s.Transport(), nil)
		cred := azhttp.NewCredential("test", &simulated.SignIn{Sim: b.s, App: runner})
		h := appendblob.New(ctx, address, client.Renewing(client.Options(cloud.AzurePublic), cred), cred)
		cancel()
		b.put(h, "one\n")
		if got := b.read(ledger.Lines); got != "one\n" {
			t.Errorf("%q", got)
		}
	})
}
