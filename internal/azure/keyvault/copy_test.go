package keyvault_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	originHost, originName = "kv-pat-prod.vault.azure.net", "origin"
	copyHost, copyName     = "kv-apps.vault.azure.net", "shared-copy"
	contentType            = "text/plain; rekey"
)

var origin = rotation.Target{Vault: originHost, Name: originName}

// copies is an Azure with a secret to be copied and one that a person has deleted.
type copies struct {
	*sim.Server
	expires time.Time
	// try is the fault that waits for the read that tries what is held.
	try *drivertest.Fault
	drivertest.Service
}

func serveCopies(t *testing.T) *copies {
	t.Helper()
	state := world.BuiltIn()
	for _, a := range state.Apps {
		if a.Name == "consumer" {
			state.RoleAssignments = append(state.RoleAssignments, &world.RoleAssignment{
				Name: "0a1f6a06-6a5e-4c46-9f57-8d9a5f5e2d01", PrincipalID: a.ServicePrincipalID, PrincipalType: "ServicePrincipal", RoleID: world.RoleKeyVaultUser,
				Scope: state.Vaults[2].ResourceID(),
			})
		}
	}
	s, err := sim.New(sim.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	c := &copies{Server: s, Service: simulated.Service(s, operations, refusal)}
	w := s.World()
	w.Lock()
	defer w.Unlock()
	c.expires = w.Now().AddDate(0, 1, 0).Truncate(time.Second).UTC()
	c.put(originHost, originName, "the value before all others", nil)
	c.put(copyHost, "deleted", "v", nil)
	c.at(copyHost, "deleted").Deleted = w.Now()
	c.put(copyHost, copyName, "a person's", map[string]string{"owner": "a team"})
	return c
}

func newest(x *world.Secret) *world.SecretVersion { return x.Versions[len(x.Versions)-1] }

// at is a secret of the world, nil if there is none. Locked.
func (c *copies) at(host, name string) *world.Secret {
	for _, v := range c.World().Vaults {
		for _, x := range v.Secrets {
			if strings.HasPrefix(host, v.Name+".") && x.Name == name {
				return x
			}
		}
	}
	return nil
}

// put makes a new version as whoever may write would. Locked.
func (c *copies) put(host, name, value string, tags map[string]string) {
	w := c.World()
	x := c.at(host, name)
	if x == nil {
		x = &world.Secret{Name: name}
		for _, v := range w.Vaults {
			if strings.HasPrefix(host, v.Name+".") {
				v.Secrets = append(v.Secrets, x)
			}
		}
	}
	exp := c.expires.Unix()
	x.Versions = append(x.Versions, &world.SecretVersion{ID: w.NewVersion(), Value: value, Created: w.Now(), Updated: w.Now(), Tags: tags, Expires: &exp})
}

func (c *copies) as(t *testing.T, app, name string, adopt bool) *keyvault.Copy {
	t.Helper()
	stores := c.stores(t, app)
	return copyIn(stores[copyHost], stores, name, adopt)
}

func copyIn(store driver.Store, stores map[string]driver.Store, name string, adopt bool) *keyvault.Copy {
	return keyvault.NewCopy("dr", store, keyvault.CopySettings{Vault: "apps", Secret: name, Adopt: adopt},
		keyvault.Origin{Store: stores[originHost], Target: origin, ContentType: contentType})
}

func (c *copies) stores(t *testing.T, app string) map[string]driver.Store {
	t.Helper()
	client := azhttp.NewClient(c.Transport(), nil)
	cred := azhttp.NewCredential(app, &simulated.SignIn{Sim: c.Server, App: app})
	stores := map[string]driver.Store{}
	for _, host := range []string{originHost, copyHost} {
		v, err := keyvault.New(host, cred, client.Renewing(client.Options(cloud.AzurePublic), cred))
		if err != nil {
			t.Fatal(err)
		}
		// A client's first call goes without a token, to be told where to sign in; faults are for those that follow.
		if _, err := v.Read(t.Context(), "nothing"); err != nil && driver.KindOf(err) != driver.Denied {
			t.Fatal(err)
		}
		stores[host] = v
	}
	return stores
}

// published is a copy whose every tell comes after a publication, as the engine's do. What works nowhere is told and
// was never published.
type published struct {
	*keyvault.Copy
	c *copies
}

func (p published) Tell(ctx context.Context, publication rotation.Publication, v secret.Value) (rotation.ConsumerState, error) {
	if ctx.Err() == nil {
		p.c.publish(publication, v)
	}
	p.c.arm(3) // both are read, and then what was written
	return p.Copy.Tell(ctx, publication, v)
}

func (p published) State(ctx context.Context, published []rotation.Publication) (rotation.ConsumerState, error) {
	p.c.arm(2) // the copy, and then what it is compared with
	return p.Copy.State(ctx, published)
}

func (c *copies) publish(publication rotation.Publication, v secret.Value) {
	w := c.World()
	w.Lock()
	defer w.Unlock()
	value := newest(c.at(originHost, originName)).Value
	_ = v.Use(func(b []byte) error {
		if !strings.Contains(string(b), "works nowhere") {
			value = string(b)
		}
		return nil
	})
	r, err := rotation.Record{Generation: rotation.NewGeneration(w.Now(), [5]byte{1}), IssuerID: "i", Publication: publication, Expires: c.expires, RevokeAfter: w.Now()}.Encode()
	if err != nil {
		panic(err)
	}
	c.put(originHost, originName, value, map[string]string{rotation.RecordTag: r})
}

func (c *copies) arm(nth int) {
	if c.try != nil {
		c.Service.Fault("Read", *c.try, nth, 100)
		c.try = nil
	}
}

func TestACopyIsAConsumer(t *testing.T) {
	drivertest.Consumer(t, func(t *testing.T) drivertest.ConsumerBed {
		c := serveCopies(t)
		locked := func(f func(v *world.SecretVersion) string) string {
			c.World().Lock()
			defer c.World().Unlock()
			return f(newest(c.at(copyHost, copyName)))
		}
		svc := c.Service
		svc.Sent = func(method string) int { return c.Service.Sent(map[string]string{"Write": "Put"}[method]) }
		svc.Fault = func(method string, f drivertest.Fault, nth, times int) {
			switch method {
			case "Test":
				c.try = &f
			case "Write":
				if f == drivertest.Hung {
					if err := c.AddFaults(sim.Fault{Service: "keyvault", Operation: "SetSecret", Nth: nth, Times: times, Do: sim.DoDelay, Delay: world.Duration(3 * time.Hour)}); err != nil {
						t.Fatal(err)
					}
					return
				}
				c.Service.Fault("Put", f, nth, times)
			default:
				c.Service.Fault("Read", f, nth, times)
			}
		}
		n := 0
		return drivertest.ConsumerBed{
			Consumer: published{c.as(t, "administrator", copyName, true), c}, Twin: published{c.as(t, "administrator", copyName, true), c},
			Powerless: published{c.as(t, "consumer", copyName, true), c}, Absent: published{c.as(t, "administrator", "deleted", false), c},
			Service: svc,
			Value: func() string {
				n++
				return fmt.Sprintf("value %d %s", n, world.Canary)
			},
			Holds: func() string { return locked(func(v *world.SecretVersion) string { return v.Value }) },
			Rest: func() string {
				return locked(func(v *world.SecretVersion) string {
					tags := maps.Clone(v.Tags)
					delete(tags, keyvault.CopyTag)
					return fmt.Sprint(tags)
				})
			},
			Replace: func(value string) { locked(func(v *world.SecretVersion) string { v.Value = value; return "" }) },
			Deaf: func() {
				if err := c.AddFaults(sim.Fault{Service: "keyvault", Operation: "SetSecret", Nth: 1, Times: 100, Do: sim.DoAnswer, Status: 200,
					Body: `{"value":"x","id":"https://` + copyHost + `/secrets/` + copyName + `/0123456789abcdef0123456789abcdef","attributes":{"enabled":true,"created":1}}`}); err != nil {
					t.Fatal(err)
				}
			},
			Lapse: simulated.Lapse,
		}
	})
}

func TestACopyCarriesDateAndTypeAndIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveCopies(t)
		x := published{c.as(t, "administrator", "fresh", false), c}
		if err := x.Preflight(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if s, err := x.Copy.Tell(t.Context(), "01aaaaaaaaaaaaaaaa", told(c, "the value")); err != nil || !s.Works || s.Publication != "01aaaaaaaaaaaaaaaa" {
				t.Fatalf("%+v, %v", s, err)
			}
		}
		c.World().Lock()
		defer c.World().Unlock()
		held := c.at(copyHost, "fresh")
		v := newest(held)
		if len(held.Versions) != 1 || v.Value != "the value" || *v.Expires != c.expires.Unix() || v.ContentType == nil || *v.ContentType != contentType {
			t.Errorf("%d versions, the newest expires at %v and is of type %v", len(held.Versions), v.Expires, v.ContentType)
		}
	})
}

