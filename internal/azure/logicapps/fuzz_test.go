package logicapps_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/logicapps"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

func over(s *badinput.Service) *azhttp.Resources {
	return azhttp.NewResources(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), hostile.Nobody{})
}

// quoted is what is told, and what the fuzzed bodies quote; nothing may repeat it.
const quoted = badinput.Secret

// words wants an error to be ours, and not to hold the value.
func words(t *testing.T, err error) { t.Helper(); hostile.Fit(t, err, 1800) }

// asked is everything that a consumer can be asked, of a service that answers all of it alike.
func asked(t *testing.T, s *badinput.Service, make func(*azhttp.Resources) driver.Consumer) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if hostile.AskConsumer(t, s, make(over(s)), words) {
			t.Error("what an answer of before says is taken for what was told")
		}
	})
}

// FuzzConnection: what is answered to everything that is asked of an API connection.
func FuzzConnection(f *testing.F) {
	at := group() + "/providers/Microsoft.Web/connections/" + flat
	honest := `{"id":"` + at + `","name":"x","location":"westeurope","kind":"V1","tags":{"Rekey":"01m7y2pqh4tqpq43th 2026-11-21T10:00:00Z","team":"t"},"properties":{"displayName":"d","api":{"id":"/subscriptions/x"},"parameterValueSet":{"name":"oauthSP"},` +
		`"statuses":[{"status":"Connected"},null],"nonSecretParameterValues":{"a":"` + quoted + `"},"testLinks":[{"requestUri":"https://management.azure.com:443` + at + `/extensions/proxy/testconnection?api-version=2018-07-01-preview","method":"get"}]},"value":[{"actions":["*"]}]}`
	for _, b := range badinput.Broken(honest) {
		f.Add(b)
	}
	for _, s := range []string{"null", strings.Replace(honest, "https://management.azure.com:443"+at, "https://elsewhere.example/%zz", 1), strings.Replace(honest, `"Connected"`, `"Error","error":{"code":"`+quoted+`"}`, 1), strings.Replace(honest, `"tags":{`, `"tags":[],"x":{`, 1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		badinput.Bounded(t, 40*len(body), func() {
			asked(t, &badinput.Service{Body: body}, func(c *azhttp.Resources) driver.Consumer {
				return logicapps.New("c", c, settings(flat), use)
			})
		})
	})
}
