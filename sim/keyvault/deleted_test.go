package keyvault

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const day = 24 * time.Hour

func TestADeletedSecretCanBeSeenRecoveredAndPurged(t *testing.T) {
	b := newBench(t)
	id := b.ok("officer", "PUT", "/secrets/Abc", `{"value":"one","tags":{"k":"v"}}`).m["id"]

	r := b.ok("officer", "DELETE", "/secrets/abc", "")
	if r.m["id"] != id || r.m["recoveryId"] != "https://kv-one.vault.azure.net/deletedsecrets/Abc" || r.m["value"] != nil ||
		r.m["deletedDate"] != 1793534400.0 || r.m["scheduledPurgeDate"] != 1793534400.0+7*86400 {
		t.Error(r.text)
	}
	if got := b.ok("officer", "GET", "/deletedsecrets/Abc", ""); got.text != r.text {
		t.Errorf("%s\nwant %s", got.text, r.text)
	}
	gone := b.do("officer", "GET", "/secrets/Abc", "")
	gone.refused(t, 404, "SecretNotFound", "")
	if want := "A secret with (name/id) Abc was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"; gone.message() != want {
		t.Error(gone.message())
	}
	b.do("officer", "DELETE", "/secrets/Abc", "").refused(t, 404, "SecretNotFound", "")
	b.do("officer", "PATCH", "/secrets/Abc", "{}").refused(t, 404, "SecretNotFound", "")
	b.do("officer", "POST", "/secrets/Abc/backup", "").refused(t, 404, "SecretNotFound", "")
	taken := b.do("officer", "PUT", "/secrets/abc", `{"value":"two"}`)
	taken.refused(t, 409, "Conflict", "ObjectIsDeletedButRecoverable")
	if want := "Secret Abc is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged."; taken.message() != want {
		t.Error(taken.message())
	}

	r = b.ok("officer", "POST", "/deletedsecrets/abc/recover", "")
	if r.m["id"] != id || r.m["value"] != nil || r.m["recoveryId"] != nil {
		t.Error(r.text)
	}
	if got := b.ok("officer", "GET", "/secrets/Abc", ""); got.m["value"] != "one" {
		t.Error(got.text)
	}
	b.do("officer", "POST", "/deletedsecrets/Abc/recover", "").refused(t, 400, "MethodNotAllowed", "")
	b.do("officer", "DELETE", "/deletedsecrets/Abc", "").refused(t, 400, "MethodNotAllowed", "")

	b.ok("officer", "DELETE", "/secrets/Abc", "")
	p := b.do("officer", "DELETE", "/deletedsecrets/Abc", "")
	if p.status != 204 || p.text != "" || p.header.Get("x-ms-request-id") == "" {
		t.Errorf("%d %s %v", p.status, p.text, p.header)
	}
	for _, c := range [][2]string{{"GET", "/deletedsecrets/Abc"}, {"DELETE", "/deletedsecrets/Abc"}, {"POST", "/deletedsecrets/Abc/recover"}} {
		b.do("officer", c[0], c[1], "").refused(t, 404, "SecretNotFound", "")
	}
	if got := b.ok("officer", "PUT", "/secrets/Abc", `{"value":"new"}`); got.m["id"] == id || len(b.v.Secrets) != 1 {
		t.Error(got.text)
	}
}

func TestTheServicePurgesWhenTheRetentionIsOver(t *testing.T) {
	b := newBench(t)
	b.ok("officer", "PUT", "/secrets/a", `{"value":"one"}`)
	b.ok("officer", "DELETE", "/secrets/a", "")
	b.w.Advance(7*day - time.Second)
	b.principal("officer2", world.RoleKeyVaultOfficer, b.v.ResourceID())
	b.ok("officer2", "GET", "/deletedsecrets/a", "")
	b.w.Advance(time.Second)
	if r := b.ok("officer2", "GET", "/deletedsecrets", ""); len(r.m["value"].([]any)) != 0 {
		t.Error(r.text)
	}
	b.do("officer2", "POST", "/deletedsecrets/a/recover", "").refused(t, 404, "SecretNotFound", "")
	b.ok("officer2", "PUT", "/secrets/a", `{"value":"two"}`)
	if n := len(b.v.Secrets); n != 1 {
		t.Errorf("%d secrets", n)
	}
}

