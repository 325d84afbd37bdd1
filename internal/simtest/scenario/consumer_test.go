package scenario

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// cacheFor is how long a consumer goes on using what it read.
const cacheFor = time.Hour

// consumer stands for everything that uses the secret. At any instant some consumer has just read it, and another uses
// what it read up to an hour ago: so each value that was read within the hour must work.
type consumer struct {
	b    *bed
	http *http.Client
	id   string
	key  string

	mu      sync.Mutex // one probe at a time
	token   string
	until   time.Time
	held    map[string]time.Time // value -> last read
	serving bool                 // the secret was there once
	probes  int
	gaps    []gap
	excuse  []excuse

	nudge chan struct{}
	quit  chan struct{}
	done  chan struct{}
}

// gap is a moment at which a consumer could not work.
type gap struct {
	at  time.Time
	why string
}

type excuse struct {
	from, to time.Time
	why      string
}

func watch(b *bed) *consumer {
	c := &consumer{
		b: b, http: &http.Client{Transport: b.sim.Transport()}, held: map[string]time.Time{},
		nudge: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	b.world(func(w *world.World) {
		for _, a := range w.Apps {
			if a.Name == "consumer" {
				c.id, c.key = a.ClientID, a.ClientSecret
			}
		}
	})
	// Beside the clock, a probe follows each change at once, before even the product hears of it.
	remove := b.sim.OnAnswer(func(_, operation string, _ int) {
		switch operation {
		case "CreatePat", "UpdatePat", "RevokePat", "SetSecret", "UpdateSecret", "AddPassword", "RemovePassword", "AddKey", "RemoveKey", "UpdateApplication":
			c.probe("after " + operation)
		}
	})
	go func() {
		defer close(c.done)
		defer remove()
		for {
			t := time.NewTimer(c.interval())
			select {
			case <-t.C:
				c.probe("")
			case <-c.nudge:
			case <-c.quit:
				t.Stop()
				return
			}
			t.Stop()
		}
	}()
	return c
}

// interval is a few seconds around runs, and long where nothing can change anything but the clock.
func (c *consumer) interval() time.Duration {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if since := time.Since(c.b.lastRun); c.b.running > 0 || since < 20*time.Second {
		if c.b.running > 0 && since > 10*time.Minute { // it waits for something
			return 2 * time.Minute
		}
		return 5 * time.Second
	}
	return 30 * time.Minute
}

// wake makes the consumer look often again.
func (c *consumer) wake() {
	select {
	case c.nudge <- struct{}{}:
	default:
	}
}

func (c *consumer) stop() {
	close(c.quit)
	<-c.done
}

// excused lets gaps pass for as long as f runs: f is a person's doing, or the service's own outage.
func (c *consumer) excused(why string, f func()) {
	from := time.Now()
	f()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.excuse = append(c.excuse, excuse{from, time.Now(), why})
}

// unexcused are the gaps that are nobody's fault but the product's.
func (c *consumer) unexcused() (out []gap) {
	c.mu.Lock()
	defer c.mu.Unlock()
next:
	for _, g := range c.gaps {
		for _, e := range c.excuse {
			if !g.at.Before(e.from) && !g.at.After(e.to) {
				continue next
			}
		}
		out = append(out, g)
	}
	return out
}

// probe reads the secret and uses every value that somebody may hold.
func (c *consumer) probe(when string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	missed := func(format string, args ...any) {
		why := fmt.Sprintf(format, args...)
		if when != "" {
			why += " (" + when + ")"
		}
		c.gaps = append(c.gaps, gap{now, why})
	}
	c.probes++
	value, err := c.read()
	switch {
	case err == nil:
		c.serving = true
		c.held[value] = now
	case c.serving:
		missed("cannot read the secret: %v", err)
	}
	for value, read := range c.held {
		age := now.Sub(read)
		if age >= cacheFor {
			delete(c.held, value)
			continue
		}
		if err := c.use(value); err != nil {
			missed("cannot use what it read %s ago: %v", age, err)
		}
	}
}

// seen is how often it probed, and every gap, excused or not.
func (c *consumer) seen() (probes int, gaps []gap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probes, slices.Clone(c.gaps)
}

// works probes once more and gives what is wrong, "" for nothing.
func (c *consumer) works() string {
	_, before := c.seen()
	c.probe("at the end")
	if _, after := c.seen(); len(after) > len(before) {
		return after[len(after)-1].why
	}
	return ""
}

// signOut has it sign in anew.
func (c *consumer) signOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Time{}
}

// forget has every consumer read anew: what a person did to the old value is not held against anybody.
func (c *consumer) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.held)
}

func (c *consumer) read() (string, error) {
	if !time.Now().Before(c.until) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id}, "client_secret": {c.key}, "scope": {"https://vault.azure.net/.default"}}
		var out struct {
			Token   string `json:"access_token"`
			Expires int    `json:"expires_in"`
		}
		req, _ := http.NewRequest(http.MethodPost, "https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := c.send(req, &out); err != nil {
			return "", err
		}
		c.token, c.until = out.Token, time.Now().Add(time.Duration(out.Expires)*time.Second-time.Minute)
	}
	req, _ := http.NewRequest(http.MethodGet, "https://"+prodHost+"/secrets/"+secretName+"?api-version=7.4", nil)
	req.Header.Set("Authorization", "Bearer "+c.token)
	var out struct {
		Value string `json:"value"`
	}
	err := c.send(req, &out)
	return out.Value, err
}

// use signs in to Azure DevOps, as git or curl would; or as the application whose client secret it is.
func (c *consumer) use(value string) error {
	if c.b.manifest.certificate {
		return c.signsIn(value)
	}
	if c.b.manifest.made != "" {
		return c.readable(value)
	}
	if c.b.manifest.secret {
		return c.signIn(value)
	}
	req, _ := http.NewRequest(http.MethodGet, "https://dev.azure.com/contoso/_apis/connectionData?api-version=7.1-preview", nil)
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(":"+value)))
	var out struct {
		User struct {
			ID string `json:"id"`
		} `json:"authenticatedUser"`
	}
	if err := c.send(req, &out); err != nil {
		return err
	}
	if out.User.ID == "" || out.User.ID == "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa" {
		return fmt.Errorf("it is taken for anonymous")
	}
	return nil
}

func (c *consumer) send(req *http.Request, out any) error {
	req.Header.Set("User-Agent", "consumer")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: no answer", req.Method, req.URL.Host)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d", req.Method, req.URL.Host, resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
