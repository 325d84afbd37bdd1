package consumer

import (
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// TestEachEntryDoesWhatItSays makes one of each kind and does to it what people and checkers do.
func TestEachEntryDoesWhatItSays(t *testing.T) {
	t.Parallel()
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			s := world.BuiltIn()
			making := func(n int) Making {
				return Making{N: n, Secret: "https://kv-pat-prod.vault.azure.net/secrets/devops-pat", Use: world.Target{ClientID: world.AppReporting, TenantID: world.TenantID}, Value: "by hand", Rekey: "a7bd7cea-133a-46cf-b58b-cab861acfaaf", At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			}
			one, other := k.Make(&s, making(0)), k.Make(&s, making(1))
			srv, err := sim.New(sim.Config{State: s})
			if err != nil {
				t.Fatalf("the world that it makes is none: %v", err)
			}
			w := srv.World()
			w.Lock()
			defer w.Unlock()
			told := []string{one.At, other.At}
			rest := k.Rest(&w.State, told)
			switch {
			case one.At == other.At || one.ID == other.ID:
				t.Error("two have one name")
			case one.Kind != k.Name || one.Cache == 0 || !strings.HasPrefix(one.Block, k.Name+": {"):
				t.Errorf("made %+v", one)
			case len(k.Tells) == 0 || len(k.Looks) == 0:
				t.Error("nobody would know when it is told, or looked at")
			case rest[one.At] == "":
				t.Error("the rest does not know it")
			}
			same := func(when string) {
				t.Helper()
				now := k.Rest(&w.State, told)
				for at, was := range rest {
					if now[at] != was {
						t.Errorf("%s the rest of %s is not what it was:\n%s\n%s", when, at, now[at], was)
					}
				}
			}
			if h := k.Holds(w, one.At); !h.There || h.Value != "by hand" || h.Publication != "" {
				t.Errorf("at first it holds %+v", h)
			}
			k.Put(&w.State, one.At, "typed")
			if h := k.Holds(w, one.At); !h.There || h.Value != "typed" {
				t.Errorf("it holds %+v", h)
			}
			if h := k.Holds(w, other.At); h.Value != "by hand" {
				t.Errorf("the other one holds %+v", h)
			}
			same("with another value")
			if k.Unmark != nil {
				k.Unmark(&w.State, one.At)
				same("without a mark")
			}
			restore := k.Remove(&w.State, one.At)
			if h := k.Holds(w, one.At); h.There {
				t.Error("it is there although it was deleted")
			}
			if k.Rest(&w.State, told)[one.At] != "" {
				t.Error("the rest knows it although it was deleted")
			}
			restore(&w.State)
			if h := k.Holds(w, one.At); h.Value != "typed" {
				t.Errorf("when it is back it holds %+v", h)
			}
			same("when it is back")
		})
	}
}
