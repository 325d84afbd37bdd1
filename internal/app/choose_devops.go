package app

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/manifest"
)

var (
	isOrganization = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$`)
	isProject      = regexp.MustCompile(`^[^/\\<>:*?"|#;]{1,64}$`)
	isNumber       = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)
	isVariable     = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,200}$`)
	isScopes       = regexp.MustCompile(`^[a-z][a-z_.]*([ ,]+[a-z][a-z_.]*)*$`)
)

// askAccount asks for an account of the manifest. The only one is taken without a question.
func askAccount() Question {
	return Question{
		Flag: "account", Ask: "Which account?", Usage: "the account that it belongs to: a name out of the manifest's accounts", Form: isName, Silent: true,
		List: &Listing{Name: "accounts", list: func(_ context.Context, q *Asked) (out []Choice, _ error) {
			for _, acc := range q.App.cfg.Manifest.Accounts {
				out = append(out, Choice{ID: acc.Name, About: []About{{"user", acc.Username}}})
			}
			return out, nil
		}},
		Default: func(_ context.Context, q *Asked) (string, error) {
			all := q.App.cfg.Manifest.Accounts
			if len(all) == 0 {
				return "", fmt.Errorf("the manifest has no accounts, and a PAT belongs to one: rekey add account")
			}
			return sole(len(all), func() string { return all[0].Name }), nil
		},
	}
}

// organizations are those that an account is a member of.
var organizations = &Listing{
	Name: "organizations", Short: "the Azure DevOps organisations that an account is a member of", Needs: []Question{askAccount()},
	ByHand: "type the organisation's name, as in https://dev.azure.com/NAME",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		acc, err := q.App.Account(q.Of("account"))
		if err != nil {
			return nil, err
		}
		names, err := devops.Organizations(ctx, q.App.options(), acc)
		if err != nil {
			return nil, err
		}
		q.heard(len(names))
		var out []Choice
		for _, n := range names {
			if isOrganization.MatchString(n) {
				out = append(out, Choice{ID: n})
			}
		}
		return out, nil
	},
}

func askOrganization(list *Listing) Question {
	return Question{Flag: "organization", Ask: "Which organisation?", Usage: "the Azure DevOps organisation, as in https://dev.azure.com/NAME", Form: isOrganization, List: list}
}

// anyOrganizations are those that the manifest names and those of its accounts, as far as these can be asked: Azure
// DevOps tells Rekey's own identity of none.
var anyOrganizations = &Listing{
	Name: "organizations", ByHand: organizations.ByHand,
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		var out []Choice
		add := func(name, of string) {
			if isOrganization.MatchString(name) && !slices.ContainsFunc(out, func(c Choice) bool { return strings.EqualFold(c.ID, name) }) {
				out = append(out, Choice{ID: name, About: []About{{"known from", of}}})
			}
		}
		for _, c := range q.App.cfg.Manifest.Credentials {
			if s, ok := c.Settings.(*devops.Settings); ok {
				add(s.Organization, "credential "+c.Name)
			}
			for _, x := range c.Consumers {
				switch s := x.Settings.(type) {
				case *pipelines.ConnectionSettings:
					add(s.Organization, "consumer "+x.Name)
				case *pipelines.GroupSettings:
					add(s.Organization, "consumer "+x.Name)
				}
			}
		}
		var failed error
		for _, m := range q.App.cfg.Manifest.Accounts {
			acc, err := q.App.Account(m.Name)
			if err == nil {
				var names []string
				names, err = devops.Organizations(ctx, q.App.options(), acc)
				for _, n := range names {
					add(n, "account "+m.Name)
				}
			}
			if err != nil {
				failed = err
			}
		}
		if len(out) == 0 {
			return nil, failed
		}
		return out, nil
	},
}

// projects are those of an organisation that Rekey's identity sees.
var projects = &Listing{
	Name: "projects", Short: "the projects of an organisation that Rekey's identity sees", Needs: []Question{askOrganization(nil)},
	ByHand: "type the project's name or id",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := q.App.pipelines.Projects(ctx, q.Of("organization"), q.heard)
		var out []Choice
		for _, p := range all {
			c := Choice{ID: p.Name, About: []About{{"id", p.ID}}}
			if !isProject.MatchString(p.Name) || strings.ContainsFunc(p.Name, unprintable) {
				c = Choice{ID: p.ID, Name: p.Name}
			}
			out = append(out, c)
		}
		return out, err
	},
}

// unprintable says that a character has no place in a manifest: who reads that would not see what is there.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func askProject() Question {
	return Question{Flag: "project", Ask: "Which project?", Usage: "a project that may use it, by name or id", Form: isProject, List: projects}
}

// pats are an account's living PATs in an organisation.
var pats = &Listing{
	Name: "pats", Short: "the living PATs of an account in an organisation", Needs: []Question{askAccount(), askOrganization(nil)},
	ByHand: "type the PAT's authorizationId",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		acc, err := q.App.Account(q.Of("account"))
		if err != nil {
			return nil, err
		}
		all, err := devops.Browse(ctx, q.App.options(), acc, q.Of("organization"), q.heard)
		if err != nil {
			return nil, err
		}
		var out []Choice
		for _, p := range all {
			c := Choice{ID: p.ID, Name: p.Name, About: []About{{"expires", day(p.To)}, {"scopes", strings.Join(p.Scopes, " ")}, {"created", day(p.From)}}, data: p}
			if c.Unfit = q.App.chosenElsewhere("", acc.Name(), q.Of("organization"), p.ID, p.Name); p.Stamped {
				c.Unfit = "Rekey issued it, and finds it by the stamp in its name"
			}
			out = append(out, c)
		}
		return out, nil
	},
}

// addPAT adds a personal access token: a new one, or one that is there, by its id.
func addPAT() Addition {
	questions := []Question{
		askAccount(), askOrganization(organizations),
		{Flag: "adopt", Ask: "Take over one of its PATs?", Usage: "take over this PAT: its authorizationId, or its name if only one has it", Form: isGUID, List: pats, None: "issue a new one"},
		{
			Flag: "scopes", Ask: "What may it do (scopes, such as vso.code vso.packaging)?", Usage: "what it may do, such as vso.code,vso.packaging; those of the PAT that is taken over, unless it is said", Form: isScopes, Silent: true,
			Default: func(ctx context.Context, q *Asked) (string, error) {
				if q.Of("adopt") == "" {
					return "", nil
				}
				c, err := q.choice(ctx, "adopt")
				if err != nil {
					return "", err
				}
				p, _ := c.data.(devops.Listed)
				return strings.Join(p.Scopes, " "), nil
			},
		},
		named("the name for the credential", func(q *Asked) string {
			if c, ok := q.known["adopt"]; ok {
				return c.Name
			}
			return q.Of("organization") + "-pat"
		}),
	}
	return Addition{
		Command: "pat", Short: "add an Azure DevOps personal access token (PAT)",
		Long: `Add pat writes a personal access token into the manifest: a new one that the next apply issues, or, with --adopt, one
that the account has and whose value is in the vault already. What is taken over is not touched before it is due; then
it is replaced like any other. Listed are the account's organisations and living PATs, so the account must be able to
sign in; names, scopes and dates alone are read.`,
		Examples: []string{
			"rekey add pat",
			"rekey add pat devops-pat --organization contoso --scopes vso.code,vso.packaging --vault prod --secret devops-pat-token",
			"rekey add pat build-pat --organization contoso --adopt 00000000-0000-0000-0000-000000000000 --vault prod --secret build-pat",
		},
		Questions: append(append(questions, places()...), times("30d", "5d", "24h")...),
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			block := []string{"pat:", "  account: " + manifest.Scalar(q.Of("account")), "  organization: " + manifest.Scalar(q.Of("organization")),
				"  scopes: [" + strings.Join(strings.FieldsFunc(q.Of("scopes"), func(r rune) bool { return r == ' ' || r == ',' }), ", ") + "]"}
			if id := q.Of("adopt"); id != "" {
				block = append(block, "  adopt: {id: "+manifest.Scalar(id)+"}"+readable(q.known["adopt"].Name))
			}
			return q.credential(block)
		},
	}
}
