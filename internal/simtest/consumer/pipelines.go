package consumer

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	devOps = "dev.azure.com"
	// organization is the one whose pipelines use what is told.
	organization = "contoso"
	variable     = "DEPLOY_KEY"
	markOf       = ".rekey"
)

var serviceConnection = Kind{
	Name: "serviceConnection", Make: makeConnection, Operation: endpointOperation,
	Looks: []string{"GetServiceEndpoint"}, Tells: []string{"UpdateServiceEndpoint"}, Tries: []string{"TestServiceEndpoint"},
	About: func(r *http.Request) string {
		if id := r.URL.Query().Get("endpointId"); id != "" {
			return inOrganization(r, id)
		}
		return inOrganization(r, after(r, "/_apis/serviceendpoint/endpoints/"))
	},
	Holds: func(w *world.World, at string) Holding {
		e := endpointAt(&w.State, at)
		if e == nil {
			return Holding{}
		}
		_, value := e.Credential()
		h := Holding{There: true, Value: value}
		if m := inText.FindAllStringSubmatch(e.Description, -1); len(m) == 1 {
			h.Publication, h.Told = marked(m[0][1])
		}
		return h
	},
	Put: func(s *world.State, at, value string) {
		e := endpointAt(s, at)
		key, _ := e.Credential()
		e.Parameters[key] = value
	},
	Remove: func(s *world.State, at string) func(*world.State) {
		gone := endpointAt(s, at)
		o, _ := split(s, at)
		o.ServiceEndpoints = slices.DeleteFunc(o.ServiceEndpoints, func(e *world.ServiceEndpoint) bool { return e == gone })
		return func(s *world.State) {
			o, _ := split(s, at)
			o.ServiceEndpoints = append(o.ServiceEndpoints, gone)
		}
	},
	Unmark: func(s *world.State, at string) {
		e := endpointAt(s, at)
		e.Description = inText.ReplaceAllString(e.Description, "")
		for _, p := range e.Projects {
			p.Description = inText.ReplaceAllString(p.Description, "")
		}
	},
	Rest: func(s *world.State, told []string) map[string]string {
		out := map[string]string{}
		for _, o := range s.Organizations {
			for _, e := range o.ServiceEndpoints {
				at := o.Name + "/" + e.ID
				out[at] = restOfEndpoint(*e, slices.Contains(told, at))
			}
		}
		return out
	},
}

// makeConnection puts a connection into the first project that signs in as what it is used against does.
func makeConnection(s *world.State, m Making) One {
	o := organizationOf(s, organization)
	admit(o, m.Rekey)
	e := &world.ServiceEndpoint{
		ID: fmt.Sprintf("e0e0e0e0-0000-4000-8000-%012d", m.N), Name: fmt.Sprintf("deploy %d", m.N), Type: "azuredevops", URL: "https://dev.azure.com/" + m.Use.Organization,
		Owner: "library", Scheme: "Token", Parameters: map[string]string{"apitoken": m.Value}, Description: "made by hand", Created: m.At, Modified: m.At,
		Projects: []*world.ProjectReference{{ProjectID: o.Projects[0].ID, Name: fmt.Sprintf("deploy %d", m.N), Description: "made by hand"}}, Administrators: []string{m.Rekey},
		More: map[string]json.RawMessage{"serviceManagementReference": json.RawMessage(`"team-7"`)},
	}
	if m.Use.ClientID != "" {
		e.Type, e.URL, e.Scheme = "azurerm", "https://management.azure.com/", "ServicePrincipal"
		e.Parameters = map[string]string{"tenantid": world.TenantID, "serviceprincipalid": m.Use.ClientID, "authenticationType": "spnKey", "serviceprincipalkey": m.Value}
		e.Data = map[string]string{"subscriptionId": world.SubscriptionID, "subscriptionName": "production", "environment": "AzureCloud", "scopeLevel": "Subscription", "creationMode": "Manual"}
		mayRead(s, m.Use.ClientID, m.At)
	}
	other := *e
	other.ID, other.Name = fmt.Sprintf("e1e1e1e1-0000-4000-8000-%012d", m.N), fmt.Sprintf("other %d", m.N)
	other.Parameters, other.Projects = maps.Clone(e.Parameters), []*world.ProjectReference{{ProjectID: o.Projects[0].ID, Name: fmt.Sprintf("other %d", m.N)}}
	o.ServiceEndpoints = append(o.ServiceEndpoints, e, &other)
	return One{Kind: "serviceConnection", ID: fmt.Sprintf("connection-%d", m.N), At: o.Name + "/" + e.ID, Cache: time.Hour,
		Block: fmt.Sprintf("serviceConnection: {organization: %s, project: %s, id: %s}", o.Name, o.Projects[0].Name, e.ID)}
}

