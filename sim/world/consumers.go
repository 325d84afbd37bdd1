package world

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Consumers are the Azure resources that use credentials. Those of Azure DevOps are in its organisations.
type Consumers struct {
	AutomationAccounts []*AutomationAccount `json:"automationAccounts,omitempty"`
	Connections        []*Connection        `json:"connections,omitempty"`
	Sites              []*Site              `json:"sites,omitempty"`
}

func (c Consumers) clone() Consumers {
	c.AutomationAccounts = cloneAll(c.AutomationAccounts, func(a *AutomationAccount) {
		a.Runbooks = cloneAll(a.Runbooks, func(r *Runbook) { r.Parameters = cloneAll(r.Parameters, nil) })
		a.WorkerGroups = cloneAll(a.WorkerGroups, nil)
		a.Variables = cloneAll(a.Variables, nil)
		a.Credentials = cloneAll(a.Credentials, nil)
		a.Jobs = cloneAll(a.Jobs, func(j *Job) {
			j.Parameters, j.Output = maps.Clone(j.Parameters), slices.Clone(j.Output)
		})
	})
	c.Connections = cloneAll(c.Connections, func(x *Connection) {
		x.Tags, x.Values = maps.Clone(x.Tags), maps.Clone(x.Values)
		x.NonSecret, x.CustomValues = maps.Clone(x.NonSecret), maps.Clone(x.CustomValues)
	})
	c.Sites = cloneAll(c.Sites, (*Site).detach)
	return c
}

// detach copies what an organisation's service connections and variable groups share with their originals.
func (o *Organization) detach() {
	o.Administrators = slices.Clone(o.Administrators)
	o.ServiceEndpoints = cloneAll(o.ServiceEndpoints, func(e *ServiceEndpoint) {
		e.Parameters, e.Data = maps.Clone(e.Parameters), maps.Clone(e.Data)
		e.Projects = cloneAll(e.Projects, nil)
		e.Administrators, e.Users = slices.Clone(e.Administrators), slices.Clone(e.Users)
		e.More = maps.Clone(e.More)
		for k, v := range e.More {
			e.More[k] = json.RawMessage(slices.Clone([]byte(v)))
		}
	})
	o.VariableGroups = cloneAll(o.VariableGroups, func(g *VariableGroup) {
		g.Variables = maps.Clone(g.Variables)
		for k, v := range g.Variables {
			g.Variables[k] = clonePointer(v)
		}
		g.Projects = cloneAll(g.Projects, nil)
		g.Administrators = slices.Clone(g.Administrators)
	})
}

// each calls f with every value that consumers hold and that is a secret, and keeps what f returns. A job's parameters
// are among them whatever they are called: what a client puts there, Azure shows to every reader.
func (s *State) each(f func(string) string) {
	s.eachKept(f)
	for _, a := range s.AutomationAccounts {
		for _, j := range a.Jobs {
			r := a.Runbook(j.Runbook)
			for k, v := range j.Parameters {
				if r == nil || !strings.EqualFold(k, r.Script.IDParameter) {
					j.Parameters[k] = f(v)
				}
			}
		}
	}
}

// eachKept is each without the parameters of jobs.
func (s *State) eachKept(f func(string) string) {
	for _, o := range s.Organizations {
		for _, e := range o.ServiceEndpoints {
			for k, v := range e.Parameters {
				if SecretEndpointParameter(k) {
					e.Parameters[k] = f(v)
				}
			}
		}
		for _, g := range o.VariableGroups {
			for _, v := range g.Variables {
				if v.Secret {
					v.Value = f(v.Value)
				}
			}
		}
	}
	for _, a := range s.AutomationAccounts {
		for _, r := range a.Runbooks {
			r.Holds = f(r.Holds)
		}
		for _, v := range a.Variables {
			if v.Encrypted {
				v.Value = f(v.Value)
			}
		}
		for _, c := range a.Credentials {
			c.Password = f(c.Password)
		}
	}
	for _, c := range s.Connections {
		for k, v := range c.Values {
			if SecretConnectionValue(k) {
				c.Values[k] = f(v)
			}
		}
	}
	for _, x := range s.Sites {
		x.each(f)
	}
}

// rememberConsumers records the secrets that consumers hold. Parameters of jobs are left out: they are secrets only if
// something else says so.
func (w *World) rememberConsumers() {
	w.eachKept(func(v string) string {
		w.Remember(v)
		return v
	})
}

