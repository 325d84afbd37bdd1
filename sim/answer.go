package sim

import (
	"bytes"
	"net/http"
	"strconv"
)

// answer is what leaves for one request: a whole answer, the first part of one, or nothing.
type answer struct {
	status int
	header http.Header
	body   []byte
	// cut is what the connection does instead of carrying the whole answer.
	cut cut
}

type cut int

const (
	whole cut = iota
	half      // the headers promise the whole body, half of it leaves
	reset     // nothing leaves
)

// bodyless says whether HTTP forbids this status a body.
func bodyless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

func text(status int, contentType, body string) answer {
	a := answer{status: status, header: http.Header{}, body: []byte(body)}
	a.header.Set("Content-Type", contentType)
	return a
}

// finish sets the headers that depend on the whole answer.
func (a *answer) finish(date string) {
	a.header.Set("Date", date)
	if bodyless(a.status) {
		a.body = nil
		a.header.Del("Content-Length")
		return
	}
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
}

// leaving is the part of the body that leaves.
func (a *answer) leaving() []byte {
	if a.cut == half {
		return a.body[:len(a.body)/2]
	}
	return a.body
}

// buffer is the http.ResponseWriter that services write to.
type buffer struct {
	header http.Header
	sent   http.Header // header as it was when the status was written: later changes do not count
	status int
	body   bytes.Buffer
}

func newBuffer() *buffer { return &buffer{header: http.Header{}} }

func (b *buffer) Header() http.Header { return b.header }

func (b *buffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status, b.sent = status, b.header.Clone()
	}
}

func (b *buffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

func (b *buffer) answer() answer {
	b.WriteHeader(http.StatusOK)
	return answer{status: b.status, header: b.sent, body: b.body.Bytes()}
}
