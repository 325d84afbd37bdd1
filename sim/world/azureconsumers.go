package world

import (
	"slices"
	"strings"
	"time"
)

// AutomationAccount is an Azure Automation account with what it runs and keeps.
type AutomationAccount struct {
	Name           string `json:"name"`
	SubscriptionID string `json:"subscriptionId"`
	ResourceGroup  string `json:"resourceGroup"`
	Location       string `json:"location"`
	// IdentityID is the object id of its managed identity, which jobs in Azure's own sandboxes run as.
	IdentityID   string                  `json:"identityId,omitempty"`
	Runbooks     []*Runbook              `json:"runbooks,omitempty"`
	WorkerGroups []*WorkerGroup          `json:"workerGroups,omitempty"`
	Variables    []*AutomationVariable   `json:"variables,omitempty"`
	Credentials  []*AutomationCredential `json:"credentials,omitempty"`
	Jobs         []*Job                  `json:"jobs,omitempty"`
}

// ResourceID is the account's ARM id.
func (a *AutomationAccount) ResourceID() string {
	return "/subscriptions/" + a.SubscriptionID + "/resourceGroups/" + a.ResourceGroup + "/providers/Microsoft.Automation/automationAccounts/" + a.Name
}

// Runbook is a script of an Automation account.
type Runbook struct {
	Name        string              `json:"name"`
	Type        string              `json:"runbookType"`     // PowerShell, PowerShell72, Python3 ...
	State       string              `json:"state,omitempty"` // "" is Published; New and Edit cannot be started
	Description string              `json:"description,omitempty"`
	Parameters  []*RunbookParameter `json:"parameters,omitempty"`
	Script      Script              `json:"script"`
	Created     time.Time           `json:"created,omitzero"`
	Modified    time.Time           `json:"modified,omitzero"`
	// Holds is the value that the system which the script configures uses now.
	Holds string `json:"holds,omitempty"`
}

// RunbookParameter is one parameter of a runbook.
type RunbookParameter struct {
	Name      string `json:"name"`
	Type      string `json:"type"` // System.String ...
	Mandatory bool   `json:"mandatory,omitempty"`
	Default   string `json:"default,omitempty"`
}

// Script is what a runbook does: get a value, try it, and hand it to the system that it configures. A script that
// gets no value does nothing and completes.
type Script struct {
	// IDParameter is the parameter with the id of a vault secret; the script reads it with the identity it runs as.
	IDParameter string `json:"idParameter,omitempty"`
	// ValueParameter is the parameter with the value itself, which wins over the id.
	ValueParameter string `json:"valueParameter,omitempty"`
	// Credential and Variable name assets of the account that it reads when it got no parameter.
	Credential string `json:"credential,omitempty"`
	Variable   string `json:"variable,omitempty"`
	// Use is what it tries the value against; a job whose value does not work fails and hands on nothing.
	Use Target `json:"use,omitzero"`
	// Takes is how long it runs beside AutomationKnobs.JobTakes.
	Takes Duration `json:"takes,omitzero"`
	// Outcome is how its jobs end whatever they found: "Failed", "Suspended", "Stopped", "hang" (Running for ever),
	// "nothing" (Completed, and nothing was done), "careless" (the value is handed on untried).
	Outcome string `json:"outcome,omitempty"`
}

// WorkerGroup is a group of hybrid runbook workers.
type WorkerGroup struct {
	Name string `json:"name"`
	// IdentityID is the object id of the machine's managed identity, which its jobs run as.
	IdentityID string `json:"identityId,omitempty"`
	// Dead workers fetch no jobs.
	Dead bool `json:"dead,omitempty"`
}

// AutomationVariable is a variable asset.
type AutomationVariable struct {
	Name        string    `json:"name"`
	Value       string    `json:"value,omitempty"` // as sent: JSON in a string
	Encrypted   bool      `json:"isEncrypted,omitempty"`
	Description string    `json:"description,omitempty"`
	Use         Target    `json:"use,omitzero"`
	Created     time.Time `json:"created,omitzero"`
	Modified    time.Time `json:"modified,omitzero"`
}

// AutomationCredential is a credential asset.
type AutomationCredential struct {
	Name        string    `json:"name"`
	UserName    string    `json:"userName"`
	Password    string    `json:"password,omitempty"`
	Description string    `json:"description,omitempty"`
	Use         Target    `json:"use,omitzero"`
	Created     time.Time `json:"created,omitzero"`
	Modified    time.Time `json:"modified,omitzero"`
}

