package appservice

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	rekey  = "a7bd7cea-133a-46cf-b58b-cab861acfaaf"
	nobody = "d3099628-fc46-45e4-9edb-3bcb80025736"

	sites   = "/subscriptions/" + world.SubscriptionID + "/resourceGroups/rg-apps/providers/Microsoft.Web/sites/"
	shop    = sites + world.SiteShop
	staging = shop + "/slots/" + world.SlotStaging
	refs    = "/config/configreferences/appsettings"
	setting = "Shop__ClientSecret"
)

type bench struct {
	t   *testing.T
	w   *world.World
	s   *Service
	now time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)}
	b.w = world.New(world.BuiltIn(), func() time.Time { return b.now })
	b.s = New(b.w)
	for name, id := range map[string]string{"rekey": rekey, "nobody": nobody} {
		b.w.AddToken("token-of-"+name, world.Token{Tenant: world.TenantID, ObjectID: id, AppID: "app-of-" + name, Name: name, Audience: "https://management.azure.com", Expires: b.now.Add(1000 * time.Hour)})
	}
	b.want("rekey", 200, "GET", shop+refs, "") // it has been fetched by now
	return b
}

func (b *bench) want(as string, status int, method, target, body string) map[string]any {
	b.t.Helper()
	r := httptest.NewRequest(method, "https://management.azure.com"+target+"?api-version=2022-03-01", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer token-of-"+as)
	rec := httptest.NewRecorder()
	b.s.ServeHTTP(rec, r)
	var out map[string]any
	if text := rec.Body.String(); text != "" {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			b.t.Fatalf("%s %s: %v in %s", method, target, err, text)
		}
		if strings.Contains(text, world.Canary) {
			b.t.Errorf("%s %s answers a value", method, target)
		}
	}
	if rec.Code != status {
		b.t.Fatalf("%s %s: %d %s; want %d", method, target, rec.Code, rec.Body, status)
	}
	return out
}

// said is what an answer says of the app's reference.
func (b *bench) said(answer map[string]any) map[string]any {
	b.t.Helper()
	all := answer["value"].([]any)
	if len(all) != 1 {
		b.t.Fatalf("%d references", len(all))
	}
	return all[0].(map[string]any)["properties"].(map[string]any)
}

// status is what the app's reference has come to now.
func (b *bench) status(at string) string {
	b.t.Helper()
	return b.said(b.want("rekey", 200, "GET", at+refs, ""))["status"].(string)
}

// put publishes a new version of the secret that the app refers to.
func (b *bench) put(value string) *world.SecretVersion {
	v := &world.SecretVersion{ID: b.w.NewVersion(), Value: value, Created: b.now}
	for _, vault := range b.w.Vaults {
		for _, x := range vault.Secrets {
			if vault.Name == "kv-apps" && x.Name == "shop-web" {
				x.Versions = append(x.Versions, v)
			}
		}
	}
	return v
}

// held is what an app was given.
func (b *bench) held(at string) string {
	for _, h := range b.w.Holdings() {
		if h.Kind == "app-service" && h.Consumer == at && h.Name == setting {
			return h.Value
		}
	}
	return ""
}

func TestAReferenceIsFetchedOnceInADayAndAtARefresh(t *testing.T) {
	b := newBench(t)
	old := b.held(shop)
	b.put("the second value")
	b.now = b.now.Add(24*time.Hour - time.Second)
	if b.held(shop) != old {
		t.Error("it was fetched before a day was over")
	}
	b.now = b.now.Add(time.Second)
	if got := b.held(shop); got != "the second value" {
		t.Errorf("after a day it holds %q", got)
	}
	b.put("the third value")
	b.want("rekey", 200, "POST", shop+refs+"/refresh", "")
	if got := b.held(shop); got != "the third value" {
		t.Errorf("after a refresh it holds %q", got)
	}
	if got := b.held(staging); got != "the second value" {
		t.Errorf("the slot, which nobody refreshed, holds %q", got)
	}
	b.want("rekey", 200, "POST", staging+refs+"/refresh", "")
	if got := b.held(staging); got != "the third value" {
		t.Errorf("the slot holds %q", got)
	}
	b.put("the fourth value")
	b.now = b.now.Add(24*time.Hour - time.Second)
	if b.held(shop) != "the third value" {
		t.Error("the day did not begin anew with the refresh")
	}
}

