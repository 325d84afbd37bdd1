package simtest

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// recorder carries requests to a simulator and keeps what went both ways.
type recorder struct {
	t    *testing.T
	sim  *sim.Server
	base http.RoundTripper

	mu   sync.Mutex
	seen []exchange
}

// record starts a simulator in memory, with what change makes of the built-in world.
func record(t *testing.T, change func(*world.State)) *recorder {
	t.Helper()
	state := world.BuiltIn()
	if change != nil {
		change(&state)
	}
	s, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return &recorder{t: t, sim: s, base: s.Transport()}
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchange{method: req.Method, url: req.URL, sent: req.Header.Clone()}
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
		x.body = b
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(b))
	}
	resp, err := r.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	x.answer, err = io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(x.answer))
	x.status, x.got = resp.StatusCode, resp.Header
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, x)
	return resp, nil
}

// client follows no redirect: a service that sends one has refused.
func (r *recorder) client() *http.Client {
	return &http.Client{Transport: r, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// options are what the official clients are given; none of them waits for a second try.
func (r *recorder) options() policy.ClientOptions {
	return policy.ClientOptions{Transport: r.client(), Retry: policy.RetryOptions{MaxRetries: -1}}
}

// web are the pages for people, which no file describes.
var web = regexp.MustCompile(`/oauth2/v2\.0/authorize$|/common/oauth2/deviceauth$`)

// hold holds everything that was recorded to the files, and wants each of the operations to have been answered with
// the statuses given ("SetSecret 200").
func (r *recorder) hold(want ...string) *book {
	r.t.Helper()
	b := newBook(r.t)
	var done []string
	for _, x := range r.seen {
		if web.MatchString(x.url.Path) {
			continue
		}
		operation, wrong := b.judge(x)
		for _, w := range wrong {
			r.t.Errorf("%v (%s): %s", x, operation, w)
		}
		done = append(done, operation+" "+strconv.Itoa(x.status))
	}
	for _, w := range want {
		if !slices.Contains(done, w) {
			r.t.Errorf("%s was never seen; seen were %q", w, slices.Compact(slices.Sorted(slices.Values(done))))
		}
	}
	return b
}

// user and app find who signs in.
func user(t *testing.T, s world.State, name string) *world.User {
	t.Helper()
	i := slices.IndexFunc(s.Users, func(u *world.User) bool { return strings.HasPrefix(u.UPN, name+"@") })
	if i < 0 {
		t.Fatalf("the world has no user %s", name)
	}
	return s.Users[i]
}

func app(t *testing.T, s world.State, name string) *world.App {
	t.Helper()
	i := slices.IndexFunc(s.Apps, func(a *world.App) bool { return a.Name == name })
	if i < 0 {
		t.Fatalf("the world has no app %s", name)
	}
	return s.Apps[i]
}
