package ledger

import (
	"encoding/base64"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// tip is how far a run has read the lines.
type tip struct {
	sync.Mutex
	edge *edge // nil before the first look
	at   int64
	last Checkpoint
}

// Witness is the size and the root, in base64url without padding, of all lines that are there now. Whoever keeps it
// elsewhere can tell later whether the ledger still begins with them. It costs what was added since the last look.
func (l *Ledger) Witness() (size int64, root string, err error) {
	l.tip.Lock()
	defer l.tip.Unlock()
	s, err := l.home.Open(Lines)
	if err != nil {
		return 0, "", fmt.Errorf("read the ledger: %w", err)
	}
	defer s.Close()
	if l.tip.edge == nil {
		if l.tip.last, _, err = lastCheckpoint(l.home); err != nil {
			return 0, "", fmt.Errorf("read the ledger's checkpoints: %w", err)
		}
		l.tip.edge, l.tip.at = resume(l.home, s, l.tip.last)
	}
	in := readLines(s, l.tip.edge.n, l.tip.at)
	for {
		more, err := in.next()
		if err != nil {
			l.tip.edge = nil
			return 0, "", fmt.Errorf("read the ledger: %w", err)
		}
		if !more {
			break
		}
		l.tip.edge.push(in.hash, nil)
		l.tip.at = in.at
		if in.n == l.tip.last.Size && l.tip.edge.root() != l.tip.last.Root {
			l.tip.edge = nil
			return 0, "", ErrChanged
		}
	}
	if l.tip.edge.n < l.tip.last.Size {
		l.tip.edge = nil
		return 0, "", ErrChanged
	}
	h := l.tip.edge.root()
	return l.tip.edge.n, base64.RawURLEncoding.EncodeToString(h[:]), nil
}

// Seen is what somebody who keeps it elsewhere says that a ledger was.
type Seen struct {
	Name string // who says so
	Size int64
	Root string // as Witness gives it
}

// witness holds what was seen elsewhere against the lines.
func (v *verifying) witness(s Seen) {
	switch root, err := base64.RawURLEncoding.DecodeString(s.Root); {
	case err != nil || len(root) != tlog.HashSize:
		v.problem(Broken, 0, 1, doWitness, "what %s says of the ledger cannot be read", s.Name)
	case s.Size > v.Entries:
		v.problem(Truncated, v.Entries+1, s.Size-v.Entries, doTruncated, "%s was written when the ledger had %s, and it ends after %d: what came after is gone", s.Name, entries(s.Size), v.Entries)
	case v.roots[s.Size] != tlog.Hash(root):
		v.problem(Fork, 0, 1, doWitness, "%s was written when the ledger had %s, and they were others than those that are there now: there are two histories", s.Name, entries(s.Size))
	}
}
