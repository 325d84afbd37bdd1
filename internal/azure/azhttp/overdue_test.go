package azhttp

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// asleep is a context on a machine that slept past the deadline: its timer stood still meanwhile.
type asleep struct {
	context.Context
	deadline time.Time
}

func (a *asleep) Deadline() (time.Time, bool) { return a.deadline, true }

// challenged answers 401, and the deadline passes while it does.
type challenged struct {
	ctx  *asleep
	sent int
}

func (c *challenged) RoundTrip(r *http.Request) (*http.Response, error) {
	c.sent++
	c.ctx.deadline = time.Now().Add(-time.Minute)
	return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// resender sends a call again, as the challenge policy of an SDK does.
type resender struct{}

func (resender) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Clone(req.Raw().Context()).Next()
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	return req.Next()
}

func TestAMachineThatSleptPastTheDeadlineSendsNothingAgain(t *testing.T) {
	for name, resent := range map[string]bool{"after a renewed token": false, "after an SDK's own challenge": true} {
		t.Run(name, func(t *testing.T) {
			ctx := &asleep{t.Context(), time.Now().Add(time.Minute)}
			s := &challenged{ctx: ctx}
			o := NewClient(s, nil).Options(cloud.AzurePublic)
			o.PerCallPolicies[0] = &retry{cred: &counter{}}
			var more runtime.PipelineOptions
			if resent {
				more.PerRetry = []policy.Policy{resender{}}
			}
			_, err := send(ctx, t, runtime.NewPipeline("test", "1", more, &o), "PUT")
			if !errors.Is(err, context.DeadlineExceeded) || s.sent != 1 {
				t.Errorf("sent %d times: %v", s.sent, err)
			}
		})
	}
}
