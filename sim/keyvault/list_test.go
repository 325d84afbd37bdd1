package keyvault

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// walk follows a list to its end and gives the items and the number of pages.
func (b *bench) walk(target string) (items []map[string]any, pages int) {
	b.t.Helper()
	for {
		r := b.ok("officer", "GET", target, "")
		pages++
		for _, v := range r.m["value"].([]any) {
			items = append(items, v.(map[string]any))
		}
		next, there := r.m["nextLink"]
		if !there {
			b.t.Fatalf("no nextLink in %s", r.text)
		}
		if next == nil {
			return items, pages
		}
		const prefix = "https://kv-one.vault.azure.net:443/"
		if !strings.HasPrefix(next.(string), prefix) || !strings.Contains(next.(string), "&$skiptoken=") {
			b.t.Fatalf("nextLink %q", next)
		}
		target = "/" + strings.TrimPrefix(next.(string), prefix)
		if pages > 1000 {
			b.t.Fatal("the list does not end")
		}
	}
}

func names(items []map[string]any) []string {
	var out []string
	for _, i := range items {
		out = append(out, strings.TrimPrefix(i["id"].(string), "https://kv-one.vault.azure.net/secrets/"))
	}
	return out
}

// seed puts n secrets into the vault's state, as a world file would.
func (b *bench) seed(n int) {
	b.w.Lock()
	defer b.w.Unlock()
	for i := range n {
		b.v.Secrets = append(b.v.Secrets, &world.Secret{Name: fmt.Sprintf("s%05d", (i*7919)%n), Versions: []*world.SecretVersion{
			{ID: b.w.NewVersion(), Value: "seeded-value", Created: b.w.Now(), Updated: b.w.Now()},
		}})
	}
}

func TestPagesHold25AndTogetherEverythingOnce(t *testing.T) {
	for _, c := range []struct {
		n, pages int
		query    string
	}{
		{0, 1, ""}, {1, 1, ""}, {25, 1, ""}, {26, 2, ""}, {60, 3, ""}, {7, 3, "&maxresults=3"}, {6, 2, "&maxresults=3"},
	} {
		t.Run(fmt.Sprintf("%d secrets%s", c.n, c.query), func(t *testing.T) {
			b := newBench(t)
			b.seed(c.n)
			items, pages := b.walk("/secrets?api-version=7.5" + c.query)
			got := names(items)
			if len(got) != c.n || len(slices.Compact(got)) != c.n || pages != c.pages {
				t.Errorf("%d items in %d pages: %v", len(items), pages, got)
			}
			for _, i := range items {
				if i["value"] != nil {
					t.Fatalf("a list carries a value: %v", i)
				}
			}
		})
	}
}

func TestAPageSizeOrTokenThatMakesNoSenseIsRefused(t *testing.T) {
	b := newBench(t)
	for _, q := range []string{"maxresults=0", "maxresults=26", "maxresults=x", "$skiptoken=!", "$skiptoken=e30"} {
		b.do("officer", "GET", "/secrets?api-version=7.4&"+q, "").refused(t, 400, "BadParameter", "")
	}
}

func TestTheNextLinkCarriesTheVersionOfTheCallerAndItsPageSize(t *testing.T) {
	b := newBench(t)
	b.seed(3)
	r := b.ok("officer", "GET", "/secrets?api%2Dversion=2026-04-01&maxresults=2", "")
	next := r.m["nextLink"].(string)
	if !strings.HasPrefix(next, "https://kv-one.vault.azure.net:443/secrets?api-version=2026-04-01&$skiptoken=") || !strings.HasSuffix(next, "&maxresults=2") {
		t.Error(next)
	}
}

