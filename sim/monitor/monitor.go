// Package monitor is the simulated Logs Ingestion API of Azure Monitor: what is posted to the stream of a data
// collection rule, at {endpoint}.{region}.ingest.monitor.azure.com, is in the world as a query would find it.
//
// It is no workspace: nothing is queried here, and rules are made in the world's file. What always holds: an answer
// 204 says that records were taken, not that they can be seen; what does not fit the stream's columns is dropped
// without a word, as the real service drops it.
package monitor

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// The limits of facts 7, for one call and for one rule.
const (
	maxBody     = 1 << 20
	maxField    = 32 << 10
	window      = time.Minute
	maxRequests = 12_000
	maxBytes    = 2 << 30
)

// Service takes data for every rule of a world.
type Service struct {
	w *world.World

	// Both are guarded by the world's lock.
	limits   map[*world.CollectionRule]*limit
	requests uint64
}

// limit counts what was taken in the current window.
type limit struct {
	start       time.Time
	calls, size int
	all         int // calls since the service began
}

// New returns the service over w.
func New(w *world.World) *Service {
	return &Service{w: w, limits: map[*world.CollectionRule]*limit{}}
}

// Name implements wire.Service.
func (*Service) Name() string { return "monitor" }

var pathForm = regexp.MustCompile(`(?i)^/dataCollectionRules/([^/]+)/streams/([^/]+)/?$`)

// Operation implements wire.Service.
func (*Service) Operation(r *http.Request) string {
	if r.Method == http.MethodPost && pathForm.MatchString(r.URL.Path) {
		return "Upload"
	}
	return "unknown"
}

type fault struct {
	status        int
	code, message string
	retryAfter    int
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	f := s.locked(rw, r)
	if f == nil {
		rw.WriteHeader(http.StatusNoContent)
		return
	}
	rw.Header().Set("X-Ms-Error-Code", f.code)
	if f.retryAfter > 0 {
		rw.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	if f.status == http.StatusUnauthorized {
		rw.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	wire.JSON(rw, f.status, "", map[string]any{"error": map[string]string{"code": f.code, "message": f.message}})
}

func (s *Service) locked(rw http.ResponseWriter, r *http.Request) *fault {
	s.w.Lock()
	defer s.w.Unlock()
	s.requests++
	sum := sha256.Sum256(fmt.Appendf(nil, "ingestion request %d of %d", s.requests, s.w.Seed))
	rw.Header().Set("X-Ms-Client-Request-Id", cmp.Or(r.Header.Get("X-Ms-Client-Request-Id"), hex.EncodeToString(sum[:16])))
	rw.Header().Set("Date", s.w.Now().Format(http.TimeFormat))
	return s.upload(r, wire.Body(r))
}

var versionForm = regexp.MustCompile(`^20\d\d-\d\d-\d\d(-preview)?$`)

func (s *Service) upload(r *http.Request, body []byte) *fault {
	t, f := s.authenticate(r)
	if f != nil {
		return f
	}
	m := pathForm.FindStringSubmatch(r.URL.Path)
	switch {
	case m == nil || r.Method != http.MethodPost:
		return &fault{http.StatusNotImplemented, "NotImplemented", "The simulator does not have this part of Azure Monitor: " + r.Method + " " + r.URL.Path, 0}
	case !versionForm.MatchString(r.URL.Query().Get("api-version")):
		return &fault{http.StatusBadRequest, "InvalidApiVersion", "The api-version query parameter is missing or invalid.", 0}
	}
	rule := s.rule(m[1], r.Host)
	if rule == nil || !strings.EqualFold(rule.TenantID, t.Tenant) {
		return &fault{http.StatusNotFound, "NotFound", "Data collection rule with immutable Id '" + m[1] + "' not found.", 0}
	}
	if !s.w.AllowedIngestion(t.ObjectID, rule.ResourceID()) {
		return &fault{http.StatusForbidden, "OperationFailed", "The authentication token provided does not have access to ingest data for the data collection rule with immutable Id '" + rule.ImmutableID + "'.", 0}
	}
	i := slices.IndexFunc(rule.Streams, func(x world.CollectionStream) bool { return x.Name == m[2] })
	if i < 0 {
		return &fault{http.StatusNotFound, "NotFound", "The stream '" + m[2] + "' was not configured for the data collection rule.", 0}
	}
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(mediaType), "application/json") {
		return &fault{http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The Content-Type must be application/json.", 0}
	}
	if len(body) > maxBody {
		return &fault{http.StatusRequestEntityTooLarge, "ContentLengthLimitExceeded", fmt.Sprintf("Maximum allowed content length: %d bytes (1 MB). Provided content length: %d bytes.", maxBody, len(body)), 0}
	}
	if f := s.throttle(rule, len(body)); f != nil {
		return f
	}
	return s.take(rule, rule.Streams[i], body)
}

// rule finds a rule by its immutable id, at the endpoint that is its own.
func (s *Service) rule(id, host string) *world.CollectionRule {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	endpoint, _, _ := strings.Cut(host, ".")
	i := slices.IndexFunc(s.w.CollectionRules, func(x *world.CollectionRule) bool {
		return strings.EqualFold(x.ImmutableID, id) && strings.EqualFold(x.Endpoint, endpoint)
	})
	if i < 0 {
		return nil
	}
	return s.w.CollectionRules[i]
}

func (s *Service) authenticate(r *http.Request) (world.Token, *fault) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	t, ok := s.w.TokenOf(raw)
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		if raw != "" {
			s.w.Remember(raw)
		}
		return t, &fault{http.StatusUnauthorized, "AuthenticationFailed", "The authentication token is missing or invalid.", 0}
	}
	wire.CallFrom(r.Context()).Principal = cmp.Or(t.Name, t.ObjectID)
	if !strings.EqualFold(strings.TrimRight(t.Audience, "/"), "https://monitor.azure.com") || !s.w.Now().Before(t.Expires) {
		return t, &fault{http.StatusUnauthorized, "AuthenticationFailed", "The authentication token is for another audience, or has expired.", 0}
	}
	return t, nil
}

