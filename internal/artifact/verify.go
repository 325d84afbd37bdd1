package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rekeyhq/rekey/internal/ledger"
)

// Verified is what an artefact was found to be.
type Verified struct {
	Run        string
	Command    string
	Outcome    string
	Entries    int
	Checkpoint ledger.Checkpoint
}

// maxFile is more than any artefact has.
const maxFile = 256 << 20

var errNone = fmt.Errorf("it is not an artefact: one is JSON with the schema %s", Version)

// Parse reads an artefact. It takes nothing but the one way of writing what is around the statement, so that no other
// program can find something else in it.
func Parse(b []byte) (Artifact, Statement, error) {
	var a Artifact
	var s Statement
	if len(b) > maxFile || json.Unmarshal(b, &a) != nil || a.Schema != Version {
		return a, s, errNone
	}
	var got, raw bytes.Buffer
	if err := errors.Join(json.Compact(&got, b), json.Compact(&raw, a.Statement)); err != nil {
		return a, s, errNone
	}
	a.Statement = raw.Bytes()
	want, err := compact(a)
	if err != nil || !bytes.Equal(want, got.Bytes()) {
		return a, s, errors.New("it has a member that Rekey does not write, or has one twice: it was altered, or is of a later version of Rekey")
	}
	if json.Unmarshal(a.Statement, &s) != nil || s.Run == "" {
		return a, s, errors.New("its statement names no run: it was altered")
	}
	return a, s, nil
}

// Verify says whether an artefact holds, by the keys alone: its statement is the one whose digest the run has recorded,
// and its entries are all of the run's, each of them in the ledger.
func Verify(b []byte, keys []ledger.Verifier) (Verified, error) {
	a, s, err := Parse(b)
	if err != nil {
		return Verified{}, err
	}
	switch {
	case len(a.Ledger.Entries) == 0:
		return Verified{}, fmt.Errorf("run %s recorded nothing, since it had nothing to do, so there is nothing that the key could show of it", s.Run)
	case !a.Ledger.Durable:
		return Verified{}, fmt.Errorf("run %s had no durable ledger: the entries are here alone, and nobody has signed them; name a ledger in the manifest", s.Run)
	case a.Ledger.Checkpoint == "":
		return Verified{}, fmt.Errorf("no checkpoint covered the entries when this was written (%s): verify the ledger itself", a.Ledger.Problem)
	}
	c, err := ledger.ParseCheckpoint(a.Ledger.Checkpoint, keys)
	if err != nil {
		return Verified{}, fmt.Errorf("the artefact's checkpoint: %w", err)
	}
	if len(c.Signers) == 0 {
		return Verified{}, errors.New("the artefact's checkpoint is not signed with the key that was given, so it proves nothing: ask for the right key, at whoever runs Rekey and not in what came with the artefact")
	}
	var last ledger.Entry
	var at int64
	for _, p := range a.Ledger.Entries {
		e, err := p.Check(c)
		if err != nil {
			return Verified{}, err
		}
		if e.Run != s.Run || e.Seq <= last.Seq || p.Entry <= at {
			return Verified{}, fmt.Errorf("entry %d is not the next one of run %s: entries were dropped, moved or put in", p.Entry, s.Run)
		}
		last, at = e, p.Entry
	}
	switch {
	case last.Effect != Attested || last.Digest == "":
		return Verified{}, fmt.Errorf("the last entry has no digest of the statement: it was taken out, or could not be written. The %d entries hold, and what is said around them is covered by nothing", len(a.Ledger.Entries))
	case last.Digest != digestOf(a.Statement):
		return Verified{}, errors.New("the statement is not the one that the run has recorded the digest of: it was altered")
	case s.Entries != len(a.Ledger.Entries)-1:
		return Verified{}, fmt.Errorf("the run had recorded %d entries before its statement, and %d are here: some were taken out or put in", s.Entries, len(a.Ledger.Entries)-1)
	}
	return Verified{s.Run, s.Command, s.Outcome, len(a.Ledger.Entries), c}, nil
}
