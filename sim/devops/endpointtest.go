package devops

import (
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// testRequest is a call that the service makes for its caller with a connection's credential.
type testRequest struct {
	Source struct {
		Name string `json:"dataSourceName"`
	} `json:"dataSourceDetails"`
	Details *struct {
		Type          string            `json:"type"`
		URL           string            `json:"url"`
		Data          map[string]string `json:"data"`
		Authorization *struct {
			Scheme     string             `json:"scheme"`
			Parameters map[string]*string `json:"parameters"`
		} `json:"authorization"`
	} `json:"serviceEndpointDetails"`
}

// testResult is the answer, which is 200 whatever came of it.
type testResult struct {
	Result       []any  `json:"result"`
	StatusCode   string `json:"statusCode"`
	ErrorMessage string `json:"errorMessage"`
}

func testFailed(status, message string) testResult {
	return testResult{Result: []any{}, StatusCode: status, ErrorMessage: message}
}

// testEndpoint tries what is stored, or what was sent where that is more: a client that sends the secret proves
// nothing of the one that is stored.
func (c *call) testEndpoint() {
	if !c.may("serviceendpoint_query", "serviceendpoint_manage") {
		return
	}
	var sent testRequest
	if !c.read(&sent) {
		return
	}
	id := c.query.get("endpointId")
	e := c.org.Endpoint(id)
	if e == nil || world.In(e.Projects, c.findProject(c.route.project).ID) == nil {
		c.noSuchEndpoint(id)
		return
	}
	if c.endpointRole(e) == roleReader {
		c.notEndpointAdministrator()
		return
	}
	tried := *e
	if d := sent.Details; d != nil {
		if d.Type != "" {
			tried.Type = d.Type
		}
		if d.URL != "" {
			tried.URL = d.URL
		}
		if len(d.Data) > 0 {
			tried.Data = d.Data
		}
		if a := d.Authorization; a != nil && a.Scheme != "" {
			tried.Scheme = a.Scheme
			tried.Parameters = c.parameters(a.Parameters, e)
		}
	}
	c.ok(c.try(sent.Source.Name, &tried))
}

// try is what comes of a test. The real service's words are known from people's reports only; that the outcome is in
// the body's statusCode is on record (facts 3.1).
func (c *call) try(source string, e *world.ServiceEndpoint) testResult {
	switch {
	case !strings.EqualFold(source, "TestConnection"), strings.EqualFold(e.Type, "generic"):
		return testFailed("badRequest", "Unable to find the data source '"+source+"' for an endpoint of type '"+e.Type+"'.")
	case c.s.w.Knobs.Endpoints.TestAlwaysOK:
		return testResult{Result: []any{}, StatusCode: "ok"}
	}
	_, value := e.Credential()
	use := e.Use()
	tried := c.s.w.Try(value, use)
	switch {
	case !strings.EqualFold(e.Type, "azurerm") && !tried.Works:
		return testFailed("unauthorized", "Failed to query service connection API: '"+coreHost+use.Organization+"/_apis/connectionData'. Status Code: 'Unauthorized', Response from server: ''")
	case !tried.Works:
		return testFailed("badRequest", "Failed to obtain the Json Web Token(JWT) using service principal client ID. Exception message: "+tried.Why)
	case strings.EqualFold(e.Type, "azurerm") && !c.knowsSubscription(use.ClientID, e.Datum("subscriptionId")):
		return testFailed("forbidden", "Failed to query service connection API: 'https://management.azure.com/subscriptions/"+e.Datum("subscriptionId")+"?api-version=2016-06-01'. Status Code: 'Forbidden', Response from server: 'AuthorizationFailed'")
	}
	return testResult{Result: []any{}, StatusCode: "ok"}
}

// knowsSubscription says whether an app's service principal can read a subscription, which is what the test asks for.
func (c *call) knowsSubscription(clientID, subscription string) bool {
	for _, a := range c.s.w.Apps {
		if strings.EqualFold(a.ClientID, clientID) {
			return c.s.w.Knows(a.ServicePrincipalID, subscription)
		}
	}
	return false
}
