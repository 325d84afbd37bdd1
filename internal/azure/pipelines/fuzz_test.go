package pipelines_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
	"github.com/rekeyhq/rekey/sim/world"
)

func over(s *badinput.Service) *pipelines.Client {
	return pipelines.NewClient(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), hostile.Nobody{})
}

// quoted is what the fuzzed bodies quote; no error may repeat it.
const quoted = badinput.Secret

// words wants an error to be ours, and to quote nothing of the answer.
func words(t *testing.T, err error) { t.Helper(); hostile.Own(t, err, 900) }

const (
	honestEndpoint = `{"id":"` + world.EndpointDevOps + `","name":"n","type":"azuredevops","url":"https://dev.azure.com/fabrikam","isReady":true,"description":"d [rekey 01m7y2pqh4tqpq43th 2026-11-21T10:00:00Z]",` +
		`"data":{"creationMode":"Manual"},"authorization":{"scheme":"Token","parameters":{"apitoken":null,"AccessToken":"` + quoted + `"}},"operationStatus":{"state":"Ready","statusMessage":"` + quoted + `"},` +
		`"serviceEndpointProjectReferences":[{"projectReference":{"id":"x","name":"platform"},"name":"n","description":"d"},null],"statusCode":"ok"}`
	honestGroup = `{"count":1,"id":7,"type":"Vsts","name":"n","variables":{"V":{"value":null,"isSecret":true},"V.rekey":{"value":"01m7y2pqh4tqpq43th"},"O":{"value":"` + quoted + `"}},` +
		`"variableGroupProjectReferences":[{"projectReference":{"id":"x","name":"platform"}}],"value":[{"id":7,"type":"Vsts","variables":{"V":{"isSecret":true}}}]}`
	honestRefusal = `{"$id":"1","message":"` + quoted + `","typeName":"X, Y","typeKey":"AccessCheckException","errorCode":0,"eventId":3000}`
)

// asked is everything that a consumer can be asked, of a service that answers all of it alike.
func asked(t *testing.T, s *badinput.Service, make func(*pipelines.Client) driver.Consumer) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if hostile.AskConsumer(t, s, make(over(s)), words) {
			t.Error("what an answer of before says is taken for what was told")
		}
	})
}

// FuzzEndpoint: what is answered to everything that is asked of a service connection.
func FuzzEndpoint(f *testing.F) {
	for _, b := range badinput.Broken(honestEndpoint) {
		f.Add(b)
	}
	for _, s := range []string{"null", `{"id":"` + world.EndpointDevOps + `","type":"t","authorization":null}`, strings.Replace(honestEndpoint, `"isReady":true`, `"isReady":false`, 1), strings.Replace(honestEndpoint, `"parameters":{`, `"parameters":null,"x":{`, 1), strings.Replace(honestEndpoint, `"ok"`, `"`+quoted+`"`, 1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		badinput.Bounded(t, 40*len(body), func() {
			asked(t, &badinput.Service{Body: body}, func(c *pipelines.Client) driver.Consumer {
				return pipelines.NewConnection("c", c, pipelines.ConnectionSettings{Organization: "contoso", Project: project, ID: world.EndpointDevOps}, pipelines.Use{})
			})
		})
	})
}

// FuzzGroup: what is answered to everything that is asked of a variable group.
func FuzzGroup(f *testing.F) {
	for _, b := range badinput.Broken(honestGroup) {
		f.Add(b)
	}
	for _, s := range []string{"null", `{"id":7,"variables":null,"value":[null]}`, `{"id":7,"variables":{"V":null},"value":[{"id":7}]}`, `{"id":7,"variables":{"v":{"isSecret":true}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		badinput.Bounded(t, 20*len(body), func() {
			asked(t, &badinput.Service{Body: body}, func(c *pipelines.Client) driver.Consumer { return group(c, 7, "V") })
		})
	})
}

// FuzzRefusal: what is answered in place of success, to every call.
func FuzzRefusal(f *testing.F) {
	for _, b := range badinput.Broken(honestRefusal) {
		f.Add(b, 403, "application/json")
	}
	f.Add([]byte(`{"typeKey":"`+quoted+`"}`), 401, "text/html")
	f.Add([]byte(quoted), 404, quoted)
	f.Fuzz(func(t *testing.T, body []byte, status int, media string) {
		if status < 300 || status > 499 || status == 429 || status == 408 {
			return
		}
		badinput.Bounded(t, 20*len(body), func() {
			asked(t, &badinput.Service{Status: status, Body: body, Header: http.Header{"Content-Type": {media}}}, func(c *pipelines.Client) driver.Consumer { return group(c, 7, "V") })
		})
	})
}
