package graph

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

func keysOf(r response) (out []string) {
	list, _ := r.body["passwordCredentials"].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any)["keyId"].(string))
	}
	return out
}

func TestAReplicaHearsOfEverythingLate(t *testing.T) {
	x := newBed(t)
	x.w.Knobs.Graph.ReplicationLag = world.Duration(10 * time.Second)
	token := x.with(appWrite)
	path := byApp(world.AppBilling)

	made := x.post(token, "/applications", `{"displayName":"made"}`).is(201)
	x.get(token, "/applications/"+made.text("id")).refused(404, "Request_ResourceNotFound", "")
	x.post(token, "/applications/"+made.text("id")+"/addPassword", `{}`).refused(404, "Request_ResourceNotFound", "")

	added := x.post(token, path+"/addPassword", `{}`).is(200).text("keyId")
	if slices.Contains(keysOf(x.get(token, path).is(200)), added) {
		t.Error("the replica knows the new secret at once")
	}
	x.post(token, path+"/removePassword", `{"keyId":"`+added+`"}`).refused(400, "Request_BadRequest", "No password credential found with keyId")
	if len(x.app(world.AppBilling).Secrets) != 2 {
		t.Error("the refused removal removed it")
	}
	x.now = x.now.Add(10 * time.Second)
	x.get(token, "/applications/"+made.text("id")).is(200)
	if !slices.Contains(keysOf(x.get(token, path).is(200)), added) {
		t.Error("the replica does not know it later")
	}
	x.post(token, path+"/removePassword", `{"keyId":"`+added+`"}`).is(204)
	if !slices.Contains(keysOf(x.get(token, path).is(200)), added) {
		t.Error("the replica knows of the removal at once")
	}
	x.delete(token, path).is(204)
	x.get(token, path).is(200)
	x.now = x.now.Add(10 * time.Second)
	x.get(token, path).refused(404, "Request_ResourceNotFound", "")
}

