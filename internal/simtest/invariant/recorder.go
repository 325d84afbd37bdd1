package invariant

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// Call is one request, as it was handled.
type Call struct {
	Asked     time.Time // when the process sent it
	At        time.Time // when it was handled, or given up
	Operation string
	Write     bool // it may change something
	Status    int  // what the service answered; 0 for a request that is yet to be handled
	// Heard says that the process got the whole answer.
	Heard bool
	// Late says that the process had given up before it was handled.
	Late bool

	// Target is the secret that it is about, "vault/name".
	Target string
	// Version is the newest version of Target when it was handled, Recorded says that it carried a record, and Record is
	// that, as it was then.
	Version  string
	Recorded bool
	Record   *rotation.Record
	// Token is the id of the token that it is about: made, revoked, published, or probed. Name is the display name of
	// one that is to be made.
	Token, Name string
	// Changed says that Target is not what it was before, leaving aside when it was last updated: a write that proves
	// that one may write changes nothing.
	Changed bool
	// Consumer is the one that it is about, by One.At; Marked and Holds are the publication that it was on when the call
	// was handled, and the id of the credential that it held then.
	Consumer, Marked, Holds string
	// Took says that it holds something else since this call, or is marked otherwise: one that answers well and does
	// nothing is as it was.
	Took bool
	// Marks are the publications that consumers were on by the tags of the secret that was read, by One.At.
	Marks map[string]string
	// Before is the world around a promised token when it was revoked.
	Before *Scene
}

// Applied says whether the service said that it did it.
func (c *Call) Applied() bool { return c.Status >= 200 && c.Status < 300 && c.Status != 203 }

// Recorder keeps a History of what processes send to one simulated Azure.
type Recorder struct {
	srv *sim.Server

	mu sync.Mutex
	h  *History
}

// NewRecorder keeps h, which the caller may look at through With.
func NewRecorder(srv *sim.Server, h *History) *Recorder { return &Recorder{srv: srv, h: h} }

// With calls f with the history brought up to now, with the world locked.
func (r *Recorder) With(f func(*History)) {
	w := r.srv.World()
	w.Lock()
	defer w.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Now, r.h.State = w.Now(), &w.State
	r.h.Note(w, r.h.Now)
	f(r.h)
}

// Add notes what is not a call.
func (r *Recorder) Add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Events = append(r.h.Events, e)
}

// Send has a request handled and notes it. The note may be changed within With, to say that the answer was not heard.
func (r *Recorder) Send(process int, asked time.Time, req *http.Request) (*Call, *http.Response, error) {
	body := bodyOf(req)
	c := r.describe(req, body)
	c.Asked = asked
	before := r.digest(c.Target)
	resp, err := r.srv.Transport().RoundTrip(req)
	r.With(func(h *History) {
		c.At = h.Now
		if resp != nil {
			c.Status, c.Heard = resp.StatusCode, err == nil
		}
		r.after(c)
		c.Changed = digestOf(h.State, c.Target) != before
		h.Events = append(h.Events, Event{Process: process, Call: c})
	})
	return c, resp, err
}

func (r *Recorder) digest(target string) (out string) {
	r.With(func(h *History) { out = digestOf(h.State, target) })
	return out
}

func digestOf(s *world.State, target string) string {
	vault, name, ok := strings.Cut(target, "/")
	if !ok {
		return ""
	}
	if x := secretOf(s, rotation.Target{Vault: vault, Name: name}); x != nil {
		return digest(x)
	}
	return ""
}

// GaveUp notes a request that will be handled after its process gave up.
func (r *Recorder) GaveUp(process int, req *http.Request) {
	c := r.describe(req, bodyOf(req))
	c.Late = true
	r.With(func(h *History) {
		c.Asked, c.At = h.Now, h.Now
		h.Events = append(h.Events, Event{Process: process, Call: c})
	})
}

