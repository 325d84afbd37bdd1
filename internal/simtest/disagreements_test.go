package simtest

import (
	"flag"
	"fmt"
	"os"
	"path"
	"regexp"
	"sync"
	"testing"

	"github.com/rekeyhq/rekey/internal/simtest/openapi"
)

// disagreement is a place in which the service is known, from recordings or from Microsoft's own examples, to differ
// from Microsoft's file. It excuses exactly that.
type disagreement struct {
	files      string // path.Match
	operations string // regular expression
	side       string // "request", "answer"
	rule       string
	at         string // regular expression
	status     int    // 0: any
	why        string
}

var disagreements = []*disagreement{
	{"azure/keyvault-secrets/*/secrets.json", "Get(Deleted)?Secrets|GetSecretVersions", "answer", "null", `^body\.nextLink$`, 200,
		"recorded lists always carry nextLink, null included; the files do not call it nullable"},
	{"azure/keyvault-secrets/*/secrets.json", "SetSecret|UpdateSecret|RestoreSecret", "request", "required", `^body$`, 401,
		"clients send the first request without token and body, to be told where to get a token"},
	{"azure/authorization/stable/2022-04-01/*.json", "RoleAssignments_.*", "answer", "null",
		`\.properties\.(condition|conditionVersion|description|createdBy|delegatedManagedIdentityResourceId)$`, 0,
		"recorded assignments have these members as null when they are unset, createdBy in the answer to PUT too"},
	{"azure/authorization/stable/2022-04-01/*.json", "RoleDefinitions_.*", "answer", "null", `\.properties\.(createdBy|updatedBy)$`, 200,
		"nobody made the built-in roles; the documentation shows both members as null"},
	{"azure/logs-ingestion/2023-01-01/*.json", "Upload", "answer", "unsupported", `^body$`, 403,
		"the form of its errors is in a file that is not among the copies"},
	{"azure/authorization/stable/2020-10-01/*.json", "RoleAssignmentScheduleRequests_.*|RoleEligibilityScheduleRequests_.*", "answer", "null",
		`\.properties\.(approvalId|justification|targetRole(Assignment|Eligibility)ScheduleInstanceId|scheduleInfo\.expiration\.(endDateTime|duration)|ticketInfo\.ticket(Number|System))$`, 0,
		"the examples have these members as null when they are unset"},
	{"azure/authorization/stable/2020-10-01/*.json", "RoleManagementPolic.*", "answer", "null", `\.properties\.(displayName|description|lastModifiedBy\.(id|type|email))$|ules\[\]\.(target|setting)\.`, 200,
		"the examples have these members as null"},
	{"azure/authorization/stable/2020-10-01/*.json", "RoleManagementPolic.*", "answer", "unknown", `ules\[\]\.[a-zA-Z]+$`, 200,
		"what a rule has depends on its ruleType; the files have its common members alone where rules are listed"},
	{"azure/authorization/stable/2020-10-01/*.json", "RoleManagementPolicies_Update", "request", "unknown", `ules\[\]\.[a-zA-Z]+$`, 0,
		"as in the answers"},
	{"azure/keyvault-secrets/*/secrets.json", "Get(Deleted)?Secrets|GetSecretVersions", "request", "unknown", `^query\.\$skiptoken$`, 0,
		"it comes from nextLink, whose address is the service's own affair; recorded ones have $skiptoken"},
	{"azure-devops/tokens/*/tokens.json", "Pats_Revoke", "answer", "status", `^status\.204$`, 204,
		"the file's own example answers 204; its table says a generic 200"},
	{"azure-devops/tokens/*/tokens.json", "Pats_.*", "answer", "null", `^body\.(patToken|patTokens\[\])(\.(token|targetAccounts))?$`, 200,
		"the examples have token null wherever it is not new, targetAccounts null stands for all organisations, and an error comes with patToken null"},
	{"azure-devops/tokens/7.2/tokens.json", "Pats_(Create|Get|Update)", "answer", "null", `^body\.patTokenErrorMessage$`, 200,
		"there is a message only where there is an error to tell of"},
	{"azure-devops/core/*/core.json", "Projects_Get", "answer", "unknown", `^body\._links\.`, 200,
		"ReferenceLinks is written as the map that it holds, without the member links"},
	{"azure-devops/profile/*/profile.json", "Profiles_Get", "answer", "unknown", `^body\.(displayName|emailAddress|publicAlias)$`, 200,
		"the core attributes of one's own profile are members of it on the wire"},
	{"azure-devops/serviceEndpoint/*/*.json", "Endpoints_.*", "answer", "null", `^body\.authorization\.parameters\.\*$`, 200,
		"the examples have a secret as null where one connection is answered; clients put it back like that"},
	{"azure-devops/serviceEndpoint/*/*.json", "Endpoints_.*", "request", "null", `^body\.authorization\.parameters\.\*$`, 0,
		"a connection is put back as it was read, and null keeps a secret"},
	{"azure-devops/serviceEndpoint/*/*.json", "Endpoints_.*", "answer", "unknown", `\.operationStatus\.(state|statusMessage)$`, 200,
		"JObject stands for any object; Microsoft's Terraform provider reads these two"},
	{"azure-devops/serviceEndpoint/*/*.json", "Endpoints_Update Service Endpoint", "request", "unknown", `^body\.operationStatus\.(state|statusMessage)$`, 0,
		"a connection is put back as it was read"},
	{"azure-devops/serviceEndpoint/*/*.json", "Endpoints_(Delete|Share Service Endpoint)", "answer", "status", `^status\.204$`, 204,
		"the examples answer 204; the files' tables say a generic 200"},
	{"azure-devops/serviceEndpoint/*/*.json", "Endpoints_Get Service Endpoints", "answer", "type", `^body$`, 200,
		"lists are wrapped as {count, value} on the wire; the files give the bare array"},
	{"azure-devops/serviceEndpoint/*/*.json", "Endpointproxy_Query", "request", "unknown", `^(query\.endpointId|body\.(dataSourceDetails|resultTransformationDetails))$`, 0,
		"the files describe an older request of that address; the example of today's is among them"},
	{"azure-devops/serviceEndpoint/*/*.json", "Endpointproxy_Query", "answer", "type", `^body$`, 200,
		"the files describe an older request of that address; the example of today's answers one object"},
	{"azure-devops/distributedTask/*/taskAgent.json", "Variablegroups_.*", "answer", "null", `\.variables\.\*\.value$|^body\[\]\.variableGroupProjectReferences$|^body\.(created|modified)By\.displayName$`, 200,
		"recorded: a secret's value is null, a list has no references, and the answer to a write no names"},
	{"azure-devops/distributedTask/*/taskAgent.json", "Variablegroups_.*", "answer", "unknown", `\.variables\.\*\.(enabled|contentType|expires)$`, 200,
		"the variables of a group that is linked to a vault have these, too"},
	{"azure-devops/distributedTask/*/taskAgent.json", "Variablegroups_.*", "request", "null", `^body\.variables\.\*\.value$`, 0,
		"Microsoft's command line sends a secret that is to stay as null (recorded)"},
	{"azure-devops/distributedTask/*/taskAgent.json", "Variablegroups_(Delete|Share Variable Group)", "answer", "status", `^status\.204$`, 204,
		"recorded: 204; the files' tables say a generic 200"},
	{"azure-devops/distributedTask/*/taskAgent.json", "Variablegroups_Get Variable Groups By Id", "answer", "type", `^body$`, 200,
		"lists are wrapped as {count, value} on the wire; the files give the bare array"},
	{"azure/automation/2023-11-01/job.json", "Job_(Create|Get)", "answer", "null", `^body\.properties\.exception$`, 0,
		"the file's own examples have it as null where there is none"},
	{"azure/automation/2023-11-01/*.json", ".*", "answer", "unknown", `^body\.error$`, 403,
		"what Resource Manager itself refuses is wrapped in error; the service's own errors are flat"},
	{"azure-devops/*/*/*.json", ".*", "answer", "status", `^status\.4\d\d$`, 0,
		"the files list successes alone; errors are held to the recorded envelope instead"},
	{"azure-devops/core/*/core.json", "Projects_List", "answer", "type", `^body$`, 200,
		"lists are wrapped as {count, value} on the wire; the files give the bare array"},
	{graphFile, ".*", "answer", "unknown", `\.@odata\.(context|type)$`, 0,
		"control information of OData, which every answer has and the file leaves out"},
	{graphFile, "application_ListOwner", "answer", "unknown", `^body\.value\[\]\.[A-Za-z0-9]+$`, 200,
		"an owner is a user or a service principal, and has the members of one; the file gives those of a directory object"},
	{graphFile, "application_ListOwnerGraphBPreRef", "answer", "type", `^body\.value\[\]$`, 200,
		"a reference is an object with an @odata.id; the file says a string"},
	{graphFile, "application_GetApplication", "answer", "format", `^body\.keyCredentials\[\]\.key$`, 200,
		"Microsoft's examples have certificates in ordinary base64; the file says base64url"},
	{graphFile, "application_addKey", "request", "format", `^body\.keyCredential\.key$`, 0,
		"Microsoft's examples have certificates in ordinary base64; the file says base64url"},
	{graphFile, "application_addKey", "request", "null", `^body\.passwordCredential$`, 0,
		"the documentation says to set it to null for a certificate alone"},
}

// needed are the disagreements that excused something, over all tests.
var needed sync.Map

// TestMain looks, after a run of all tests, for excuses that nothing needed: each of them would hide a mistake.
func TestMain(m *testing.M) {
	code := m.Run()
	some := false
	needed.Range(func(any, any) bool { some = true; return false })
	if code == 0 && some && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" {
		for _, d := range disagreements {
			if _, ok := needed.Load(d); !ok {
				fmt.Fprintf(os.Stderr, "an excuse that nothing needed: %s %s %s %s at %s: %s\n", d.files, d.operations, d.side, d.rule, d.at, d.why)
				code = 1
			}
		}
	}
	os.Exit(code)
}

func (b *book) excused(o *openapi.Operation, x exchange, side string, v openapi.Violation) bool {
	for _, d := range disagreements {
		inFile, err := path.Match(d.files, o.File)
		if err == nil && inFile && d.side == side && d.rule == v.Rule && (d.status == 0 || d.status == x.status) &&
			regexp.MustCompile("^("+d.operations+")$").MatchString(o.ID) && regexp.MustCompile(d.at).MatchString(v.At) {
			needed.Store(d, true)
			return true
		}
	}
	return false
}
