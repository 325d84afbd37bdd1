package openapi

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Request is what was sent.
type Request struct {
	Path   string // escaped
	Query  url.Values
	Header http.Header
	Body   []byte
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// CheckRequest holds a request to the operation that it is for.
func (o *Operation) CheckRequest(r Request) []Violation {
	c := &checker{files: o.files, sent: true}
	m := o.pattern.FindStringSubmatch(r.Path)
	for i, name := range o.segments {
		p := o.param("path", name)
		if p == nil || m == nil {
			c.add("unsupported", "path."+name, "the path parameter is not declared, or the path does not match")
			continue
		}
		v, err := url.PathUnescape(m[i+1])
		if err != nil {
			c.add("type", "path."+name, err.Error())
		}
		c.literal(p.at, v, "path."+name)
	}
	c.values("query", o, r.Query)
	for _, p := range o.params {
		if p.in == "header" {
			if v := r.Header.Values(p.name); len(v) > 0 {
				c.literal(p.at, v[0], "header."+p.name)
			} else if p.required {
				c.add("required", "header."+p.name, "the header is missing")
			}
		}
	}
	form := slices.ContainsFunc(o.params, func(p param) bool { return p.in == "formData" })
	body := slices.IndexFunc(o.params, func(p param) bool { return p.in == "body" })
	switch {
	case form:
		fields, err := url.ParseQuery(string(r.Body))
		if err != nil {
			c.add("type", "body", err.Error())
		}
		c.media(o.consumes, r.Header)
		c.values("formData", o, fields)
	case len(r.Body) == 0 && body >= 0 && o.params[body].required:
		c.add("required", "body", "there is no body")
	case len(r.Body) == 0:
	case body < 0:
		c.add("unknown", "body", "the operation takes none")
	default:
		c.media(o.consumes, r.Header)
		schema, _ := o.params[body].object["schema"].(object)
		c.body(at{o.params[body].file, schema}, r.Body)
	}
	return c.found
}

// CheckAnswer holds an answer to the operation that was asked for.
func (o *Operation) CheckAnswer(a Answer) []Violation {
	c := &checker{files: o.files}
	responses, _ := o.def.object["responses"].(object)
	def, ok := responses[strconv.Itoa(a.Status)].(object)
	if !ok {
		if def, ok = responses["default"].(object); !ok || a.Status < 400 && a.Status >= 200 {
			c.add("status", "status."+strconv.Itoa(a.Status), fmt.Sprintf("%d is not one of %v", a.Status, sortedKeys(responses)))
			return c.found
		}
	}
	r, err := o.files.deref(at{o.File, def})
	if err != nil {
		c.add("unsupported", "status", err.Error())
		return c.found
	}
	schema, ok := r.object["schema"].(object)
	switch {
	case !ok && len(a.Body) > 0:
		c.add("unknown", "body", "the operation answers without one")
	case !ok:
	case len(a.Body) == 0:
		c.add("required", "body", "there is no body")
	default:
		c.media(o.produces, a.Header)
		if media, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type")); media == "text/plain" {
			c.value(at{r.file, schema}, string(a.Body), "body")
		} else {
			c.body(at{r.file, schema}, a.Body)
		}
	}
	return c.found
}

// values holds query parameters or form fields to what the operation declares.
func (c *checker) values(in string, o *Operation, got url.Values) {
	for _, name := range sortedKeys(got) {
		p := o.param(in, name)
		switch {
		case p == nil && !o.fixed.Has(name):
			c.add("unknown", in+"."+name, "the operation has no such parameter")
		case p != nil && len(got[name]) > 1:
			c.add("type", in+"."+name, "given more than once")
		case p != nil:
			c.literal(p.at, got[name][0], in+"."+name)
		}
	}
	for _, p := range o.params {
		if p.in == in && p.required && !got.Has(p.name) {
			c.add("required", in+"."+p.name, "the parameter is missing")
		}
	}
}

// literal checks a value that travels as text.
func (c *checker) literal(p at, s, where string) {
	var v any = s
	switch text(p.object, "type") {
	case "integer", "number":
		v = json.Number(s)
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			v = s
		}
	case "boolean":
		if b, err := strconv.ParseBool(s); err == nil {
			v = b
		}
	case "array":
		c.add("unsupported", where, "arrays in text are not known here")
		return
	}
	c.value(p, v, where)
}

func (c *checker) media(want []string, h http.Header) {
	got, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		c.add("media", "header.Content-Type", fmt.Sprintf("%q: %v", h.Get("Content-Type"), err))
		return
	}
	if !slices.ContainsFunc(want, func(w string) bool { w, _, _ = mime.ParseMediaType(w); return strings.EqualFold(w, got) }) {
		c.add("media", "header.Content-Type", fmt.Sprintf("%s is not one of %v", got, want))
	}
}

func (c *checker) body(schema at, b []byte) {
	v, err := decode(b)
	if err != nil {
		c.add("type", "body", "not JSON: "+err.Error())
		return
	}
	c.value(schema, v, "body")
}

// CheckBody holds the JSON of an answer to a definition of a file: a JSON pointer, such as "/definitions/Error".
func (f *Files) CheckBody(file, pointer string, b []byte) []Violation {
	c := &checker{files: f}
	if a, err := f.follow(file, "#"+pointer); err != nil {
		c.add("unsupported", "body", err.Error())
	} else {
		c.body(a, b)
	}
	return c.found
}
