package ledger

import (
	"errors"
	"fmt"
	"sort"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"
)

// Placed is an entry of a run, and the proof of where it is.
type Placed struct {
	// Entry is the line's number, from 1 on, and Proof the hashes that lead from it to a checkpoint; 0 and none for an
	// entry that nothing covers.
	Entry int64       `json:"entry,omitempty"`
	Line  string      `json:"line"`
	Proof []tlog.Hash `json:"proof,omitempty"`
}

// Place is an entry that lies in no ledger.
func Place(e Entry) (Placed, error) {
	b, err := line(e)
	if err != nil {
		return Placed{}, err
	}
	return Placed{Line: string(b[:len(b)-1])}, nil
}

// Check says whether the entry is under a checkpoint whose signatures were checked.
func (p Placed) Check(c Checkpoint) (Entry, error) {
	if err := check(p.Proof, c, p.Entry, []byte(p.Line)); err != nil {
		return Entry{}, fmt.Errorf("entry %d: %w", p.Entry, err)
	}
	e, err := ParseEntry([]byte(p.Line))
	if err != nil {
		return Entry{}, fmt.Errorf("entry %d: %w", p.Entry, err)
	}
	return e, nil
}

// Segment gives a run's entries under a checkpoint that this run has made or found, each with its proof. What it costs
// depends on what was written since the run began, if the tree's hashes are there.
func (l *Ledger) Segment(run string, c Checkpoint) ([]Placed, error) {
	if c.Size == 0 {
		return nil, errors.New("no checkpoint covers the entries")
	}
	b, err := book(l.home, c)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	first, at, err := b.from(l.began.Load(), c.Size)
	if err != nil {
		return nil, fmt.Errorf("read the ledger's hashes: %w", err)
	}
	var out []Placed
	for in := readLines(b.lines, first, at); in.n < c.Size; {
		more, err := in.next()
		if err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		if !more {
			return nil, ErrChanged
		}
		if of, _, err := in.place(); err != nil || of != run || !utf8.Valid(in.text) {
			continue
		}
		p := Placed{Entry: in.n, Line: string(in.text)}
		if p.Proof, err = tlog.ProveRecord(c.Size, in.n-1, b.tree); err != nil {
			return nil, fmt.Errorf("prove entry %d: %w", in.n, err)
		}
		if err := check(p.Proof, c, in.n, in.text); err != nil {
			return nil, fmt.Errorf("entry %d: %w", in.n, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// from is how many lines end at a byte or before it, and where the last of them does.
func (b *pages) from(at, size int64) (n, end int64, err error) {
	n = int64(sort.Search(int(size), func(i int) bool {
		_, _, end, e := b.tree.leaf(int64(i))
		err = errors.Join(err, e)
		return end > at
	}))
	if err != nil || n == 0 {
		return 0, 0, err
	}
	_, _, end, err = b.tree.leaf(n - 1)
	return n, end, err
}
