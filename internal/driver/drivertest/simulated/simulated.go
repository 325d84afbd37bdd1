// Package simulated gives the suites of drivertest a simulated Azure to run an adapter against: its clock, its faults,
// and somebody who signs in.
//
// It is for the tests of adapters alone, and knows none of them. What always holds: a fault is the simulator's, in the
// form in which the service itself would answer, and quotes every secret that the world holds.
package simulated

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// Refusal is a refusal in a service's own form, with a message that is JSON already. f is Unavailable, Refused or Denied.
type Refusal func(f drivertest.Fault, message string) string

// Operations are the requests that a port's methods make, each "service Operation" as the simulator's log has it.
type Operations map[string]string

// Service is the simulated Azure as a suite needs it.
func Service(s *sim.Server, operations Operations, refusal Refusal) drivertest.Service {
	w := s.World()
	var mu sync.Mutex
	sent := map[string]int{}
	s.OnRequest(func(service, operation string, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		// A vault's client sends its first call without a token and a body, to be told where to sign in.
		if service != "keyvault" || r.Header.Get("Authorization") != "" {
			sent[service+" "+operation]++
		}
	})
	secrets := func() []string {
		w.Lock()
		defer w.Unlock()
		return w.Secrets()
	}
	return drivertest.Service{
		Now:     func() time.Time { w.Lock(); defer w.Unlock(); return w.Now() },
		Advance: w.Advance,
		Secrets: secrets,
		Sent: func(method string) int {
			mu.Lock()
			defer mu.Unlock()
			return sent[operations[method]]
		},
		Fault: func(method string, f drivertest.Fault, nth, times int) {
			service, operation, ok := strings.Cut(operations[method], " ")
			if !ok {
				panic("no operation for " + method)
			}
			x := sim.Fault{Service: service, Operation: operation, Nth: nth, Times: times}
			message, _ := json.Marshal("refused: " + strings.Join(secrets(), " "))
			refuse := func(status int) {
				x.Do, x.Status, x.Body = sim.DoAnswer, status, sim.Text(refusal(f, string(message)))
			}
			switch f {
			case drivertest.Lost:
				x.Do = sim.DoLost
			case drivertest.Late:
				x.Do, x.Delay = sim.DoLate, world.Duration(10*time.Second)
			case drivertest.Hung:
				x.Do, x.Delay = sim.DoDelay, world.Duration(3*time.Hour)
			case drivertest.Cut:
				x.Do = sim.DoCut
			case drivertest.Throttled:
				if x.Do = sim.DoThrottle; service != "keyvault" { // which does not say for how long
					x.RetryAfter = "3"
				}
			case drivertest.Unavailable:
				refuse(http.StatusServiceUnavailable)
			case drivertest.Truncated:
				x.Do = sim.DoTruncate
			case drivertest.Malformed:
				x.Do = sim.DoMalform
			case drivertest.Page:
				x.Do = sim.DoSignIn
			case drivertest.Refused:
				refuse(http.StatusBadRequest)
			case drivertest.Denied:
				refuse(http.StatusForbidden)
			}
			if err := s.AddFaults(x); err != nil {
				panic(err)
			}
		},
	}
}

// Lapse lets what is late arrive. It is called in a bubble.
func Lapse() {
	<-time.After(time.Minute)
	synctest.Wait()
}

// SignIn signs an application of the world in with its secret, by its name. One that the world lacks is made, without any
// role.
type SignIn struct {
	Sim *sim.Server
	App string

	mu    sync.Mutex
	token azcore.AccessToken
	until time.Time
}

// GetToken implements azcore.TokenCredential.
func (c *SignIn) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.Sim.World()
	w.Lock()
	if w.Now().Before(c.until) && o.Claims == "" {
		w.Unlock()
		return c.token, nil
	}
	c.until = w.Now().Add(30 * time.Minute)
	i := slices.IndexFunc(w.Apps, func(a *world.App) bool { return a.Name == c.App })
	if i < 0 {
		v := w.MintClientSecret()
		w.Apps = append(w.Apps, &world.App{ID: w.NewID(), ClientID: w.NewID(), TenantID: world.TenantID, Name: c.App, ServicePrincipalID: w.NewID(), ClientSecret: v,
			Secrets: []*world.PasswordCredential{{KeyID: w.NewID(), Start: w.Now().Add(-time.Hour), End: w.Now().AddDate(1, 0, 0), Value: v}}})
		i = len(w.Apps) - 1
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {w.Apps[i].ClientID}, "client_secret": {w.Apps[i].ClientSecret}, "scope": o.Scopes}
	w.Unlock()
	token, err := Token(c.Sim, form)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	c.token = azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(time.Minute)}
	return c.token, nil
}

// Token asks the simulated Entra ID for an access token.
func Token(s *sim.Server, form url.Values) (string, error) {
	client := http.Client{Transport: s.Transport()}
	resp, err := client.PostForm("https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", form)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || body.AccessToken == "" {
		return "", errors.New("the simulator signs nobody in")
	}
	return body.AccessToken, nil
}
