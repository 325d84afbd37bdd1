package graph

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

const maxBatch = 20

type batchItem struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

type batchAnswer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// batch answers each request by itself, in their order: 200 says nothing of what is inside. What depends on a failed
// one is not tried (facts 3.5). Each is throttled on its own.
func (c *call) batch() (int, any, *fault) {
	malformed := func(why string) *fault {
		return &fault{status: http.StatusBadRequest, code: "BadRequest", message: why}
	}
	var in struct {
		Requests []batchItem `json:"requests"`
	}
	if f := c.unmarshal(&in); f != nil {
		return 0, nil, f
	}
	if len(in.Requests) == 0 || len(in.Requests) > maxBatch {
		return 0, nil, malformed("Number of batch request steps must be between 1 and 20.")
	}
	status := map[string]int{}
	for _, item := range in.Requests {
		if _, twice := status[item.ID]; item.ID == "" || twice {
			return 0, nil, malformed("Batch request ids must be there, and differ.")
		}
		if slices.ContainsFunc(item.DependsOn, func(id string) bool { _, ok := status[id]; return !ok }) {
			return 0, nil, malformed("A batch request depends on one that is not before it.")
		}
		status[item.ID] = 0
	}
	out := []batchAnswer{}
	for _, item := range in.Requests {
		a := c.step(item, status)
		status[item.ID] = a.Status
		out = append(out, a)
	}
	return http.StatusOK, entity{"responses": out}, nil
}

func (c *call) step(item batchItem, status map[string]int) batchAnswer {
	a := batchAnswer{ID: item.ID, Status: http.StatusFailedDependency}
	if slices.ContainsFunc(item.DependsOn, func(id string) bool { return status[id] >= 400 }) {
		a.Body = json.RawMessage(`{"error":{"code":"FailedDependency","message":"A request that this one depends on has failed."}}`)
		return a
	}
	r, err := http.NewRequestWithContext(c.r.Context(), strings.ToUpper(item.Method), "https://graph.microsoft.com/v1.0/"+strings.TrimPrefix(item.URL, "/"), nil)
	if err != nil || strings.HasPrefix(strings.Trim(strings.ToLower(item.URL), "/"), "$batch") {
		a.Status = http.StatusBadRequest
		a.Body = json.RawMessage(`{"error":{"code":"BadRequest","message":"The batch request has no valid method and url."}}`)
		return a
	}
	for k, v := range item.Headers {
		r.Header.Set(k, v)
	}
	var header http.Header
	a.Status, header, a.Body = c.answer(r, item.Body, &c.token)
	a.Headers = map[string]string{}
	for _, k := range []string{"Content-Type", "Retry-After", "Location"} {
		if v := header.Get(k); v != "" {
			a.Headers[k] = v
		}
	}
	return a
}
