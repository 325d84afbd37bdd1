package automation

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

const (
	// kept is how long the service knows a job. Tries are counted anew after half of it, so that the first try of this
	// count or of the one before is always still known: else one that was forgotten would hide those after it.
	kept  = 30 * 24 * time.Hour
	count = kept / 2
	// maxTries bounds the search for the last one: more than one a minute in the time of a count.
	maxTries = 1 << 15
)

// job is what an answer says of one.
type job struct {
	Name       string `json:"name"`
	Properties struct {
		Status  string `json:"status"`
		Runbook struct {
			Name string `json:"name"`
		} `json:"runbook"`
		Created string `json:"creationTime"`
		Ended   string `json:"endTime"`
	} `json:"properties"`
}

// moment reads a time of the service; zero if it is none, or none that can be.
func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 2000 || t.Year() > 9000 {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// status is a word of the service, "" for what is none.
func (j job) status() string { return azhttp.Code(j.Properties.Status) }

func (j job) completed() bool { return strings.EqualFold(j.status(), "Completed") }

// failed says whether it ended without having done its work. One that is suspended goes on only if a person says so.
func (j job) failed() bool {
	return slices.ContainsFunc([]string{"Failed", "Stopped", "Suspended"}, func(s string) bool { return strings.EqualFold(s, j.status()) })
}

func (j job) over() bool { return j.completed() || j.failed() }

// ended is when it was over; one that is and does not say when counts from when it was made.
func (j job) ended() time.Time {
	if t := moment(j.Properties.Ended); !t.IsZero() {
		return t
	}
	return moment(j.Properties.Created)
}

// try is one try to tell a publication: one job.
type try struct {
	publication rotation.Publication
	period, n   int
	job         job
	found       bool
	spent       int // how many tries of the count before are known, and none of them counts
}

// jobName is the job's name: what it is for and nothing else, so that the same try is the same job whoever makes it.
func (r *Runbook) jobName(t try) string {
	sum := sha256.Sum256([]byte(strings.ToLower(fmt.Sprintf("rekey job\n%s\n%s\n%s\n%s\n%s\n%d\n%d", r.account.id, r.settings.Name, r.settings.RunOn, r.name, t.publication, t.period, t.n))))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// look reads one try.
func (r *Runbook) look(ctx context.Context, op string, t try) (try, error) {
	t.job, t.found = job{}, false
	name := r.jobName(t)
	date, err := r.account.get(ctx, op, r.account.item("jobs", name), runbookHint, &t.job)
	if driver.KindOf(err) == driver.Missing {
		r.heard(date)
		return t, nil
	}
	if err != nil {
		return t, err
	}
	r.heard(date)
	if err := r.isJob(op, t.job, name, date); err != nil {
		return t, err
	}
	t.found = true
	return t, nil
}

// isJob wants an answer to be that job.
func (r *Runbook) isJob(op string, j job, name string, date time.Time) error {
	if j.status() == "" || !strings.EqualFold(j.Name, name) || !strings.EqualFold(j.Properties.Runbook.Name, r.settings.Name) {
		return &driver.Error{Kind: driver.Unavailable, Op: op, Detail: "the answer is not that job", Date: date}
	}
	return nil
}

// period is the count that a publication's tries are in by now.
func (r *Runbook) period(p rotation.Publication) int {
	return max(0, int(r.now().Sub(rotation.Generation(p).Time())/count))
}

// first finds the first try of a publication that is not spent: one that counts, or one that nobody made yet. Tries are
// only made when the one before is spent, so those that are come first.
func (r *Runbook) first(ctx context.Context, op string, p rotation.Publication, spent func(job) bool) (try, error) {
	for again := 0; ; again++ {
		period := r.period(p)
		t, err := r.search(ctx, op, try{publication: p, period: period}, spent)
		if err == nil && !t.found && t.n == 1 && period > 0 {
			var before try
			if before, err = r.search(ctx, op, try{publication: p, period: period - 1}, spent); before.found {
				return before, err
			}
			t.spent = before.n - 1
		}
		// The first answer may have corrected the clock that the count goes by.
		if err != nil || r.period(p) == period || again > 0 {
			return t, err
		}
	}
}

// search goes through the tries of one count in steps that double, and then back.
func (r *Runbook) search(ctx context.Context, op string, t try, spent func(job) bool) (try, error) {
	at := func(n int) (try, bool, error) {
		t.n = n
		got, err := r.look(ctx, op, t)
		return got, got.found && spent(got.job), err
	}
	low, high, hit := 0, 1, try{}
	for {
		got, used, err := at(high)
		if err != nil {
			return got, err
		}
		if !used {
			hit = got
			break
		}
		if low = high; low >= maxTries {
			return got, unfit(op, fmt.Sprintf("it was tried %d times in two weeks", low), "find out in the portal why its jobs fail")
		}
		high *= 2
	}
	for high-low > 1 {
		mid := (low + high) / 2
		got, used, err := at(mid)
		switch {
		case err != nil:
			return got, err
		case used:
			low = mid
		default:
			high, hit = mid, got
		}
	}
	return hit, nil
}

// latest is when the jobs of another publication ended; busy says that one of them has not.
func (r *Runbook) latest(ctx context.Context, op string, p rotation.Publication) (ended time.Time, busy bool, err error) {
	var last job
	never := func(j job) bool { last = later(last, j); return true }
	if _, err = r.first(ctx, op, p, never); err != nil || last.status() == "" {
		return time.Time{}, false, err
	}
	return last.ended(), !last.over(), nil
}

// later is the one of two jobs that undoes the other: one that runs, else the one that ended last.
func later(a, b job) job {
	if a.status() == "" || a.over() && (!b.over() || b.ended().After(a.ended())) {
		return b
	}
	return a
}

// start makes a try. One that another run has made meanwhile is as good.
func (r *Runbook) start(ctx context.Context, op string, t try, body []byte) (try, error) {
	name := r.jobName(t)
	t.job = job{}
	date, err := r.account.client.Call(ctx, azhttp.ResourceCall{Op: op, Method: http.MethodPut, Path: r.account.item("jobs", name), Version: apiVersion, Body: body, Write: true, Hint: runbookHint}, &t.job)
	if driver.KindOf(err) == driver.Conflict {
		if again, lookErr := r.look(ctx, op, t); lookErr == nil && again.found {
			return again, nil
		}
	}
	if err != nil {
		return t, err
	}
	if r.isJob(op, t.job, name, date) != nil {
		return t, &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the answer is not that job", Date: date}
	}
	r.heard(date)
	t.found = true
	return t, nil
}
