// Package automation is the simulated Azure Automation: runbooks to read, jobs that run over the world's time, hybrid
// worker groups, and the assets that scripts read: variables and credentials.
//
// It runs no PowerShell: what a script does is part of the world (world.Script). Runbooks cannot be written and there
// are no schedules. What always holds: an encrypted variable and a credential's password are in no answer; a job's
// parameters are in every answer about it, for as long as it is kept; a refusal of the service's own is flat, not
// wrapped in "error".
package automation

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

// Service is Azure Automation over a world.
type Service struct{ gate gateway.Gateway }

// New returns the service over w.
func New(w *world.World) *Service { return &Service{gateway.Gateway{W: w}} }

// Name implements wire.Service.
func (s *Service) Name() string { return "automation" }

// Provider is the namespace that the service answers for, in lower case.
const Provider = "microsoft.automation"

// Operation implements wire.Service.
func (s *Service) Operation(r *http.Request) string {
	if o, ok := find(r); ok {
		return o.name
	}
	return "unknown"
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, known := find(r)
	s.gate.Serve(w, r, known, func(c *gateway.Call) (gateway.Answer, *gateway.Fault) {
		c.W.SettleJobs()
		return o.run(c)
	})
}

// call is one request for an account.
type call struct {
	*gateway.Call
	account *world.AutomationAccount
	name    string // of the runbook, job, variable ...
	part    string // what follows the name
}

type (
	answer = gateway.Answer
	fault  = gateway.Fault
)

// operation is one operation: what it is called, how its address looks after the provider, and what it takes.
type operation struct {
	name   string
	method string
	shape  []string
	action string // below Microsoft.Automation/automationAccounts
	do     func(*call) (answer, *fault)
}

const accounts = "automationAccounts"

func operations() []operation {
	item := func(kind string) []string { return []string{accounts, "*", kind, "*"} }
	all := func(kind string) []string { return []string{accounts, "*", kind} }
	job := func(rest ...string) []string { return append(item("jobs"), rest...) }
	return []operation{
		{"GetAutomationAccount", "GET", []string{accounts, "*"}, "read", (*call).getAccount},
		{"ListRunbooks", "GET", all("runbooks"), "runbooks/read", (*call).listRunbooks},
		{"GetRunbook", "GET", item("runbooks"), "runbooks/read", (*call).getRunbook},
		{"ListWorkerGroups", "GET", all("hybridRunbookWorkerGroups"), "hybridRunbookWorkerGroups/read", (*call).listGroups},
		{"GetWorkerGroup", "GET", item("hybridRunbookWorkerGroups"), "hybridRunbookWorkerGroups/read", (*call).getGroup},

		{"ListJobs", "GET", all("jobs"), "jobs/read", (*call).listJobs},
		{"CreateJob", "PUT", job(), "jobs/write", (*call).createJob},
		{"GetJob", "GET", job(), "jobs/read", (*call).getJob},
		{"GetJobOutput", "GET", job("output"), "jobs/output/read", (*call).getOutput},
		{"ListJobStreams", "GET", job("streams"), "jobs/streams/read", (*call).listStreams},
		{"GetJobStream", "GET", job("streams", "*"), "jobs/streams/read", (*call).getStream},
		{"StopJob", "POST", job("stop"), "jobs/stop/action", (*call).stopJob},

		{"ListVariables", "GET", all("variables"), "variables/read", (*call).listVariables},
		{"GetVariable", "GET", item("variables"), "variables/read", (*call).getVariable},
		{"PutVariable", "PUT", item("variables"), "variables/write", (*call).putVariable},
		{"UpdateVariable", "PATCH", item("variables"), "variables/write", (*call).patchVariable},
		{"ListCredentials", "GET", all("credentials"), "credentials/read", (*call).listCredentials},
		{"GetCredential", "GET", item("credentials"), "credentials/read", (*call).getCredential},
		{"PutCredential", "PUT", item("credentials"), "credentials/write", (*call).putCredential},
		{"UpdateCredential", "PATCH", item("credentials"), "credentials/write", (*call).patchCredential},
	}
}

// find is the operation that a request asks for. Accounts are listed in a group or a whole subscription; everything else
// is in a group.
func find(r *http.Request) (operation, bool) {
	p := gateway.PathOf(r)
	if p.Provider != Provider || p.Subscription == "" {
		return operation{}, false
	}
	if r.Method == http.MethodGet && p.Is(accounts) {
		return operation{name: "ListAutomationAccounts", do: nil}, true
	}
	for _, o := range operations() {
		if r.Method == o.method && p.Group != "" && p.Is(o.shape...) {
			return o, true
		}
	}
	return operation{}, false
}

func (o operation) run(g *gateway.Call) (answer, *fault) {
	c := &call{Call: g}
	if o.do == nil {
		return c.listAccounts()
	}
	rest := g.Path.Rest
	id := g.Scope() + "/providers/Microsoft.Automation/automationAccounts/" + rest[1]
	if f := g.Authorize("Microsoft.Automation/automationAccounts/"+o.action, id); f != nil {
		return answer{}, f
	}
	c.account = g.W.Account(g.Path.Subscription, g.Path.Group, rest[1])
	if c.account == nil {
		return answer{}, g.NotFound("Microsoft.Automation/automationAccounts", rest[1])
	}
	if len(rest) > 3 {
		c.name = rest[3]
	}
	if len(rest) > 5 {
		c.part = rest[5]
	}
	return o.do(c)
}

// refuse is a refusal of the service's own, which is flat.
func refuse(status int, code, format string, args ...any) (answer, *fault) {
	return answer{}, &fault{Status: status, Code: code, Message: fmt.Sprintf(format, args...), Flat: true}
}

func notFound(kind, name string) (answer, *fault) {
	return refuse(http.StatusNotFound, "NotFound", "The %s '%s' was not found.", kind, name)
}

// decode reads the body; f is flat.
func (c *call) decode(v any) *fault {
	f := c.Decode(v)
	if f != nil {
		f.Flat, f.Code = true, "BadRequest"
	}
	return f
}

// date is how the service writes times: with an offset, and no more digits than there are.
func date(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.999-07:00")
}

func (c *call) id(kind, name string) string { return c.account.ResourceID() + "/" + kind + "/" + name }

func same(a, b string) bool { return strings.EqualFold(a, b) }
