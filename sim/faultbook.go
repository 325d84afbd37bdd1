package sim

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/wire"
)

// FaultStatus is a fault that was set, with what became of it.
type FaultStatus struct {
	Fault
	Matched int  `json:"matched"` // requests that it was about
	Hit     int  `json:"hit"`     // requests that it struck
	Spent   bool `json:"spent"`   // it strikes no more
}

type armed struct {
	FaultStatus
}

// matches says whether the fault is about a request, without counting it.
func (a *armed) matches(service, operation, agent string) bool {
	return (a.Service == "" || strings.EqualFold(a.Service, service)) &&
		(a.Operation == "" || strings.EqualFold(a.Operation, operation)) &&
		strings.Contains(agent, a.Agent)
}

// due says whether the fault strikes the match that was counted last.
func (a *armed) due() bool {
	if a.Nth == 0 {
		return a.Times == 0 || a.Hit < a.Times
	}
	return a.Matched >= a.Nth && a.Matched < a.Nth+max(a.Times, 1)
}

func (a *armed) spent() bool {
	if a.Nth == 0 {
		return a.Times > 0 && a.Hit >= a.Times
	}
	return a.Matched >= a.Nth+max(a.Times, 1)-1
}

// SetFaults replaces all faults.
func (s *Server) SetFaults(fs ...Fault) error {
	if err := validate(fs); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.arm(fs)
	return nil
}

// AddFaults adds faults behind those that are set. Where several are due for one request, the first one set
// strikes; all of them count the match.
func (s *Server) AddFaults(fs ...Fault) error {
	if err := validate(fs); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arm(fs)
	return nil
}

func (s *Server) arm(fs []Fault) {
	for _, f := range fs {
		s.faults = append(s.faults, &armed{FaultStatus{Fault: f}})
	}
}

// ClearFaults takes all faults away.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Faults lists the faults that were set, spent ones too.
func (s *Server) Faults() []FaultStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]FaultStatus, 0, len(s.faults))
	for _, a := range s.faults {
		out = append(out, a.FaultStatus)
	}
	return out
}

// strike counts a request and gives the fault that hits it, or nil.
func (s *Server) strike(service, operation, agent string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hit *Fault
	for _, a := range s.faults {
		if !a.matches(service, operation, agent) {
			continue
		}
		a.Matched++
		if hit == nil && a.due() {
			a.Hit++
			f := a.Fault
			hit = &f
		}
		a.Spent = a.spent()
	}
	return hit
}

// instead is the answer of a fault that has the request not handled at all.
func (s *Server) instead(f Fault, service string) answer {
	switch f.Do {
	case DoThrottle:
		a := s.throttled(service)
		if f.RetryAfter != "" {
			v, _ := retryAfter(string(f.RetryAfter))
			a.header.Set("Retry-After", v)
		}
		return a
	case DoSignIn:
		return text(http.StatusNonAuthoritativeInfo, "text/html; charset=utf-8", signInPage)
	}
	contentType := "text/plain; charset=utf-8"
	if b := strings.TrimSpace(string(f.Body)); strings.HasPrefix(b, "{") || strings.HasPrefix(b, "[") {
		contentType = "application/json; charset=utf-8"
	}
	a := text(f.Status, contentType, string(f.Body))
	for _, k := range sortedKeys(f.Headers) {
		a.header.Set(k, f.Headers[k])
	}
	return a
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// signInPage stands for the page, some 16 KB in reality, that Azure DevOps shows to who is not signed in: with a
// 203, which is a success to a client that does not look (facts/azure-devops-entra.md 5.4 a).
const signInPage = `<!DOCTYPE html>
<html lang="en-US"><head><meta charset="utf-8"><title>Azure DevOps Services | Sign In</title></head>
<body><div class="signin"><h1>Azure DevOps Services</h1><form action="/_signin" method="post"><button type="submit">Sign in</button></form></div></body></html>
`

// throttled is a service's own 429.
func (s *Server) throttled(service string) answer {
	b := newBuffer()
	switch service {
	case "keyvault": // facts/keyvault-graph-arm.md 1.4: seen without a Retry-After
		wire.JSON(b, http.StatusTooManyRequests, "", errorBody("Throttled", "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"))
	case "devops": // facts/azure-devops-entra.md 6: the text is known, a JSON envelope around it is not
		wire.Bytes(b, http.StatusTooManyRequests, "text/plain; charset=utf-8", []byte("TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource 'Concurrency' in namespace 'User'."))
	case "entra":
		wire.JSON(b, http.StatusTooManyRequests, "", s.tenantThrottled())
	case "blob": // storage says 503 where others say 429
		b.Header().Set("X-Ms-Error-Code", "ServerBusy")
		wire.Bytes(b, http.StatusServiceUnavailable, "application/xml", []byte(`<?xml version="1.0" encoding="utf-8"?><Error><Code>ServerBusy</Code><Message>The server is currently unable to receive requests. Please retry your request.</Message></Error>`))
	case identityName:
		wire.JSON(b, http.StatusTooManyRequests, "", map[string]any{"statusCode": http.StatusTooManyRequests, "message": "Too many requests."})
	default:
		wire.JSON(b, http.StatusTooManyRequests, "", errorBody("TooManyRequests", "The request is being throttled as the limit has been reached for this operation type."))
	}
	return b.answer()
}

func errorBody(code, message string) map[string]any {
	return map[string]any{"error": map[string]string{"code": code, "message": message}}
}

// tenantThrottled is Entra's error envelope (facts/azure-devops-entra.md 8.2) for AADSTS90055.
func (s *Server) tenantThrottled() map[string]any {
	s.world.Lock()
	trace, correlation, now := s.world.NewID(), s.world.NewID(), s.world.Now()
	s.world.Unlock()
	stamp := now.Format("2006-01-02 15:04:05Z")
	return map[string]any{
		"error": "temporarily_unavailable",
		"error_description": "AADSTS90055: The server is temporarily too busy to handle the request. Too many requests for the tenant.\r\nTrace ID: " + trace +
			"\r\nCorrelation ID: " + correlation + "\r\nTimestamp: " + stamp,
		"error_codes": []int{90055}, "timestamp": stamp, "trace_id": trace, "correlation_id": correlation,
		"error_uri": "https://login.microsoftonline.com/error?code=90055",
	}
}