func TestAnAnswerHasTheRecordedForm(t *testing.T) {
	b := newBench(t)
	answer := b.want("rekey", 200, "POST", shop+refs+"/refresh", "")
	if id, there := answer["id"]; !there || id != nil || answer["nextLink"] != nil {
		t.Errorf("the list is %v", answer)
	}
	x := answer["value"].([]any)[0].(map[string]any)
	if x["name"] != setting || x["id"] != shop+refs+"/"+setting || x["type"] != "Microsoft.Web/sites/config/configreferences" || x["location"] != "westeurope" {
		t.Errorf("the entry is %v", x)
	}
	p := b.said(answer)
	version, there := p["activeVersion"]
	if !there || version != nil || p["secretVersion"] != nil || p["status"] != "Resolved" || p["vaultName"] != "kv-apps" || p["secretName"] != "shop-web" || p["identityType"] != "SystemAssigned" || p["reference"] != b.w.Sites[0].Settings[setting] {
		t.Errorf("its properties are %v", p)
	}
	b.w.Knobs.AppService.SaysVersion = true
	v := b.put("the second value")
	if got := b.said(b.want("rekey", 200, "GET", shop+refs, ""))["activeVersion"]; got == v.ID {
		t.Error("the version is the vault's and not what was fetched")
	}
	if got := b.said(b.want("rekey", 200, "POST", shop+refs+"/refresh", ""))["activeVersion"]; got != v.ID {
		t.Errorf("the version is %v", got)
	}
	one := b.want("rekey", 200, "GET", shop+refs+"/"+setting, "")
	if one["properties"].(map[string]any)["activeVersion"] != v.ID {
		t.Errorf("one is %v", one)
	}
	b.want("rekey", 404, "GET", shop+refs+"/WEBSITE_TIME_ZONE", "")
}

func TestAReferenceThatCannotBeResolvedSaysWhyAndLeavesItsText(t *testing.T) {
	const form = "@Microsoft.KeyVault(%)"
	for why, c := range map[string]struct {
		reference string
		change    func(*bench)
		status    string
	}{
		"in the other form":         {"VaultName=kv-apps; SecretName=shop-web", nil, "Resolved"},
		"of a version":              {"SecretUri=https://kv-apps.vault.azure.net/secrets/shop-web/6f1e8d7c5b4a39281716050f4e3d2c1b", nil, "Resolved"},
		"of a version that is none": {"VaultName=kv-apps;SecretName=shop-web;SecretVersion=0000", nil, "SecretVersionNotFound"},
		"of no secret":              {"VaultName=kv-apps;SecretName=nothing", nil, "SecretNotFound"},
		"of no vault":               {"VaultName=kv-nowhere;SecretName=shop-web", nil, "VaultNotFound"},
		"of nothing":                {"shop-web", nil, "InvalidSyntax"},
		"without an identity":       {"VaultName=kv-apps;SecretName=shop-web", func(b *bench) { b.w.Sites[0].IdentityID = "" }, "MSINotEnabled"},
		"without a role": {"VaultName=kv-apps;SecretName=shop-web", func(b *bench) {
			for _, a := range b.w.RoleAssignments {
				if a.PrincipalID == b.w.Sites[0].IdentityID {
					a.Removed = b.now
				}
			}
		}, "AccessToKeyVaultDenied"},
		"whose newest version is disabled": {"VaultName=kv-apps;SecretName=shop-web", func(b *bench) { b.put("x").Disabled = true }, "SecretNotFound"},
	} {
		t.Run(why, func(t *testing.T) {
			b := newBench(t)
			text := strings.Replace(form, "%", c.reference, 1)
			b.w.Sites[0].Settings[setting] = text
			if c.change != nil {
				c.change(b)
			}
			b.want("rekey", 200, "POST", shop+refs+"/refresh", "")
			if got := b.status(shop); got != c.status {
				t.Errorf("its status is %s, want %s", got, c.status)
			}
			if got := b.held(shop); (got == text) != (c.status != "Resolved") {
				t.Errorf("the app is given %q", got)
			}
		})
	}
}

