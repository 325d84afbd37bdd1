// Package wire is what the simulated services share about HTTP: the interface that a service implements, the
// entry that the request log keeps of a call, and writing answers in one piece.
//
// It is not a client and knows nothing of Azure. What always holds: a service never writes to a connection; it
// writes to a buffer, and the server decides what of it leaves (see sim.Server), so that "applied, but the answer
// was lost" is the same code for every service.
package wire

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Service is one simulated service. ServeHTTP runs with the request's body already read into memory, and its
// writes are buffered.
type Service interface {
	http.Handler

	// Name is what faults and the request log call it: "entra", "keyvault", "devops", "arm", "identity".
	Name() string

	// Operation names what a request asks for ("SetSecret", "CreatePat", "token:password"), without doing it.
	// An unknown request is "unknown". Faults are matched by this name, so it may look at method, path, query
	// and form body (through FormBody), and must not change anything.
	Operation(r *http.Request) string
}

// Call is what the request log keeps of one request. It never holds a secret: no header, no body, and a query
// whose sensitive members are dropped.
type Call struct {
	Time      time.Time `json:"time"`
	Method    string    `json:"method"`
	Host      string    `json:"host"`
	Path      string    `json:"path"`
	Query     string    `json:"query"`
	Status    int       `json:"status"`
	Principal string    `json:"principal"`
	Service   string    `json:"service"`
	Operation string    `json:"operation"`
	// Fault is what was done to the call, "" for nothing.
	Fault string `json:"fault,omitempty"`
}

type callKey struct{}

// WithCall returns a context in which CallFrom finds c.
func WithCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallFrom returns the log entry of the request being served; a service sets its Principal once it knows who calls.
// It never returns nil.
func CallFrom(ctx context.Context) *Call {
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		return c
	}
	return &Call{}
}

// JSON writes v with a status. contentType "" means "application/json; charset=utf-8".
func JSON(w http.ResponseWriter, status int, contentType string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "simulator: "+err.Error(), http.StatusInternalServerError)
		return
	}
	Bytes(w, status, contentType, b)
}

// Bytes writes a whole answer. contentType "" means "application/json; charset=utf-8".
func Bytes(w http.ResponseWriter, status int, contentType string, b []byte) {
	if contentType == "" {
		contentType = "application/json; charset=utf-8"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}
