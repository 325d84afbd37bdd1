package scenario

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// An app whose setting refers to the scenarios' secret.
const (
	appName    = "deploy-app"
	appID      = "app"
	appSetting = "Deploy__Token"
	appReader  = "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f41"
)

// withApp adds it to the world. It was given a token that somebody made by hand.
func withApp(s *world.State) {
	s.ManagedIdentities = append(s.ManagedIdentities, &world.ManagedIdentity{ID: appReader, ClientID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f42", TenantID: world.TenantID, Name: appName, Secret: "Mi." + world.Canary + ".app"})
	x := &world.Site{Name: appName, SubscriptionID: world.SubscriptionID, ResourceGroup: world.ResourceGroupApps, Location: "westeurope", Kind: "app", IdentityID: appReader,
		Settings: map[string]string{appSetting: "@Microsoft.KeyVault(SecretUri=https://" + prodHost + "/secrets/" + secretName + ")", "Region": "eu"},
		Uses:     map[string]world.Target{appSetting: {Organization: "contoso"}},
		Resolved: map[string]world.Resolved{appSetting: {Value: tokenOf(0), Version: "0", Status: "Resolved"}}}
	s.Sites = append(s.Sites, x)
	for i, a := range []struct{ who, role, scope string }{{rekeySP, world.RoleWebsiteContributor, x.ResourceID()}, {appReader, world.RoleKeyVaultUser, vaultIn(s, "kv-pat-prod").ResourceID()}} {
		s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f5" + string(rune('0'+i)), Scope: a.scope, RoleID: a.role, PrincipalID: a.who, PrincipalType: "ServicePrincipal"})
	}
}

func vaultIn(s *world.State, name string) *world.Vault {
	for _, v := range s.Vaults {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// appOperation names a call to an app.
func appOperation(r *http.Request) string {
	switch p := r.URL.Path; {
	case strings.HasSuffix(p, "/permissions"):
		return "ListPermissions"
	case strings.HasSuffix(p, "/refresh"):
		return "RefreshKeyVaultReferences"
	}
	return "GetKeyVaultReferences"
}

// refreshed plays a scenario whose credential the app is given, which must work at every change. How is the rest of the
// consumer's block.
func refreshed(t *testing.T, how string, scenario func(b *bed)) {
	t.Helper()
	playIn(t, withApp, func(b *bed) {
		b.heldAlready = how != "" // nothing is sent to it then
		b.write(func(s *settings) {
			s.more = "consumers:\n  " + appID + ":\n    appService: {app: " + (&world.Site{Name: appName, SubscriptionID: world.SubscriptionID, ResourceGroup: world.ResourceGroupApps}).ResourceID() + how + "}\n"
			if how == "" {
				s.more += "    cache: 2h\n"
			}
		})
		remove := b.sim.OnAnswer(func(_, operation string, _ int) {
			switch operation {
			case "RefreshKeyVaultReferences", "RevokePat", "SetSecret":
				b.appWorks("after " + operation)
			}
		})
		defer remove()
		scenario(b)
		b.site(func(w *world.World, x *world.Site) {
			if len(x.Settings) != 2 || x.Settings["Region"] != "eu" || !strings.HasPrefix(x.Settings[appSetting], "@Microsoft.KeyVault(") {
				b.Errorf("its settings were changed: %v", x.Settings)
			}
		})
	})
}

// site calls f with the app, as it is now.
func (b *bed) site(f func(w *world.World, x *world.Site)) {
	b.world(func(w *world.World) {
		w.SettleSites()
		f(w, w.Site(world.SubscriptionID, world.ResourceGroupApps, appName, ""))
	})
}

func (b *bed) given() (v string) {
	b.site(func(_ *world.World, x *world.Site) { v = x.Resolved[appSetting].Value })
	return v
}

func (b *bed) appWorks(when string) {
	b.site(func(w *world.World, x *world.Site) {
		if tried := w.Try(x.Resolved[appSetting].Value, x.Uses[appSetting]); !tried.Works {
			b.Errorf("the app stands still %s: %s", when, tried.Why)
		}
	})
}

func (b *bed) appNewest() {
	b.Helper()
	if b.given() != b.newest().Value {
		b.Error("the app is not on the newest publication")
	}
}

// appRuns has the first token published and told, and comes to the time of the second.
func (b *bed) appRuns() (old string) {
	b.Helper()
	b.apply().is(report.Done, "current").did("issue", "publish", "tell")
	b.appNewest()
	old = b.record().IssuerID
	b.pass(4*day + time.Minute)
	return old
}

func (b *bed) app(f func(k *world.AppServiceKnobs)) {
	b.world(func(w *world.World) { f(&w.Knobs.AppService) })
}

func TestAnAppIsRefreshedAndThenTheOldValueEnds(t *testing.T) {
	refreshed(t, "", func(b *bed) {
		old := b.appRuns()
		b.app(func(k *world.AppServiceKnobs) { k.RefreshTakes = world.Duration(20 * time.Second) })
		o := b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell")
		b.appNewest()
		if notes := strings.Join(o.cred().Notes, " "); !strings.Contains(notes, "not always which version") || !strings.Contains(notes, appID+" cannot be tried") {
			b.Errorf("notes %q", notes)
		}
		b.edit(func(_ *world.World, s *world.Secret) { delete(last(s).Tags, "rekey-told-"+appID) })
		b.apply().is(report.Waiting, "overlap").did("tell")
		b.apply().is(report.Waiting, "overlap").did()
		b.pass(day + time.Minute)
		b.apply().is(report.Done, "current").did("revoke")
		if b.lives(old) {
			b.Error("the old token lives on")
		}
		b.settle()
		b.appNewest()
	})
}

func TestAnAppThatNobodyRefreshesGoesOnUntilItReadsTheVaultAndTheOldValueLivesForThat(t *testing.T) {
	refreshed(t, ", refresh: false", func(b *bed) {
		b.apply()
		b.pass(day + time.Minute)
		b.apply().is(report.Done, "current")
		b.appNewest()
		old, was := b.record().IssuerID, b.given()
		b.pass(3 * day)
		for b.apply(); b.record().IssuerID == old; b.apply() {
			b.pass(time.Hour)
		}
		stale := 0
		for range 26 { // its day began at some other hour
			if b.given() == was {
				stale++
			}
			b.appWorks("within its day")
			b.apply()
			b.pass(time.Hour)
		}
		if stale == 0 {
			b.Error("it was on the newest publication at once, so this shows nothing")
		}
		b.apply().is(report.Done, "current")
		if b.lives(old) {
			b.Error("the old token lives on")
		}
		for _, c := range b.sim.Requests() {
			if c.Service == "appservice" && c.Method != http.MethodGet {
				b.Fatalf("it was told: %s", c.Operation)
			}
		}
		b.settle()
	})
}

func TestAnAppThatCannotBeToldHoldsTheEndOfTheOldOne(t *testing.T) {
	for name, c := range map[string]struct {
		does  sim.Fault
		error string
	}{
		"it refuses":        {sim.Fault{Operation: "RefreshKeyVaultReferences", Do: sim.DoAnswer, Status: 400, Body: `{"error":{"code":"BadRequest","message":"no"}}`}, "rejected (BadRequest)"},
		"it is down":        {sim.Fault{Operation: "RefreshKeyVaultReferences", Do: sim.DoAnswer, Status: 503}, "ambiguous"},
		"it hangs":          {sim.Fault{Operation: "RefreshKeyVaultReferences", Do: sim.DoDelay, Delay: world.Duration(3 * time.Hour)}, "ambiguous"},
		"it breaks off":     {sim.Fault{Operation: "RefreshKeyVaultReferences", Do: sim.DoCut}, "ambiguous"},
		"it never says so":  {sim.Fault{Operation: "RefreshKeyVaultReferences", Do: sim.DoLost}, "ambiguous"},
		"it cannot be read": {sim.Fault{Operation: "GetKeyVaultReferences", Do: sim.DoAnswer, Status: 500}, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			refreshed(t, "", func(b *bed) {
				b.neverRollsBack()
				old := b.appRuns()
				f := c.does
				f.Service = "appservice"
				b.faults(f)
				o := b.apply().is(report.Failed, "")
				if strings.HasPrefix(f.Operation, "Get") {
					o.did() // it is not issued what cannot be delivered
				}
				if e := o.cred().Error; e == nil || !strings.Contains(e.Text, c.error) {
					b.Errorf("%v, want %q", o, c.error)
				}
				b.pass(day + time.Hour) // over the overlap
				b.apply().is(report.Failed, "")
				if !b.lives(old) {
					b.Error("the old token was revoked although the app may use it")
				}
				b.struck()
				b.apply()
				b.pass(day + 3*time.Hour)
				b.settle()
				b.appNewest()
				if b.lives(old) {
					b.Error("the old token lives on")
				}
			})
		})
	}
}

func TestAnAppThatMayNotReadTheVaultIsSaidToAndNothingIsIssued(t *testing.T) {
	refreshed(t, "", func(b *bed) {
		b.appRuns()
		role := func(removed time.Time) {
			b.site(func(w *world.World, x *world.Site) {
				for _, a := range w.RoleAssignments {
					if a.PrincipalID == appReader {
						a.Removed = removed
					}
				}
			})
		}
		role(b.now())
		b.appWorks("with what it has")
		b.pass(day) // until it is read again
		o := b.apply().is(report.Held, "person").did()
		for _, want := range []string{"AccessToKeyVaultDenied", "Key Vault Secrets User", "az rest --method post"} {
			if !strings.Contains(o.out, want) {
				b.Errorf("%v does not say %q", o, want)
			}
		}
		role(time.Time{})
		b.apply().is(report.Held, "person").did() // App Service has not looked again
		b.site(func(w *world.World, x *world.Site) { w.Fetch(x, w.Now()) })
		b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell")
		b.pass(day + 3*time.Hour)
		b.settle()
		b.appNewest()
	})
}

func TestAnAppThatAnswersWellAndDoesNothing(t *testing.T) {
	deaf := func(b *bed, says, on bool) {
		b.app(func(k *world.AppServiceKnobs) { k.Ignore, k.SaysVersion = on, says })
	}
	t.Run("is said to have done nothing, where it says which version it has", func(t *testing.T) {
		refreshed(t, "", func(b *bed) {
			b.neverRollsBack()
			old := b.appRuns()
			deaf(b, true, true)
			for range 2 {
				o := b.apply().is(report.Failed, "")
				if e := o.cred().Error; e == nil || !strings.Contains(e.Text, "is not on the publication") {
					b.Errorf("%v", o)
				}
				b.app(func(k *world.AppServiceKnobs) { k.KeptFor = world.Duration(30 * day) })
				b.pass(20 * time.Hour)
			}
			if !b.lives(old) {
				b.Error("the old token was revoked although the app uses it")
			}
			// What it did not take is not forgotten when it says nothing any more.
			deaf(b, false, false)
			b.apply()
			b.pass(3 * time.Hour)
			b.settle()
			b.appNewest()
		})
	})
	t.Run("is guarded by the overlap alone, where it does not", func(t *testing.T) {
		refreshed(t, "", func(b *bed) {
			old := b.appRuns()
			deaf(b, false, true)
			b.apply().is(report.Waiting, "overlap").did("issue", "publish", "tell")
			b.pass(day - 10*time.Minute) // in the end of which App Service reads the vault by itself
			b.apply().is(report.Waiting, "overlap").did()
			if !b.lives(old) {
				b.Error("the old token ended within its overlap")
			}
			b.pass(20 * time.Minute)
			b.settle()
			b.appNewest()
		})
	})
}

func TestWhatAnAppRefusesIsRolledBackAndItIsRefreshedToTheOldValue(t *testing.T) {
	refreshed(t, "", func(b *bed) {
		b.apply().is(report.Done, "current") // young, so that there is a way back
		old := b.newest().Value
		b.faults(sim.Fault{Service: "appservice", Operation: "RefreshKeyVaultReferences", Do: sim.DoAnswer, Status: 400})
		b.run("rotate", credential).is(report.Failed, "")
		b.pass(2 * time.Hour)
		b.apply().is(report.Failed, "") // it is published again, and that is refused too
		if b.newest().Value != old {
			t.Fatal("the old value was not published again")
		}
		b.struck()
		b.apply()
		b.appNewest()
		b.settle()
		b.appNewest()
	})
}

func TestARunThatIsKilledAnywhereAroundAnAppLeavesWhatTheNextOneMends(t *testing.T) {
	for _, c := range []struct {
		at  string
		nth int
	}{{"GetKeyVaultReferences", 1}, {"ListPermissions", 1}, {"RefreshKeyVaultReferences", 1}, {"UpdateSecret", 2}, {"GetKeyVaultReferences", 2}} {
		for _, when := range []string{"before ", "after "} {
			t.Run(when+c.at+string(rune('0'+c.nth)), func(t *testing.T) {
				refreshed(t, "", func(b *bed) {
					b.appRuns()
					b.killedAt(when+c.at, c.nth, b.appWorks)
					b.appNewest()
				})
			})
		}
	}
}

func TestTwoRunsThatCrossAtAnAppEndOnTheCurrentPublication(t *testing.T) {
	for _, meet := range []string{"before SetSecret", "after SetSecret", "before RefreshKeyVaultReferences", "after RefreshKeyVaultReferences", "after GetKeyVaultReferences"} {
		t.Run(meet, func(t *testing.T) {
			refreshed(t, "", func(b *bed) {
				b.appRuns()
				b.twoMeet(meet)
				b.appWorks("after both")
				b.apply()
				b.settle()
				b.appNewest()
			})
		})
	}
}
