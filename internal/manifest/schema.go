package manifest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
)

// object is a JSON object that keeps the order in which it was written: that of the structs.
type object []member

type member struct {
	key   string
	value any
}

func (o *object) put(key string, value any) { *o = append(*o, member{key, value}) }

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		k, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		v, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal leaves < and > as they are: a schema is read by people too.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// Schema is the JSON Schema, draft 2020-12, of a manifest whose credentials are of these kinds. It says what tags
// say; rules between fields are Parse's alone.
func Schema(kinds []Kind) []byte {
	mustBeSound(kinds)
	s := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "Rekey manifest"},
	}
	s = append(s, structSchema(reflect.TypeFor[Manifest](), kinds)...)
	raw, err := marshal(s)
	if err != nil {
		panic(err) // nothing in it can fail to encode
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		panic(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func structSchema(t reflect.Type, kinds []Kind) object {
	fs := fieldsOf(t)
	var props object
	required := []string{}
	for _, f := range fs {
		if f.required {
			required = append(required, f.name)
		}
		props.put(f.name, fieldSchema(f, kinds))
	}
	var rules []any
	if consumer := t == reflect.TypeFor[Consumer](); consumer || t == reflect.TypeFor[Credential]() {
		var one []any
		for _, k := range of(consumer, kinds) {
			p := object{{"description", k.Doc}}
			p = append(p, structSchema(reflect.TypeOf(k.New()).Elem(), nil)...)
			props.put(k.Name, p)
			one = append(one, needs(k.Name))
			switch {
			case !consumer:
				rules = append(rules, probes(k))
			case k.Cache == 0:
				rules = append(rules, object{{"if", needs(k.Name)}, {"then", object{{"properties", object{{"cache", false}}}}}})
			}
		}
		if one != nil {
			rules = append(rules, object{{"oneOf", one}})
		}
	}
	order, members := groups(fs)
	for _, g := range order {
		rules = append(rules, groupSchema(members[g]))
	}
	s := object{{"type", "object"}, {"additionalProperties", false}, {"properties", props}}
	if len(required) > 0 {
		s.put("required", required)
	}
	if len(rules) > 0 {
		s.put("allOf", rules)
	}
	return s
}

func needs(name string) object { return object{{"required", []string{name}}} }

// groupSchema says that exactly one, or at most one, of the fields is there.
func groupSchema(members []field) object {
	var one, some []any
	for _, f := range members {
		one = append(one, needs(f.name))
		some = append(some, needs(f.name))
	}
	if members[0].atMost {
		one = append(one, object{{"not", object{{"anyOf", some}}}})
	}
	return object{{"oneOf", one}}
}

// probes ties check.probe to the kind that is there.
func probes(k Kind) object {
	probe := any(false)
	if len(k.Probes) > 0 {
		probe = object{{"enum", k.Probes}, {"default", k.Probes[0]}}
	}
	return object{
		{"if", needs(k.Name)},
		{"then", object{{"properties", object{{"check", object{{"properties", object{{"probe", probe}}}}}}}}},
	}
}

func fieldSchema(f field, kinds []Kind) object {
	s := object{{"description", f.doc}}
	switch {
	case f.typ == durationType:
		s.put("type", "string")
		s.put("pattern", durationPattern)
	case f.typ == setType:
		s.put("type", "array")
		s.put("items", object{{"type", "string"}, {"minLength", 1}})
		s.put("minItems", 1)
		s.put("uniqueItems", true)
	case f.typ == argvType:
		s.put("type", "array")
		s.put("items", object{{"type", "string"}})
		s.put("minItems", 1)
	case f.typ == tagsType:
		s.put("type", "object")
		s.put("additionalProperties", object{{"type", "string"}, {"maxLength", maxTagLength}})
		s.put("propertyNames", object{{"not", object{{"enum", []string{recordTag}}}}, {"minLength", 1}, {"maxLength", maxTagLength}})
		s.put("maxProperties", maxTags)
	case f.listed():
		s.put("type", "array")
		s.put("items", structSchema(f.typ.Elem(), kinds))
		s.put("minItems", 1)
	case f.typ.Kind() == reflect.Slice:
		s.put("type", "object")
		s.put("propertyNames", object{{"pattern", f.key.pattern}})
		s.put("additionalProperties", structSchema(f.typ.Elem(), kinds))
	case f.short != "":
		fs := fieldsOf(f.typ)
		short := textSchema(fs[slices.IndexFunc(fs, func(x field) bool { return x.name == f.short })])
		s.put("oneOf", []any{short, structSchema(f.typ, kinds)})
	case f.typ.Kind() == reflect.Struct:
		s = append(s, structSchema(f.typ, kinds)...)
	case f.typ.Kind() == reflect.Int:
		s.put("type", "integer")
		if f.enum != nil {
			var ns []int
			for _, e := range f.enum {
				n, err := strconv.Atoi(e)
				if err != nil {
					panic(err)
				}
				ns = append(ns, n)
			}
			s.put("enum", ns)
		}
	case f.typ.Kind() == reflect.Bool:
		s.put("type", "boolean")
	default:
		s = append(s, textSchema(f)...)
	}
	if f.def != "" {
		s.put("default", f.defaultValue())
	}
	return s
}

func textSchema(f field) object {
	s := object{{"type", "string"}}
	switch {
	case f.enum != nil:
		s.put("enum", f.enum)
	case f.format != nil:
		s.put("pattern", f.format.pattern)
		if f.format.min > 0 {
			s.put("minLength", f.format.min)
		} else {
			s.put("minLength", 1)
		}
		if f.format.max > 0 {
			s.put("maxLength", f.format.max)
		}
	default:
		s.put("minLength", 1)
	}
	return s
}

func (f field) defaultValue() any {
	switch f.typ.Kind() {
	case reflect.Bool:
		return f.def == "true"
	case reflect.Int:
		n, err := strconv.Atoi(f.def)
		if err != nil {
			panic(err)
		}
		return n
	}
	return f.def // a duration is text too
}
