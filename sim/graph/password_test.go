package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const unknownKey = "11111111-2222-4333-8444-555555555555"

func TestASecretIsAddedAndRemoved(t *testing.T) {
	x := newBed(t)
	token := x.with(appWrite)
	path := byApp(world.AppBilling)
	x.now = x.now.Add(123456789)
	r := x.post(token, path+"/addPassword", `{"passwordCredential":{"displayName":"rekey/billing/0a1b2c3d/1","endDateTime":"2027-01-01T00:00:00Z"}}`).is(200)
	secret, hint := r.text("secretText"), r.text("hint")
	if !strings.Contains(secret, world.Canary) || len(secret) != 40 || hint != secret[:3] {
		t.Errorf("%d characters, hint %s", len(secret), hint)
	}
	if r.text("startDateTime") != "2026-11-21T10:00:00.1234567Z" || r.text("endDateTime") != "2027-01-01T00:00:00Z" {
		t.Errorf("%s to %s", r.text("startDateTime"), r.text("endDateTime"))
	}
	if !strings.Contains(r.header.Get("Location"), "/applications/") {
		t.Error("no Location")
	}
	list := x.get(token, path+"?$select=passwordCredentials").is(200).body["passwordCredentials"].([]any)
	last := list[len(list)-1].(map[string]any)
	if len(list) != 2 || last["keyId"] != r.text("keyId") || last["hint"] != hint || last["secretText"] != nil || last["displayName"] != "rekey/billing/0a1b2c3d/1" {
		t.Errorf("%v", last)
	}
	x.post(token, path+"/removePassword", `{"keyId":"`+r.text("keyId")+`"}`).is(204)
	x.post(token, path+"/removePassword", `{"keyId":"`+r.text("keyId")+`"}`).refused(400, "Request_BadRequest", "No password credential found with keyId '"+r.text("keyId")+"'")
	x.post(token, path+"/removePassword", `{}`).refused(400, "Request_BadRequest", "keyId")
	if got := len(x.app(world.AppBilling).Secrets); got != 1 {
		t.Errorf("%d secrets are left", got)
	}
}

func TestASecretsDatesAndNames(t *testing.T) {
	for _, c := range []struct {
		why, body  string
		start, end string // "" is refused
	}{
		{"nothing said is two years from now", `{}`, "2026-11-21T10:00:00Z", "2028-11-21T10:00:00Z"},
		{"no body at all is the same", ``, "2026-11-21T10:00:00Z", "2028-11-21T10:00:00Z"},
		{"a null credential is the same", `{"passwordCredential":null}`, "2026-11-21T10:00:00Z", "2028-11-21T10:00:00Z"},
		{"a start in the future moves the end", `{"passwordCredential":{"startDateTime":"2026-12-01T00:00:00+02:00"}}`, "2026-11-30T22:00:00Z", "2028-11-30T22:00:00Z"},
		{"an end before the start", `{"passwordCredential":{"startDateTime":"2027-12-01T00:00:00Z","endDateTime":"2027-11-01T00:00:00Z"}}`, "", ""},
		{"an end in the past", `{"passwordCredential":{"startDateTime":"2020-12-01T00:00:00Z","endDateTime":"2021-11-01T00:00:00Z"}}`, "", ""},
		{"a date that is none", `{"passwordCredential":{"endDateTime":"soon"}}`, "", ""},
		{"a secret of the caller's own", `{"passwordCredential":{"secretText":"mine"}}`, "", ""},
		{"a name that is too long", `{"passwordCredential":{"displayName":"` + strings.Repeat("x", 121) + `"}}`, "", ""},
		{"a member that there is not", `{"password":{}}`, "", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newBed(t)
			r := x.post(x.with(appWrite), byApp(world.AppBilling)+"/addPassword", c.body)
			if c.start == "" {
				r.refused(400, "Request_BadRequest", "Invalid")
				return
			}
			if r.is(200); r.text("startDateTime") != c.start || r.text("endDateTime") != c.end {
				t.Errorf("%s to %s, want %s to %s", r.text("startDateTime"), r.text("endDateTime"), c.start, c.end)
			}
		})
	}
}

func TestAnAppForPersonalAccountsHasTwoSecretsAtMost(t *testing.T) {
	x := newBed(t)
	token := x.worker(ownedBy)
	path := byApp(world.AppShop)
	x.post(token, path+"/addPassword", `{}`).is(200)
	x.post(token, path+"/addPassword", `{}`).refused(400, "Request_BadRequest", "You can only add a maximum of 2 encrypted credentials.")
	x.post(token, path+"/removePassword", `{"keyId":"`+x.app(world.AppShop).Secrets[0].KeyID+`"}`).is(204)
	x.post(token, path+"/addPassword", `{}`).is(200)
}

func TestAnObjectHoldsOnlySoMuch(t *testing.T) {
	x := newBed(t)
	x.w.Knobs.Graph.MaxCredentials = 3
	token := x.with(appWrite)
	path := byApp(world.AppReporting) + "/addPassword"
	x.post(token, path, `{}`).is(200)
	x.post(token, path, `{}`).refused(403, "Directory_ResourceSizeExceeded", "exceeded its limit")
}

