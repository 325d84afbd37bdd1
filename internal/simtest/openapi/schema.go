package openapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// checker collects what is wrong with one request or answer. Values are never printed: they may be secrets.
type checker struct {
	files *Files
	sent  bool // a request, in which what is readOnly has no place
	found []Violation
}

func (c *checker) add(rule, where, text string) {
	c.found = append(c.found, Violation{rule, where, text})
}

// value checks v against a schema, or against a parameter, which is one.
func (c *checker) value(schema at, v any, where string) {
	s, err := c.files.deref(schema)
	if err != nil {
		c.add("unsupported", where, err.Error())
		return
	}
	if v == nil {
		if s.object["x-nullable"] != true {
			c.add("null", where, "null is not allowed")
		}
		return
	}
	for _, k := range []string{"anyOf", "oneOf", "not", "patternProperties", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"} {
		if _, ok := s.object[k]; ok {
			c.add("unsupported", where, k+" is not known here")
		}
	}
	c.enum(s.object, v, where)
	switch kind := kindOf(s.object); kind {
	case "object":
		if o, ok := v.(object); ok {
			c.members(s, o, where)
			return
		}
		c.add("type", where, "not an object")
	case "array":
		l, ok := v.([]any)
		if !ok {
			c.add("type", where, "not an array")
			return
		}
		if n, ok := number(s.object, "maxItems"); ok && float64(len(l)) > n {
			c.add("range", where, "too many items")
		}
		if n, ok := number(s.object, "minItems"); ok && float64(len(l)) < n {
			c.add("range", where, "too few items")
		}
		items, _ := s.object["items"].(object)
		for _, e := range l {
			c.value(at{s.file, items}, e, where+"[]")
		}
	case "string":
		str, ok := v.(string)
		if !ok {
			c.add("type", where, "not a string")
			return
		}
		c.str(s.object, str, where)
	case "integer", "number":
		n, ok := v.(json.Number)
		if !ok {
			c.add("type", where, "not a number")
			return
		}
		c.number(s.object, kind, n, where)
	case "boolean":
		if _, ok := v.(bool); !ok {
			c.add("type", where, "not a boolean")
		}
	case "", "file": // a file may be anything
	default:
		c.add("unsupported", where, "type "+kind+" is not known here")
	}
}

func kindOf(s object) string {
	if t := text(s, "type"); t != "" {
		return t
	}
	for _, k := range []string{"properties", "allOf", "additionalProperties"} {
		if _, ok := s[k]; ok {
			return "object"
		}
	}
	if len(list(s, "enum")) > 0 {
		return "string"
	}
	return ""
}

func (c *checker) enum(s object, v any, where string) {
	allowed := list(s, "enum")
	open, _ := s["x-ms-enum"].(object)
	if len(allowed) == 0 || open["modelAsString"] == true || slices.Contains(allowed, v) {
		return
	}
	c.add("enum", where, fmt.Sprintf("not one of %v", allowed))
}

// shape is an object schema with those that it is made of (allOf) laid together.
type shape struct {
	properties map[string]at
	required   []string
	rest       *at  // of members that are not named
	open       bool // any other member may be there
}

func (c *checker) shape(s at, into *shape, depth int) error {
	if depth > 32 {
		return fmt.Errorf("%s: allOf goes in a circle", s.file)
	}
	s, err := c.files.deref(s)
	if err != nil {
		return err
	}
	properties, _ := s.object["properties"].(object)
	for name, p := range properties {
		def, _ := p.(object)
		into.properties[name] = at{s.file, def}
	}
	into.required = append(into.required, strs(list(s.object, "required"))...)
	switch rest := s.object["additionalProperties"].(type) {
	case bool:
		into.open = into.open || rest
	case object:
		if len(rest) == 0 {
			into.open = true
		} else {
			into.rest = &at{s.file, rest}
		}
	}
	for _, part := range list(s.object, "allOf") {
		def, _ := part.(object)
		if err := c.shape(at{s.file, def}, into, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) members(s at, o object, where string) {
	of := shape{properties: map[string]at{}}
	if err := c.shape(s, &of, 0); err != nil {
		c.add("unsupported", where, err.Error())
		return
	}
	// An object of which a file says nothing more is one that it leaves open.
	_, said := s.object["additionalProperties"]
	open := of.open || len(of.properties) == 0 && of.rest == nil && !said
	for _, name := range sortedKeys(o) {
		member := where + "." + name
		def, ok := of.properties[name]
		switch {
		case ok && c.sent && c.readOnly(def):
			c.add("readOnly", member, "only the service sets it")
		case ok:
			c.value(def, o[name], member)
		case of.rest != nil:
			c.value(*of.rest, o[name], where+".*")
		case !open:
			c.add("unknown", member, "there is no such member")
		}
	}
	for _, name := range of.required {
		if _, ok := o[name]; !ok && !(c.sent && c.readOnly(of.properties[name])) {
			c.add("required", where+"."+name, "the member is missing")
		}
	}
}

func (c *checker) readOnly(def at) bool {
	if def.object["readOnly"] == true {
		return true
	}
	s, err := c.files.deref(def)
	return err == nil && s.object["readOnly"] == true
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (c *checker) str(s object, v, where string) {
	n := float64(utf8.RuneCountInString(v))
	if limit, ok := number(s, "maxLength"); ok && n > limit {
		c.add("range", where, "too long")
	}
	if limit, ok := number(s, "minLength"); ok && n < limit {
		c.add("range", where, "too short")
	}
	if p := text(s, "pattern"); p != "" {
		re, err := regexp.Compile(p)
		if err != nil {
			c.add("unsupported", where, err.Error())
		} else if !re.MatchString(v) {
			c.add("pattern", where, "does not match "+p)
		}
	}
	ok := true
	format := text(s, "format")
	switch format {
	case "uuid":
		ok = uuidForm.MatchString(v)
	case "date-time":
		_, err := time.Parse(time.RFC3339Nano, v)
		ok = err == nil
	case "base64url":
		_, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(v, "="))
		ok = err == nil
	case "byte":
		_, err := base64.StdEncoding.DecodeString(v)
		ok = err == nil
	case "uri", "url":
		ok = strings.Contains(v, "://")
	}
	if !ok {
		c.add("format", where, "not of format "+format)
	}
}

func (c *checker) number(s object, kind string, v json.Number, where string) {
	f, err := v.Float64()
	if err != nil || kind == "integer" && f != math.Trunc(f) {
		c.add("type", where, "not an "+kind)
		return
	}
	if text(s, "format") == "int32" && (f < math.MinInt32 || f > math.MaxInt32) {
		c.add("format", where, "too large for int32")
	}
	if limit, ok := number(s, "maximum"); ok && f > limit {
		c.add("range", where, "above the maximum")
	}
	if limit, ok := number(s, "minimum"); ok && f < limit {
		c.add("range", where, "below the minimum")
	}
}

func number(s object, key string) (float64, bool) {
	n, ok := s[key].(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}
