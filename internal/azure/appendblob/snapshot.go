package appendblob

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/ledger"
)

const (
	// readFor bounds one read.
	readFor = 2 * time.Minute
	// keep is how many windows a snapshot remembers.
	keep = 64
)

// window is how much is read at once. Hashes are read here and there, and look to a reader of answers like anything.
func window(p ledger.Part) int64 {
	if p == ledger.Tree {
		return 256 << 10
	}
	return 1 << 20
}

// snapshot is a part as long as it was when it was opened.
type snapshot struct {
	h    *Home
	part ledger.Part
	// ends are where each blob ends, counted over all of them.
	ends []int64

	mu      sync.Mutex
	windows map[place][]byte
}

type place struct {
	blob int
	at   int64
}

// Open implements ledger.Reader.
func (h *Home) Open(p ledger.Part) (ledger.Snapshot, error) {
	ctx, cancel := context.WithTimeout(h.ctx, readFor)
	defer cancel()
	s := &snapshot{h: h, part: p, windows: map[place][]byte{}}
	for n := 1; ; n++ {
		v, err := h.read(ctx, h.name(p, n), 0, 1)
		if err != nil {
			return nil, err
		}
		if !v.there {
			return s, nil
		}
		if s.ends = append(s.ends, s.Size()+v.size); v.blocks < maxBlocks {
			return s, nil
		}
	}
}

func (s *snapshot) Close() error { return nil }

func (s *snapshot) Size() int64 {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// ReadAt implements io.ReaderAt.
func (s *snapshot) ReadAt(b []byte, at int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(b) {
		if at < 0 || at >= s.Size() {
			return n, io.EOF
		}
		got, err := s.from(at)
		if err != nil {
			return n, err
		}
		m := copy(b[n:], got)
		n, at = n+m, at+int64(m)
	}
	return n, nil
}

// from is what is remembered, or read, from a byte on: at least one byte more.
func (s *snapshot) from(at int64) ([]byte, error) {
	i, begin := 0, int64(0)
	for at >= s.ends[i] {
		begin = s.ends[i]
		i++
	}
	size := window(s.part)
	w := place{i, (at - begin) / size * size}
	data, ok := s.windows[w]
	if !ok {
		ctx, cancel := context.WithTimeout(s.h.ctx, readFor)
		defer cancel()
		v, err := s.h.read(ctx, s.h.name(s.part, i+1), w.at, int(min(size, s.ends[i]-begin-w.at)))
		if err != nil {
			return nil, err
		}
		if data = v.data; int64(len(data)) <= at-begin-w.at {
			return nil, gone(s.h.name(s.part, i+1))
		}
		if len(s.windows) == keep {
			clear(s.windows)
		}
		s.windows[w] = data
	}
	return data[at-begin-w.at:], nil
}
