package explore

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// reader is a consumer that reads the secret over HTTP and uses everything that it read within its cache, to keep the oracle honest.
type reader struct {
	srv  *sim.Server
	mu   sync.Mutex
	key  string
	held map[string]time.Time // value, and when it was last read
	gaps []string

	token string
	until time.Time
}

func watch(srv *sim.Server) *reader {
	c := &reader{srv: srv, held: map[string]time.Time{}}
	w := srv.World()
	w.Lock()
	defer w.Unlock()
	for _, a := range w.Apps {
		if a.Name == "consumer" {
			c.key = a.ClientSecret
		}
	}
	return c
}

// poll is one look.
func (c *reader) poll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if value := c.read(now); value != "" {
		c.held[value] = now
	}
	for value, at := range c.held {
		if now.Sub(at) >= promise.Cache {
			delete(c.held, value)
		} else if !c.works(value) {
			c.gaps = append(c.gaps, fmt.Sprintf("at %s what was read at %s does not work", now.Format(time.TimeOnly), at.Format(time.TimeOnly)))
		}
	}
}

func (c *reader) read(now time.Time) string {
	if !now.Before(c.until) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"fd81fa33-1d2b-404a-944f-c154958dbe92"}, "client_secret": {c.key}, "scope": {"https://vault.azure.net/.default"}}
		var out struct {
			Token string `json:"access_token"`
		}
		c.send(http.MethodPost, "https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", "", form.Encode(), &out)
		c.token, c.until = out.Token, now.Add(50*time.Minute)
	}
	var out struct {
		Value string `json:"value"`
	}
	c.send(http.MethodGet, "https://"+prodHost+"/secrets/"+secretName+"?api-version=7.4", "Bearer "+c.token, "", &out)
	return out.Value
}

func (c *reader) works(value string) bool {
	var out struct {
		User struct {
			ID string `json:"id"`
		} `json:"authenticatedUser"`
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(":"+value))
	return c.send(http.MethodGet, "https://dev.azure.com/contoso/_apis/connectionData?api-version=7.1-preview", basic, "", &out) == 200 && out.User.ID != "" && out.User.ID != "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
}

func (c *reader) send(method, addr, authorization, body string, out any) int {
	req, err := http.NewRequest(method, addr, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.srv.Transport().RoundTrip(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if resp.StatusCode == 200 {
		_ = json.NewDecoder(resp.Body).Decode(out)
	}
	return resp.StatusCode
}

// vandal is somebody who does harm that nobody is excused for, so that there is a gap to see.
func vandal(name string, do func(*world.State, time.Time)) script {
	return script{name: name, act: func(s *world.State, now time.Time) map[string]string {
		do(s, now)
		return nil
	}}
}

func TestTheOracleSaysWhatARealConsumerSees(t *testing.T) {
	t.Parallel()
	due := steadily(t, origin(), undisturbed, script{until: 4*day + time.Minute})
	overlap := steadily(t, due, undisturbed)
	revoke := func(which int) func(*world.State, time.Time) {
		return func(s *world.State, now time.Time) {
			value := secret(s).Versions[len(secret(s).Versions)-1-which].Value
			for _, p := range s.Organizations[0].PATs {
				if p.Token == value {
					p.Revoked = now
				}
			}
		}
	}
	wait := func(d time.Duration) script { return script{until: d} }
	var disturbed []script
	for _, p := range []map[int]outcome{{14: lost}, {18: lost}, {18: suspendBefore}, {14: crashAfter}} {
		disturbed = append(disturbed, script{plans: []map[int]outcome{p}})
	}
	for name, c := range map[string]struct {
		from    *node
		scripts []script
		gap     bool
	}{
		"a first issue":              {origin(), []script{undisturbed, wait(time.Hour)}, false},
		"a life":                     {overlap, []script{wait(25 * time.Hour), undisturbed, wait(2 * time.Hour), undisturbed}, false},
		"disturbed issues":           {origin(), append(disturbed, wait(2*time.Hour), undisturbed, undisturbed), false},
		"the current token revoked":  {overlap, []script{wait(2 * time.Hour), vandal("", revoke(0)), wait(10 * time.Minute)}, true},
		"the old token revoked soon": {due, []script{wait(10 * time.Minute), undisturbed, wait(20 * time.Minute), vandal("", revoke(1)), wait(20 * time.Minute)}, true},
		"the old token revoked late": {due, []script{wait(10 * time.Minute), undisturbed, wait(2 * time.Hour), vandal("", revoke(1)), wait(20 * time.Minute)}, false},
		"a dead value published": {overlap, []script{wait(2 * time.Hour), vandal("", func(s *world.State, now time.Time) {
			revoke(1)(s, now)
			v := secret(s).Versions[len(secret(s).Versions)-2]
			write(s, now, v.Value, v.Tags)
		}), wait(20 * time.Minute)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var held map[string]time.Time
			seen, said := 0, 0
			at := c.from
			for _, s := range c.scripts {
				s.watched = func(c *reader) func() {
					if held != nil {
						c.held = held
					}
					return func() { held, seen = c.held, seen+len(c.gaps) }
				}
				e := play(t, at, s)
				for _, v := range e.violations {
					if v.Invariant != invariant.Gap.Name {
						t.Errorf("%v", v)
					} else {
						said++
					}
				}
				at = e.next
			}
			if (seen > 0) != c.gap || (said > 0) != c.gap {
				t.Errorf("the consumer sees %d failures and the oracle says %d, where a gap is %t", seen, said, c.gap)
			}
		})
	}
}

// steadily plays scripts in which nothing may go wrong.
func steadily(t *testing.T, n *node, scripts ...script) *node {
	t.Helper()
	for _, s := range scripts {
		e := play(t, n, s)
		if len(e.violations) > 0 {
			t.Fatalf("%v", e.violations)
		}
		n = e.next
	}
	return n
}
