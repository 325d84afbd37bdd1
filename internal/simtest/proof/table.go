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
	for _, r := range rows {
		y := r.Year
		if y == nil {
			continue
		}
		sum, kinds := 0, []string{}
		for _, kind := range slices.Sorted(maps.Keys(y.Faults)) {
			sum += y.Faults[kind]
			kinds = append(kinds, fmt.Sprintf("%d %s", y.Faults[kind], kind))
		}
		fmt.Fprintf(w, "year of seed %d: %d credentials, %d days, %d runs, %d rotations, %d calls, %d faults, %d acts of people, %d gaps, %d orphans, %d violations; %d simulated seconds a second\n",
			y.Seed, y.Credentials, y.Days, y.Runs, y.Rotations, y.Calls, sum, y.People, y.Gaps, y.Orphans, y.Violations, y.Days*86400/max(1, y.Seconds))
		fmt.Fprintf(w, "    faults: %s\n", strings.Join(kinds, ", "))
	}
}
