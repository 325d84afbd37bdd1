package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"
)

// ProofSchema is the version of Proof.
const ProofSchema = "rekey.ledger-proof/1"

// Proof shows to whoever has the public key that an entry is in the ledger, without the rest of it.
type Proof struct {
	Schema string `json:"schema"`
	// Entry is the line's number, from 1 on, and Line the line.
	Entry int64  `json:"entry"`
	Line  string `json:"line"`
	// Checkpoint is a signed one that covers the entry, and Proof the hashes that lead from the one to the other
	// (RFC 6962, section 2.1.1).
	Checkpoint string      `json:"checkpoint"`
	Proof      []tlog.Hash `json:"proof"`
}

// maxProof is how many hashes the largest tree's proofs have.
const maxProof = 48

// maxProofFile is more than any proof has.
const maxProofFile = 8 << 20

// ErrNotCovered means that no signed checkpoint covers an entry.
var ErrNotCovered = errors.New("no signed checkpoint covers it")

// Prove makes the proof of an entry.
func Prove(r Reader, entry int64) (Proof, error) {
	c, err := newest(r)
	if err != nil {
		return Proof{}, err
	}
	if entry <= 0 || entry > c.Size {
		return Proof{}, fmt.Errorf("entry %d: %w", entry, ErrNotCovered)
	}
	b, err := book(r, c)
	if err != nil {
		return Proof{}, err
	}
	defer b.Close()
	text, err := b.line(entry)
	if err != nil {
		return Proof{}, err
	}
	proof, err := tlog.ProveRecord(c.Size, entry-1, b.tree)
	if err != nil {
		return Proof{}, fmt.Errorf("prove entry %d: %w", entry, err)
	}
	return Proof{ProofSchema, entry, text, c.Note, proof}, nil
}

// ParseProof reads a proof.
func ParseProof(b []byte) (Proof, error) {
	var p Proof
	if len(b) > maxProofFile || json.Unmarshal(b, &p) != nil || p.Schema != ProofSchema {
		return Proof{}, fmt.Errorf("it is not a proof: one is JSON with the schema %s", ProofSchema)
	}
	return p, nil
}

// Proved is what a proof shows.
type Proved struct {
	Entry      int64
	Checkpoint Checkpoint
	Said       Entry // zero if the line is no entry
}

// Check says whether the proof holds, by the keys alone.
func (p Proof) Check(keys []Verifier) (Proved, error) {
	c, err := ParseCheckpoint(p.Checkpoint, keys)
	if err != nil {
		return Proved{}, fmt.Errorf("the proof's checkpoint: %w", err)
	}
	if len(c.Signers) == 0 {
		return Proved{}, errors.New("the proof's checkpoint is not signed with the key that was given, so it proves nothing: ask for the right key, at whoever runs Rekey and not in what came with the proof")
	}
	if err := check(p.Proof, c, p.Entry, []byte(p.Line)); err != nil {
		return Proved{}, err
	}
	e, _ := ParseEntry([]byte(p.Line))
	return Proved{p.Entry, c, e}, nil
}

// check says whether a line is an entry under a checkpoint.
func check(proof []tlog.Hash, c Checkpoint, entry int64, line []byte) error {
	if len(proof) > maxProof || tlog.CheckRecord(proof, c.Size, c.Root, entry-1, tlog.RecordHash(line)) != nil {
		return fmt.Errorf("the proof does not hold: this line is not entry %d of the %d that the checkpoint is of; the line, its number or the proof was altered", entry, c.Size)
	}
	return nil
}

// newest is the signed checkpoint of the most lines. Whose signature it is, is for whoever verifies.
func newest(r Reader) (best Checkpoint, err error) {
	s, err := r.Open(Checkpoints)
	if err != nil {
		return best, fmt.Errorf("read the ledger's checkpoints: %w", err)
	}
	defer s.Close()
	err = readCheckpoints(io.NewSectionReader(s, 0, s.Size()), nil, false, func(w written) {
		if w.err == nil && len(w.others) > 0 && w.Size >= best.Size {
			best = w.Checkpoint
		}
	})
	if err == nil && best.Size == 0 {
		err = fmt.Errorf("the ledger has no signed checkpoint, and an unsigned one proves nothing: make a key with rekey ledger keygen and name it in the manifest; the next run that records something signs all entries")
	}
	return best, err
}

// pages is a ledger whose hashes were found to be those of a checkpoint.
type pages struct {
	lines Snapshot
	tree  tree
}

func (b *pages) Close() {
	b.lines.Close()
	b.tree.s.Close()
}

// book opens a ledger under a checkpoint. Hashes that are gone, or are others, are worked out in memory.
func book(r Reader, c Checkpoint) (*pages, error) {
	lines, err := r.Open(Lines)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	s, err := r.Open(Tree)
	if err != nil {
		lines.Close()
		return nil, fmt.Errorf("read the ledger's hashes: %w", err)
	}
	if t := (tree{s}); t.agrees(c) {
		return &pages{lines: lines, tree: t}, nil
	}
	s.Close()
	m := &memory{}
	if err := m.read(lines, c); err != nil {
		lines.Close()
		return nil, err
	}
	return &pages{lines: lines, tree: tree{m}}, nil
}

// line reads a line, and holds it against its hash.
func (b *pages) line(entry int64) (string, error) {
	h, begin, _, err := b.tree.leaf(entry - 1)
	if err != nil {
		return "", fmt.Errorf("read the ledger's hashes: %w", err)
	}
	l := readLines(b.lines, entry-1, begin)
	more, err := l.next()
	if err != nil {
		return "", fmt.Errorf("read the ledger: %w", err)
	}
	if !more || l.hash != h {
		return "", fmt.Errorf("entry %d is not what the checkpoint is of: say rekey ledger verify, which names what was changed", entry)
	}
	if l.text == nil || !utf8.Valid(l.text) {
		return "", fmt.Errorf("entry %d is no entry: what was torn by a crash is covered, but cannot be shown", entry)
	}
	return string(l.text), nil
}

// memory is Tree, worked out and kept nowhere.
type memory struct{ b []byte }

func (m *memory) Size() int64  { return int64(len(m.b)) }
func (m *memory) Close() error { return nil }

func (m *memory) ReadAt(b []byte, at int64) (int, error) {
	if at < 0 || at > int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(b, m.b[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// keep is a home's Keep.
func (m *memory) keep(b []byte, at int64) error {
	if at != int64(len(m.b)) {
		return errNoTree
	}
	m.b = append(m.b, b...)
	return nil
}

// read works the hashes of a checkpoint's lines out.
func (m *memory) read(s Snapshot, c Checkpoint) error {
	g, l := grow(&edge{}, m.keep), readLines(s, 0, 0)
	for g.n < c.Size {
		more, err := l.next()
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		if !more {
			break
		}
		if err := g.add(l.hash, l.at); err != nil {
			return err
		}
	}
	if g.n < c.Size || g.root() != c.Root {
		return errors.New("the entries are not those that the newest signed checkpoint is of: say rekey ledger verify, which names what was changed")
	}
	return g.flush()
}
