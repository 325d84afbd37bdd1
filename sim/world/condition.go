package world

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Condition is the condition of a role assignment (version 2.0), as far as it is about role assignments: what bounds
// those who may give roles to others.
//
// It knows the actions, the attributes and the operators that such conditions are made of. ParseCondition refuses all
// else, so that no condition is kept that would not be enforced.
type Condition struct{ holds func(Deed) verdict }

// Deed is what a condition is asked about. Attributes have their full names, in brackets or not as in a condition:
// "Microsoft.Authorization/roleAssignments:PrincipalId".
type Deed struct {
	Action   string
	Request  map[string]string // of what is to be made
	Resource map[string]string // of what is there
}

// Attributes of role assignments.
const (
	AttributeRole          = "Microsoft.Authorization/roleAssignments:RoleDefinitionId"
	AttributePrincipal     = "Microsoft.Authorization/roleAssignments:PrincipalId"
	AttributePrincipalType = "Microsoft.Authorization/roleAssignments:PrincipalType"
)

// AssignmentAttributes are those of a role assignment; role and principal are GUIDs.
func AssignmentAttributes(role, principal, principalType string) map[string]string {
	return map[string]string{AttributeRole: role, AttributePrincipal: principal, AttributePrincipalType: principalType}
}

// Fulfilled says whether the condition lets a deed pass. What it asks of an attribute that the deed does not have is
// neither true nor false, and only what is true lets pass.
func (c *Condition) Fulfilled(d Deed) bool { return c.holds(d) == yes }

// verdict is a truth value with a third one between the two, so that "not" leaves it as it is.
type verdict int8

const (
	no      verdict = -1
	unknown verdict = 0
	yes     verdict = 1
)

func verdictOf(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// maxCondition is the documented length of a condition.
const maxCondition = 8 << 10

// ParseCondition reads a condition and names the first thing in it that it does not know.
func ParseCondition(text string) (*Condition, error) {
	if len(text) > maxCondition {
		return nil, fmt.Errorf("it has %d characters; a condition has %d at most", len(text), maxCondition)
	}
	p := conditionParser{tokens: conditionTokens(text)}
	holds, err := p.either()
	if err != nil {
		return nil, err
	}
	if t := p.next(); t != "" {
		return nil, fmt.Errorf("%q follows what could have been the end", t)
	}
	return &Condition{holds}, nil
}

// A token is a quoted text, a bracketed name, a sign, or a run of anything else up to the next of those.
var conditionToken = regexp.MustCompile(`'(?:[^']|'')*'|\[[^\]]*\]|&&|\|\||[(){},!]|[^\s'\[(){},!&|]+|.`)

func conditionTokens(text string) []string {
	return slices.DeleteFunc(conditionToken.FindAllString(text, -1), func(t string) bool { return strings.TrimSpace(t) == "" })
}

type conditionParser struct{ tokens []string }

// next takes the next token; "" at the end.
func (p *conditionParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// is takes the next token if it is one of those.
func (p *conditionParser) is(any ...string) bool {
	if len(p.tokens) > 0 && slices.Contains(any, p.tokens[0]) {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *conditionParser) want(sign string) error {
	if t := p.next(); t != sign {
		return fmt.Errorf("%q stands where %q must", t, sign)
	}
	return nil
}

type judge = func(Deed) verdict

func (p *conditionParser) either() (judge, error) {
	return p.joined(p.both, func(a, b verdict) verdict { return max(a, b) }, "OR", "||")
}

func (p *conditionParser) both() (judge, error) {
	return p.joined(p.negated, func(a, b verdict) verdict { return min(a, b) }, "AND", "&&")
}

func (p *conditionParser) joined(part func() (judge, error), join func(a, b verdict) verdict, words ...string) (judge, error) {
	left, err := part()
	for err == nil && p.is(words...) {
		var right judge
		if right, err = part(); err == nil {
			before := left
			left = func(d Deed) verdict { return join(before(d), right(d)) }
		}
	}
	return left, err
}

func (p *conditionParser) negated() (judge, error) {
	if p.is("!", "NOT") {
		inner, err := p.negated()
		if err != nil {
			return nil, err
		}
		return func(d Deed) verdict { return -inner(d) }, nil
	}
	if p.is("(") {
		inner, err := p.either()
		if err != nil {
			return nil, err
		}
		return inner, p.want(")")
	}
	return p.term()
}

func (p *conditionParser) term() (judge, error) {
	switch t := p.next(); t {
	case "ActionMatches":
		if err := p.want("{"); err != nil {
			return nil, err
		}
		pattern, err := unquote(p.next())
		if err != nil {
			return nil, err
		}
		pattern = strings.ToLower(pattern)
		return func(d Deed) verdict { return verdictOf(match(pattern, strings.ToLower(d.Action))) }, p.want("}")
	case "Exists":
		_, of, err := p.attribute(p.next())
		if err != nil {
			return nil, err
		}
		return func(d Deed) verdict { return verdictOf(of(d) != "") }, nil
	case "":
		return nil, errors.New("it ends too early")
	default:
		name, of, err := p.attribute(t)
		if err != nil {
			return nil, err
		}
		return p.comparison(name, of)
	}
}

// attribute reads "@Request[name]" or "@Resource[name]", of which the first token was taken.
func (p *conditionParser) attribute(source string) (name string, of func(Deed) string, err error) {
	if source != "@Request" && source != "@Resource" {
		return "", nil, fmt.Errorf("%q is nothing that conditions on role assignments begin with here", source)
	}
	name = p.next()
	if !strings.HasPrefix(name, "[") || !strings.HasSuffix(name, "]") {
		return "", nil, fmt.Errorf("%s is not followed by an attribute in brackets", source)
	}
	name = name[1 : len(name)-1]
	if !slices.Contains([]string{AttributeRole, AttributePrincipal, AttributePrincipalType}, name) {
		return "", nil, fmt.Errorf("%q is no attribute of role assignments", name)
	}
	return name, func(d Deed) string {
		if source == "@Request" {
			return d.Request[name]
		}
		return d.Resource[name]
	}, nil
}

// operators compare an attribute with one value. What they compare says what values they take.
var operators = map[string]struct {
	guid bool
	test func(have, value string) bool
}{
	"GuidEquals":                {true, strings.EqualFold},
	"GuidNotEquals":             {true, func(a, b string) bool { return !strings.EqualFold(a, b) }},
	"StringEquals":              {false, func(a, b string) bool { return a == b }},
	"StringNotEquals":           {false, func(a, b string) bool { return a != b }},
	"StringEqualsIgnoreCase":    {false, strings.EqualFold},
	"StringNotEqualsIgnoreCase": {false, func(a, b string) bool { return !strings.EqualFold(a, b) }},
}

// quantifiers say how a comparison with several values comes out. An attribute of a role assignment has one value, so
// "any of" and "all of" its values are the same.
var quantifiers = map[string]func([]string, func(string) bool) bool{
	"ForAnyOfAnyValues": slices.ContainsFunc[[]string],
	"ForAllOfAnyValues": slices.ContainsFunc[[]string],
	"ForAnyOfAllValues": allOf,
	"ForAllOfAllValues": allOf,
}

func allOf(values []string, test func(string) bool) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !test(v) })
}