func TestAListOfSecretsShowsTheNewestVersionWithoutNamingIt(t *testing.T) {
	b := newBench(t)
	b.ok("officer", "PUT", "/secrets/Abc", `{"value":"one","contentType":"x","tags":{"n":"1"}}`)
	b.ok("officer", "PUT", "/secrets/Abc", `{"value":"two","tags":{"n":"2"},"attributes":{"enabled":false,"exp":5}}`)
	r := b.ok("officer", "GET", "/secrets", "")
	want := `{"value":[{"id":"https://kv-one.vault.azure.net/secrets/Abc","attributes":{"enabled":false,"exp":5,"created":1793534400,"updated":1793534400,"recoveryLevel":"CustomizedRecoverable+Purgeable","recoverableDays":7},"tags":{"n":"2"}}],"nextLink":null}`
	if r.text != want {
		t.Errorf("got  %s\nwant %s", r.text, want)
	}
}

func TestVersionsAreAllListedInAnOrderThatIsNotThatOfTime(t *testing.T) {
	b := newBench(t)
	var put []string
	for range 60 {
		r := b.ok("officer", "PUT", "/secrets/a", `{"value":"v"}`)
		put = append(put, strings.TrimPrefix(r.m["id"].(string), "https://kv-one.vault.azure.net/secrets/"))
		b.w.Advance(time.Second)
	}
	items, pages := b.walk("/secrets/a/versions?api-version=7.4")
	got := names(items)
	if pages != 3 || slices.Equal(got, put) || got[0] == put[len(put)-1] {
		t.Errorf("%d pages, in the order of time or the newest first: %v", pages, got)
	}
	slices.Sort(got)
	slices.Sort(put)
	if !slices.Equal(got, put) {
		t.Errorf("got %v, want %v", got, put)
	}
}

func TestVersionsOfAnAbsentSecretAreAnEmptyList(t *testing.T) {
	b := newBench(t)
	if r := b.ok("officer", "GET", "/secrets/none/versions", ""); r.text != `{"value":[],"nextLink":null}` {
		t.Error(r.text)
	}
}

func TestDeletedSecretsAreListedWithoutVersionAndValue(t *testing.T) {
	b := newBench(t)
	b.seed(30)
	for i := range 30 {
		b.ok("officer", "DELETE", fmt.Sprintf("/secrets/s%05d", i), "")
	}
	items, pages := b.walk("/deletedsecrets?api-version=7.4")
	if len(items) != 30 || pages != 2 {
		t.Fatalf("%d items in %d pages", len(items), pages)
	}
	if i := items[0]; i["id"] != "https://kv-one.vault.azure.net/secrets/s00000" || i["recoveryId"] != "https://kv-one.vault.azure.net/deletedsecrets/s00000" || i["deletedDate"] == nil || i["scheduledPurgeDate"] == nil || i["value"] != nil {
		t.Error(i)
	}
	if items, _ := b.walk("/secrets?api-version=7.4"); len(items) != 0 {
		t.Error(items)
	}
}

func TestSecretsThatComeAndGoBetweenPagesMoveNothing(t *testing.T) {
	b := newBench(t)
	b.seed(30)
	r := b.ok("officer", "GET", "/secrets?api-version=7.4&maxresults=10", "")
	b.ok("officer", "DELETE", "/secrets/s00003", "")
	b.do("officer", "DELETE", "/deletedsecrets/s00003", "")
	b.ok("officer", "PUT", "/secrets/a-first", `{"value":"v"}`)
	items, _ := b.walk(strings.TrimPrefix(r.m["nextLink"].(string), "https://kv-one.vault.azure.net:443"))
	if got := names(items); len(got) != 20 || got[0] != "s00010" {
		t.Error(got)
	}
}

func TestTheLastPageIsEmptyWhenTheKnobSaysSo(t *testing.T) {
	b := newBench(t)
	b.seed(30)
	b.knobs(func(k *world.KeyVaultKnobs) { k.EmptyLastPage = true })
	if items, pages := b.walk("/secrets?api-version=7.4"); len(items) != 30 || pages != 3 {
		t.Errorf("%d items in %d pages", len(items), pages)
	}
}

