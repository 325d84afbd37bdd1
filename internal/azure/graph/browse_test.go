package graph_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

func browser(s *badinput.Service) *graph.Client {
	opts := azhttp.NewClient(s, nil).Options(cloud.AzurePublic)
	return graph.NewClient(opts, opts, hostile.Nobody{})
}

const honestApplications = `{"@odata.context":"x","value":[` + honestApplication + `]}`

func TestAPageOfApplicationsLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"https://graph.microsoft.com.example/v1.0/applications", "http://graph.microsoft.com/v1.0/applications", "https://user@graph.microsoft.com/v1.0/applications", "//x", "\x00"} {
		s := &badinput.Service{Body: []byte(`{"value":[],"@odata.nextLink":"` + next + `"}`)}
		if _, err := browser(s).Applications(t.Context(), func(int) {}); driver.KindOf(err) != driver.Unavailable || s.Calls != 1 {
			t.Errorf("%s: %v after %d calls", next, err, s.Calls)
		}
		s.Calls = 0
		if _, err := browser(s).Users(t.Context(), func(int) {}); driver.KindOf(err) != driver.Unavailable || s.Calls != 1 {
			t.Errorf("users, %s: %v after %d calls", next, err, s.Calls)
		}
	}
}

func TestWhoseSignInIsElsewhereIsSaid(t *testing.T) {
	t.Parallel()
	s := &badinput.Service{Body: []byte(`{"value":[{"userPrincipalName":"a@x.example"},{"userPrincipalName":"b@x.example","onPremisesSyncEnabled":true,"accountEnabled":false},
		{"userPrincipalName":"c_y.example#EXT#@x.example","onPremisesSyncEnabled":null},{"displayName":"nobody"}]}`)}
	all, err := browser(s).Users(t.Context(), func(int) {})
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	if a, b, c := all[0], all[1], all[2]; a.Elsewhere != "" || a.Disabled || b.Elsewhere == "" || !b.Disabled || c.Elsewhere == "" {
		t.Errorf("%+v", all)
	}
}

// FuzzUsers: what is answered to who looks for a user to choose.
func FuzzUsers(f *testing.F) {
	for _, b := range badinput.Broken(`{"value":[{"displayName":"D","userPrincipalName":"d@x.example","accountEnabled":true,"onPremisesSyncEnabled":null}]}`) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		badinput.Bounded(t, len(body), func() {
			all, err := browser(s).Users(t.Context(), func(int) {})
			if err != nil {
				words(t, err)
			}
			for _, u := range all {
				if u.User == "" {
					t.Errorf("%+v", u)
				}
			}
		})
		s.Within(t)
	})
}

// FuzzApplications: what is answered to who looks for an application to choose.
func FuzzApplications(f *testing.F) {
	for _, b := range badinput.Broken(honestApplications) {
		f.Add(b)
	}
	f.Add([]byte(`{"value":[{"id":"a","appId":"b","owners":[]},null],"@odata.nextLink":"https://graph.microsoft.com/v1.0/applications?$skiptoken=x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body}
		badinput.Bounded(t, len(body), func() {
			all, err := browser(s).Applications(t.Context(), func(int) {})
			if err != nil {
				words(t, err)
			}
			for _, a := range all {
				if a.AppID == "" || a.Owners < -1 {
					t.Errorf("%+v", a)
				}
				for _, x := range a.Secrets {
					if x.ID == "" {
						t.Errorf("%+v", a)
					}
				}
			}
		})
		s.Within(t)
	})
}
