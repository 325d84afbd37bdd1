// Package entra is the simulated Entra ID: discovery, keys, sign-in pages and the token endpoint of
// login.microsoftonline.com and its aliases, and the OIDC issuers of GitHub Actions, whose assertions it trusts, and of
// Azure Pipelines.
//
// It is not Microsoft Graph: it reads the directory and never writes it. It is not the managed identity endpoint,
// which asks it for tokens (IssueAppToken).
//
// What always holds: the world is locked for the length of one request; access tokens, refresh tokens and codes
// live and die by the world's clock, assertions and id tokens by the real one, as those are judged by clients'
// clocks; every token that is handed out is known to the world (AddToken, Mint), every credential received is
// remembered by it, and none of them is in an error.
package entra

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// Host names that the service answers for.
const (
	Login     = "login.microsoftonline.com"
	GitHub    = "token.actions.githubusercontent.com"
	deviceWeb = "microsoft.com"
)

// Hosts are the names that the service answers for. microsoft.com is there for /devicelogin alone.
var Hosts = []string{Login, "login.windows.net", "login.microsoft.com", "sts.windows.net", GitHub, Pipelines, deviceWeb, "www." + deviceWeb}

// Service is Entra ID over one world.
type Service struct {
	w *world.World

	// All maps are guarded by the world's lock. They hold what a directory does not show: it is gone after a
	// restart, like a session.
	refresh map[string]*refreshToken
	codes   map[string]*authCode
	devices map[string]*device // by device code
	flaps   map[string]int     // requests about something that not every region has heard of
	runners map[string]map[string]any
}

// New returns the service over w.
func New(w *world.World) *Service {
	return &Service{
		w:       w,
		refresh: map[string]*refreshToken{},
		codes:   map[string]*authCode{},
		devices: map[string]*device{},
		flaps:   map[string]int{},
		runners: map[string]map[string]any{},
	}
}

// Name implements wire.Service.
func (*Service) Name() string { return "entra" }

// Operation implements wire.Service.
func (*Service) Operation(r *http.Request) string {
	rt := routeOf(r)
	if rt.op != opToken {
		return rt.op
	}
	if g, ok := grants[wire.FormBody(r).Get("grant_type")]; ok {
		return "token:" + g.name
	}
	return opUnknown
}

const (
	opDiscovery = "discovery"
	opInstance  = "instance"
	opKeys      = "keys"
	opRealm     = "userrealm"
	opToken     = "token"
	opDevice    = "devicecode"
	opApprove   = "deviceauth"
	opAuthorize = "authorize"
	opGitHub    = "githubtoken"
	opPipelines = "jobtoken"
	opUnknown   = "unknown"
)

// route is what a URL asks for.
type route struct {
	op     string
	host   string
	tenant string // the first segment: id, domain, common, organizations, consumers
	v2     bool
	rest   string // the last segment, where it is a parameter
}

func routeOf(r *http.Request) route {
	host := strings.ToLower(r.Host)
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	path := strings.Trim(r.URL.Path, "/")
	lower := strings.ToLower(path)
	rt := route{op: opUnknown, host: host}
	switch strings.TrimPrefix(host, "www.") {
	case GitHub:
		rt.op = githubOps[lower]
		if rt.op == "" {
			rt.op = opUnknown
		}
		return rt
	case Pipelines:
		return pipelinesRoute(rt, lower)
	case deviceWeb:
		if lower == "devicelogin" {
			rt.op = opApprove
		}
		return rt
	}
	tenant, rest, _ := strings.Cut(path, "/")
	rt.tenant = tenant
	const realmPrefix = "userrealm/"
	if n := len(realmPrefix); len(rest) > n && strings.EqualFold(rest[:n], realmPrefix) {
		rt.op, rt.rest = opRealm, rest[n:]
		return rt
	}
	if x, ok := paths[strings.ToLower(rest)]; ok {
		rt.op, rt.v2 = x.op, x.v2
	}
	return rt
}

var paths = map[string]struct {
	op string
	v2 bool
}{
	".well-known/openid-configuration":      {opDiscovery, false},
	"v2.0/.well-known/openid-configuration": {opDiscovery, true},
	"discovery/instance":                    {opInstance, false},
	"discovery/keys":                        {opKeys, false},
	"discovery/v2.0/keys":                   {opKeys, true},
	"oauth2/token":                          {opToken, false},
	"oauth2/v2.0/token":                     {opToken, true},
	"oauth2/devicecode":                     {opDevice, false},
	"oauth2/v2.0/devicecode":                {opDevice, true},
	"oauth2/deviceauth":                     {opApprove, false},
	"oauth2/authorize":                      {opAuthorize, false},
	"oauth2/v2.0/authorize":                 {opAuthorize, true},
}

