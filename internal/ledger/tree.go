package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of a tree: the roots of its complete subtrees, the largest first. It is all that is needed to
// add a leaf and to know the root.
type edge struct {
	n     int64
	roots []tlog.Hash
}

// push adds a leaf and returns what tlog stores for it: its hash and that of each subtree that it completes.
func (e *edge) push(h tlog.Hash, stored []tlog.Hash) []tlog.Hash {
	stored = append(stored, h)
	for i := e.n; i&1 == 1; i >>= 1 {
		last := len(e.roots) - 1
		h = tlog.NodeHash(e.roots[last], h)
		e.roots = e.roots[:last]
		stored = append(stored, h)
	}
	e.roots = append(e.roots, h)
	e.n++
	return stored
}

// root is the tree's.
func (e *edge) root() tlog.Hash {
	if e.n == 0 {
		h, _ := tlog.TreeHash(0, nil)
		return h
	}
	last := len(e.roots) - 1
	h := e.roots[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(e.roots[i], h)
	}
	return h
}

// slot is how many bytes of Tree each hash of tlog's order takes: the hash, and where in Lines the last line below it
// ends.
const slot = tlog.HashSize + 8

// tree reads what Tree holds. Nothing of it is true before its root was compared with a checkpoint's.
type tree struct{ s Snapshot }

var errNoTree = errors.New("the hashes do not go that far")

// at reads one slot.
func (t tree) at(index int64) (h tlog.Hash, end int64, err error) {
	var b [slot]byte
	if index < 0 || index >= t.s.Size()/slot {
		return h, 0, errNoTree
	}
	if _, err := t.s.ReadAt(b[:], index*slot); err != nil {
		return h, 0, err
	}
	copy(h[:], b[:])
	return h, int64(binary.BigEndian.Uint64(b[tlog.HashSize:])), nil
}

// ReadHashes implements tlog.HashReader.
func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		var err error
		if out[i], _, err = t.at(x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// leaf is the hash of line n, counted from 0, and where the line begins and ends.
func (t tree) leaf(n int64) (h tlog.Hash, begin, end int64, err error) {
	if n > 0 {
		if _, begin, err = t.at(tlog.StoredHashIndex(0, n-1)); err != nil {
			return h, 0, 0, err
		}
	}
	h, end, err = t.at(tlog.StoredHashIndex(0, n))
	return h, begin, end, err
}

// agrees says whether the first lines have the hashes that a checkpoint says.
func (t tree) agrees(c Checkpoint) bool {
	if tlog.StoredHashCount(c.Size) > t.s.Size()/slot {
		return false
	}
	h, err := tlog.TreeHash(c.Size, t)
	return err == nil && h == c.Root
}

// edge is that of the first n lines.
func (t tree) edge(n int64) (*edge, error) {
	e := &edge{n: n}
	for rest, from := n, int64(0); rest > 0; {
		level := bits.Len64(uint64(rest)) - 1
		h, _, err := t.at(tlog.StoredHashIndex(level, from>>level))
		if err != nil {
			return nil, err
		}
		e.roots = append(e.roots, h)
		rest, from = rest-1<<level, from+1<<level
	}
	return e, nil
}

// batch is how many slots are kept at once.
const batch = 64 << 10

// grower adds leaves to Tree.
type grower struct {
	*edge
	keep   func(b []byte, at int64) error
	at     int64 // the next slot's number
	b      []byte
	stored []tlog.Hash
}

func grow(e *edge, keep func(b []byte, at int64) error) *grower {
	return &grower{edge: e, keep: keep, at: tlog.StoredHashCount(e.n)}
}

// add is a line more, which ends at a byte of Lines.
func (g *grower) add(h tlog.Hash, end int64) error {
	g.stored = g.push(h, g.stored[:0])
	for _, s := range g.stored {
		g.b = append(g.b, s[:]...)
		g.b = binary.BigEndian.AppendUint64(g.b, uint64(end))
	}
	if len(g.b) < batch*slot {
		return nil
	}
	return g.flush()
}

func (g *grower) flush() error {
	if len(g.b) == 0 {
		return nil
	}
	if err := g.keep(g.b, g.at*slot); err != nil {
		return fmt.Errorf("keep the ledger's hashes: %w", err)
	}
	g.at += int64(len(g.b) / slot)
	g.b = g.b[:0]
	return nil
}