// mayRead lets an application's service principal read the subscription, which is what the test of a connection asks
// for.
func mayRead(s *world.State, clientID string, at time.Time) {
	for _, a := range s.Apps {
		if a.ClientID != clientID {
			continue
		}
		there := slices.ContainsFunc(s.RoleAssignments, func(x *world.RoleAssignment) bool { return x.PrincipalID == a.ServicePrincipalID })
		if !there {
			s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: "e2e2e2e2-0000-4000-8000-" + clientID[len(clientID)-12:], Scope: "/subscriptions/" + world.SubscriptionID,
				RoleID: world.RoleReader, PrincipalID: a.ServicePrincipalID, PrincipalType: "ServicePrincipal", Created: at, Updated: at})
		}
	}
}

func endpointOperation(r *http.Request) string {
	path := strings.ToLower(r.URL.Path)
	switch {
	case r.URL.Host != devOps:
	case strings.HasSuffix(path, "/_apis/serviceendpoint/endpointproxy"):
		return "TestServiceEndpoint"
	case strings.Contains(path, "/_apis/serviceendpoint/endpoints/"):
		return map[string]string{"GET": "GetServiceEndpoint", "PUT": "UpdateServiceEndpoint"}[r.Method]
	}
	return ""
}

func endpointAt(s *world.State, at string) *world.ServiceEndpoint {
	o, id := split(s, at)
	if o == nil {
		return nil
	}
	return o.Endpoint(id)
}

// restOfEndpoint is a connection without what a tell writes.
func restOfEndpoint(e world.ServiceEndpoint, told bool) string {
	if told {
		key, _ := e.Credential()
		e.Parameters = maps.Clone(e.Parameters)
		delete(e.Parameters, key)
		e.Description, e.ModifiedBy, e.Modified, e.BusyUntil, e.Failure = inText.ReplaceAllString(e.Description, ""), "", time.Time{}, time.Time{}, ""
		e.Projects = slices.Clone(e.Projects)
		for i, p := range e.Projects {
			q := *p
			q.Description = inText.ReplaceAllString(q.Description, "")
			e.Projects[i] = &q
		}
	}
	return digest(e)
}

var variableGroup = Kind{
	Name: "variableGroup", Make: makeGroup, Operation: groupOperation,
	Looks: []string{"ListVariableGroups", "GetVariableGroup"}, Tells: []string{"UpdateVariableGroup"},
	About: func(r *http.Request) string {
		if id := r.URL.Query().Get("groupIds"); id != "" {
			return inOrganization(r, id)
		}
		return inOrganization(r, after(r, "/_apis/distributedtask/variablegroups/"))
	},
	Holds: func(w *world.World, at string) Holding {
		g := groupAt(&w.State, at)
		if g == nil || g.Variables[variable] == nil {
			return Holding{}
		}
		h := Holding{There: true, Value: g.Variables[variable].Value}
		if m := g.Variables[variable+markOf]; m != nil {
			h.Publication, h.Told = marked(m.Value)
		}
		return h
	},
	Put: func(s *world.State, at, value string) { groupAt(s, at).Variables[variable].Value = value },
	Remove: func(s *world.State, at string) func(*world.State) {
		gone := groupAt(s, at)
		o, _ := split(s, at)
		o.VariableGroups = slices.DeleteFunc(o.VariableGroups, func(g *world.VariableGroup) bool { return g == gone })
		return func(s *world.State) {
			o, _ := split(s, at)
			o.VariableGroups = append(o.VariableGroups, gone)
		}
	},
	Unmark: func(s *world.State, at string) { delete(groupAt(s, at).Variables, variable+markOf) },
	Rest: func(s *world.State, told []string) map[string]string {
		out := map[string]string{}
		for _, o := range s.Organizations {
			for _, g := range o.VariableGroups {
				at := o.Name + "/" + strconv.Itoa(g.ID)
				x := *g
				if slices.Contains(told, at) {
					x.Variables = maps.Clone(g.Variables)
					delete(x.Variables, variable)
					delete(x.Variables, variable+markOf)
					x.Modified, x.ModifiedBy = time.Time{}, ""
				}
				out[at] = digest(x)
			}
		}
		return out
	},
}

