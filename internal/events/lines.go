package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// JSONLines is a sink that writes each event as one line.
type JSONLines struct {
	name string
	file string    // appended to
	to   io.Writer // in place of a file
}

// File is a sink that appends to a file.
func File(name, file string) *JSONLines { return &JSONLines{name: name, file: file} }

// Stream is a sink that prints.
func Stream(name string, to io.Writer) *JSONLines { return &JSONLines{name: name, to: to} }

// Name implements Sink.
func (l *JSONLines) Name() string { return l.name }

// Send implements Sink: all events in one write.
func (l *JSONLines) Send(_ context.Context, events []Event) (int, error) {
	var b bytes.Buffer
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			return 0, fmt.Errorf("write an event: %w", err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	if l.to != nil {
		if _, err := l.to.Write(b.Bytes()); err != nil {
			return 0, fmt.Errorf("print events: %w", err)
		}
		return len(events), nil
	}
	if err := appendTo(l.file, b.Bytes()); err != nil {
		return 0, fmt.Errorf("write events: %w", err)
	}
	return len(events), nil
}

// appendTo writes b in one write, on a line of its own where somebody was ended in the middle of one.
func appendTo(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], info.Size()-1); err == nil && last[0] != '\n' {
			b = append([]byte{'\n'}, b...)
		}
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
