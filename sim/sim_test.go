package sim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
)

// probe is a service that counts what it handled and answers with the count.
type probe struct {
	handled atomic.Int64
	panics  bool
}

func (*probe) Name() string { return "keyvault" }

func (*probe) Operation(r *http.Request) string {
	if r.Method == http.MethodPut {
		return "SetSecret"
	}
	return "GetSecret"
}

func (p *probe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.panics {
		panic("at the disco")
	}
	b, _ := io.ReadAll(r.Body)
	wire.CallFrom(r.Context()).Principal = "someone"
	w.Header().Set("Host-Seen", r.Host)
	wire.JSON(w, http.StatusOK, "", map[string]any{"handled": p.handled.Add(1), "got": string(b), "padding": strings.Repeat("p", 20000)})
}

const probeURL = "https://kv-pat-prod.vault.azure.net/secrets/x?api-version=7.4"

// newServer is a server whose vaults are a probe.
func newServer(t testing.TB) (*Server, *probe) {
	t.Helper()
	s, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	p := &probe{}
	s.services["keyvault"] = p
	return s, p
}

func start(t testing.TB, s *Server, cfg ListenConfig) *Endpoints {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e, err := s.Listen(ctx, cfg)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		e.Wait()
	})
	return e
}

func trust(t testing.TB, e *Endpoints) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(e.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("ca.pem holds no certificate")
	}
	return &tls.Config{RootCAs: pool}
}

// client goes through the proxy, over HTTP/1.1 or HTTP/2.
func client(t testing.TB, e *Endpoints, http2 bool) *http.Client {
	t.Helper()
	proxy, err := url.Parse(e.Proxy)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: trust(t, e), Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!http2)
	tr.Protocols.SetHTTP2(http2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// ways are all the ways a request can come.
func ways(t *testing.T, f func(t *testing.T, s *Server, p *probe, c *http.Client)) {
	t.Helper()
	for _, way := range []string{"in memory", "HTTP/1.1 through the proxy", "HTTP/2 through the proxy", "absolute form"} {
		t.Run(way, func(t *testing.T) {
			s, p := newServer(t)
			if way == "in memory" {
				f(t, s, p, &http.Client{Transport: s.Transport()})
				return
			}
			e := start(t, s, ListenConfig{})
			c := client(t, e, way == "HTTP/2 through the proxy")
			if way == "absolute form" {
				c.Transport = plain{c.Transport}
			}
			f(t, s, p, c)
		})
	}
}

// plain asks for http:// what it is asked for as https://.
type plain struct{ http.RoundTripper }

func (p plain) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return p.RoundTripper.RoundTrip(r)
}