// told publishes a value under the publication of the tests below, and gives it.
func told(c *copies, v string) secret.Value {
	c.publish("01aaaaaaaaaaaaaaaa", secret.New([]byte(v)))
	return secret.New([]byte(v))
}

func TestACopyIsNotWrittenOverWhatIsNotOurs(t *testing.T) {
	other := "0000000000000000a3 kv-other.vault.azure.net/origin"
	record := map[string]string{rotation.RecordTag: "1;g=x"}
	full := map[string]string{}
	for i := range rotation.MaxTags {
		full[fmt.Sprint("tag", i)] = "x"
	}
	for name, c := range map[string]struct {
		tags  map[string]string
		edit  func(*world.Secret)
		adopt bool
		kind  driver.Kind // 0: it is written
		hint  string
	}{
		"a person's secret":                          {kind: driver.Rejected, hint: "adopt: true"},
		"a person's secret that the manifest adopts": {adopt: true},
		"another secret's copy":                      {tags: map[string]string{keyvault.CopyTag: other}, adopt: true, kind: driver.Rejected, hint: "another secret"},
		"a mark that is none":                        {tags: map[string]string{keyvault.CopyTag: "mine"}, kind: driver.Rejected, hint: "adopt: true"},
		"a credential's own store":                   {tags: record, adopt: true, kind: driver.Rejected, hint: "another secret"},
		"a secret without a free tag":                {tags: full, adopt: true, kind: driver.Rejected, hint: "remove a tag"},
		"a disabled secret":                          {edit: func(x *world.Secret) { newest(x).Disabled = true }, adopt: true, kind: driver.Rejected, hint: "enable"},
		"a deleted secret":                           {edit: func(x *world.Secret) { x.Deleted = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC) }, adopt: true, kind: driver.Missing, hint: "recover"},
		"its own copy under another spelling":        {tags: map[string]string{keyvault.CopyTag: "0000000000000000a3 KV-PAT-PROD.vault.azure.net/Origin"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveCopies(t)
				x := s.as(t, "administrator", "theirs", c.adopt)
				func() {
					s.World().Lock()
					defer s.World().Unlock()
					s.put(copyHost, "theirs", "a value of theirs", c.tags)
					if c.edit != nil {
						c.edit(s.at(copyHost, "theirs"))
					}
				}()
				_, told := x.Tell(t.Context(), "01aaaaaaaaaaaaaaaa", told(s, "ours"))
				pre := x.Preflight(t.Context())
				_, state := x.State(t.Context(), nil)
				for what, err := range map[string]error{"Tell": told, "Preflight": pre, "State": state} {
					if got := driver.KindOf(err); got != c.kind {
						t.Errorf("%s: %v, want %v", what, err, c.kind)
					}
					if e, ok := err.(*driver.Error); ok && (!e.Person || !strings.Contains(e.Hint, c.hint)) {
						t.Errorf("%s: person %v, hint %q", what, e.Person, e.Hint)
					}
				}
				s.World().Lock()
				defer s.World().Unlock()
				if v := newest(s.at(copyHost, "theirs")).Value; (v == "ours") != (c.kind == 0) {
					t.Error("it was written over, or was not")
				}
			})
		})
	}
}

