package keyvault

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

func TestASecretThatIsSetCanBeReadInEveryForm(t *testing.T) {
	b := newBench(t)
	set := b.ok("officer", "PUT", "/secrets/MyName", `{"value":"the-value","contentType":"text/plain","tags":{"a":"b"},"attributes":{"nbf":1,"exp":2}}`)
	id, _ := set.m["id"].(string)
	if !regexp.MustCompile(`^https://kv-one\.vault\.azure\.net/secrets/MyName/[0-9a-f]{32}$`).MatchString(id) {
		t.Fatalf("id %q", id)
	}
	version := id[strings.LastIndex(id, "/")+1:]
	for _, path := range []string{"/secrets/MyName", "/secrets/MyName/", "/secrets/myname", "/secrets/MYNAME/" + version, "/secrets/MyName/" + version + "/"} {
		r := b.ok("officer", "GET", path, "")
		if r.text != set.text {
			t.Errorf("%s:\n%s\nwant\n%s", path, r.text, set.text)
		}
	}
	want := fmt.Sprintf(`{"value":"the-value","contentType":"text/plain","id":"%s","attributes":{"enabled":true,"nbf":1,"exp":2,"created":1793534400,"updated":1793534400,"recoveryLevel":"CustomizedRecoverable+Purgeable","recoverableDays":7},"tags":{"a":"b"}}`, id)
	if set.text != want {
		t.Errorf("got  %s\nwant %s", set.text, want)
	}
}

func TestWhatWasNeverSetIsAbsentAndNotNull(t *testing.T) {
	b := newBench(t)
	r := b.ok("officer", "PUT", "/secrets/a", `{"value":"v","tags":null,"contentType":null,"attributes":null}`)
	if strings.Contains(r.text, "null") || strings.Contains(r.text, "tags") || strings.Contains(r.text, "contentType") || strings.Contains(r.text, "nbf") {
		t.Error(r.text)
	}
	r = b.ok("officer", "PUT", "/secrets/b", `{"value":"v","tags":{}}`)
	if !strings.Contains(r.text, `"tags":{}`) {
		t.Error(r.text)
	}
}

func TestEveryPutIsANewVersionAndInheritsNothing(t *testing.T) {
	b := newBench(t)
	first := b.ok("officer", "PUT", "/secrets/a", `{"value":"one","tags":{"k":"v"},"attributes":{"enabled":false}}`)
	second := b.ok("officer", "PUT", "/secrets/A", `{"value":"one"}`)
	if first.m["id"] == second.m["id"] {
		t.Error("the same version twice")
	}
	if !strings.HasPrefix(second.m["id"].(string), "https://kv-one.vault.azure.net/secrets/a/") {
		t.Errorf("the name's case changed: %s", second.m["id"])
	}
	if strings.Contains(second.text, "tags") || !strings.Contains(second.text, `"enabled":true`) {
		t.Error(second.text)
	}
	if n := len(b.v.Secrets[0].Versions); n != 2 {
		t.Errorf("%d versions", n)
	}
}

