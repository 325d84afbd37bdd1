package app

import (
	"context"
	"regexp"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/automation"
	"github.com/rekeyhq/rekey/internal/azure/resources"
	"github.com/rekeyhq/rekey/internal/manifest"
)

var isAsset = regexp.MustCompile(`^[^/?#%&*:<>\\+\x00-\x1f\x7f]{1,128}$`)

// assets makes the choices of what an Automation account holds. One whose name a manifest cannot hold is left out.
func (q *Asked) assets(kind string, all []resources.Asset, err error, place func(account, name string) manifest.Located, about func(resources.Asset) (About, string)) ([]Choice, error) {
	var out []Choice
	for _, x := range all {
		if !isAsset.MatchString(x.Name) || strings.ContainsFunc(x.Name, unprintable) {
			continue
		}
		known, unfit := about(x)
		c := Choice{ID: x.Name, Unfit: unfit, About: []About{known, {"description", x.Description}}}
		if told := q.App.toldAlready(kind, place(q.Of("automation-account"), x.Name).Location()); told != "" {
			c.Unfit = told
		}
		out = append(out, c)
	}
	return out, err
}

// automationVariables are those of an Automation account.
var automationVariables = &Listing{
	Name: "automation-variables", Short: "the variables of an Automation account: names, never a value", Needs: []Question{askAutomation()},
	ByHand: "a variable's name is on the account's page Variables",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := q.App.seen().Variables(ctx, q.Of("automation-account"), q.heard)
		place := func(account, name string) manifest.Located {
			return &automation.VariableSettings{Account: account, Name: name}
		}
		return q.assets("automationVariable", all, err, place, func(x resources.Asset) (About, string) {
			if !x.Encrypted {
				return About{}, "it is not encrypted: whoever may read the account could read the value"
			}
			return About{"encrypted", "yes"}, ""
		})
	},
}

// automationCredentials are those of an Automation account.
var automationCredentials = &Listing{
	Name: "automation-credentials", Short: "the credentials of an Automation account, and the user names in them", Needs: []Question{askAutomation()},
	ByHand: "a credential's name is on the account's page Credentials",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := q.App.seen().Credentials(ctx, q.Of("automation-account"), q.heard)
		place := func(account, name string) manifest.Located {
			return &automation.CredentialSettings{Account: account, Name: name}
		}
		return q.assets("automationCredential", all, err, place, func(x resources.Asset) (About, string) { return About{"user", x.UserName}, "" })
	},
}

// addAutomationVariable adds an encrypted variable as a consumer.
func addAutomationVariable() Addition {
	return addAsset("automation-variable", "variable", "automationVariable", "add an encrypted variable of Azure Automation that a credential is handed to",
		"ShopSecret", automationVariables)
}

// addAutomationCredential adds a credential asset as a consumer.
func addAutomationCredential() Addition {
	return addAsset("automation-credential", "credential", "automationCredential", "add a credential of Azure Automation whose password a credential becomes",
		"Reporting", automationCredentials)
}

func addAsset(command, what, kind, short, like string, list *Listing) Addition {
	return Addition{
		Command: command, Short: short,
		Long: "Add " + command + " writes a consumer of a credential into the manifest: a " + what + " that is there.\n" + consumerText,
		Examples: []string{
			"rekey add " + command,
			"rekey add " + command + " jobs --to web-secret --automation-account aa-platform --" + what + " " + like,
		},
		Questions: []Question{
			toCredential(), askAutomation(),
			{Flag: what, Ask: "Which " + what + "?", Usage: "the " + what + ", which must be there", Form: isAsset, List: list},
			named("the consumer's name", func(q *Asked) string { return q.Of(what) }), cached(),
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			return q.consumer(kind, "account: "+manifest.Scalar(q.Of("automation-account")), "name: "+manifest.Scalar(q.Of(what))), nil
		},
	}
}
