package sim

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestBothVersionsOfHTTPAreSpokenInTheTunnel(t *testing.T) {
	s, _ := newServer(t)
	e := start(t, s, ListenConfig{})
	for major, http2 := range map[int]bool{1: false, 2: true} {
		if resp, _ := get(t, client(t, e, http2), probeURL); resp.ProtoMajor != major {
			t.Errorf("HTTP/%d was spoken; want %d", resp.ProtoMajor, major)
		}
	}
}

// dial sends text to the proxy and returns the answer's head and body.
func dial(t *testing.T, e *Endpoints, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(e.Proxy, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestACONNECTToAnotherHostIsRefusedByName(t *testing.T) {
	s, _ := newServer(t)
	s.World().Advance(1000 * time.Hour)
	e := start(t, s, ListenConfig{})
	for _, target := range []string{"example.com:443", "169.254.169.254:80", "127.0.0.1:22"} {
		resp, body := dial(t, e, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
		host, _, _ := strings.Cut(target, ":")
		if resp.StatusCode != 403 || strings.TrimSpace(body) != "rekey sim: no such host in the simulated Azure: "+host {
			t.Errorf("%s: %d %q", target, resp.StatusCode, body)
		}
		if d, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Until(d) < 999*time.Hour {
			t.Errorf("Date %q is not the world's", resp.Header.Get("Date"))
		}
	}
	for _, call := range s.Requests() {
		if call.Service != "proxy" || call.Status != 403 || call.Method != "CONNECT" {
			t.Errorf("logged as %+v", call)
		}
	}
	if len(s.Requests()) != 3 {
		t.Errorf("the log has %d entries", len(s.Requests()))
	}
}

func TestTheProxysOwnAddressSaysWhatItIs(t *testing.T) {
	s, _ := newServer(t)
	e := start(t, s, ListenConfig{})
	addr := strings.TrimPrefix(e.Proxy, "http://")
	resp, body := dial(t, e, "GET / HTTP/1.1\r\nHost: "+addr+"\r\n\r\n")
	if resp.StatusCode != 400 || !strings.Contains(body, "HTTPS_PROXY") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestPlainHTTPIsServedInATunnelToo(t *testing.T) {
	s, _ := newServer(t)
	e := start(t, s, ListenConfig{})
	c, err := net.Dial("tcp", strings.TrimPrefix(e.Proxy, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The request comes in the same packet as the CONNECT, as some clients send it.
	if _, err := io.WriteString(c, "CONNECT kv.vault.azure.net:80 HTTP/1.1\r\nHost: kv.vault.azure.net:80\r\n\r\nGET /secrets/x HTTP/1.1\r\nHost: kv.vault.azure.net\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for _, want := range []int{200, 200} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != want {
			t.Fatalf("%v %v", resp, err)
		}
	}
	if got := s.Requests(); len(got) != 1 || got[0].Path != "/secrets/x" {
		t.Errorf("log %+v", got)
	}
}

func TestTheSameHostsAreServedByServerName(t *testing.T) {
	s, _ := newServer(t)
	e := start(t, s, ListenConfig{TLS: "127.0.0.1:0"})
	tr := &http.Transport{
		TLSClientConfig:   trust(t, e),
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, e.TLS)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr}
	if resp, _ := get(t, c, probeURL); resp.StatusCode != 200 || resp.ProtoMajor != 2 {
		t.Errorf("%d over HTTP/%d", resp.StatusCode, resp.ProtoMajor)
	}
	resp, body := get(t, c, "https://example.com/")
	if resp.StatusCode != 403 || body != "rekey sim: no such host in the simulated Azure: example.com\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	// A client that connects by number has a certificate for the number.
	conn, err := tls.Dial("tcp", e.TLS, trust(t, e))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestTheCertificateAuthorityOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	run := func() (ca []byte, c *http.Client, stop func()) {
		s, err := New(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		s.services["keyvault"] = &probe{}
		ctx, cancel := context.WithCancel(context.Background())
		e, err := s.Listen(ctx, ListenConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if ca, err = os.ReadFile(e.CA); err != nil {
			t.Fatal(err)
		}
		return ca, client(t, e, false), func() { cancel(); e.Wait() }
	}
	before, _, stop := run()
	stop()
	after, c, stop := run()
	defer stop()
	if !bytes.Equal(before, after) {
		t.Error("the restart made another authority")
	}
	get(t, c, probeURL)

	if runtime.GOOS != "windows" {
		for _, name := range []string{caKeyFile, envFile} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v; want mode 0600", name, info.Mode(), err)
			}
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 3 {
		t.Errorf("the directory holds %v, %v; want ca.pem, ca-key.pem and env alone", left, err)
	}
}

func TestADamagedAuthoritySaysWhatToDo(t *testing.T) {
	s, _ := newServer(t)
	for _, name := range []string{caFile, caKeyFile} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Listen(t.Context(), ListenConfig{}); err == nil || !strings.Contains(err.Error(), "for a new one") {
		t.Errorf("error %v", err)
	}
}

func TestTheControlPortIsOnlyForThisMachine(t *testing.T) {
	s, _ := newServer(t)
	if _, err := s.Listen(t.Context(), ListenConfig{Control: "0.0.0.0:0"}); err == nil || !strings.Contains(err.Error(), "not loopback") {
		t.Errorf("error %v", err)
	}
}

func TestTheEnvFileIsReadByAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh on this machine")
	}
	s, _ := newServer(t)
	s.dir = filepath.Join(s.dir, "it's a dir")
	e := start(t, s, ListenConfig{})
	names := []string{
		"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
		"NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "SIM_TENANT_ID", "SIM_SUBSCRIPTION_ID",
		"SIM_ORG", "SIM_PROJECT", "SIM_VAULT", "SIM_SA_USERNAME", "SIM_SA_PASSWORD", "SIM_CLIENT_ID", "SIM_CLIENT_SECRET", "SIM_CONTROL",
	}
	script := `. "$1"; for n in ` + strings.Join(names, " ") + `; do printenv $n; done`
	cmd := exec.Command(sh, "-eu", "-c", script, "sh", e.Env)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=elsewhere"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w := s.World()
	ca := e.CA
	want := []string{
		e.Proxy, e.Proxy, e.Proxy, e.Proxy, "127.0.0.1,localhost,::1", "127.0.0.1,localhost,::1", ca, ca, ca, ca,
		e.Control + "/msi/token", w.ManagedIdentities[0].Secret, w.Tenants[0].ID, w.Subscriptions[0].ID, "contoso", "platform", "kv-pat-prod",
		"svc-devops-pat@contoso.onmicrosoft.com", w.Users[0].Password, w.Apps[1].ClientID, w.Apps[1].ClientSecret, e.Control,
	}
	if got := strings.TrimSuffix(string(out), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the shell has\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if !filepath.IsAbs(e.CA) || !filepath.IsAbs(e.Env) {
		t.Errorf("not absolute: %s, %s", e.CA, e.Env)
	}
}

// counting counts the writes of the connections that it accepts.
type counting struct {
	net.Listener
	writes *atomic.Int64
}

func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: countingConn{c, l.writes}}, nil
}

type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func TestAnAnswerLeavesInOneWrite(t *testing.T) {
	s, _ := newServer(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var writes atomic.Int64
	ca, err := newAuthority(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(s.ServeAzure), ConnContext: withConn}
	go server.Serve(tls.NewListener(counting{inner, &writes}, ca.config()))
	t.Cleanup(func() { server.Close() })

	c, err := tls.Dial("tcp", inner.Addr().String(), trust(t, &Endpoints{CA: filepath.Join(s.dir, caFile)}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for i := range 3 {
		before := writes.Load()
		if _, err := io.WriteString(c, "GET /secrets/x HTTP/1.1\r\nHost: kv.vault.azure.net\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n < 20000 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		if n := writes.Load() - before; i > 0 && n != 1 {
			t.Errorf("%d writes for one answer", n)
		}
	}
}

func BenchmarkTunnel(b *testing.B) {
	s, _ := newServer(b)
	e := start(b, s, ListenConfig{})
	for name, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		b.Run(name, func(b *testing.B) {
			c := client(b, e, http2)
			get(b, c, probeURL)
			for b.Loop() {
				get(b, c, probeURL)
			}
		})
	}
}

func BenchmarkInMemory(b *testing.B) {
	s, _ := newServer(b)
	c := &http.Client{Transport: s.Transport()}
	for b.Loop() {
		get(b, c, probeURL)
	}
}
