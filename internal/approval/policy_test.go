package approval_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/approval"
)

func compile(t *testing.T, rules ...approval.Rule) *approval.Policy {
	t.Helper()
	p, faults := approval.Compile(rules)
	if p == nil {
		t.Fatalf("%+v", faults)
	}
	return p
}

func rule(name, when, then string) approval.Rule {
	return approval.Rule{Name: name, When: when, Then: then}
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	request := approval.Request{
		Intent:    usual(),
		Requester: approval.Requester{CI: "github", Who: "repo:contoso/platform:environment:production", Actor: "octocat", Branch: "main", Environment: "production", Claims: map[string]any{"ref": "refs/heads/main", "run_attempt": float64(1)}},
		Reason:    "it is due", Ticket: "CHG-4711", Now: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), Compromised: true,
	}
	for name, c := range map[string]struct {
		rules []approval.Rule
		want  string
		rule  string
		why   string
	}{
		"the one that allows":                     {[]approval.Rule{rule("a", "true", approval.Allow)}, approval.Allow, "a", ""},
		"the first of two":                        {[]approval.Rule{rule("a", "true", approval.Deny), rule("b", "true", approval.Allow)}, approval.Deny, "a", ""},
		"the second, if the first does not match": {[]approval.Rule{rule("a", "false", approval.Deny), rule("b", "true", approval.Ask)}, approval.Ask, "b", ""},
		"none denies":                             {[]approval.Rule{rule("a", "false", approval.Allow)}, approval.Deny, "", "no rule matches"},
		"no rules deny":                           {nil, approval.Deny, "", "no rule matches"},
		"one that cannot be evaluated denies":     {[]approval.Rule{rule("a", "claims.environment == 'production'", approval.Allow), rule("b", "true", approval.Allow)}, approval.Deny, "a", "cannot be evaluated"},
		"one that costs too much denies":          {[]approval.Rule{rule("a", "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, a + b + c + d + e > 0)))))", approval.Allow)}, approval.Deny, "a", "cost"},
		"a claim that is there":                   {[]approval.Rule{rule("a", "claims.ref == 'refs/heads/main' && claims.run_attempt == 1.0", approval.Allow)}, approval.Allow, "a", ""},
		"a claim that is asked for first":         {[]approval.Rule{rule("a", "'environment' in claims && claims.environment == 'x'", approval.Deny), rule("b", "true", approval.Allow)}, approval.Allow, "b", ""},
		"every variable": {[]approval.Rule{rule("a", `credentials.exists(c, c == 'shop') && 'issue' in kinds && role.startsWith('Key Vault') && scope.endsWith('token') && duration <= duration('720h') &&
			consumers == ['deploy', 'feed'] && compromised && reason != '' && ticket.matches('^CHG-[0-9]+$') && now.getHours() >= 8 && now.getDayOfWeek() == 1 && ci == 'github' &&
			who.startsWith('repo:contoso/') && actor == 'octocat' && branch == 'main' && pullRequest == '' && environment == 'production'`, approval.Allow)}, approval.Allow, "a", ""},
		"sets are in order": {[]approval.Rule{rule("a", "kinds == ['issue', 'tell']", approval.Allow)}, approval.Allow, "a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := compile(t, c.rules...).Decide(t.Context(), request)
			if got.Then != c.want || got.Rule != c.rule || !strings.Contains(got.Why, c.why) || len(got.Why) > 400 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAMistakeInAConditionIsFoundBeforeAnythingRuns(t *testing.T) {
	for when, c := range map[string]struct {
		line, column int
		text         string
	}{
		"environmnt == 'production'":            {1, 0, "there is no 'environmnt' in a condition"},
		"branch == 'main' &&\n  enviroment==''": {2, 2, "there is no 'enviroment'"},
		"branch = 'main'":                       {1, 7, "Syntax error"},
		"branch == 7":                           {1, 7, "no matching overload"},
		"branch":                                {1, 0, "of type string, and must be true or false"},
		"claims.trusted":                        {1, 0, "of type dyn, and must be true or false"},
		"":                                      {1, 0, ""},
		strings.Repeat("true && ", 1000):        {1, 0, "more than 4096"},
		strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500): {1, 0, ""},
	} {
		p, faults := approval.Compile([]approval.Rule{rule("fine", "true", approval.Allow), rule("bad", when, approval.Allow)})
		if p != nil || len(faults) == 0 {
			t.Errorf("%.40q is taken", when)
			continue
		}
		if f := faults[0]; f.Rule != 1 || !strings.Contains(f.Text, c.text) || c.text != "" && (f.Line != c.line || f.Column != c.column) {
			t.Errorf("%.40q: %+v", when, f)
		}
	}
	if p, faults := approval.Compile(make([]approval.Rule, 101)); p != nil || len(faults) != 1 {
		t.Errorf("101 rules are taken: %v", faults)
	}
}

func TestATableOfCasesIsHeldAgainstAPolicy(t *testing.T) {
	p := compile(t, rule("production", "environment == 'production' && claims.run_attempt == 1.0", approval.Allow), rule("rest", "now.getHours() < 12", approval.Ask))
	cases, err := approval.ParseCases([]byte(`cases:
  - name: in production
    request: {kinds: [issue], environment: production, claims: {run_attempt: 1}}
    want: allow
    rule: production
  - name: in the morning
    request: {now: 2026-11-23T09:30:00Z, duration: 720h}
    want: ask
  - name: wrong
    request: {now: 2026-11-23T19:30:00Z}
    want: ask
  - name: wrong rule
    request: {now: 2026-11-23T09:30:00Z}
    want: ask
    rule: production
`), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false, false} {
		if got := p.Try(t.Context(), cases)[i]; got.Holds() != want {
			t.Errorf("%s: %+v", got.Name, got.Got)
		}
	}
	for what, src := range map[string]string{
		"nothing":                "",
		"no cases":               "cases: []",
		"a key that there isn't": "cases: [{name: a, want: allow, requst: {}}]",
		"a case without a name":  "cases: [{want: allow}]",
		"an outcome that isn't":  "cases: [{name: a, want: maybe}]",
		"a kind that isn't":      "cases: [{name: a, want: allow, request: {kinds: [isue]}}]",
		"a duration in days":     "cases: [{name: a, want: allow, request: {duration: 30d}}]",
		"a time without a zone":  "cases: [{name: a, want: allow, request: {now: '2026-11-23 09:30'}}]",
		"too much":               "cases: [{name: a, want: allow}]" + strings.Repeat("\n", 300<<10),
		"what is no YAML":        "cases: [",
	} {
		if cases, err := approval.ParseCases([]byte(src), time.Now()); err == nil {
			t.Errorf("%s is taken: %+v", what, cases)
		}
	}
}
