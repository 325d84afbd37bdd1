package scenario

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rekeyhq/rekey/internal/artifact"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// evidence adds to a run's flags that its artefact is kept, if it is one that has effects.
func (b *bed) evidence(args []string, flags ...string) []string {
	if slices.Contains([]string{"apply", "rotate", "rollback", "retire"}, args[0]) {
		flags = append(flags, "--artifact", b.artifactDir(), "--reason", "a scenario", "--ticket", "OPS-7")
	}
	return flags
}

// unwritten takes away what a run wrote after it was killed: here only the part of it is ended that makes the calls.
func (b *bed) unwritten(before []string) {
	b.Helper()
	for _, name := range b.written() {
		if !slices.Contains(before, name) {
			if err := os.Remove(name); err != nil {
				b.Error(err)
			}
		}
	}
}

func (b *bed) written() []string {
	b.Helper()
	all, err := filepath.Glob(filepath.Join(b.artifactDir(), "*.json"))
	if err != nil {
		b.Fatal(err)
	}
	return all
}

func (b *bed) artifactDir() string { return filepath.Join(b.dir, "artifacts") }

// artifacts are those of all runs that came to their end, by name.
func (b *bed) artifacts() map[string][]byte {
	b.Helper()
	out := map[string][]byte{}
	for _, name := range b.written() {
		raw, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		out[filepath.Base(name)] = raw
	}
	return out
}

var artifactSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	s, err := jsonschema.UnmarshalJSON(bytes.NewReader(artifact.Schema()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("artifact.json", s); err != nil {
		return nil, err
	}
	return c.Compile("artifact.json")
})

// theArtifactsFit holds each artefact against the schema, and against the run's entries of the ledger.
func (b *bed) theArtifactsFit() {
	b.Helper()
	schema, err := artifactSchema()
	if err != nil {
		b.Fatal(err)
	}
	recorded := map[string]int{}
	for _, e := range b.recorded() {
		recorded[e.Run]++
	}
	for name, raw := range b.artifacts() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err == nil {
			err = schema.Validate(doc)
		}
		if err != nil {
			b.Errorf("artefact %s does not fit the schema: %v", name, err)
		}
		a, s, err := artifact.Parse(raw)
		if err != nil {
			b.Errorf("artefact %s: %v", name, err)
			continue
		}
		if n := len(a.Ledger.Entries); n != recorded[s.Run] || n > 0 && s.Entries != n-1 {
			b.Errorf("artefact %s has %d entries and speaks of %d; the ledger has %d", name, n, s.Entries, recorded[s.Run])
		}
		// Nobody signs in for what the manifest disables.
		asks := slices.ContainsFunc(s.Credentials, func(c artifact.Credential) bool { return c.Code != "disabled" })
		if !strings.HasPrefix(name, s.Run) || asks && !s.Who.Verified && s.Outcome == artifact.Done || s.Why.Ticket != "OPS-7" {
			b.Errorf("artefact %s is of run %s by %+v, why %+v", name, s.Run, s.Who, s.Why)
		}
	}
}

// theVaultIsAWitness holds the ledger against what each version that was published says of it.
func (b *bed) theVaultIsAWitness() {
	b.Helper()
	var seen []ledger.Seen
	for _, v := range b.versions() {
		if r, err := rotation.ParseRecord(v.Tags[rotation.RecordTag]); err == nil && r.LedgerSize > 0 {
			seen = append(seen, ledger.Seen{Name: v.ID, Size: r.LedgerSize, Root: r.LedgerRoot})
		}
	}
	if len(seen) == 0 {
		return
	}
	home, err := ledger.ReadFolder(filepath.Dir(b.ledger()))
	if err != nil {
		b.Fatal(err)
	}
	r, err := ledger.Verify(home, ledger.Options{Seen: seen})
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.Problem {
			b.Errorf("the ledger is not what the vault says: %s: %s", f.Kind, f.Says)
		}
	}
}
