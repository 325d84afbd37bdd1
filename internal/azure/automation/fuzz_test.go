package automation_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/automation"
	"github.com/rekeyhq/rekey/internal/azure/azhttp"
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
	synctest.Test(t, func(t *testing.T) { hostile.AskConsumer(t, s, make(over(s)), words) })
}

func fuzzed(c *azhttp.Resources) *automation.Runbook {
	x := settings(byID)
	x.RunOn = "workers"
	return automation.NewRunbook("r", c, x, shopID)
}

// FuzzJob: what is answered to everything that is asked of a runbook and its jobs.
func FuzzJob(f *testing.F) {
	first := fuzzed(nil).FirstJob(publication(1))
	honest := func(status string) string {
		return `{"id":"x","name":"` + first + `","properties":{"jobId":"` + first + `","runbook":{"name":"` + byID + `"},"status":"` + status + `","creationTime":"2026-11-21T10:00:00.5+00:00","endTime":null,"exception":"` + quoted + `","parameters":{"ClientSecret":"` + quoted + `"}}}`
	}
	for _, status := range []string{"Completed", "Failed", "Running", quoted} {
		f.Add([]byte(honest(status)))
	}
	for _, b := range badinput.Broken(honest("Completed")) {
		f.Add(b)
	}
	for _, s := range []string{"null", `{"name":"` + byID + `","properties":{"state":"Published","parameters":{"SecretId":null,"` + quoted + `":{"isMandatory":true}}}}`, `{"name":"` + byID + `","properties":{"state":"New"}}`,
		`{"name":"workers","value":[{"actions":["*/read",null],"notActions":["*"]},null],"nextLink":"x"}`, `{"name":"` + first + `","properties":{"status":"Completed","runbook":{"name":"` + byID + `"},"endTime":"0000-13-45T99:00:00Z","creationTime":"9999-12-31T23:59:59Z"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		badinput.Bounded(t, 40*len(body), func() {
			asked(t, &badinput.Service{Body: body}, func(c *azhttp.Resources) driver.Consumer { return fuzzed(c) })
		})
	})
}

// FuzzAsset: what is answered to everything that is asked of a variable.
func FuzzAsset(f *testing.F) {
	const honest = `{"id":"x","name":"V","properties":{"isEncrypted":true,"description":"by hand [rekey 01m7y2pqh4tqpq43th 2026-11-21T10:00:00Z]","value":"` + quoted + `"},"value":[{"actions":["*"],"notActions":[]}]}`
	for _, b := range badinput.Broken(honest) {
		f.Add(b)
	}
	f.Add([]byte(`{"name":"v","properties":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		badinput.Bounded(t, 20*len(body), func() {
			asked(t, &badinput.Service{Body: body}, func(c *azhttp.Resources) driver.Consumer {
				return automation.NewVariable("v", c, automation.VariableSettings{Account: accountID(), Name: "V"})
			})
		})
	})
}

// FuzzResourceRefusal: what is answered in place of success, to every call of Resource Manager's.
func FuzzResourceRefusal(f *testing.F) {
	for _, s := range []string{`{"error":{"code":"AuthorizationFailed","message":"` + quoted + `"}}`, `{"code":"BadRequest","message":"` + quoted + `"}`, `{"code":"` + quoted + `","error":null}`} {
		for _, b := range badinput.Broken(s) {
			f.Add(b, 403, "application/json")
		}
		f.Add([]byte(s), 404, "text/html")
		f.Add([]byte(s), 409, quoted)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int, media string) {
		if status < 300 || status > 499 || status == 429 || status == 408 {
			return
		}
		badinput.Bounded(t, 20*len(body), func() {
			asked(t, &badinput.Service{Status: status, Body: body, Header: http.Header{"Content-Type": {media}}}, func(c *azhttp.Resources) driver.Consumer { return fuzzed(c) })
		})
	})
}
