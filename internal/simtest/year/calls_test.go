package year

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
)

// RoundTrip implements http.RoundTripper: the process's way to Azure, with all that happens on it.
func (p *process) RoundTrip(req *http.Request) (*http.Response, error) {
	if p.isDead() {
		return nil, errDied
	}
	host := req.URL.Host
	latency := time.Millisecond + time.Duration(p.rng.Int64N(int64(p.slow)))
	if err := p.lane.untilOr(req.Context(), p.quiet.from(host).Add(latency)); err != nil {
		return nil, err
	}
	c, about := p.describe(req)
	if about.life != nil && (c.Write || c.Operation == invariant.KindOf(c.Operation).Probe || c.Consumer != "") && !p.calm {
		p.y.people.halfway(p, about.life)
	}
	var o outcome
	var rule *bad
	if !p.calm {
		if rule = p.y.weather.at(host); rule != nil {
			o = rule.what
		}
		if o == "" {
			o = p.chance(c.Operation, c.Write)
		}
	}
	if o != "" {
		p.harm(string(o), about.life)
	}
	resp, err := p.meet(o, req, c, about)
	if rule != nil && rule.skew != 0 && resp != nil {
		p.harm("wrong date", about.life)
		p.misled = true
		resp.Header.Set("Date", time.Now().Add(rule.skew).UTC().Format(http.TimeFormat))
	}
	var asked time.Duration
	if resp != nil {
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
			asked = time.Duration(n) * time.Second
		}
	}
	if o != "" || err != nil || asked > 0 || resp.StatusCode == 408 || resp.StatusCode == 429 || resp.StatusCode >= 500 {
		p.quiet.after(host, asked)
	}
	return resp, err
}

// subject is what a call is about: one credential, or the list of several.
type subject struct {
	life  *life
	lives []*life
	read  time.Time // when the process last read the secret
}

// meet has a request meet its fate.
func (p *process) meet(o outcome, req *http.Request, c *invariant.Call, about subject) (*http.Response, error) {
	retryAfter := strconv.Itoa(1 + p.rng.IntN(120))
	switch o {
	case unavailable:
		p.passed(c, about, o)
		return answer(req, 503, "text/plain", "The service is unavailable.", ""), nil
	case busy:
		p.passed(c, about, o)
		return answer(req, 503, "text/plain", "The service is busy.", retryAfter), nil
	case throttled:
		p.passed(c, about, o)
		return answer(req, 429, "text/plain", "", retryAfter), nil
	case throttledBare:
		p.passed(c, about, o)
		return answer(req, 429, "text/plain", "", ""), nil
	case signIn:
		p.passed(c, about, o)
		return answer(req, 203, "text/html; charset=utf-8", "<html><title>Sign In</title></html>", ""), nil
	case proxyPage:
		p.passed(c, about, o)
		return answer(req, 200, "text/html", "<html>The proxy wants you to accept its terms.</html>", ""), nil
	case noConnection:
		p.passed(c, about, o)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case cut:
		p.passed(c, about, o)
		return nil, connectionReset()
	case late:
		p.leaveBehind(req, c, about)
		return nil, connectionReset()
	case crashBefore:
		p.passed(c, about, o)
		return nil, p.die()
	case suspendedBefore:
		p.sleep()
		req = req.WithContext(context.WithoutCancel(req.Context())) // its timers stood still meanwhile
		asked := c.Asked
		c, about = p.describe(req) // and the world has changed
		c.Asked = asked
	}
	heard := o != lost && o != crashAfter && o != truncated && o != malformed
	resp, err := p.handle(req, c, about, o, heard)
	if err != nil {
		return nil, err
	}
	switch o {
	case lost:
		return nil, connectionReset()
	case crashAfter:
		return nil, p.die()
	case suspended:
		p.sleep()
	case malformed:
		return answer(req, 200, "application/json", `{"value":[{"id":"`, ""), nil
	case truncated:
		b, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b[:len(b)/2]), brokenOff{}))
	case slowDown:
		resp.Header.Set("Retry-After", retryAfter)
	}
	return resp, nil
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func connectionReset() error { return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET} }

