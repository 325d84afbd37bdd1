package devops_test

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// FuzzBrowse: what is answered to who looks for organisations and PATs to choose from.
func FuzzBrowse(f *testing.F) {
	for _, honest := range []string{honestList, `{"displayName":"x","id":"00000000-0000-4000-8000-000000000003","count":1,"value":[{"accountId":"a","accountName":"contoso","accountUri":"x"}]}`} {
		for _, b := range badinput.Broken(honest) {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		badinput.Bounded(t, 4*len(body), func() {
			s := &badinput.Service{Body: body}
			opts := azhttp.NewClient(s, nil).Options(cloud.AzurePublic)
			names, err := devops.Organizations(t.Context(), opts, nobody{})
			if err != nil {
				words(t, err)
			}
			for _, n := range names {
				if n == "" || err != nil {
					t.Errorf("%q, %v", names, err)
				}
			}
			s.Within(t)
			s.Calls, s.Read = 0, 0
			heard := 0
			all, err := devops.Browse(t.Context(), opts, nobody{}, "contoso", func(n int) { heard = n })
			s.Within(t)
			if err != nil {
				words(t, err)
				return
			}
			seen := map[string]bool{}
			for _, p := range all {
				if p.ID == "" || seen[p.ID] || p.Stamped && !strings.HasPrefix(p.Name, "rekey/") {
					t.Errorf("%+v", p)
				}
				seen[p.ID] = true
			}
			if heard != len(all) {
				t.Errorf("%d were counted, %d listed", heard, len(all))
			}
		})
	})
}
