package simtest

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/simtest/openapi"
)

// volume says which files describe what a host answers, for which versions of its API.
type volume struct {
	host    string // path.Match
	version string // regular expression over api-version
	own     bool   // lies in testdata
	files   []string
}

var volumes = []volume{
	{"*.vault.azure.net", `^7\.[0-5]$`, false, []string{"azure/keyvault-secrets/7.5/secrets.json"}},
	{"*.vault.azure.net", `^(7\.6|20\d\d-\d\d-\d\d)$`, false, []string{"azure/keyvault-secrets/2026-04-01/secrets.json"}},
	{"management.azure.com", `^2022-04-01$`, false, []string{
		"azure/authorization/stable/2022-04-01/authorization-RoleAssignmentsCalls.json",
		"azure/authorization/stable/2022-04-01/authorization-RoleDefinitionsCalls.json",
	}},
	{"management.azure.com", `^2020-10-01$`, false, []string{
		"azure/authorization/stable/2020-10-01/RoleAssignmentScheduleRequest.json", "azure/authorization/stable/2020-10-01/RoleAssignmentSchedule.json",
		"azure/authorization/stable/2020-10-01/RoleAssignmentScheduleInstance.json", "azure/authorization/stable/2020-10-01/RoleEligibilityScheduleRequest.json",
		"azure/authorization/stable/2020-10-01/RoleEligibilitySchedule.json", "azure/authorization/stable/2020-10-01/RoleEligibilityScheduleInstance.json",
		"azure/authorization/stable/2020-10-01/RoleManagementPolicy.json", "azure/authorization/stable/2020-10-01/RoleManagementPolicyAssignment.json",
		"azure/authorization/stable/2020-10-01/EligibleChildResources.json",
	}},
	{"*.ingest.monitor.azure.com", `^2023-01-01$`, false, []string{"azure/logs-ingestion/2023-01-01/DataCollectionRules.json"}},
	{"graph.microsoft.com", ``, false, []string{graphFile}},
	{"management.azure.com", `^2023-11-01$`, false, []string{
		"azure/automation/2023-11-01/job.json", "azure/automation/2023-11-01/runbook.json", "azure/automation/2023-11-01/variable.json",
		"azure/automation/2023-11-01/credential.json", "azure/automation/2023-11-01/hybridRunbookWorkerGroup.json",
	}},
	{"management.azure.com", `^2016-06-01$`, false, []string{"azure/web-connections/2016-06-01/logicAppsManagementClient.json"}},
	{"dev.azure.com", `^7\.1(-preview(\.[1-4])?)?$`, false, []string{"azure-devops/serviceEndpoint/7.1/serviceEndpoint.json", "azure-devops/distributedTask/7.1/taskAgent.json"}},
	{"dev.azure.com", `^7\.2-preview(\.[1-4])?$`, false, []string{"azure-devops/serviceEndpoint/7.2/serviceEndpoint.json", "azure-devops/distributedTask/7.2/taskAgent.json"}},
	{"vssps.dev.azure.com", `^7\.1(-preview(\.1)?)?$`, false, []string{"azure-devops/tokens/7.1/tokens.json"}},
	{"vssps.dev.azure.com", `^7\.2(-preview(\.1)?)?$`, false, []string{"azure-devops/tokens/7.2/tokens.json"}},
	{"dev.azure.com", `^7\.1(-preview(\.4)?)?$`, false, []string{"azure-devops/core/7.1/core.json"}},
	{"dev.azure.com", `^7\.2(-preview(\.4)?)?$`, false, []string{"azure-devops/core/7.2/core.json"}},
	{"app.vssps.visualstudio.com", `^7\.1(-preview(\.3)?)?$`, false, []string{"azure-devops/profile/7.1/profile.json", "azure-devops/account/7.1/accounts.json"}},
	{"app.vssps.visualstudio.com", `^7\.2(-preview(\.3)?)?$`, false, []string{"azure-devops/profile/7.2/profile.json", "azure-devops/account/7.2/accounts.json"}},
	{"dev.azure.com", ``, true, []string{"testdata/devops.json"}},
	{"login.microsoftonline.com", ``, true, []string{"testdata/entra.json"}},
	{"localhost", ``, true, []string{"testdata/entra.json"}},
	{"169.254.169.254", ``, true, []string{"testdata/entra.json"}},
	{"127.0.0.1", ``, true, []string{"testdata/entra.json"}},
}

//go:embed testdata/*.json
var testdata embed.FS

// specs is the folder with Microsoft's files, which lies beside the module; without it the test is skipped.
func specs(t *testing.T) fs.FS {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no module root above the test: nothing was held to Microsoft's OpenAPI files")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "specs")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/specs is absent: nothing was held to Microsoft's OpenAPI files")
	}
	return withGraph(os.DirFS(dir))
}

