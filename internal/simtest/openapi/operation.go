package openapi

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Operation is one operation of a file.
type Operation struct {
	File     string
	ID       string
	Method   string // "GET"
	Template string // "/secrets/{secret-name}"

	files    *Files
	def      at
	params   []param
	consumes []string
	produces []string
	pattern  *regexp.Regexp
	segments []string // the path parameters in order
	literals int      // characters of the template that are no parameter
	fixed    url.Values
}

type param struct {
	at
	name, in string
	required bool
}

// Operations lists the operations of a file, those that differ in their query (x-ms-paths) too. Paths are matched
// without regard to case, as Azure's are.
func (f *Files) Operations(file string) ([]*Operation, error) {
	doc, err := f.doc(file)
	if err != nil {
		return nil, err
	}
	if text(doc, "swagger") != "2.0" {
		return nil, fmt.Errorf("%s: not Swagger 2.0", file)
	}
	base := strings.TrimSuffix(text(doc, "basePath"), "/")
	var out []*Operation
	for _, group := range []string{"paths", "x-ms-paths"} {
		paths, _ := doc[group].(object)
		for _, template := range sortedKeys(paths) {
			item, _ := paths[template].(object)
			for _, method := range []string{"get", "put", "post", "delete", "options", "head", "patch"} {
				def, ok := item[method].(object)
				if !ok {
					continue
				}
				o := &Operation{File: file, ID: text(def, "operationId"), Method: strings.ToUpper(method), Template: base + template, files: f, def: at{file, def}}
				o.consumes, o.produces = media(def, doc, "consumes"), media(def, doc, "produces")
				if err := o.compile(list(item, "parameters")); err != nil {
					return nil, fmt.Errorf("%s %s %s: %w", file, method, template, err)
				}
				out = append(out, o)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no operations", file)
	}
	return out, nil
}

func media(def, doc object, key string) []string {
	if _, ok := def[key]; ok {
		return strs(list(def, key))
	}
	if l := strs(list(doc, key)); len(l) > 0 {
		return l
	}
	return []string{"application/json"}
}

var placeholder = regexp.MustCompile(`\{([^{}]+)\}`)

func (o *Operation) compile(shared []any) error {
	for _, p := range slices.Concat(list(o.def.object, "parameters"), shared) {
		def, ok := p.(object)
		if !ok {
			return fmt.Errorf("a parameter is no object")
		}
		a, err := o.files.deref(at{o.File, def})
		if err != nil {
			return err
		}
		x := param{a, text(a.object, "name"), text(a.object, "in"), a.object["required"] == true}
		if !slices.ContainsFunc(o.params, func(y param) bool { return x.name == y.name && x.in == y.in }) {
			o.params = append(o.params, x)
		}
	}
	template, query, _ := strings.Cut(o.Template, "?")
	o.fixed, _ = url.ParseQuery(query)
	expr, last := "(?i)^", 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(template, -1) {
		literal, name := template[last:m[0]], template[m[2]:m[3]]
		last = m[1]
		o.literals += len(literal)
		o.segments = append(o.segments, name)
		// A parameter that is sent as it stands may hold slashes: a scope.
		some := "([^/]*)"
		if p := o.param("path", name); p != nil && p.object["x-ms-skip-url-encoding"] == true {
			some = "(.*)"
		}
		expr += regexp.QuoteMeta(literal) + some
	}
	o.literals += len(template) - last
	expr += regexp.QuoteMeta(template[last:]) + "$"
	var err error
	o.pattern, err = regexp.Compile(expr)
	return err
}

func (o *Operation) param(in, name string) *param {
	i := slices.IndexFunc(o.params, func(p param) bool { return p.in == in && p.name == name })
	if i < 0 {
		return nil
	}
	return &o.params[i]
}

// Find picks the operation that a request is for: the one that the most of its path is spelt out of, and of those
// that differ in their query alone the one that demands the most of what the request has. It is nil if there is none.
func Find(operations []*Operation, method, escapedPath string, query url.Values) *Operation {
	var best *Operation
	var bestRank [3]int
	for _, o := range operations {
		if o.Method != method || !o.pattern.MatchString(escapedPath) {
			continue
		}
		complete, demanded := 1, 0
		for k := range o.fixed {
			demanded++
			if query.Get(k) != o.fixed.Get(k) {
				complete = 0
			}
		}
		for _, p := range o.params {
			if p.in == "query" && p.required {
				demanded++
				if !query.Has(p.name) {
					complete = 0
				}
			}
		}
		rank := [3]int{o.literals, complete, demanded * (2*complete - 1)}
		if best == nil || slices.Compare(rank[:], bestRank[:]) > 0 {
			best, bestRank = o, rank
		}
	}
	return best
}