func TestSettingsAreReplacedAsAWholeAndFetchedAtOnce(t *testing.T) {
	b := newBench(t)
	if got := b.want("rekey", 200, "POST", shop+"/config/appsettings/list", "")["properties"].(map[string]any); len(got) != 2 || got[setting] != b.w.Sites[0].Settings[setting] {
		t.Errorf("the settings are %v", got)
	}
	b.put("the second value")
	b.want("rekey", 200, "PUT", shop+"/config/appsettings", `{"properties":{"`+setting+`":"@Microsoft.KeyVault(VaultName=kv-apps;SecretName=shop-web)"}}`)
	if b.held(shop) != "the second value" || len(b.w.Sites[0].Settings) != 1 {
		t.Errorf("it holds %q, of %v", b.held(shop), b.w.Sites[0].Settings)
	}
	b.want("rekey", 200, "PUT", shop+"/config/appsettings", `{"properties":{"`+setting+`":"typed in"}}`)
	if got := b.want("rekey", 200, "GET", shop+refs, "")["value"].([]any); len(got) != 0 || b.held(shop) != "typed in" {
		t.Errorf("%v are references, and it holds %q", got, b.held(shop))
	}
	b.want("rekey", 400, "PUT", shop+"/config/appsettings", `{}`)
	b.want("rekey", 400, "PUT", shop+"/config/appsettings", ``)
}

func TestKnobsOfARefresh(t *testing.T) {
	b := newBench(t)
	old := b.held(shop)
	b.put("the second value")
	b.w.Knobs.AppService.Ignore = true
	if b.said(b.want("rekey", 200, "POST", shop+refs+"/refresh", ""))["status"] != "Resolved" || b.held(shop) != old {
		t.Error("what is ignored is not answered well, or was done")
	}
	b.w.Knobs.AppService = world.AppServiceKnobs{RefreshTakes: world.Duration(time.Minute), SaysNothing: true}
	if got := b.want("rekey", 200, "POST", shop+refs+"/refresh", ""); got != nil {
		t.Errorf("it says %v", got)
	}
	if b.status(shop) != "Initialized" || b.held(shop) != old {
		t.Error("what takes a minute was done at once")
	}
	b.now = b.now.Add(time.Minute)
	if b.status(shop) != "Resolved" || b.held(shop) != "the second value" {
		t.Errorf("after a minute it is %s and holds %q", b.status(shop), b.held(shop))
	}
	b.put("the third value")
	b.w.Knobs.AppService = world.AppServiceKnobs{KeptFor: world.Duration(time.Hour)}
	b.now = b.now.Add(time.Hour)
	if b.held(shop) != "the third value" {
		t.Error("it keeps what it fetched for longer than the knob says")
	}
}

func TestWhoMayDoWhatAndWhatIsNotThere(t *testing.T) {
	b := newBench(t)
	for _, target := range []string{shop, staging} {
		b.want("nobody", 403, "POST", target+refs+"/refresh", "")
		b.want("nobody", 403, "GET", target+refs, "")
	}
	b.want("nobody", 403, "PUT", shop+"/config/appsettings", `{"properties":{}}`)
	b.want("rekey", 404, "POST", sites+"nothing"+refs+"/refresh", "")
	b.want("rekey", 404, "GET", shop+"/slots/nothing"+refs, "")
	b.want("rekey", 501, "GET", shop+"/config/web", "")
	b.want("rekey", 501, "GET", strings.TrimSuffix(sites, "/"), "")
	if got := b.want("rekey", 200, "GET", staging, ""); got["name"] != "shop-web/staging" || got["type"] != "Microsoft.Web/sites/slots" || got["identity"] == nil {
		t.Errorf("the slot is %v", got)
	}
	for path, want := range map[string]string{shop + refs + "/refresh": "RefreshKeyVaultReferences", shop + "/restart": "unknown"} {
		if got := b.s.Operation(httptest.NewRequest("POST", "https://management.azure.com"+path, nil)); got != want {
			t.Errorf("%s is %s", path, got)
		}
	}
}
