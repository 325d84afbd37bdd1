package automation

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/gateway"
	"github.com/rekeyhq/rekey/sim/world"
)

// The limits of an account (facts 4).
const (
	maxParameters     = 50
	maxParameterBytes = 512 << 10
	maxNewJobs        = 100
	newJobsIn         = 30 * time.Second
	maxRunningJobs    = 200
)

type jobInput struct {
	Properties *struct {
		Runbook struct {
			Name string `json:"name"`
		} `json:"runbook"`
		Parameters map[string]string `json:"parameters"`
		RunOn      string            `json:"runOn"`
	} `json:"properties"`
}

// createJob starts a job under the name that the client chose: asked again for the same, it is the same job.
func (c *call) createJob() (answer, *fault) {
	var in jobInput
	if f := c.decode(&in); f != nil {
		return answer{}, f
	}
	if in.Properties == nil || in.Properties.Runbook.Name == "" {
		return refuse(http.StatusBadRequest, "BadRequest", "The runbook name is required.")
	}
	p := in.Properties
	if j := c.account.Job(c.name); j != nil {
		if c.W.Knobs.Automation.RepeatedJob == "conflict" || !same(j.Runbook, p.Runbook.Name) || !same(j.RunOn, p.RunOn) || !maps.Equal(j.Parameters, p.Parameters) {
			return refuse(http.StatusConflict, "Conflict", "A job with the name '%s' already exists.", c.name)
		}
		return answer{Status: http.StatusCreated, JSON: c.jobBody(j)}, nil
	}
	r := c.account.Runbook(p.Runbook.Name)
	switch {
	case r == nil:
		return notFound("runbook", p.Runbook.Name)
	case r.State != "" && r.State != "Published":
		return refuse(http.StatusBadRequest, "BadRequest", "The runbook '%s' has not been published.", r.Name)
	case p.RunOn != "" && c.account.WorkerGroup(p.RunOn) == nil:
		return refuse(http.StatusBadRequest, "BadRequest", "The hybrid runbook worker group '%s' was not found.", p.RunOn)
	case len(p.Parameters) > maxParameters || size(p.Parameters) > maxParameterBytes:
		return refuse(http.StatusBadRequest, "BadRequest", "A job takes at most 50 parameters and 512 KB of them.")
	case c.full():
		return refuse(http.StatusTooManyRequests, "TooManyRequests", "The account has reached its limit of jobs. Try again later.")
	}
	j := &world.Job{
		Name: c.name, ID: c.W.NewID(), Runbook: r.Name, RunOn: p.RunOn, Parameters: p.Parameters,
		StartedBy: c.Token.Name, Created: c.Now, Status: "New", Changed: c.Now,
	}
	c.account.Jobs = append(c.account.Jobs, j)
	return answer{Status: http.StatusCreated, JSON: c.jobBody(j)}, nil
}

func size(parameters map[string]string) (n int) {
	for k, v := range parameters {
		n += len(k) + len(v)
	}
	return n
}

// full says whether the account takes no more jobs now.
func (c *call) full() bool {
	if c.W.Knobs.Automation.Unthrottled {
		return false
	}
	fresh, running := 0, 0
	for _, j := range c.account.Jobs {
		if c.Now.Sub(j.Created) < newJobsIn {
			fresh++
		}
		if !j.Over() {
			running++
		}
	}
	return fresh >= maxNewJobs || running >= maxRunningJobs
}

func (c *call) getJob() (answer, *fault) {
	return c.withJob(func(j *world.Job) (answer, *fault) { return gateway.OK(c.jobBody(j)) })
}

func (c *call) withJob(do func(*world.Job) (answer, *fault)) (answer, *fault) {
	j := c.account.Job(c.name)
	if j == nil {
		return notFound("job", c.name)
	}
	return do(j)
}

// provisioning is a job's provisioningState by its status.
func provisioning(status string) string {
	switch status {
	case "Completed", "Stopped":
		return "Succeeded"
	case "Failed", "Suspended":
		return status
	}
	return "Processing"
}

func (c *call) jobItem(j *world.Job) map[string]any {
	return map[string]any{
		"id": c.id("jobs", j.Name), "name": j.Name, "type": "Microsoft.Automation/AutomationAccounts/Jobs",
		"properties": map[string]any{
			"jobId": j.ID, "runbook": map[string]string{"name": j.Runbook}, "provisioningState": provisioning(j.Status), "status": j.Status,
			"creationTime": date(j.Created), "startTime": date(j.Started), "lastModifiedTime": date(j.Changed), "endTime": date(j.Ended), "runOn": j.RunOn,
		},
	}
}

