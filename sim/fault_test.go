package sim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

func arrange(t *testing.T, s *Server, fs ...Fault) {
	t.Helper()
	if err := s.SetFaults(fs...); err != nil {
		t.Fatal(err)
	}
}

// wantCut checks that the answer did not come, and how often the service has handled anything.
func wantCut(t *testing.T, err error, p *probe, handled int64) {
	t.Helper()
	if err == nil {
		t.Error("the answer came")
	}
	if n := p.handled.Load(); n != handled {
		t.Errorf("handled %d times; want %d", n, handled)
	}
}

func TestEachFaultDoesWhatItsNameSays(t *testing.T) {
	ways(t, func(t *testing.T, s *Server, p *probe, c *http.Client) {
		t.Run("lost: handled, and the answer does not come", func(t *testing.T) {
			p.handled.Store(0)
			arrange(t, s, Fault{Service: "keyvault", Operation: "SetSecret", Nth: 1, Do: DoLost})
			_, _, err := put(c, "v")
			wantCut(t, err, p, 1)
			if got := s.Requests(); got[len(got)-1].Fault != "lost" || got[len(got)-1].Status != 200 {
				t.Errorf("logged as %+v", got[len(got)-1])
			}
			if _, _, err := put(c, "v"); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
		t.Run("cut: not handled, and no answer", func(t *testing.T) {
			p.handled.Store(0)
			arrange(t, s, Fault{Operation: "SetSecret", Nth: 1, Do: DoCut})
			_, _, err := put(c, "v")
			wantCut(t, err, p, 0)
			if got := s.Requests(); got[len(got)-1].Fault != "cut" || got[len(got)-1].Status != 0 {
				t.Errorf("logged as %+v", got[len(got)-1])
			}
		})
		t.Run("late: handled after the client has gone", func(t *testing.T) {
			p.handled.Store(0)
			answered := make(chan bool)
			defer s.OnAnswer(func(_, _ string, status int) { answered <- status == 200 })()
			arrange(t, s, Fault{Nth: 1, Do: DoLate, Delay: world.Duration(50 * time.Millisecond)})
			if _, _, err := put(c, "v"); err == nil {
				t.Error("the answer came")
			}
			if !<-answered || p.handled.Load() != 1 {
				t.Error("it was not handled later")
			}
		})
		t.Run("answer: status, headers and body instead", func(t *testing.T) {
			p.handled.Store(0)
			arrange(t, s, Fault{Nth: 1, Do: DoAnswer, Status: 503, Body: `{"a":1}`, Headers: map[string]string{"X-A": "b"}})
			resp, body, err := put(c, "v")
			if err != nil || resp.StatusCode != 503 || body != `{"a":1}` || resp.Header.Get("X-A") != "b" ||
				!strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") || p.handled.Load() != 0 {
				t.Errorf("%v %q %v, handled %d", resp, body, err, p.handled.Load())
			}
		})
		t.Run("throttle: the service's own 429, with Retry-After only if given", func(t *testing.T) {
			p.handled.Store(0)
			arrange(t, s, Fault{Nth: 1, Do: DoThrottle}, Fault{Nth: 2, Do: DoThrottle, RetryAfter: "7"})
			for _, want := range []string{"", "7"} {
				resp, body, err := put(c, "v")
				if err != nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") != want || !strings.Contains(body, "VaultRequestTypeLimitReached") {
					t.Errorf("%v %q %v", resp, body, err)
				}
			}
			if p.handled.Load() != 0 {
				t.Error("a throttled request was handled")
			}
		})
		t.Run("signin: a page that calls itself a success", func(t *testing.T) {
			p.handled.Store(0)
			arrange(t, s, Fault{Nth: 1, Do: DoSignIn})
			resp, body, err := put(c, "v")
			if err != nil || resp.StatusCode != 203 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") ||
				!strings.Contains(body, "<title>Azure DevOps Services | Sign In</title>") || p.handled.Load() != 0 {
				t.Errorf("%v %q %v", resp, body, err)
			}
		})
		t.Run("truncate: handled, and half of the body comes", func(t *testing.T) {
			p.handled.Store(0)
			arrange(t, s, Fault{Nth: 1, Do: DoTruncate})
			resp, body, err := put(c, "v")
			if resp == nil {
				t.Fatal(err)
			}
			if err == nil || resp.StatusCode != 200 || int64(len(body)) != resp.ContentLength/2 || p.handled.Load() != 1 {
				t.Errorf("status %d, %d of %d bytes, error %v", resp.StatusCode, len(body), resp.ContentLength, err)
			}
		})
		t.Run("malform: handled, and a 200 with broken JSON comes", func(t *testing.T) {
			p.handled.Store(0)
			arrange(t, s, Fault{Nth: 1, Do: DoMalform})
			resp, body, err := put(c, "v")
			if err != nil || resp.StatusCode != 200 || body != `{"value":[{"id":"` || p.handled.Load() != 1 {
				t.Errorf("%v %q %v", resp, body, err)
			}
		})
		t.Run("delay: handled after a while", func(t *testing.T) {
			p.handled.Store(0)
			arrange(t, s, Fault{Nth: 1, Do: DoDelay, Delay: world.Duration(time.Millisecond)})
			if resp, _, err := put(c, "v"); err != nil || resp.StatusCode != 200 || p.handled.Load() != 1 {
				t.Errorf("%v %v", resp, err)
			}
		})
		t.Run("delay: not handled when the client has gone", func(t *testing.T) {
			p.handled.Store(0)
			s.ResetRequests()
			arrange(t, s, Fault{Nth: 1, Do: DoDelay, Delay: world.Duration(time.Hour)})
			ctx, cancel := context.WithCancel(context.Background())
			defer s.OnRequest(func(_, _ string, _ *http.Request) { cancel() })()
			req, err := http.NewRequestWithContext(ctx, "PUT", probeURL, strings.NewReader("v"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Do(req); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			for len(s.Requests()) == 0 {
				runtime.Gosched()
			}
			if call := s.Requests()[0]; call.Status != 0 || call.Fault != "delay" || p.handled.Load() != 0 {
				t.Errorf("logged as %+v, handled %d", call, p.handled.Load())
			}
		})
	})
}

func TestACutLooksLikeAReset(t *testing.T) {
	s, _ := newServer(t)
	e := start(t, s, ListenConfig{})
	for name, c := range map[string]*http.Client{"in memory": {Transport: s.Transport()}, "on a socket": client(t, e, false)} {
		arrange(t, s, Fault{Do: DoCut})
		if _, _, err := put(c, "v"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v; want a reset", name, err)
		}
	}
}

func TestFaultsCountTheirOwnMatches(t *testing.T) {
	for name, c := range map[string]struct {
		faults []Fault
		want   string // one letter a request: s struck by status, . not
	}{
		"without nth every match is struck":      {[]Fault{{Service: "keyvault"}}, "sssss"},
		"the service is matched":                 {[]Fault{{Service: "entra"}}, "....."},
		"the operation is matched in any case":   {[]Fault{{Operation: "setsecret"}}, "sssss"},
		"another operation is left alone":        {[]Fault{{Operation: "GetSecret"}}, "....."},
		"nth 1 is the next":                      {[]Fault{{Nth: 1}}, "s...."},
		"nth 3 is the third":                     {[]Fault{{Nth: 3}}, "..s.."},
		"nth 2 times 3":                          {[]Fault{{Nth: 2, Times: 3}}, ".sss."},
		"times 2 without nth":                    {[]Fault{{Times: 2}}, "ss..."},
		"two faults each count":                  {[]Fault{{Nth: 1}, {Nth: 3}}, "s.s.."},
		"the first that is due strikes for both": {[]Fault{{Nth: 2}, {Nth: 2, Times: 2}}, ".ss.."},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newServer(t)
			for i := range c.faults {
				c.faults[i].Do, c.faults[i].Status = DoAnswer, 500
			}
			arrange(t, s, c.faults...)
			got := ""
			for range 5 {
				resp, _, err := put(&http.Client{Transport: s.Transport()}, "")
				if err != nil {
					t.Fatal(err)
				}
				got += map[int]string{200: ".", 500: "s"}[resp.StatusCode]
			}
			if got != c.want {
				t.Errorf("struck %s; want %s", got, c.want)
			}
		})
	}
}

