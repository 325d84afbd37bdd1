package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
)

// program is the built binary.
var program string

func TestMain(m *testing.M) {
	if os.Getenv(stopwatch) != "" {
		timeCommand()
		return
	}
	dir, err := os.MkdirTemp("", "rekey-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := 1
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	for _, t := range tables {
		t.print()
	}
	os.Exit(code)
}

// build makes the program as it is released, without the race detector or a debugger's tables.
func build(dir string) error {
	program = filepath.Join(dir, "rekey")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=bench", "-o", program, "github.com/rekeyhq/rekey/cmd/rekey")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}

// tables are printed after all benchmarks, since a line in the midst of one would break the line of its result.
var tables []*table

// table is what a benchmark says to people.
type table struct {
	title string
	rows  [][]string
}

func newTable(title string, head ...string) *table {
	t := &table{title: title}
	t.row(head...)
	tables = append(tables, t)
	return t
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print() {
	fmt.Printf("\n%s\n", t.title)
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, r := range t.rows {
		fmt.Fprintln(w, "  "+strings.Join(r, "\t"))
	}
	w.Flush()
}