func TestListsLagWhenTheKnobSaysSoAndReadsByNameDoNot(t *testing.T) {
	b := newBench(t)
	b.knobs(func(k *world.KeyVaultKnobs) { k.ListLag = world.Duration(time.Minute) })
	list := func(path string) string {
		b.t.Helper()
		var out []string
		items, _ := b.walk(path + "?api-version=7.4")
		for _, i := range items {
			out = append(out, fmt.Sprint(i["tags"]))
		}
		return strings.Join(out, " ")
	}
	want := func(path, want string) {
		t.Helper()
		if got := list(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	b.ok("officer", "PUT", "/secrets/a", `{"value":"one","tags":{"n":"1"}}`)
	b.ok("officer", "GET", "/secrets/a", "")
	want("/secrets", "")
	want("/secrets/a/versions", "")
	b.w.Advance(time.Minute)
	want("/secrets", "map[n:1]")

	b.ok("officer", "PATCH", "/secrets/a", `{"tags":{"n":"patched"}}`)
	want("/secrets", "map[n:1]")
	b.w.Advance(time.Minute)
	want("/secrets", "map[n:patched]")

	b.ok("officer", "PUT", "/secrets/a", `{"value":"two","tags":{"n":"2"}}`)
	want("/secrets", "map[n:patched]")
	want("/secrets/a/versions", "map[n:patched]")
	b.w.Advance(time.Minute)
	want("/secrets", "map[n:2]")

	b.ok("officer", "DELETE", "/secrets/a", "")
	want("/secrets", "map[n:2]")
	want("/deletedsecrets", "")
	b.w.Advance(time.Minute)
	want("/secrets", "")
	want("/deletedsecrets", "map[n:2]")
	b.ok("officer", "POST", "/deletedsecrets/a/recover", "")
	want("/secrets", "")
	b.w.Advance(time.Minute)
	want("/secrets", "map[n:2]")
}

func TestAWorldThatAnotherHandChangesIsSeen(t *testing.T) {
	b := newBench(t)
	b.seed(2)
	b.ok("officer", "GET", "/secrets/s00000", "")
	b.w.Lock()
	b.v.Secrets = append(b.v.Secrets, &world.Secret{Name: "added", Versions: []*world.SecretVersion{{ID: "00", Value: "by-hand"}}})
	b.w.Unlock()
	if r := b.ok("officer", "GET", "/secrets/added", ""); r.m["value"] != "by-hand" {
		t.Error(r.text)
	}
	b.w.Lock()
	b.v.Secrets = b.v.Secrets[:1]
	b.w.Unlock()
	if items, _ := b.walk("/secrets?api-version=7.4"); len(items) != 1 {
		t.Error(names(items))
	}
}

func TestTenThousandSecretsAreAllListed(t *testing.T) {
	b := newBench(t)
	b.seed(10_000)
	items, pages := b.walk("/secrets?api-version=7.4")
	if len(items) != 10_000 || pages != 400 {
		t.Errorf("%d items in %d pages", len(items), pages)
	}
}

func BenchmarkListing10000Secrets(b *testing.B) {
	x := newBench(b)
	x.seed(10_000)
	x.knobs(func(k *world.KeyVaultKnobs) { k.Unthrottled = true })
	for b.Loop() {
		x.walk("/secrets?api-version=7.4")
	}
}

func TestASecretOfTheWorldWithoutVersionsIsNoSecret(t *testing.T) {
	b := newBench(t)
	b.v.Secrets = []*world.Secret{{Name: "empty"}}
	b.do("officer", "GET", "/secrets/empty", "").refused(t, 404, "SecretNotFound", "")
	if items, _ := b.walk("/secrets?api-version=7.4"); len(items) != 0 {
		t.Error(names(items))
	}
	b.ok("officer", "PUT", "/secrets/empty", `{"value":"v"}`)
	b.ok("officer", "GET", "/secrets/empty", "")
}