func TestAFaultThatMakesNoSenseIsRefused(t *testing.T) {
	for in, want := range map[string]string{
		`{"do":"explode"}`:                `unknown do "explode": one of lost, late`,
		`{}`:                              `unknown do ""`,
		`{"do":"lost","servise":"entra"}`: "unknown member servise",
		`[{"do":"lost"},{"do":"lost","x":{"y":1}}]`:   "unknown member [1].x",
		`{"do":"lost","service":"keyvalt"}`:           `unknown service "keyvalt": one of`,
		`{"do":"answer"}`:                             "needs a status",
		`{"do":"answer","status":99}`:                 "needs a status",
		`{"do":"lost","status":500}`:                  "status belongs to do answer",
		`{"do":"lost","body":"x"}`:                    "body belongs to do answer",
		`{"do":"cut","delay":"1s"}`:                   "delay belongs to do late and delay",
		`{"do":"delay","delay":"-1s"}`:                "delay is not negative",
		`{"do":"delay","delay":3}`:                    "a duration is a string",
		`{"do":"throttle","retryAfter":"soon"}`:       "retryAfter",
		`{"do":"answer","status":500,"retryAfter":3}`: "retryAfter belongs to do throttle",
		`{"do":"lost","nth":-1}`:                      "not negative",
		`[{"do":"cut"},{"do":"nothing"}]`:             "fault 1",
		`"lost"`:                                      "faults",
		``:                                            "there is no JSON",
		`{"do":"lost"} {"do":"lost"}`:                 "something after",
	} {
		if _, err := ParseFaults([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v; want one with %q", in, err, want)
		}
	}
	fs, err := ParseFaults([]byte(`[{"service":"entra","do":"throttle","retryAfter":3},{"do":"answer","status":500,"body":{"error":"x"}},{"do":"answer","status":500,"body":"plain"}]`))
	if err != nil || len(fs) != 3 || fs[0].RetryAfter != "3" || fs[1].Body != `{"error":"x"}` || fs[2].Body != "plain" {
		t.Errorf("%+v, %v", fs, err)
	}
}

func TestEveryServiceHasItsOwnThrottledBody(t *testing.T) {
	s, _ := newServer(t)
	arrange(t, s, Fault{Do: DoThrottle, RetryAfter: "30s"})
	for u, want := range map[string]string{
		"https://kv.vault.azure.net/secrets":             `"Throttled"`,
		"https://dev.azure.com/contoso/_apis/projects":   "TF400733: ",
		"https://login.microsoftonline.com/common/x":     "AADSTS90055: ",
		"https://management.azure.com/subscriptions":     `"TooManyRequests"`,
		"https://graph.microsoft.com/v1.0/me":            `"TooManyRequests"`,
		"http://localhost" + IdentityPath:                `"statusCode":429`,
		"https://auditservice.dev.azure.com/contoso/log": `"TooManyRequests"`,
	} {
		resp, body := get(t, &http.Client{Transport: s.Transport()}, u)
		if resp.StatusCode != 429 || !strings.Contains(body, want) || resp.Header.Get("Retry-After") != "30" {
			t.Errorf("%s: %d %s, Retry-After %q", u, resp.StatusCode, body, resp.Header.Get("Retry-After"))
		}
	}
}

func TestInABubbleWaitsTakeNoRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newServer(t)
		c := &http.Client{Transport: s.Transport()}
		arrange(t, s, Fault{Nth: 1, Do: DoLate, Delay: world.Duration(2 * time.Hour)}, Fault{Nth: 2, Do: DoDelay, Delay: world.Duration(time.Hour)})
		if _, _, err := put(c, "late"); err == nil {
			t.Error("the answer came")
		}
		began := time.Now()
		if _, _, err := put(c, "delayed"); err != nil || time.Since(began) != time.Hour || p.handled.Load() != 1 {
			t.Errorf("%v after %v, handled %d", err, time.Since(began), p.handled.Load())
		}
		<-time.After(61 * time.Minute)
		synctest.Wait()
		if p.handled.Load() != 2 {
			t.Errorf("handled %d; the late one is due by now", p.handled.Load())
		}
		calls := s.Requests()
		if len(calls) != 2 || calls[0].Fault != "delay" || calls[1].Fault != "late" || calls[1].Time.Sub(calls[0].Time) != time.Hour {
			t.Errorf("log %+v", calls)
		}

		// A client that gives up while the service works does not stop the service.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		release := make(chan bool)
		defer s.OnRequest(func(string, string, *http.Request) { <-release })()
		req, err := http.NewRequestWithContext(ctx, "PUT", probeURL, strings.NewReader("v"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		close(release)
		synctest.Wait()
		if p.handled.Load() != 3 {
			t.Errorf("handled %d; the abandoned one should have been", p.handled.Load())
		}
	})
}

func TestATruncatedBodyInMemoryEndsUnexpectedly(t *testing.T) {
	s, _ := newServer(t)
	arrange(t, s, Fault{Do: DoTruncate})
	if _, _, err := put(&http.Client{Transport: s.Transport()}, "v"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
}

func TestAFaultForOneAgentLeavesOtherClientsAlone(t *testing.T) {
	s, p := newServer(t)
	c := &http.Client{Transport: s.Transport()}
	arrange(t, s, Fault{Agent: "rekey", Nth: 1, Do: DoCut})
	send := func(agent string) error {
		req, err := http.NewRequest(http.MethodPut, probeURL, strings.NewReader("v"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", agent)
		resp, err := c.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := send("somebody-else/1"); err != nil {
		t.Errorf("another client is hit: %v", err)
	}
	if err := send("azsdk rekey/1"); err == nil {
		t.Error("the agent that the fault names is not hit")
	}
	if p.handled.Load() != 1 {
		t.Errorf("handled %d", p.handled.Load())
	}
}