func answer(req *http.Request, status int, contentType, body, retryAfter string) *http.Response {
	h := http.Header{"Content-Type": {contentType}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	if retryAfter != "" {
		h.Set("Retry-After", retryAfter)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}

// handle has Azure handle a request, notes it and judges it.
func (p *process) handle(req *http.Request, c *invariant.Call, about subject, o outcome, heard bool) (*http.Response, error) {
	y := p.y
	w := y.srv.World()
	var before string
	var to time.Time
	if about.life != nil {
		w.Lock()
		y.mu.Lock()
		before = digest(about.life.secret())
		if t := about.life.byID(c.Token); t != nil {
			to = t.ValidTo
		}
		y.mu.Unlock()
		w.Unlock()
	}
	resp, err := y.srv.Transport().RoundTrip(req)
	w.Lock()
	y.mu.Lock()
	c.At = w.Now()
	if resp != nil {
		c.Status = resp.StatusCode
	}
	c.Heard = heard && err == nil
	y.book.index(&w.State)
	if l := about.life; l != nil {
		s := l.secret()
		c.Changed = digest(s) != before
		if v := l.newest(); v != nil {
			c.Version = v.ID
			if r, err := rotation.ParseRecord(v.Tags[rotation.RecordTag]); err == nil {
				c.Recorded, c.Record = true, &r
			}
		}
		if c.Operation == invariant.KindOf(c.Operation).Create && c.Applied() {
			for _, t := range l.tokens() {
				if t.Name == c.Name {
					c.Token = t.AuthorizationID // the last one: the service may have made it twice
				}
			}
		}
	}
	y.crossed(p, c, about, o)
	if l := about.life; l != nil && (c.Consumer != "" || c.Operation == "GetSecret" && l.holdsMarks()) {
		l.history.Note(w, c.At)
		l.history.See(c)
	}
	if l := about.life; c.Operation == "UpdatePat" && l != nil && c.Applied() {
		// Azure DevOps cuts what is extended to the longest life of its policy, counted from the token's creation: under
		// a policy that is younger than the token an extension shortens it, at worst into the past. Nobody can know before.
		if t := l.byID(c.Token); t != nil && t.ValidTo.Before(to) {
			l.history.Excused[c.Token] = "shortened by a policy that is younger"
			y.stats.shortened++
		}
	}
	y.noted(p, c, about, o)
	y.mu.Unlock()
	w.Unlock()
	if about.life != nil && c.Write {
		promise := p.promise(about.life)
		if c.Before != nil {
			promise.Credential = p.y.nameOf(about.life, c, promise.Credential)
		}
		y.judge(about.life, promise)
	}
	return resp, err
}

// holdsMarks says whether the secret's own tags say what some consumer was told.
func (l *life) holdsMarks() bool {
	return slices.ContainsFunc(l.promise().Consumers, func(c consumer.One) bool { return consumer.Of(c.Kind).MarksSecret })
}

// crossed sees to what nobody can promise: Key Vault has no compare-and-swap. A tag that a person sets between a run's
// look at the secret and its write is lost; and a PUT of a machine that slept at that very instant publishes what
// others have swept meanwhile. Both are counted. A request that was left behind was made of what its process had read
// when it was sent, whatever it read since. The year is locked.
func (y *year) crossed(p *process, c *invariant.Call, about subject, o outcome) {
	l := about.life
	if l == nil || !c.Applied() || c.Consumer != "" {
		return
	}
	if c.Operation == "GetSecret" {
		if !c.Late {
			p.read[l] = c.At
		}
		return
	}
	if c.Operation != "SetSecret" && c.Operation != "UpdateSecret" {
		return
	}
	if !l.tagged.IsZero() && !l.tagged.Before(about.read) {
		l.tagged = time.Time{}
		delete(l.history.Foreign.Tags, l.promise().Target.String())
		y.stats.crossed++
	}
	if o == suspendedBefore && c.Operation == "SetSecret" {
		l.history.Excused[c.Version] = "published by a machine that had slept"
		y.stats.holes++
	}
}

// noted keeps a call that was handled. The year is locked.
func (y *year) noted(p *process, c *invariant.Call, about subject, o outcome) {
	y.stats.calls++
	e := invariant.Event{Process: p.id, Call: c}
	switch {
	case about.life != nil:
		about.life.history.Events = append(about.life.history.Events, e)
		p.touched[about.life] = true
	default:
		for _, l := range about.lives {
			l.history.Events = append(l.history.Events, e)
			p.touched[l] = true
		}
	}
	if c.Operation == "SetSecret" && c.Applied() && about.life != nil && c.Consumer == "" {
		y.stats.rotations++
	}
	if c.Operation == "SetSecret" && about.life == nil && time.Now().After(y.calmFrom) {
		y.stats.seals++
	}
	y.event(about.life, "%d %s %s%s %d %s%s", p.id, c.Operation, c.Target, c.Name, c.Status, c.Token, mark(o))
}

func mark(o outcome) string {
	if o == "" {
		return ""
	}
	return " (" + string(o) + ")"
}

// passed keeps a call that was not handled.
func (p *process) passed(c *invariant.Call, about subject, o outcome) {
	p.y.mu.Lock()
	defer p.y.mu.Unlock()
	p.y.stats.calls++
	p.y.event(about.life, "%d %s %s%s - %s%s", p.id, c.Operation, c.Target, c.Name, c.Token, mark(o))
}

// leaveBehind has a request handled when its process has given up on it, and perhaps has ended.
func (p *process) leaveBehind(req *http.Request, c *invariant.Call, about subject) {
	y := p.y
	// Within the sweep window, counted from an issue that may have been ten minutes ago.
	due := time.Now().Add(between(p.rng, 2*time.Second, min(25*time.Minute, y.fleet.window-11*time.Minute)))
	again := req.Clone(context.Background())
	again.Body = io.NopCloser(bytes.NewReader(bodyOf(req)))
	y.mu.Lock()
	gaveUp := *c
	gaveUp.Late, gaveUp.At = true, time.Now()
	if about.life != nil {
		about.life.history.Events = append(about.life.history.Events, invariant.Event{Process: p.id, Call: &gaveUp})
		p.touched[about.life] = true
	}
	p.late++
	y.lates++
	l := lateFirst.nth(y.lates)
	y.event(about.life, "%d gives up on %s %s%s %s", p.id, c.Operation, c.Target, c.Name, c.Token)
	y.mu.Unlock()
	y.pending.Go(func() {
		l.until(due)
		d, _ := p.describe(again)
		d.Late, d.Asked = true, c.Asked
		_, _ = p.handle(again, d, about, late, false)
		y.mu.Lock()
		p.late--
		p.drop()
		y.mu.Unlock()
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
func (p *process) describe(req *http.Request) (*invariant.Call, subject) {
	y := p.y
	c := &invariant.Call{Operation: invariant.Operation(req), Asked: time.Now()}
	c.Write = invariant.Writes(req.Method, c.Operation)
	about := subject{}
	var in struct {
		Value           string `json:"value"`
		AuthorizationID string `json:"authorizationId"`
	}
	body := bodyOf(req)
	if c.Write {
		_ = json.Unmarshal(body, &in)
	}
	k := invariant.KindOf(c.Operation)
	id, name, value := k.About(c.Operation, req, body)
	w := y.srv.World()
	w.Lock()
	defer w.Unlock()
	y.mu.Lock()
	defer y.mu.Unlock()
	b := y.book
	b.index(&w.State)
	if strings.HasSuffix(req.URL.Host, ".vault.azure.net") {
		if parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/"); len(parts) > 1 {
			c.Target = req.URL.Host + "/" + parts[1]
			about.life = b.byTarget[c.Target]
		}
	}
	if c.Consumer = b.toldAt(req); c.Consumer != "" {
		about.life = b.byTold[c.Consumer]
	}
	switch c.Operation {
	case k.Revoke:
		c.Token = id
		if about.life = b.byToken[c.Token]; about.life != nil {
			promise := p.ed.promises[about.life.n]
			c.Target = promise.Target.String()
			promise.Credential = y.nameOf(about.life, c, promise.Credential)
			y.look(about.life, promise)
			c.Before = invariant.SceneOf(&about.life.state, promise, w.Now())
		}
	case k.Extend:
		c.Token = in.AuthorizationID
		about.life = b.byToken[c.Token]
	case k.Create:
		c.Name = name
		if s, ok := rotation.ParseStamp(c.Name); ok {
			for _, l := range b.byHash[s.Hash] {
				if l.names[s.Credential] {
					about.life = l
				}
			}
		}
	case "SetSecret":
		c.Token = b.byValue[in.Value]
	case k.Probe:
		c.Token = b.byValue[value]
		about.life = b.byToken[c.Token]
	case "GetApplication":
		about.lives = b.listed(req.URL.Path)
	case "ListPats":
		_, raw, _ := strings.Cut(req.Header.Get("Authorization"), "Bearer ")
		if t, ok := w.TokenOf(raw); ok {
			if i, ok := y.accountOf[t.ObjectID]; ok {
				about.lives = y.byAccount[i]
			}
		}
	}
	about.read = p.read[about.life]
	return c, about
}

// toldAt is the fleet's consumer that a request is about, "" for none.
func (b *book) toldAt(req *http.Request) string {
	for _, k := range consumer.Kinds {
		if at := k.About(req); b.byTold[at] != nil {
			return at
		}
	}
	return ""
}

// nameOf is the name that a credential had when a token of it was made: it may have been renamed since.
func (y *year) nameOf(l *life, c *invariant.Call, now rotation.CredentialID) rotation.CredentialID {
	for _, t := range l.tokens() {
		if s, ok := rotation.ParseStamp(t.Name); ok && t.AuthorizationID == c.Token && l.names[s.Credential] {
			return s.Credential
		}
	}
	return now
}
