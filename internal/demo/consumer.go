package demo

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// cacheFor is how long the consumer goes on using a token before it reads the vault again, by the world's clock.
const cacheFor = time.Hour

// consumer is somebody who uses the token and has no help from Rekey: it signs in as an application of its own, reads
// the secret, keeps what it read for an hour, and calls Azure DevOps with it.
type consumer struct {
	http *http.Client
	env  map[string]string

	mu     sync.Mutex // held for one use
	token  string     // its own, for the vault
	value  string
	readAt time.Time // by the vault's clock
	now    time.Time // the last date that a service told
	uses   int
	gaps   int
	values map[[32]byte]bool
	last   error

	cancel context.CancelFunc
	ended  chan struct{}
}

func newConsumer(proxy, caFile string, env map[string]string) (*consumer, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	addr, err := url.Parse(proxy)
	if err != nil {
		return nil, err
	}
	return &consumer{env: env, values: map[[32]byte]bool{}, ended: make(chan struct{}), cancel: func() {}, http: &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyURL(addr), TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// start uses the token once and goes on using it until stop.
func (c *consumer) start(ctx context.Context) error {
	ctx, c.cancel = context.WithCancel(ctx)
	if c.use(ctx); c.last != nil {
		close(c.ended)
		return fmt.Errorf("the consumer cannot use the token: %w", c.last)
	}
	go func() {
		defer close(c.ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				c.use(ctx)
			}
		}
	}()
	return nil
}

func (c *consumer) stop() {
	c.cancel()
	<-c.ended
}

func (c *consumer) result() (uses, gaps, values int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.uses, c.gaps, len(c.values)
}

// use is one use of the token: read if what was read is too old, then call.
func (c *consumer) use(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.refresh(ctx)
	if err == nil {
		err = c.call(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	c.uses++
	if c.last = err; err != nil {
		c.gaps++
	}
}

// refresh reads the vault if the last reading is over an hour old. Each use asks a service for the time first, since
// nobody tells the consumer that the world's clock was moved.
func (c *consumer) refresh(ctx context.Context) error {
	if err := c.askTime(ctx); err != nil {
		return err
	}
	if c.value != "" && c.now.Sub(c.readAt) < cacheFor {
		return nil
	}
	for fresh := false; ; fresh = true {
		if c.token == "" || fresh {
			if err := c.signIn(ctx); err != nil {
				return err
			}
		}
		var body struct{ Value string }
		status, err := c.do(ctx, http.MethodGet, "https://"+c.env["SIM_VAULT"]+".vault.azure.net/secrets/devops-pat-token?api-version=7.4", "Bearer "+c.token, "", &body)
		if err != nil {
			return err
		}
		if status == http.StatusUnauthorized && !fresh {
			continue
		}
		if status != http.StatusOK || body.Value == "" {
			return fmt.Errorf("the vault answers %d", status)
		}
		c.value, c.readAt = body.Value, c.now
		c.values[sha256.Sum256([]byte(body.Value))] = true
		return nil
	}
}

func (c *consumer) askTime(ctx context.Context) error {
	_, err := c.do(ctx, http.MethodGet, "https://login.microsoftonline.com/"+c.env["SIM_TENANT_ID"]+"/v2.0/.well-known/openid-configuration", "", "", nil)
	return err
}

func (c *consumer) signIn(ctx context.Context) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.env["SIM_CLIENT_ID"]}, "client_secret": {c.env["SIM_CLIENT_SECRET"]}, "scope": {"https://vault.azure.net/.default"}}
	var body struct {
		Token string `json:"access_token"`
	}
	status, err := c.do(ctx, http.MethodPost, "https://login.microsoftonline.com/"+c.env["SIM_TENANT_ID"]+"/oauth2/v2.0/token", "", form.Encode(), &body)
	if err == nil && body.Token == "" {
		err = fmt.Errorf("the consumer's sign-in answers %d", status)
	}
	c.token = body.Token
	return err
}

func (c *consumer) call(ctx context.Context) error {
	var body struct {
		AuthenticatedUser struct{ ID string }
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://dev.azure.com/"+c.env["SIM_ORG"]+"/_apis/connectionData", nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth("", c.value)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer of Azure DevOps is %d", resp.StatusCode)
	}
	if json.NewDecoder(resp.Body).Decode(&body) != nil || body.AuthenticatedUser.ID == "" {
		return errors.New("the answer of Azure DevOps does not say who it is")
	}
	return nil
}

func (c *consumer) do(ctx context.Context, method, addr, authorization, form string, out any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, addr, strings.NewReader(form))
	if err != nil {
		return 0, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.now = t
	}
	if out != nil {
		_ = json.Unmarshal(b, out)
	}
	return resp.StatusCode, nil
}
