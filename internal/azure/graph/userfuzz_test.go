package graph_test

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

func fromUser(s *badinput.Service) *graph.User {
	opts := azhttp.NewClient(s, nil).Options(cloud.AzurePublic)
	return graph.NewUser(graph.NewClient(opts, opts, hostile.Nobody{}), "https://login.microsoftonline.com/contoso", graph.UserSettings{User: batch, ClientID: public, Length: 40})
}

const (
	honestUser  = `{"@odata.context":"x","id":"00000000-0000-4000-8000-000000000001","userPrincipalName":"svc@contoso","accountEnabled":true,"onPremisesSyncEnabled":null,"lastPasswordChangeDateTime":"2026-11-01T00:00:00Z"}`
	wrongSignIn = `{"error":"invalid_grant","error_description":"AADSTS50126: ` + mark + `","error_codes":[50126],"timestamp":"2026-12-01 00:00:00Z"}`
	goodSignIn  = `{"token_type":"Bearer","expires_in":3599,"access_token":"` + mark + `","id_token":"` + mark + `"}`
)

// FuzzUser: what is answered to who reads a user.
func FuzzUser(f *testing.F) {
	for _, b := range badinput.Broken(honestUser) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		badinput.Bounded(t, 2*len(body), func() {
			l, err := fromUser(s).List(t.Context())
			switch {
			case err != nil:
				words(t, err)
			case len(l.Issued) != 1 || l.Issued[0].ID == "":
				t.Errorf("a user that is none: %+v", l)
			default:
				hostile.Writable(t, l.Issued[0].From, l.Issued[0].To)
			}
		})
		s.Within(t)
	})
}

// FuzzUserSignIn: what is answered to a user's password.
func FuzzUserSignIn(f *testing.F) {
	for _, body := range []string{wrongSignIn, goodSignIn} {
		for _, b := range badinput.Broken(body) {
			f.Add(400, b)
			f.Add(200, b)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		bubble(t, func(t *testing.T) {
			s := &badinput.Service{Status: status, Body: body}
			var got driver.Checked
			var err error
			badinput.Bounded(t, 12*len(body), func() { got, err = fromUser(s).Check(t.Context(), secret.New([]byte("x"))) })
			s.Within(t)
			switch {
			case err != nil:
				words(t, err)
			case got.Works && status >= 500:
				t.Errorf("a failure of the service is taken for a password that works: %d", status)
			case !got.Works && (got.Why == "" || status == http.StatusOK):
				t.Errorf("%+v", got)
			}
		})
	})
}
