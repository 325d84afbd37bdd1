package resources_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/resources"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

func over(s *badinput.Service) *resources.Client {
	return resources.New(azhttp.NewResources(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), hostile.Nobody{}))
}

const (
	// mark is what the fuzzed bodies quote; no error may repeat it.
	mark    = badinput.Secret
	account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Automation/automationAccounts/a"
)

func silent(int) {}

func words(t *testing.T, err error) { t.Helper(); hostile.Fit(t, err, 500) }

func TestARunbooksParametersAreInItsOwnOrder(t *testing.T) {
	t.Parallel()
	s := &badinput.Service{Body: []byte(`{"name":"r","properties":{"runbookType":"PowerShell","parameters":{"B":{"type":"System.String","isMandatory":true,"position":0},"A":{"position":1}}}}`)}
	r, err := over(s).Runbook(t.Context(), account, "r")
	if err != nil || len(r.Parameters) != 2 || r.Parameters[0].Name != "B" || !r.Parameters[0].Mandatory || r.Parameters[1].Name != "A" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAPageLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"https://management.azure.com.example/subscriptions", "http://management.azure.com/subscriptions", "https://x@management.azure.com/subscriptions", "x", "https://management.azure.com/%zz"} {
		s := &badinput.Service{Body: []byte(`{"value":[],"nextLink":"` + next + `"}`)}
		if _, err := over(s).List(t.Context(), resources.Vaults, silent); driver.KindOf(err) != driver.Unavailable || s.Calls != 1 {
			t.Errorf("%s: %v after %d calls", next, err, s.Calls)
		}
	}
}

func TestWhatIsNoResourceIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := &badinput.Service{Body: []byte(`{}`)}
	for _, id := range []string{"", "aa-platform", "https://x.example/subscriptions/"} {
		if _, err := over(s).Runbooks(t.Context(), id, silent); driver.KindOf(err) != driver.Rejected || s.Calls != 0 {
			t.Errorf("%q: %v after %d calls", id, err, s.Calls)
		}
	}
}

// FuzzResources: what is answered to who looks for something behind Resource Manager.
func FuzzResources(f *testing.F) {
	for _, honest := range []string{
		`{"value":[{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v","name":"v","type":"Microsoft.KeyVault/vaults","location":"x","subscriptionId":"s","displayName":"` + mark + `"}]}`,
		`{"name":"r","value":[{"name":"r","properties":{"runbookType":"PowerShell","description":"` + mark + `","parameters":{"A":{"type":"x","isMandatory":true,"position":1}}}}]}`,
		`{"error":{"code":"AuthorizationFailed","message":"` + mark + `"},"nextLink":"https://management.azure.com/x"}`,
	} {
		for _, b := range badinput.Broken(honest) {
			f.Add(b, 200)
		}
		f.Add([]byte(honest), 403)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 499 || status == 429 || status == 408 {
			status = 200 // what is waited for takes time
		}
		s := &badinput.Service{Body: body, Status: status}
		few := bytes.Count(body, []byte("{")) < 8 // each subscription is asked for its resources
		if !few && len(body) > 4<<10 {
			return
		}
		badinput.Bounded(t, 40*len(body), func() {
			all, err := over(s).List(t.Context(), resources.Vaults, silent)
			if err != nil {
				words(t, err)
			}
			for _, r := range all {
				if r.ID == "" || r.Name == "" {
					t.Errorf("%+v", r)
				}
			}
			if few {
				s.Within(t)
			}
			if _, err := over(s).Runbooks(t.Context(), account, silent); err != nil {
				words(t, err)
			}
			for _, list := range []func(context.Context, string, func(int)) ([]resources.Asset, error){over(s).Variables, over(s).Credentials} {
				assets, err := list(t.Context(), account, silent)
				if err != nil {
					words(t, err)
				}
				for _, x := range assets {
					if x.Name == "" {
						t.Errorf("%+v", x)
					}
				}
			}
			if _, err := over(s).Runbook(t.Context(), account, "../x"); err != nil {
				words(t, err)
			}
		})
	})
}
