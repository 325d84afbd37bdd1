// Package openapi holds HTTP requests and answers to Microsoft's OpenAPI files, which are Swagger 2.0 with the
// x-ms-* extensions of autorest.
//
// It is for tests, and it is no general validator: it knows the keywords that those files use, and reports one that
// it does not know instead of passing over it. What always holds: it is strict where Swagger is lax, as a misspelt
// name is what it looks for: a member, query parameter or form field that a file does not name is a violation.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Files reads OpenAPI files, each once.
type Files struct {
	fsys fs.FS
	docs map[string]object
}

// object is a JSON object of a file. Numbers are json.Number.
type object = map[string]any

// Open reads files below fsys when they are asked for.
func Open(fsys fs.FS) *Files { return &Files{fsys, map[string]object{}} }

// at is a place in a file.
type at struct {
	file string
	object
}

func (f *Files) doc(name string) (object, error) {
	if d, ok := f.docs[name]; ok {
		return d, nil
	}
	b, err := fs.ReadFile(f.fsys, name)
	if err != nil {
		return nil, err
	}
	v, err := decode(bytes.TrimPrefix(b, []byte("\ufeff")))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("%s: not a JSON object", name)
	}
	f.docs[name] = d
	return d, nil
}

func decode(b []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

// deref follows references until there is none. Only x-nullable counts beside a reference.
func (f *Files) deref(a at) (at, error) {
	nullable := a.object["x-nullable"] == true
	for range 32 {
		ref, ok := a.object["$ref"].(string)
		if !ok {
			if nullable && a.object["x-nullable"] != true {
				with := object{"x-nullable": true}
				for k, v := range a.object {
					with[k] = v
				}
				a.object = with
			}
			return a, nil
		}
		next, err := f.follow(a.file, ref)
		if err != nil {
			return at{}, err
		}
		a = next
	}
	return at{}, fmt.Errorf("%s: the references go in a circle", a.file)
}

func (f *Files) follow(from, ref string) (at, error) {
	name, pointer, _ := strings.Cut(ref, "#")
	file, err := f.beside(from, name)
	if err != nil {
		return at{}, fmt.Errorf("%s: %s: %w", from, ref, err)
	}
	d, err := f.doc(file)
	if err != nil {
		return at{}, err
	}
	here := d
	for step := range strings.SplitSeq(strings.Trim(pointer, "/"), "/") {
		if step == "" {
			continue
		}
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		next, ok := here[step].(object)
		if !ok {
			return at{}, fmt.Errorf("%s: %s leads nowhere", from, ref)
		}
		here = next
	}
	return at{file, here}, nil
}

// beside finds the file that a reference names. Copies of Microsoft's files may lie in fewer folders than the
// originals, so a name that leads too far up is looked for in each folder above, the nearest first.
func (f *Files) beside(from, name string) (string, error) {
	if name == "" {
		return from, nil
	}
	dir := path.Dir(from)
	candidates := []string{path.Join(dir, name)}
	below := name
	for strings.HasPrefix(below, "../") {
		below = strings.TrimPrefix(below, "../")
	}
	for dir != "." {
		dir = path.Dir(dir)
		candidates = append(candidates, path.Join(dir, below))
	}
	for _, c := range candidates {
		if f.docs[c] != nil {
			return c, nil
		}
		if info, err := fs.Stat(f.fsys, c); fs.ValidPath(c) && err == nil && !info.IsDir() {
			return c, nil
		}
	}
	return "", fs.ErrNotExist
}

// Violation is one way in which a request or an answer is not what a file says.
type Violation struct {
	Rule string // "status", "unknown", "required", "null", "type", "enum", "format" ...
	At   string // where: "query.api-version", "body.properties.scope", "body.value[]"; "" for the whole
	Text string
}

func (v Violation) String() string { return v.Rule + " at " + v.At + ": " + v.Text }

func text(o object, key string) string {
	s, _ := o[key].(string)
	return s
}

func list(o object, key string) []any {
	l, _ := o[key].([]any)
	return l
}

func strs(l []any) []string {
	var out []string
	for _, v := range l {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
