package consumer

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const manager = "management.azure.com"

// Automation's consumers each have an account of their own, with something of somebody else's in it: a job's address
// does not say which runbook it is of.
var (
	automationVariable = asset("automationVariable", "Variable", "variables",
		func(a *world.AutomationAccount, name string) (text *string, description *string) {
			for _, v := range a.Variables {
				if v.Name == name {
					return &v.Value, &v.Description
				}
			}
			return nil, nil
		})
	automationCredential = asset("automationCredential", "Credential", "credentials",
		func(a *world.AutomationAccount, name string) (text *string, description *string) {
			for _, c := range a.Credentials {
				if c.Name == name {
					return &c.Password, &c.Description
				}
			}
			return nil, nil
		})
	runbook = Kind{
		Name: "runbook",
		Make: func(s *world.State, m Making) One {
			a, one := makeAccount(s, m, "runbook")
			r := func(name string) *world.Runbook {
				return &world.Runbook{Name: name, Type: "PowerShell", Parameters: []*world.RunbookParameter{{Name: "SecretId", Type: "System.String", Mandatory: true}},
					Script: world.Script{IDParameter: "SecretId", Use: m.Use}, Created: m.At, Modified: m.At, Holds: m.Value}
			}
			a.Runbooks = []*world.Runbook{r("told"), r("other")}
			s.Knobs.Automation.JobTakes = world.Duration(3 * time.Second)
			one.Block = fmt.Sprintf("runbook: {account: %s, name: told}", a.ResourceID())
			return one
		},
		Operation: automationOperation("jobs", map[string]string{"GET": "GetJob", "PUT": "CreateJob"}),
		Looks:     []string{"GetJob"}, Tells: []string{"CreateJob"}, About: about("runbook"),
		Holds: func(w *world.World, at string) Holding {
			w.SettleJobs()
			a := accountAt(&w.State, at)
			if a == nil {
				return Holding{}
			}
			h := Holding{There: true, Value: a.Runbooks[0].Holds}
			for _, j := range a.Jobs {
				if j.Status == "Completed" && j.Ended.After(h.Told) {
					h.Told, h.Since = j.Ended, j.Ended
				}
			}
			return h
		},
		Put:    func(s *world.State, at, value string) { accountAt(s, at).Runbooks[0].Holds = value },
		Remove: removeAccount,
		More: func(s *world.State, at string) string {
			var jobs []string
			if a := accountAt(s, at); a != nil {
				for _, j := range a.Jobs[max(0, len(a.Jobs)-2):] {
					jobs = append(jobs, j.Status)
				}
			}
			return strings.Join(jobs, " ")
		},
		Rest: restOfAccounts(func(a *world.AutomationAccount) {
			a.Runbooks = slices.Clone(a.Runbooks)
			r := *a.Runbooks[0]
			r.Holds = ""
			a.Runbooks[0], a.Jobs = &r, nil
		}),
	}
	apiConnection = Kind{
		Name: "apiConnection", With: "appSecret", Make: makeAPIConnection,
		Operation: func(r *http.Request) string {
			at, rest := connectionIn(r)
			switch {
			case at == "":
				return ""
			case strings.Contains(rest, "testconnection"):
				return "TestConnection"
			case rest == "":
				return map[string]string{"GET": "GetConnection", "PUT": "PutConnection"}[r.Method]
			}
			return ""
		},
		Looks: []string{"GetConnection"}, Tells: []string{"PutConnection"}, Tries: []string{"TestConnection"}, Weak: true,
		About: func(r *http.Request) string { at, _ := connectionIn(r); return at },
		Holds: func(w *world.World, at string) Holding {
			x := connectionAt(&w.State, at)
			if x == nil {
				return Holding{}
			}
			h := Holding{There: true, Value: x.Values["token:clientSecret"]}
			h.Publication, h.Told = marked(x.Tags["rekey"])
			return h
		},
		Put: func(s *world.State, at, value string) { connectionAt(s, at).Values["token:clientSecret"] = value },
		Remove: func(s *world.State, at string) func(*world.State) {
			gone := connectionAt(s, at)
			s.Connections = slices.DeleteFunc(slices.Clone(s.Connections), func(x *world.Connection) bool { return x == gone })
			return func(s *world.State) { s.Connections = append(s.Connections, gone) }
		},
		Unmark: func(s *world.State, at string) { delete(connectionAt(s, at).Tags, "rekey") },
		Rest: func(s *world.State, told []string) map[string]string {
			out := map[string]string{}
			for _, x := range s.Connections {
				at, y := strings.ToLower(x.ResourceID()), *x
				if slices.Contains(told, at) {
					y.Values, y.Tags = maps.Clone(x.Values), maps.Clone(x.Tags)
					delete(y.Values, "token:clientSecret")
					delete(y.Tags, "rekey")
					// A PUT makes again what a person deletes between the read and the write: nothing else of it changes.
					y.Changed, y.Created = time.Time{}, time.Time{}
				}
				out[at] = digest(y)
			}
			return out
		},
	}
)