// request is one request with what every handler needs of it. The world is locked as long as it lives.
type request struct {
	route
	*http.Request
	form        url.Values // the body's
	call        *wire.Call
	trace       string
	correlation string
}

// answer is a whole answer.
type answer struct {
	status int
	ctype  string // "": JSON
	body   []byte
	header http.Header
}

func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form := url.Values{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form = wire.FormBody(r)
	}
	s.w.Lock()
	q := &request{route: routeOf(r), Request: r, form: form, call: wire.CallFrom(r.Context()), trace: s.w.NewID()}
	q.correlation = q.clientRequestID()
	if q.correlation == "" {
		q.correlation = s.w.NewID()
	}
	s.rememberCredentials(q)
	a := s.answer(q)
	s.w.Unlock()

	h := w.Header()
	for k, v := range commonHeader {
		h.Set(k, v)
	}
	for k, v := range a.header {
		h[k] = v
	}
	h.Set("x-ms-request-id", q.trace)
	if strings.EqualFold(r.Header.Get("return-client-request-id"), "true") {
		h.Set("client-request-id", q.correlation)
	}
	wire.Bytes(w, a.status, a.ctype, a.body)
}

var commonHeader = map[string]string{
	"Cache-Control":             "no-store, no-cache",
	"Pragma":                    "no-cache",
	"Expires":                   "-1",
	"Strict-Transport-Security": "max-age=31536000; includeSubDomains",
	"X-Content-Type-Options":    "nosniff",
	"P3P":                       `CP="DSP CUR OTPi IND OTRi ONL FIN"`,
	"x-ms-ests-server":          "2.1.22498.5 - SIM ProdSlices",
	"x-ms-srs":                  "1.P",
}

func (s *Service) answer(q *request) answer {
	if !q.allowsMethod() {
		if q.op == opToken || q.op == opDevice {
			return s.fail(q, errPostOnly(q.Method))
		}
		return answer{status: http.StatusMethodNotAllowed, ctype: "text/plain; charset=utf-8"}
	}
	var a answer
	var f *failure
	switch q.op {
	case opDiscovery:
		a, f = s.discovery(q)
	case opInstance:
		a, f = s.instance(q)
	case opKeys:
		a, f = s.keys(q)
	case opRealm:
		a = s.userRealm(q)
	case opToken:
		a, f = s.token(q)
	case opDevice:
		a, f = s.deviceCode(q)
	case opApprove:
		a = s.deviceAuth(q)
	case opAuthorize:
		a = s.authorize(q)
	case opGitHub:
		a = s.runnerToken(q)
	case opPipelines:
		a = s.jobToken(q)
	default:
		a = answer{status: http.StatusNotFound, ctype: "text/plain; charset=utf-8"}
	}
	if f != nil {
		return s.fail(q, f)
	}
	return a
}

func (q *request) allowsMethod() bool {
	switch q.op {
	case opToken, opDevice, opPipelines:
		return q.Method == http.MethodPost
	case opAuthorize, opApprove:
		return q.Method == http.MethodGet || q.Method == http.MethodPost
	case opUnknown:
		return true
	}
	return q.Method == http.MethodGet || q.Method == http.MethodHead
}

// clientRequestID is the caller's correlation id, where it sent a GUID: by header, or by query as MSAL for
// JavaScript does.
func (q *request) clientRequestID() string {
	for _, id := range []string{q.Header.Get("client-request-id"), q.URL.Query().Get("client-request-id"), q.form.Get("client-request-id")} {
		if isGUID(id) {
			return id
		}
	}
	return ""
}

// rememberCredentials tells the world every secret that a request carries, whether or not it is any good.
func (s *Service) rememberCredentials(q *request) {
	for _, k := range []string{"client_secret", "client_assertion", "assertion", "password", "refresh_token", "code", "code_verifier", "device_code"} {
		for _, v := range q.form[k] {
			s.w.Remember(v)
		}
	}
	if _, secret, ok := q.basicAuth(); ok {
		s.w.Remember(secret)
	}
	if t, ok := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer "); ok {
		s.w.Remember(t)
	}
}

// basicAuth is the client's id and secret from an Authorization header, which OAuth wants form-encoded inside.
func (q *request) basicAuth() (id, secret string, ok bool) {
	id, secret, ok = q.BasicAuth()
	if !ok {
		return "", "", false
	}
	if v, err := url.QueryUnescape(id); err == nil {
		id = v
	}
	if v, err := url.QueryUnescape(secret); err == nil {
		secret = v
	}
	return id, secret, true
}

func jsonAnswer(status int, v any) answer {
	b, err := json.Marshal(v)
	if err != nil {
		return answer{status: http.StatusInternalServerError, ctype: "text/plain; charset=utf-8", body: []byte("simulator: " + err.Error())}
	}
	return answer{status: status, body: b}
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f'):
			return false
		}
	}
	return true
}
