package pipelines

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/driver"
)

// ListedProject is a project of an organisation, for a person to choose from.
type ListedProject struct{ ID, Name string }

// ListedConnection is a service connection that Rekey's identity sees.
type ListedConnection struct {
	ID, Name, Type, Scheme string
	// Target is the application that it signs in as, or the address that it connects to.
	Target string
	// Projects are those that share it.
	Projects []string
	// Unfit is why it cannot be told a credential for the use that was asked about; "" if it can, or nobody can say yet.
	Unfit string
}

// ListedGroup is a variable group that Rekey's identity sees.
type ListedGroup struct {
	ID       int
	Name     string
	Secrets  []string // names of its secret variables, sorted
	Projects []string
	Unfit    string
}

const memberHint = "add Rekey's identity to the organisation and to the project, as a Reader at least"

// Projects lists an organisation's projects. heard is told how many were read so far.
func (c *Client) Projects(ctx context.Context, organization string, heard func(int)) (out []ListedProject, err error) {
	err = c.pages(ctx, request{op: "list the projects of organisation " + organization, denied: memberHint}, url.Values{"$top": {"100"}},
		func(q url.Values) string { return address(organization, "", "/_apis/projects", q) },
		func(d document) {
			out = append(out, ListedProject{d.text("id"), d.text("name")})
			heard(len(out))
		})
	return out, err
}

// Connections lists a project's service connections, those that failed too. A list leaves secrets out, so what only one
// of them would show is found out when it is told.
func (c *Client) Connections(ctx context.Context, organization, project string, use Use, heard func(int)) (out []ListedConnection, err error) {
	op := fmt.Sprintf("list the service connections of %s/%s", organization, project)
	err = c.pages(ctx, request{op: op, denied: memberHint}, url.Values{"includeFailed": {"true"}},
		func(q url.Values) string {
			return address(organization, project, strings.TrimSuffix(endpoints, "/"), q)
		},
		func(d document) {
			e := endpoint{document: d, project: project}.asRead()
			x := ListedConnection{ID: d.text("id"), Name: d.text("name"), Type: d.text("type"), Scheme: e.object("authorization").text("scheme"), Projects: e.projects()}
			x.Target = e.parameters().parameter("serviceprincipalid")
			if x.Target == "" {
				x.Target = bare(d.text("url"))
			}
			switch err := e.fits(op, use); {
			case d.text("type") == "":
				x.Unfit = "Rekey's identity may not use it: make it an Administrator of the service connection"
			default:
				x.Unfit = why(err)
			}
			out = append(out, x)
			heard(len(out))
		})
	return out, err
}

// asRead adds the one parameter that tells a feed with a key from others: it is a secret, which a list leaves out.
func (e endpoint) asRead() endpoint {
	auth := e.object("authorization")
	if !strings.EqualFold(auth.text("scheme"), "None") || !strings.Contains(strings.ToLower(e.text("type")), "nuget") {
		return e
	}
	parameters := auth.object("parameters")
	if parameters == nil {
		parameters = document{}
	}
	parameters.set("nugetkey", nil)
	auth.set("parameters", parameters)
	e.set("authorization", auth)
	return e
}

// projects are the names of those that share a connection or a group.
func (d document) projects(member string) (out []string) {
	for _, r := range d.list(member) {
		if name := r.object("projectReference").text("name"); name != "" {
			out = append(out, name)
		}
	}
	return out
}

func (e endpoint) projects() []string { return e.document.projects(references) }

// Groups lists a project's variable groups and the names of their secret variables.
func (c *Client) Groups(ctx context.Context, organization, project string, heard func(int)) (out []ListedGroup, err error) {
	op := fmt.Sprintf("list the variable groups of %s/%s", organization, project)
	err = c.pages(ctx, request{op: op, denied: memberHint}, url.Values{"queryOrder": {"IdAscending"}, "$top": {"100"}},
		func(q url.Values) string { return address(organization, project, groups, q) },
		func(d document) {
			x := ListedGroup{Name: d.text("name"), Projects: d.projects("variableGroupProjectReferences")}
			if _, err := fmt.Sscanf(string(d["id"]), "%d", &x.ID); err != nil {
				return
			}
			variables := d.object("variables")
			for _, name := range slices.Sorted(maps.Keys(variables)) {
				if string(variables.object(name)["isSecret"]) == "true" {
					x.Secrets = append(x.Secrets, name)
				}
			}
			switch {
			case strings.EqualFold(d.text("type"), "AzureKeyVault"):
				x.Unfit = "it is linked to a key vault, whose newest version pipelines read by themselves"
			case len(x.Secrets) == 0:
				x.Unfit = "it has no secret variable"
			}
			out = append(out, x)
			heard(len(out))
		})
	return out, err
}

// bare is an address without what may be a secret in it.
func bare(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest, _, _ = strings.Cut(rest, "#")
	at, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(at, '@'); i >= 0 {
		at = at[i+1:]
	}
	return strings.TrimSuffix(scheme+"://"+at+"/"+path, "/")
}

// maxPages bounds a list that does not end.
const maxPages = 1000

// pages walks a list of the service.
func (c *Client) pages(ctx context.Context, r request, q url.Values, at func(url.Values) string, visit func(document)) error {
	next := ""
	r.method, r.next = http.MethodGet, &next
	for range maxPages {
		r.addr = at(q)
		var body struct {
			Value []document `json:"value"`
		}
		if _, err := c.call(ctx, r, &body); err != nil {
			return err
		}
		for _, d := range body.Value {
			if len(d) > 0 {
				visit(d)
			}
		}
		if next == "" || next == q.Get("continuationToken") {
			return nil
		}
		q.Set("continuationToken", next)
	}
	return driver.Errorf(driver.Unavailable, r.op, "", "the list does not end")
}

// why is what an error says about a thing; "" for none.
func why(err error) string {
	var e *driver.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Detail
}
