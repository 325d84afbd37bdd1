package explore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
)

// process is one run of the product: its way to Azure, its ledger, and what is to happen to it at which point.
type process struct {
	run  *run
	id   int
	plan map[int]outcome // by the number of the point, from 0

	ctx  context.Context
	kill context.CancelFunc

	mu     sync.Mutex
	dead   bool
	clock  clock
	points []point
	struck []step          // what of the plan came about
	down   map[string]bool // hosts with an outage
	kept   bytes.Buffer    // the ledger
	logged bytes.Buffer
}

var (
	errDied = errors.New("the process has died")
	errDisk = errors.New("no space left on device")
)

// reached notes a point and says what is to happen at it.
func (p *process) reached(label string, write bool) (outcome, error) {
	p.run.turn(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return "", errDied
	}
	n := len(p.points)
	p.points = append(p.points, point{label, write})
	o := p.plan[n]
	if o != "" {
		p.struck = append(p.struck, step{n, label, o})
	}
	if o == crashBefore {
		p.die()
		return "", errDied
	}
	return o, nil
}

// die ends the process: nothing that it still does has an effect, and all that it waits for ends.
func (p *process) die() {
	p.dead = true
	p.kill()
}

func (p *process) diesNow() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.die()
	return errDied
}

func connectionReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// RoundTrip implements http.RoundTripper.
func (p *process) RoundTrip(req *http.Request) (*http.Response, error) {
	req, err := p.run.asPerson(req)
	if err != nil {
		return nil, err
	}
	label := invariant.Operation(req)
	write := invariant.Writes(req.Method, label)
	o, err := p.reached(label, write)
	if err != nil {
		return nil, err
	}
	host, asked := req.URL.Host, time.Now()
	p.mu.Lock()
	down := p.down[host]
	if o == outage {
		p.down[host] = true
	}
	p.mu.Unlock()
	if down && o == "" {
		o = unavailable
	}
	switch o {
	case unavailable, outage:
		return answer(req, 503, "text/plain", "The service is unavailable.", nil), nil
	case throttled:
		return answer(req, 429, "text/plain", "", http.Header{"Retry-After": {"3"}}), nil
	case signIn:
		return answer(req, 203, "text/html; charset=utf-8", "<html><title>Sign In</title></html>", nil), nil
	case cut:
		return nil, connectionReset()
	case late, muchLater:
		after := lateBy
		if o == muchLater {
			after = muchLaterBy
		}
		p.run.leaveBehind(p, req, after)
		return nil, connectionReset()
	case suspendBefore:
		p.suspend()
	}
	call, resp, err := p.run.rec.Send(p.id, asked, req)
	if err != nil {
		return nil, err
	}
	p.run.judge(write)
	if o == lost || o == crashAfter || o == truncated || o == malformed {
		p.run.rec.With(func(*invariant.History) { call.Heard = false })
	}
	switch o {
	case lost:
		return nil, connectionReset()
	case crashAfter:
		return nil, p.diesNow()
	case suspendAfter:
		p.suspend()
	case overtaken:
		p.run.overtake(p)
	case malformed:
		return answer(req, 200, "application/json", `{"value":[{"id":"`, nil), nil
	case truncated:
		b, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b[:len(b)/2]), brokenOff{}))
	}
	return resp, nil
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// pause lets time go by.
func pause(d time.Duration) { <-time.After(d) }

// suspend is a machine that sleeps for longer than the sweep window. Others go on meanwhile.
func (p *process) suspend() {
	p.run.turns.leave(p.id - 1)
	pause(suspendFor)
	p.slept()
	p.run.turns.comeBack(p.id - 1)
}

// slept has the process's clock know of a suspension that has ended.
func (p *process) slept() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock.slept += suspendFor
}

func (p *process) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock.now()
}

func answer(req *http.Request, status int, contentType, body string, h http.Header) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", contentType)
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}

// Append implements ledger.Log.
func (p *process) Append(e ledger.Entry) error {
	o, err := p.reached("ledger "+e.Effect+" "+string(e.Phase), true)
	if err != nil {
		return err
	}
	if o == refused {
		p.run.rec.Add(invariant.Event{Process: p.id, Entry: &invariant.Entry{Entry: e, Refused: true}})
		return errDisk
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	p.kept.Write(append(b, '\n'))
	p.run.rec.Add(invariant.Event{Process: p.id, Entry: &invariant.Entry{Entry: e, Refused: o == unsynced}})
	switch o {
	case unsynced:
		return errDisk
	case crashAfter:
		return p.diesNow()
	case suspendAfter:
		p.suspend()
	case overtaken:
		p.run.overtake(p)
	}
	return nil
}

// goOn runs the product once, to its end or its death.
func (p *process) goOn(set func(*engine.Credential)) []engine.Result {
	log := slog.New(slog.NewTextHandler(&p.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := app.New(app.Config{
		Manifest: p.run.manifest, Transport: p, Log: log,
		Getenv: func(name string) string {
			return map[string]string{"REKEY_CLIENT_SECRET": secretRekey, "BROKER_CLIENT_SECRET": secretBroker}[name]
		},
	})
	if err != nil {
		panic(err)
	}
	creds, err := a.Credentials()
	if err != nil {
		panic(err)
	}
	for i := range creds {
		if set != nil {
			set(&creds[i])
		}
	}
	e := engine.New(engine.Config{
		Ledger: p, Log: log, MaxWait: 5 * time.Minute, Parallel: 1, Interval: p.run.manifest.Schedule,
		Random: p.run.random, Now: p.now, Rights: a.Rights(),
		// What a record says of the ledger is another thing in every world. canonical does not read it, so that no world is
		// new by it; and what a run would do by it would make two worlds of one name go on differently.
		Witness: func() (int64, string, error) { return int64(1 + p.kept.Len()), root(p.kept.Bytes()), nil },
	})
	return e.Run(p.ctx, creds)
}

// root stands for that of the ledger's tree.
func root(kept []byte) string {
	sum := sha256.Sum256(kept)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
