// Package graph is the simulated Microsoft Graph v1.0: applications and service principals with their credentials
// and owners, users and their passwords, groups, directory roles with Privileged Identity Management, and the policies on
// credentials.
//
// It is not the identity platform: package entra signs in with what is kept here. It has of beta only the
// approvals of directory roles, and what else it does not have it answers with 501.
//
// What always holds: the world is locked for the length of one request; nothing is answered without a token for
// Graph; what a caller may do comes from the permissions in its token, and for single objects from ownership and
// directory roles as they are at this moment; a secret is in the answer that made it and in no other; every password
// and every proof that arrives is remembered by the world, even if the request is refused.
package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// Root is the address of the version that is simulated.
const Root = "https://graph.microsoft.com/v1.0"

// Service is Microsoft Graph over one world.
type Service struct {
	w     *world.World
	table []operation

	// Everything below is guarded by the world's lock. It is what a directory does not show.
	versions map[*world.App][]version // as replicas may still see it
	written  map[*world.App]time.Time // last change
	reads    uint64                   // asked of replicas
	buckets  map[string]*bucket       // of the limits
	requests uint64                   // for request ids
}

// New returns the service over w.
func New(w *world.World) *Service {
	return &Service{
		w: w, table: operations(),
		versions: map[*world.App][]version{}, written: map[*world.App]time.Time{}, buckets: map[string]*bucket{},
	}
}

// Name implements wire.Service.
func (*Service) Name() string { return "graph" }

// Operation implements wire.Service.
func (s *Service) Operation(r *http.Request) string {
	if op, _ := s.route(r.Method, r.Host, r.URL); op != nil {
		return op.name
	}
	return "unknown"
}

// call is one request while it is served, with the world locked.
type call struct {
	*Service
	r      *http.Request
	op     *operation
	keys   []key // the path's, in order
	query  url.Values
	body   []byte
	token  world.Token
	now    time.Time
	lag    time.Duration // of the replica that answers
	header http.Header
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	status, header, body := s.locked(r)
	for k, v := range header {
		rw.Header()[k] = v
	}
	if body == nil {
		rw.WriteHeader(status)
		return
	}
	wire.Bytes(rw, status, header.Get("Content-Type"), body)
}

func (s *Service) locked(r *http.Request) (int, http.Header, []byte) {
	s.w.Lock()
	defer s.w.Unlock()
	return s.answer(r, wire.Body(r), nil)
}

// answer serves one request; caller is set for a part of a batch.
func (s *Service) answer(r *http.Request, body []byte, caller *world.Token) (int, http.Header, []byte) {
	c := &call{Service: s, r: r, query: r.URL.Query(), body: body, now: s.w.Now(), header: http.Header{}}
	c.rememberSecrets()
	c.op, c.keys = s.route(r.Method, r.Host, r.URL)
	c.lag = c.replica()
	request, client := c.requestIDs()
	status, v, f := c.serve(caller)
	if f != nil {
		status, v = f.status, f.body(c.now, request, client)
	}
	if v == nil {
		return status, c.header, nil
	}
	c.header.Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	if f != nil {
		c.header.Set("Content-Type", "application/json")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return http.StatusInternalServerError, c.header, []byte(`{"error":{"code":"UnknownError","message":"simulator: the answer could not be encoded"}}`)
	}
	return status, c.header, b
}

// serve goes through what every request goes through.
func (c *call) serve(caller *world.Token) (int, any, *fault) {
	if caller != nil {
		c.token = *caller
	} else if f := c.authenticate(); f != nil {
		return 0, nil, f
	}
	if c.op == nil {
		return 0, nil, &fault{status: http.StatusNotImplemented, code: "NotImplemented",
			message: fmt.Sprintf("The simulator does not have this part of Microsoft Graph: %s %s", c.r.Method, c.r.URL.Path)}
	}
	if f := c.throttle(); f != nil {
		return 0, nil, f
	}
	return c.op.do(c)
}

// requestIDs are the ids of the request and of the client's own, and sets the headers of every answer.
func (c *call) requestIDs() (request, client string) {
	c.requests++
	sum := sha256.Sum256(fmt.Appendf(nil, "graph request %d of %d", c.requests, c.w.Seed))
	x := hex.EncodeToString(sum[:16])
	request = x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
	if client = c.r.Header.Get("client-request-id"); client == "" {
		client = request
	}
	c.header.Set("Cache-Control", "no-cache")
	c.header.Set("Strict-Transport-Security", "max-age=31536000")
	c.header.Set("OData-Version", "4.0")
	c.header.Set("request-id", request)
	c.header.Set("client-request-id", client)
	c.header.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"001","RoleInstance":"SIM"}}`)
	return request, client
}

// rememberSecrets tells the world every secret that a request carries, whether or not it is any good.
func (c *call) rememberSecrets() {
	if t, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer "); ok {
		c.w.Remember(strings.TrimSpace(t))
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for k, e := range v {
				if s, ok := e.(string); ok && secretMembers[strings.ToLower(k)] {
					c.w.Remember(s)
				}
				walk(e)
			}
		}
	}
	var tree any
	if json.Unmarshal(c.body, &tree) == nil {
		walk(tree)
	}
}

var secretMembers = map[string]bool{"password": true, "currentpassword": true, "newpassword": true, "secrettext": true, "proof": true}
