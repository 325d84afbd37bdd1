package openapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// files are two small files that refer to each other, one of them with a byte order mark and laid in fewer folders
// than its references think.
func files() *Files {
	return Open(fstest.MapFS{
		"a/service.json": {Data: []byte("\ufeff" + `{
			"swagger": "2.0", "basePath": "/api/",
			"parameters": {"scope": {"name": "scope", "in": "path", "required": true, "type": "string", "x-ms-skip-url-encoding": true}},
			"paths": {
				"/things/{id}": {
					"parameters": [{"name": "id", "in": "path", "required": true, "type": "string", "pattern": "^[a-z]+$"}],
					"get": {"operationId": "Get", "parameters": [{"name": "key", "in": "query", "required": true, "type": "string"}],
						"responses": {"200": {"schema": {"$ref": "../../../common/types.json#/definitions/Thing"}}, "default": {"schema": {"$ref": "#/definitions/Err"}}}},
					"put": {"operationId": "Put", "parameters": [{"name": "body", "in": "body", "required": true, "schema": {"$ref": "../../../common/types.json#/definitions/Thing"}}],
						"responses": {"204": {}}}
				},
				"/{scope}/things/special": {"get": {"operationId": "Special", "parameters": [{"$ref": "#/parameters/scope"}], "responses": {"200": {}}}}
			},
			"x-ms-paths": {"/things/{id}?kind=list": {"get": {"operationId": "List", "parameters": [{"name": "id", "in": "path", "required": true, "type": "string"}], "responses": {"200": {}}}}},
			"definitions": {"Err": {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}, "additionalProperties": true}}
		}`)},
		"common/types.json": {Data: []byte(`{"definitions": {
			"Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "readOnly": true}, "kind": {"type": "string", "enum": ["a", "b"]}}},
			"Thing": {"allOf": [{"$ref": "#/definitions/Base"}], "properties": {
				"open": {"type": "string", "enum": ["a"], "x-ms-enum": {"modelAsString": true}},
				"maybe": {"$ref": "#/definitions/Base", "x-nullable": true},
				"bag": {"type": "object", "additionalProperties": {"type": "integer"}},
				"free": {"type": "object"},
				"when": {"type": "string", "format": "date-time"},
				"blob": {"type": "string", "format": "byte"},
				"list": {"type": "array", "maxItems": 2, "items": {"type": "number", "minimum": 0, "maximum": 9}},
				"name": {"type": "string", "minLength": 2, "maxLength": 3},
				"odd": {"oneOf": [{"type": "string"}]},
				"loop": {"$ref": "#/definitions/Loop"}
			}},
			"Loop": {"$ref": "#/definitions/Loop"}
		}}`)},
	})
}

func operation(t *testing.T, id string) *Operation {
	t.Helper()
	all, err := files().Operations("a/service.json")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(o *Operation) bool { return o.ID == id })
	if i < 0 {
		t.Fatalf("no operation %s", id)
	}
	return all[i]
}

var jsonHeader = http.Header{"Content-Type": {"application/json; charset=utf-8"}}

// rules is what was found, as "rule at".
func rules(found []Violation) string {
	var out []string
	for _, v := range found {
		out = append(out, v.Rule+" "+v.At)
	}
	return strings.Join(out, ", ")
}

