package simtest

import (
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

func TestAPIConnectionsAreThoseOfTheFile(t *testing.T) {
	r := record(t, nil)
	bearer := r.identityToken(armResource)
	c := world.BuiltIn().Connections[0]
	at := armResource + c.ResourceID()
	all := strings.TrimSuffix(at, "/"+c.Name)
	const v = "?api-version=2016-06-01"
	body := func(secret string) string {
		return text(t, map[string]any{"location": "westeurope", "properties": map[string]any{
			"displayName":              "Reporting",
			"api":                      map[string]any{"id": "/subscriptions/" + world.SubscriptionID + "/providers/Microsoft.Web/locations/westeurope/managedApis/keyvault"},
			"parameterValues":          map[string]string{"token:clientId": world.AppReporting, "token:clientSecret": secret, "token:TenantId": world.TenantID, "token:grantType": "client_credentials"},
			"nonSecretParameterValues": map[string]string{"vaultName": "kv-apps"},
		}})
	}
	r.call("GET", all+v, bearer, "", 200)
	read := r.call("GET", at+v, bearer, "", 200)
	r.call("PUT", at+v, bearer, body(c.Values["token:clientSecret"]), 200)
	r.call("PUT", all+"/fresh"+v, bearer, body("wrong"), 201)
	r.call("PATCH", at+v, bearer, `{"tags":{"sampleTag":"SampleValue"}}`, 200)
	r.call("PUT", all+"/empty"+v, bearer, strings.Replace(body(""), "parameterValues", "customParameterValues", 1), 201)
	r.call("DELETE", all+"/fresh"+v, bearer, "", 200)
	r.call("DELETE", all+"/fresh"+v, bearer, "", 204)
	r.hold("Connections_List 200", "Connections_Get 200", "Connections_CreateOrUpdate 200", "Connections_CreateOrUpdate 201", "Connections_Update 200",
		"Connections_Delete 200", "Connections_Delete 204")

	// The test link is an address of the service's own, which no file describes.
	link := member(read, "properties")["testLinks"].([]any)[0].(map[string]any)["requestUri"].(string)
	r.call("GET", link, bearer, "", 200)
}
