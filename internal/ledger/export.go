package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/rekeyhq/rekey/internal/printable"
)

// ExportSchema is the version of an export: lines of JSON, of which the first is an exportHead, the last an exportEnd
// and the others are entries.
const ExportSchema = "rekey.ledger-export/1"

type exportHead struct {
	Schema string `json:"schema"`
	// Checkpoint is the newest signed one.
	Checkpoint string `json:"checkpoint"`
	// Complete says that these are all entries that it covers. Then they need no proofs, for together they have its root.
	Complete bool `json:"complete"`
}

type exportEntry struct {
	Entry int64 `json:"entry"`
	// Line is the entry as it was written; Raw is that of a line that is no text.
	Line  string      `json:"line,omitempty"`
	Raw   []byte      `json:"raw,omitempty"`
	Proof []tlog.Hash `json:"proof,omitempty"`
}

type exportEnd struct {
	End     bool  `json:"end"`
	Entries int64 `json:"entries"`
}

// maxExportLine is more than any line of an export has.
const maxExportLine = 8 << 20

// Wanted says whether an entry is to be exported or shown, by its number.
type Wanted func(entry int64, e Entry) bool

// Export writes what the newest signed checkpoint covers: all of it, or only the entries that are wanted, each with its
// proof. It returns the checkpoint, and how many entries it wrote.
func Export(r Reader, w io.Writer, wanted Wanted) (Checkpoint, int64, error) {
	c, err := newest(r)
	if err != nil {
		return c, 0, err
	}
	b, err := book(r, c)
	if err != nil {
		return c, 0, err
	}
	defer b.Close()
	n := int64(0)
	if err := put(w, exportHead{ExportSchema, c.Note, wanted == nil}); err != nil {
		return c, 0, err
	}
	l := readLines(b.lines, 0, 0)
	for l.n < c.Size {
		more, err := l.next()
		if err != nil {
			return c, n, fmt.Errorf("read the ledger: %w", err)
		}
		h, _, err := b.tree.at(tlog.StoredHashIndex(0, max(0, l.n-1)))
		if err != nil || !more || h != l.hash {
			return c, n, fmt.Errorf("entry %d is not what the checkpoint is of: say rekey ledger verify, which names what was changed", l.n)
		}
		x := exportEntry{Entry: l.n}
		if wanted != nil {
			e, err := l.entry()
			if err != nil || !wanted(l.n, e) {
				continue
			}
			if x.Proof, err = tlog.ProveRecord(c.Size, l.n-1, b.tree); err != nil {
				return c, n, fmt.Errorf("prove entry %d: %w", l.n, err)
			}
		}
		switch {
		case l.text == nil:
			return c, n, fmt.Errorf("line %d is longer than any entry; export what you need by --credential, --run or --since", l.n)
		case utf8.Valid(l.text):
			x.Line = string(l.text)
		default:
			x.Raw = l.text
		}
		if err := put(w, x); err != nil {
			return c, n, err
		}
		n++
	}
	return c, n, put(w, exportEnd{true, n})
}

// put writes one line.
func put(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(append(printable.JSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), '\n'))
	return err
}

// Exported is what an export was found to be.
type Exported struct {
	Checkpoint Checkpoint
	Complete   bool
	Entries    int64
}

var errExport = fmt.Errorf("it is not an export: one is lines of JSON, the first with the schema %s", ExportSchema)

// exportReader checks an export line by line.
type exportReader struct {
	Exported
	r    *bufio.Reader
	edge *edge
	last int64
	held []Checkpoint
}

// CheckExport says whether an export holds, by the keys alone. Checkpoints that were kept elsewhere are held against a
// complete one.
func CheckExport(r io.Reader, keys []Verifier, held []Checkpoint) (Exported, error) {
	x := &exportReader{r: bufio.NewReaderSize(r, 32<<10), edge: &edge{}, held: held}
	b, err := x.line()
	if err != nil {
		return Exported{}, err
	}
	var head exportHead
	if json.Unmarshal(b, &head) != nil || head.Schema != ExportSchema {
		return Exported{}, errExport
	}
	c, err := ParseCheckpoint(head.Checkpoint, keys)
	if err != nil {
		return Exported{}, fmt.Errorf("the export's checkpoint: %w", err)
	}
	if len(c.Signers) == 0 {
		return Exported{}, errors.New("the export's checkpoint is not signed with the key that was given, so it proves nothing: ask for the right key, at whoever runs Rekey and not in what came with the export")
	}
	x.Checkpoint, x.Complete = c, head.Complete
	for {
		ended, err := x.next()
		if err != nil {
			return Exported{}, err
		}
		if ended {
			return x.Exported, x.end()
		}
	}
}

