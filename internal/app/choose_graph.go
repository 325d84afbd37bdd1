package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// applications are the app registrations that Rekey's identity may read.
var applications = &Listing{
	Name: "applications", Short: "the app registrations that Rekey's identity sees, with their client secrets and owners",
	ByHand: "type the Application (client) ID of the app registration's page; to list applications, Rekey's identity needs the application permission Application.Read.All or Application.ReadWrite.OwnedBy of Microsoft Graph",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := q.App.graphClient().Applications(ctx, q.heard)
		var out []Choice
		for _, x := range all {
			about := []About{{"secrets", secretsOf(x)}}
			switch {
			case x.Owners == 0: // before anything that a narrow line would cut it off behind
				about = []About{{"owners", "none"}, about[0]}
			case x.Owners > 0:
				about = append(about, About{"owners", fmt.Sprint(x.Owners)})
			}
			out = append(out, Choice{ID: x.AppID, Name: x.Name, data: x, About: about})
		}
		return out, err
	},
}

// secretsOf is how many an application has, and when the first of them ends.
func secretsOf(x graph.Listed) string {
	var first time.Time
	for _, s := range x.Secrets {
		if first.IsZero() || s.To.Before(first) {
			first = s.To
		}
	}
	if first.IsZero() {
		return "none"
	}
	return fmt.Sprintf("%d, the first until %s", len(x.Secrets), day(first))
}

func askApplication() Question {
	return Question{Flag: "application", Ask: "Which application?", Usage: "the app registration, by Application (client) ID or name", Form: isGUID, List: applications}
}

// clientSecrets are those of one application.
var clientSecrets = &Listing{
	Name: "client-secrets", Short: "the client secrets of an application: names and dates, never a value", Needs: []Question{askApplication()},
	ByHand: "type the Secret ID of the application's page Certificates & secrets",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		all, err := q.App.graphClient().ClientSecrets(ctx, graph.Settings{AppID: q.Of("application")})
		if err != nil {
			return nil, err
		}
		q.heard(len(all))
		adopted := map[string]string{}
		for _, c := range q.App.cfg.Manifest.Credentials {
			if s, ok := c.Settings.(*graph.Settings); ok && s.Adopt != nil {
				adopted[strings.ToLower(s.Adopt.ID)] = c.Name
			}
		}
		var out []Choice
		for _, s := range all {
			c := Choice{ID: s.ID, Name: s.Name, About: []About{{"expires", day(s.To)}, {"created", day(s.From)}}, data: s}
			switch name := adopted[strings.ToLower(s.ID)]; {
			case s.Stamped:
				c.Unfit = "Rekey issued it, and finds it by the stamp in its name"
			case name != "":
				c.Unfit = "credential " + name + " of the manifest takes it over"
			}
			out = append(out, c)
		}
		return out, nil
	},
}

// addAppSecret adds a client secret of an application: a new one, or one that is there, by its id.
func addAppSecret() Addition {
	questions := []Question{
		askApplication(),
		{Flag: "adopt", Ask: "Take over one of its client secrets?", Usage: "take over this client secret: its key id (Secret ID), or its name if only one has it", Form: isGUID, List: clientSecrets, None: "issue a new one"},
		named("the name for the credential", func(q *Asked) string {
			if c, ok := q.known["application"]; ok {
				return c.Name + "-secret"
			}
			return "client-secret"
		}),
	}
	return Addition{
		Command: "app-secret", Short: "add a client secret of an app registration",
		Long: `Add app-secret writes a client secret of an app registration into the manifest: a new one that the next apply issues,
or, with --adopt, one that the application has and whose value is in the vault already. What is taken over is not
touched before it is due; then it is replaced like any other. Listed are the applications that Rekey's identity may
read, and names and dates of their secrets.`,
		Examples: []string{
			"rekey add app-secret",
			"rekey add app-secret web-secret --application web --vault prod --secret web-client-secret",
			"rekey add app-secret web-secret --application web --adopt 00000000-0000-0000-0000-000000000000 --vault prod --secret web-client-secret",
		},
		Questions: append(append(append(questions, places()...), times("90d", "20d", "7d")...), askOwners()),
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			block := []string{"appSecret:", "  appId: " + manifest.Scalar(q.Of("application")) + readable(q.known["application"].Name)}
			if id := q.Of("adopt"); id != "" {
				block = append(block, "  adopt: {id: "+manifest.Scalar(id)+"}"+readable(q.known["adopt"].Name))
			}
			return q.credential(append(block, q.owners()...))
		},
	}
}
