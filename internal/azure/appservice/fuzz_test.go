package appservice_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/appservice"
	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// shown wants a text to be fit for people.
func shown(t *testing.T, text string) { t.Helper(); hostile.Shown(t, text, 1800) }

// words wants an error to be ours.
func words(t *testing.T, err error) { t.Helper(); hostile.Fit(t, err, 1800) }

// FuzzReferences: what is answered to everything that is asked of an app.
func FuzzReferences(f *testing.F) {
	honest := `{"id":null,"nextLink":null,"value":[{"id":"` + appID("shop-web") + `/config/configreferences/appsettings/A","name":"A","type":"Microsoft.Web/sites/config/configreferences","location":"x",` +
		`"properties":{"reference":"@Microsoft.KeyVault(SecretUri=https://kv-apps.vault.azure.net/secrets/shop-web/)","status":"Resolved","vaultName":"kv-apps","secretName":"shop-web","secretVersion":"a1","identityType":"SystemAssigned","details":"d","source":"KeyVault","activeVersion":"a1"}}],"actions":["*"]}`
	for _, b := range badinput.Broken(honest) {
		f.Add(b)
	}
	next := `"nextLink":"https://management.azure.com` + appID("shop-web") + `/config/configreferences/appsettings?page=2"`
	for _, s := range []string{strings.Replace(honest, `"nextLink":null`, next, 1), strings.Replace(honest, `"Resolved"`, `"Initialized"`, 1), strings.Replace(honest, `"activeVersion":"a1"`, `"activeVersion":"b2"`, 1), strings.Replace(honest, "SecretUri=https://", "SecretUri=://;;=;SecretUri", 1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		badinput.Bounded(t, 40*len(body), func() {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
				defer stop()
				s := &badinput.Service{Body: body}
				a := appservice.New(azhttp.NewResources(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), hostile.Nobody{}), settings(""), target)
				if err := a.Preflight(ctx); err != nil {
					words(t, err)
				}
				shown(t, strings.Join(a.Notes(), ""))
				s.Within(t)
				s.Calls, s.Read = 0, 0
				if err := a.Hand(ctx, hook.Handover{Version: "a1"}); err != nil && !errors.Is(err, hook.ErrIdle) {
					words(t, err)
				}
				s.Within(t)
				s.Calls, s.Read = 0, 0
				why, err := a.Look(ctx, hook.Handover{Version: "a1"})
				if err != nil {
					words(t, err)
				}
				shown(t, why)
				s.Within(t)
			})
		})
	})
}
