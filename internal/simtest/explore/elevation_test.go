package explore

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	prodScope    = "/subscriptions/" + world.SubscriptionID + "/resourceGroups/rg-rekey/providers/Microsoft.KeyVault/vaults/kv-pat-prod"
	secretBroker = "Br18Q~" + world.Canary + "BrokerItself1234567890"
	elevatedFor  = 30 * time.Minute
)

// elevatedWay is how a right is taken, by what the manifest says of it.
type elevatedWay struct {
	name, kind, more string
	// self is a way in which nobody gives the right: whoever is signed in activates it, and must be a person.
	self bool
}

// elevatedWays are all kinds that the manifest can name, or TestEveryKindOfElevationIsExplored fails.
var elevatedWays = []elevatedWay{
	{name: "a timed role assignment", kind: manifest.RoleAssignment, more: ", broker: broker, sweepEvery: 1h"},
	{name: "an active assignment", kind: manifest.PIMAssignment, more: ", broker: broker"},
	{name: "a person's activation", kind: manifest.PIMActivation, self: true},
}

// principal is who has the right.
func (w elevatedWay) principal() (id, kind string) {
	if w.self {
		return svcPAT, "User"
	}
	return rekeySP, "ServicePrincipal"
}

// elevatedOrigin is the world in which no value was made yet, and whoever Rekey is signed in as may only list the vault's
// secrets.
func elevatedOrigin(way elevatedWay, change func(*world.State)) *node {
	principal, kind := way.principal()
	n := madeOrigin(func(s *world.State) {
		for _, a := range s.RoleAssignments {
			if a.PrincipalID == rekeySP && a.Scope == prodScope {
				a.RoleID, a.PrincipalID, a.PrincipalType = world.RoleKeyVaultReader, principal, kind
			}
		}
		long := time.Date(1999, 9, 1, 8, 0, 0, 0, time.UTC)
		s.Apps = append(s.Apps, &world.App{ID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f16", ClientID: world.AppBroker, TenantID: world.TenantID, Name: "rekey-broker", ServicePrincipalID: world.BrokerPrincipal, ClientSecret: secretBroker,
			Secrets: []*world.PasswordCredential{{KeyID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f17", Start: long, End: long.AddDate(200, 0, 0), Value: secretBroker}}})
		if way.self {
			s.RoleSchedules = append(s.RoleSchedules, &world.RoleSchedule{Name: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f30", Eligible: true, PrincipalType: kind,
				Place:   world.Place{Realm: world.RealmAzure, Scope: prodScope, RoleID: world.RoleKeyVaultOfficer, PrincipalID: principal},
				Created: long, Updated: long, Start: long, End: long.AddDate(200, 0, 0)})
		}
		condition, version := world.BrokerCondition(world.RoleKeyVaultOfficer, rekeySP), "2.0"
		s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f2f", Scope: prodScope, RoleID: world.RoleKeyVaultDataAccess,
			PrincipalID: world.BrokerPrincipal, PrincipalType: "ServicePrincipal", Condition: &condition, ConditionVer: &version})
		if change != nil {
			change(s)
		}
	})
	src := fmt.Sprintf(`version: 1
tenant: contoso.onmicrosoft.com
identity:
  clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}
brokers:
  broker: {identity: {clientSecret: {clientId: %s, env: BROKER_CLIENT_SECRET}}}
elevations:
  writer: {role: Key Vault Secrets Officer, scope: %s, for: 30m, kind: %s%s}
vaults:
  prod: {name: kv-pat-prod, elevation: writer}
credentials:
  devops-pat:
    random: {password: {length: 32}}
    tags: {owner: platform}
    lifetime: 6d
    rotateBefore: 2d
    overlap: 24h
    store: {vault: prod, secret: %s}
`, rekeyClient, world.AppBroker, prodScope, way.kind, way.more, secretName)
	m, problems := manifest.Parse("rekey.yaml", []byte(src), app.Kinds())
	if m == nil || problems.Failed() {
		panic(fmt.Sprint(problems))
	}
	n.manifest = m
	n.promise.Elevation = &invariant.Elevation{Scope: prodScope, RoleID: world.RoleKeyVaultOfficer, Principal: principal, For: elevatedFor}
	n.foreign = foreignIn(n.state, n.promise)
	return n
}

// elevatedFields are the worlds of a value that is written under a right that is taken for it.
func elevatedFields() (out []field) {
	const due = "+4d1m"
	for _, way := range elevatedWays {
		for name, change := range map[string]func(*world.State){
			"": nil,
			", known minutes later": func(s *world.State) {
				s.Knobs.ARM.RBACDelay, s.Knobs.PIM.ListLag = world.Duration(3*time.Minute), world.Duration(time.Minute)
				s.Knobs.ARM.ExistsAfterRemoval, s.Knobs.PIM.ExistsAfterRemoval = world.Duration(210*time.Second), world.Duration(210*time.Second)
			},
		} {
			f := field{kind: "random", name: "made value, under " + way.name + name, alone: true, crossings: name == "", latecomers: name == "", at: elevating, short: 60}
			for _, steps := range [][]string{nil, {"run"}, {"run", due}, {"run", due, "run", "+24h1m"}} {
				f.starts = append(f.starts, start{f.name + ", " + cmp.Or(strings.Join(steps, " "), "absent"), func(t *testing.T) *node { return then(t, elevatedOrigin(way, change), steps...) }})
			}
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return out
}

func TestEveryKindOfElevationIsExplored(t *testing.T) {
	t.Parallel()
	field, _ := reflect.TypeFor[manifest.Elevation]().FieldByName("Kind")
	var explored []string
	for _, way := range elevatedWays {
		explored = append(explored, way.kind)
	}
	kinds := strings.Split(field.Tag.Get("enum"), ",")
	slices.Sort(kinds)
	slices.Sort(explored)
	if !slices.Equal(kinds, explored) {
		t.Errorf("the manifest can name %v, and explored are %v", kinds, explored)
	}
}

// asPerson has a sign-in of Rekey's be a person's, where the right is one that a person activates. What the manifest names
// for that is whoever az is signed in as, and az asks for its tokens in a process of its own, which no bubble's clock and
// no transport reaches. Nothing else of the run differs.
func (r *run) asPerson(req *http.Request) (*http.Request, error) {
	self := slices.ContainsFunc(r.manifest.Elevations, func(e manifest.Elevation) bool { return e.Kind == manifest.PIMActivation })
	if !self || req.Method != http.MethodPost || !strings.HasSuffix(req.URL.Path, "/oauth2/v2.0/token") {
		return req, nil
	}
	b, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, err
	}
	w := r.srv.World()
	w.Lock()
	u := w.Users[slices.IndexFunc(w.Users, func(u *world.User) bool { return u.ID == svcPAT })]
	w.Unlock()
	body := url.Values{"grant_type": {"password"}, "client_id": {world.ClientAzureCLI}, "username": {u.UPN}, "password": {u.Password}, "scope": form["scope"]}.Encode()
	out := req.Clone(req.Context())
	out.Body, out.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
	return out, nil
}

// elevating says whether a point is about a right, or next to where it is used.
func elevating(p point) bool {
	return strings.Contains(strings.ToLower(p.Label), "role") || strings.HasPrefix(p.Label, "ledger elevate") || strings.HasPrefix(p.Label, "ledger release") ||
		p.Label == "SetSecret" || p.Label == "UpdateSecret" || p.Label == "GetSecret"
}

// elevatedUntil is when what is in force of a right is stated to end by now; zero for none.
func (n *node) elevatedUntil() time.Time {
	if n.promise.Elevation == nil {
		return time.Time{}
	}
	return n.promise.Elevation.InForce(&n.state, n.at)
}

// elevations are what of rights can decide anything: how many are in force, until when, and what PIM still has to decide.
func (c *namer) elevations(n *node) (lines []string) {
	if n.promise.Elevation == nil {
		return nil
	}
	for _, a := range n.state.RoleAssignments {
		if a.PrincipalID == n.promise.Elevation.Principal && a.RoleID == world.RoleKeyVaultOfficer && a.Scope == prodScope && (a.Removed.IsZero() || n.at.Sub(a.Removed) < 10*time.Minute) {
			shares := 0
			if a.Description != nil {
				shares = strings.Count(*a.Description, "run ")
			}
			lines = append(lines, fmt.Sprintf("right removed %t until %s shares %d", !a.Removed.IsZero(), c.time(n.elevatedUntil()), min(shares, 3)))
		}
	}
	for _, s := range n.state.RoleSchedules {
		if s.PrincipalID == n.promise.Elevation.Principal && !s.Eligible && (s.Live(n.at) || n.at.Sub(s.Over()) < 10*time.Minute) {
			lines = append(lines, fmt.Sprintf("schedule live %t until %s", s.Live(n.at), c.time(s.End)))
		}
	}
	return several(lines)
}

// sweep is the schedule's: what is past its stated end is ended.
func (r *run) sweep() {
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	r.mu.Lock()
	r.others++
	p := &process{run: r, id: 100 + r.others, ctx: ctx, kill: kill, down: map[string]bool{}}
	r.mu.Unlock()
	a, err := app.New(app.Config{Manifest: r.manifest, Transport: p, Getenv: func(name string) string {
		return map[string]string{"REKEY_CLIENT_SECRET": secretRekey, "BROKER_CLIENT_SECRET": secretBroker}[name]
	}})
	if err != nil {
		panic(err)
	}
	e := engine.New(engine.Config{Ledger: p, Random: r.random, Now: p.now})
	for _, x := range a.Manifest().Elevations {
		el, err := a.Elevator(x)
		if err != nil {
			panic(err)
		}
		if _, err := elevation.End(ctx, el, e.Effect, "it is past its stated end", elevation.Over); err != nil {
			r.Errorf("sweep: %v", err)
		}
	}
	r.rec.Add(invariant.Event{Process: p.id, Ended: &invariant.Ended{At: time.Now()}})
}
