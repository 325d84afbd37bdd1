package app

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/manifest"
)

var (
	isPattern  = regexp.MustCompile(`^[^\x00-\x1f\x7f]{1,256}$`)
	isTemplate = regexp.MustCompile(`^([A-Za-z0-9-]|\{organization\})*\{name\}([A-Za-z0-9-]|\{organization\})*$`)
)

// patPatterns are patterns that choose among an account's PATs: all, those whose names begin alike, and each by its name.
var patPatterns = &Listing{
	Name: "patterns", ByHand: "type a pattern of display names: '*' stands for any text, '?' for one character",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		acc, err := q.App.Account(q.Of("account"))
		if err != nil {
			return nil, err
		}
		var names []string
		taken := map[string]string{}
		for organization := range strings.SplitSeq(q.Of("organizations"), ",") {
			all, err := devops.Browse(ctx, q.App.options(), acc, organization, func(n int) { q.heard(len(names) + n) })
			if err != nil {
				return nil, err
			}
			for _, p := range all {
				if !p.Stamped {
					names = append(names, p.Name)
				}
				if why := q.App.chosenElsewhere("", acc.Name(), organization, p.ID, p.Name); why != "" {
					taken[strings.ToLower(p.Name)] = why
				}
			}
		}
		return patterns(names, taken), nil
	},
}

// patterns makes patterns of names. One that chooses what something else of the manifest takes over cannot be chosen.
func patterns(names []string, taken map[string]string) (out []Choice) {
	slices.Sort(names)
	names = slices.Compact(names)
	of := []string{"*"}
	for _, n := range names {
		first, _, several := strings.Cut(n, " ")
		if several {
			of = append(of, first+" *")
		}
		of = append(of, n)
	}
	slices.SortFunc(of, func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
	for _, p := range slices.CompactFunc(of, strings.EqualFold) {
		if !isPattern.MatchString(p) || strings.ContainsFunc(p, unprintable) || p != "*" && strings.ContainsAny(strings.TrimSuffix(p, " *"), "*?") {
			continue
		}
		var chosen []string
		c := Choice{ID: p}
		for _, n := range names {
			if !chooses(p, n) {
				continue
			}
			chosen = append(chosen, n)
			if why := taken[strings.ToLower(n)]; why != "" {
				c.Unfit = n + ": " + why
			}
		}
		switch {
		case p == "*" || len(chosen) > 1:
			c.About = []About{{"chooses", fmt.Sprintf("%d: %s", len(chosen), noMore(chosen, 3))}}
		case strings.HasSuffix(p, " *"):
			continue // one name says it better
		}
		out = append(out, c)
	}
	return out
}

// chooses says whether a pattern of patterns' own making chooses a name.
func chooses(pattern, name string) bool {
	prefix, many := strings.CutSuffix(strings.ToLower(pattern), "*")
	if many {
		return strings.HasPrefix(strings.ToLower(name), prefix)
	}
	return strings.EqualFold(pattern, name)
}

// addPATs adds several PATs of an account as one block.
func addPATs() Addition {
	several := func(q *Asked) bool { return strings.Contains(q.Of("organizations"), ",") }
	questions := []Question{
		askAccount(),
		{Flag: "organizations", Ask: "In which organisations?", Usage: "the Azure DevOps organisations to look in, with commas between", Form: isOrganization, Many: true, List: organizations},
		{Flag: "select", Ask: "Which of its PATs (a pattern of their display names)?", Usage: "the PATs, by a pattern of their display names: '*' stands for any text, '?' for one character", Form: isPattern, List: patPatterns},
		named("the name for the block", func(q *Asked) string {
			if s := slug(q.Of("select")); s != "" {
				return s + "-pats"
			}
			return "pats"
		}),
		{Flag: "vault", Ask: "Which vault are the values kept in?", Usage: "the vault that the values are kept in: a name out of the manifest's, or its name in Azure, which is added", Form: isVault, List: storeVaults},
		{
			Flag: "secret", Ask: "Which secrets of the vault (a template)?", Usage: "the secrets that the values are kept in, by a template with {name} in it, and {organization} where there are several", Form: isTemplate,
			Default: func(_ context.Context, q *Asked) (string, error) {
				if several(q) {
					return "pat-{organization}-{name}", nil
				}
				return "pat-{name}", nil
			},
		},
	}
	return Addition{
		Command: "pats", Short: "add several personal access tokens of an account at once",
		Long: `Add pats writes a block into the manifest that stands for several personal access tokens of an account, chosen by a
pattern of their display names. Each run takes over what is new among them, each in a secret of its own whose name a
template makes; a value that is in the vault already is found there under that name. Listed are the account's
organisations and the names of its living PATs, so the account must be able to sign in.`,
		Examples: []string{
			"rekey add pats",
			`rekey add pats agents --organizations contoso,fabrikam --select "agent *" --vault prod --secret "pat-{organization}-{name}"`,
		},
		Questions: append(questions, times("30d", "5d", "24h")...),
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			var all []string
			for o := range strings.SplitSeq(q.Of("organizations"), ",") {
				all = append(all, manifest.Scalar(o))
			}
			return q.credential([]string{"pats:", "  account: " + manifest.Scalar(q.Of("account")), "  organizations: [" + strings.Join(all, ", ") + "]",
				"  select: " + manifest.Scalar(q.Of("select"))})
		},
	}
}
