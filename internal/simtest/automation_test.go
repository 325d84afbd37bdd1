package simtest

import (
	"net/http"
	"testing"

	"github.com/rekeyhq/rekey/sim/world"
)

const armResource = "https://management.azure.com"

func TestAutomationIsThatOfTheFile(t *testing.T) {
	r := record(t, nil)
	bearer := r.identityToken(armResource)
	at := armResource + world.BuiltIn().AutomationAccounts[0].ResourceID()
	const v = "?api-version=2023-11-01"
	const secretID = "https://kv-apps.vault.azure.net/secrets/shop-web"
	job := at + "/jobs/0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e6f"
	r.call("GET", at+"/runbooks"+v, bearer, "", 200)
	r.call("GET", at+"/runbooks/Set-ReportingSecret"+v, bearer, "", 200)
	r.call("GET", at+"/hybridRunbookWorkerGroups"+v, bearer, "", 200)
	r.call("GET", at+"/hybridRunbookWorkerGroups/"+world.WorkerGroupName+v, bearer, "", 200)
	made := r.call("PUT", job+v, bearer, `{"properties":{"runbook":{"name":"Update-ShopCredential"},"parameters":{"SecretId":"`+secretID+`"},"runOn":"`+world.WorkerGroupName+`"}}`, 201)
	if made["properties"].(map[string]any)["status"] != "New" {
		t.Errorf("made %v", made)
	}
	if got := r.call("GET", job+v, bearer, "", 200); got["properties"].(map[string]any)["status"] != "Completed" {
		t.Errorf("it is %v", got)
	}
	r.call("PUT", job+v, bearer, `{"properties":{"runbook":{"name":"Restart-Workers"}}}`, 409)
	r.call("PUT", at+"/jobs/failing"+v, bearer, `{"properties":{"runbook":{"name":"Set-ReportingSecret"},"parameters":{"ClientSecret":"wrong"}}}`, 201)
	r.call("GET", at+"/jobs/failing"+v, bearer, "", 200)
	r.call("GET", at+"/jobs"+v, bearer, "", 200)
	r.call("GET", job+"/output"+v, bearer, "", 200)
	stream := member(r.call("GET", job+"/streams"+v, bearer, "", 200)["value"].([]any)[0].(map[string]any), "properties")["jobStreamId"].(string)
	r.call("GET", job+"/streams/"+stream+v, bearer, "", 200)
	r.call("GET", at+"/jobs/absent"+v, bearer, "", 404)

	r.call("PUT", at+"/variables/Fresh"+v, bearer, `{"name":"Fresh","properties":{"value":"\"x\"","description":"d","isEncrypted":true}}`, 201)
	r.call("PUT", at+"/variables/Fresh"+v, bearer, `{"name":"Fresh","properties":{"value":"\"y\""}}`, 200)
	r.call("PATCH", at+"/variables/Fresh"+v, bearer, `{"name":"Fresh","properties":{"value":"\"z\""}}`, 200)
	r.call("GET", at+"/variables/Fresh"+v, bearer, "", 200)
	r.call("GET", at+"/variables"+v, bearer, "", 200)
	r.call("PUT", at+"/credentials/Fresh"+v, bearer, `{"name":"Fresh","properties":{"userName":"u","password":"a password","description":"d"}}`, 201)
	r.call("PATCH", at+"/credentials/Fresh"+v, bearer, `{"name":"Fresh","properties":{"password":"another password"}}`, 200)
	r.call("GET", at+"/credentials/Fresh"+v, bearer, "", 200)
	r.call("GET", at+"/credentials"+v, bearer, "", 200)
	r.call("PUT", at+"/credentials/Fresh"+v, r.token("consumer", armResource+"/.default"), `{"name":"Fresh","properties":{"userName":"u","password":"a password"}}`, 403)
	r.hold("Runbook_ListByAutomationAccount 200", "Runbook_Get 200", "HybridRunbookWorkerGroup_ListByAutomationAccount 200", "HybridRunbookWorkerGroup_Get 200",
		"Job_Create 201", "Job_Create 409", "Job_Get 200", "Job_Get 404", "Job_ListByAutomationAccount 200", "Job_GetOutput 200", "JobStream_ListByJob 200", "JobStream_Get 200",
		"Variable_CreateOrUpdate 201", "Variable_CreateOrUpdate 200", "Variable_Update 200", "Variable_Get 200", "Variable_ListByAutomationAccount 200",
		"Credential_CreateOrUpdate 201", "Credential_Update 200", "Credential_Get 200", "Credential_ListByAutomationAccount 200", "Credential_CreateOrUpdate 403")
}

func TestWhatACallerMayDoIsThatOfTheFile(t *testing.T) {
	r := record(t, nil)
	const v = "/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
	group := armResource + "/subscriptions/" + world.SubscriptionID + "/resourcegroups/" + world.ResourceGroupApps
	r.call("GET", group+v, r.identityToken(armResource), "", 200)
	r.call("GET", group+v, r.token("consumer", armResource+"/.default"), "", 403)
	r.hold("Permissions_ListForResourceGroup 200", "Permissions_ListForResourceGroup 403")
}

// A request is its provider's by the last provider in its address, and the log and faults know it by that name.
func TestWhoAnswersBehindResourceManagerIsSeenInTheLog(t *testing.T) {
	r := record(t, nil)
	bearer := r.identityToken(armResource)
	account, connection := world.BuiltIn().AutomationAccounts[0].ResourceID(), world.BuiltIn().Connections[0].ResourceID()
	for address, want := range map[string]string{
		account + "?api-version=2023-11-01":                                                                "automation GetAutomationAccount",
		connection + "?api-version=2016-06-01":                                                             "connections GetConnection",
		account + "/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01":              "arm ListRoleAssignments",
		"/subscriptions/" + world.SubscriptionID + "/resources?api-version=2021-04-01":                     "arm ListResources",
		"/subscriptions/" + world.SubscriptionID + "/providers/Microsoft.Web/sites?api-version=2023-01-01": "appservice unknown",
		world.BuiltIn().Sites[0].ResourceID() + "?api-version=2022-03-01":                                  "appservice GetSite",
		"/subscriptions/" + world.SubscriptionID + "/providers/Microsoft.Web/kinds?api-version=2023-01-01": "connections unknown",
	} {
		r.sim.ResetRequests()
		req := must(http.NewRequest("GET", armResource+address, nil))(t)
		req.Header.Set("Authorization", "Bearer "+bearer)
		resp := must(r.client().Do(req))(t)
		resp.Body.Close()
		if seen := r.sim.Requests(); len(seen) != 1 || seen[0].Service+" "+seen[0].Operation != want || seen[0].Principal != "rekey" {
			t.Errorf("%s: %+v; want %s", address, seen, want)
		}
	}
	found := map[string]int{}
	for _, x := range r.call("GET", armResource+"/subscriptions/"+world.SubscriptionID+"/resources?api-version=2021-04-01", bearer, "", 200)["value"].([]any) {
		found[x.(map[string]any)["type"].(string)]++
	}
	if found["Microsoft.Automation/automationAccounts"] != 1 || found["Microsoft.Web/connections"] != 2 || found["Microsoft.Web/sites"] != 2 || found["Microsoft.Web/sites/slots"] != 1 {
		t.Errorf("listed are %v", found)
	}
}
