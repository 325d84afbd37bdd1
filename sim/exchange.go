package sim

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
)

// exchange carries one request through the simulated Azure: hooks, fault, service, log. r is in the form that
// inbound made of it; gone is closed when the client has given up.
func (s *Server) exchange(r *http.Request, gone <-chan struct{}) answer {
	x := &exchange{s: s, call: &wire.Call{
		Method: r.Method, Host: hostOf(r.Host), Path: logPath(r.URL.Path), Query: logQuery(r.URL.RawQuery),
	}}
	service, name, ok := s.route(r)
	x.service, x.call.Service = service, name
	if !ok {
		return x.refuse()
	}
	x.r = r.WithContext(wire.WithCall(context.Background(), x.call))
	x.call.Operation = x.operation()
	for _, f := range hooked(s, &s.onRequest) {
		(*f)(name, x.call.Operation, x.r)
	}
	f := s.strike(name, x.call.Operation, r.UserAgent())
	if f == nil {
		return x.finish(x.handle())
	}
	x.call.Fault = f.Do
	return x.suffer(*f, gone)
}

// exchange is the state of one request on its way.
type exchange struct {
	s       *Server
	r       *http.Request
	call    *wire.Call
	service wire.Service // nil: known, not built
}

// suffer handles a request as a fault says.
func (x *exchange) suffer(f Fault, gone <-chan struct{}) answer {
	switch f.Do {
	case DoCut:
		return x.cutOff()
	case DoLate:
		time.AfterFunc(f.delay(), func() { x.finish(x.handle()) })
		return answer{cut: reset}
	case DoDelay:
		t := time.NewTimer(f.delay())
		defer t.Stop()
		select {
		case <-t.C:
			return x.finish(x.handle())
		case <-gone:
			return x.cutOff()
		}
	case DoLost:
		x.finish(x.handle())
		return answer{cut: reset}
	case DoTruncate:
		a := x.finish(x.handle())
		a.cut = half
		if len(a.body) == 0 {
			a.cut = reset
		}
		return a
	case DoMalform:
		x.handle()
		return x.finish(text(http.StatusOK, "application/json; charset=utf-8", `{"value":[{"id":"`))
	default:
		return x.finish(x.s.instead(f, x.call.Service))
	}
}

// finish logs the request, tells the hooks, and gives the answer its Date.
func (x *exchange) finish(a answer) answer {
	now := x.s.now()
	x.call.Time, x.call.Status = now, a.status
	x.s.record(*x.call)
	a.finish(now.Format(http.TimeFormat))
	for _, f := range hooked(x.s, &x.s.onAnswer) {
		(*f)(x.call.Service, x.call.Operation, a.status)
	}
	return a
}

// cutOff logs a request that is never handled, with status 0.
func (x *exchange) cutOff() answer {
	x.call.Time = x.s.now()
	x.s.record(*x.call)
	return answer{cut: reset}
}

// refuse answers for a host that is not part of this Azure.
func (x *exchange) refuse() answer {
	now := x.s.now()
	x.call.Time, x.call.Status = now, http.StatusForbidden
	x.call.Service, x.call.Operation = proxyName, "refused"
	x.s.record(*x.call)
	a := text(http.StatusForbidden, "text/plain; charset=utf-8", noSuchHost(x.call.Host)+"\n")
	a.finish(now.Format(http.TimeFormat))
	return a
}

// proxyName is the service of what the proxy itself answers, in the log.
const proxyName = "proxy"

func noSuchHost(host string) string {
	return "rekey sim: no such host in the simulated Azure: " + host
}

func (x *exchange) operation() (name string) {
	if x.service == nil {
		return "unknown"
	}
	defer func() {
		if p := recover(); p != nil {
			name = "unknown"
			x.panicked(p)
		}
	}()
	return x.service.Operation(x.r)
}

func (x *exchange) handle() (a answer) {
	if x.service == nil {
		message := fmt.Sprintf("rekey sim: %s is known but not simulated yet", x.call.Host)
		b := newBuffer()
		wire.JSON(b, http.StatusNotImplemented, "", map[string]any{"error": map[string]string{"code": "NotImplemented", "message": message}})
		return b.answer()
	}
	defer func() {
		if p := recover(); p != nil {
			x.panicked(p)
			a = text(http.StatusInternalServerError, "text/plain; charset=utf-8", "rekey sim: the simulated service panicked; see the simulator's log\n")
		}
	}()
	b := newBuffer()
	x.service.ServeHTTP(b, x.r)
	return b.answer()
}

// panicked logs a bug of the simulator. The panic's value stays out: it may hold what the request held.
func (x *exchange) panicked(p any) {
	x.s.log.Error("simulated service panicked", "service", x.call.Service, "operation", x.call.Operation,
		"type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
}
