package app

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/pipelines"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// connections are a project's service connections.
var connections = &Listing{
	Name: "service-connections", Short: "the service connections of a project, and what they sign in with", Needs: []Question{askOrganization(nil), askProject()},
	ByHand: "type the connection's id: resourceId in the address of its page",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		u := q.use()
		all, err := q.App.pipelines.Connections(ctx, q.Of("organization"), q.Of("project"), pipelines.Use{ClientID: u.clientID, Organization: u.organization}, q.heard)
		var out []Choice
		for _, x := range all {
			c := Choice{ID: x.ID, Name: x.Name, Unfit: x.Unfit, About: []About{{"type", x.Type}, {"holds", holds(x.Scheme)}, {"for", x.Target}}}
			if told := q.App.toldAlready("serviceConnection", (&pipelines.ConnectionSettings{Organization: q.Of("organization"), ID: x.ID}).Location()); c.Unfit == "" {
				c.Unfit = told
			}
			if len(x.Projects) > 1 {
				c.About = append(c.About, About{"shared by", noMore(x.Projects, 3)})
			}
			out = append(out, c)
		}
		return out, err
	},
}

// toldAlready says which consumer of the manifest is at that place: two would undo each other's work.
func (a *App) toldAlready(kind, place string) string {
	for _, c := range a.cfg.Manifest.Credentials {
		for _, x := range c.Consumers {
			var places []string
			switch s := x.Settings.(type) {
			case manifest.Located:
				places = []string{s.Location()}
			case manifest.LocatedAll:
				places = s.Locations()
			}
			if x.Kind == kind && slices.Contains(places, place) {
				return "it is consumer " + x.Name + " of credential " + c.Name
			}
		}
	}
	return ""
}

// holds is what a scheme of authorization means to a person.
func holds(scheme string) string {
	switch strings.ToLower(scheme) {
	case "serviceprincipal":
		return "a client secret"
	case "token":
		return "a token"
	case "usernamepassword":
		return "a password"
	case "none":
		return "a key"
	case "workloadidentityfederation", "managedserviceidentity":
		return "no secret"
	}
	return scheme
}

// variableGroups are a project's variable groups.
var variableGroups = &Listing{
	Name: "variable-groups", Short: "the variable groups of a project, and the names of their secret variables", Needs: []Question{askOrganization(nil), askProject()},
	ByHand: "type the group's number: variableGroupId in the address of its page",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := q.App.pipelines.Groups(ctx, q.Of("organization"), q.Of("project"), q.heard)
		var out []Choice
		for _, x := range all {
			c := Choice{ID: strconv.Itoa(x.ID), Name: x.Name, Unfit: x.Unfit, data: x}
			if len(x.Secrets) > 0 {
				c.About = append(c.About, About{"secrets", noMore(x.Secrets, 5)})
			}
			if len(x.Projects) > 1 {
				c.About = append(c.About, About{"shared by", noMore(x.Projects, 3)})
			}
			out = append(out, c)
		}
		return out, err
	},
}

// groupVariables are the secret variables of a group that was chosen.
var groupVariables = &Listing{
	Name: "variables", ByHand: "type the name of the secret variable",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		c, err := q.choice(ctx, "group")
		if err != nil {
			return nil, err
		}
		g, _ := c.data.(pipelines.ListedGroup)
		var out []Choice
		for _, name := range g.Secrets {
			told := q.App.toldAlready("variableGroup", (&pipelines.GroupSettings{Organization: q.Of("organization"), ID: g.ID, Variable: name}).Location())
			if !isVariable.MatchString(name) {
				told = "its name has characters that a manifest cannot name"
			}
			out = append(out, Choice{ID: name, Unfit: told})
		}
		return out, nil
	},
}

const consumerText = `What uses the credential is told of each new value, and proved before the old one is revoked. What is
listed is what Rekey's identity sees, without any value; to be told, it must be able to administer it.`

// addConnection adds a service connection as a consumer.
func addConnection() Addition {
	name := named("the consumer's name", func(q *Asked) string { return q.known["connection"].Name })
	return Addition{
		Command: "service-connection", Short: "add an Azure DevOps service connection that a credential is handed to",
		Long: "Add service-connection writes a consumer of a credential into the manifest.\n" + consumerText,
		Examples: []string{
			"rekey add service-connection",
			"rekey add service-connection pipelines --to devops-pat --organization contoso --project platform --connection fabrikam",
		},
		Questions: []Question{
			toCredential(), askOrganization(anyOrganizations), askProject(),
			{Flag: "connection", Ask: "Which service connection?", Usage: "the service connection, by id or name", Form: isGUID, List: connections},
			name, cached(),
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			return q.consumer("serviceConnection", "organization: "+manifest.Scalar(q.Of("organization")), "project: "+manifest.Scalar(q.Of("project")),
				"id: "+manifest.Scalar(q.Of("connection"))+readable(q.known["connection"].Name)), nil
		},
	}
}

// addGroup adds a variable of a variable group as a consumer.
func addGroup() Addition {
	name := named("the consumer's name", func(q *Asked) string { return q.Of("variable") })
	return Addition{
		Command: "variable-group", Short: "add a secret variable of an Azure DevOps variable group that a credential is handed to",
		Long: "Add variable-group writes a consumer of a credential into the manifest: one secret variable of a group.\n" + consumerText,
		Examples: []string{
			"rekey add variable-group",
			"rekey add variable-group library --to devops-pat --organization contoso --project platform --group release-settings --variable DEPLOY_PAT",
		},
		Questions: []Question{
			toCredential(), askOrganization(anyOrganizations), askProject(),
			{Flag: "group", Ask: "Which variable group?", Usage: "the variable group, by number or name", Form: isNumber, List: variableGroups},
			{Flag: "variable", Ask: "Which of its secret variables?", Usage: "the secret variable", Form: isVariable, List: groupVariables},
			name, cached(),
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			return q.consumer("variableGroup", "organization: "+manifest.Scalar(q.Of("organization")), "project: "+manifest.Scalar(q.Of("project")),
				"id: "+q.Of("group")+readable(q.known["group"].Name), "variable: "+manifest.Scalar(q.Of("variable"))), nil
		},
	}
}