func (v *validation) consumers(s State) {
	for i, a := range s.AutomationAccounts {
		at := v.entry("automationAccounts", i, a == nil)
		if a == nil {
			continue
		}
		v.unique("Automation account", at+".name", a.SubscriptionID+"/"+a.ResourceGroup+"/"+a.Name)
		v.placed(at, a.SubscriptionID, a.ResourceGroup, a.Name)
		if a.IdentityID != "" {
			v.refer("principal", at+".identityId", a.IdentityID)
		}
		named(v, at+".runbooks", a.Runbooks, func(r *Runbook) string { return r.Name })
		named(v, at+".workerGroups", a.WorkerGroups, func(g *WorkerGroup) string { return g.Name })
		named(v, at+".variables", a.Variables, func(x *AutomationVariable) string { return x.Name })
		named(v, at+".credentials", a.Credentials, func(c *AutomationCredential) string { return c.Name })
		named(v, at+".jobs", a.Jobs, func(j *Job) string { return j.Name })
		for j, r := range a.Runbooks {
			if r != nil && r.Script.Outcome != "" && !slices.Contains(Outcomes, r.Script.Outcome) {
				v.bad(fmt.Sprintf("%s.runbooks[%d].script.outcome", at, j), "%q is not one of %s", r.Script.Outcome, strings.Join(Outcomes, ", "))
			}
			if r != nil {
				named(v, fmt.Sprintf("%s.runbooks[%d].parameters", at, j), r.Parameters, func(p *RunbookParameter) string { return p.Name })
			}
		}
		for j, g := range a.WorkerGroups {
			if g != nil && g.IdentityID != "" {
				v.refer("principal", fmt.Sprintf("%s.workerGroups[%d].identityId", at, j), g.IdentityID)
			}
		}
	}
	for i, c := range s.Connections {
		at := v.entry("connections", i, c == nil)
		if c == nil {
			continue
		}
		v.unique("connection", at+".name", c.SubscriptionID+"/"+c.ResourceGroup+"/"+c.Name)
		v.placed(at, c.SubscriptionID, c.ResourceGroup, c.Name)
		v.need(at+".api", c.API)
	}
	for i, x := range s.Sites {
		at := v.entry("sites", i, x == nil)
		if x == nil {
			continue
		}
		v.unique("app or slot", at+".name", x.SubscriptionID+"/"+x.ResourceGroup+"/"+x.Name+"/"+x.Slot)
		v.placed(at, x.SubscriptionID, x.ResourceGroup, x.Name)
		if x.IdentityID != "" {
			v.refer("principal", at+".identityId", x.IdentityID)
		}
	}
	for i, o := range s.Organizations {
		if o != nil {
			v.pipelines(fmt.Sprintf("organizations[%d]", i), o)
		}
	}
}

// placed needs the subscription and resource group that a resource is in.
func (v *validation) placed(at, subscription, group, name string) {
	v.need(at+".name", name)
	v.refer("subscription", at+".subscriptionId", subscription)
	if v.need(at+".resourceGroup", group) {
		v.refer("resource group", at+".resourceGroup", subscription+"/"+group)
	}
}

// named needs the entries of a list to have names of their own.
func named[T any](v *validation, at string, list []*T, name func(*T) string) {
	for i, x := range list {
		if here := v.entry(at, i, x == nil); x != nil {
			v.unique("entry of "+at, here+".name", name(x))
		}
	}
}

func (v *validation) pipelines(at string, o *Organization) {
	shared := func(at string, refs []*ProjectReference) {
		if len(refs) == 0 {
			v.bad(at+".projects", "is missing: it belongs to at least one project")
		}
		for j, r := range refs {
			if here := v.entry(at+".projects", j, r == nil); r != nil {
				v.refer("project id", here+".projectId", r.ProjectID)
			}
		}
	}
	for j, e := range o.ServiceEndpoints {
		here := v.entry(at+".serviceEndpoints", j, e == nil)
		if e == nil {
			continue
		}
		v.unique("service endpoint", here+".id", e.ID)
		v.need(here+".name", e.Name)
		v.need(here+".type", e.Type)
		v.need(here+".scheme", e.Scheme)
		shared(here, e.Projects)
	}
	for j, g := range o.VariableGroups {
		here := v.entry(at+".variableGroups", j, g == nil)
		if g == nil {
			continue
		}
		v.unique("variable group of "+at, here+".id", fmt.Sprint(g.ID))
		v.need(here+".name", g.Name)
		if g.Type != "Vsts" && g.Type != "AzureKeyVault" {
			v.bad(here+".type", "%q is neither Vsts nor AzureKeyVault", g.Type)
		}
		shared(here, g.Projects)
		for name, x := range g.Variables {
			if x == nil {
				v.bad(here+".variables."+name, "is null")
			}
		}
	}
}
