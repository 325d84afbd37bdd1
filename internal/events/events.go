// Package events hands on what the ledger records: to Azure Monitor, to a webhook, to a file. Each entry is one event, a
// CloudEvents 1.0 document whose id is the run and the entry's number in it.
//
// It is no second record and no queue: the ledger is what is sent from, and all that is kept is how far each sink has come,
// beside the ledger itself. So an event cannot be lost that was recorded, and what was not recorded was not done. What
// always holds: a sink is sent events in the ledger's order, each at least once, with the same id each time; how far it
// has come is written only after it has taken them; a sink that is down fails nothing and takes a bounded time.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
)

// Type is the type of each event.
const Type = "com.github.rekeyhq.rekey.ledger.v1"

// Event is a CloudEvents document. Its data is the entry as it stands in the ledger.
type Event struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"` // the credential
	Time            time.Time       `json:"time"`
	Sequence        string          `json:"sequence"` // the line's number in the ledger
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`

	// Entry is what Data says.
	Entry ledger.Entry `json:"-"`
}

func of(source string, n int64, line []byte, e ledger.Entry) Event {
	return Event{SpecVersion: "1.0", ID: fmt.Sprintf("%s/%d", e.Run, e.Seq), Source: source, Type: Type, Subject: e.Credential, Time: e.Time.UTC(),
		Sequence: fmt.Sprint(n), DataContentType: "application/json", Data: append(json.RawMessage(nil), line...), Entry: e}
}

// Sink takes events.
type Sink interface {
	Name() string
	// Send has events taken in their order, and says how many of the first ones certainly were.
	Send(ctx context.Context, events []Event) (taken int, err error)
}

// Home is where the ledger lies, and beside it how far each sink has come.
type Home interface {
	ledger.Reader
	Append(p ledger.Part, b []byte) error
}

// Result is what became of one sink.
type Result struct {
	Sink string
	Sent int
	Err  error // why it has not come to the end
}

const (
	// batch is how many events a sink is given at once, and batchBytes about how large they are together.
	batch      = 200
	batchBytes = 400 << 10
)

// Deliver sends every sink what it has not taken yet, all sinks at once, until they have all or ctx ends.
func Deliver(ctx context.Context, h Home, source string, sinks []Sink) []Result {
	out := make([]Result, len(sinks))
	var wg sync.WaitGroup
	for i, s := range sinks {
		wg.Go(func() {
			out[i].Sink = s.Name()
			out[i].Sent, out[i].Err = deliver(ctx, h, source, s)
		})
	}
	wg.Wait()
	return out
}

func deliver(ctx context.Context, h Home, source string, s Sink) (sent int, err error) {
	at, err := cursorOf(h, s.Name())
	if err != nil {
		return 0, err
	}
	for {
		events, next, err := read(h, source, at)
		if err != nil || next == at {
			return sent, err
		}
		n, err := send(ctx, s, events)
		sent += n
		if err != nil {
			next = at
			if n > 0 {
				next = cursor{entriesBefore(events, n), events[n-1].end}
			}
		}
		if next != at {
			if cerr := next.keep(h, s.Name()); cerr != nil {
				return sent, errors.Join(err, cerr)
			}
		}
		if err != nil {
			return sent, err
		}
		at = next
	}
}

// send tries until all were taken, or it is clear that they will not be.
func send(ctx context.Context, s Sink, events []placed) (taken int, err error) {
	all := make([]Event, len(events))
	for i, e := range events {
		all[i] = e.Event
	}
	for try := 0; taken < len(all); try++ {
		n, err := s.Send(ctx, all[taken:])
		if taken += n; err == nil {
			continue
		}
		if n > 0 {
			try = 0
		}
		if !passing(err) || pause(ctx, try) != nil {
			return taken, err
		}
	}
	return taken, nil
}

// passing says whether an error may be none a moment later.
func passing(err error) bool {
	switch driver.KindOf(err) {
	case driver.Ambiguous, driver.Unavailable, driver.Throttled:
		return true
	}
	return false
}

// pause waits 1, 2, 4 and then 8 seconds.
func pause(ctx context.Context, try int) error {
	d := time.Second << min(try, 3)
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return context.DeadlineExceeded
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// placed is an event, and the byte that its line ends before.
type placed struct {
	Event
	n, end int64
}

func entriesBefore(events []placed, n int) int64 { return events[n-1].n }

// read gives the next events from a place on, and where they end.
func read(h Home, source string, at cursor) (out []placed, next cursor, err error) {
	next, size := at, 0
	err = ledger.Follow(h, at.Entries, at.End, func(n int64, line []byte, end int64) error {
		next = cursor{n, end}
		e, err := ledger.ParseEntry(line)
		if err != nil {
			return nil // torn, or nobody's
		}
		out = append(out, placed{of(source, n, line, e), n, end})
		if size += len(line); len(out) == batch || size > batchBytes {
			return io.EOF
		}
		return nil
	})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return out, next, err
}
