package automation

import (
	"cmp"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

func (c *call) listAccounts() (answer, *fault) {
	if f := c.Authorize("Microsoft.Automation/automationAccounts/read", c.Scope()); f != nil {
		return answer{}, f
	}
	var out []any
	for _, a := range c.W.AutomationAccounts {
		if same(a.SubscriptionID, c.Path.Subscription) && (c.Path.Group == "" || same(a.ResourceGroup, c.Path.Group)) {
			out = append(out, accountBody(a))
		}
	}
	return gateway.OK(gateway.List(out))
}

func (c *call) getAccount() (answer, *fault) { return gateway.OK(accountBody(c.account)) }

func accountBody(a *world.AutomationAccount) map[string]any {
	out := map[string]any{
		"id": a.ResourceID(), "name": a.Name, "type": "Microsoft.Automation/AutomationAccounts", "location": a.Location, "tags": map[string]string{},
		"properties": map[string]any{"state": "Ok", "sku": map[string]string{"name": "Basic"}},
	}
	if a.IdentityID != "" {
		out["identity"] = map[string]string{"type": "SystemAssigned", "principalId": a.IdentityID}
	}
	return out
}

func (c *call) listRunbooks() (answer, *fault) {
	var out []any
	for _, r := range c.account.Runbooks {
		b := c.runbookBody(r)
		// Parameters are shown for one runbook at a time.
		delete(b["properties"].(map[string]any), "parameters")
		out = append(out, b)
	}
	return gateway.OK(gateway.List(out))
}

func (c *call) getRunbook() (answer, *fault) {
	r := c.account.Runbook(c.name)
	if r == nil {
		return notFound("runbook", c.name)
	}
	return gateway.OK(c.runbookBody(r))
}

func (c *call) runbookBody(r *world.Runbook) map[string]any {
	parameters := map[string]any{}
	for i, p := range r.Parameters {
		parameters[p.Name] = map[string]any{"type": cmp.Or(p.Type, "System.String"), "isMandatory": p.Mandatory, "position": i, "defaultValue": p.Default}
	}
	jobs := 0
	for _, j := range c.account.Jobs {
		if same(j.Runbook, r.Name) {
			jobs++
		}
	}
	return map[string]any{
		"id": c.id("runbooks", r.Name), "name": r.Name, "type": "Microsoft.Automation/AutomationAccounts/Runbooks",
		"location": c.account.Location, "tags": map[string]string{},
		"properties": map[string]any{
			"description": r.Description, "logVerbose": false, "logProgress": false, "logActivityTrace": 0, "runbookType": r.Type,
			"parameters": parameters, "state": cmp.Or(r.State, "Published"), "jobCount": jobs, "provisioningState": "Succeeded",
			"outputTypes": []string{}, "creationTime": date(r.Created), "lastModifiedTime": date(r.Modified),
		},
	}
}

func (c *call) listGroups() (answer, *fault) {
	var out []any
	for _, g := range c.account.WorkerGroups {
		out = append(out, c.groupBody(g))
	}
	return gateway.OK(gateway.List(out))
}

func (c *call) getGroup() (answer, *fault) {
	g := c.account.WorkerGroup(c.name)
	if g == nil {
		return notFound("hybrid runbook worker group", c.name)
	}
	return gateway.OK(c.groupBody(g))
}

// groupBody does not say whether the machines are on: that is seen by what becomes of jobs.
func (c *call) groupBody(g *world.WorkerGroup) map[string]any {
	return map[string]any{
		"id": c.id("hybridRunbookWorkerGroups", g.Name), "name": g.Name, "type": "Microsoft.Automation/AutomationAccounts/HybridRunbookWorkerGroups",
		"properties": map[string]any{"groupType": "User"},
	}
}
