package azhttp

import (
	"errors"
	"io"
)

const (
	// maxBody bounds every answer. The largest honest one is a page of 100 PATs or 25 secrets of 25 KB.
	maxBody = 8 << 20
	// maxMembers bounds what a decoder makes of one: "{}," is three bytes of an answer and hundreds in memory.
	maxMembers = 100_000
	// maxDepth bounds what an SDK makes of a refusal: azcore indents it, so that ten kilobytes of brackets, each a
	// level deeper, become hundreds of megabytes of blanks. No honest answer nests deeper than a few dozen levels.
	maxDepth = 500
)

// ErrTooLarge is returned while reading an answer that is longer, deeper or of more parts than any honest one.
var ErrTooLarge = errors.New("the answer is larger than any honest one")

// boundedBody is an answer's body for whoever decodes it, libraries too. It counts what stands outside of JSON's
// strings; in an answer that is not JSON the count means little, and reaches no bound in an honest one.
type boundedBody struct {
	io.ReadCloser
	left           int64
	members, depth int
	text, escaped  bool // within a string; after its backslash
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	for _, c := range p[:n] {
		if b.count(c); b.members > maxMembers || b.depth > maxDepth {
			b.left = 0
			return 0, ErrTooLarge
		}
	}
	return n, err
}

func (b *boundedBody) count(c byte) {
	switch {
	case b.escaped:
		b.escaped = false
	case b.text && c == '\\':
		b.escaped = true
	case c == '"':
		b.text = !b.text
	case b.text:
	case c == ',':
		b.members++
	case c == '[' || c == '{':
		b.depth++
	case c == ']' || c == '}':
		b.depth = max(0, b.depth-1)
	}
}
