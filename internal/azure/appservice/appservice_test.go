package appservice_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/appservice"
	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// said is an app of which App Service says what a test wants, by the method and the end of the path.
type said func(r *http.Request) string

func (s said) RoundTrip(r *http.Request) (*http.Response, error) {
	body := s(r)
	if strings.HasSuffix(r.URL.Path, "/permissions") {
		body = `{"value":[{"actions":["Microsoft.Web/sites/*"]}]}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (s said) app(x appservice.Settings) *appservice.App {
	return appservice.New(azhttp.NewResources(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), hostile.Nobody{}), x, target)
}

// refers is an entry of a list: a setting with a reference, a status, and what else is said of it.
func refers(name, reference, status, more string) string {
	return fmt.Sprintf(`{"name":%q,"properties":{"reference":"@Microsoft.KeyVault(%s)","status":%q%s}}`, name, reference, status, more)
}

func list(entries ...string) string {
	return `{"value":[` + strings.Join(entries, ",") + `],"nextLink":null}`
}

const (
	byURI  = "SecretUri=https://kv-apps.vault.azure.net/secrets/shop-web"
	byName = "VaultName=kv-apps;SecretName=shop-web"
)

func TestOnlySettingsThatFollowTheSecretPass(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		list     string
		want     string // of the error's text and hint; "" for none
		note     string
	}{
		"by its address":                           {list: list(refers("A", byURI, "Resolved", ""))},
		"by its address with a slash":              {list: list(refers("A", byURI+"/", "Resolved", ""))},
		"by its names":                             {list: list(refers("A", byName, "Resolved", ""))},
		"by its names, in other letters":           {list: list(refers("A", "vaultname=KV-Apps; secretname = Shop-Web", "Resolved", ""))},
		"beside others":                            {list: list(refers("A", byName, "Resolved", ""), refers("B", "VaultName=kv-apps;SecretName=other;SecretVersion=1", "AccessToKeyVaultDenied", ""))},
		"by what the answer calls it":              {list: list(`{"id":"/x/A","properties":{"vaultName":"kv-apps","secretName":"shop-web","secretVersion":"1","status":"Resolved"}}`)},
		"with an identity that is an object":       {list: list(refers("A", byName, "Resolved", `,"identityType":{"type":"SystemAssigned"}`))},
		"with the version that was read":           {list: list(refers("A", byName, "Resolved", `,"secretVersion":"5e0d"`))},
		"of a secret that is not there yet":        {list: list(refers("A", byName, "SecretNotFound", "")), note: "A: SecretNotFound"},
		"that are being resolved":                  {list: list(refers("A", byName, "Initialized", "")), note: "A: Initialized"},
		"whose status is none":                     {list: list(refers("A", byName, "<b>", "")), note: "A: unknown"},
		"the ones that are named":                  {settings: []string{"a"}, list: list(refers("A", byName, "Resolved", ""), refers("B", byName+";SecretVersion=1", "Resolved", ""))},
		"none at all":                              {list: list(), want: "none of its settings refers to secret kv-apps.vault.azure.net/shop-web"},
		"another secret":                           {list: list(refers("A", "VaultName=kv-apps;SecretName=shop", "Resolved", "")), want: "set it to @Microsoft.KeyVault(SecretUri=https://kv-apps.vault.azure.net/secrets/shop-web/)"},
		"another vault":                            {list: list(refers("A", "SecretUri=https://kv-app.vault.azure.net/secrets/shop-web", "Resolved", "")), want: "none of its settings"},
		"a vault of that name elsewhere":           {list: list(refers("A", "SecretUri=https://kv-apps.vault.azure.cn/secrets/shop-web", "Resolved", "")), want: "none of its settings"},
		"named, and it refers to nothing":          {settings: []string{"A", "B"}, list: list(refers("A", byName, "Resolved", "")), want: "its setting B does not refer"},
		"to one version, by its address":           {list: list(refers("A", byURI+"/5e0d7c6b", "Resolved", "")), want: "take the version out of the reference"},
		"to one version, by its names":             {list: list(refers("A", byName, "Resolved", ""), refers("B", byName+";SecretVersion=5e", "Resolved", "")), want: "its setting B refers to one version"},
		"that may not be read":                     {list: list(refers("A", byName, "AccessToKeyVaultDenied", "")), want: "Key Vault Secrets User"},
		"of an app without an identity":            {list: list(refers("A", byName, "MSINotEnabled", "")), want: "keyVaultReferenceIdentity"},
		"an answer that is none":                   {list: `{"error":null}`, want: "not a list of references"},
		"a list that leads elsewhere":              {list: `{"value":[],"nextLink":"https://elsewhere.example/"}`, want: "leads elsewhere"},
		"a list that leads to itself":              {list: `{"value":[],"nextLink":"https://management.azure.com` + appID(world.SiteShop) + `/config/configreferences/appsettings?x=1"}`, want: "leads elsewhere"},
		"a list that leads to another app":         {list: `{"value":[],"nextLink":"https://management.azure.com` + appID("other") + `/config/configreferences/appsettings?x=1"}`, want: "leads elsewhere"},
		"a setting whose name is fit to be hidden": {list: list(refers("A\\u001b[31m", byName, "AccessToKeyVaultDenied", "")), want: "setting whose name cannot be shown: AccessToKeyVaultDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := settings("")
				x.Settings = c.settings
				a := said(func(*http.Request) string { return strings.ReplaceAll(c.list, `\\u`, `\u`) }).app(x)
				err := a.Preflight(t.Context())
				var e *driver.Error
				switch {
				case c.want == "":
					if err != nil {
						t.Errorf("%v", err)
					}
				case !errors.As(err, &e) || !strings.Contains(e.Error()+e.Hint, c.want) || e.Person != (e.Kind == driver.Rejected):
					t.Errorf("%+v, want %q", err, c.want)
				}
				if notes := strings.Join(a.Notes(), " "); !strings.Contains(notes, c.note) || c.note == "" && strings.Contains(notes, "says of") {
					t.Errorf("notes %q, want %q", notes, c.note)
				}
			})
		})
	}
}

func TestEveryPageOfTheListIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := said(func(r *http.Request) string {
			if r.URL.Query().Get("page") == "2" {
				return list(refers("B", byName+";SecretVersion=5e", "Resolved", ""))
			}
			return `{"value":[` + refers("A", byName, "Resolved", "") + `],"nextLink":"https://management.azure.com` + r.URL.Path + `?api-version=2022-03-01&page=2"}`
		}).app(settings(""))
		if err := a.Preflight(t.Context()); err == nil || !strings.Contains(err.Error(), "its setting B refers to one version") {
			t.Errorf("%v", err)
		}
	})
}

func TestAnAppThatShowsAnotherVersionWasNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "")
		b.knobs(func(k *world.AppServiceKnobs) { k.SaysVersion = true })
		c := b.consumer(operator, settings(""), target)
		if s, err := c.Tell(t.Context(), publication(1), value(b.mint())); err != nil || s.Publication != publication(1) || !s.Works {
			t.Fatalf("%+v %v", s, err)
		}
		b.knobs(func(k *world.AppServiceKnobs) { k.Ignore = true })
		for range 2 { // with an older mark, and again
			if s, err := c.Tell(t.Context(), publication(2), value(b.mint())); err != nil || s.Publication != publication(1) || s.Works {
				t.Fatalf("%+v %v", s, err)
			}
		}
		b.knobs(func(k *world.AppServiceKnobs) { k.Ignore = false })
		if s, err := c.Tell(t.Context(), publication(2), value(b.mint())); err != nil || s.Publication != publication(2) || !s.Works {
			t.Fatalf("%+v %v", s, err)
		}
		// What was told, and has an older version again, does not work: the mark is not all that there is.
		b.locked(func(_ *world.World, app *world.Site, x *world.Secret) {
			r := app.Resolved[setting]
			r.Version = x.Versions[0].ID
			app.Resolved[setting] = r
		})
		if s, err := c.State(t.Context(), nil); err != nil || s.Publication != publication(2) || s.Works || !strings.Contains(s.Why, "another version") {
			t.Fatalf("%+v %v", s, err)
		}
	})
}

func TestWhatAppServiceSaysOfAReferenceIsWhyItDoesNotWork(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world.World, app *world.Site)
		want   string
	}{
		"the identity lost its role":    {func(w *world.World, app *world.Site) { app.IdentityID = "" }, "MSINotEnabled"},
		"the setting refers to nothing": {func(_ *world.World, app *world.Site) { app.Settings[setting] = "typed in" }, "none of its settings refers"},
		"the setting names one version": {func(_ *world.World, app *world.Site) { app.Settings[setting] = "@Microsoft.KeyVault(" + byURI + "/5e)" }, "one version"},
		"the secret was not there yesterday": {func(_ *world.World, app *world.Site) {
			app.Resolved[setting] = world.Resolved{Status: "SecretNotFound"}
		}, "SecretNotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, "")
				x := b.consumer(operator, settings(""), target)
				if _, err := x.Tell(t.Context(), publication(1), value(b.mint())); err != nil {
					t.Fatal(err)
				}
				b.locked(func(w *world.World, app *world.Site, _ *world.Secret) {
					if c.change(w, app); app.IdentityID == "" {
						w.Fetch(app, w.Now())
					}
				})
				if s, err := x.State(t.Context(), nil); err != nil || s.Publication != publication(1) || s.Works || !strings.Contains(s.Why, c.want) {
					t.Errorf("%+v %v", s, err)
				}
			})
		})
	}
}

func TestAStateThatCannotBeSeenIsNone(t *testing.T) {
	for _, refresh := range []bool{true, false} {
		t.Run(fmt.Sprint("refresh ", refresh), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, "")
				var c driver.Consumer = b.consumer(operator, settings(""), target)
				if !refresh {
					c = b.untold()
				}
				if _, err := c.Tell(t.Context(), publication(1), value(b.mint())); err != nil {
					t.Fatal(err)
				}
				if err := b.srv.AddFaults(sim.Fault{Service: "appservice", Operation: "GetKeyVaultReferences", Nth: 1, Times: 100, Do: sim.DoMalform}); err != nil {
					t.Fatal(err)
				}
				if s, err := c.State(t.Context(), nil); driver.KindOf(err) != driver.Unavailable || s.Works {
					t.Errorf("%+v %v", s, err)
				}
			})
		})
	}
}

// untold is the app when nobody refreshes it.
func (b *bed) untold() driver.Consumer {
	s := settings(b.slot)
	s.Refresh = false
	return published{appservice.NewUntold("app", appservice.New(b.as(operator), s, target), b.store()), b}
}

func TestAnAppThatNobodyRefreshesIsToldByThePublicationAndNothingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "")
		c := b.untold()
		var wrote []string
		b.srv.OnRequest(func(service, operation string, r *http.Request) {
			if service == "appservice" && r.Method != http.MethodGet {
				wrote = append(wrote, operation)
			}
		})
		if s, err := c.State(t.Context(), nil); err != nil || s.Publication != "" || s.Works || s.Why == "" {
			t.Errorf("%+v %v", s, err)
		}
		if err := c.Preflight(t.Context()); err != nil {
			t.Error(err)
		}
		v := b.mint()
		var at time.Time
		b.locked(func(w *world.World, _ *world.Site, _ *world.Secret) { at = w.Now() })
		for _, ask := range []func() (rotation.ConsumerState, error){
			func() (rotation.ConsumerState, error) { return c.Tell(t.Context(), publication(1), value(v)) },
			func() (rotation.ConsumerState, error) { return c.State(t.Context(), nil) },
		} {
			if s, err := ask(); err != nil || s.Publication != publication(1) || !s.Works || !s.Weak || s.Told.Sub(at).Abs() > time.Second {
				t.Errorf("%+v %v, published at %s", s, err, at)
			}
		}
		if b.holds() == v || len(wrote) > 0 {
			t.Errorf("it was told: %v", wrote)
		}
		if notes := c.(published).Consumer.(driver.Noted).Notes(); !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "24 hours") }) {
			t.Errorf("notes %q", notes)
		}
		// What it cannot read is its own for a day, and then something to mend.
		b.locked(func(_ *world.World, app *world.Site, _ *world.Secret) {
			app.Resolved[setting] = world.Resolved{Status: "SecretNotFound"}
		})
		b.srv.World().Advance(23 * time.Hour)
		if s, err := c.State(t.Context(), nil); err != nil || !s.Works {
			t.Errorf("%+v %v", s, err)
		}
		b.knobs(func(k *world.AppServiceKnobs) { k.KeptFor = world.Duration(1000 * time.Hour) })
		b.srv.World().Advance(time.Hour + 2*time.Second)
		if s, err := c.State(t.Context(), nil); err != nil || s.Works || !strings.Contains(s.Why, "SecretNotFound") {
			t.Errorf("%+v %v", s, err)
		}
	})
}

func TestTheCacheIsADayWhereNobodyRefreshes(t *testing.T) {
	for refresh, want := range map[bool]time.Duration{true: time.Hour, false: 24 * time.Hour} {
		if got := (&appservice.Settings{Refresh: refresh}).DefaultCache(); got != want {
			t.Errorf("refresh %v: %v", refresh, got)
		}
	}
}

func TestARefreshWhoseAnswerIsNoneIsAmbiguous(t *testing.T) {
	for answer, want := range map[string]driver.Kind{"": 0, " \n": 0, "{}": 0, "\ufeff" + list(refers("A", byName, "Resolved", "")): 0, "gone": driver.Ambiguous, `{"value":[`: driver.Ambiguous, `{"value":0}`: driver.Ambiguous} {
		synctest.Test(t, func(t *testing.T) {
			a := said(func(r *http.Request) string {
				if r.Method == http.MethodPost {
					return answer
				}
				return list(refers("A", byName, "Resolved", ""))
			}).app(settings(""))
			if err := a.Hand(t.Context(), hook.Handover{Version: "5e"}); driver.KindOf(err) != want || err != nil && want == 0 {
				t.Errorf("%q: %v", answer, err)
			}
		})
	}
}