func TestPatchChangesOnlyWhatItNamesAndAnswersWithoutTheValue(t *testing.T) {
	b := newBench(t)
	b.ok("officer", "PUT", "/secrets/a", `{"value":"one","contentType":"x","tags":{"k":"v","l":"w"},"attributes":{"exp":9}}`)
	old := b.ok("officer", "GET", "/secrets/a", "").m["id"].(string)
	b.ok("officer", "PUT", "/secrets/a", `{"value":"two","tags":{"n":"m"}}`)
	b.w.Advance(time.Minute)

	r := b.ok("officer", "PATCH", strings.TrimPrefix(old, "https://kv-one.vault.azure.net"), `{"tags":{"only":"this"}}`)
	if r.m["value"] != nil || r.m["contentType"] != "x" || fmt.Sprint(r.m["tags"]) != "map[only:this]" || r.m["id"] != old {
		t.Error(r.text)
	}
	a := r.m["attributes"].(map[string]any)
	if a["exp"] != 9.0 || a["enabled"] != true || a["updated"].(float64)-a["created"].(float64) != 60 {
		t.Error(r.text)
	}
	for _, path := range []string{"/secrets/a", "/secrets/a/"} {
		r := b.ok("officer", "PATCH", path, `{}`)
		if r.m["id"] == old || fmt.Sprint(r.m["tags"]) != "map[n:m]" {
			t.Errorf("%s: %s", path, r.text)
		}
	}
	if r := b.ok("officer", "GET", "/secrets/a", ""); r.m["value"] != "two" {
		t.Error(r.text)
	}
	b.do("officer", "PATCH", "/secrets/a/"+strings.Repeat("0", 32), `{}`).refused(t, 404, "SecretNotFound", "")
	b.do("officer", "PATCH", "/secrets/none", `{}`).refused(t, 404, "SecretNotFound", "")
	b.do("officer", "PATCH", "/secrets/a", ``).refused(t, 400, "BadParameter", "")
}

func TestADisabledVersionIsRefusedAndADatedOneIsNot(t *testing.T) {
	b := newBench(t)
	old := b.ok("officer", "PUT", "/secrets/a", `{"value":"one"}`).m["id"].(string)
	b.ok("officer", "PUT", "/secrets/a", `{"value":"two","attributes":{"enabled":false}}`)
	r := b.do("officer", "GET", "/secrets/a", "")
	r.refused(t, 403, "Forbidden", "SecretDisabled")
	if r.message() != "Operation get is not allowed on a disabled secret." {
		t.Error(r.message())
	}
	b.ok("officer", "GET", strings.TrimPrefix(old, "https://kv-one.vault.azure.net"), "")
	b.ok("officer", "PATCH", "/secrets/a", `{"attributes":{"enabled":true,"exp":5,"nbf":99999999999}}`)
	b.ok("officer", "GET", "/secrets/a", "")
}