func TestAPolicyRefusesSecrets(t *testing.T) {
	year := world.Duration(365 * 24 * time.Hour)
	for _, c := range []struct {
		why    string
		policy world.AppManagementPolicy
		body   string
		code   string // "": allowed
	}{
		{"none at all", world.AppManagementPolicy{Default: true, NoSecrets: true}, `{}`, "CredentialTypeNotAllowedAsPerAppPolicy"},
		{"for so long", world.AppManagementPolicy{Default: true, MaxSecretLife: year}, `{}`, "CredentialInvalidLifetimeAsPerAppPolicy"},
		{"for this app", world.AppManagementPolicy{Apps: []string{"0b3b01c9-9b3f-4a51-8436-56805bba4533"}, MaxSecretLife: year}, `{}`, "CredentialInvalidLifetimeAsPerAppPolicy"},
		{"for another app", world.AppManagementPolicy{Apps: []string{"978d58f9-0fde-4d59-9a8a-29971b64983c"}, MaxSecretLife: year}, `{}`, ""},
		{"for shorter ones not", world.AppManagementPolicy{Default: true, MaxSecretLife: year}, `{"passwordCredential":{"endDateTime":"2027-11-01T00:00:00Z"}}`, ""},
		{"for apps that are newer", world.AppManagementPolicy{Default: true, NoSecrets: true, CreatedAfter: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}, `{}`, ""},
		{"when it is on", world.AppManagementPolicy{Default: true, NoSecrets: true, Disabled: true}, `{}`, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			x := newBed(t)
			c.policy.ID, c.policy.TenantID = "538f1913-366a-440a-95a0-e195cb55b282", world.TenantID
			x.w.AppManagementPolicies = []*world.AppManagementPolicy{&c.policy}
			r := x.post(x.with(appWrite), byApp(world.AppBilling)+"/addPassword", c.body)
			if c.code == "" {
				r.is(200)
				return
			}
			r.refused(400, c.code, "as per assigned policy '538f1913-366a-440a-95a0-e195cb55b282'")
		})
	}
}

func TestAServicePrincipalsSecretIsNotTheApplications(t *testing.T) {
	x := newBed(t)
	token := x.with(appWrite)
	sp := "/servicePrincipals(appId='" + world.AppBilling + "')"
	r := x.post(token, sp+"/addPassword", `{}`).is(200)
	if n := len(x.get(token, byApp(world.AppBilling)).is(200).body["passwordCredentials"].([]any)); n != 1 {
		t.Errorf("the application shows %d", n)
	}
	x.post(token, byApp(world.AppBilling)+"/removePassword", `{"keyId":"`+r.text("keyId")+`"}`).refused(400, "Request_BadRequest", "No password credential found")
	x.post(token, sp+"/removePassword", `{"keyId":"`+r.text("keyId")+`"}`).is(204)
}

func TestARemovedSecretIsKeptForSignInWhileRegionsLag(t *testing.T) {
	x := newBed(t)
	x.w.Knobs.Entra.RemovalDelay = world.Duration(time.Minute)
	token := x.with(appWrite)
	a := x.app(world.AppReporting)
	value, id := a.Secrets[0].Value, a.Secrets[0].KeyID
	x.post(token, byApp(world.AppReporting)+"/removePassword", `{"keyId":"`+id+`"}`).is(204)
	if len(a.RemovedSecrets) != 1 || a.RemovedSecrets[0].Value != value || !a.RemovedSecrets[0].Removed.Equal(x.now) || a.ClientSecret != a.Secrets[0].Value {
		t.Errorf("%+v, %s", a.RemovedSecrets, fmt.Sprint(a.ClientSecret == value))
	}
	if got := x.get(token, byApp(world.AppReporting)).names("keyId"); slices.Contains(got, id) {
		t.Error("it is still shown")
	}
	x.now = x.now.Add(time.Minute)
	x.post(token, byApp(world.AppReporting)+"/addPassword", `{}`).is(200)
	if len(a.RemovedSecrets) != 0 {
		t.Error("it is kept for ever")
	}
}

func TestARemovedSecretIsKeptForWhoLooksBack(t *testing.T) {
	x := newBed(t)
	x.w.Knobs.Graph.KeepRemoved = true
	token := x.with(appWrite)
	var gone []string
	for range 2 {
		added := x.post(token, byApp(world.AppBilling)+"/addPassword", `{}`).is(200).text("keyId")
		x.post(token, byApp(world.AppBilling)+"/removePassword", `{"keyId":"`+added+`"}`).is(204)
		x.now = x.now.Add(time.Hour)
		gone = append(gone, added)
	}
	kept := x.app(world.AppBilling).RemovedSecrets
	if len(kept) != 2 || kept[0].KeyID != gone[0] || kept[1].KeyID != gone[1] || kept[0].Removed.IsZero() {
		t.Errorf("kept are %+v, want %v", kept, gone)
	}
	if n := len(keysOf(x.get(token, byApp(world.AppBilling)).is(200))); n != 1 {
		t.Errorf("%d are shown", n)
	}
}