func TestReplicasAnswerInTurn(t *testing.T) {
	x := newBed(t)
	x.w.Knobs.Graph.ReplicationLag, x.w.Knobs.Graph.Replicas = world.Duration(10*time.Second), 3
	token := x.with(appWrite)
	x.reads = 0
	added := x.post(token, byApp(world.AppBilling)+"/addPassword", `{}`).is(200).text("keyId")
	x.now = x.now.Add(6 * time.Second)
	var got []bool
	for range 6 {
		got = append(got, slices.Contains(keysOf(x.get(token, byApp(world.AppBilling)).is(200)), added))
	}
	// The first request, which added it, was the first replica's.
	if want := []bool{true, false, true, true, false, true}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAListLagsByItself(t *testing.T) {
	x := newBed(t)
	x.w.Knobs.Graph.ListLag = world.Duration(time.Minute)
	token := x.with(appWrite)
	old := x.app(world.AppReporting).Secrets[0].KeyID
	added := x.post(token, byApp(world.AppReporting)+"/addPassword", `{}`).is(200).text("keyId")
	x.post(token, byApp(world.AppReporting)+"/removePassword", `{"keyId":"`+old+`"}`).is(204)
	made := x.post(token, "/applications", `{"displayName":"made"}`).is(201).text("id")
	listed := func() (keys []string, apps []string) {
		r := x.get(token, "/applications").is(200)
		for _, v := range r.values() {
			if v["appId"] == world.AppReporting {
				keys = keysOf(response{body: v})
			}
		}
		return keys, r.names("id")
	}
	keys, apps := listed()
	if slices.Contains(keys, added) || !slices.Contains(keys, old) || slices.Contains(apps, made) {
		t.Errorf("the list is current: %v", keys)
	}
	if got := keysOf(x.get(token, byApp(world.AppReporting)).is(200)); !slices.Contains(got, added) || slices.Contains(got, old) {
		t.Errorf("one object lags too: %v", got)
	}
	x.now = x.now.Add(time.Minute)
	keys, apps = listed()
	if !slices.Contains(keys, added) || slices.Contains(keys, old) || !slices.Contains(apps, made) {
		t.Errorf("the list lags for ever: %v", keys)
	}
}

func TestWritesThatFollowEachOtherTooCloselyClash(t *testing.T) {
	x := newBed(t)
	x.w.Knobs.Graph.WriteGap = world.Duration(2 * time.Second)
	token := x.with(appWrite)
	for _, app := range []string{world.AppBilling, world.AppDeploy} { // each app by itself
		x.post(token, byApp(app)+"/addPassword", `{}`).is(200)
		x.post(token, byApp(app)+"/addPassword", `{}`).refused(409, "Directory_ConcurrencyViolation", "Please wait briefly and retry.")
		if n := len(x.app(app).Secrets); n != 2 {
			t.Errorf("%d secrets: what was refused was applied", n)
		}
	}
	x.now = x.now.Add(2 * time.Second)
	x.post(token, byApp(world.AppBilling)+"/addPassword", `{}`).is(200)
	x.patch(token, byApp(world.AppBilling), `{"displayName":"x"}`).refused(409, "Directory_ConcurrencyViolation", "")
	x.get(token, byApp(world.AppBilling)).is(200)
}

func TestThePublishedLimitsHold(t *testing.T) {
	add := func(x *bed, token, app string) response {
		return x.post(token, byApp(app)+"/removePassword", `{"keyId":"`+unknownKey+`"}`)
	}
	for _, c := range []struct {
		why    string
		app    string
		limit  Limit
		scope  string
		refill time.Duration
	}{
		{"60 writes a minute to apps for personal accounts", world.AppShop, PersonalWrites, "Tenant_Application_Personal/ReadWrite/", time.Minute},
		{"3,000 writes in 150 seconds", world.AppBilling, AppWrites, "Tenant_Application/ReadWrite/", 150 * time.Second},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newBed(t)
			token := x.with(appWrite)
			for i := range c.limit.N {
				if r := add(x, token, c.app); r.status != 400 {
					t.Fatalf("write %d: %d", i, r.status)
				}
			}
			x.now = x.now.Add(500 * time.Millisecond)
			r := add(x, token, c.app)
			r.refused(429, "TooManyRequests", "")
			if want := fmt.Sprint(int(c.refill / time.Second)); r.header.Get("Retry-After") != want || r.header.Get("x-ms-throttle-information") != "WriteLimitExceeded" ||
				r.header.Get("x-ms-throttle-scope") != c.scope+strangerApp+"/"+world.TenantID {
				t.Errorf("%v", r.header)
			}
			if r := add(x, x.worker(appWrite), c.app); r.status != 400 {
				t.Errorf("another client: %d", r.status)
			}
			x.get(token, byApp(c.app)).is(200)
			x.w.Knobs.Graph.NoRetryAfter = true
			if r := add(x, token, c.app); r.status != 429 || r.header.Get("Retry-After") != "" {
				t.Errorf("%d, Retry-After %q", r.status, r.header.Get("Retry-After"))
			}
			x.w.Knobs.Graph.Unthrottled = true
			if r := add(x, token, c.app); r.status != 400 {
				t.Errorf("unthrottled: %d", r.status)
			}
			x.w.Knobs.Graph.Unthrottled = false
			x.now = x.now.Add(c.refill)
			if r := add(x, token, c.app); r.status != 400 {
				t.Errorf("after a while: %d", r.status)
			}
			for _, q := range x.Quotas() {
				if q.Scope == c.scope+strangerApp+"/"+world.TenantID && (q.N != c.limit.N || q.Used != c.limit.N+1) {
					t.Errorf("%d of %d were used under %s", q.Used, q.N, q.Scope)
				}
			}
		})
	}
}

func TestReadingCostsResourceUnits(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"", "2"}, {"?$select=id", "1"}, {"?$expand=owners", "3"}, {"?$top=5", "1"}, {"?$top=5&$select=id", "1"}, {"?$top=20", "2"},
	} {
		x := newBed(t)
		if got := x.get(x.with(appWrite), "/applications"+c.query).is(200).header.Get("x-ms-resource-unit"); got != c.want {
			t.Errorf("%q costs %s, want %s", c.query, got, c.want)
		}
	}
	x := newBed(t)
	token := x.with(appWrite)
	var last response
	for range ResourceUnits.N / 2 {
		last = x.get(token, byApp(world.AppBilling)).is(200)
	}
	if got := last.header.Get("x-ms-throttle-limit-percentage"); got != "1.00" {
		t.Errorf("at the limit: %q", got)
	}
	r := x.get(token, byApp(world.AppBilling))
	r.refused(429, "TooManyRequests", "")
	if got := r.header.Get("x-ms-throttle-information"); got != "ResourceUnitLimitExceeded" {
		t.Errorf("%q", got)
	}
}
