package world

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Outcomes are how a script can be made to end.
var Outcomes = []string{"Failed", "Suspended", "Stopped", "hang", "nothing", "careless"}

// JobsKept is how long a job can be read, its parameters with it.
const JobsKept = 30 * 24 * time.Hour

// SettleJobs brings all jobs of all accounts to where they are by now: started, ended, forgotten. What a script did,
// it did when its job ended, with the vault as it was when its job started. Locked.
func (w *World) SettleJobs() {
	now := w.Now()
	for _, a := range w.AutomationAccounts {
		for _, j := range a.Jobs {
			w.settle(a, j, now)
		}
		a.Jobs = slices.DeleteFunc(a.Jobs, func(j *Job) bool { return now.Sub(j.Created) >= JobsKept })
	}
}

// Over says whether a job will do nothing more.
func (j *Job) Over() bool {
	return slices.Contains([]string{"Completed", "Failed", "Stopped", "Suspended"}, j.Status)
}

func (j *Job) become(status string, at time.Time) { j.Status, j.Changed = status, at }

func (w *World) settle(a *AutomationAccount, j *Job, now time.Time) {
	k := w.Knobs.Automation
	if j.Over() {
		return
	}
	if g := a.WorkerGroup(j.RunOn); j.RunOn != "" && (g == nil || w.Dead(g)) && j.Started.IsZero() {
		if wait := time.Duration(k.UnfetchedSuspends); wait > 0 && !now.Before(j.Created.Add(wait)) {
			j.Exception = fmt.Sprintf("The job was not fetched by any worker of the Hybrid Runbook Worker group %s.", j.RunOn)
			j.Ended = j.Created.Add(wait)
			j.become("Suspended", j.Ended)
		}
		return
	}
	start := j.Created.Add(time.Duration(k.JobStartsAfter))
	if now.Before(start) {
		if half := j.Created.Add(time.Duration(k.JobStartsAfter) / 2); j.Status == "New" && !now.Before(half) {
			j.become("Activating", half)
		}
		return
	}
	if j.Started.IsZero() {
		j.Started = start
		j.become("Running", start)
	}
	r := a.Runbook(j.Runbook)
	takes := time.Duration(k.JobTakes)
	outcome := k.JobOutcome
	if r != nil {
		takes += time.Duration(r.Script.Takes)
		if outcome == "" {
			outcome = r.Script.Outcome
		}
	}
	if end := j.Started.Add(takes); outcome != "hang" && !now.Before(end) {
		w.end(a, r, j, outcome, end)
	}
}

// Dead says whether a group's machines are off. Locked.
func (w *World) Dead(g *WorkerGroup) bool {
	return g.Dead || slices.ContainsFunc(w.Knobs.Automation.DeadWorkers, func(name string) bool {
		return name == "*" || strings.EqualFold(name, g.Name)
	})
}

func (w *World) end(a *AutomationAccount, r *Runbook, j *Job, outcome string, at time.Time) {
	j.Ended = at
	fail := func(format string, args ...any) {
		j.Exception = fmt.Sprintf(format, args...)
		j.become("Failed", at)
	}
	switch outcome {
	case "Failed", "Suspended", "Stopped":
		j.Exception = "The runbook ended with status " + outcome + "."
		j.become(outcome, at)
		return
	case "nothing":
		j.Output = append(j.Output, "Nothing to do.")
		j.become("Completed", at)
		return
	}
	if r == nil {
		fail("The runbook %s was not found.", j.Runbook)
		return
	}
	if name := unknownParameter(r, j); name != "" {
		fail("A parameter cannot be found that matches parameter name '%s'.", name)
		return
	}
	if name := missingParameter(r, j); name != "" {
		fail("Cannot process command because of one or more missing mandatory parameters: %s.", name)
		return
	}
	value, asked, problem := w.scriptValue(a, r, j)
	switch {
	case problem != "":
		fail("%s", problem)
		return
	case asked && outcome != "careless":
		if tried := w.Try(value, r.Script.Use); !tried.Works {
			fail("%s", tried.Why)
			return
		}
	}
	if asked {
		r.Holds = value
		w.Remember(value)
		j.Output = append(j.Output, "The credential was updated.")
	} else {
		j.Output = append(j.Output, "No credential was given.")
	}
	j.become("Completed", at)
}

func unknownParameter(r *Runbook, j *Job) string {
	for name := range j.Parameters {
		if !slices.ContainsFunc(r.Parameters, func(p *RunbookParameter) bool { return strings.EqualFold(p.Name, name) }) {
			return name
		}
	}
	return ""
}

func missingParameter(r *Runbook, j *Job) string {
	for _, p := range r.Parameters {
		if _, v := lookup(j.Parameters, p.Name); p.Mandatory && v == "" {
			return p.Name
		}
	}
	return ""
}

// scriptValue is the value that a job's script works with; asked is false if it was given none.
func (w *World) scriptValue(a *AutomationAccount, r *Runbook, j *Job) (value string, asked bool, problem string) {
	parameter := func(name string) string {
		if name == "" {
			return ""
		}
		_, v := lookup(j.Parameters, name)
		return v
	}
	if v := parameter(r.Script.ValueParameter); v != "" {
		return v, true, ""
	}
	if id := parameter(r.Script.IDParameter); id != "" {
		v, problem := w.readAs(w.identityOf(a, j), id, j.Started)
		return v, true, problem
	}
	if c := a.Credential(r.Script.Credential); r.Script.Credential != "" && c != nil {
		return c.Password, true, ""
	}
	if v := a.Variable(r.Script.Variable); r.Script.Variable != "" && v != nil {
		return unquoted(v.Value), true, ""
	}
	return "", false, ""
}

func (w *World) identityOf(a *AutomationAccount, j *Job) string {
	if g := a.WorkerGroup(j.RunOn); j.RunOn != "" && g != nil {
		return g.IdentityID
	}
	return a.IdentityID
}

// readAs reads a vault secret as a principal that needs its role for it; problem is what the client library says.
func (w *World) readAs(principal, id string, at time.Time) (value, problem string) {
	v, x := w.SecretAt(id, at)
	if v == nil {
		return "", fmt.Sprintf("No such host is known. (%s)", id)
	}
	path := strings.Split(id, "/")
	scope := v.ResourceID()
	if i := slices.IndexFunc(path, func(s string) bool { return strings.EqualFold(s, "secrets") }); i >= 0 && i+1 < len(path) {
		scope += "/secrets/" + path[i+1]
	}
	if principal == "" || !w.AllowedData(principal, "Microsoft.KeyVault/vaults/secrets/getSecret/action", scope) {
		return "", fmt.Sprintf("Operation returned an invalid status code 'Forbidden': caller oid=%s is not authorized to read %s.", principal, id)
	}
	if x == nil {
		return "", fmt.Sprintf("Operation returned an invalid status code 'NotFound': %s.", id)
	}
	return x.Value, ""
}
