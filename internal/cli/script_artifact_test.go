package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rekeyhq/rekey/sim/world"
)

// cmdFits holds a document against the schema that the program prints: fits FILE SCHEMA.
func cmdFits(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: fits FILE SCHEMA")
	}
	parse := func(name string) any {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(name)))
		ts.Check(err)
		return v
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	ts.Check(c.AddResource("schema.json", parse(args[1])))
	schema, err := c.Compile("schema.json")
	ts.Check(err)
	switch err := schema.Validate(parse(args[0])); {
	case err != nil && !neg:
		ts.Fatalf("%s does not fit %s: %v", args[0], args[1], err)
	case err == nil && neg:
		ts.Fatalf("%s fits %s", args[0], args[1])
	}
}

// cmdArtifact moves the one artefact in a folder to a name that a script can know: artifact FOLDER FILE.
func cmdArtifact(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: artifact FOLDER FILE")
	}
	all, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(all) != 1 || strings.HasPrefix(all[0].Name(), ".") {
		ts.Fatalf("%s holds %v, not one artefact", args[0], all)
	}
	ts.Check(os.Rename(filepath.Join(ts.MkAbs(args[0]), all[0].Name()), ts.MkAbs(args[1])))
}

// cmdIngested writes what was ingested by the built-in rule, a line each, without what repeats: ingested FILE.
func cmdIngested(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ingested FILE")
	}
	w := running(ts).World()
	w.Lock()
	defer w.Unlock()
	var b strings.Builder
	for _, r := range w.Records(w.CollectionRules[0], world.EventsStream) {
		fmt.Fprintln(&b, strings.TrimSpace(fmt.Sprint(r.Fields["Kind"], " ", r.Fields["Credential"])))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// cmdHanded wants a receiver to have been handed so many entries of the ledger, each once and those of a run in order:
// handed COUNT.
func cmdHanded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: handed COUNT")
	}
	r := running(ts).receiver
	r.mu.Lock()
	defer r.mu.Unlock()
	ts.Check(r.wrong)
	last := map[string]int{}
	for _, id := range r.handed {
		run, seq, _ := strings.Cut(id, "/")
		n, err := strconv.Atoi(seq)
		ts.Check(err)
		if n != last[run]+1 {
			ts.Fatalf("event %s came after %d of its run", id, last[run])
		}
		last[run] = n
	}
	if n := strconv.Itoa(len(r.handed)); n != args[0] {
		ts.Fatalf("%s entries were handed on", n)
	}
}
