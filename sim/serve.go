package sim

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/rekeyhq/rekey/sim/wire"
)

// maxBody is more than any real request here has, and little enough to keep in memory.
const maxBody = 16 << 20

// ServeAzure answers a request that came over a socket, whatever brought it: the proxy, a tunnel, or TLS by name.
func (s *Server) ServeAzure(w http.ResponseWriter, r *http.Request) {
	in, err := inbound(r)
	if err != nil {
		a := text(http.StatusBadRequest, "text/plain; charset=utf-8", "rekey sim: "+err.Error()+"\n")
		a.finish(s.now().Format(http.TimeFormat))
		send(w, r, a)
		return
	}
	send(w, r, s.exchange(in, r.Context().Done()))
}

// send lets an answer leave in one write, or cuts the connection.
func send(w http.ResponseWriter, r *http.Request, a answer) {
	c := connOf(r.Context())
	if a.cut == reset {
		if c != nil && r.ProtoMajor == 1 {
			c.reset()
		}
		panic(http.ErrAbortHandler)
	}
	if c != nil && r.ProtoMajor == 1 {
		c.cork()
		defer c.uncork()
	}
	h := w.Header()
	for k, v := range a.header {
		h[k] = v
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		w.Write(a.leaving())
	}
	// Without the flush net/http would write after this function, when the connection is no longer corked.
	http.NewResponseController(w).Flush()
	if a.cut == half {
		panic(http.ErrAbortHandler)
	}
}

// inbound is a request in the form that services see, whatever way it came: the body in memory and not compressed,
// the URL without scheme and host.
func inbound(r *http.Request) (*http.Request, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	in.Header = canonical(r.Header)
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if in.URL.Path == "" {
		in.URL.Path = "/"
	}
	in.RequestURI = in.URL.RequestURI()
	if in.RemoteAddr == "" {
		in.RemoteAddr = "127.0.0.1:1"
	}
	in.Header.Del("Proxy-Authorization")
	in.Header.Del("Proxy-Connection")
	in.Header.Del("Content-Encoding")
	wire.WithBody(in, body)
	return in, nil
}

// canonical spells names as they arrive over a socket. In memory some clients' own spelling comes through.
func canonical(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for k, v := range h {
		for _, one := range v {
			out.Add(k, one)
		}
	}
	return out
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the request body: %w", err)
	}
	// Microsoft's Graph SDK compresses what it sends.
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") && len(body) > 0 {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("the request body is not gzip: %w", err)
		}
		if body, err = io.ReadAll(io.LimitReader(z, maxBody+1)); err != nil {
			return nil, fmt.Errorf("reading the gzip request body: %w", err)
		}
	}
	if len(body) > maxBody {
		return nil, errors.New("the request body is larger than 16 MiB")
	}
	return body, nil
}
