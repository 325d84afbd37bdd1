package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
)

// Transport carries requests straight to the simulated Azure, without sockets, TLS or proxy: the same hosts,
// faults, hooks and log. It waits only on channels and timers, so that it works inside a testing/synctest bubble.
// The managed identity endpoint answers on any loopback name at IdentityPath.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if ctx.Err() != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, context.Cause(ctx)
	}
	type result struct {
		answer answer
		err    error
	}
	// The service goes on when the client gives up, as a real one does: it may have an effect nobody hears of.
	done := make(chan result, 1)
	go func() {
		a, err := t.s.carry(r)
		done <- result{a, err}
	}()
	select {
	case res := <-done:
		if res.err != nil {
			return nil, res.err
		}
		if res.answer.cut == reset {
			return nil, connectionReset()
		}
		return response(r, res.answer), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *Server) carry(r *http.Request) (answer, error) {
	in, err := inbound(r)
	if err != nil {
		return answer{}, err
	}
	if _, _, ok := s.route(in); !ok {
		s.exchange(in, nil)
		return answer{}, errors.New(noSuchHost(hostOf(in.Host)))
	}
	return s.exchange(in, r.Context().Done()), nil
}

// connectionReset is what a client's read of a reset connection returns.
func connectionReset() error {
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}
	return &net.OpError{Op: "read", Net: "tcp", Addr: loopback, Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

func response(r *http.Request, a answer) *http.Response {
	header := make(http.Header, len(a.header))
	for k, vs := range a.header {
		for _, v := range vs {
			header.Add(k, v)
		}
	}
	body := io.Reader(bytes.NewReader(a.leaving()))
	length := int64(len(a.body))
	switch {
	case r.Method == http.MethodHead:
		body = http.NoBody
	case a.cut == half:
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{
		Status:        strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(body),
		ContentLength: length,
		Request:       r,
	}
}

// broken is the place in a body where the connection was cut.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
