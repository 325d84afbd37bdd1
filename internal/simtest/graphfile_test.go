package simtest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// graphFile is Graph's file as this package reads it. Microsoft's own is OpenAPI 3 in YAML, the only one that is.
const graphFile = "graph/graph-v1.0.json"

// withGraph adds graphFile to the folder with Microsoft's files.
func withGraph(dir fs.FS) fs.FS { return graphFS{dir} }

type graphFS struct{ fs.FS }

func (g graphFS) ReadFile(name string) ([]byte, error) {
	if name != graphFile {
		return fs.ReadFile(g.FS, name)
	}
	return swaggerOf(g.FS)
}

var (
	swaggerOnce sync.Once
	swaggerText []byte
	swaggerErr  error
)

func swaggerOf(dir fs.FS) ([]byte, error) {
	swaggerOnce.Do(func() {
		var text []byte
		if text, swaggerErr = fs.ReadFile(dir, "graph/graph-v1.0-cut.yaml"); swaggerErr != nil {
			return
		}
		var doc map[string]any
		if swaggerErr = yaml.Unmarshal(text, &doc); swaggerErr == nil {
			swaggerText, swaggerErr = json.Marshal(swagger(doc))
		}
	})
	return swaggerText, swaggerErr
}

type node = map[string]any

func in3(v any, path ...string) node {
	n, _ := v.(node)
	for _, p := range path {
		n, _ = n[p].(node)
	}
	return n
}

var (
	namespace = regexp.MustCompile(`microsoft\.graph\.([A-Za-z]+)$`)
	byID      = regexp.MustCompile(`^/(applications|servicePrincipals)/\{[a-zA-Z]+-id\}/`)
)

// swagger says in Swagger 2.0 what a file of OpenAPI 3 says, as far as Graph's goes. What an action is called may
// carry its namespace or not, and an application can be named by its appId wherever it can by its id: both are
// documented, and left out of the file.
func swagger(doc node) node {
	c := in3(doc, "components")
	paths := node{}
	for path, item := range in3(doc, "paths") {
		names := []string{path}
		if byID.MatchString(path) {
			names = append(names, byID.ReplaceAllString(path, "/$1(appId='{appId}')/"))
		}
		for _, name := range names {
			paths[name] = operations(c, name, in3(item))
			if short := namespace.ReplaceAllString(name, "$1"); short != name {
				paths[short] = paths[name]
			}
		}
	}
	return node{"swagger": "2.0", "basePath": "/v1.0", "paths": paths, "definitions": schema(c["schemas"])}
}

func operations(components node, path string, item node) node {
	out := node{}
	for method, v := range item {
		op := in3(v)
		if op["operationId"] == nil {
			continue
		}
		var params []any
		list, _ := op["parameters"].([]any)
		for _, p := range list {
			params = append(params, parameter(components, in3(p)))
		}
		if strings.Contains(path, "{appId}") {
			params = append(params, node{"name": "appId", "in": "path", "required": true, "type": "string"})
		}
		if body := in3(follow(components, op["requestBody"])); body != nil {
			params = append(params, node{"name": "body", "in": "body", "required": body["required"] == true, "schema": schema(media(body))})
		}
		out[method] = node{"operationId": op["operationId"], "parameters": params, "responses": responses(components, in3(op["responses"]))}
	}
	return out
}

func follow(components node, v any) any {
	ref, ok := in3(v)["$ref"].(string)
	if !ok {
		return v
	}
	kind, name, _ := strings.Cut(strings.TrimPrefix(ref, "#/components/"), "/")
	return in3(components, kind)[name]
}

func parameter(components, p node) node {
	p = in3(follow(components, p))
	out := node{"name": p["name"], "in": p["in"], "required": p["required"] == true, "type": "string"}
	if t, _ := in3(p, "schema")["type"].(string); t == "integer" || t == "boolean" {
		out["type"] = t
	}
	return out
}

func media(v node) any { return in3(v, "content", "application/json")["schema"] }

// responses writes out "2XX": with a body where the file gives one, and 204, which has none. Which of them it is, the
// tests say.
func responses(components, in node) node {
	out := node{}
	for code, v := range in {
		body := media(in3(follow(components, v)))
		answer := node{"description": ""}
		if body != nil {
			answer["schema"] = schema(body)
		}
		switch code {
		case "2XX":
			if body != nil {
				out["200"], out["201"] = answer, answer
			}
			out["204"] = node{"description": ""}
		default:
			out[fmt.Sprint(code)] = answer
		}
	}
	return out
}

// schema turns names around. Every object of the file lets in other members if they are objects, which says nothing
// of those that are there: it is left out, so that a misspelt name is found.
func schema(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = schema(e)
		}
		return out
	case node:
		out := node{}
		for k, e := range v {
			switch {
			case k == "$ref":
				s, _ := e.(string)
				out[k] = strings.Replace(s, "#/components/schemas/", "#/definitions/", 1)
			case k == "nullable":
				out["x-nullable"] = e
			case k == "additionalProperties" && in3(e)["type"] == "object":
			case k == "description", k == "example", k == "title":
				if _, text := e.(string); !text {
					out[k] = schema(e) // a property of that name
				}
			default:
				out[k] = schema(e)
			}
		}
		return out
	}
	return v
}
