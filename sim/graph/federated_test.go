package graph

import (
	"slices"
	"testing"
)

func TestAFederatedCredentialsLife(t *testing.T) {
	const ci = "032af216-446e-4fb2-8dac-c20c0a93b12b"
	x := newBed(t)
	token := x.with(appWrite)
	path := byApp(ci) + "/federatedIdentityCredentials"
	body := `{"name":"dev","issuer":"https://token.actions.githubusercontent.com","subject":"repo:contoso/platform:ref:refs/heads/dev","audiences":["api://AzureADTokenExchange"]}`
	made := x.post(token, path, body).is(201)
	x.post(token, path, body).refused(409, "Request_MultipleObjectsWithSameKeyValue", "dev")
	x.post(token, path, `{"name":"other"}`).refused(400, "Request_BadRequest", "required")
	if got := x.get(token, path).is(200).names("name"); !slices.Contains(got, "dev") || len(got) != 2 {
		t.Errorf("%q", got)
	}
	if got := x.get(token, path+"(name='dev')").is(200).text("id"); got != made.text("id") {
		t.Errorf("%s", got)
	}
	x.delete(x.worker(ownedBy), path+"/"+made.text("id")).refused(403, "Authorization_RequestDenied", "")
	x.delete(token, path+"/"+made.text("id")).is(204)
	x.get(token, path+"/"+made.text("id")).refused(404, "Request_ResourceNotFound", made.text("id"))
}
