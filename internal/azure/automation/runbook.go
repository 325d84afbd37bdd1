package automation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// waitFor is how long a tell waits for a job, and pollFrom and pollEvery how often it looks.
	waitFor             = 4 * time.Minute
	pollFrom, pollEvery = time.Second, 10 * time.Second
	// rivalFor is how long a job of an earlier publication may run on once that was superseded.
	rivalFor = 24 * time.Hour
)

// Runbook is a runbook as a driver.Consumer. It holds no mark: the job of a publication is the only trace that it was
// told, and that the job completed is the proof.
//
// A script that fails may have done a part of its work. It is told again by another job, until one completes.
type Runbook struct {
	name     string
	account  account
	settings RunbookSettings
	secretID string // of the vault's secret, without a version: the script reads the newest

	mu     sync.Mutex
	offset time.Duration // of the service's clock to this machine's
	notes  []string      // by the last preflight
	rival  rival         // by the last state
}

// rival is what jobs of earlier publications may have undone of a publication's own.
type rival struct {
	of    rotation.Publication
	ended time.Time
	busy  bool
}

var (
	_ driver.Consumer = (*Runbook)(nil)
	_ driver.Noted    = (*Runbook)(nil)
)

// NewRunbook makes a consumer of that name in the manifest, which is given the id of a vault's secret. Nothing is sent.
func NewRunbook(name string, client *azhttp.Resources, s RunbookSettings, secretID string) *Runbook {
	return &Runbook{name: name, account: account{client, s.Account}, settings: s, secretID: secretID}
}

// ID implements driver.Consumer.
func (r *Runbook) ID() string { return r.name }

// Place implements driver.Consumer.
func (r *Runbook) Place() string {
	s := "runbook " + r.settings.Name + " of Automation account " + r.account.name()
	if r.settings.RunOn != "" {
		s += ", on " + r.settings.RunOn
	}
	return s
}

const runbookHint = "check the account and the runbook's name in the manifest, and give Rekey's identity the roles Automation Job Operator on the account and Automation Runbook Operator on the runbook (or Automation Operator on the account)"

// Notes implements driver.Noted.
func (r *Runbook) Notes() []string {
	var out []string
	if r.settings.IncludeSecret {
		out = append(out, keptReadable)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(out, r.notes...)
}

// now is the service's time.
func (r *Runbook) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Round(0).Add(r.offset)
}

// heard takes the service's date. Dates are cut to the second.
func (r *Runbook) heard(date time.Time) {
	if date.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := date.Sub(time.Now().Round(0)); (d - r.offset).Abs() > 2*time.Second {
		r.offset = d
	}
}

// shown is what an answer says of a runbook.
type shown struct {
	Name       string `json:"name"`
	Properties struct {
		State      string `json:"state"`
		Parameters map[string]struct {
			Mandatory bool `json:"isMandatory"`
		} `json:"parameters"`
	} `json:"properties"`
}

// read reads the runbook.
func (r *Runbook) read(ctx context.Context, op string) (shown, error) {
	var s shown
	date, err := r.account.get(ctx, op, r.account.item("runbooks", r.settings.Name), runbookHint, &s)
	if err == nil && (!strings.EqualFold(s.Name, r.settings.Name) || s.Properties.State == "") {
		err = &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is not that runbook", Date: date}
	}
	return s, err
}

// Preflight implements driver.Consumer. That a job may be started is asked of the caller's roles: nothing else shows it
// but a job.
func (r *Runbook) Preflight(ctx context.Context) error {
	op := "prepare " + r.Place()
	s, err := r.read(ctx, op)
	if err != nil {
		return err
	}
	if !strings.EqualFold(s.Properties.State, "Published") {
		return unfit(op, "the runbook is not published, so it cannot be started", "publish the runbook, or name another one")
	}
	if r.settings.RunOn != "" {
		const hint = "correct runOn in the manifest, or register the worker group; without runOn the job runs in Azure itself"
		var group struct {
			Name string `json:"name"`
		}
		date, err := r.account.get(ctx, op, r.account.item("hybridRunbookWorkerGroups", r.settings.RunOn), runbookHint, &group)
		switch {
		case driver.KindOf(err) == driver.Missing:
			return unfit(op, "there is no hybrid worker group "+r.settings.RunOn, hint)
		case err != nil:
			return err
		case !strings.EqualFold(group.Name, r.settings.RunOn):
			return &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is not that worker group", Date: date}
		}
	}
	if err := r.account.client.May(ctx, op, r.account.id, runbookHint, action("jobs/write"), action("jobs/read"), action("jobs/output/read")); err != nil {
		return err
	}
	return r.parameters(op, s)
}

