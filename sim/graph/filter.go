package graph

import (
	"regexp"
	"slices"
	"strings"
)

// The terms that $filter is made of. They are joined by "and" and "or", without parentheses.
var (
	comparison = regexp.MustCompile(`(?i)^([a-z]+)\s+(eq|ne)\s+(?:'((?:[^']|'')*)'|(true|false|null))$`)
	beginning  = regexp.MustCompile(`(?i)^startswith\(\s*([a-z]+)\s*,\s*'((?:[^']|'')*)'\s*\)$`)
	membership = regexp.MustCompile(`(?i)^([a-z]+)\s+in\s+\((.*)\)$`)
	anyOf      = regexp.MustCompile(`(?i)^([a-z]+)/any\(\s*([a-z]+)\s*:\s*([a-z]+)\s+eq\s+'((?:[^']|'')*)'\s*\)$`)
	quoted     = regexp.MustCompile(`'((?:[^']|'')*)'`)
)

// filter reads $filter. Graph compares strings without regard to case.
func (c *call) filter(s set) (func(entity) bool, *fault) {
	text := strings.TrimSpace(c.query.Get("$filter"))
	if text == "" {
		return func(entity) bool { return true }, nil
	}
	var either []func(entity) bool
	for _, alternative := range splitOutside(text, "or") {
		var all []func(entity) bool
		for _, term := range splitOutside(alternative, "and") {
			t, f := c.term(s, strings.TrimSpace(term))
			if f != nil {
				return nil, f
			}
			all = append(all, t)
		}
		either = append(either, func(e entity) bool {
			return !slices.ContainsFunc(all, func(t func(entity) bool) bool { return !t(e) })
		})
	}
	return func(e entity) bool {
		return slices.ContainsFunc(either, func(t func(entity) bool) bool { return t(e) })
	}, nil
}

func (c *call) term(s set, text string) (func(entity) bool, *fault) {
	property := func(name string) (string, *fault) {
		i := slices.IndexFunc(s.filters, func(p string) bool { return strings.EqualFold(p, name) })
		if i < 0 {
			return "", unsupportedQuery("Unsupported or invalid query filter clause specified for property '%s' of resource '%s'.", name, s.kind)
		}
		return s.filters[i], nil
	}
	unquote := func(v string) string { return strings.ReplaceAll(v, "''", "'") }
	if m := comparison.FindStringSubmatch(text); m != nil {
		p, f := property(m[1])
		if f != nil {
			return nil, f
		}
		not := strings.EqualFold(m[2], "ne")
		if not && !c.advanced() {
			return nil, unsupportedQuery("Operator: 'NotEqualsMatch' is not supported. Add the ConsistencyLevel: eventual header and the $count=true query parameter.")
		}
		return func(e entity) bool { return equal(e[p], unquote(m[3]), strings.ToLower(m[4])) != not }, nil
	}
	if m := beginning.FindStringSubmatch(text); m != nil {
		p, f := property(m[1])
		if f != nil {
			return nil, f
		}
		want := strings.ToLower(unquote(m[2]))
		return func(e entity) bool { return strings.HasPrefix(strings.ToLower(e.text(p)), want) }, nil
	}
	if m := membership.FindStringSubmatch(text); m != nil {
		p, f := property(m[1])
		if f != nil {
			return nil, f
		}
		var wanted []string
		for _, q := range quoted.FindAllStringSubmatch(m[2], -1) {
			wanted = append(wanted, unquote(q[1]))
		}
		return func(e entity) bool {
			return slices.ContainsFunc(wanted, func(w string) bool { return equal(e[p], w, "") })
		}, nil
	}
	if m := anyOf.FindStringSubmatch(text); m != nil && strings.EqualFold(m[2], m[3]) {
		p, f := property(m[1])
		if f != nil {
			return nil, f
		}
		want := unquote(m[4])
		return func(e entity) bool {
			values, _ := e[p].([]string)
			return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, want) })
		}, nil
	}
	return nil, unsupportedQuery("Invalid filter clause: '%s'.", text)
}

// equal compares with a quoted value, or with a word: true, false, null.
func equal(have any, value, word string) bool {
	switch word {
	case "null":
		return have == nil
	case "true", "false":
		b, ok := have.(bool)
		return ok && b == (word == "true")
	}
	s, ok := have.(string)
	return ok && strings.EqualFold(s, value)
}

// splitOutside splits at a word that stands outside quotes.
func splitOutside(text, word string) (out []string) {
	inside, start := false, 0
	lower := strings.ToLower(text)
	for i := 0; i < len(text); i++ {
		if text[i] == '\'' {
			inside = !inside
		}
		if !inside && text[i] == ' ' && strings.HasPrefix(lower[i+1:], word+" ") {
			out = append(out, text[start:i])
			start = i + 2 + len(word)
			i = start - 1
		}
	}
	return append(out, text[start:])
}