// book is all files, as far as they were opened.
type book struct {
	microsoft, own *openapi.Files
	operations     map[string][]*openapi.Operation
}

func newBook(t *testing.T) *book {
	t.Helper()
	return &book{openapi.Open(specs(t)), openapi.Open(testdata), map[string][]*openapi.Operation{}}
}

// exchange is one request and its answer.
type exchange struct {
	method string
	url    *url.URL
	sent   http.Header
	body   []byte

	status int
	got    http.Header
	answer []byte
}

func (x exchange) String() string {
	return fmt.Sprintf("%s %s%s -> %d", x.method, x.url.Hostname(), x.url.Path, x.status)
}

// query is the query with the api-version that Azure DevOps takes from the Accept header too.
func (x exchange) query() url.Values {
	q := x.url.Query()
	if q.Has("api-version") {
		return q
	}
	if _, v, ok := strings.Cut(x.sent.Get("Accept"), "api-version="); ok {
		v, _, _ = strings.Cut(v, ";")
		q.Set("api-version", strings.TrimSpace(v))
	}
	return q
}

// secretAlone is how people, and most clients, ask for a secret's newest version; the files know it only with the
// version left empty.
var secretAlone = regexp.MustCompile(`^/secrets/[^/]+$`)

// operation finds what an exchange is, in any file.
func (b *book) operation(x exchange) (*openapi.Operation, error) {
	at := x.url.EscapedPath()
	if strings.HasSuffix(x.url.Hostname(), ".vault.azure.net") && secretAlone.MatchString(at) && (x.method == "GET" || x.method == "PATCH") {
		at += "/"
	}
	version := x.query().Get("api-version")
	for _, v := range volumes {
		if ok, _ := path.Match(v.host, x.url.Hostname()); !ok || !regexp.MustCompile(v.version).MatchString(version) {
			continue
		}
		files := b.microsoft
		if v.own {
			files = b.own
		}
		var all []*openapi.Operation
		for _, file := range v.files {
			if b.operations[file] == nil {
				found, err := files.Operations(file)
				if err != nil {
					return nil, err
				}
				b.operations[file] = found
			}
			all = append(all, b.operations[file]...)
		}
		if o := openapi.Find(all, x.method, at, x.query()); o != nil {
			return o, nil
		}
	}
	return nil, fmt.Errorf("no file describes it with api-version %q", version)
}

// judge holds an exchange to its operation. What is left after the known disagreements is wrong.
func (b *book) judge(x exchange) (operation string, wrong []string) {
	o, err := b.operation(x)
	if err != nil {
		return "", []string{err.Error()}
	}
	at := x.url.EscapedPath()
	if strings.HasSuffix(o.Template, "{secret-version}") && secretAlone.MatchString(at) {
		at += "/"
	}
	say := func(side string, found []openapi.Violation) {
		for _, v := range found {
			if !b.excused(o, x, side, v) {
				wrong = append(wrong, side+": "+v.String())
			}
		}
	}
	say("request", o.CheckRequest(openapi.Request{Path: at, Query: x.query(), Header: x.sent, Body: x.body}))
	if strings.HasPrefix(o.File, "azure-devops/") {
		// Recorded answers, errors above all, start with a byte order mark now and then; its clients expect it.
		x.answer = bytes.TrimPrefix(x.answer, []byte("\ufeff"))
	}
	answer := openapi.Answer{Status: x.status, Header: x.got, Body: x.answer}
	found := o.CheckAnswer(answer)
	say("answer", found)
	if items, ok := unwrap(x.answer); ok && slices.ContainsFunc(found, notAnArray) {
		answer.Body = items
		say("answer", o.CheckAnswer(answer))
	}
	if x.status >= 400 && len(x.answer) > 0 && strings.HasPrefix(o.File, "azure-devops/") {
		say("answer", b.own.CheckBody("testdata/devops.json", "/definitions/Exception", x.answer))
	}
	return o.ID, wrong
}

func notAnArray(v openapi.Violation) bool {
	return v == openapi.Violation{Rule: "type", At: "body", Text: "not an array"}
}

// unwrap takes the list out of Azure DevOps's envelope.
func unwrap(answer []byte) (items []byte, ok bool) {
	var list struct {
		Count *int
		Value []json.RawMessage
	}
	if json.Unmarshal(answer, &list) != nil || list.Count == nil || *list.Count != len(list.Value) {
		return nil, false
	}
	items, err := json.Marshal(list.Value)
	return items, err == nil
}
