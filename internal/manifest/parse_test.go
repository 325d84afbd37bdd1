package manifest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rekeyhq/rekey/internal/manifest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A checkout on Windows may have turned the line ends.
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), string(got)); diff != "" {
		t.Errorf("%s is not what the program says now; -update writes it (-want +got):\n%s", path, diff)
	}
}

// sound is a manifest without a problem; the tables change one thing of it.
const sound = head + `  prod: {url: "https://kv-pat-prod.vault.azure.net/"}
credentials:
  devops-pat:
    pat:
      account: svc-devops-pat
      organization: contoso
      scopes: [vso.packaging, vso.code]
      adopt: {name: old one}
    lifetime: 30d
    rotateBefore: 5d
    overlap: 1d12h
    store: {vault: prod, secret: devops-pat-token}
    tags: {team: platform, note: ""}
    contentType: text/plain
    check: {probe: projects}
  salt:
    random: {}
    lifetime: 90d
    rotateBefore: 10d
    overlap: 24h
    strategy: replace
    store: {vault: prod, secret: salt}
    enabled: false
`

func mustParse(t *testing.T, src string) *manifest.Manifest {
	t.Helper()
	m, ps := manifest.Parse("rekey.yaml", []byte(src), kinds())
	if len(ps) > 0 {
		t.Fatalf("problems:\n%s", ps)
	}
	return m
}

func TestASoundManifestBecomesValuesWithDefaults(t *testing.T) {
	m := mustParse(t, sound)
	if m.Version != 1 || m.Tenant != "contoso.onmicrosoft.com" || m.Cloud != "public" || m.SweepWindow != time.Hour || m.Schedule != time.Hour {
		t.Errorf("%+v", m)
	}
	if m.Identity.ManagedIdentity == nil || m.Identity.AzureCLI != nil {
		t.Errorf("identity %+v", m.Identity)
	}
	a, ok := m.Account("svc-devops-pat")
	if !ok || a.Secret() != (manifest.SecretRef{Vault: "own", Secret: "svc-devops-pat-msal"}) {
		t.Errorf("account %+v", a)
	}
	for name, host := range map[string]string{"own": "kv-rekey.vault.azure.net", "prod": "kv-pat-prod.vault.azure.net"} {
		if v, ok := m.Vault(name); !ok || v.Host != host {
			t.Errorf("vault %s has host %q, want %q", name, v.Host, host)
		}
	}
	want := []manifest.Credential{
		{
			Name: "devops-pat", Kind: "pat", Lifetime: 30 * 24 * time.Hour, RotateBefore: 5 * 24 * time.Hour, Overlap: 36 * time.Hour,
			Settings: &pat{Account: "svc-devops-pat", Organization: "contoso", Scopes: manifest.Set{"vso.packaging", "vso.code"},
				Adopt: &adopt{Name: "old one"}, Uses: 3},
			Strategy: "replace", Store: manifest.Store{Vault: "prod", Secret: "devops-pat-token"},
			Tags: map[string]string{"team": "platform", "note": ""}, ContentType: "text/plain",
			RollbackAfter: time.Hour, Check: manifest.Check{Probe: "projects"}, Enabled: true,
		},
		{
			Name: "salt", Kind: "random", Lifetime: 90 * 24 * time.Hour, RotateBefore: 10 * 24 * time.Hour, Overlap: 24 * time.Hour,
			Settings: &random{Length: 32}, Strategy: "replace", Store: manifest.Store{Vault: "prod", Secret: "salt"},
			RollbackAfter: time.Hour,
		},
	}
	if diff := cmp.Diff(want, m.Credentials); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	if !(manifest.Set{"b", "a"}).Equal(manifest.Set{"a", "b"}) || (manifest.Set{"a"}).Equal(manifest.Set{"a", "b"}) {
		t.Error("a set is compared by its members")
	}
}

