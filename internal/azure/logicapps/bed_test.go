package logicapps_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// Applications that sign in here: one that may change API connections, one that may look at everything.
const operator, reader = "operator", "reader"

func group() string {
	return "/subscriptions/" + world.SubscriptionID + "/resourceGroups/" + world.ResourceGroupApps
}

// serve makes an Azure with both.
func serve(t testing.TB) *sim.Server {
	t.Helper()
	state := world.BuiltIn()
	for i, x := range []struct{ name, role string }{{operator, world.RoleLogicAppContributor}, {reader, world.RoleReader}} {
		sp := fmt.Sprintf("00000000-0000-4000-8000-0000000000a%d", 3*i)
		secret := world.Canary + x.name
		state.Apps = append(state.Apps, &world.App{ID: fmt.Sprintf("00000000-0000-4000-8000-0000000000a%d", 3*i+1), ClientID: fmt.Sprintf("00000000-0000-4000-8000-0000000000a%d", 3*i+2), TenantID: world.TenantID,
			Name: x.name, ServicePrincipalID: sp, ClientSecret: secret,
			Secrets: []*world.PasswordCredential{{KeyID: "k", Start: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2199, 9, 1, 0, 0, 0, 0, time.UTC), Value: secret}}})
		state.RoleAssignments = append(state.RoleAssignments, &world.RoleAssignment{Name: fmt.Sprintf("0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2cf%d", i), Scope: group(), RoleID: x.role, PrincipalID: sp, PrincipalType: "ServicePrincipal"})
	}
	s, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// as makes a client of its own for an application.
func as(s *sim.Server, app string) *azhttp.Resources {
	client := azhttp.NewClient(s.Transport(), nil)
	cred := azhttp.NewCredential(app, &signIn{s: s, app: app})
	return azhttp.NewResources(client.Renewing(client.Options(cloud.AzurePublic), cred), cred)
}

// locked calls f with the world.
func locked[T any](s *sim.Server, f func(w *world.World) T) T {
	w := s.World()
	w.Lock()
	defer w.Unlock()
	return f(w)
}

func publication(n byte) rotation.Publication {
	return rotation.NewPublication(time.Unix(1e9, 0), [5]byte{n})
}

func value(s string) secret.Value { return secret.New([]byte(s)) }

// mint makes a new secret of an application.
func mint(s *sim.Server, clientID string) string {
	return locked(s, func(w *world.World) string {
		for _, a := range w.Apps {
			if a.ClientID == clientID {
				v := w.MintClientSecret()
				a.Secrets = append(a.Secrets, &world.PasswordCredential{KeyID: w.NewID(), Start: w.Now().Add(-time.Hour), End: w.Now().AddDate(1, 0, 0), Value: v})
				return v
			}
		}
		panic("nothing to mint")
	})
}

func service(s *sim.Server, operations map[string]string) drivertest.Service {
	w := s.World()
	var mu sync.Mutex
	sent := map[string]int{}
	s.OnRequest(func(service, operation string, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if service == "connections" {
			sent[operation]++
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
			if operations[method] == "" {
				panic("no operation for " + method)
			}
			x := sim.Fault{Service: "connections", Operation: operations[method], Nth: nth, Times: times}
			quoted, _ := json.Marshal("refused: " + strings.Join(secrets(), " "))
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
				x.Do, x.RetryAfter = sim.DoThrottle, "3"
			case drivertest.Unavailable:
				x.Do, x.Status, x.Body = sim.DoAnswer, 503, sim.Text(`{"error":{"code":"ServiceUnavailable","message":`+string(quoted)+`}}`)
			case drivertest.Truncated:
				x.Do = sim.DoTruncate
			case drivertest.Malformed:
				x.Do = sim.DoMalform
			case drivertest.Page:
				x.Do = sim.DoSignIn
			case drivertest.Refused:
				x.Do, x.Status, x.Body = sim.DoAnswer, 400, sim.Text(`{"error":{"code":"InvalidRequestContent","message":`+string(quoted)+`}}`)
			case drivertest.Denied:
				x.Do, x.Status, x.Body = sim.DoAnswer, 403, sim.Text(`{"error":{"code":"AuthorizationFailed","message":`+string(quoted)+`}}`)
			}
			if err := s.AddFaults(x); err != nil {
				panic(err)
			}
		},
	}
}

func lapse() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

// signIn signs an application in with its secret.
type signIn struct {
	s   *sim.Server
	app string

	mu    sync.Mutex
	token azcore.AccessToken
	until time.Time
}

func (c *signIn) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.s.World()
	w.Lock()
	if w.Now().Before(c.until) && o.Claims == "" {
		w.Unlock()
		return c.token, nil
	}
	c.until = w.Now().Add(30 * time.Minute)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": o.Scopes}
	for _, a := range w.Apps {
		if a.Name == c.app {
			form.Set("client_id", a.ClientID)
			form.Set("client_secret", a.ClientSecret)
		}
	}
	w.Unlock()
	client := http.Client{Transport: c.s.Transport()}
	resp, err := client.PostForm("https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/token", form)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	defer resp.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || body.AccessToken == "" {
		return azcore.AccessToken{}, errors.New("the simulator signs nobody in")
	}
	c.token = azcore.AccessToken{Token: body.AccessToken, ExpiresOn: time.Now().Add(time.Minute)}
	return c.token, nil
}
