package wire

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
)

// buffered is a request body that is wholly in memory.
type buffered struct {
	*bytes.Reader
	all []byte
}

func (*buffered) Close() error { return nil }

// WithBody gives r a body that is wholly in memory.
func WithBody(r *http.Request, b []byte) {
	r.Body = &buffered{bytes.NewReader(b), b}
	r.ContentLength = int64(len(b))
}

// Body is the whole body of r. Reading it here consumes nothing: what reads r.Body later reads all of it. The
// caller must not change it.
func Body(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	b, ok := r.Body.(*buffered)
	if !ok {
		all, _ := io.ReadAll(r.Body)
		WithBody(r, all)
		return all
	}
	return b.all
}

// FormBody is the body of r read as application/x-www-form-urlencoded; what cannot be read is left out. It
// consumes nothing.
func FormBody(r *http.Request) url.Values {
	v, _ := url.ParseQuery(string(Body(r)))
	return v
}
