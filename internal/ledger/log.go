package ledger

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// Ledger is a log that is kept in a home. It is one run's.
type Ledger struct {
	home Home
	key  *Key // nil: nobody signs
	// wrote says that the run has recorded something, which its end is to be covered by a checkpoint for.
	wrote atomic.Bool
	// began is where the lines ended before the first of them.
	begin sync.Once
	began atomic.Int64
	tip   tip
}

// New makes the ledger of a run.
func New(h Home, key *Key) *Ledger { return &Ledger{home: h, key: key} }

// Append implements Log.
func (l *Ledger) Append(e Entry) error {
	b, err := line(e)
	if err != nil {
		return err
	}
	l.wrote.Store(true)
	l.begin.Do(func() {
		if s, err := l.home.Open(Lines); err == nil { // else the run's entries are looked for among all
			l.began.Store(s.Size())
			s.Close()
		}
	})
	if err := l.home.Append(Lines, b); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// ErrChanged means that the entries are not those that the last checkpoint is of.
var ErrChanged = errors.New("the entries before this run are not those that the last checkpoint is of")

// Checkpoint covers what is in the ledger by now, the entries of other runs included, and says by which checkpoint; by
// none if the run has recorded nothing. What it costs depends on what was added since the last one, unless the tree's
// hashes are gone: then all lines are read once.
//
// It contradicts no checkpoint that is there: what it cannot extend it leaves as it is, with ErrChanged.
func (l *Ledger) Checkpoint() (Checkpoint, error) {
	if !l.wrote.Load() {
		return Checkpoint{}, nil
	}
	last, cut, err := lastCheckpoint(l.home)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read the ledger's checkpoints: %w", err)
	}
	e, err := extend(l.home, last)
	if err != nil {
		return Checkpoint{}, err
	}
	if e.n == last.Size && last.Origin == l.origin() {
		return last, nil // another run has covered it
	}
	c, err := write(e.n, e.root(), l.key)
	if err != nil {
		return Checkpoint{}, err
	}
	b := "\n" + c.Note
	if cut {
		b = torn + "\n" + b
	}
	if err := l.home.Append(Checkpoints, []byte(b)); err != nil {
		return Checkpoint{}, fmt.Errorf("write the ledger's checkpoint: %w", err)
	}
	return c, nil
}

func (l *Ledger) origin() string {
	if l.key == nil {
		return Unsigned
	}
	return l.key.Name()
}

// tail is how much of the checkpoints a run looks at, unless there is no whole one in it.
const tail = 64 << 10

// lastCheckpoint is the one of the most lines among the last that were written; cut says that what was written last is
// not whole.
func lastCheckpoint(r Reader) (last Checkpoint, cut bool, err error) {
	s, err := r.Open(Checkpoints)
	if err != nil {
		return last, false, err
	}
	defer s.Close()
	for _, from := range []int64{max(0, s.Size()-tail), 0} {
		err = readCheckpoints(io.NewSectionReader(s, from, s.Size()-from), nil, from > 0, func(w written) {
			if cut = w.err != nil && !w.cut; w.err == nil && w.Size >= last.Size {
				last = w.Checkpoint
			}
		})
		if err != nil || last.Size > 0 || from == 0 {
			break
		}
	}
	if cut || err != nil || s.Size() == 0 {
		return last, cut, err
	}
	// Of a checkpoint that was cut off right after the blank line before it, nothing can be seen but that.
	var end [2]byte
	if s.Size() >= 2 {
		_, err = s.ReadAt(end[:], s.Size()-2)
	}
	return last, end[0] == '\n', err
}

// extend brings Tree up to what Lines holds, and returns its edge.
func extend(h Home, last Checkpoint) (*edge, error) {
	s, err := h.Open(Lines)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer s.Close()
	e, at := resume(h, s, last)
	g := grow(e, func(b []byte, at int64) error { return h.Keep(Tree, b, at) })
	l := readLines(s, e.n, at)
	for {
		more, err := l.next()
		if err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		if !more {
			break
		}
		if err := g.add(l.hash, l.at); err != nil {
			return nil, err
		}
		if g.n == last.Size && g.root() != last.Root {
			return nil, ErrChanged
		}
	}
	if g.n < last.Size {
		return nil, ErrChanged
	}
	return g.edge, g.flush()
}

// resume is the edge under the last checkpoint, and the byte that its last line ends before. If Tree cannot tell, or the
// lines are not where it says, it is the empty tree: then all of them are read.
func resume(r Reader, lines Snapshot, last Checkpoint) (*edge, int64) {
	if last.Size == 0 {
		return &edge{}, 0
	}
	s, err := r.Open(Tree)
	if err != nil {
		return &edge{}, 0
	}
	defer s.Close()
	t := tree{s}
	if !t.agrees(last) {
		return &edge{}, 0
	}
	h, begin, end, err := t.leaf(last.Size - 1)
	if err != nil || begin < 0 || begin >= end || end > lines.Size() {
		return &edge{}, 0
	}
	l := readLines(lines, last.Size-1, begin)
	if more, err := l.next(); err != nil || !more || l.hash != h || l.at != end {
		return &edge{}, 0
	}
	e, err := t.edge(last.Size)
	if err != nil {
		return &edge{}, 0
	}
	return e, end
}
