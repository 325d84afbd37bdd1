package app

import (
	"context"
	"regexp"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/resources"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// automationAccounts are those that Rekey's identity sees.
var automationAccounts = &Listing{
	Name: "automation-accounts", Short: "the Azure Automation accounts that Rekey's identity sees",
	ByHand: "its resource id is on the account's page Properties",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		return q.App.listed(ctx, resources.AutomationAccounts, q.heard)
	},
}

// apiConnections are the connections of Logic Apps that Rekey's identity sees.
var apiConnections = &Listing{
	Name: "api-connections", Short: "the API connections of Logic Apps that Rekey's identity sees",
	ByHand: "its resource id is on the connection's page Properties",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := q.App.listed(ctx, resources.APIConnections, q.heard)
		for i, c := range all {
			all[i].Unfit = q.App.toldAlready("apiConnection", strings.ToLower(c.ID))
		}
		return all, err
	},
}

// addAPIConnections adds API connections as one consumer.
func addAPIConnections() Addition {
	return Addition{
		Command: "api-connection", Short: "add API connections of Logic Apps that a credential is handed to",
		Long: "Add api-connection writes a consumer of a credential into the manifest: one API connection or several.\n" + consumerText + `
An update replaces every parameter value of a connection, and Azure shows none: what a connector needs besides client id,
secret and tenant is written into the consumer's values by hand.`,
		Examples: []string{
			"rekey add api-connection",
			"rekey add api-connection workflows --to web-secret --connections reporting-keyvault,warehouse-sql",
		},
		Questions: []Question{
			toCredential(),
			{Flag: "connections", Ask: "Which API connections?", Usage: "the API connections, by resource id or name, with commas between", Form: isConnection, Many: true, List: apiConnections},
			named("the consumer's name", func(*Asked) string { return "workflows" }), cached(),
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			settings := []string{"ids:"}
			for id := range strings.SplitSeq(q.Of("connections"), ",") {
				settings = append(settings, "  - "+manifest.Scalar(id))
			}
			return q.consumer("apiConnection", settings...), nil
		},
	}
}

var isConnection = regexp.MustCompile(`(?i)^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/?#%,]{1,90}/providers/Microsoft\.Web/connections/[^/?#%,]{1,80}$`)

func (a *App) listed(ctx context.Context, kind string, heard func(int)) ([]Choice, error) {
	all, err := a.seen().List(ctx, kind, heard)
	var out []Choice
	for _, r := range all {
		out = append(out, Choice{ID: r.ID, Name: r.Name, About: []About{{"group", r.Group}, {"subscription", r.Subscription}, {"location", r.Location}}})
	}
	return out, err
}

var isResource = regexp.MustCompile(`(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/.+/.+$`)

func askAutomation() Question {
	return Question{Flag: "automation-account", Ask: "Which Automation account?", Usage: "the Automation account, by resource id or name", Form: isResource, List: automationAccounts}
}

// runbooks are those of an Automation account, with their parameters.
var runbooks = &Listing{
	Name: "runbooks", Short: "the runbooks of an Automation account, with their parameters",
	Needs:  []Question{askAutomation()},
	ByHand: "a runbook's name is on its page",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		account := q.Of("automation-account")
		all, err := q.App.seen().Runbooks(ctx, account, q.heard)
		var out []Choice
		for _, r := range all {
			whole, err := q.App.seen().Runbook(ctx, account, r.Name)
			if err != nil {
				return nil, err
			}
			out = append(out, Choice{ID: r.Name, About: []About{{"type", r.Type}, {"parameters", parameters(whole.Parameters)}}, data: whole})
		}
		return out, err
	},
}

func parameters(all []resources.Parameter) string {
	var names []string
	for _, p := range all {
		if p.Mandatory {
			p.Name += " (must be given)"
		}
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// runbookParameters are those of a runbook that was chosen.
var runbookParameters = &Listing{
	Name: "parameters", ByHand: "type the name of the parameter that takes the secret's id",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		r, err := q.App.seen().Runbook(ctx, q.Of("automation-account"), q.Of("runbook"))
		var out []Choice
		for _, p := range r.Parameters {
			out = append(out, Choice{ID: p.Name, About: []About{{"type", p.Type}}})
		}
		return out, err
	},
}

// workerGroups are an account's hybrid worker groups.
var workerGroups = &Listing{
	Name: "worker-groups", ByHand: "type the group's name",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		names, err := q.App.seen().Groups(ctx, q.Of("automation-account"), q.heard)
		var out []Choice
		for _, n := range names {
			if !strings.ContainsFunc(n, unprintable) {
				out = append(out, Choice{ID: n})
			}
		}
		return out, err
	},
}

var (
	isRunbook   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
	isParameter = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	isWorkers   = regexp.MustCompile(`^[^/?#%]{1,80}$`)
)

// addRunbook adds a runbook as a consumer. That it is given the value itself is for a person to write, with what it means.
func addRunbook() Addition {
	return Addition{
		Command: "runbook", Short: "add an Azure Automation runbook that hands a credential on",
		Long: "Add runbook writes a consumer of a credential into the manifest: a runbook that is given the id of the vault's secret.\n" + consumerText,
		Examples: []string{
			"rekey add runbook",
			"rekey add runbook server --to web-secret --automation-account aa-platform --runbook Set-Secret --id-parameter SecretId",
		},
		Questions: []Question{
			toCredential(), askAutomation(),
			{Flag: "runbook", Ask: "Which runbook?", Usage: "the runbook, which must be published", Form: isRunbook, List: runbooks},
			{Flag: "id-parameter", Ask: "Which of its parameters takes the id of the vault's secret?", Usage: "the parameter that is given the id of the vault's secret", Form: isParameter, List: runbookParameters},
			{Flag: "run-on", Ask: "Which hybrid worker group does its job run on?", Usage: "the hybrid worker group that its job runs on; Azure itself, unless it is said", Form: isWorkers, List: workerGroups, None: "run it in Azure"},
			named("the consumer's name", func(q *Asked) string { return q.Of("runbook") }), cached(),
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			settings := []string{"account: " + manifest.Scalar(q.Of("automation-account")), "name: " + manifest.Scalar(q.Of("runbook"))}
			if on := q.Of("run-on"); on != "" {
				settings = append(settings, "runOn: "+manifest.Scalar(on))
			}
			return q.consumer("runbook", append(settings, "idParameter: "+manifest.Scalar(q.Of("id-parameter")))...), nil
		},
	}
}