func makeGroup(s *world.State, m Making) One {
	o := organizationOf(s, organization)
	admit(o, m.Rekey)
	g := &world.VariableGroup{
		ID: 1000 + 2*m.N, Name: fmt.Sprintf("deploy %d", m.N), Type: "Vsts", Description: "made by hand", Created: m.At, Modified: m.At,
		Projects: []*world.ProjectReference{{ProjectID: o.Projects[0].ID, Name: fmt.Sprintf("deploy %d", m.N)}}, Administrators: []string{m.Rekey},
		Variables: map[string]*world.Variable{variable: {Value: m.Value, Secret: true, Use: m.Use}, "URL": {Value: "https://x"},
			"OTHER": {Value: fmt.Sprintf("kept %d %s", m.N, world.Canary), Secret: true, Use: world.Target{Secret: "none"}}},
	}
	other := *g
	other.ID, other.Name, other.Projects = g.ID+1, fmt.Sprintf("other %d", m.N), []*world.ProjectReference{{ProjectID: o.Projects[0].ID, Name: fmt.Sprintf("other %d", m.N)}}
	other.Variables = map[string]*world.Variable{variable: {Value: m.Value, Secret: true, Use: m.Use}}
	o.VariableGroups = append(o.VariableGroups, g, &other)
	return One{Kind: "variableGroup", ID: fmt.Sprintf("group-%d", m.N), At: o.Name + "/" + strconv.Itoa(g.ID), Cache: time.Hour,
		Block: fmt.Sprintf("variableGroup: {organization: %s, project: %s, id: %d, variable: %s}", o.Name, o.Projects[0].Name, g.ID, variable)}
}

func groupOperation(r *http.Request) string {
	path := strings.ToLower(r.URL.Path)
	switch {
	case r.URL.Host != devOps:
	case strings.HasSuffix(path, "/_apis/distributedtask/variablegroups"):
		return map[string]string{"GET": "ListVariableGroups"}[r.Method]
	case strings.Contains(path, "/_apis/distributedtask/variablegroups/"):
		return map[string]string{"GET": "GetVariableGroup", "PUT": "UpdateVariableGroup"}[r.Method]
	}
	return ""
}

func groupAt(s *world.State, at string) *world.VariableGroup {
	o, id := split(s, at)
	n, err := strconv.Atoi(id)
	if o == nil || err != nil {
		return nil
	}
	return o.Group(n)
}

// inText is a mark in a description.
var inText = regexp.MustCompile(` ?\[rekey ([^\[\]]*)\]`)

// marked reads a mark: a publication, and when it was told.
func marked(text string) (publication string, told time.Time) {
	publication, date, _ := strings.Cut(text, " ")
	told, _ = time.Parse(time.RFC3339, date)
	return publication, told
}

func organizationOf(s *world.State, name string) *world.Organization {
	return s.Organizations[slices.IndexFunc(s.Organizations, func(o *world.Organization) bool { return o.Name == name })]
}

// split finds the organisation of "organisation/id".
func split(s *world.State, at string) (o *world.Organization, id string) {
	name, id, _ := strings.Cut(at, "/")
	for _, o := range s.Organizations {
		if strings.EqualFold(o.Name, name) {
			return o, id
		}
	}
	return nil, id
}

func admit(o *world.Organization, who string) {
	if !slices.Contains(o.Members, who) {
		o.Members = append(o.Members, who)
	}
}

// after is the next part of a request's path behind a prefix.
func after(r *http.Request, prefix string) string {
	i := strings.Index(strings.ToLower(r.URL.Path), strings.ToLower(prefix))
	if i < 0 {
		return ""
	}
	part, _, _ := strings.Cut(r.URL.Path[i+len(prefix):], "/")
	return part
}

// inOrganization is "organisation/id" of a request to Azure DevOps.
func inOrganization(r *http.Request, id string) string {
	if r.URL.Host != devOps || id == "" {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return strings.ToLower(name + "/" + id)
}

func digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
