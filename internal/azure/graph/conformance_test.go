package graph_test

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
	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

func TestAppSecretsAreAnIssuer(t *testing.T) {
	drivertest.Issuer(t, func(t *testing.T) drivertest.IssuerBed {
		return bed(t, nil, nil)
	})
}

// Every part of the directory is late, and two writes in a row clash.
func TestAppSecretsAreAnIssuerWhereChangesTravel(t *testing.T) {
	drivertest.Issuer(t, func(t *testing.T) drivertest.IssuerBed {
		settle := func() {
			time.Sleep(30 * time.Second)
			synctest.Wait()
		}
		return bed(t, func(w *world.World) {
			w.Knobs.Entra.Regions, w.Knobs.Entra.NewSecretDelay, w.Knobs.Entra.RemovalDelay = 3, world.Duration(18*time.Second), world.Duration(20*time.Second)
			w.Knobs.Graph.ReplicationLag, w.Knobs.Graph.Replicas = world.Duration(9*time.Second), 3
			w.Knobs.Graph.ListLag, w.Knobs.Graph.WriteGap = world.Duration(20*time.Second), world.Duration(2*time.Second)
		}, settle)
	})
}

func bed(t *testing.T, change func(*world.World), settle func()) drivertest.IssuerBed {
	s, client := over(t, change)
	return drivertest.IssuerBed{
		Issuer:  graph.New(client, authority, graph.Settings{AppID: world.AppReporting}),
		Twin:    graph.New(client, authority, graph.Settings{AppID: strings.ToUpper(world.AppReporting)}),
		Service: simulated.Service(s, operations, refusal),
		Fill:    func(n int) { fill(s.World(), n) },
		Whole:   true, Fixed: true, Settle: settle,
		Lapse: simulated.Lapse,
	}
}

const authority = "https://login.microsoftonline.com/" + world.TenantID

// over makes a world and a client of its Graph, signed in as the machine's identity.
func over(t *testing.T, change func(*world.World)) (*sim.Server, *graph.Client) {
	t.Helper()
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := s.World()
	w.Lock()
	defer w.Unlock()
	// Rekey is an app registration here: azidentity's managed identity wants an address on this machine.
	rekey := &world.App{ID: w.NewID(), ClientID: w.NewID(), TenantID: world.TenantID, Name: "rekey", ServicePrincipalID: w.NewID(),
		ApplicationPermissions: []string{"Application.ReadWrite.OwnedBy"}}
	value := w.MintClientSecret()
	rekey.Secrets = []*world.PasswordCredential{{KeyID: w.NewID(), Start: w.Now().Add(-time.Hour), End: w.Now().AddDate(10, 0, 0), Value: value}}
	w.Apps = append(w.Apps, rekey)
	app(w, world.AppReporting).Owners = append(app(w, world.AppReporting).Owners, rekey.ServicePrincipalID)
	if change != nil {
		change(w)
	}
	client := azhttp.NewClient(s.Transport(), nil)
	cred := azhttp.NewCredential("rekey", &identity{s: s, id: rekey.ClientID, value: value})
	opts := client.Options(cloud.AzurePublic)
	return s, graph.NewClient(opts, client.Renewing(opts, cred), cred)
}

// app finds an application by its app id. Locked.
func app(w *world.World, id string) *world.App {
	for _, a := range w.Apps {
		if a.ClientID == id {
			return a
		}
	}
	return nil
}

var operations = simulated.Operations{"List": "graph GetApplication", "Issue": "graph AddPassword", "Check": "entra token:client_credentials",
	"Extend": "graph none", "Revoke": "graph RemovePassword"}

// fill gives the application secrets that somebody else made.
func fill(w *world.World, n int) {
	w.Lock()
	defer w.Unlock()
	a := app(w, world.AppReporting)
	for i := range n {
		a.Secrets = append(a.Secrets, &world.PasswordCredential{KeyID: w.NewID(), Name: fmt.Sprintf("by hand %d", i), Start: w.Now(), End: w.Now().Add(24 * time.Hour), Value: w.MintClientSecret()})
	}
}

// identity signs Rekey in with its own client secret, as anything could.
type identity struct {
	s         *sim.Server
	id, value string

	mu    sync.Mutex
	token string
	until time.Time
}

func (i *identity) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := i.s.World()
	w.Lock()
	now := w.Now()
	w.Unlock()
	if now.Before(i.until) {
		return azcore.AccessToken{Token: i.token, ExpiresOn: time.Now().Add(time.Minute)}, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {i.id}, "client_secret": {i.value}, "scope": {o.Scopes[0]}}
	req, err := http.NewRequest(http.MethodPost, authority+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := i.s.Transport().RoundTrip(req)
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
	i.token, i.until = body.AccessToken, now.Add(30*time.Minute)
	return azcore.AccessToken{Token: i.token, ExpiresOn: time.Now().Add(time.Minute)}, nil
}

// refusal is how Microsoft Graph says no.
func refusal(f drivertest.Fault, message string) string {
	code := map[drivertest.Fault]string{drivertest.Unavailable: "UnknownError", drivertest.Refused: "Request_BadRequest", drivertest.Denied: "Authorization_RequestDenied"}[f]
	return fmt.Sprintf(`{"error":{"code":%q,"message":%s,"innerError":{"request-id":"x"}}}`, code, message)
}
