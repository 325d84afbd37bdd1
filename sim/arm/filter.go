package arm

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// terms is a $filter, of the few forms that these operations know: comparisons and calls joined by "and". Names are
// as the operation spells them.
type terms struct {
	eq    map[string]string
	calls map[string]string // "atScope" has the argument ""
}

var (
	comparison = regexp.MustCompile(`(?i)^([a-z/]+)\s+eq\s+'((?:[^']|'')*)'$`)
	function   = regexp.MustCompile(`(?i)^([a-z]+)\(\s*(?:'((?:[^']|'')*)')?\s*\)$`)
	and        = regexp.MustCompile(`(?i)\s+and\s+`)
)

// filter reads the $filter of a request. A function in names ends in "()".
func (c *call) filter(names ...string) (terms, *fault) {
	out := terms{eq: map[string]string{}, calls: map[string]string{}}
	text := strings.TrimSpace(c.R.URL.Query().Get("$filter"))
	if text == "" {
		return out, nil
	}
	known := func(name string) string {
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
		if i < 0 {
			return ""
		}
		return names[i]
	}
	for _, part := range and.Split(text, -1) {
		part = strings.TrimSpace(part)
		if m := comparison.FindStringSubmatch(part); m != nil && known(m[1]) != "" {
			out.eq[known(m[1])] = strings.ReplaceAll(m[2], "''", "'")
			continue
		}
		if m := function.FindStringSubmatch(part); m != nil && known(m[1]+"()") != "" {
			out.calls[known(m[1]+"()")] = strings.ReplaceAll(m[2], "''", "'")
			continue
		}
		return out, badRequest("InvalidFilter", fmt.Sprintf("The filter '%s' is not supported here.", text))
	}
	return out, nil
}

// match compares without regard to case, as Resource Manager does.
func (t terms) match(has map[string]string) bool {
	for name, want := range t.eq {
		if !strings.EqualFold(has[name], want) {
			return false
		}
	}
	return true
}
