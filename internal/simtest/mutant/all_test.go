package mutant

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/internal/simtest/proof"
)

var (
	prove = flag.Bool("prove", false, "hunt all mutants, and print a table if no file is to hold it")
	only  = flag.String("prove.only", "", "only mutants whose name contains this")
	rows  = flag.String("prove.json", "", "a file that a line is added to for each mutant; which it has caught is not hunted again")
)

// handful are the ones that are hunted without -prove: one for each checker, of those that are caught soonest.
var handful = []string{
	"lost-put-revoked",        // gap
	"without-a-stamp",         // foreign
	"revoke-before-check",     // revoke
	"put-repeated",            // once
	"tell-from-memory",        // fresh
	"intent-after-the-effect", // intent
	"value-in-a-log",          // leak
	"no-sweep",                // stray
	"mark-taken-for-proof",    // told
	"record-in-a-second-call", // converged
}

// TestMutants hunts a handful, and with -prove all of them.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("the product is compiled anew for each mutant")
	}
	var table []proof.Row
	found := 0
	for _, m := range mutants(t) {
		if *only == "" && !*prove && !slices.Contains(handful, m.name) || !strings.Contains(m.name, *only) {
			continue
		}
		found++
		t.Run(m.name, func(t *testing.T) {
			row := proof.Row{Mutant: &proof.Mutant{Name: m.name, MeantFor: m.meant}}
			if proof.Has(*rows, "mutant "+m.name) {
				t.Skip("caught before")
			}
			o, err := m.hunt(t.Context(), t.TempDir())
			why := m.verdict(o)
			if err != nil {
				why = err.Error()
			}
			row.Mutant.CaughtBy, row.Mutant.Caught, row.Mutant.Runs = o.by, why == "", o.after
			table = append(table, row)
			if err := proof.Add(*rows, row); err != nil {
				t.Error(err)
			}
			if why != "" {
				t.Fatal(why)
			}
			t.Logf("%s\n    caught by %s after %d runs: %s\n        %s", m.breaks, strings.Join(o.by, ", "), o.after, o.what, strings.Join(o.path, "\n        "))
		})
	}
	if found == 0 {
		t.Fatalf("no mutant's name contains %q", *only)
	}
	if *prove && *rows == "" {
		proof.Print(os.Stdout, table)
	}
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
