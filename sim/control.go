package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

// ControlHelp is what the control port answers at its root.
const ControlHelp = `rekey sim, control port (loopback only)

GET    /state      the world as it is now, in the form of "rekey sim world", secret values left out
GET    /consumers  what uses a credential: whether the value that it holds would be taken now, and why not
GET    /requests   every request since the start, in the order in which they were handled
DELETE /requests   empty that list
GET    /clock      {"now": the world's time}
POST   /clock      {"advance":"720h"} or "30d": move the world's clock; it never goes back
GET    /knobs      what the simulated services are set to do
PUT    /knobs      {"arm":{"rbacDelay":"5m"}}: set some knobs, the others stay
GET    /faults     the faults that are set, and how often each struck
POST   /faults     add one fault or an array of them
DELETE /faults     take all faults away
GET    /msi/token  the managed identity endpoint, App Service form (IDENTITY_ENDPOINT)

A fault: {"service":"keyvault","operation":"SetSecret","nth":1,"do":"lost"}
  service, operation  as in /requests; left out: any
  agent               a part of the User-Agent; left out: any
  nth                 which match, 1 is the next; left out: every one
  times               how many matches from there on
  do                  lost      handled, then the connection is cut
                      late      the connection is cut, and it is handled "delay" later ("1s" unless given)
                      cut       the connection is cut, and it is never handled
                      answer    "status", "body" and "headers" instead
                      delay     handled "delay" later ("1s" unless given), if the client is still there
                      throttle  429, with a Retry-After if "retryAfter" is given
                      signin    203 and a sign-in page
                      truncate  handled; half of the body, then the connection is cut
                      malform   handled; 200 and broken JSON
`

// controlHandler serves the control port and the managed identity endpoint.
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		wire.Bytes(w, http.StatusOK, "text/plain; charset=utf-8", []byte(ControlHelp))
	})
	mux.HandleFunc("GET /state", s.getState)
	mux.HandleFunc("GET /consumers", s.getConsumers)
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusOK, append([]wire.Call{}, s.Requests()...))
	})
	mux.HandleFunc("DELETE /requests", func(w http.ResponseWriter, r *http.Request) {
		s.ResetRequests()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /clock", func(w http.ResponseWriter, r *http.Request) { s.replyNow(w) })
	mux.HandleFunc("POST /clock", s.postClock)
	mux.HandleFunc("GET /knobs", func(w http.ResponseWriter, r *http.Request) {
		s.world.Lock()
		b, err := json.Marshal(s.world.Knobs)
		s.world.Unlock()
		replyJSON(w, b, err)
	})
	mux.HandleFunc("PUT /knobs", s.putKnobs)
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, s.Faults()) })
	mux.HandleFunc("POST /faults", s.postFaults)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, r *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc(IdentityPath, s.ServeAzure)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		wire.Bytes(w, http.StatusNotFound, "text/plain; charset=utf-8", fmt.Appendf(nil, "There is no %s %s here.\n\n%s", r.Method, logPath(r.URL.Path), ControlHelp))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A name that an attacker's DNS points at 127.0.0.1, and a web page that posts to it, are both stopped.
		if origin := r.Header.Get("Origin"); !loopback(hostOf(r.Host)) || origin != "" && !loopbackURL(origin) {
			fail(w, http.StatusForbidden, errors.New("the control port answers only to this machine's own names"))
			return
		}
		w.Header().Set("Date", s.now().Format(http.TimeFormat))
		mux.ServeHTTP(w, r)
	})
}

func loopbackURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && loopback(hostOf(u.Host))
}

func (s *Server) getState(w http.ResponseWriter, r *http.Request) {
	s.world.Lock()
	s.world.SettleJobs()
	state, err := s.world.Redacted()
	s.world.Unlock()
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	reply(w, http.StatusOK, state)
}

func (s *Server) replyNow(w http.ResponseWriter) {
	reply(w, http.StatusOK, map[string]string{"now": s.now().Format(time.RFC3339Nano)})
}

func (s *Server) postClock(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Advance *world.Duration `json:"advance"`
	}
	b, err := readBody(r)
	if err == nil {
		err = world.Strict(b, &in)
	}
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, fmt.Errorf("clock: %w", err))
	case in.Advance == nil:
		fail(w, http.StatusBadRequest, errors.New(`clock: "advance" is missing, as in {"advance":"720h"}`))
	case *in.Advance < 0:
		fail(w, http.StatusBadRequest, errors.New("clock: it never goes back"))
	default:
		s.world.Advance(time.Duration(*in.Advance))
		s.replyNow(w)
	}
}

func (s *Server) putKnobs(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	k, err := s.mergeKnobs(body)
	if err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("knobs: %w", err))
		return
	}
	replyJSON(w, k, nil)
}

// mergeKnobs works on a copy, so that knobs change all together or not at all.
func (s *Server) mergeKnobs(part []byte) (merged []byte, err error) {
	s.world.Lock()
	defer s.world.Unlock()
	before, err := json.Marshal(s.world.Knobs)
	if err != nil {
		return nil, err
	}
	var k world.Knobs
	if err := json.Unmarshal(before, &k); err != nil {
		return nil, err
	}
	if err := world.Strict(part, &k); err != nil {
		return nil, err
	}
	s.world.Knobs = k
	return json.Marshal(k)
}

func (s *Server) postFaults(w http.ResponseWriter, r *http.Request) {
	b, err := readBody(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	fs, err := ParseFaults(b)
	if err == nil {
		err = s.AddFaults(fs...)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	reply(w, http.StatusOK, s.Faults())
}

func reply(w http.ResponseWriter, status int, v any) { wire.JSON(w, status, "application/json", v) }

func replyJSON(w http.ResponseWriter, b []byte, err error) {
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	wire.Bytes(w, http.StatusOK, "application/json", b)
}

func fail(w http.ResponseWriter, status int, err error) {
	reply(w, status, map[string]string{"error": err.Error()})
}
