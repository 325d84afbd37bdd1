package monitor

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	tenantID = "11111111-1111-4111-8111-111111111111"
	senderID = "aaaaaaaa-0000-4000-8000-000000000001"
	ruleID   = "dcr-00000000000000000000000000000001"
	stream   = "Custom-Events_CL"
	target   = "/dataCollectionRules/" + ruleID + "/streams/" + stream + "?api-version=2023-01-01"
)

type bench struct {
	*Service
	t    *testing.T
	now  time.Time
	rule *world.CollectionRule
}

func newBench(t *testing.T) *bench {
	x := &bench{t: t, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	x.rule = &world.CollectionRule{
		Name: "dcr", ImmutableID: ruleID, SubscriptionID: "s", ResourceGroup: "g", TenantID: tenantID, Endpoint: "dce-1",
		Streams: []world.CollectionStream{{Name: stream, Columns: []string{"TimeGenerated", "Text"}}},
	}
	w := world.New(world.State{
		Storage:         world.Storage{CollectionRules: []*world.CollectionRule{x.rule}},
		RoleAssignments: []*world.RoleAssignment{{Name: "a", PrincipalID: senderID, RoleID: world.RoleMetricsPublisher, Scope: x.rule.ResourceID(), Created: x.now.Add(-20 * time.Minute)}},
	}, func() time.Time { return x.now })
	token := func(raw, id, audience string) {
		w.AddToken(raw, world.Token{Tenant: tenantID, ObjectID: id, Audience: audience, Expires: x.now.Add(time.Hour)})
	}
	token("sender", senderID, "https://monitor.azure.com")
	token("stranger", "aaaaaaaa-0000-4000-8000-000000000002", "https://monitor.azure.com")
	token("elsewhere", senderID, "https://management.azure.com")
	x.Service = New(w)
	return x
}

// post answers with the status, the code and the header Retry-After.
func (x *bench) post(as, target, body string, headers ...string) string {
	x.t.Helper()
	r := httptest.NewRequest("POST", "https://dce-1.westeurope-1.ingest.monitor.azure.com"+target, nil)
	wire.WithBody(r, []byte(body))
	r.Header.Set("Authorization", "Bearer "+as)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if headers != nil && headers[0] == "Host" {
		r.Host = headers[1]
	}
	rec := httptest.NewRecorder()
	x.ServeHTTP(rec, r)
	var e struct {
		Error struct{ Code, Message string }
	}
	if rec.Code != 204 {
		if json.Unmarshal(rec.Body.Bytes(), &e) != nil || e.Error.Code != rec.Header().Get("x-ms-error-code") || e.Error.Message == "" {
			x.t.Errorf("%d: %s %v", rec.Code, rec.Body, rec.Header())
		}
	}
	return strings.TrimSpace(fmt.Sprint(rec.Code, " ", e.Error.Code, " ", rec.Header().Get("Retry-After")))
}

func TestWhatIsIngestedIsInTheWorldWhenItCanBeSeen(t *testing.T) {
	x := newBench(t)
	x.w.Knobs.Monitor.VisibleAfter = world.Duration(5 * time.Minute)
	long := strings.Repeat("x", maxField-1) + "é"
	body, _ := json.Marshal([]map[string]any{{"TimeGenerated": "2026-11-01T12:00:00Z", "Text": "a", "Color": "red"}, {"Text": long}})
	if got := x.post("sender", target, string(body)); got != "204" {
		t.Fatal(got)
	}
	if got := x.w.Records(x.rule, stream); len(got) != 0 {
		t.Errorf("%d records can be seen at once", len(got))
	}
	x.now = x.now.Add(5 * time.Minute)
	got := x.w.Records(x.rule, stream)
	if len(got) != 2 || !reflect.DeepEqual(got[0].Fields, map[string]any{"TimeGenerated": "2026-11-01T12:00:00Z", "Text": "a"}) || got[1].Fields["Text"] != strings.Repeat("x", maxField-1) {
		t.Errorf("%d records; the first: %v", len(got), got[0].Fields)
	}
}

func TestWhatIsNotTakenSaysWhy(t *testing.T) {
	const record = `[{"Text":"a"}]`
	for why, c := range map[string]struct {
		as, target, body string
		headers          []string
		want             string
	}{
		"nobody":                {"", target, record, nil, "401 AuthenticationFailed"},
		"a token for elsewhere": {"elsewhere", target, record, nil, "401 AuthenticationFailed"},
		"without the role":      {"stranger", target, record, nil, "403 OperationFailed"},
		"an unknown rule":       {"sender", strings.Replace(target, "1/streams", "2/streams", 1), record, nil, "404 NotFound"},
		"a rule elsewhere":      {"sender", target, record, []string{"Host", "dce-2.westeurope-1.ingest.monitor.azure.com"}, "404 NotFound"},
		"an unknown stream":     {"sender", strings.Replace(target, "Events", "Others", 1), record, nil, "404 NotFound"},
		"no version":            {"sender", strings.Replace(target, "api-version", "version", 1), record, nil, "400 InvalidApiVersion"},
		"another type":          {"sender", target, record, []string{"Content-Type", "text/plain"}, "415 UnsupportedMediaType"},
		"one object":            {"sender", target, `{"Text":"a"}`, nil, "400 InvalidRequestContent"},
		"an array of texts":     {"sender", target, `["a"]`, nil, "400 InvalidRequestContent"},
		"an array with nothing": {"sender", target, `[null]`, nil, "400 InvalidRequestContent"},
		"no JSON":               {"sender", target, `[{]`, nil, "400 InvalidRequestContent"},
		"two arrays":            {"sender", target, `[] []`, nil, "400 InvalidRequestContent"},
		"more than a megabyte":  {"sender", target, "[" + strings.Repeat(" ", maxBody-1) + "]", nil, "413 ContentLengthLimitExceeded"},
		"another address":       {"sender", "/dataCollectionRules?api-version=2023-01-01", record, nil, "501 NotImplemented"},
		"exactly a megabyte":    {"sender", target, "[" + strings.Repeat(" ", maxBody-2) + "]", nil, "204"},
	} {
		t.Run(why, func(t *testing.T) {
			x := newBench(t)
			if got := x.post(c.as, c.target, c.body, c.headers...); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if len(x.rule.Ingested) > 0 {
				t.Error("something was taken")
			}
		})
	}
}

func TestARuleTakesSoMuchInAMinute(t *testing.T) {
	x := newBench(t)
	for range maxRequests {
		if got := x.post("sender", target, "[]"); got != "204" {
			t.Fatal(got)
		}
	}
	x.now = x.now.Add(20 * time.Second)
	if got := x.post("sender", target, "[]"); got != "429 RateLimitExceeded 40" {
		t.Error(got)
	}
	if q := x.Quotas(); len(q) != 1 || q[0].Used != maxRequests {
		t.Error(q)
	}
	x.now = x.now.Add(40 * time.Second)
	if got := x.post("sender", target, "[]"); got != "204" {
		t.Error(got)
	}
}

func TestARoleReachesTheServiceLate(t *testing.T) {
	x := newBench(t)
	x.w.Knobs.Monitor.RoleDelay = world.Duration(30 * time.Minute)
	if got := x.post("sender", target, "[]"); got != "403 OperationFailed" {
		t.Error(got)
	}
	x.now = x.now.Add(10 * time.Minute)
	if got := x.post("sender", target, "[]"); got != "204" {
		t.Error(got)
	}
}
