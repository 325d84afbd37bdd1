package approval

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

const (
	// maxExpression is how long a rule's condition may be, and maxCost what evaluating one may cost, in CEL's own units:
	// a thousand times what a rule of a few comparisons does.
	maxExpression = 4096
	maxCost       = 100_000
	// maxRules bounds a policy.
	maxRules = 100
)

// Rule is one rule of a policy: the first whose condition holds decides.
type Rule struct {
	Name string
	When string // CEL, of type bool
	Then string // Allow, Deny or Ask
	// Approvers narrows down who may decide what this rule asks; nil for the manifest's.
	Approvers *Approvers
}

// Approvers are those who have one of the app roles, or are in one of the groups.
type Approvers struct{ Roles, Groups []string }

// Fault is what is wrong with a rule's condition, at a line from 1 and a column from 0 within it.
type Fault struct {
	Rule         int
	Line, Column int
	Text         string
}

// Policy is a list of rules that can be evaluated.
type Policy struct {
	rules    []Rule
	programs []cel.Program
}

// variables are what a condition can name. A name that is not among them is refused before anything runs.
var variables = []struct {
	name string
	of   *cel.Type
	doc  string
	get  func(Request) any
}{
	{"credentials", cel.ListType(cel.StringType), "names of credentials", func(r Request) any { return set(r.Credentials) }},
	{"kinds", cel.ListType(cel.StringType), "kinds of action: " + strings.Join(Kinds, ", "), func(r Request) any { return set(r.Kinds) }},
	{"role", cel.StringType, "the role that is taken, for elevate", func(r Request) any { return r.Role }},
	{"scope", cel.StringType, "what it is done to: the secret, or the scope of the role", func(r Request) any { return r.Scope }},
	{"duration", cel.DurationType, "how long the role is taken for, or a new value lives", func(r Request) any { return r.Duration }},
	{"consumers", cel.ListType(cel.StringType), "what is told", func(r Request) any { return set(r.Consumers) }},
	{"compromised", cel.BoolType, "whether the old value is revoked at once", func(r Request) any { return r.Compromised }},
	{"reason", cel.StringType, "what the person who runs it gave as the reason", func(r Request) any { return r.Reason }},
	{"ticket", cel.StringType, "the ticket that they named", func(r Request) any { return r.Ticket }},
	{"now", cel.TimestampType, "the time", func(r Request) any { return r.Now }},
	{"ci", cel.StringType, "github, pipelines, or empty outside of a verified job", func(r Request) any { return r.CI }},
	{"who", cel.StringType, "the subject of the job's token", func(r Request) any { return r.Who }},
	{"actor", cel.StringType, "who started the job", func(r Request) any { return r.Actor }},
	{"branch", cel.StringType, "the job's branch; empty for a pull request", func(r Request) any { return r.Branch }},
	{"pullRequest", cel.StringType, "the number of its pull request", func(r Request) any { return r.PullRequest }},
	{"environment", cel.StringType, "its environment", func(r Request) any { return r.Environment }},
	{"claims", cel.MapType(cel.StringType, cel.DynType), "all claims of the job's token", func(r Request) any { return r.claims() }},
}

func (r Requester) claims() map[string]any {
	if r.Claims == nil {
		return map[string]any{}
	}
	return r.Claims
}

// Compile makes a policy of rules, or says everything that is wrong with their conditions.
func Compile(rules []Rule) (*Policy, []Fault) {
	options := []cel.EnvOption{cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(100)}
	for _, v := range variables {
		options = append(options, cel.Variable(v.name, v.of))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		panic(err) // the variables are constants
	}
	p := &Policy{rules: slices.Clone(rules)}
	var faults []Fault
	if len(rules) > maxRules {
		return nil, []Fault{{Rule: maxRules, Line: 1, Text: fmt.Sprintf("there are %d rules, more than %d", len(rules), maxRules)}}
	}
	for i, r := range rules {
		program, found := compile(env, r.When)
		for _, f := range found {
			f.Rule = i
			faults = append(faults, f)
		}
		p.programs = append(p.programs, program)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return p, nil
}

func compile(env *cel.Env, when string) (cel.Program, []Fault) {
	if len(when) > maxExpression {
		return nil, []Fault{{Line: 1, Text: fmt.Sprintf("the condition has %d bytes, more than %d", len(when), maxExpression)}}
	}
	ast, issues := env.Compile(when)
	if issues.Err() != nil {
		var faults []Fault
		for _, e := range issues.Errors() {
			faults = append(faults, Fault{Line: e.Location.Line(), Column: e.Location.Column(), Text: inWords(e.Message)})
		}
		return nil, faults
	}
	if ast.OutputType().Kind() != types.BoolKind {
		return nil, []Fault{{Line: 1, Text: fmt.Sprintf("the condition is of type %s, and must be true or false", ast.OutputType())}}
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, []Fault{{Line: 1, Text: "the condition cannot be made into a program"}}
	}
	return program, nil
}

// inWords takes CEL's own terms out of what it says of an unknown name.
func inWords(message string) string {
	name, ok := strings.CutPrefix(strings.TrimSuffix(message, " (in container '')"), "undeclared reference to ")
	if !ok {
		return message
	}
	name, meant, _ := strings.Cut(name, " (")
	text := "there is no " + name + " in a condition"
	if meant != "" {
		return text + " (" + meant
	}
	var names []string
	for _, v := range variables {
		names = append(names, v.name)
	}
	return text + "; there are " + strings.Join(names, ", ")
}

// Ruling is what a policy says of a request.
type Ruling struct {
	Then string // Allow, Deny or Ask
	Rule string // "" if none matched
	Why  string
	// Approvers narrows down who may decide; nil for the manifest's.
	Approvers *Approvers
}

// evaluateFor bounds the evaluation of all rules.
const evaluateFor = 5 * time.Second

// Decide evaluates the rules in order. It always comes to an end, and what goes wrong on the way denies.
func (p *Policy) Decide(ctx context.Context, r Request) Ruling {
	ctx, cancel := context.WithTimeout(ctx, evaluateFor)
	defer cancel()
	input := map[string]any{}
	for _, v := range variables {
		input[v.name] = v.get(r)
	}
	for i, program := range p.programs {
		rule := p.rules[i]
		value, _, err := program.ContextEval(ctx, input)
		if err != nil {
			return Ruling{Then: Deny, Rule: rule.Name, Why: fmt.Sprintf("rule %s cannot be evaluated: %s", rule.Name, failing(err))}
		}
		holds, ok := value.Value().(bool)
		if !ok {
			return Ruling{Then: Deny, Rule: rule.Name, Why: fmt.Sprintf("rule %s says neither true nor false", rule.Name)}
		}
		if holds {
			return Ruling{Then: rule.Then, Rule: rule.Name, Why: "rule " + rule.Name, Approvers: rule.Approvers}
		}
	}
	return Ruling{Then: Deny, Why: "no rule matches, and what no rule allows is denied"}
}

// failing says why an evaluation failed; CEL's text can quote a claim, which is no secret, but may be long.
func failing(err error) string {
	const most = 200
	text := err.Error()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
