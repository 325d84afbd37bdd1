package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Case is one line of a table that a policy is tried with.
type Case struct {
	Name string
	Request
	Want string
	Rule string // that must match; "" for whichever
}

// given is a case as the file says it.
type given struct {
	Name    string       `yaml:"name"`
	Request givenRequest `yaml:"request"`
	Want    string       `yaml:"want"`
	Rule    string       `yaml:"rule"`
}

type givenRequest struct {
	Credentials []string       `yaml:"credentials"`
	Kinds       []string       `yaml:"kinds"`
	Role        string         `yaml:"role"`
	Scope       string         `yaml:"scope"`
	Duration    string         `yaml:"duration"`
	Consumers   []string       `yaml:"consumers"`
	Compromised bool           `yaml:"compromised"`
	Reason      string         `yaml:"reason"`
	Ticket      string         `yaml:"ticket"`
	Now         string         `yaml:"now"`
	CI          string         `yaml:"ci"`
	Who         string         `yaml:"who"`
	Actor       string         `yaml:"actor"`
	Branch      string         `yaml:"branch"`
	PullRequest string         `yaml:"pullRequest"`
	Environment string         `yaml:"environment"`
	Claims      map[string]any `yaml:"claims"`
}

// ParseCases reads a table. now is what a case has that names no time.
func ParseCases(src []byte, now time.Time) (out []Case, err error) {
	if len(src) > maxFile {
		return nil, fmt.Errorf("the table has %d bytes, more than %d", len(src), maxFile)
	}
	defer func() {
		if recover() != nil { // the library's, on what no person writes
			out, err = nil, errors.New("the table cannot be read")
		}
	}()
	var file struct {
		Cases []given `yaml:"cases"`
	}
	if err := yaml.UnmarshalWithOptions(src, &file, yaml.Strict()); err != nil {
		return nil, errors.New(strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	if len(file.Cases) == 0 {
		return nil, errors.New("the table has no cases: write them under 'cases:'")
	}
	for i, g := range file.Cases {
		c, err := g.read(now)
		if err != nil {
			return nil, fmt.Errorf("case %d (%s): %w", i+1, g.Name, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func (g given) read(now time.Time) (Case, error) {
	q := g.Request
	c := Case{Name: g.Name, Want: g.Want, Rule: g.Rule, Request: Request{
		Intent:    Intent{Credentials: q.Credentials, Kinds: q.Kinds, Role: q.Role, Scope: q.Scope, Consumers: q.Consumers},
		Requester: Requester{CI: q.CI, Who: q.Who, Actor: q.Actor, Branch: q.Branch, PullRequest: q.PullRequest, Environment: q.Environment},
		Reason:    q.Reason, Ticket: q.Ticket, Compromised: q.Compromised, Now: now,
	}}
	if c.Name == "" {
		return Case{}, errors.New("it has no name")
	}
	if c.Want != Allow && c.Want != Deny && c.Want != Ask {
		return Case{}, fmt.Errorf("'want' must be %s, %s or %s", Allow, Deny, Ask)
	}
	for _, k := range q.Kinds {
		if !slices.Contains(Kinds, k) {
			return Case{}, fmt.Errorf("there is no kind of action %q; there are %s", k, strings.Join(Kinds, ", "))
		}
	}
	var err error
	if q.Duration != "" {
		if c.Duration, err = time.ParseDuration(q.Duration); err != nil {
			return Case{}, errors.New("'duration' must be like 720h or 15m")
		}
	}
	if q.Now != "" {
		if c.Now, err = time.Parse(time.RFC3339, q.Now); err != nil {
			return Case{}, errors.New("'now' must be like 2026-11-21T09:30:00Z")
		}
	}
	// As a token has them: its numbers are JSON's.
	b, err := json.Marshal(q.Claims)
	if err == nil {
		err = json.Unmarshal(b, &c.Claims)
	}
	if err != nil {
		return Case{}, errors.New("'claims' holds what no token can")
	}
	return c, nil
}

// Try is what a policy says of a case.
type Try struct {
	Case
	Got Ruling
}

// Holds says whether that is what the case wants.
func (t Try) Holds() bool { return t.Got.Then == t.Want && (t.Rule == "" || t.Rule == t.Got.Rule) }

// Try tries a policy with all cases.
func (p *Policy) Try(ctx context.Context, cases []Case) []Try {
	var out []Try
	for _, c := range cases {
		out = append(out, Try{c, p.Decide(ctx, c.Request)})
	}
	return out
}