// line is the next one without its end.
func (x *exportReader) line() ([]byte, error) {
	var out []byte
	for {
		b, err := x.r.ReadSlice('\n')
		if out = append(out, b...); len(out) > maxExportLine {
			return nil, errExport
		}
		switch {
		case err == nil:
			return out[:len(out)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil, errors.New("the export ends before its last line: it was cut off; ask for it again")
		default:
			return nil, fmt.Errorf("read the export: %w", err)
		}
	}
}

// next checks one line, and says whether it was the last.
func (x *exportReader) next() (bool, error) {
	b, err := x.line()
	if err != nil {
		return false, err
	}
	var e struct {
		exportEntry
		exportEnd
	}
	if json.Unmarshal(b, &e) != nil {
		return false, fmt.Errorf("after entry %d the export has a line that is no entry: it was altered", x.last)
	}
	if e.End {
		if e.Entries != x.Entries {
			return false, fmt.Errorf("the export has %s and says that it had %d: some were taken out or put in", entries(x.Entries), e.Entries)
		}
		if _, err := x.r.Peek(1); !errors.Is(err, io.EOF) {
			return false, errors.New("the export goes on after its last line: something was added to it")
		}
		return true, nil
	}
	// Of a name that stands there twice, another program might show the other one.
	var same bytes.Buffer
	if err := put(&same, e.exportEntry); err != nil || !bytes.Equal(bytes.TrimSuffix(same.Bytes(), []byte("\n")), b) || e.Raw != nil && e.Line != "" {
		return false, fmt.Errorf("after entry %d the export has a line that Rekey does not write: it was altered", x.last)
	}
	text := []byte(e.Line)
	if e.Raw != nil {
		text = e.Raw
	}
	if e.Entry <= x.last || x.Complete && e.Entry != x.last+1 {
		return false, fmt.Errorf("after entry %d the export goes on with entry %d: entries were dropped, moved or put in", x.last, e.Entry)
	}
	if !x.Complete {
		if err := check(e.Proof, x.Checkpoint, e.Entry, text); err != nil {
			return false, fmt.Errorf("entry %d: %w", e.Entry, err)
		}
	} else if err := x.whole(text); err != nil {
		return false, err
	}
	x.last, x.Entries = e.Entry, x.Entries+1
	return false, nil
}

// whole adds a line to the tree of a complete export.
func (x *exportReader) whole(text []byte) error {
	x.edge.push(tlog.RecordHash(text), nil)
	i := slices.IndexFunc(x.held, func(c Checkpoint) bool { return c.Size == x.edge.n && c.Root != x.edge.root() })
	if i >= 0 {
		return fmt.Errorf("the checkpoint of %s that was kept elsewhere is not of the entries in this export: %s", entries(x.edge.n), doFork)
	}
	return nil
}

// end holds a complete export against its checkpoint.
func (x *exportReader) end() error {
	if !x.Complete {
		if len(x.held) > 0 {
			return errors.New("a checkpoint that was kept elsewhere can only be held against a complete export: ask for one without --credential, --run and --since")
		}
		return nil
	}
	if x.edge.n != x.Checkpoint.Size || x.edge.root() != x.Checkpoint.Root {
		return fmt.Errorf("the %s in the export are not those that its checkpoint of %s is of: an entry was altered, dropped, inserted or moved", entries(x.edge.n), entries(x.Checkpoint.Size))
	}
	for _, c := range x.held {
		if c.Size > x.edge.n {
			return fmt.Errorf("the export ends after %s, and the checkpoint that was kept elsewhere is of %d: it is older, or what came after was taken out", entries(x.edge.n), c.Size)
		}
	}
	return nil
}

// ParseHeld reads checkpoints that were kept elsewhere, all of which must be signed with one of the keys.
func ParseHeld(h Held, keys []Verifier) (out []Checkpoint, err error) {
	n := 0
	rerr := readCheckpoints(strings.NewReader(h.Text), keys, false, func(w written) {
		n++
		switch {
		case err != nil || w.cut:
		case w.err != nil:
			err = fmt.Errorf("the checkpoint in %s: %w", h.Name, w.err)
		case len(w.Signers) == 0:
			err = fmt.Errorf("the checkpoint in %s is not signed with the key that was given", h.Name)
		default:
			out = append(out, w.Checkpoint)
		}
	})
	if err == nil && rerr == nil && n == 0 {
		err = fmt.Errorf("there is no checkpoint in %s", h.Name)
	}
	return out, errors.Join(err, rerr)
}

// Walk gives every line of a ledger that is an entry, with its number.
func Walk(r Reader, each func(entry int64, e Entry) error) error {
	s, err := r.Open(Lines)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	defer s.Close()
	l := readLines(s, 0, 0)
	for {
		more, err := l.next()
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		if !more {
			return nil
		}
		e, err := l.entry()
		if err != nil {
			continue
		}
		if err := each(l.n, e); err != nil {
			return err
		}
	}
}
