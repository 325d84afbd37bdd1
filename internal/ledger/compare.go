package ledger

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// window is how far what was signed and what is there are looked at together, to find where they meet again.
	window = 2048
	// meet is how many lines in a row must be the same, for two places to be the same.
	meet = 3
)

// ahead looks ahead in a list of hashes.
type ahead struct {
	next func() (tlog.Hash, bool, error)
	at   int64 // the number of buf[0], from 0 on
	buf  []tlog.Hash
	done bool
}

// fill reads up to n hashes ahead.
func (a *ahead) fill(n int) error {
	for len(a.buf) < n && !a.done {
		h, more, err := a.next()
		if err != nil {
			return err
		}
		if !more {
			a.done = true
			break
		}
		a.buf = append(a.buf, h)
	}
	return nil
}

func (a *ahead) skip(n int) {
	a.at += int64(n)
	a.buf = slices.Delete(a.buf, 0, n)
}

// change is what became of some entries: a of them, from old on, are b lines now, from new on.
type change struct {
	old, new int64
	a, b     []tlog.Hash
	end      bool // nothing comes after it
}

// compare names how the lines differ from the hashes that were signed, between two sizes.
func compare(r Reader, t tree, from, size int64) ([]Finding, error) {
	s, err := r.Open(Lines)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer s.Close()
	begin := int64(0)
	if from > 0 {
		if _, _, begin, err = t.leaf(from - 1); err != nil {
			return nil, fmt.Errorf("read the ledger's hashes: %w", err)
		}
	}
	n := from
	old := &ahead{at: from, next: func() (h tlog.Hash, more bool, err error) {
		if n == size {
			return h, false, nil
		}
		h, _, err = t.at(tlog.StoredHashIndex(0, n))
		n++
		return h, true, err
	}}
	l := readLines(s, from, max(0, min(begin, s.Size())))
	now := &ahead{at: from, next: func() (tlog.Hash, bool, error) {
		more, err := l.next()
		return l.hash, more, err
	}}
	changes, err := differences(old, now)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	var out []Finding
	for _, c := range moved(changes, now.buf) {
		out = append(out, c.name()...)
	}
	return out, nil
}

// differences finds what is not the same.
func differences(old, now *ahead) (out []change, err error) {
	for len(out) < maxFindings {
		if err := errors.Join(old.fill(window+meet), now.fill(window+meet)); err != nil {
			return nil, err
		}
		same := 0
		for same < len(old.buf) && same < len(now.buf) && old.buf[same] == now.buf[same] {
			same++
		}
		old.skip(same)
		now.skip(same)
		if len(old.buf) == 0 && old.done {
			break
		}
		if same > 0 {
			continue // so that as much as may be is ahead
		}
		a, b, again := resync(old, now)
		c := change{old.at, now.at, slices.Clone(old.buf[:a]), slices.Clone(now.buf[:b]), len(now.buf) == b && now.done}
		out = append(out, c)
		if !again {
			break
		}
		old.skip(a)
		now.skip(b)
	}
	return out, nil
}

// resync says how many hashes of each to leave out until they are the same again; if they are not within the window,
// all that is there.
func resync(old, now *ahead) (a, b int, again bool) {
	where := map[tlog.Hash][]int{}
	for i, h := range now.buf {
		where[h] = append(where[h], i)
	}
	for a := range old.buf {
		for _, b := range where[old.buf[a]] {
			if meets(old.buf[a:], now.buf[b:]) {
				return a, b, true
			}
		}
	}
	a, b = len(old.buf), len(now.buf)
	// What was signed ends here: what is there may go on with what nobody has signed yet.
	if old.done {
		return a, min(a, b), true
	}
	return a, b, false
}

// meets says whether two lists are the same for a while.
func meets(old, now []tlog.Hash) bool {
	for i := range min(meet, len(old)) {
		if i >= len(now) || old[i] != now[i] {
			return false
		}
	}
	return true
}

// moved finds what was dropped in one place and inserted in another.
func moved(all []change, rest []tlog.Hash) (out []change) {
	elsewhere := map[tlog.Hash]int64{}
	for _, c := range all {
		for i, h := range c.b {
			elsewhere[h] = c.new + int64(i)
		}
	}
	after := map[tlog.Hash]bool{}
	for _, h := range rest {
		after[h] = true
	}
	gone := map[tlog.Hash]bool{}
	for _, c := range all {
		for _, h := range c.a {
			gone[h] = true
		}
	}
	for _, c := range all {
		switch {
		case len(c.a) > 0 && len(c.b) == 0 && !slices.ContainsFunc(c.a, func(h tlog.Hash) bool { _, ok := elsewhere[h]; return !ok && !after[h] }):
			c.b = c.a // as reordered, named where it was
		case len(c.b) > 0 && len(c.a) == 0 && !slices.ContainsFunc(c.b, func(h tlog.Hash) bool { return !gone[h] }):
			continue // named there
		}
		out = append(out, c)
	}
	return out
}

// name says in words what was done.
func (c change) name() (out []Finding) {
	a, b := int64(len(c.a)), int64(len(c.b))
	add := func(k Kind, line, n int64, do, says string, args ...any) {
		out = append(out, Finding{k, true, line, n, fmt.Sprintf(says, args...), do})
	}
	if a == b && sameSet(c.a, c.b) {
		add(Reordered, c.old+1, a, doChanged, "%s: what was signed there stands elsewhere: entries were moved", at(c.old+1, a))
		return out
	}
	both := min(a, b)
	if both > 0 {
		add(Altered, c.new+1, both, doChanged, "%s: altered: it is not what was signed as %s", at(c.new+1, both), at(c.old+1, both))
	}
	switch {
	case a > b && c.end:
		add(Truncated, c.new+b+1, a-b, doTruncated, "the ledger ends after %s: %s that %s signed after that, as %s, %s gone", entries(c.new+b), entries(a-b), were(a-b), at(c.old+both+1, a-b), are(a-b))
	case a > b:
		add(Dropped, c.new+b+1, a-b, doChanged, "before line %d: %s that %s signed there, as %s, %s gone", c.new+b+1, entries(a-b), were(a-b), at(c.old+both+1, a-b), are(a-b))
	case b > a:
		add(Inserted, c.new+both+1, b-a, doChanged, "%s: %s that nobody signed there", at(c.new+both+1, b-a), entries(b-a))
	}
	return out
}

func were(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// sameSet says whether two lists hold the same, in whatever order.
func sameSet(a, b []tlog.Hash) bool {
	count := map[tlog.Hash]int{}
	for _, h := range a {
		count[h]++
	}
	for _, h := range b {
		if count[h]--; count[h] < 0 {
			return false
		}
	}
	return len(a) == len(b)
}