// parameters holds what it is given to what the runbook declares.
func (r *Runbook) parameters(op string, s shown) error {
	given := map[string]bool{strings.ToLower(r.settings.parameter()): true}
	for name := range r.settings.Parameters {
		given[strings.ToLower(name)] = true
	}
	declared := map[string]bool{}
	var lacks []string
	for name, p := range s.Properties.Parameters {
		declared[strings.ToLower(name)] = true
		if p.Mandatory && !given[strings.ToLower(name)] && azhttp.Code(name) != "" {
			lacks = append(lacks, name)
		}
	}
	if len(lacks) > 0 {
		slices.Sort(lacks)
		return unfit(op, "the runbook cannot run without its parameter "+lacks[0], "name it under parameters in the manifest, or as idParameter if it takes the id of the vault's secret")
	}
	var notes []string
	for _, name := range append([]string{r.settings.parameter()}, names(r.settings.Parameters)...) {
		if !declared[strings.ToLower(name)] {
			notes = append(notes, fmt.Sprintf("the runbook %s declares no parameter %s, so its job may fail or not see it", r.settings.Name, name))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = notes
	return nil
}

func names(m map[string]string) (out []string) {
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// State implements driver.Consumer. Of earlier publications it matters only whether a job of theirs ended after this
// one's, or still runs: then what it hands on is what was superseded.
func (r *Runbook) State(ctx context.Context, published []rotation.Publication) (rotation.ConsumerState, error) {
	op := "look at " + r.Place()
	if len(published) == 0 {
		_, err := r.read(ctx, op)
		return rotation.ConsumerState{Why: untold}, err
	}
	p := published[len(published)-1]
	seen := rival{of: p}
	var undone rotation.Publication
	for _, x := range rivals(published) {
		ended, busy, err := r.latest(ctx, op, x)
		if err != nil {
			return rotation.ConsumerState{}, err
		}
		seen.busy = seen.busy || busy
		if ended.After(seen.ended) {
			seen.ended, undone = ended, x
		}
	}
	r.mu.Lock()
	r.rival = seen
	r.mu.Unlock()
	t, err := r.first(ctx, op, p, job.failed)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	if t.found && seen.undid(t.job) {
		again, err := r.first(ctx, op, p, seen.spent)
		if err != nil {
			return rotation.ConsumerState{}, err
		}
		if !again.found {
			return rotation.ConsumerState{Publication: undone, Why: "a job of an earlier publication ended after the newest one's"}, nil
		}
		t = again
	}
	if t.found {
		return r.state(t), nil
	}
	// That there is no such job says something only of a runbook that is there.
	if _, err := r.read(ctx, op); err != nil {
		return rotation.ConsumerState{}, err
	}
	if failed := t.spent + t.n - 1; failed > 0 {
		return rotation.ConsumerState{Why: fmt.Sprintf("none of its %d jobs for the newest publication did its work", failed)}, nil
	}
	if r.now().Sub(rotation.Generation(p).Time()) >= kept {
		return rotation.ConsumerState{Publication: p, Works: true, Weak: true, Lapsed: true}, nil
	}
	return rotation.ConsumerState{Why: untold}, nil
}

const untold = "no job says that it was told"

// rivals are the earlier publications that were the newest until shortly before this one: what was superseded long
// before it is told by nobody, and its jobs have ended.
func rivals(published []rotation.Publication) []rotation.Publication {
	n := len(published) - 1
	now := rotation.Generation(published[n]).Time()
	from := n
	for from > 0 && rotation.Generation(published[from]).Time().After(now.Add(-rivalFor)) {
		from--
	}
	return published[from:n]
}

// undid says whether a job is spent because a rival's ended after it.
func (v rival) undid(j job) bool {
	return j.completed() && !v.ended.IsZero() && !j.ended().After(v.ended)
}

func (v rival) spent(j job) bool { return j.failed() || v.undid(j) }

// state is what a try that counts says.
func (r *Runbook) state(t try) rotation.ConsumerState {
	s := rotation.ConsumerState{Publication: t.publication, Weak: true}
	r.mu.Lock()
	busy := r.rival.of == t.publication && r.rival.busy
	r.mu.Unlock()
	switch {
	case !t.job.completed():
		s.Why = fmt.Sprintf("its job %s is %s", r.jobName(t), strings.ToLower(t.job.status()))
		if made := moment(t.job.Properties.Created); !made.IsZero() && r.now().Sub(made) > r.settings.Timeout {
			s.Why += fmt.Sprintf(" since %s, longer than its timeout: look at it in the portal, and stop it if it hangs; then the next run starts another one", made.Format("2006-01-02 15:04Z"))
		}
	case busy:
		s.Told, s.Why = t.job.ended(), "a job of an earlier publication still runs, and may undo what the newest one's did"
	default:
		s.Told, s.Works = t.job.ended(), true
	}
	return s
}

// Tell implements driver.Consumer: it starts the job of the publication, or finds it, and waits for it.
func (r *Runbook) Tell(ctx context.Context, publication rotation.Publication, value secret.Value) (rotation.ConsumerState, error) {
	op := "tell " + r.Place()
	r.mu.Lock()
	seen := r.rival
	r.mu.Unlock()
	if seen.of != publication {
		seen = rival{of: publication}
	}
	t, err := r.first(ctx, op, publication, seen.spent)
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	if !t.found {
		body, err := r.body(value)
		if err != nil {
			return rotation.ConsumerState{}, &driver.Error{Kind: driver.Rejected, Op: op, Detail: "the request cannot be made"}
		}
		t, err = r.start(ctx, op, t, body)
		clear(body)
		if err != nil {
			return rotation.ConsumerState{}, err
		}
	}
	t = r.wait(ctx, op, t)
	s := r.state(t)
	if !t.job.over() {
		return s, nil
	}
	s.Said = "job " + r.jobName(t) + ": " + t.job.status()
	var output string
	if _, err := r.account.get(ctx, op, r.account.item("jobs", r.jobName(t))+"/output", runbookHint, &output); err != nil {
		s.Said += ", its output could not be read"
	} else if text := said(output, value); text != "" {
		s.Said += ": " + text
	}
	if t.job.failed() {
		return rotation.ConsumerState{}, &driver.Error{Kind: driver.Rejected, Op: op, Code: t.job.status(), Detail: s.Said,
			Hint: "look at the job's streams in the portal and mend the runbook or its parameters; the next run starts another job"}
	}
	return s, nil
}

// wait waits for a job's end, or as long as a tell may. What it cannot find out any more is no error: it was started.
func (r *Runbook) wait(ctx context.Context, op string, t try) try {
	until := r.now().Add(waitFor)
	if made := moment(t.job.Properties.Created); !made.IsZero() && made.Add(r.settings.Timeout).Before(until) {
		until = made.Add(r.settings.Timeout)
	}
	for pause := pollFrom; !t.job.over() && r.now().Before(until); pause = min(2*pause, pollEvery) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return t
		}
		if next, err := r.look(ctx, op, t); err == nil && next.found {
			t = next
		}
	}
	return t
}

// body is what starts a job. Whoever calls it wipes it.
func (r *Runbook) body(value secret.Value) (body []byte, err error) {
	parameters := map[string]json.RawMessage{}
	for name, v := range r.settings.Parameters {
		if parameters[name], err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	name := r.settings.parameter()
	if r.settings.IncludeSecret {
		err = value.Use(func(b []byte) error {
			parameters[name], err = json.Marshal(string(b))
			return err
		})
		defer func() { clear(parameters[name]) }()
	} else {
		parameters[name], err = json.Marshal(r.secretID)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"properties": map[string]any{
		"runbook": map[string]string{"name": r.settings.Name}, "parameters": parameters, "runOn": r.settings.RunOn,
	}})
}
