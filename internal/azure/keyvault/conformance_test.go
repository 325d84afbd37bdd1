package keyvault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func TestAVaultIsAStore(t *testing.T) {
	drivertest.Store(t, storeBed)
}

func TestAVaultEndsVersions(t *testing.T) {
	drivertest.Versions(t, storeBed)
}

func storeBed(t *testing.T) drivertest.StoreBed {
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	as := func(app string) driver.Store {
		client := azhttp.NewClient(s.Transport(), nil)
		cred := azhttp.NewCredential(app, &signIn{s: s, app: app})
		v, err := keyvault.New("kv-pat-prod.vault.azure.net", cred, client.Renewing(client.Options(cloud.AzurePublic), cred))
		if err != nil {
			t.Fatal(err)
		}
		// A client's first call goes without a token, to be told where to sign in; faults are for those that follow.
		if _, err := v.Read(t.Context(), "nothing"); err != nil && driver.KindOf(err) != driver.Denied {
			t.Fatal(err)
		}
		return v
	}
	secret := func(name string, f func(*world.Secret)) {
		w := s.World()
		w.Lock()
		defer w.Unlock()
		for _, x := range w.Vaults[0].Secrets {
			if strings.EqualFold(x.Name, name) {
				f(x)
			}
		}
	}
	return drivertest.StoreBed{
		// The administrator may do everything, consumer only read, and stranger nothing.
		Store: as("administrator"), Reader: as("consumer"), Stranger: as("stranger"),
		Service: service(s),
		Delete:  func(name string) { secret(name, func(x *world.Secret) { x.Deleted = s.World().Now() }) },
		Disable: func(name string) {
			secret(name, func(x *world.Secret) { x.Versions[len(x.Versions)-1].Disabled = true })
		},
		Versions: func(name string) (out []drivertest.Version) {
			secret(name, func(x *world.Secret) { out = versions(x) })
			return out
		},
		Lapse: func() {
			time.Sleep(time.Minute)
			synctest.Wait()
		},
	}
}

func versions(x *world.Secret) (out []drivertest.Version) {
	for _, v := range x.Versions {
		y := drivertest.Version{ID: v.ID, Value: v.Value, Tags: v.Tags, Enabled: !v.Disabled}
		if v.ContentType != nil {
			y.ContentType = *v.ContentType
		}
		if v.Expires != nil {
			y.Expires = time.Unix(*v.Expires, 0).UTC()
		}
		out = append(out, y)
	}
	return out
}

var operations = map[string]string{"List": "GetSecrets", "Read": "GetSecret", "Deleted": "GetDeletedSecret", "Tags": "GetSecretVersions", "Version": "GetSecretVersion",
	"Update": "UpdateSecret", "Put": "SetSecret"}

func service(s *sim.Server) drivertest.Service {
	w := s.World()
	var mu sync.Mutex
	sent := map[string]int{}
	s.OnRequest(func(service, operation string, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		// The first call of a client goes without a token and a body, to be told where to sign in.
		if service == "keyvault" && r.Header.Get("Authorization") != "" {
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
			x := sim.Fault{Service: "keyvault", Operation: operations[method], Nth: nth, Times: times}
			quoted, _ := json.Marshal("refused: " + strings.Join(secrets(), " "))
			body := func(code string) sim.Text {
				return sim.Text(fmt.Sprintf(`{"error":{"code":%q,"message":%s}}`, code, quoted))
			}
			switch f {
			case drivertest.Lost:
				x.Do = sim.DoLost
			case drivertest.Late:
				x.Do, x.Delay = sim.DoLate, world.Duration(10*time.Second)
			case drivertest.Cut:
				x.Do = sim.DoCut
			case drivertest.Throttled:
				x.Do = sim.DoThrottle
			case drivertest.Unavailable:
				x.Do, x.Status, x.Body = sim.DoAnswer, 503, body("ServiceUnavailable")
			case drivertest.Truncated:
				x.Do = sim.DoTruncate
			case drivertest.Malformed:
				x.Do = sim.DoMalform
			case drivertest.Page:
				x.Do = sim.DoSignIn
			case drivertest.Refused:
				x.Do, x.Status, x.Body = sim.DoAnswer, 400, body("BadParameter")
			case drivertest.Denied:
				x.Do, x.Status, x.Body = sim.DoAnswer, 403, body("Forbidden")
			}
			if err := s.AddFaults(x); err != nil {
				panic(err)
			}
		},
	}
}

// signIn signs an application in with its secret. The one that the world lacks is made without any role.
type signIn struct {
	s     *sim.Server
	app   string
	token azcore.AccessToken
	until time.Time
}

func (c *signIn) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	w := c.s.World()
	w.Lock()
	if w.Now().Before(c.until) && o.Claims == "" {
		w.Unlock()
		return c.token, nil
	}
	c.until = w.Now().Add(30 * time.Minute)
	i := slices.IndexFunc(w.Apps, func(a *world.App) bool { return a.Name == c.app })
	if i < 0 {
		v := w.MintClientSecret()
		w.Apps = append(w.Apps, &world.App{ID: w.NewID(), ClientID: w.NewID(), TenantID: world.TenantID, Name: c.app, ServicePrincipalID: w.NewID(), ClientSecret: v,
			Secrets: []*world.PasswordCredential{{KeyID: w.NewID(), Start: w.Now().Add(-time.Hour), End: w.Now().AddDate(1, 0, 0), Value: v}}})
		i = len(w.Apps) - 1
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {w.Apps[i].ClientID}, "client_secret": {w.Apps[i].ClientSecret}, "scope": o.Scopes}
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