func TestAnAnswerIsHeldToItsSchema(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{"id":"x"}`, ""},
		{`{"id":"x","kind":"a","open":"zzz","maybe":null,"bag":{"n":1},"free":{"any":[1]},"list":[1,2.5],"name":"abc"}`, ""},
		{`{}`, "required body.id"},
		{`{"id":null}`, "null body.id"},
		{`{"id":"x","kind":"c"}`, "enum body.kind"},
		{`{"id":"x","more":1}`, "unknown body.more"},
		{`{"id":"x","maybe":{}}`, "required body.maybe.id"},
		{`{"id":"x","bag":{"n":"1"}}`, "type body.bag.*"},
		{`{"id":"x","when":"yesterday"}`, "format body.when"},
		{`{"id":"x","blob":"*"}`, "format body.blob"},
		{`{"id":"x","list":[1,2,3]}`, "range body.list"},
		{`{"id":"x","list":[10,-1]}`, "range body.list[], range body.list[]"},
		{`{"id":"x","name":"a"}`, "range body.name"},
		{`{"id":"x","name":"abcd"}`, "range body.name"},
		{`{"id":"x","odd":"y"}`, "unsupported body.odd"},
		{`{"id":"x","loop":"y"}`, "unsupported body.loop"},
		{`[]`, "type body"},
		{`{"id":"x"} {}`, "type body"},
	} {
		got := operation(t, "Get").CheckAnswer(Answer{Status: 200, Header: jsonHeader, Body: []byte(c.body)})
		if rules(got) != c.want {
			t.Errorf("%s: %q; want %q", c.body, rules(got), c.want)
		}
	}
}

func TestAStatusIsOneOfTheFilesOrAnError(t *testing.T) {
	get, put := operation(t, "Get"), operation(t, "Put")
	if got := rules(get.CheckAnswer(Answer{Status: 404, Header: jsonHeader, Body: []byte(`{"code":"x","more":1}`)})); got != "" {
		t.Error(got)
	}
	if got := rules(get.CheckAnswer(Answer{Status: 404, Header: jsonHeader, Body: []byte(`{}`)})); got != "required body.code" {
		t.Error(got)
	}
	if got := rules(get.CheckAnswer(Answer{Status: 203, Header: jsonHeader, Body: []byte(`{"code":"x"}`)})); got != "status status.203" {
		t.Error(got)
	}
	plain := http.Header{"Content-Type": {"text/plain"}}
	if got := rules(get.CheckAnswer(Answer{Status: 200, Header: plain, Body: []byte("x")})); got != "media header.Content-Type, type body" {
		t.Error(got)
	}
	if got := rules(put.CheckAnswer(Answer{Status: 404})); got != "status status.404" {
		t.Error(got)
	}
}

func TestARequestMayNotSetWhatOnlyTheServiceSets(t *testing.T) {
	put := operation(t, "Put")
	request := func(path, body string) string {
		return rules(put.CheckRequest(Request{Path: path, Header: jsonHeader, Body: []byte(body)}))
	}
	for _, c := range []struct{ path, body, want string }{
		{"/api/things/x", `{"kind":"a"}`, ""},
		{"/api/things/x", `{"id":"x"}`, "readOnly body.id"},
		{"/api/things/x", ``, "required body"},
		{"/api/things/7", `{}`, "pattern path.id"},
	} {
		if got := request(c.path, c.body); got != c.want {
			t.Errorf("%s %s: %q; want %q", c.path, c.body, got, c.want)
		}
	}
}

func TestTheOperationIsTheOneThatSaysTheMostOfTheRequest(t *testing.T) {
	all, err := files().Operations("a/service.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, target, want string }{
		{"GET", "/api/things/x?key=1", "Get"},
		{"GET", "/API/Things/x?key=1", "Get"},
		{"GET", "/api/things/x?kind=list", "List"},
		{"GET", "/api/things/x", "Get"},
		{"PUT", "/api/things/x", "Put"},
		{"GET", "/api/a/b/c/things/special", "Special"},
		{"DELETE", "/api/things/x", ""},
		{"GET", "/api/things/x/y", ""},
	} {
		u, err := url.Parse(c.target)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if o := Find(all, c.method, u.EscapedPath(), u.Query()); o != nil {
			got = o.ID
		}
		if got != c.want {
			t.Errorf("%s %s is %q; want %q", c.method, c.target, got, c.want)
		}
	}
}

// What is found may go to a log, so it names places and never values.
func TestNoValueIsPrinted(t *testing.T) {
	const canary = "REKEYCANARY"
	body, err := json.Marshal(map[string]any{"id": map[string]any{"x": canary}, "kind": canary, "name": canary, "when": canary, "list": []any{canary}, "bag": map[string]any{"k": canary}})
	if err != nil {
		t.Fatal(err)
	}
	found := operation(t, "Get").CheckAnswer(Answer{Status: 200, Header: jsonHeader, Body: body})
	if len(found) < 6 {
		t.Fatalf("only %q was found", rules(found))
	}
	for _, v := range found {
		if strings.Contains(v.String(), canary) {
			t.Errorf("%s has a value in it", v.Rule)
		}
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	fsys := fstest.MapFS{
		"none.json":  {Data: []byte(`{"swagger":"2.0"}`)},
		"three.json": {Data: []byte(`{"openapi":"3.0.0"}`)},
		"list.json":  {Data: []byte(`[]`)},
		"lost.json":  {Data: []byte(`{"swagger":"2.0","paths":{"/a":{"get":{"parameters":[{"$ref":"gone.json#/p"}]}}}}`)},
		"cut.json":   {Data: []byte(`{`)},
	}
	for _, name := range []string{"none.json", "three.json", "list.json", "lost.json", "cut.json", "absent.json"} {
		if _, err := Open(fsys).Operations(name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
