package mutant

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/simtest/invariant"
)

var (
	prove  = flag.Bool("prove", false, "hunt all mutants, and print a table")
	only   = flag.String("prove.only", "", "only mutants whose name contains this")
	asJSON = flag.String("prove.json", "", "a file that what came of each mutant is written to, one JSON object a line")
)

// handful are the ones that are hunted without -prove: one for each checker, of those that are caught soonest.
var handful = []string{
	"lost-put-revoked",        // gap
	"without-a-stamp",         // foreign
	"revoke-before-check",     // revoke
	"put-repeated",            // once
	"intent-after-the-effect", // intent and pairs
	"value-in-a-log",          // leak
	"no-sweep",                // stray
	"record-in-a-second-call", // converged
}

// TestEveryMutantIsCaught hunts a handful, and with -prove all of them.
func TestEveryMutantIsCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("the product is compiled anew for each mutant")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go tool to compile mutants with")
	}
	var outcomes []outcome
	for _, m := range mutants(t) {
		if *only == "" && !*prove && !slices.Contains(handful, m.name) || !strings.Contains(m.name, *only) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			o, err := m.hunt(t.Context(), t.TempDir())
			o.Caught = o.Caught && err == nil
			outcomes = append(outcomes, o)
			if err != nil {
				t.Fatal(err)
			}
			if why := m.verdict(o); why != "" {
				t.Fatal(why)
			}
			t.Logf("%s\n    caught by %s after %d runs: %s\n        %s", m.breaks, strings.Join(o.By, ", "), o.After, o.What, strings.Join(o.Path, "\n        "))
		})
	}
	if len(outcomes) == 0 {
		t.Fatalf("no mutant's name contains %q", *only)
	}
	if *prove {
		fmt.Println(table(outcomes))
	}
	if *asJSON != "" {
		if err := keep(*asJSON, outcomes); err != nil {
			t.Fatal(err)
		}
	}
}

func table(outcomes []outcome) string {
	var b strings.Builder
	fmt.Fprintln(&b, "mutant | meant for | caught by | after runs")
	caught := 0
	for _, o := range outcomes {
		fmt.Fprintln(&b, o)
		if o.Caught {
			caught++
		}
	}
	fmt.Fprintf(&b, "caught %d of %d", caught, len(outcomes))
	return b.String()
}

func keep(file string, outcomes []outcome) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	for _, o := range outcomes {
		if err := e.Encode(o); err != nil {
			f.Close()
			return err
		}
	}
	return f.Close()
}

// TestEveryPatchFits needs no compiler, so that who moves the product on hears of it at once.
func TestEveryPatchFits(t *testing.T) {
	t.Parallel()
	for _, m := range mutants(t) {
		if _, err := m.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// TestEveryCheckerHasAMutant compares both ways, the handful included.
func TestEveryCheckerHasAMutant(t *testing.T) {
	meant, said, quick := map[string]bool{}, map[string]bool{}, slices.Clone(handful)
	for _, m := range mutants(t) {
		meant[m.meant], said[m.says] = true, true
		quick = slices.DeleteFunc(quick, func(name string) bool { return name == m.name })
	}
	for _, c := range invariant.All() {
		if !meant[c.Name] {
			t.Errorf("no mutant is meant for %s: nothing shows that it can fail", c.Name)
		}
		delete(meant, c.Name)
	}
	for name := range meant {
		t.Errorf("there is no checker %q", name)
	}
	// What the exploration itself adds to what the checkers say.
	for _, says := range []string{"nobody has done anything that a person must decide on", "still not settled"} {
		if !said[says] {
			t.Errorf("no mutant is meant to be told %q", says)
		}
	}
	if len(quick) > 0 {
		t.Errorf("there is no mutant %q", quick)
	}
}
