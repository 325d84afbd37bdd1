package ledger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"regexp"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// maxLine is more than any entry has. A longer line is hashed like any, and not kept in memory.
const maxLine = 1 << 20

// leaf is the prefix that tells the hash of a line from that of two hashes (RFC 6962, section 2.1).
var leaf = []byte{0}

// lines reads a part line by line. What stands behind the last line's end is no line yet: it is torn, or still being
// written.
type lines struct {
	r   *bufio.Reader
	sum hash.Hash
	// n lines were read, and the last one ends before the byte at.
	n, at int64
	// text is the last line without its end, nil if it is too long; hash is its leaf.
	text []byte
	hash tlog.Hash
	// torn is how many bytes stand behind the last line's end, once there is no further line.
	torn int64
	buf  []byte
}

// readLines begins behind n lines that end at a byte.
func readLines(s Snapshot, n, at int64) *lines {
	rest := max(0, s.Size()-at)
	return &lines{r: bufio.NewReaderSize(io.NewSectionReader(s, at, rest), int(min(rest, 256<<10))), sum: sha256.New(), n: n, at: at}
}

// next reads one line more, and says whether there is one.
func (l *lines) next() (bool, error) {
	l.sum.Reset()
	l.sum.Write(leaf)
	l.buf, l.text = l.buf[:0], nil
	length, whole := int64(0), true
	for {
		b, err := l.r.ReadSlice('\n')
		length += int64(len(b))
		ended := err == nil
		if ended {
			b = b[:len(b)-1]
		}
		l.sum.Write(b)
		if whole = whole && len(l.buf)+len(b) <= maxLine; whole {
			l.buf = append(l.buf, b...)
		}
		switch {
		case ended:
			l.n, l.at = l.n+1, l.at+length
			if whole {
				l.text = l.buf
			}
			l.sum.Sum(l.hash[:0])
			return true, nil
		case errors.Is(err, io.EOF):
			l.torn = length
			return false, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return false, err
		}
	}
}

// entry is the last line as an entry.
func (l *lines) entry() (Entry, error) {
	if l.text == nil {
		return Entry{}, errors.New("it is longer than any entry")
	}
	return ParseEntry(l.text)
}

// blank says whether the last line is empty.
func (l *lines) blank() bool { return l.text != nil && len(bytes.TrimSpace(l.text)) == 0 }

// placed is how a run begins each line.
var placed = regexp.MustCompile(`^\{"schema":1,"time":"[^"\\]*","run":"([^"\\]+)","seq":([1-9][0-9]{0,8}),`)

// place is which entry of which run the last line is. To read all of the entry would take most of the time of verifying
// a large ledger.
func (l *lines) place() (run string, seq int, err error) {
	if m := placed.FindSubmatchIndex(l.text); m != nil && json.Valid(l.text) {
		seq, err := strconv.Atoi(string(l.text[m[4]:m[5]]))
		return string(l.text[m[2]:m[3]]), seq, err
	}
	e, err := l.entry()
	return e.Run, e.Seq, err
}
