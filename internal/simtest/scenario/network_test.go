package scenario

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rekeyhq/rekey/sim/world"
)

// agent is what the User-Agent of every call of the product contains, so that faults can be aimed at it.
const agent = "rekey"

// network is the product's way to Azure. What happens to the process at a call, and not to the call, happens here: it
// is suspended, killed, or overtaken by somebody.
type network struct {
	inner http.RoundTripper
	hooks *hooks
	stop  func() // the process's context
	dead  atomic.Bool
}

func (n *network) killed() bool { return n.dead.Load() }

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.dead.Load() {
		return nil, context.Canceled
	}
	if r.URL.Host == appHost && n.hooks.app != nil {
		return &http.Response{StatusCode: n.hooks.app(r), Body: http.NoBody, Request: r}, nil
	}
	r = r.Clone(r.Context())
	if r.UserAgent() == "" { // MSAL sends none
		r.Header.Set("User-Agent", agent)
	}
	op := operation(r)
	f, err := n.event("before", op)
	if err != nil {
		return nil, err
	}
	if f == onItsWay {
		r = r.WithContext(context.WithoutCancel(r.Context()))
	}
	resp, err := n.inner.RoundTrip(r)
	if _, dead := n.event("after", op); dead != nil {
		return nil, dead
	}
	return resp, err
}

func (n *network) event(when, op string) (fate, error) {
	f := n.hooks.next(when + " " + op)
	if f == nil {
		return live, nil
	}
	if is := f(); is != die {
		return is, nil
	}
	n.dead.Store(true)
	n.stop()
	switch op {
	case "token", "refresh", "other", "GetSecrets":
		// Other goroutines wait for what this one was about to bring, and only an error ends them. Nothing is lost by
		// that: no effect hangs on these calls.
		return die, context.Canceled
	}
	runtime.Goexit() // deferred calls aside, nothing more happens: as near to a kill as a goroutine comes
	return die, nil
}

// fate is what becomes of the process after something happened to it.
type fate int

const (
	live fate = iota
	die
	onItsWay // it lives, and its call is past the last place where it could be held back
)

// hooks are what happens to a machine's processes at their calls.
type hooks struct {
	app   func(*http.Request) int // answers for appHost, which is none of Azure's
	mu    sync.Mutex
	armed []*hook
	seen  []string
}

type hook struct {
	event string // "before SetSecret", "after CreatePat"; "" is any
	nth   int
	f     func() fate
}

// at arranges for f at the nth time that something is about to happen, or has happened.
func (h *hooks) at(event string, nth int, f func() fate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armed = append(h.armed, &hook{event, nth, f})
}

func (h *hooks) next(event string) (f func() fate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, event)
	for _, k := range h.armed {
		if k.event == "" || k.event == event {
			if k.nth--; k.nth == 0 && f == nil {
				f = k.f
			}
		}
	}
	return f
}

// happened lists what happened so far.
func (h *hooks) happened() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

// operation names a call as the request log does, as far as scenarios need it.
func operation(r *http.Request) string {
	host, path := r.URL.Host, r.URL.Path
	switch {
	case host == receiverHost:
		return "Webhook"
	case strings.HasSuffix(host, ".vault.azure.net"):
		parts := strings.Split(strings.Trim(path, "/"), "/")
		switch {
		case parts[0] == "deletedsecrets":
			return "GetDeletedSecret"
		case len(parts) == 1:
			return "GetSecrets"
		case r.Method == http.MethodPut:
			return "SetSecret"
		case r.Method == http.MethodPatch:
			return "UpdateSecret"
		case parts[len(parts)-1] == "versions":
			return "GetSecretVersions"
		}
		return "GetSecret"
	case strings.HasSuffix(path, "/_apis/tokens/pats"):
		return map[string]string{"GET": "ListPats", "POST": "CreatePat", "PUT": "UpdatePat", "DELETE": "RevokePat"}[r.Method]
	case strings.HasSuffix(path, "/_apis/connectionData"):
		return "ConnectionData"
	case strings.HasSuffix(path, "/addPassword"):
		return "AddPassword"
	case strings.HasSuffix(path, "/removePassword"):
		return "RemovePassword"
	case strings.HasPrefix(path, "/v1.0/applications"):
		return "GetApplication"
	case strings.HasPrefix(path, "/v1.0/users/"):
		return map[string]string{"GET": "GetUser", "PATCH": "UpdateUser"}[r.Method]
	case strings.Contains(path, "/_apis/serviceendpoint/endpoints/"):
		return map[string]string{"GET": "GetServiceEndpoint", "PUT": "UpdateServiceEndpoint"}[r.Method]
	case strings.HasSuffix(path, "/_apis/serviceendpoint/endpointproxy"):
		return "TestServiceEndpoint"
	case strings.Contains(path, "/_apis/distributedtask/variablegroups/"):
		return map[string]string{"GET": "GetVariableGroup", "PUT": "UpdateVariableGroup"}[r.Method]
	case strings.Contains(path, "/automationAccounts/"):
		return automationOperation(r)
	case strings.Contains(path, "/Microsoft.Web/connections/"):
		return connectionOperation(r)
	case strings.Contains(path, "/Microsoft.Web/sites/"):
		return appOperation(r)
	case strings.HasSuffix(path, "/token"):
		return grant(r)
	}
	return "other"
}

// grant names a token request: "refresh" where one is redeemed, else "token". It puts the body back.
func grant(r *http.Request) string {
	if r.Body == nil {
		return "token"
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return "token"
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	form, err := url.ParseQuery(string(b))
	switch {
	case err == nil && form.Get("grant_type") == "refresh_token":
		return "refresh"
	case err == nil && form.Get("client_id") == world.AppReporting:
		return "SignIn" // the probe of its client secret
	}
	return "token"
}
