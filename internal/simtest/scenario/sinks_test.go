package scenario

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/leak"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// sinks are everything that a run leaves behind, by name: files, whole, and what the other side wrote down.
func (b *bed) sinks() map[string]string {
	b.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		rel, _ := filepath.Rel(b.dir, path)
		if filepath.Dir(path) == b.artifactDir() {
			out["artifacts"] += rel + "\n" + string(raw)
			return err
		}
		out[rel] = rel + "\n" + string(raw)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	requests, err := json.Marshal(b.sim.Requests())
	if err != nil {
		b.Fatal(err)
	}
	out["/requests"] = string(requests)
	b.mu.Lock()
	out["stdout and stderr"] = strings.Join(b.outputs, "\n")
	b.mu.Unlock()
	return out
}

// clean searches the sinks for every secret that the world ever knew.
func (b *bed) clean() {
	b.Helper()
	var secrets []string
	b.world(func(w *world.World) { secrets = append(w.Secrets(), world.Canary) })
	sinks := b.sinks()
	if len(sinks) != 7 {
		b.Errorf("%d sinks: rekey.yaml, the ledger's three files, the artefacts, the outputs and the request log are seven", len(sinks))
	}
	for name, text := range sinks {
		for _, f := range leak.Search(text, secrets) {
			b.Errorf("%s: %v", name, f)
		}
	}
}

func TestNoSinkHoldsASecretWhoeverTheAccountSignsInAs(t *testing.T) {
	for name, prepare := range map[string]func(b *bed){
		"by its password": func(*bed) {},
		"by a person's sign-in that is sealed in the vault": func(b *bed) {
			b.write(func(s *settings) { s.account = byCache(svcMFA) })
			b.login()
		},
	} {
		t.Run(name, func(t *testing.T) {
			approved := func(s *world.State) {
				s.Knobs.Entra.DeviceAutoApprove, s.Knobs.Entra.DeviceAutoApproveAfter = svcMFA, 2
			}
			playIn(t, approved, func(b *bed) {
				prepare(b)
				b.apply()
				b.clean()
				for _, f := range []sim.Fault{lost("CreatePat"), lost("SetSecret"), fault("SetSecret", sim.DoMalform), fault("CreatePat", sim.DoTruncate), fault("ConnectionData", sim.DoSignIn), {Service: "entra", Do: sim.DoMalform, Nth: 1}} {
					b.pass(2 * time.Hour)
					b.sim.ClearFaults()
					b.faults(f)
					b.run("rotate", credential)
				}
				b.sim.ClearFaults()
				b.clean()
				b.settle()
				b.clean()
			})
		})
	}
}
