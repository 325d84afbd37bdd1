package pipelines_test

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
	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const project = "platform"

// Applications that sign in here: one that may change what the tests are about, one that is a member and may use it.
const manager, member = "consumer", "ci-worker"

// serve makes an Azure in which both are members of contoso.
func serve(t testing.TB) *sim.Server {
	t.Helper()
	state := world.BuiltIn()
	state.Apps = append(state.Apps, &world.App{ID: "00000000-0000-4000-8000-0000000000a1", ClientID: "00000000-0000-4000-8000-0000000000a2", TenantID: world.TenantID,
		Name: member, ServicePrincipalID: "00000000-0000-4000-8000-0000000000a3", ClientSecret: world.Canary + "member"})
	var manages string
	for _, a := range state.Apps {
		if a.Name == member {
			a.Secrets = []*world.PasswordCredential{{KeyID: "k", Start: time.Date(1999, 9, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2199, 9, 1, 0, 0, 0, 0, time.UTC), Value: a.ClientSecret}}
		}
		if a.Name == manager {
			manages = a.ServicePrincipalID
		}
	}
	org := state.Organizations[0]
	org.Members = append(org.Members, manages, "00000000-0000-4000-8000-0000000000a3")
	for _, e := range org.ServiceEndpoints {
		e.Administrators = append(e.Administrators, manages)
		e.Users = append(e.Users, "00000000-0000-4000-8000-0000000000a3")
		e.More = map[string]json.RawMessage{"serviceManagementReference": json.RawMessage(`"team-7"`)}
		for _, p := range e.Projects {
			if p.Description == "" {
				p.Description = "made by hand [do not touch]"
			}
		}
	}
	for _, g := range org.VariableGroups {
		g.Administrators = append(g.Administrators, manages)
	}
	s, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// as makes a client of its own for an application.
func as(s *sim.Server, app string) *pipelines.Client {
	client := azhttp.NewClient(s.Transport(), nil)
	return pipelines.NewClient(client.Options(cloud.AzurePublic), azhttp.NewCredential(app, &signIn{s: s, app: app}))
}

// locked calls f with the first organisation.
func locked[T any](s *sim.Server, f func(w *world.World, o *world.Organization) T) T {
	w := s.World()
	w.Lock()
	defer w.Unlock()
	return f(w, w.Organizations[0])
}

func service(s *sim.Server, operations map[string]string) drivertest.Service {
	w := s.World()
	var mu sync.Mutex
	sent := map[string]int{}
	s.OnRequest(func(service, operation string, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if service == "devops" {
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
			x := sim.Fault{Service: "devops", Operation: operations[method], Nth: nth, Times: times}
			quoted, _ := json.Marshal("refused: " + strings.Join(secrets(), " "))
			body := func(typeKey string) sim.Text {
				return sim.Text(fmt.Sprintf(`{"$id":"1","typeKey":%q,"message":%s}`, typeKey, quoted))
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
				x.Do, x.RetryAfter = sim.DoThrottle, "3"
			case drivertest.Unavailable:
				x.Do, x.Status, x.Body = sim.DoAnswer, 503, body("ServiceUnavailableException")
			case drivertest.Truncated:
				x.Do = sim.DoTruncate
			case drivertest.Malformed:
				x.Do = sim.DoMalform
			case drivertest.Page:
				x.Do = sim.DoSignIn
			case drivertest.Refused:
				x.Do, x.Status, x.Body = sim.DoAnswer, 400, body("ServiceEndpointException")
			case drivertest.Denied:
				x.Do, x.Status, x.Body = sim.DoAnswer, 403, body("AccessCheckException")
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
	c.token = azcore.AccessToken{Token: body.AccessToken, ExpiresOn: time.Now().Add(30 * time.Minute)}
	return c.token, nil
}