func TestATellOfWhatWasPublishedAgainMeanwhileWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveCopies(t)
		x := c.as(t, "administrator", copyName, true)
		v := told(c, "newer")
		_, err := x.Tell(t.Context(), "00bbbbbbbbbbbbbbbb", secret.New([]byte("older")))
		if driver.KindOf(err) != driver.Unavailable || c.Service.Sent("Put") != 0 {
			t.Errorf("%v, %d PUTs", err, c.Service.Sent("Put"))
		}
		if s, err := x.Tell(t.Context(), "01aaaaaaaaaaaaaaaa", v); err != nil || !s.Works {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// crossing is a store whose first read finds the secret nowhere: a person recovers it between the two that look.
type crossing struct {
	driver.Store
	over bool
}

func (c *crossing) Read(ctx context.Context, name string) (driver.Reading, error) {
	if !c.over {
		c.over = true
		return driver.Reading{Secret: rotation.Secret{State: rotation.Absent}}, nil
	}
	return c.Store.Read(ctx, name)
}

func TestACopyThatIsRecoveredWhileItIsReadKeepsItsTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveCopies(t)
		stores := c.stores(t, "administrator")
		x := copyIn(&crossing{Store: stores[copyHost]}, stores, copyName, true)
		if s, err := x.Tell(t.Context(), "01aaaaaaaaaaaaaaaa", told(c, "newer")); err != nil || !s.Works {
			t.Fatalf("%+v, %v", s, err)
		}
		w := c.World()
		w.Lock()
		defer w.Unlock()
		if tags := newest(c.at(copyHost, copyName)).Tags; tags["owner"] != "a team" {
			t.Errorf("the owner's tag is lost: %v", tags)
		}
	})
}

