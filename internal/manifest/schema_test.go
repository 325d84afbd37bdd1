package manifest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"github.com/rekeyhq/rekey/internal/manifest"
)

func TestTheSchema(t *testing.T) {
	golden(t, "schema.golden.json", manifest.Schema(kinds()))
}

// The schema and Parse read the same tags; what an editor underlines, Parse refuses, and the other way round as far
// as a schema can say it.
func TestTheSchemaRefusesNothingThatParseTakes(t *testing.T) {
	if msg := validate(t, []byte(sound)); msg != "" {
		t.Errorf("the sound manifest: %s", msg)
	}
	onlyParse := map[string]bool{}
	for _, c := range bad {
		src := changed(t, c.edits)
		var v any
		if yaml.Unmarshal(src, &v) != nil {
			continue // no editor gets as far as the schema
		}
		_, ps := manifest.Parse("rekey.yaml", src, kinds())
		msg := validate(t, src)
		if msg != "" && !ps.Failed() {
			t.Errorf("%s: Parse takes it, the schema says %s", c.name, msg)
		}
		onlyParse[c.name] = ps.Failed() && msg == ""
	}
	for _, name := range []string{
		"a misspelt key of a credential", "a misspelt kind", "a misspelt key of a kind", "no scopes", "a number where a text belongs",
		"another version", "everything required is missing", "two kinds", "an identity with nothing", "two identities",
		"a managed identity named twice", "a client secret from nowhere", "a client id that is none", "a bad name of a credential",
		"a vault name that Azure refuses", "a secret name that Key Vault refuses", "neither a token cache nor a password",
		"a duration without its unit", "a duration with a fraction", "a negative duration", "a strategy that is none", "fifteen tags",
		"a consumer of no kind", "a consumer of two kinds", "a misspelt kind of consumer", "a kind of issuer where a consumer belongs",
		"a kind of consumer where an issuer belongs", "a bad name of a consumer", "consumers in a list", "a cache for a kind that has none",
		"a probe that the kind does not have", "a probe for a kind that has none", "an adoption by id and name", "the same scope twice",
	} {
		if only, known := onlyParse[name]; only || !known {
			t.Errorf("%s: the schema takes it (known: %v)", name, known)
		}
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	var walk func(path string, s map[string]any)
	walk = func(path string, s map[string]any) {
		props, _ := s["properties"].(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(props)) {
			p := props[k].(map[string]any)
			if d, _ := p["description"].(string); !strings.HasSuffix(d, ".") {
				t.Errorf("%s.%s is described as %q: not a sentence", path, k, d)
			}
			walk(path+"."+k, p)
		}
		if more, ok := s["additionalProperties"].(map[string]any); ok {
			walk(path+".*", more)
		}
	}
	walk("", schema(t))
}

func schema(t *testing.T) map[string]any {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(manifest.Schema(kinds()), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// validate says what a manifest breaks of the schema, or "".
func validate(t *testing.T, src []byte) string {
	t.Helper()
	raw, err := yaml.YAMLToJSON(src)
	if err != nil {
		return err.Error()
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err.Error()
	}
	return breaks(t, schema(t), v, "$")
}

// breaks knows exactly the keywords that the schema uses, so that each of them is tried here.
func breaks(t *testing.T, s map[string]any, v any, path string) string {
	t.Helper()
	for _, word := range slices.Sorted(maps.Keys(s)) {
		if msg := breaksWord(t, s, word, v, path); msg != "" {
			return path + ": " + msg
		}
	}
	return ""
}

func breaksWord(t *testing.T, s map[string]any, word string, v any, path string) string {
	t.Helper()
	object, isObject := v.(map[string]any)
	str, isString := v.(string)
	items, isList := v.([]any)
	sub := func(w any) map[string]any { return w.(map[string]any) }
	count := func(w any) (n int, last string) {
		for _, o := range w.([]any) {
			if msg := breaks(t, sub(o), v, path); msg == "" {
				n++
			} else {
				last = msg
			}
		}
		return n, last
	}
	limit := func() int { return int(s[word].(float64)) }
	switch word {
	case "$schema", "title", "description", "default", "then":
	case "type":
		n, isNumber := v.(float64)
		_, isBool := v.(bool)
		ok := map[string]bool{"object": isObject, "string": isString, "array": isList, "boolean": isBool,
			"integer": isNumber && n == float64(int(n))}[s[word].(string)]
		if !ok {
			return fmt.Sprintf("%T is not %s", v, s[word])
		}
	case "properties":
		for _, k := range slices.Sorted(maps.Keys(object)) {
			switch p := sub(s[word])[k].(type) {
			case bool:
				if !p {
					return k + " is not allowed"
				}
			case map[string]any:
				if msg := breaks(t, p, object[k], path+"."+k); msg != "" {
					return msg
				}
			}
		}
	case "additionalProperties":
		known, _ := s["properties"].(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(object)) {
			if _, ok := known[k]; ok {
				continue
			}
			more, ok := s[word].(map[string]any)
			if !ok {
				return "unknown key " + k
			}
			if msg := breaks(t, more, object[k], path+"."+k); msg != "" {
				return msg
			}
		}
	case "required":
		for _, k := range s[word].([]any) {
			if _, ok := object[k.(string)]; isObject && !ok {
				return k.(string) + " is missing"
			}
		}
	case "propertyNames":
		for _, k := range slices.Sorted(maps.Keys(object)) {
			if msg := breaks(t, sub(s[word]), k, path); msg != "" {
				return msg
			}
		}
	case "maxProperties":
		if len(object) > limit() {
			return "too many"
		}
	case "enum":
		if !slices.ContainsFunc(s[word].([]any), func(e any) bool { return reflect.DeepEqual(e, v) }) {
			return fmt.Sprintf("%v is none of %v", v, s[word])
		}
	case "pattern":
		if isString && !regexp.MustCompile(s[word].(string)).MatchString(str) {
			return fmt.Sprintf("%q is not like %s", str, s[word])
		}
	case "minLength":
		if isString && utf8.RuneCountInString(str) < limit() {
			return "too short"
		}
	case "maxLength":
		if isString && utf8.RuneCountInString(str) > limit() {
			return "too long"
		}
	case "minItems":
		if isList && len(items) < limit() {
			return "too few"
		}
	case "uniqueItems":
		for i := range items {
			if slices.ContainsFunc(items[:i], func(o any) bool { return reflect.DeepEqual(o, items[i]) }) {
				return "twice"
			}
		}
	case "items":
		for _, i := range items {
			if msg := breaks(t, sub(s[word]), i, path+"[]"); msg != "" {
				return msg
			}
		}
	case "allOf":
		if n, msg := count(s[word]); n < len(s[word].([]any)) {
			return msg
		}
	case "anyOf":
		if n, _ := count(s[word]); n == 0 {
			return "none of several"
		}
	case "oneOf":
		if n, _ := count(s[word]); n != 1 {
			return fmt.Sprintf("%d of several, not one", n)
		}
	case "not":
		if breaks(t, sub(s[word]), v, path) == "" {
			return "not allowed"
		}
	case "if":
		if breaks(t, sub(s[word]), v, path) == "" {
			return breaks(t, sub(s["then"]), v, path)
		}
	default:
		t.Fatalf("the test does not know the keyword %q", word)
	}
	return ""
}
