// Package sim is the simulated Azure as one server: it routes requests by host name to the simulated services, does
// what the faults say, keeps the request log, and serves all of it as an HTTPS proxy, by server name, or in memory
// for Go tests.
//
// It is not a service: what Microsoft's hosts answer is written in the packages below it (entra, keyvault, arm,
// devops), over one world. What always holds: whatever way a request came, it goes through the same exchange, so
// that faults, log and clock are the same on a socket and in memory; every answer carries the world's Date; a
// request leaves the machine never.
package sim

import (
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/sim/entra"
	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// Config is what a Server is made from. The zero value serves the built-in world.
type Config struct {
	// Dir keeps the certificate authority and the env file. Only Listen needs it.
	Dir string
	// State is the world at the start; the server owns it from then on. Without a schema it is world.BuiltIn().
	State world.State
	// Now is the real clock; nil is time.Now. The world's clock is this one plus what it was advanced by.
	Now func() time.Time
	// Logger hears of what goes wrong in the simulator itself; nil is nobody.
	Logger *slog.Logger
}

// Server is a simulated Azure. Its methods may be called at any time from any goroutine.
type Server struct {
	dir      string
	log      *slog.Logger
	world    *world.World
	services map[string]wire.Service

	directory *entra.Service

	mu        sync.Mutex
	calls     []wire.Call
	faults    []*armed
	onRequest []*func(service, operation string, r *http.Request)
	onAnswer  []*func(service, operation string, status int)
}

// New makes a server over the given world. It opens nothing: Transport works at once, Listen opens the sockets.
func New(cfg Config) (*Server, error) {
	if cfg.State.Schema == 0 {
		cfg.State = world.BuiltIn()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if err := cfg.State.Validate(); err != nil {
		return nil, err
	}
	s := &Server{dir: cfg.Dir, log: cfg.Logger, world: world.New(cfg.State, cfg.Now), services: map[string]wire.Service{}}
	s.directory = entra.New(s.world)
	for _, service := range newServices(s.world, s.directory) {
		s.services[service.Name()] = service
	}
	return s, nil
}

// World is the world behind all services. Lock it before touching its state.
func (s *Server) World() *world.World { return s.world }

// Entra is the directory's service, for what a test does in it beside HTTP: approving a device code, minting an
// assertion of the simulated GitHub.
func (s *Server) Entra() *entra.Service { return s.directory }

// Requests lists every request since the start or the last ResetRequests, in the order in which they were handled.
func (s *Server) Requests() []wire.Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// ResetRequests empties the request log.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// OnRequest calls f with every request that arrives, before any fault and before it is handled, and returns what
// takes f away again. f may block; it must not change the request.
func (s *Server) OnRequest(f func(service, operation string, r *http.Request)) (remove func()) {
	return hook(s, &s.onRequest, f)
}

// OnAnswer calls f for every request that got an answer, after it was handled and logged and before the answer
// leaves (or is lost), and returns what takes f away again. f may block.
func (s *Server) OnAnswer(f func(service, operation string, status int)) (remove func()) {
	return hook(s, &s.onAnswer, f)
}

func hook[F any](s *Server, list *[]*F, f F) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &f
	*list = append(slices.Clone(*list), p)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*list = slices.DeleteFunc(slices.Clone(*list), func(q *F) bool { return q == p })
	}
}

// hooked is the list as it is now; hooks are called without any lock, as they may block or call the server.
func hooked[F any](s *Server, list *[]*F) []*F {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *list
}

func (s *Server) record(c wire.Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
}

// now is the world's time.
func (s *Server) now() time.Time {
	s.world.Lock()
	defer s.world.Unlock()
	return s.world.Now()
}