func bodyOf(req *http.Request) []byte {
	if req.Body == nil {
		return nil
	}
	b, _ := io.ReadAll(req.Body)
	req.Body.Close()
	req.Body = io.NopCloser(bytes.NewReader(b))
	return b
}

// describe says what a request is about, before it is handled.
func (r *Recorder) describe(req *http.Request, body []byte) *Call {
	c := &Call{Operation: Operation(req)}
	c.Write = Writes(req.Method, c.Operation)
	if strings.HasSuffix(req.URL.Host, ".vault.azure.net") {
		parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
		if len(parts) > 1 {
			c.Target = req.URL.Host + "/" + parts[1]
		}
	}
	r.With(func(h *History) {
		c.Consumer = h.ConsumerOf(req)
		k := kindOf(c.Operation)
		var value string
		if k.about != nil {
			c.Token, c.Name, value = k.about(c.Operation, req, body)
		}
		switch {
		case c.Operation == "DisableVersion":
			c.Token = recordedAs(h.State, c.Target, c.Token)
		case c.Operation == "RemoveKey" && c.Token == "":
			c.Token = leftOut(h.State, h.Promises, body)
		}
		switch c.Operation {
		case k.Revoke:
			for _, p := range h.Promises {
				if s := SceneOf(h.State, p, h.Now); c.Before == nil {
					if _, ok := s.Token(c.Token); ok {
						c.Before, c.Target = s, p.Target.String()
					}
				}
			}
		case "SetSecret":
			var in struct {
				Value string `json:"value"`
			}
			_ = json.Unmarshal(body, &in)
			if c.Token = tokenByValue(h.State, in.Value); c.Token == "" {
				c.Token = recordIn(body) // nobody but this request has it yet
			}
		case k.Probe:
			c.Token = tokenByValue(h.State, value)
		}
	})
	return c
}

// after adds what only the world after the request tells. The history is locked.
func (r *Recorder) after(c *Call) {
	for _, p := range r.h.Promises {
		if strings.EqualFold(c.Target, p.Target.String()) {
			if v := SceneOf(r.h.State, p, r.h.Now).Newest(); v != nil {
				c.Version, c.Recorded, c.Record = v.ID, v.Record != nil, v.Record
			}
		}
	}
	r.h.See(c)
	if k := kindOf(c.Operation); c.Operation == k.Create && c.Applied() {
		for _, id := range k.named(r.h.State, c.Name) {
			c.Token = id // the last one: the service may have made it twice
		}
	}
}

func tokenByValue(s *world.State, value string) string {
	for _, k := range kinds {
		if value == "" {
			return ""
		}
		if id := k.valued(s, value); id != "" {
			return id
		}
	}
	return ""
}

// Operation names a request as the simulator's log does, as far as checkers and points need it.
func Operation(r *http.Request) string {
	host, path := r.URL.Host, strings.Trim(r.URL.Path, "/")
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	for _, k := range kinds {
		if name := k.operation(r); name != "" {
			return name
		}
	}
	if name := consumer.Operation(r); name != "" {
		return name
	}
	if name := elevating(r); name != "" {
		return name
	}
	switch {
	case strings.HasSuffix(host, ".vault.azure.net"):
		switch {
		case r.Header.Get("Authorization") == "":
			return "challenge"
		case parts[0] == "deletedsecrets":
			return map[string]string{"GET": "GetDeletedSecret", "POST": "RecoverDeletedSecret", "DELETE": "PurgeDeletedSecret"}[r.Method]
		case r.Method == http.MethodDelete:
			return "DeleteSecret"
		case len(parts) == 1:
			return "GetSecrets"
		case r.Method == http.MethodPut:
			return "SetSecret"
		case r.Method == http.MethodPatch:
			return "UpdateSecret"
		case last == "versions":
			return "GetSecretVersions"
		}
		return "GetSecret"
	case last == "instance":
		return "discovery"
	case last == "openid-configuration":
		return "openid"
	case strings.Contains(strings.ToLower(path), "userrealm"):
		return "userRealm"
	}
	return last
}
