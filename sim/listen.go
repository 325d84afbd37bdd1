package sim

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
)

// ListenConfig says where a server listens.
type ListenConfig struct {
	Listen  string // the proxy; "" is 127.0.0.1:0
	Control string // control port and managed identity, loopback only; "" is 127.0.0.1:0
	TLS     string // serves the same hosts directly, by server name; "" is nowhere
}

// Endpoints is where a server listens and what it left for its clients; its JSON is the line that `rekey sim`
// prints when it is ready.
type Endpoints struct {
	Proxy   string `json:"proxy"`
	CA      string `json:"ca"`
	Env     string `json:"env"`
	Control string `json:"control"`
	TLS     string `json:"tls,omitempty"`

	done chan struct{}
}

// Wait returns when the context given to Listen has ended and everything is closed.
func (e *Endpoints) Wait() { <-e.done }

// Listen opens the sockets, writes the env file and serves until ctx ends.
func (s *Server) Listen(ctx context.Context, cfg ListenConfig) (*Endpoints, error) {
	if s.dir == "" {
		return nil, errors.New("a directory is needed for the certificate authority and the env file")
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ca, err := openAuthority(dir)
	if err != nil {
		return nil, err
	}
	l := &listeners{s: s}
	e, err := l.open(cfg, ca)
	if err != nil {
		l.close()
		return nil, err
	}
	e.CA, e.Env, e.done = filepath.Join(dir, caFile), filepath.Join(dir, envFile), make(chan struct{})
	if err := writeFile(dir, envFile, s.env(e), 0o600); err != nil {
		l.close()
		return nil, err
	}
	l.serve()
	context.AfterFunc(ctx, func() {
		l.close()
		close(e.done)
	})
	return e, nil
}

// listeners are one Listen's sockets and the HTTP servers behind them.
type listeners struct {
	s       *Server
	tls     *tls.Config
	tunnels *tunnels
	run     []func() error
	closers []func()
	serving sync.WaitGroup
}

func (l *listeners) open(cfg ListenConfig, ca *authority) (*Endpoints, error) {
	l.tls = ca.config()
	l.tunnels = newTunnels()

	control, err := listen(cfg.Control)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	if !loopback(hostOf(control.Addr().String())) {
		control.Close()
		return nil, fmt.Errorf("control: %s is not loopback, and the control port is only for this machine", cfg.Control)
	}
	l.add(&http.Server{Handler: l.s.controlHandler()}, control)

	proxy, err := listen(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	l.add(&http.Server{Handler: http.HandlerFunc(l.proxy)}, proxy)

	azure := &http.Server{Handler: http.HandlerFunc(l.s.ServeAzure), TLSConfig: l.tls}
	l.add(azure, l.tunnels)
	e := &Endpoints{Proxy: "http://" + proxy.Addr().String(), Control: "http://" + control.Addr().String()}
	if cfg.TLS != "" {
		direct, err := listen(cfg.TLS)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		l.add(azure, tls.NewListener(direct, l.tls))
		e.TLS = direct.Addr().String()
	}
	return e, nil
}

func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return corking{l}, nil
}

// add has a server serve a listener once serve is called.
func (l *listeners) add(server *http.Server, on net.Listener) {
	server.ConnContext = withConn
	server.ErrorLog = slog.NewLogLogger(l.s.log.Handler(), slog.LevelDebug)
	l.run = append(l.run, func() error { return server.Serve(on) })
	l.closers = append(l.closers, func() {
		on.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	})
}

func (l *listeners) serve() {
	for _, run := range l.run {
		l.serving.Go(func() {
			if err := run(); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				l.s.log.Error("serving", "error", err)
			}
		})
	}
}

func (l *listeners) close() {
	var all sync.WaitGroup
	for _, f := range l.closers {
		all.Go(f)
	}
	all.Wait()
	l.serving.Wait()
}

// proxy answers what arrives on the proxy's port: CONNECT, and requests with an absolute URL.
func (l *listeners) proxy(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		if !r.URL.IsAbs() && loopback(hostOf(r.Host)) {
			a := text(http.StatusBadRequest, "text/plain; charset=utf-8", "rekey sim: this is an HTTP proxy; name it in HTTPS_PROXY instead of calling it\n")
			a.finish(l.s.now().Format(http.TimeFormat))
			send(w, r, a)
			return
		}
		l.s.ServeAzure(w, r)
		return
	}
	host := hostOf(r.Host)
	if _, ok := serviceFor(host); !ok {
		x := exchange{s: l.s, call: &wire.Call{Method: r.Method, Host: host}}
		l.refuseTunnel(w, host, x.refuse())
		return
	}
	raw, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		l.s.log.Error("taking over a CONNECT", "error", err)
		return
	}
	c, ok := raw.(*conn)
	if !ok {
		raw.Close()
		return
	}
	if ahead := rw.Reader.Buffered(); ahead > 0 {
		b, _ := rw.Reader.Peek(ahead)
		c.read = append([]byte(nil), b...)
	}
	if _, err := c.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		c.Close()
		return
	}
	l.tunnel(c)
}

// refuseTunnel says no in the status line too: it is all of a refused CONNECT that most clients show.
func (l *listeners) refuseTunnel(w http.ResponseWriter, host string, a answer) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		l.s.log.Error("refusing a CONNECT", "error", err)
		return
	}
	defer c.Close()
	resp := http.Response{
		Status: strconv.Itoa(a.status) + " " + noSuchHost(host), StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Close: true,
	}
	var b bytes.Buffer
	resp.Write(&b)
	c.Write(b.Bytes())
}

// tunnel hands a connection to the server of the simulated hosts: through TLS, or as it is for the clients that
// ask for http:// with CONNECT too.
func (l *listeners) tunnel(c *conn) {
	stop := context.AfterFunc(l.tunnels.ctx, func() { c.Close() })
	defer stop()
	if len(c.read) == 0 {
		b := make([]byte, 4096)
		n, err := c.Conn.Read(b)
		if err != nil || n == 0 {
			c.Close()
			return
		}
		c.read = b[:n]
	}
	const handshake = 0x16
	if c.read[0] == handshake {
		l.tunnels.put(tls.Server(c, l.tls))
		return
	}
	l.tunnels.put(c)
}
