// Package ledger is the record of what was intended and what happened: an entry before every effect and one after it,
// and over all of them a Merkle tree whose root is signed at the end of each run, so that whoever holds a checkpoint and
// the public key can tell whether anything before it was altered, dropped, inserted or moved.
//
// It is evidence and never input: nothing reads it to decide, and a checkpoint that cannot be made is said and stops
// nothing. It keeps no entry secret and stops nobody from deleting the files. What always holds: an entry is on disk
// before Append returns, and what cannot be written does not happen; an entry names credentials, ids and times, and never
// a value; the bytes of a line are the leaf of the tree; nothing is signed that contradicts the checkpoint before it.
package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/printable"
)

// Schema is the version of Entry.
const Schema = 1

// Phase is where an effect stands.
type Phase string

const (
	Intended Phase = "intended"
	Done     Phase = "done"
	Failed   Phase = "failed"  // certainly without an effect
	Unknown  Phase = "unknown" // the answer was lost
	// Recovered is a later word on an unknown effect, by the same run, which has looked since and seen that the effect had
	// happened: it names the effect and the target of the unknown entry. A run remembers nothing of what another did not
	// know: it looks at what is there.
	Recovered Phase = "recovered"
)

// phases are all of them.
var phases = []Phase{Intended, Done, Failed, Unknown, Recovered}

// Entry is one line.
type Entry struct {
	Schema     int       `json:"schema"`
	Time       time.Time `json:"time"` // the pass's time: the issuer's clock where it is known
	Run        string    `json:"run"`
	Seq        int       `json:"seq"` // in the run
	Credential string    `json:"credential"`
	Effect     string    `json:"effect"` // prove, appoint, issue, publish, rollback, extend, amend, tell, revoke
	Phase      Phase     `json:"phase"`
	// Target is what the effect is on: the secret, the issued credential, the consumer.
	Target      string    `json:"target"`
	Reason      string    `json:"reason,omitempty"`
	Generation  string    `json:"generation,omitempty"`
	Publication string    `json:"publication,omitempty"`
	IssuerID    string    `json:"issuerId,omitempty"`
	Version     string    `json:"version,omitempty"` // of the secret
	Expires     time.Time `json:"expires,omitzero"`
	Code        string    `json:"code,omitempty"`  // of a failure
	Error       string    `json:"error,omitempty"` // our words
	Said        string    `json:"said,omitempty"`  // by what was told, of what it did with it
	// Digest is that of the statement in the run's artefact, in the entry of its effect "attest".
	Digest string `json:"digest,omitempty"`
}

// Log takes entries.
type Log interface {
	// Append stores one entry for good. The caller must not act if it fails.
	Append(Entry) error
}

// Writer is a log that only prints: for a run without a folder, which says so.
type Writer struct {
	mu sync.Mutex
	W  io.Writer
}

// Append implements Log.
func (l *Writer) Append(e Entry) error {
	b, err := line(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.W.Write(b)
	return err
}

func line(e Entry) ([]byte, error) {
	e.Schema = Schema
	e.Time = e.Time.UTC()
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write the ledger: %w", err)
	}
	return append(printable.JSON(b), '\n'), nil
}

// ParseEntry reads a line. What is not an entry was not written by a run, or not to its end.
func ParseEntry(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, errors.New("it is not an entry in JSON")
	}
	if e.Schema != Schema || e.Run == "" || e.Seq <= 0 || !slices.Contains(phases, e.Phase) {
		return Entry{}, fmt.Errorf("it is not an entry of schema %d", Schema)
	}
	return e, nil
}
