package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/rekeyhq/rekey/internal/ledger"
)

// cursor is how far a sink has come: so many lines, which end before a byte. It is kept in a part of its own beside the
// ledger, a line each time, of which the furthest counts: several runs may send at once.
type cursor struct {
	Entries int64 `json:"entries"`
	End     int64 `json:"end"`
}

func part(sink string) ledger.Part { return ledger.Part("events." + sink) }

// tail is how much of a sink's part is looked at.
const tail = 4 << 10

// cursorOf reads how far a sink has come.
func cursorOf(r ledger.Reader, sink string) (cursor, error) {
	s, err := r.Open(part(sink))
	if err != nil {
		return cursor{}, fmt.Errorf("read how far events were sent: %w", err)
	}
	defer s.Close()
	from := max(0, s.Size()-tail)
	b, err := io.ReadAll(io.NewSectionReader(s, from, s.Size()-from))
	if err != nil {
		return cursor{}, fmt.Errorf("read how far events were sent: %w", err)
	}
	at := furthest(b)
	lines, err := r.Open(ledger.Lines)
	if err != nil {
		return cursor{}, fmt.Errorf("read the ledger: %w", err)
	}
	defer lines.Close()
	if at.End > lines.Size() {
		return cursor{}, errors.New("the ledger is shorter than what was sent of it: say rekey ledger verify, which names what is missing")
	}
	if at.End > 0 {
		var last [1]byte
		if _, err := lines.ReadAt(last[:], at.End-1); err != nil {
			return cursor{}, fmt.Errorf("read the ledger: %w", err)
		}
		if last[0] != '\n' {
			return cursor{}, errors.New("what was sent of the ledger does not end where a line of it does: say rekey ledger verify, which names what was changed")
		}
	}
	return at, nil
}

// furthest is the furthest of some lines. What is torn, or is none, does not count: then something is sent twice.
func furthest(b []byte) (out cursor) {
	for line := range bytes.Lines(b) {
		var c cursor
		if !bytes.HasSuffix(line, []byte("}\n")) || json.Unmarshal(line, &c) != nil || c.Entries <= 0 || c.End <= 0 || c.Entries > c.End {
			continue
		}
		if c.End > out.End {
			out = c
		}
	}
	return out
}

func (c cursor) keep(h Home, sink string) error {
	b, err := json.Marshal(c)
	if err == nil {
		err = h.Append(part(sink), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep how far events were sent, so that they are sent again: %w", err)
	}
	return nil
}
