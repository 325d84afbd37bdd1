// Package ledger is the record of what was intended and what happened: an entry before every effect and one after it.
//
// It is evidence and never input: nothing reads it to decide. What always holds: an entry is on disk before Append
// returns, and what cannot be written does not happen; an entry names credentials, ids and times, and never a value.
package ledger

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
)

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
}

// Log takes entries.
type Log interface {
	// Append stores one entry for good. The caller must not act if it fails.
	Append(Entry) error
}

// File is the name of the log in its folder.
const File = "ledger.jsonl"

// Folder is a log in a folder of one machine: one JSON object a line. Several processes may append at once, since each
// entry is one write to a file that is open for appending.
type Folder struct {
	mu sync.Mutex
	f  *os.File
}

// OpenFolder opens the log in dir, which is made if it does not exist.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	path := filepath.Join(dir, File)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	l := &Folder{f: f}
	if err := l.mendLastLine(); err != nil {
		f.Close()
		return nil, fmt.Errorf("open the ledger %s: %w", path, err)
	}
	return l, nil
}

// mendLastLine ends a line that a crash cut off, so that the next entry is not glued to it. The torn line stays: it
// is evidence too.
func (l *Folder) mendLastLine() error {
	info, err := l.f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	var last [1]byte
	if _, err := l.f.ReadAt(last[:], info.Size()-1); err != nil {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	_, err = l.f.Write([]byte("\n"))
	return err
}

// Append implements Log.
func (l *Folder) Append(e Entry) error {
	b, err := line(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.f.Write(b); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Folder) Close() error { return l.f.Close() }

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
