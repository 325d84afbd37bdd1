package devops_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/devops"
	"github.com/rekeyhq/rekey/sim/world"
)

// specs is the folder with Microsoft's own OpenAPI files, which lies beside the module; without it the test is
// skipped.
func specs(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no module root above the test: Microsoft's specifications were not looked at")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "specs", "azure-devops")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/specs/azure-devops is absent: Microsoft's specifications were not looked at")
	}
	return dir
}

func readSpec(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\ufeff")), v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// shape is a JSON value with its leaves replaced by the kind of value that they are: two answers of one shape differ
// in values alone. Arrays have the shape of their first element.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = shape(x)
		}
		return out
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return []any{shape(v[0])}
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); err == nil && strings.HasSuffix(v, "Z") {
			return "date"
		}
		if regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f-]{27}$`).MatchString(v) {
			return "uuid"
		}
		return "string"
	}
	return fmt.Sprintf("%T", v)
}

type example struct {
	Method     string         `json:"x-ms-vss-request-method"`
	URL        string         `json:"x-ms-vss-request-url"`
	Parameters map[string]any `json:"parameters"`
	Responses  map[string]struct {
		Body map[string]any `json:"body"`
	} `json:"responses"`
}

// Each of Microsoft's examples is sent as it stands, in the year that it is from, and answered in the same shape.
func TestMicrosoftsExamplesAreAnsweredInTheirOwnShape(t *testing.T) {
	root := specs(t)
	paths, err := filepath.Glob(filepath.Join(root, "tokens", "7.*", "httpExamples", "Pats", "*.json"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d examples, %v", len(paths), err)
	}
	for _, path := range paths {
		rel, _ := filepath.Rel(root, path)
		t.Run(rel, func(t *testing.T) {
			var ex example
			readSpec(t, path, &ex)
			if ex.Method == "" {
				t.Fatal("the example names no method")
			}
			e := exampleEnv(t)
			body := ""
			if b, ok := ex.Parameters["body"]; ok {
				j, _ := json.Marshal(b)
				body = string(j)
			}
			a := e.do(ex.Method, ex.URL, e.owner(), body)
			want, ok := ex.Responses[fmt.Sprint(a.status)]
			if !ok {
				t.Fatalf("status %d, body %s; the example has %v", a.status, a.body, slices.Collect(maps.Keys(ex.Responses)))
			}
			if len(want.Body) == 0 {
				if len(a.body) != 0 {
					t.Errorf("body %s, want none", a.body)
				}
				return
			}
			got, _ := json.Marshal(shape(a.object()))
			exp, _ := json.Marshal(shape(want.Body))
			if string(got) != string(exp) {
				t.Errorf("answer  %s\nexample %s", got, exp)
			}
			if ex.Method == "PUT" {
				if p, w := a.pat(), want.Body["patToken"].(map[string]any); p["validTo"] != w["validTo"] {
					t.Errorf("validTo %v, the example has %v", p["validTo"], w["validTo"])
				}
			}
		})
	}
}

// exampleEnv is the world that the examples were made in: organisation fabrikam in November 2020.
func exampleEnv(t *testing.T) *env {
	at := time.Date(2020, 11, 2, 22, 56, 52, 103_000_000, time.UTC)
	pat := func(id, name string, global bool) *world.PAT {
		return &world.PAT{AuthorizationID: id, OwnerID: alice, Name: name, Scope: "vso.analytics", ValidFrom: at, ValidTo: at.Add(30 * day), AllOrgs: global}
	}
	w := world.New(world.State{
		Users: []*world.User{{ID: alice, TenantID: world.TenantID, UPN: "alice@contoso.onmicrosoft.com", Name: "alice"}},
		Organizations: []*world.Organization{{
			ID: fabrikamID, Name: "fabrikam", TenantID: world.TenantID, Members: []string{alice},
			PATs: []*world.PAT{
				pat("4c60c9ed-a378-4883-af16-d655ca025b11", "all_access_token", true),
				pat("3d3aca0c-9ad3-4b07-8334-08ec8b1ddc32", "analytics_token", false),
				pat("cf42cc9f-f170-4375-92ba-c13d58a6545f", "read_token", false),
			},
		}},
	}, func() time.Time { return at })
	return newEnvOf(t, w)
}

func TestEveryScopeOfTheSpecificationsIsAScopeOfPats(t *testing.T) {
	root := specs(t)
	e := newEnv(t)
	e.k.AllowPatsScope = true
	owner := e.owner()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" || strings.Contains(path, "httpExamples") {
			return err
		}
		var doc struct {
			SecurityDefinitions map[string]struct{ Scopes map[string]string }
		}
		readSpec(t, path, &doc)
		for _, def := range doc.SecurityDefinitions {
			for scope := range def.Scopes {
				found[scope] = found[scope] || strings.HasPrefix(scope, "vso.")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, scope := range slices.Sorted(maps.Keys(found)) {
		if found[scope] {
			n++
			e.create(owner, `{"displayName":"x","scope":"`+scope+`"}`).pat()
		}
	}
	if n < 10 {
		t.Errorf("the specifications have %d scopes", n)
	}
}

// The names of errors and members are compared with the definitions, which know more than the examples.
func TestAnswersUseTheNamesOfTheDefinitions(t *testing.T) {
	root := specs(t)
	var doc struct {
		Definitions map[string]struct {
			Properties map[string]struct{ Enum []string }
		}
	}
	readSpec(t, filepath.Join(root, "tokens", "7.2", "tokens.json"), &doc)
	e := newEnv(t)
	owner := e.owner()
	known := func(definition string, o map[string]any) {
		t.Helper()
		for k := range o {
			if _, ok := doc.Definitions[definition].Properties[k]; !ok {
				t.Errorf("%s has no %s", definition, k)
			}
		}
	}
	made := e.do("POST", pats+"?api-version=7.2-preview.1", owner, `{"displayName":"x","scope":"vso.code"}`)
	known("PatTokenResult", made.object())
	known("PatToken", made.pat())
	known("PagedPatTokens", e.get(pats+v71, owner).object())
	errors := doc.Definitions["PatTokenResult"].Properties["patTokenError"].Enum
	if len(errors) < 30 {
		t.Fatalf("the specification has %d errors", len(errors))
	}
	for _, code := range append(devops.PatErrors(), "none") {
		if !slices.Contains(errors, code) {
			t.Errorf("%s is no error of the specification", code)
		}
	}
}
