package proof

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Print writes the table of all rows, of several with one title the last, and says what failed.
func Print(w io.Writer, rows []Row) (failed []string) {
	rows = latest(rows)
	explorations(w, rows)
	mutants(w, rows)
	years(w, rows)
	for _, r := range rows {
		if why := r.Failed(); why != "" {
			failed = append(failed, why)
		}
	}
	return failed
}

func latest(rows []Row) (out []Row) {
	for i, r := range rows {
		if !slices.ContainsFunc(rows[i+1:], func(later Row) bool { return later.title() == r.title() }) {
			out = append(out, r)
		}
	}
	return out
}

func table(w io.Writer, header ...string) *tabwriter.Writer {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(header, "\t"))
	return t
}

func explorations(w io.Writer, rows []Row) {
	t, total := table(w, "kind", "explored", "points", "outcomes", "worlds", "runs", "violations", ""), Exploration{}
	n := 0
	for _, r := range rows {
		e := r.Exploration
		if e == nil {
			continue
		}
		n++
		left := ""
		if e.Left > 0 {
			left = fmt.Sprintf("%d worlds not gone through", e.Left)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", e.Kind, e.Name, e.Points, e.Outcomes, e.Worlds, e.Runs, e.Violations, left)
		total.Worlds, total.Runs, total.Violations = total.Worlds+e.Worlds, total.Runs+e.Runs, total.Violations+e.Violations
	}
	if n > 0 {
		fmt.Fprintf(t, "\t\t\t\t%d\t%d\t%d\t\n", total.Worlds, total.Runs, total.Violations)
		t.Flush()
		fmt.Fprintln(w)
	}
}

func mutants(w io.Writer, rows []Row) {
	t, n, caught := table(w, "mutant", "meant for", "caught by", "after runs"), 0, 0
	for _, r := range rows {
		if m := r.Mutant; m != nil {
			n++
			by := cmp.Or(strings.Join(m.CaughtBy, ", "), "nobody")
			if m.Caught {
				caught++
			} else {
				by += "  SURVIVED"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\n", m.Name, m.MeantFor, by, m.Runs)
		}
	}
	if n > 0 {
		t.Flush()
		fmt.Fprintf(w, "mutants: caught %d of %d\n\n", caught, n)
	}
}

func years(w io.Writer, rows []Row) {
	t := table(w, "year of seed", "credentials", "days", "runs", "died", "rotations", "calls", "faults", "people", "holds", "gaps", "orphans", "not promised", "violations")
	total, n, simulated, longest := Year{Faults: map[string]int{}}, 0, 0, 0
	for _, r := range rows {
		y := r.Year
		if y == nil {
			continue
		}
		n++
		line(t, fmt.Sprint(y.Seed), y)
		for kind, k := range y.Faults {
			total.Faults[kind] += k
		}
		total.Credentials, total.Days, total.Runs, total.Died = total.Credentials+y.Credentials, max(total.Days, y.Days), total.Runs+y.Runs, total.Died+y.Died
		total.Rotations, total.Calls, total.People, total.Holds = total.Rotations+y.Rotations, total.Calls+y.Calls, total.People+y.People, total.Holds+y.Holds
		total.Gaps, total.Orphans, total.NotPromised, total.Violations = total.Gaps+y.Gaps, total.Orphans+y.Orphans, total.NotPromised+y.NotPromised, total.Violations+y.Violations
		simulated, longest = simulated+y.Days*86400, longest+y.Seconds
	}
	if n == 0 {
		return
	}
	line(t, "all", &total)
	t.Flush()
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(total.Faults)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", total.Faults[kind], kind))
	}
	fmt.Fprintf(w, "faults survived: %s\n%d simulated seconds a second\n", strings.Join(kinds, ", "), simulated/max(1, longest))
}

func line(t io.Writer, name string, y *Year) {
	faults := 0
	for _, k := range y.Faults {
		faults += k
	}
	fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n",
		name, y.Credentials, y.Days, y.Runs, y.Died, y.Rotations, y.Calls, faults, y.People, y.Holds, y.Gaps, y.Orphans, y.NotPromised, y.Violations)
}