func TestPurgeProtectionRefusesAPurge(t *testing.T) {
	b := newBench(t)
	at := func(method, target, body string) reply {
		return b.at("kv-two.vault.azure.net", "officer", method, target, body)
	}
	r := at("PUT", "/secrets/a", `{"value":"v"}`)
	if a := r.m["attributes"].(map[string]any); a["recoveryLevel"] != "Recoverable" || a["recoverableDays"] != 90.0 {
		t.Error(r.text)
	}
	at("DELETE", "/secrets/a", "")
	r = at("DELETE", "/deletedsecrets/a", "")
	r.refused(t, 403, "Forbidden", "")
	if !strings.HasPrefix(r.message(), `Operation "purge" is not allowed because purge protection is enabled for this vault.`) {
		t.Error(r.message())
	}
	if r := at("GET", "/deletedsecrets/a", ""); r.status != 200 {
		t.Error(r.text)
	}
}

func TestRecoveryLevels(t *testing.T) {
	for _, c := range []struct {
		days    int
		protect bool
		want    string
	}{
		{0, false, "Recoverable+Purgeable"}, {90, false, "Recoverable+Purgeable"}, {90, true, "Recoverable"},
		{89, false, "CustomizedRecoverable+Purgeable"}, {7, true, "CustomizedRecoverable"},
	} {
		if got := recoveryLevel(&world.Vault{SoftDeleteDays: c.days, PurgeProtection: c.protect}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestADeleteAndARecoverTakeTheirTimeWhenTheKnobsSaySo(t *testing.T) {
	b := newBench(t)
	b.knobs(func(k *world.KeyVaultKnobs) {
		k.DeleteTakes, k.RecoverTakes = world.Duration(20*time.Second), world.Duration(30*time.Second)
	})
	b.ok("officer", "PUT", "/secrets/a", `{"value":"one"}`)
	listed := func(path string) int { return len(b.ok("officer", "GET", path, "").m["value"].([]any)) }

	b.ok("officer", "DELETE", "/secrets/a", "")
	b.do("officer", "GET", "/secrets/a", "").refused(t, 404, "SecretNotFound", "")
	r := b.do("officer", "GET", "/deletedsecrets/a", "")
	r.refused(t, 404, "SecretNotFound", "")
	if r.message() != "Deleted Secret not found: a" {
		t.Error(r.message())
	}
	if listed("/secrets") != 0 || listed("/deletedsecrets") != 0 || listed("/secrets/a/versions") != 0 {
		t.Error("a secret that is being deleted is listed")
	}
	b.do("officer", "PUT", "/secrets/a", `{"value":"two"}`).refused(t, 409, "Conflict", "ObjectIsBeingDeleted")
	b.do("officer", "POST", "/deletedsecrets/a/recover", "").refused(t, 409, "Conflict", "ObjectIsBeingDeleted")
	b.do("officer", "DELETE", "/deletedsecrets/a", "").refused(t, 409, "Conflict", "ObjectIsBeingDeleted")

	b.w.Advance(20 * time.Second)
	b.ok("officer", "GET", "/deletedsecrets/a", "")
	if listed("/deletedsecrets") != 1 {
		t.Error("a deleted secret is not listed")
	}
	b.do("officer", "PUT", "/secrets/a", `{"value":"two"}`).refused(t, 409, "Conflict", "ObjectIsDeletedButRecoverable")

	b.ok("officer", "POST", "/deletedsecrets/a/recover", "")
	b.do("officer", "GET", "/secrets/a", "").refused(t, 404, "SecretNotFound", "")
	b.do("officer", "GET", "/deletedsecrets/a", "").refused(t, 404, "SecretNotFound", "")
	put := b.do("officer", "PUT", "/secrets/a", `{"value":"two"}`)
	put.refused(t, 409, "Conflict", "ObjectIsBeingRecovered")
	if put.message() != "Secret a is currently being recovered and cannot be re-created; retry later." {
		t.Error(put.message())
	}
	b.do("officer", "DELETE", "/secrets/a", "").refused(t, 409, "Conflict", "ObjectIsBeingRecovered")
	b.do("officer", "DELETE", "/deletedsecrets/a", "").refused(t, 409, "Conflict", "ObjectIsBeingRecovered")
	if listed("/secrets") != 0 {
		t.Error("a secret that is being recovered is listed")
	}
	b.w.Advance(30 * time.Second)
	if r := b.ok("officer", "GET", "/secrets/a", ""); r.m["value"] != "one" || listed("/secrets") != 1 {
		t.Error(r.text)
	}
}

func TestABackupBringsAllVersionsBack(t *testing.T) {
	b := newBench(t)
	first := b.ok("officer", "PUT", "/secrets/a", `{"value":"value-one","tags":{"n":"1"}}`).m["id"].(string)
	last := b.ok("officer", "PUT", "/secrets/a", `{"value":"value-two","tags":{"n":"2"}}`).m["id"].(string)
	blob := b.ok("officer", "POST", "/secrets/a/backup", "").m["value"].(string)
	raw, err := base64.RawURLEncoding.DecodeString(blob)
	if err != nil || strings.Contains(string(raw), "value-") || !strings.Contains(string(raw), world.Canary) {
		t.Errorf("blob %q: %v", raw, err)
	}
	restore := `{"value":"` + blob + `"}`

	live := b.do("officer", "POST", "/secrets/restore", restore)
	live.refused(t, 409, "Conflict", "")
	b.ok("officer", "PATCH", "/secrets/a", `{"tags":{"n":"changed"}}`)
	b.ok("officer", "DELETE", "/secrets/a", "")
	b.do("officer", "POST", "/secrets/restore", restore).refused(t, 409, "Conflict", "ObjectIsDeletedButRecoverable")
	b.do("officer", "DELETE", "/deletedsecrets/a", "")

	r := b.ok("officer", "POST", "/secrets/restore", restore)
	if r.m["id"] != last || r.m["value"] != nil || r.m["tags"].(map[string]any)["n"] != "2" {
		t.Error(r.text)
	}
	if r := b.ok("officer", "GET", strings.TrimPrefix(first, "https://kv-one.vault.azure.net"), ""); r.m["value"] != "value-one" {
		t.Error(r.text)
	}
	if r := b.at("kv-two.vault.azure.net", "officer", "POST", "/secrets/restore", restore); r.status != 200 {
		t.Errorf("into another vault of the subscription: %d %s", r.status, r.text)
	}
	b.w.Vaults[1].SubscriptionID = otherID
	b.w.RoleAssignments[1].Scope = b.w.Vaults[1].ResourceID()
	b.at("kv-two.vault.azure.net", "officer", "POST", "/secrets/restore", restore).refused(t, 400, "BadParameter", "")
	b.do("officer", "POST", "/secrets/restore", `{"value":"bm90IGEgYmFja3Vw"}`).refused(t, 400, "BadParameter", "")
	b.do("officer", "POST", "/secrets/restore", `{}`).refused(t, 400, "BadParameter", "")
}

func TestABackupHoldsAtMost500Versions(t *testing.T) {
	b := newBench(t)
	b.ok("officer", "PUT", "/secrets/a", `{"value":"v"}`)
	s := b.v.Secrets[0]
	for len(s.Versions) < 501 {
		s.Versions = append(s.Versions, &world.SecretVersion{ID: b.w.NewVersion()})
	}
	b.do("officer", "POST", "/secrets/a/backup", "").refused(t, 400, "BadParameter", "")
	s.Versions = s.Versions[:500]
	b.ok("officer", "POST", "/secrets/a/backup", "")
}