// put sends a body that no client repeats by itself.
func put(c *http.Client, body string) (*http.Response, string, error) {
	req, err := http.NewRequest(http.MethodPut, probeURL, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.GetBody = nil
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func get(t testing.TB, c *http.Client, u string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestARequestIsAnsweredAndLoggedWhateverWayItCame(t *testing.T) {
	ways(t, func(t *testing.T, s *Server, p *probe, c *http.Client) {
		resp, body, err := put(c, "the body")
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Handled int
			Got     string
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.Got != "the body" || got.Handled != 1 {
			t.Errorf("answer %.60q, %v", body, err)
		}
		if resp.StatusCode != 200 || resp.ContentLength != int64(len(body)) || resp.Header.Get("Host-Seen") != "kv-pat-prod.vault.azure.net" {
			t.Errorf("status %d, length %d, host %q", resp.StatusCode, resp.ContentLength, resp.Header.Get("Host-Seen"))
		}
		calls := s.Requests()
		if len(calls) != 1 {
			t.Fatalf("the log has %d entries: %+v", len(calls), calls)
		}
		calls[0].Time = time.Time{}
		want := wire.Call{
			Method: "PUT", Host: "kv-pat-prod.vault.azure.net", Path: "/secrets/x", Query: "api-version=7.4",
			Status: 200, Principal: "someone", Service: "keyvault", Operation: "SetSecret",
		}
		if calls[0] != want {
			t.Errorf("log %+v; want %+v", calls[0], want)
		}
	})
}

func TestTheDateIsTheWorldsAlsoOnErrors(t *testing.T) {
	ways(t, func(t *testing.T, s *Server, p *probe, c *http.Client) {
		s.World().Advance(400 * 24 * time.Hour)
		if err := s.SetFaults(Fault{Do: DoAnswer, Status: 500, Nth: 2}); err != nil {
			t.Fatal(err)
		}
		for _, u := range []string{probeURL, probeURL, "https://graph.microsoft.com/v1.0/me"} {
			resp, _ := get(t, c, u)
			date, err := http.ParseTime(resp.Header.Get("Date"))
			if ahead := time.Until(date); err != nil || ahead < 399*24*time.Hour || ahead > 401*24*time.Hour {
				t.Errorf("%s: status %d, Date %q; want 400 days from now", u, resp.StatusCode, resp.Header.Get("Date"))
			}
			if d := resp.Header.Values("Date"); len(d) != 1 {
				t.Errorf("Date is there %d times", len(d))
			}
		}
	})
}

func TestAHostThatIsKnownAndNotBuiltSaysSo(t *testing.T) {
	ways(t, func(t *testing.T, s *Server, p *probe, c *http.Client) {
		for _, host := range []string{
			"auditservice.dev.azure.com", "prod-00.westeurope.logic.azure.com",
			"0a.webhook.we.azure-automation.net", "api.github.com",
		} {
			resp, body := get(t, c, "https://"+host+"/")
			want := fmt.Sprintf(`{"error":{"code":"NotImplemented","message":"rekey sim: %s is known but not simulated yet"}}`, host)
			if resp.StatusCode != 501 || body != want {
				t.Errorf("%s: %d %s", host, resp.StatusCode, body)
			}
		}
	})
}

func TestAnyOtherHostIsRefusedWithAClearMessage(t *testing.T) {
	ways(t, func(t *testing.T, s *Server, p *probe, c *http.Client) {
		_, viaPlain := c.Transport.(plain)
		for _, host := range []string{"example.com", "169.254.169.254", "vault.azure.net", "a.b.vault.azure.net", "dev.azure.com.example.com"} {
			resp, err := c.Get("https://" + host + "/")
			if viaPlain {
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 403 || string(b) != "rekey sim: no such host in the simulated Azure: "+host+"\n" {
					t.Errorf("%s: %d %s", host, resp.StatusCode, b)
				}
				continue
			}
			if err == nil {
				resp.Body.Close()
				t.Errorf("%s: answered %d", host, resp.StatusCode)
			} else if !strings.Contains(err.Error(), "rekey sim: no such host in the simulated Azure: "+host) {
				t.Errorf("%s: %v", host, err)
			}
		}
		for _, call := range s.Requests() {
			if call.Service != "proxy" || call.Status != 403 {
				t.Errorf("logged as %+v", call)
			}
		}
		if n := len(s.Requests()); n != 5 {
			t.Errorf("the log has %d entries", n)
		}
	})
}

func TestSecretsDoNotReachTheRequestLog(t *testing.T) {
	ways(t, func(t *testing.T, s *Server, p *probe, c *http.Client) {
		const secret = "hunter2-hunter2"
		req, err := http.NewRequest("GET", "https://kv.vault.azure.net/secrets/x?api%2Dversion=7.4&code="+secret+"&client%5Fsecret="+secret+
			"&Password="+secret+"&refresh_token="+secret+"&assertion="+secret+"&token="+secret+"&state=kept&odd=xREKEYCANARYx", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		b, err := json.Marshal(s.Requests())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), secret) || strings.Contains(string(b), "CANARY") {
			t.Errorf("the log holds a secret: %s", b)
		}
		if got := s.Requests()[0].Query; got != "api%2Dversion=7.4&state=kept" {
			t.Errorf("query %q", got)
		}
	})
}

func TestAServiceThatPanicsAnswers500(t *testing.T) {
	s, p := newServer(t)
	p.panics = true
	resp, body := get(t, &http.Client{Transport: s.Transport()}, probeURL)
	if resp.StatusCode != 500 || strings.Contains(body, "disco") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestHooksSeeTheRequestBeforeAndTheAnswerAfterItWasHandled(t *testing.T) {
	ways(t, func(t *testing.T, s *Server, p *probe, c *http.Client) {
		var seen []string
		off := s.OnRequest(func(service, operation string, r *http.Request) {
			seen = append(seen, fmt.Sprintf("%s %s before=%d", service, operation, p.handled.Load()))
		})
		s.OnAnswer(func(service, operation string, status int) {
			seen = append(seen, fmt.Sprintf("%s %s %d after=%d logged=%d", service, operation, status, p.handled.Load(), len(s.Requests())))
		})
		if _, _, err := put(c, ""); err != nil {
			t.Fatal(err)
		}
		off()
		if _, _, err := put(c, ""); err != nil {
			t.Fatal(err)
		}
		want := []string{"keyvault SetSecret before=0", "keyvault SetSecret 200 after=1 logged=1", "keyvault SetSecret 200 after=2 logged=2"}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("hooks saw %q; want %q", seen, want)
		}
	})
}