// The engine has read the origin before it asks its consumers. What they say must not be of another one.
func TestACopyWhoseOriginChangesBetweenTwoReadsIsLookedAtAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveCopies(t)
		x := c.as(t, "administrator", "fresh", false)
		const publication = "01aaaaaaaaaaaaaaaa"
		if _, err := x.Tell(t.Context(), publication, told(c, "the value")); err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(){
			"a person takes the record off": func() { c.World().Lock(); newest(c.at(originHost, originName)).Tags = nil; c.World().Unlock() },
			"another run publishes":         func() { c.publish("01bbbbbbbbbbbbbbbb", secret.New([]byte("another"))) },
		} {
			read := []rotation.Publication{publication}
			if s, err := x.State(t.Context(), read); err != nil || !s.Works {
				t.Errorf("before %s: %+v, %v", name, s, err)
			}
			change()
			if s, err := x.State(t.Context(), read); driver.KindOf(err) != driver.Unavailable {
				t.Errorf("%s: %+v, %v", name, s, err)
			}
			c.publish(publication, secret.New([]byte("the value")))
		}
	})
}

func TestTagsThatSomebodyCopiedProveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveCopies(t)
		x := c.as(t, "administrator", copyName, true)
		if _, err := x.Tell(t.Context(), "01aaaaaaaaaaaaaaaa", told(c, "ours")); err != nil {
			t.Fatal(err)
		}
		c.World().Lock()
		c.put(copyHost, copyName, "a person's", newest(c.at(copyHost, copyName)).Tags)
		c.World().Unlock()
		if s, err := x.State(t.Context(), nil); err != nil || s.Works || s.Why == "" {
			t.Errorf("%+v, %v", s, err)
		}
	})
}
