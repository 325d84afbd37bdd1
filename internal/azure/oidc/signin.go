package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/secret"
)

// SignIn is a person's sign-in that is wanted for its ID token alone. MSAL sets no nonce, so this is the flow itself:
// authorization code with PKCE, answered on loopback by the form that the identity platform's page sends.
type SignIn struct {
	At       string // the tenant's address at the identity platform, with /v2.0
	ClientID string // a public client application, with the redirect URI http://localhost
	Nonce    string
	// Open opens an address in the person's browser.
	Open func(address string) error
}

// signInFor is how long a person may take.
const signInFor = 15 * time.Minute

const signInOp = "sign a person in"

// SignIn waits for a person to sign in, and gives their ID token, unverified.
func (c *Client) SignIn(ctx context.Context, s SignIn) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, signInFor)
	defer cancel()
	c.mu.Lock()
	at, err := c.discover(ctx, s.At)
	c.mu.Unlock()
	if err != nil {
		return "", err
	}
	if at.authorize == "" || at.token == "" {
		return "", unfit(signInOp, "the identity platform does not say where")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", &driver.Error{Kind: driver.Unavailable, Op: signInOp, Detail: "nothing can listen on this machine for the browser's answer"}
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	redirect := "http://localhost:" + port
	state, verifier := text(), text()
	challenge := sha256.Sum256([]byte(verifier))
	back := receive(listener, state)
	defer back.stop()

	q := url.Values{"client_id": {s.ClientID}, "response_type": {"code"}, "response_mode": {"form_post"}, "redirect_uri": {redirect}, "scope": {"openid profile"},
		"state": {state}, "nonce": {s.Nonce}, "prompt": {"select_account"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
	if err := s.Open(at.authorize + "?" + q.Encode()); err != nil {
		return "", err
	}
	var code string
	select {
	case got := <-back.got:
		if got.err != nil {
			return "", got.err
		}
		code = got.code
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", &driver.Error{Kind: driver.Denied, Op: signInOp, Detail: "nobody signed in within " + signInFor.String()}
		}
		return "", &driver.Error{Kind: driver.Unavailable, Op: signInOp, Detail: "interrupted"}
	}
	return c.redeem(ctx, at.token, url.Values{"grant_type": {"authorization_code"}, "client_id": {s.ClientID}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}, "scope": {"openid profile"}})
}

// redeem turns a code into an ID token. What else comes with it is wanted by nobody.
func (c *Client) redeem(ctx context.Context, address string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", unfit(signInOp, "the identity platform names no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.http.Do(req)
	if err != nil {
		return "", azhttp.Failure(signInOp, false, nil, err)
	}
	var body struct {
		IDToken secret.Value `json:"id_token"`
		Codes   []int        `json:"error_codes"`
	}
	err = azhttp.Decode(resp, &body)
	switch {
	case resp.StatusCode != http.StatusOK:
		e := &driver.Error{Kind: driver.Denied, Op: signInOp, Detail: "the identity platform refused the sign-in"}
		if err == nil && len(body.Codes) > 0 {
			explain(e, strconv.Itoa(body.Codes[0]))
		}
		return "", e
	case err != nil:
		return "", unfit(signInOp, err.Error())
	case body.IDToken.Empty():
		return "", unfit(signInOp, "the answer holds no ID token")
	}
	var out string
	_ = body.IDToken.Use(func(b []byte) error { out = string(b); return nil })
	return out, nil
}

func explain(e *driver.Error, number string) {
	e.Code = "AADSTS" + number
	e.Hint = "look the code up at https://login.microsoftonline.com/error?code=" + number
}

// text is a random text that is safe in an address.
func text() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// answer is what the browser brought.
type answer struct {
	code string
	err  error
}

// receiver listens for one answer on loopback.
type receiver struct {
	got    chan answer
	server *http.Server
	done   chan struct{}
}

// receive answers the browser, and hands on the first answer that knows the state. Others may be anybody's on this machine.
func receive(l net.Listener, state string) *receiver {
	r := &receiver{got: make(chan answer, 1), done: make(chan struct{})}
	r.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		q.Body = http.MaxBytesReader(w, q.Body, 64<<10)
		if q.Method != http.MethodPost || q.ParseForm() != nil || subtle.ConstantTimeCompare([]byte(q.PostForm.Get("state")), []byte(state)) != 1 {
			http.Error(w, "This address waits for one sign-in, and this is not it.", http.StatusBadRequest)
			return
		}
		a := read(q.PostForm)
		page := "You are signed in. Go back to the terminal; this window can be closed."
		if a.err != nil {
			page = "The sign-in failed. Go back to the terminal; this window can be closed."
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(page))
		select {
		case r.got <- a:
		default: // a second one
		}
	})}
	go func() {
		defer close(r.done)
		_ = r.server.Serve(l)
	}()
	return r
}

// stop lets an answer that is being written leave, and then closes.
func (r *receiver) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if r.server.Shutdown(ctx) != nil {
		_ = r.server.Close()
	}
	<-r.done
}

var aadsts = regexp.MustCompile(`AADSTS(\d{1,9})`)

func read(form url.Values) answer {
	if code := form.Get("code"); code != "" && form.Get("error") == "" {
		return answer{code: code}
	}
	e := &driver.Error{Kind: driver.Denied, Op: signInOp, Detail: "the identity platform refused the sign-in, or the person declined"}
	if m := aadsts.FindStringSubmatch(form.Get("error_description")); m != nil {
		explain(e, m[1])
	}
	return answer{err: e}
}