// Job is one run of a runbook. Its parameters stay readable for as long as it is kept.
type Job struct {
	Name       string            `json:"name"`
	ID         string            `json:"jobId"`
	Runbook    string            `json:"runbook"`
	RunOn      string            `json:"runOn,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	StartedBy  string            `json:"startedBy,omitempty"`
	Created    time.Time         `json:"created"`
	// Status is the last one that World.SettleJobs gave it; Changed is since when.
	Status    string    `json:"status"`
	Changed   time.Time `json:"changed"`
	Started   time.Time `json:"started,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	Exception string    `json:"exception,omitempty"`
	Output    []string  `json:"output,omitempty"`
}

// Connection is an API connection of Logic Apps.
type Connection struct {
	Name           string            `json:"name"`
	SubscriptionID string            `json:"subscriptionId"`
	ResourceGroup  string            `json:"resourceGroup"`
	Location       string            `json:"location"`
	Kind           string            `json:"kind,omitempty"` // V1, V2
	Tags           map[string]string `json:"tags,omitempty"`
	DisplayName    string            `json:"displayName,omitempty"`
	API            string            `json:"api"` // the connector: keyvault, servicebus, sql ...
	// Set is the name of the parameter set that the values came in; "" for flat values.
	Set          string            `json:"parameterSet,omitempty"`
	Values       map[string]string `json:"parameterValues,omitempty"`
	NonSecret    map[string]string `json:"nonSecretParameterValues,omitempty"`
	CustomValues map[string]string `json:"customParameterValues,omitempty"`
	// Broken is set by a write that the connector could not read: its status is Error.
	Broken bool `json:"broken,omitempty"`
	// Refused is set by a test that failed, where the knob lets tests tell.
	Refused bool      `json:"refused,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Changed time.Time `json:"changed,omitzero"`
}

// ResourceID is the connection's ARM id.
func (c *Connection) ResourceID() string {
	return "/subscriptions/" + c.SubscriptionID + "/resourceGroups/" + c.ResourceGroup + "/providers/Microsoft.Web/connections/" + c.Name
}

// Value finds a parameter value whatever the case of its name.
func (c *Connection) Value(name string) string {
	_, v := lookup(c.Values, name)
	return v
}

// SecretConnectionValue says whether a connection's parameter is a secret: its client id and tenant are not, though
// they are answered as little.
func SecretConnectionValue(name string) bool {
	name = strings.TrimPrefix(strings.ToLower(name), "token:")
	return slices.ContainsFunc([]string{"secret", "password", "key", "token", "connectionstring"}, func(part string) bool {
		return strings.Contains(name, part)
	})
}

// Account finds an Automation account.
func (w *World) Account(subscription, group, name string) *AutomationAccount {
	for _, a := range w.AutomationAccounts {
		if strings.EqualFold(a.SubscriptionID, subscription) && strings.EqualFold(a.ResourceGroup, group) && strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

// Connection finds an API connection.
func (w *World) Connection(subscription, group, name string) *Connection {
	for _, c := range w.Connections {
		if strings.EqualFold(c.SubscriptionID, subscription) && strings.EqualFold(c.ResourceGroup, group) && strings.EqualFold(c.Name, name) {
			return c
		}
	}
	return nil
}

// Runbook finds a runbook of the account.
func (a *AutomationAccount) Runbook(name string) *Runbook {
	i := slices.IndexFunc(a.Runbooks, func(r *Runbook) bool { return strings.EqualFold(r.Name, name) })
	if i < 0 {
		return nil
	}
	return a.Runbooks[i]
}

// WorkerGroup finds a hybrid worker group of the account.
func (a *AutomationAccount) WorkerGroup(name string) *WorkerGroup {
	i := slices.IndexFunc(a.WorkerGroups, func(g *WorkerGroup) bool { return strings.EqualFold(g.Name, name) })
	if i < 0 {
		return nil
	}
	return a.WorkerGroups[i]
}

// Job finds a job of the account by its name.
func (a *AutomationAccount) Job(name string) *Job {
	i := slices.IndexFunc(a.Jobs, func(j *Job) bool { return strings.EqualFold(j.Name, name) })
	if i < 0 {
		return nil
	}
	return a.Jobs[i]
}

// Variable finds a variable asset of the account.
func (a *AutomationAccount) Variable(name string) *AutomationVariable {
	i := slices.IndexFunc(a.Variables, func(v *AutomationVariable) bool { return strings.EqualFold(v.Name, name) })
	if i < 0 {
		return nil
	}
	return a.Variables[i]
}

// Credential finds a credential asset of the account.
func (a *AutomationAccount) Credential(name string) *AutomationCredential {
	i := slices.IndexFunc(a.Credentials, func(c *AutomationCredential) bool { return strings.EqualFold(c.Name, name) })
	if i < 0 {
		return nil
	}
	return a.Credentials[i]
}