// throttle keeps a rule's limits; what is refused does not count.
func (s *Service) throttle(rule *world.CollectionRule, size int) *fault {
	if s.w.Knobs.Monitor.Unthrottled {
		return nil
	}
	l, now := s.limits[rule], s.w.Now()
	if l == nil {
		l = &limit{}
		s.limits[rule] = l
	}
	if now.Sub(l.start) >= window || now.Before(l.start) {
		l.start, l.calls, l.size = now, 0, 0
	}
	if l.calls >= maxRequests || l.size+size > maxBytes {
		left := l.start.Add(window).Sub(now)
		return &fault{http.StatusTooManyRequests, "RateLimitExceeded", "The rate limit of the data collection rule was exceeded.", int((left + time.Second - 1) / time.Second)}
	}
	l.calls, l.size, l.all = l.calls+1, l.size+size, l.all+1
	return nil
}

// Quotas implements wire.Limited.
func (s *Service) Quotas() (out []wire.Quota) {
	s.w.Lock()
	defer s.w.Unlock()
	for rule, l := range s.limits {
		if l.all > 0 {
			out = append(out, wire.Quota{Scope: "data collection rule " + rule.Name + ", requests", N: maxRequests, Window: window, Used: l.all})
		}
	}
	return out
}

// take keeps the records of a body, which is an array of objects.
func (s *Service) take(rule *world.CollectionRule, stream world.CollectionStream, body []byte) *fault {
	var records []map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&records); err != nil || dec.More() || records == nil || slices.ContainsFunc(records, func(m map[string]any) bool { return m == nil }) {
		return &fault{http.StatusBadRequest, "InvalidRequestContent", "The body must be a JSON array of objects.", 0}
	}
	now := s.w.Now()
	for _, in := range records {
		fields := map[string]any{}
		for k, v := range in {
			if slices.Contains(stream.Columns, k) {
				fields[k] = truncated(v)
			}
		}
		rule.Ingested = append(rule.Ingested, &world.IngestedRecord{Stream: stream.Name, Received: now, Visible: now.Add(time.Duration(s.w.Knobs.Monitor.VisibleAfter)), Fields: fields})
	}
	return nil
}

// truncated cuts a text that is too long, between two characters.
func truncated(v any) any {
	text, ok := v.(string)
	if !ok || len(text) <= maxField {
		return v
	}
	n := maxField
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