func TestBodiesThatAreRefused(t *testing.T) {
	b := newBench(t)
	tags := func(n, key, value int) string {
		var kv []string
		for i := range n {
			kv = append(kv, fmt.Sprintf("%q:%q", fmt.Sprintf("%0*d", key, i), strings.Repeat("v", value)))
		}
		return `{"value":"v","tags":{` + strings.Join(kv, ",") + `}}`
	}
	for _, c := range []struct {
		name, secret, body string
		ok                 bool
	}{
		{"an empty body", "a", "", false},
		{"broken JSON", "a", `{"value":"v"`, false},
		{"no value", "a", `{"tags":{}}`, false},
		{"a null value", "a", `{"value":null}`, false},
		{"a number as value", "a", `{"value":12345678}`, false},
		{"text as a time", "a", `{"value":"v","attributes":{"exp":"tomorrow"}}`, false},
		{"a fraction as a time", "a", `{"value":"v","attributes":{"exp":1.5}}`, false},
		{"a value of 25 KB", "a", `{"value":"` + strings.Repeat("v", 25*1024) + `"}`, true},
		{"a value over 25 KB", "a", `{"value":"` + strings.Repeat("v", 25*1024+1) + `"}`, false},
		{"fifteen tags", "a", tags(15, 2, 1), true},
		{"sixteen tags", "a", tags(16, 2, 1), false},
		{"a tag name and value of 256", "a", tags(1, 256, 256), true},
		{"a tag name of 257", "a", tags(1, 257, 1), false},
		{"a tag value of 257", "a", tags(1, 1, 257), false},
		{"a content type of 256", "a", `{"value":"v","contentType":"` + strings.Repeat("c", 256) + `"}`, false},
		{"a name with an underscore", "a_b", `{"value":"v"}`, false},
		{"a name of 127", strings.Repeat("n", 127), `{"value":"v"}`, true},
		{"a name of 128", strings.Repeat("n", 128), `{"value":"v"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := b.do("officer", "PUT", "/secrets/"+c.secret, c.body)
			if c.ok && r.status != 200 {
				t.Errorf("%d %s", r.status, r.text)
			}
			if !c.ok {
				r.refused(t, 400, "BadParameter", "")
			}
		})
	}
	b.knobs(func(k *world.KeyVaultKnobs) { k.LongTags = true })
	b.ok("officer", "PUT", "/secrets/a", tags(1, 512, 512))
	b.do("officer", "PUT", "/secrets/a", tags(1, 1, 513)).refused(t, 400, "BadParameter", "")
}

func TestARefusedValueIsStillRememberedAndNotRepeated(t *testing.T) {
	b := newBench(t)
	r := b.do("", "PUT", "/secrets/a", `{"value":"sent-without-token"}`)
	r2 := b.do("officer", "PUT", "/secrets/a", `{"value":"sent-with-bad-tags","tags":{"":"x"}}`)
	b.w.Lock()
	defer b.w.Unlock()
	for _, v := range []string{"sent-without-token", "sent-with-bad-tags"} {
		if !slices.Contains(b.w.Secrets(), v) {
			t.Errorf("%s is not remembered", v)
		}
		if strings.Contains(r.text+r2.text, v) {
			t.Errorf("%s is in a refusal", v)
		}
	}
}

func TestRolesAreEnforcedForEveryOperationBeforeExistence(t *testing.T) {
	b := newBench(t)
	b.principal("none", "", "")
	b.principal("user", world.RoleKeyVaultUser, b.v.ResourceID())
	b.principal("reader", world.RoleKeyVaultReader, b.v.ResourceID())
	b.principal("purger", world.RoleKeyVaultPurge, b.v.ResourceID())
	b.principal("owner", world.RoleOwner, "/subscriptions/"+subID)
	b.principal("neighbour", world.RoleKeyVaultOfficer, b.v.ResourceID()+"/secrets/b")

	ops := []struct{ method, target, body, action string }{
		{"PUT", "/secrets/absent", `{"value":"v"}`, "setSecret/action"},
		{"GET", "/secrets/absent", "", "getSecret/action"},
		{"GET", "/secrets/absent/0123", "", "getSecret/action"},
		{"PATCH", "/secrets/absent", `{}`, "update/action"},
		{"DELETE", "/secrets/absent", "", "delete"},
		{"GET", "/secrets", "", "readMetadata/action"},
		{"GET", "/secrets/absent/versions", "", "readMetadata/action"},
		{"GET", "/deletedsecrets", "", "readMetadata/action"},
		{"GET", "/deletedsecrets/absent", "", "readMetadata/action"},
		{"POST", "/deletedsecrets/absent/recover", "", "recover/action"},
		{"DELETE", "/deletedsecrets/absent", "", "purge/action"},
		{"POST", "/secrets/absent/backup", "", "backup/action"},
		{"POST", "/secrets/restore", `{"value":"eA"}`, "restore/action"},
	}
	may := map[string][]string{
		"none":      nil,
		"owner":     nil,
		"neighbour": nil,
		"user":      {"getSecret/action", "readMetadata/action"},
		"reader":    {"readMetadata/action"},
		"purger":    {"purge/action"},
	}
	for as, actions := range may {
		for _, op := range ops {
			r := b.do(as, op.method, op.target, op.body)
			if slices.Contains(actions, op.action) {
				if r.status == 403 {
					t.Errorf("%s may not %s %s: %s", as, op.method, op.target, r.text)
				}
				continue
			}
			r.refused(t, 403, "Forbidden", "ForbiddenByRbac")
		}
	}
	b.do("officer", "GET", "/secrets/absent", "").refused(t, 404, "SecretNotFound", "")
	if r := b.do("neighbour", "PUT", "/secrets/B", `{"value":"v"}`); r.status != 200 {
		t.Errorf("a role at one secret: %d %s", r.status, r.text)
	}
	want := "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid=app-of-user;oid=user;iss=https://sts.windows.net/" + tenantID + "/\r\nAction: 'Microsoft.KeyVault/vaults/secrets/setSecret/action'\r\nResource: '/subscriptions/" + subID + "/resourcegroups/rg/providers/microsoft.keyvault/vaults/kv-one/secrets/n'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: kv-one;location=westeurope\r\n"
	if got := b.do("user", "PUT", "/secrets/n", `{"value":"v"}`).message(); got != want {
		t.Errorf("message\n%q\nwant\n%q", got, want)
	}
}

func TestRolesReachTheVaultOnlyAfterTheDelay(t *testing.T) {
	b := newBench(t)
	b.principal("late", "", "")
	b.w.Lock()
	b.w.Knobs.ARM.RBACDelay = world.Duration(5 * time.Minute)
	a := &world.RoleAssignment{Name: "late", PrincipalID: "late", RoleID: world.RoleKeyVaultReader, Scope: b.v.ResourceID(), Created: b.w.Now()}
	b.w.RoleAssignments = append(b.w.RoleAssignments, a)
	b.w.Unlock()
	b.do("late", "GET", "/secrets", "").refused(t, 403, "Forbidden", "ForbiddenByRbac")
	b.w.Advance(5 * time.Minute)
	b.ok("late", "GET", "/secrets", "")
	b.w.Lock()
	a.Removed = b.w.Now()
	b.w.Unlock()
	b.ok("late", "GET", "/secrets", "")
	b.w.Advance(5 * time.Minute)
	b.do("late", "GET", "/secrets", "").refused(t, 403, "Forbidden", "ForbiddenByRbac")
}

func TestTheTwoLimitsHoldByTheClockOfTheWorld(t *testing.T) {
	b := newBench(t)
	for i := range 300 {
		b.ok("officer", "PUT", fmt.Sprintf("/secrets/s%d", i%7), `{"value":"v"}`)
	}
	r := b.do("officer", "PUT", "/secrets/a", `{"value":"v"}`)
	r.refused(t, 429, "Throttled", "")
	if r.header.Get("Retry-After") != "" {
		t.Error("Retry-After is set")
	}
	b.ok("officer", "GET", "/secrets", "")
	if r := b.at("kv-two.vault.azure.net", "officer", "PUT", "/secrets/a", `{"value":"v"}`); r.status != 200 {
		t.Errorf("the limit is not one of the vault alone: %d %s", r.status, r.text)
	}
	b.w.Advance(10 * time.Second)
	b.ok("officer", "PUT", "/secrets/a", `{"value":"v"}`)
	for range 4000 {
		b.ok("officer", "GET", "/secrets/a", "")
	}
	b.do("officer", "GET", "/secrets/a", "").refused(t, 429, "Throttled", "")
	b.ok("officer", "PUT", "/secrets/a", `{"value":"v"}`)
	used := map[string]int{}
	for _, q := range b.s.Quotas() {
		used[q.Scope] = q.Used
	}
	if used["vault kv-one, new versions"] != 302 || used["vault kv-one, other requests"] != 4001 || used["vault kv-two, new versions"] != 1 {
		t.Errorf("what was refused counts, or a window forgets: %v", used)
	}
	b.knobs(func(k *world.KeyVaultKnobs) { k.Unthrottled = true })
	b.ok("officer", "GET", "/secrets/a", "")
}

func TestCallsAtTheSameTimeLoseNothing(t *testing.T) {
	b := newBench(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				b.do("officer", "PUT", "/secrets/shared", fmt.Sprintf(`{"value":"value-%d-%d"}`, i, j))
				b.do("officer", "GET", "/secrets/shared/versions", "")
			}
		})
	}
	wg.Wait()
	if items, _ := b.walk("/secrets/shared/versions?api-version=7.4"); len(items) != 80 {
		t.Errorf("%d versions, want 80", len(items))
	}
}
