package devops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func TestPATsAreAnIssuer(t *testing.T) {
	drivertest.Issuer(t, func(t *testing.T) drivertest.IssuerBed {
		s, err := sim.New(sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		opts := azhttp.NewClient(s.Transport(), nil).Options(cloud.AzurePublic)
		account := &user{s: s}
		settings := devops.Settings{Account: "svc", Organization: "contoso", Scopes: []string{"vso.packaging", "vso.code"}}
		return drivertest.IssuerBed{
			Issuer:  devops.New(opts, account, settings),
			Twin:    devops.New(opts, account, settings),
			Service: simulated.Service(s, operations, refusal),
			Fill:    func(n int) { fill(s.World(), n) },
			Clamp: func(d time.Duration) {
				w := s.World()
				w.Lock()
				defer w.Unlock()
				w.Knobs.DevOps.MaxLifespan = world.Duration(d)
			},
			Lapse: simulated.Lapse,
		}
	})
}

var operations = simulated.Operations{"List": "devops ListPats", "Issue": "devops CreatePat", "Check": "devops ConnectionData", "Extend": "devops UpdatePat", "Revoke": "devops RevokePat"}

// fill gives the user PATs that somebody else made.
func fill(w *world.World, n int) {
	w.Lock()
	defer w.Unlock()
	for i := range n {
		w.Organizations[0].PATs = append(w.Organizations[0].PATs, &world.PAT{
			AuthorizationID: w.NewID(), OwnerID: w.Users[0].ID, Name: fmt.Sprintf("by hand %d", i), Scope: "vso.code",
			ValidFrom: w.Now(), ValidTo: w.Now().Add(24 * time.Hour), Token: w.MintPAT(),
		})
	}
}

// user signs the service account in with its password, as anything could.
type user struct {
	s     *sim.Server
	token string
	until time.Time
}

func (*user) Name() string     { return "svc" }
func (*user) Username() string { return "svc-devops-pat@contoso.onmicrosoft.com" }
func (*user) Quiet() bool      { return true }

func (u *user) Token(_ context.Context, scope string, renew bool) (string, error) {
	w := u.s.World()
	w.Lock()
	if w.Now().Before(u.until) && !renew {
		w.Unlock()
		return u.token, nil
	}
	u.until = w.Now().Add(30 * time.Minute)
	form := url.Values{"grant_type": {"password"}, "client_id": {"2bfcc342-eb74-4427-832c-db82f28995f4"}, "scope": {scope},
		"username": {w.Users[0].UPN}, "password": {w.Users[0].Password}}
	w.Unlock()
	client := http.Client{Transport: u.s.Transport()}
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
	u.token = body.AccessToken
	return u.token, nil
}

// refusal is how Azure DevOps says no.
func refusal(f drivertest.Fault, message string) string {
	code := map[drivertest.Fault]string{drivertest.Unavailable: "ServiceUnavailableException", drivertest.Refused: "VssPropertyValidationException", drivertest.Denied: "AccessCheckException"}[f]
	return fmt.Sprintf(`{"$id":"1","typeKey":%q,"message":%s}`, code, message)
}