func makeAPIConnection(s *world.State, m Making) One {
	values := map[string]string{"token:clientId": m.Use.ClientID, "token:TenantId": "contoso.onmicrosoft.com", "token:grantType": "client_credentials", "token:clientSecret": m.Value}
	x := &world.Connection{Name: fmt.Sprintf("told-%d", m.N), SubscriptionID: world.SubscriptionID, ResourceGroup: world.ResourceGroupApps, Location: "westeurope", Kind: "V1",
		DisplayName: "made by hand", API: "keyvault", Tags: map[string]string{"team": "a"}, Values: values, NonSecret: map[string]string{"vaultName": "kv-apps"}, Created: m.At, Changed: m.At}
	other := *x
	other.Name, other.Tags, other.Values = fmt.Sprintf("other-%d", m.N), nil, maps.Clone(values)
	s.Connections = append(s.Connections, x, &other)
	s.RoleAssignments = append(s.RoleAssignments, assigned(m, world.RoleLogicAppContributor, x.ResourceID(), m.Rekey, 0))
	return One{Kind: "apiConnection", ID: x.Name, At: strings.ToLower(x.ResourceID()), Cache: time.Hour, Block: "apiConnection: {ids: [" + x.ResourceID() + "]}"}
}

func connectionAt(s *world.State, at string) *world.Connection {
	for _, x := range s.Connections {
		if strings.EqualFold(x.ResourceID(), at) {
			return x
		}
	}
	return nil
}

// connectionIn is the connection that a request is about, and what follows it in the path.
func connectionIn(r *http.Request) (at, rest string) {
	const provider = "/providers/microsoft.web/connections/"
	path := strings.ToLower(r.URL.Path)
	before, after, ok := strings.Cut(path, provider)
	if r.URL.Host != manager || !ok {
		return "", ""
	}
	name, rest, _ := strings.Cut(after, "/")
	return before + provider + name, rest
}

// asset is the entry of an encrypted asset of Automation accounts.
func asset(kind, operation, path string, find func(*world.AutomationAccount, string) (text, description *string)) Kind {
	at := func(s *world.State, at string) (text, description *string) {
		if a := accountAt(s, at); a != nil {
			return find(a, "told")
		}
		return nil, nil
	}
	return Kind{
		Name: kind,
		Make: func(s *world.State, m Making) One {
			a, one := makeAccount(s, m, kind)
			for _, name := range []string{"told", "other"} {
				if path == "variables" {
					v, _ := json.Marshal(m.Value)
					a.Variables = append(a.Variables, &world.AutomationVariable{Name: name, Value: string(v), Encrypted: true, Description: "made by hand", Use: m.Use, Created: m.At, Modified: m.At})
					continue
				}
				a.Credentials = append(a.Credentials, &world.AutomationCredential{Name: name, UserName: "svc", Password: m.Value, Description: "made by hand", Use: m.Use, Created: m.At, Modified: m.At})
			}
			one.Block = fmt.Sprintf("%s: {account: %s, name: told}", kind, a.ResourceID())
			return one
		},
		Operation: automationOperation(path, map[string]string{"GET": "Get" + operation, "PATCH": "Update" + operation}),
		Looks:     []string{"Get" + operation}, Tells: []string{"Update" + operation}, About: about(kind),
		Holds: func(w *world.World, where string) Holding {
			text, description := at(&w.State, where)
			if text == nil {
				return Holding{}
			}
			h := Holding{There: true, Value: *text}
			if path == "variables" {
				_ = json.Unmarshal([]byte(*text), &h.Value)
			}
			if m := inText.FindAllStringSubmatch(*description, -1); len(m) == 1 {
				h.Publication, h.Told = marked(m[0][1])
			}
			return h
		},
		Put: func(s *world.State, where, value string) {
			text, _ := at(s, where)
			if *text = value; path == "variables" {
				quoted, _ := json.Marshal(value)
				*text = string(quoted)
			}
		},
		Remove: removeAccount,
		Unmark: func(s *world.State, where string) {
			_, description := at(s, where)
			*description = inText.ReplaceAllString(*description, "")
		},
		Rest: restOfAccounts(func(a *world.AutomationAccount) {
			a.Variables, a.Credentials = slices.Clone(a.Variables), slices.Clone(a.Credentials)
			for i, v := range a.Variables {
				if v.Name == "told" {
					x := *v
					x.Value, x.Description, x.Modified = "", inText.ReplaceAllString(x.Description, ""), time.Time{}
					a.Variables[i] = &x
				}
			}
			for i, c := range a.Credentials {
				if c.Name == "told" {
					x := *c
					x.Password, x.Description, x.Modified = "", inText.ReplaceAllString(x.Description, ""), time.Time{}
					a.Credentials[i] = &x
				}
			}
		}),
	}
}

