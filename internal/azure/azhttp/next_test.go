package azhttp_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

type signedIn struct{}

func (signedIn) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// FuzzNext: wherever an answer says that the next page is, it is asked for at Resource Manager or not at all.
func FuzzNext(f *testing.F) {
	for _, s := range []string{"", "https://management.azure.com/subscriptions?api-version=2022-12-01&$skiptoken=x", "https://management.azure.com.example/subscriptions/x", "https://management.azure.com/subscriptions/../x", "https://management.azure.com//x", "https://management.azure.com/subscriptions/%2e%2e/x?%zz", "https://user@management.azure.com/subscriptions/x", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, link string) {
		s := &elsewhere{Service: &badinput.Service{Body: []byte("{}")}}
		arm := azhttp.NewResources(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), signedIn{})
		badinput.Bounded(t, len(link), func() {
			path, query, ok := arm.Next(link)
			if !ok {
				return
			}
			var out struct{}
			_, _ = arm.Call(t.Context(), azhttp.ResourceCall{Op: "list", Method: http.MethodGet, Path: path, Query: query, Version: "2022-12-01"}, &out)
		})
		if s.host != "" && s.host != "management.azure.com" || strings.Contains(s.path, "/../") || s.path != "" && !strings.HasPrefix(strings.ToLower(s.path), "/subscriptions") {
			t.Errorf("%q was asked at %q for %q", link, s.host, s.path)
		}
	})
}

// elsewhere notes where it was asked.
type elsewhere struct {
	*badinput.Service
	host, path string
}

func (e *elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	e.host, e.path = r.URL.Host, r.URL.Path
	return e.Service.RoundTrip(r)
}
