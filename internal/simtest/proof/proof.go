// Package proof keeps what proofs came to, one JSON line each, and prints the table that they end with.
//
// It is for tests alone and runs nothing: package explore, mutant and year add a row when one of theirs has ended, and
// the command prove starts them. What always holds: a row is written once its proof has ended and never before, so that
// what was interrupted is repeated; and whatever is wrong in a row is a failure of the whole.
package proof

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Row is one line. Exactly one of the pointers is set.
type Row struct {
	Exploration *Exploration `json:"exploration,omitempty"`
	Mutant      *Mutant      `json:"mutant,omitempty"`
	Year        *Year        `json:"year,omitempty"`
}

// Exploration is one exploration of worlds that has ended.
type Exploration struct {
	Kind     string `json:"kind"` // of credential, as the manifest names it
	Name     string `json:"name"` // what was explored
	Points   int    `json:"points"`
	Outcomes int    `json:"outcomes"` // of all points
	Worlds   int    `json:"worlds"`
	// Left are worlds that were found and not gone through.
	Left       int `json:"left"`
	Runs       int `json:"runs"`
	Violations int `json:"violations"`
	Seconds    int `json:"seconds"`
}

// Title tells explorations apart.
func (e *Exploration) Title() string { return e.Kind + " " + e.Name }

// Mutant is one broken product, and who noticed.
type Mutant struct {
	Name     string   `json:"name"`
	MeantFor string   `json:"meantFor"` // a checker
	CaughtBy []string `json:"caughtBy"`
	// Caught says that the checker that is meant to notice did.
	Caught bool `json:"caught"`
	Runs   int  `json:"runs"` // of the product until then
}

// Year is a simulated fleet at its end.
type Year struct {
	Seed        uint64         `json:"seed"`
	Credentials int            `json:"credentials"`
	Days        int            `json:"days"`
	Runs        int            `json:"runs"`
	Died        int            `json:"died"` // of the runs
	Rotations   int            `json:"rotations"`
	Calls       int            `json:"calls"`
	Faults      map[string]int `json:"faults"` // survived, by kind
	People      int            `json:"people"` // what people did
	Holds       int            `json:"holds"`  // ends of runs that asked for a person
	Gaps        int            `json:"gaps"`
	Orphans     int            `json:"orphans"`
	// NotPromised are tokens that died in a way that no tool could prevent, and that the documents name.
	NotPromised int `json:"notPromised"`
	Violations  int `json:"violations"` // of any invariant
	Seconds     int `json:"seconds"`    // of real time
}

// Title tells years apart.
func (y *Year) Title() string {
	return fmt.Sprintf("year of seed %d, %d credentials, %d days", y.Seed, y.Credentials, y.Days)
}

// Failed says what is wrong with a row, "" if nothing is.
func (r Row) Failed() string {
	switch {
	case r.Exploration != nil && r.Exploration.Violations > 0:
		return fmt.Sprintf("%s: %d violations", r.Exploration.Title(), r.Exploration.Violations)
	case r.Exploration != nil && r.Exploration.Left > 0:
		return fmt.Sprintf("%s: %d worlds were not gone through", r.Exploration.Title(), r.Exploration.Left)
	case r.Mutant != nil && !r.Mutant.Caught:
		return "mutant " + r.Mutant.Name + " survived"
	case r.Year != nil && r.Year.Violations+r.Year.Gaps+r.Year.Orphans > 0:
		return fmt.Sprintf("%s: %d gaps, %d orphans, %d violations", r.Year.Title(), r.Year.Gaps, r.Year.Orphans, r.Year.Violations)
	}
	return ""
}

// title tells rows apart.
func (r Row) title() string {
	switch {
	case r.Exploration != nil:
		return r.Exploration.Title()
	case r.Mutant != nil:
		return "mutant " + r.Mutant.Name
	case r.Year != nil:
		return r.Year.Title()
	}
	return ""
}

// Read gives the rows of a file, none if it is not there.
func Read(file string) ([]Row, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) || file == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var rows []Row
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		var r Row
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.title() != "" { // else cut off when it was interrupted
			rows = append(rows, r)
		}
	}
	return rows, lines.Err()
}

// Has says whether a file has a row of that title in which nothing is wrong. What failed is repeated.
func Has(file, title string) bool {
	rows, _ := Read(file)
	for _, r := range rows {
		if r.title() == title && r.Failed() == "" {
			return true
		}
	}
	return false
}

// Add adds a row to a file; without a file it does nothing.
func Add(file string, r Row) error {
	if file == "" {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(append([]byte("\n"), b...), '\n')) // a line that was cut off ends here
	return errors.Join(err, f.Close())
}