// jobBody has the parameters in clear text, as the real service's answers do.
func (c *call) jobBody(j *world.Job) map[string]any {
	out := c.jobItem(j)
	p := out["properties"].(map[string]any)
	p["parameters"] = j.Parameters
	if j.Parameters == nil {
		p["parameters"] = map[string]string{}
	}
	p["statusDetails"], p["startedBy"], p["lastStatusModifiedTime"] = "None", j.StartedBy, date(j.Changed)
	p["exception"] = any(nil)
	if j.Exception != "" {
		p["exception"] = j.Exception
	}
	return out
}

var equals = regexp.MustCompile(`(?i)^\s*properties/(\w+)\s+eq\s+'([^']*)'\s*$`)

// filter is the one form of $filter that is built: one property equals a text.
func (c *call) filter(names ...string) (property, value string, f *fault) {
	text := c.R.URL.Query().Get("$filter")
	if text == "" {
		return "", "", nil
	}
	if m := equals.FindStringSubmatch(text); m != nil {
		for _, n := range names {
			if same(n, m[1]) {
				return n, m[2], nil
			}
		}
	}
	_, f = refuse(http.StatusBadRequest, "BadRequest", "The filter '%s' is not supported here.", text)
	return "", "", f
}

func (c *call) listJobs() (answer, *fault) {
	property, value, f := c.filter("status", "runOn")
	if f != nil {
		return answer{}, f
	}
	var out []any
	for _, j := range c.account.Jobs {
		has := map[string]string{"status": j.Status, "runOn": j.RunOn}[property]
		if property == "" || same(has, value) {
			out = append(out, c.jobItem(j))
		}
	}
	return gateway.OK(gateway.List(out))
}

func (c *call) getOutput() (answer, *fault) {
	return c.withJob(func(j *world.Job) (answer, *fault) {
		text := strings.Join(j.Output, "\r\n")
		return answer{Status: http.StatusOK, Text: &text}, nil
	})
}

// stream is one entry of a job's streams.
type stream struct {
	id, kind, text string
	at             time.Time
}

func streams(j *world.Job) []stream {
	var out []stream
	add := func(kind, text string) {
		ticks := j.Ended.Unix()*10_000_000 + 621355968000000000
		out = append(out, stream{fmt.Sprintf("%s_%020d_%020d", j.ID, ticks, len(out)+1), kind, text, j.Ended})
	}
	for _, line := range j.Output {
		add("Output", line)
	}
	if j.Exception != "" {
		add("Error", j.Exception)
	}
	return out
}

func (c *call) streamBody(j *world.Job, s stream) map[string]any {
	return map[string]any{
		"id":         c.id("jobs", j.Name) + "/streams/" + s.id,
		"properties": map[string]any{"jobStreamId": s.id, "summary": cmp.Or(s.text[:min(len(s.text), 1000)], " "), "time": date(s.at), "streamType": s.kind},
	}
}

func (c *call) listStreams() (answer, *fault) {
	property, value, f := c.filter("streamType")
	if f != nil {
		return answer{}, f
	}
	return c.withJob(func(j *world.Job) (answer, *fault) {
		var out []any
		for _, s := range streams(j) {
			if property == "" || same(s.kind, value) {
				out = append(out, c.streamBody(j, s))
			}
		}
		return gateway.OK(gateway.List(out))
	})
}

// getStream has the text, which a list has not.
func (c *call) getStream() (answer, *fault) {
	return c.withJob(func(j *world.Job) (answer, *fault) {
		for _, s := range streams(j) {
			if s.id == c.part {
				b := c.streamBody(j, s)
				p := b["properties"].(map[string]any)
				p["streamText"], p["value"] = s.text, map[string]any{}
				return gateway.OK(b)
			}
		}
		return notFound("job stream", c.part)
	})
}

func (c *call) stopJob() (answer, *fault) {
	return c.withJob(func(j *world.Job) (answer, *fault) {
		if j.Over() {
			return refuse(http.StatusBadRequest, "BadRequest", "The job is in status %s and cannot be stopped.", j.Status)
		}
		j.Status, j.Changed, j.Ended = "Stopped", c.Now, c.Now
		return answer{Status: http.StatusOK}, nil
	})
}
