package proof

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func good() []Row {
	return []Row{
		{Exploration: &Exploration{Kind: "pat", Name: "plain", Points: 19, Outcomes: 150, Worlds: 2000, Runs: 240000}},
		{Exploration: &Exploration{Kind: "pat", Name: "lists that lag", Points: 18, Outcomes: 120, Worlds: 90, Runs: 9000}},
		{Mutant: &Mutant{Name: "no-sweep", MeantFor: "stray", CaughtBy: []string{"stray", "idle"}, Caught: true, Runs: 12}},
		{Year: &Year{Seed: 7, Credentials: 10000, Days: 365, Runs: 1460, Rotations: 41000, Calls: 400000, Faults: map[string]int{"cut": 3, "crash": 2}, Seconds: 600}},
	}
}

func TestTheTableSaysWhatFailed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(rows []Row)
		want   string // "" if nothing failed
	}{
		"nothing":                       {func([]Row) {}, ""},
		"a violation":                   {func(r []Row) { r[0].Exploration.Violations = 1 }, "pat plain: 1 violations"},
		"worlds that are left":          {func(r []Row) { r[1].Exploration.Left = 5 }, "pat lists that lag: 5 worlds were not gone through"},
		"a mutant that survives":        {func(r []Row) { r[2].Mutant.Caught = false }, "mutant no-sweep survived"},
		"a gap in the year":             {func(r []Row) { r[3].Year.Gaps = 1 }, "year of seed 7, 10000 credentials, 365 days: 1 gaps, 0 orphans, 0 violations"},
		"an orphan in the year":         {func(r []Row) { r[3].Year.Orphans = 1 }, "year of seed 7, 10000 credentials, 365 days: 0 gaps, 1 orphans, 0 violations"},
		"anything else wrong in a year": {func(r []Row) { r[3].Year.Violations = 2 }, "year of seed 7, 10000 credentials, 365 days: 0 gaps, 0 orphans, 2 violations"},
	} {
		t.Run(name, func(t *testing.T) {
			rows := good()
			c.change(rows)
			var b strings.Builder
			if got := strings.Join(Print(&b, rows), "; "); got != c.want {
				t.Errorf("failed %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheTable(t *testing.T) {
	var b strings.Builder
	Print(&b, good())
	const want = `kind  explored        points  outcomes  worlds  runs    violations  
pat   plain           19      150       2000    240000  0           
pat   lists that lag  18      120       90      9000    0           
                                        2090    249000  0           

mutant    meant for  caught by    after runs
no-sweep  stray      stray, idle  12
mutants: caught 1 of 1

year of seed  credentials  days  runs  died  rotations  calls   faults  people  holds  gaps  orphans  not promised  violations
7             10000        365   1460  0     41000      400000  5       0       0      0     0        0             0
all           10000        365   1460  0     41000      400000  5       0       0      0     0        0             0
faults survived: 2 crash, 3 cut
52560 simulated seconds a second
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatIsDoneIsNotRepeatedAndWhatFailedIs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rows")
	if Has(file, "pat plain") {
		t.Error("there is a row where there is no file")
	}
	bad, rows := good()[0], good()
	bad.Exploration = &Exploration{Kind: "pat", Name: "with violations", Violations: 1}
	for _, r := range append(rows, bad) {
		if err := Add(file, r); err != nil {
			t.Fatal(err)
		}
	}
	// An interrupted write, and the next one after it.
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"exploration":{"kind":"pat","name":"cut o`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := Add(file, Row{Mutant: &Mutant{Name: "later", Caught: true}}); err != nil {
		t.Fatal(err)
	}
	for title, want := range map[string]bool{"pat plain": true, "mutant no-sweep": true, "mutant later": true, "pat with violations": false, "pat cut o": false} {
		if got := Has(file, title); got != want {
			t.Errorf("%s: %t, want %t", title, got, want)
		}
	}
	if got, err := Read(file); err != nil || len(got) != 6 {
		t.Errorf("%d rows, %v", len(got), err)
	}
}
