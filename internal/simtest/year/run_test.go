package year

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/proof"
)

var (
	prove       = flag.Bool("prove", false, "a year of 10,000 credentials, which takes about an hour")
	proveJSON   = flag.String("prove.json", "", "a file that the figures of the proof are added to, as a line of JSON")
	seed        = flag.Uint64("year.seed", 0, "the seed; 0 for the usual ones")
	credentials = flag.Int("year.credentials", 0, "how many credentials; 0 for the usual number")
	days        = flag.Int("year.days", 0, "how many days; 0 for the usual number")
	every       = flag.Duration("year.every", 0, "how often a replica runs; 0 for the usual interval")
)

// asked is a size with what the flags say of it.
func asked(s size) size {
	if *seed != 0 {
		s.seed = *seed
	}
	if *credentials != 0 {
		s.credentials = *credentials
	}
	if *days != 0 {
		s.days = *days
	}
	if *every != 0 {
		s.every = *every
	}
	return s
}

// usual are the fleets of `go test`: one through a whole year with a run a day, and one through a quarter with three.
var usual = []size{
	{seed: 1, credentials: 90, days: 365, every: 24 * time.Hour},
	{seed: 2, credentials: 110, days: 90, every: 8 * time.Hour},
}

func TestAYear(t *testing.T) {
	t.Parallel()
	if *prove {
		t.Skip("TestProof lives it")
	}
	sizes := usual
	if s := asked(size{}); s != (size{}) {
		sizes = []size{asked(usual[0])}
	}
	for _, s := range sizes {
		t.Run(fmt.Sprintf("%d credentials for %d days", s.credentials, s.days), func(t *testing.T) {
			t.Parallel()
			if testing.Short() {
				s.days = min(s.days, 45)
			}
			y := live(t, plan{size: s})
			y.verdict(t)
			if s == usual[0] {
				y.eventful(t)
			}
		})
	}
}

// eventful fails the test unless everything that can happen has happened.
func (y *year) eventful(t *testing.T) {
	t.Helper()
	for _, table := range [][]odds{oddsOfWrites, oddsOfReads, oddsOfPages} {
		for _, o := range table {
			if y.stats.faults[string(o.what)] == 0 {
				t.Errorf("no call met the fault %q", o.what)
			}
		}
	}
	for _, o := range oddsOfDisk {
		if y.stats.faults["ledger "+string(o.what)] == 0 {
			t.Errorf("the ledger never met the fault %q", o.what)
		}
	}
	for _, d := range deeds {
		if y.stats.acts[d.name] == 0 {
			t.Errorf("nobody %s", d.name)
		}
	}
	for _, o := range orders {
		if y.stats.acts[o.name] == 0 {
			t.Errorf("nobody %s", o.name)
		}
	}
}

// TestSeeds lives the years that found something once. Each line of testdata/seeds.txt is a seed, a number of
// credentials, a number of days, an interval, and what it found.
func TestSeeds(t *testing.T) {
	t.Parallel()
	if testing.Short() || *prove {
		t.Skip("too long")
	}
	f, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var s size
		var interval string
		if _, err := fmt.Sscan(line, &s.seed, &s.credentials, &s.days, &interval); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if s.every, err = time.ParseDuration(interval); err != nil {
			t.Fatal(err)
		}
		if words := strings.Fields(line); len(words) < 8 {
			t.Errorf("%q does not say what it found", line)
		}
		t.Run(fmt.Sprint(s.seed), func(t *testing.T) {
			t.Parallel()
			live(t, plan{size: s}).verdict(t)
		})
	}
}

// shards is how many worlds the 10,000 live in: as many as there are cores live at once, and each world stays small
// enough for what the simulator goes through one by one.
const shards = 10

// TestProof is the year of 10,000 credentials, half of them with a run every twelve hours and half with one a day. Each
// world that has ended is a row, and is not lived again.
func TestProof(t *testing.T) {
	if !*prove {
		t.Skip("an hour: only with -prove")
	}
	whole := asked(size{seed: 1, credentials: 10_000, days: 365, every: 12 * time.Hour})
	worlds := min(shards, max(1, whole.credentials/500))
	for i := range worlds {
		s := whole
		s.credentials, s.seed = whole.credentials/worlds, whole.seed+uint64(i)
		if i%2 == 1 && *every == 0 {
			s.every *= 2
		}
		row := &proof.Year{Seed: s.seed, Credentials: s.credentials, Days: s.days}
		t.Run(fmt.Sprint(s.seed), func(t *testing.T) {
			t.Parallel()
			if proof.Has(*proveJSON, row.Title()) {
				t.Skip("done before")
			}
			start := time.Now()
			y := live(t, plan{size: s, progress: func(line string) { fmt.Fprintf(os.Stderr, "year: world %d: %s\n", s.seed, line) }})
			y.fill(row)
			row.Seconds = int(time.Since(start).Seconds())
			y.verdict(t)
			if t.Failed() {
				row.Violations = max(1, row.Violations)
			}
			if err := proof.Add(*proveJSON, proof.Row{Year: row}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func (y *year) fill(row *proof.Year) {
	s := y.stats
	row.Runs, row.Died, row.Rotations, row.Calls = s.runs, s.killed, s.rotations, s.calls
	row.Faults, row.People, row.Holds = s.faults, sum(s.acts), sum(s.holds)
	row.Gaps, row.Orphans, row.NotPromised, row.Violations = s.gaps, s.orphans, s.holes+s.crossed, len(y.broken)
}