// makeAccount adds an Automation account of which Rekey is a contributor, and whose jobs may read what vaults hold.
func makeAccount(s *world.State, m Making, kind string) (*world.AutomationAccount, One) {
	// An account's name begins with the kind, which about looks for.
	name := fmt.Sprintf("%s-%d", strings.ToLower(kind), m.N)
	worker := &world.ManagedIdentity{ID: "e3e3e3e3-0000-4000-8000-" + tail(kind, m.N), ClientID: "e4e4e4e4-0000-4000-8000-" + tail(kind, m.N), TenantID: world.TenantID, Name: name, Secret: "Mi." + world.Canary + "." + name}
	s.ManagedIdentities = append(s.ManagedIdentities, worker)
	a := &world.AutomationAccount{Name: name, SubscriptionID: world.SubscriptionID, ResourceGroup: world.ResourceGroupApps, Location: "westeurope", IdentityID: worker.ID}
	s.AutomationAccounts = append(s.AutomationAccounts, a)
	s.RoleAssignments = append(s.RoleAssignments, assigned(m, world.RoleAutomationContributor, a.ResourceID(), m.Rekey, len(kind)),
		assigned(m, world.RoleKeyVaultUser, "/subscriptions/"+world.SubscriptionID, worker.ID, 100+len(kind)))
	return a, One{Kind: kind, ID: name, At: strings.ToLower(a.ResourceID()), Cache: time.Hour}
}

func tail(kind string, n int) string { return fmt.Sprintf("%04d%08d", len(kind), n) }

func assigned(m Making, role, scope, who string, n int) *world.RoleAssignment {
	return &world.RoleAssignment{Name: fmt.Sprintf("e5e5e5e5-0000-4000-%04d-%012d", n, m.N), Scope: scope, RoleID: role, PrincipalID: who, PrincipalType: "ServicePrincipal", Created: m.At, Updated: m.At}
}

func accountAt(s *world.State, at string) *world.AutomationAccount {
	for _, a := range s.AutomationAccounts {
		if strings.EqualFold(a.ResourceID(), at) {
			return a
		}
	}
	return nil
}

func removeAccount(s *world.State, at string) func(*world.State) {
	gone := accountAt(s, at)
	s.AutomationAccounts = slices.DeleteFunc(slices.Clone(s.AutomationAccounts), func(a *world.AutomationAccount) bool { return a == gone })
	return func(s *world.State) { s.AutomationAccounts = append(s.AutomationAccounts, gone) }
}

// accountIn is the account that a request is about, and what follows it in the path.
func accountIn(r *http.Request) (at, rest string) {
	const provider = "/providers/microsoft.automation/automationaccounts/"
	path := strings.ToLower(r.URL.Path)
	before, after, ok := strings.Cut(path, provider)
	if r.URL.Host != manager || !ok {
		return "", ""
	}
	name, rest, _ := strings.Cut(after, "/")
	return before + provider + name, rest
}

// about knows a kind's account by its name.
func about(kind string) func(*http.Request) string {
	return func(r *http.Request) string {
		at, _ := accountIn(r)
		if !strings.Contains(at, "/"+strings.ToLower(kind)+"-") {
			return ""
		}
		return at
	}
}

func automationOperation(path string, methods map[string]string) func(*http.Request) string {
	return func(r *http.Request) string {
		_, rest := accountIn(r)
		name, ok := strings.CutPrefix(rest, path+"/")
		if !ok || strings.Contains(name, "/") {
			return ""
		}
		return methods[r.Method]
	}
}

// restOfAccounts are the accounts of a kind, without what a tell writes.
func restOfAccounts(strip func(*world.AutomationAccount)) func(*world.State, []string) map[string]string {
	return func(s *world.State, told []string) map[string]string {
		out := map[string]string{}
		for _, a := range s.AutomationAccounts {
			at, x := strings.ToLower(a.ResourceID()), *a
			if !slices.Contains(told, at) {
				continue // another kind's, which looks after it
			}
			strip(&x)
			out[at] = digest(x)
		}
		return out
	}
}
