package azhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/rekeyhq/rekey/internal/driver"
)

// server answers calls in order with the given outcomes, and goes on with the last one.
type server struct {
	outcomes []outcome
	bodies   []string
	at       []time.Time
}

type outcome struct {
	status int
	header map[string]string
	body   io.Reader
	err    error
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	s.bodies, s.at = append(s.bodies, body), append(s.at, time.Now())
	o := s.outcomes[min(len(s.bodies), len(s.outcomes))-1]
	if o.err != nil {
		return nil, o.err
	}
	resp := &http.Response{StatusCode: o.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
	if o.body != nil {
		resp.Body = io.NopCloser(o.body)
	}
	for k, v := range o.header {
		resp.Header.Set(k, v)
	}
	return resp, nil
}

func pipeline(s *server) runtime.Pipeline {
	o := NewClient(s, nil).Options(cloud.AzurePublic)
	return runtime.NewPipeline("test", "1", runtime.PipelineOptions{}, &o)
}

func send(ctx context.Context, t *testing.T, pl runtime.Pipeline, method string) (*http.Response, error) {
	t.Helper()
	req, err := runtime.NewRequest(ctx, method, "https://host.example/path?secret=query")
	if err != nil {
		t.Fatal(err)
	}
	if method != http.MethodGet {
		if err := req.SetBody(streaming.NopCloser(strings.NewReader("the body")), "text/plain"); err != nil {
			t.Fatal(err)
		}
	}
	return pl.Do(req)
}

var (
	errReset  = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errDial   = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	errProxy  = &net.OpError{Op: "proxyconnect", Net: "tcp", Err: syscall.ECONNREFUSED}
	methods   = []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
	readsOnly = "GET HEAD OPTIONS"
	everyone  = strings.Join(methods, " ")
)

func TestAWriteIsSentAgainOnlyIfItWasNotAppliedOrNeverLeft(t *testing.T) {
	for _, c := range []struct {
		name    string
		outcome outcome
		again   string // methods that are sent again
	}{
		{"200", outcome{status: 200}, ""},
		{"201", outcome{status: 201}, ""},
		{"203, a page for people", outcome{status: 203}, ""},
		{"302", outcome{status: 302, header: map[string]string{"Location": "https://elsewhere.example/"}}, ""},
		{"400", outcome{status: 400}, ""},
		{"401", outcome{status: 401}, ""},
		{"403", outcome{status: 403}, ""},
		{"404", outcome{status: 404}, ""},
		{"409", outcome{status: 409}, ""},
		{"412", outcome{status: 412}, ""},
		{"501", outcome{status: 501}, ""},
		{"429", outcome{status: 429}, everyone},
		{"408", outcome{status: 408}, readsOnly},
		{"500", outcome{status: 500}, readsOnly},
		{"502", outcome{status: 502}, readsOnly},
		{"503", outcome{status: 503}, readsOnly},
		{"504", outcome{status: 504}, readsOnly},
		{"a reset connection", outcome{err: errReset}, readsOnly},
		{"an answer that broke off", outcome{err: io.ErrUnexpectedEOF}, readsOnly},
		{"a connection that was never made", outcome{err: errDial}, everyone},
		{"a proxy that was never reached", outcome{err: errProxy}, everyone},
		{"a caller that gave up", outcome{err: context.Canceled}, ""},
		{"a deadline", outcome{err: context.DeadlineExceeded}, ""},
	} {
		for _, method := range methods {
			t.Run(method+" after "+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &server{outcomes: []outcome{c.outcome, {status: 200}}}
					_, err := send(t.Context(), t, pipeline(s), method)
					want := 1
					if strings.Contains(" "+c.again+" ", " "+method+" ") {
						want = 2
						if err != nil {
							t.Errorf("it ended with %v", err)
						}
					}
					if len(s.bodies) != want {
						t.Errorf("sent %d times, want %d", len(s.bodies), want)
					}
					for _, b := range s.bodies {
						if method != "GET" && b != "the body" {
							t.Errorf("sent with body %q", b)
						}
					}
				})
			})
		}
	}
}

func TestACallIsGivenUpAfterFiveTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{outcomes: []outcome{{status: 503}}}
		resp, err := send(t.Context(), t, pipeline(s), "GET")
		if err != nil || resp.StatusCode != 503 || len(s.bodies) != 5 {
			t.Errorf("%d tries, %v", len(s.bodies), err)
		}
		for i := 1; i < len(s.at); i++ {
			base := time.Second << (i - 1)
			if d := s.at[i].Sub(s.at[i-1]); d < base/2 || d >= base+base/4 {
				t.Errorf("pause %d is %s", i, d)
			}
		}
	})
}

func TestAServiceIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	for _, c := range []struct {
		header map[string]string
		want   time.Duration // 0: our own pause
		gives  bool          // up
	}{
		{map[string]string{"Retry-After": "7"}, 7 * time.Second, false},
		{map[string]string{"Retry-After": "7.5"}, 7500 * time.Millisecond, false},
		{map[string]string{"retry-after-ms": "9000", "Retry-After": "30"}, 9 * time.Second, false},
		{map[string]string{"x-ms-retry-after-ms": "8000"}, 8 * time.Second, false},
		{map[string]string{"Retry-After": "Sat, 01 Jan 2000 00:00:12 GMT", "Date": "Sat, 01 Jan 2000 00:00:00 GMT"}, 12 * time.Second, false},
		{map[string]string{"Retry-After": "Sat, 01 Jan 2000 00:00:12 GMT"}, 0, false},
		{map[string]string{"Retry-After": "soon"}, 0, false},
		{map[string]string{"Retry-After": "-4"}, 0, false},
		{map[string]string{"Retry-After": "60"}, time.Minute, false},
		{map[string]string{"Retry-After": "61"}, 0, true},
		{map[string]string{"Retry-After": "1e300"}, 0, false},
		{nil, 0, false},
	} {
		t.Run(fmt.Sprint(c.header), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{outcomes: []outcome{{status: 429, header: c.header}, {status: 200}}}
				resp, err := send(t.Context(), t, pipeline(s), "PUT")
				if err != nil {
					t.Fatal(err)
				}
				if c.gives {
					if resp.StatusCode != 429 || len(s.at) != 1 {
						t.Errorf("status %d after %d tries", resp.StatusCode, len(s.at))
					}
					return
				}
				if resp.StatusCode != 200 || len(s.at) != 2 {
					t.Fatalf("status %d after %d tries", resp.StatusCode, len(s.at))
				}
				low, high := c.want, c.want+c.want/4+2*time.Millisecond
				if c.want == 0 {
					low, high = 500*time.Millisecond, time.Second
				}
				if d := s.at[1].Sub(s.at[0]); d < low || d > high {
					t.Errorf("left alone for %s, want %s to %s", d, low, high)
				}
			})
		})
	}
}

func TestAWordOfPatienceOnASuccessHoldsEveryCallToThatHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{outcomes: []outcome{{status: 200, header: map[string]string{"Retry-After": "10"}}, {status: 200}}}
		pl := pipeline(s)
		for range 3 {
			if _, err := send(t.Context(), t, pl, "GET"); err != nil {
				t.Fatal(err)
			}
		}
		if d := s.at[1].Sub(s.at[0]); d < 10*time.Second || d > 13*time.Second {
			t.Errorf("the second call came after %s", d)
		}
		if d := s.at[2].Sub(s.at[1]); d > time.Second {
			t.Errorf("the third call came after another %s", d)
		}
	})
}

func TestAWaitEndsWhenTheCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		s := &server{outcomes: []outcome{{status: 429, header: map[string]string{"Retry-After": "50"}}}}
		start := time.Now()
		if _, err := send(ctx, t, pipeline(s), "GET"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if d := time.Since(start); d != 3*time.Second || len(s.at) != 1 {
			t.Errorf("after %s and %d tries", d, len(s.at))
		}
	})
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	for _, outcomes := range [][]outcome{{{status: 401}, {status: 200}}, {{status: 401}}} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{outcomes: outcomes}
			o := NewClient(s, nil).Options(cloud.AzurePublic)
			cred := &counter{}
			o.PerCallPolicies[0] = &retry{cred: cred}
			pl := runtime.NewPipeline("test", "1", runtime.PipelineOptions{}, &o)
			resp, err := send(t.Context(), t, pl, "PUT")
			if err != nil || resp.StatusCode != outcomes[len(outcomes)-1].status || cred.n != 1 || len(s.at) != 2 {
				t.Errorf("%v: %d renewals, %d tries", err, cred.n, len(s.at))
			}
		})
	}
}

type counter struct{ n int }

func (c *counter) Invalidate() { c.n++ }

// endless is an answer of any length that is made as it is read.
type endless struct{ read, n int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.read >= e.n {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.n-e.read)
	for i := range p[:n] {
		p[i] = ' '
	}
	e.read += n
	return int(n), nil
}

func TestAnAnswerOfAHundredMegabytesIsRefusedUnread(t *testing.T) {
	body := &endless{n: 100 << 20}
	s := &server{outcomes: []outcome{{status: 200, body: body}}}
	resp, err := NewClient(s, nil).Do(request(t, "GET"))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := Decode(resp, &v); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if body.read > maxBody+64<<10 {
		t.Errorf("%d bytes of it were read", body.read)
	}
	exact := &endless{n: maxBody}
	resp, err = NewClient(&server{outcomes: []outcome{{status: 200, body: exact}}}, nil).Do(request(t, "GET"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) != maxBody {
		t.Errorf("the longest honest answer: %d bytes, %v", len(b), err)
	}
}

func TestTheTransportOfAnSDKIsBoundedToo(t *testing.T) {
	body := &endless{n: 100 << 20}
	s := &server{outcomes: []outcome{{status: 200, body: body}}}
	_, err := send(t.Context(), t, pipeline(s), "PUT")
	if driver.KindOf(Failure("write", true, nil, err)) != driver.Ambiguous || body.read > maxBody+64<<10 {
		t.Errorf("%v after %d bytes", err, body.read)
	}
}

func request(t *testing.T, method string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://host.example/path?secret=query", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	return r
}

func TestALoggedCallHasNoQueryAndNoHeader(t *testing.T) {
	for _, o := range []outcome{{status: 200}, {err: &net.OpError{Op: "read", Err: errors.New("secret in an error")}}} {
		var log strings.Builder
		c := NewClient(&server{outcomes: []outcome{o}}, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		_, _ = c.Do(request(t, "GET"))
		if !strings.Contains(log.String(), "path=/path") || strings.Contains(log.String(), "secret") {
			t.Errorf("%s", log.String())
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := &server{outcomes: []outcome{{status: status, header: map[string]string{"Location": "https://host.example/_signin"}}}}
		resp, err := send(t.Context(), t, pipeline(s), "GET")
		if err != nil || resp.StatusCode != status || len(s.at) != 1 {
			t.Errorf("%s: %v after %d calls", strconv.Itoa(status), err, len(s.at))
		}
	}
}