func TestConsumersAreInTheOrderOfTheFileWithTheirKindsCache(t *testing.T) {
	src := changed(t, consumers("z: {hook: {room: hall}}\n      b: {mail: {say: [b, a, b, '']}}\n      a:\n        cache: 2h\n        hook: {room: loft}"))
	want := []manifest.Consumer{
		{Name: "z", Cache: time.Hour, Kind: "hook", Settings: &hook{Room: "hall"}},
		{Name: "b", Kind: "mail", Settings: &mail{Say: manifest.Argv{"b", "a", "b", ""}}},
		{Name: "a", Cache: 2 * time.Hour, Kind: "hook", Settings: &hook{Room: "loft"}},
	}
	if diff := cmp.Diff(want, mustParse(t, string(src)).Credentials[1].Consumers); diff != "" {
		t.Errorf("consumers (-want +got):\n%s", diff)
	}
	if msg := validate(t, src); msg != "" {
		t.Errorf("the schema refuses it: %s", msg)
	}
}

func TestTheSameManifestInOtherClothes(t *testing.T) {
	want := mustParse(t, sound)
	same := map[string]string{
		"with Windows line ends":          strings.ReplaceAll(sound, "\n", "\r\n"),
		"with a byte order mark":          "\ufeff" + sound,
		"with a document marker":          "# hello\n---\n" + sound,
		"without a line end at the end":   strings.TrimSuffix(sound, "\n"),
		"with comments everywhere":        strings.ReplaceAll(sound, "\n", " # why\n  # because\n\n"),
		"with every key in quotes":        quoteKeys(sound),
		"with deeper indentation":         strings.ReplaceAll(sound, "  ", "     "),
		"with the sections in flow style": strings.Replace(sound, "accounts:\n  svc-devops-pat:\n    clientId: 2bfcc342-eb74-4427-832c-db82f28995f4\n    username: svc-devops-pat@contoso.onmicrosoft.com\n    tokenCache: {vault: own, secret: svc-devops-pat-msal}\n", "accounts: {svc-devops-pat: {clientId: 2bfcc342-eb74-4427-832c-db82f28995f4,\n  username: svc-devops-pat@contoso.onmicrosoft.com, tokenCache: {vault: own, secret: svc-devops-pat-msal}}}\n", 1),
		"with lists as dashes":            strings.Replace(sound, "[vso.packaging, vso.code]", "\n      - vso.packaging\n      - 'vso.code'", 1),
		"with brackets closed at the key": strings.Replace(sound, "scopes: [vso.packaging, vso.code]", "scopes: [\n        vso.packaging,\n        vso.code,\n      ]", 1),
		"with the credentials first":      creds() + strings.Replace(sound, creds(), "", 1),
	}
	for name, src := range same {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, mustParse(t, src), cmp.AllowUnexported(manifest.Manifest{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func creds() string { return sound[strings.Index(sound, "credentials:"):] }

func quoteKeys(src string) string {
	lines := strings.Split(src, "\n")
	for i, l := range lines {
		trimmed := strings.TrimLeft(l, " ")
		if key, rest, ok := strings.Cut(trimmed, ":"); ok {
			lines[i] = l[:len(l)-len(trimmed)] + `"` + key + `":` + rest
		}
	}
	return strings.Join(lines, "\n")
}

func TestAWholeManifestMayBeJSON(t *testing.T) {
	m := mustParse(t, `{
"version": 1, "tenant": "contoso.onmicrosoft.com", "identity": {"azureCLI": {}},
"vaults": {"prod": {"name": "kv-pat-prod"}},
"credentials": {
  "salt": {"random": {"length": 20}, "lifetime": "90d", "rotateBefore": "10d", "overlap": "24h", "store": {"vault": "prod", "secret": "salt"}}
}}`)
	if len(m.Credentials) != 1 || m.Credentials[0].Settings.(*random).Length != 20 {
		t.Errorf("%+v", m.Credentials)
	}
}

func TestAnchorsAliasesAndMerges(t *testing.T) {
	m := mustParse(t, strings.Replace(sound, "  salt:\n    random: {}\n", `  first: &defaults
    random: &r {length: 20}
    lifetime: 60d
    rotateBefore: 20d
    overlap: 2d
    store: {vault: prod, secret: first}
  second:
    <<: *defaults
    lifetime: 61d
    store: {vault: prod, secret: second}
  third:
    <<: [{overlap: 3d}, *defaults]
    store: {vault: prod, secret: third}
  salt:
    random: *r
`, 1))
	var got []string
	for _, c := range m.Credentials[1:] {
		got = append(got, fmt.Sprintf("%s %s %s %s %d", c.Name, c.Store.Secret, manifest.FormatDuration(c.Lifetime),
			manifest.FormatDuration(c.Overlap), c.Settings.(*random).Length))
	}
	want := []string{"first first 60d 2d 20", "second second 61d 2d 20", "third third 60d 3d 20", "salt salt 90d 1d 20"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAMergeAmongTheEntriesOfASection(t *testing.T) {
	m := mustParse(t, strings.Replace(sound, "vaults:\n", "vaults:\n  <<: {prod: {name: kv-other}, more: {name: kv-more}}\n", 1))
	prod, _ := m.Vault("prod")
	more, _ := m.Vault("more")
	if prod.Host != "kv-pat-prod.vault.azure.net" || more.Host != "kv-more.vault.azure.net" {
		t.Errorf("%+v", m.Vaults)
	}
}

func TestCloudsHaveTheirOwnVaults(t *testing.T) {
	for cloud, suffix := range map[string]string{"usgov": "vault.usgovcloudapi.net", "china": "vault.azure.cn"} {
		src := strings.Replace(sound, "identity:", "cloud: "+cloud+"\nidentity:", 1)
		m := mustParse(t, strings.Replace(src, "kv-pat-prod.vault.azure.net", "KV-pat-prod."+suffix, 1))
		if v, _ := m.Vault("prod"); v.Host != "kv-pat-prod."+suffix {
			t.Error(v)
		}
		if v, _ := m.Vault("own"); v.Host != "kv-rekey."+suffix {
			t.Error(v)
		}
	}
}

func TestASharedVaultMayBeAccepted(t *testing.T) {
	mustParse(t, strings.Replace(sound, "{vault: own, secret: svc-devops-pat-msal}", "{vault: prod, secret: svc-devops-pat-msal}\n    sharedVault: accepted", 1))
}

func TestTheStarterAndTheExampleAreSound(t *testing.T) {
	example, err := os.ReadFile("../../examples/pat/rekey.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		src      []byte
		warnings string
	}{
		"starter": {manifest.Starter(), ""},
		"example": {example, "rekey.yaml:25:5: warning: accounts.svc-devops-pat.password: a password works only without MFA and is itself not rotated: 'rekey login' and tokenCache do without one\n"},
	} {
		m, ps := manifest.Parse("rekey.yaml", c.src, kinds())
		if m == nil || len(m.Credentials) != 1 {
			t.Fatalf("%s: %+v\n%s", name, m, ps)
		}
		if got := ps.String(); got != c.warnings {
			t.Errorf("%s warns\n%s", name, got)
		}
		if schemaErr := validate(t, c.src); schemaErr != "" {
			t.Errorf("%s against the schema: %s", name, schemaErr)
		}
	}
}

func TestTenThousandCredentials(t *testing.T) {
	src := fleet(10_000)
	m := mustParse(t, string(src))
	if len(m.Credentials) != 10_000 || m.Credentials[9_999].Name != "cred-09999" {
		t.Fatal(len(m.Credentials))
	}
	// One wrong entry among them is found where it is, and hides nothing of the others.
	broken := strings.Replace(string(src), "token-00007", "[", 1)
	broken = strings.Replace(broken, "secret: token-09000", "secret: TOKEN-08990", 1)
	_, ps := manifest.Parse("rekey.yaml", []byte(broken), kinds())
	if len(ps) != 2 || !strings.Contains(ps[0].String(), "credentials") || ps[1].Path != "credentials.cred-09000.store.secret" {
		t.Errorf("%s", ps)
	}
}