func (p *conditionParser) comparison(name string, of func(Deed) string) (judge, error) {
	word := p.next()
	quantifier, operator, several := strings.Cut(word, ":")
	if !several {
		operator = word
	}
	o, ok := operators[operator]
	joined, known := quantifiers[quantifier]
	if !ok || several && !known {
		return nil, fmt.Errorf("%q is no operator that is known here", word)
	}
	if o.guid == (name == AttributePrincipalType) {
		return nil, fmt.Errorf("%s does not compare %s", operator, name)
	}
	values, err := p.values(several, o.guid)
	if err != nil {
		return nil, err
	}
	if !several {
		joined = allOf
	}
	return func(d Deed) verdict {
		have := of(d)
		if have == "" {
			return unknown
		}
		return verdictOf(joined(values, func(v string) bool { return o.test(have, v) }))
	}, nil
}

var conditionGUID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// values reads one value, or several between braces: GUIDs as they are, texts in quotes.
func (p *conditionParser) values(several, guids bool) (out []string, err error) {
	if several {
		if err := p.want("{"); err != nil {
			return nil, err
		}
	}
	for {
		v := p.next()
		if !guids {
			if v, err = unquote(v); err != nil {
				return nil, err
			}
		} else if !conditionGUID.MatchString(v) {
			return nil, fmt.Errorf("%q is no GUID", v)
		}
		out = append(out, v)
		if !several {
			return out, nil
		}
		if p.is("}") {
			return out, nil
		}
		if err := p.want(","); err != nil {
			return nil, err
		}
	}
}

func unquote(token string) (string, error) {
	if len(token) < 3 || token[0] != '\'' || token[len(token)-1] != '\'' {
		return "", fmt.Errorf("%q stands where a text in single quotes must", token)
	}
	return strings.ReplaceAll(token[1:len(token)-1], "''", "'"), nil
}
