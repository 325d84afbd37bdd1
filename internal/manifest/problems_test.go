package manifest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// edit replaces the first old in the sound manifest by new.
type edit struct{ old, new string }

var bad = []struct {
	name  string
	edits []edit
}{
	{"a misspelt key of a credential", []edit{{"    lifetime: 30d", "    lifetme: 30d"}}},
	{"a misspelt key at the top", []edit{{"tenant:", "tennant:"}}},
	{"a misspelt kind", []edit{{"    pat:\n", "    pta:\n"}}},
	{"a misspelt key of a kind", []edit{{"organization:", "organisation:"}}},
	{"a key that resembles nothing", []edit{{"tenant:", "colour: blue\ntenant:"}}},
	{"a key in the wrong case", []edit{{"    rotateBefore: 5d", "    rotatebefore: 5d"}}},
	{"an unknown scope, the second one", []edit{{"vso.packaging, vso.code]", "vso.packaging, vso.cod]"}}},
	{"the same scope twice", []edit{{"vso.packaging, vso.code]", "vso.code, vso.code]"}}},
	{"no scopes", []edit{{"[vso.packaging, vso.code]", "[]"}}},
	{"a text where a list belongs", []edit{{"[vso.packaging, vso.code]", "vso.code"}}},
	{"a number in a list of texts", []edit{{"vso.packaging, vso.code]", "vso.packaging, 7]"}}},
	{"a list where a text belongs", []edit{{"organization: contoso", "organization: [contoso]"}}},
	{"a number where a text belongs", []edit{{"organization: contoso", "organization: 1234"}}},
	{"a boolean where a text belongs", []edit{{"secret: salt", "secret: true"}}},
	{"a text where a boolean belongs", []edit{{"enabled: false", "enabled: no"}}},
	{"a text where a number belongs", []edit{{"version: 1", "version: one"}}},
	{"a fraction where a number belongs", []edit{{"random: {}", "random: {length: 20.5}"}}},
	{"another version", []edit{{"version: 1", "version: 2"}}},
	{"what the kind itself refuses", []edit{{"random: {}", "random: {length: 3}"}}},
	{"a kind that warns", []edit{{"lifetime: 30d", "strategy: extend\n    lifetime: 30d"}}},
	{"a password where its place belongs is not repeated", []edit{{"tokenCache: {vault: own, secret: svc-devops-pat-msal}", "password: hunter2-and-more"}}},
	{"a password where its name belongs is not repeated", []edit{{"tokenCache: {vault: own, secret: svc-devops-pat-msal}", "password: {vault: own, secret: 'hunter2!?'}"}}},
	{"everything required is missing", []edit{{sound, "cloud: public\n"}}},
	{"a credential with nothing in it", []edit{{"  salt:\n", "  empty:\n  salt:\n"}}},
	{"a credential with an empty mapping", []edit{{"  salt:\n", "  empty: {}\n  salt:\n"}}},
	{"a credential that is a text", []edit{{"  salt:\n", "  text: hello\n  salt:\n"}}},
	{"a section that is empty", []edit{{creds(), "credentials:\n"}}},
	{"a section that is a list", []edit{{creds(), "credentials:\n- devops-pat\n- salt\n"}}},
	{"two kinds", []edit{{"    lifetime: 30d", "    random: {}\n    lifetime: 30d"}}},
	{"an identity with nothing", []edit{{"{managedIdentity: {}}", "{}"}}},
	{"an identity without its braces", []edit{{"{managedIdentity: {}}", "\n  azureCLI:"}}},
	{"two identities", []edit{{"{managedIdentity: {}}", "{managedIdentity: {}, azureCLI: {}}"}}},
	{"a managed identity named twice", []edit{{"managedIdentity: {}", "managedIdentity: {clientId: eb2ab58c-d382-4db6-b2ab-33b55dd51529, resourceId: /subscriptions/eb2ab58c-d382-4db6-b2ab-33b55dd51529/resourceGroups/a/providers/Microsoft.ManagedIdentity/userAssignedIdentities/b}"}}},
	{"a client secret", []edit{{"managedIdentity: {}", "clientSecret: {clientId: eb2ab58c-d382-4db6-b2ab-33b55dd51529, env: REKEY_SECRET}"}}},
	{"a client secret from nowhere", []edit{{"managedIdentity: {}", "clientSecret: {clientId: eb2ab58c-d382-4db6-b2ab-33b55dd51529}"}}},
	{"a client id that is none", []edit{{"2bfcc342-eb74-4427-832c-db82f28995f4", "2bfcc342"}}},
	{"a tenant that is none", []edit{{"tenant: contoso.onmicrosoft.com", "tenant: contoso"}}},
	{"a cloud that is none", []edit{{"identity:", "cloud: pubic\nidentity:"}}},
	{"a user without a domain", []edit{{"username: svc-devops-pat@contoso.onmicrosoft.com", "username: svc-devops-pat"}}},
	{"a bad name of a credential", []edit{{"  salt:", "  Salt_1:"}}},
	{"a name of 41 characters", []edit{{"  salt:", "  " + strings.Repeat("a", 41) + ":"}}},
	{"a vault name that Azure refuses", []edit{{"{name: kv-rekey}", "{name: kv--rekey}"}}},
	{"a vault name that is too long", []edit{{"{name: kv-rekey}", "{name: kv-rekey-and-then-some-more}"}}},
	{"a secret name that Key Vault refuses", []edit{{"secret: salt", "secret: my_salt"}}},
	{"a vault by name and address", []edit{{"{name: kv-rekey}", "{name: kv-rekey, url: 'https://kv-rekey.vault.azure.net'}"}}},
	{"a vault of another cloud", []edit{{"kv-pat-prod.vault.azure.net", "kv-pat-prod.vault.azure.cn"}}},
	{"a vault without TLS", []edit{{"https://kv-pat-prod", "http://kv-pat-prod"}}},
	{"a vault's address with a password in it", []edit{{"https://kv-pat-prod.vault", "https://a:b@kv-pat-prod.vault"}}},
	{"an account that is not there", []edit{{"account: svc-devops-pat", "account: svc-devop-pat"}}},
	{"a vault that is not there", []edit{{"vault: prod, secret: salt", "vault: prd, secret: salt"}}},
	{"two credentials in one secret, whatever the case", []edit{{"secret: salt", "secret: DevOps-PAT-Token"}}},
	{"two credentials in one secret through two names of one vault", []edit{{"vaults:\n", "vaults:\n  again: {name: KV-PAT-PROD}\n"}, {"vault: prod, secret: salt", "vault: again, secret: devops-pat-token"}}},
	{"an account's secret in a vault that consumers read", []edit{{"{vault: own, secret: svc", "{vault: prod, secret: svc"}}},
	{"an account's secret that a credential overwrites", []edit{{"{vault: own, secret: svc-devops-pat-msal}", "{vault: prod, secret: salt}\n    sharedVault: accepted"}}},
	{"a shared vault that is neither accepted nor left out", []edit{{"secret: svc-devops-pat-msal}", "secret: svc-devops-pat-msal}\n    sharedVault: yes"}}},
	{"both a token cache and a password", []edit{{"secret: svc-devops-pat-msal}", "secret: svc-devops-pat-msal}\n    password: {vault: own, secret: p}"}}},
	{"neither a token cache nor a password", []edit{{"    tokenCache: {vault: own, secret: svc-devops-pat-msal}\n", ""}}},
	{"a password", []edit{{"tokenCache:", "password:"}}},
	{"an overlap longer than rotateBefore", []edit{{"overlap: 1d12h", "overlap: 6d"}}},
	{"rotateBefore as long as the lifetime", []edit{{"rotateBefore: 5d", "rotateBefore: 30d"}}},
	{"a lifetime of more than a year", []edit{{"lifetime: 90d", "lifetime: 366d"}}},
	{"an overlap of more than a third of the lifetime", []edit{{"lifetime: 30d", "lifetime: 4d"}, {"rotateBefore: 5d", "rotateBefore: 3d"}}},
	{"a schedule that is too sparse", []edit{{"schedule: 1h", "schedule: 19h"}}},
	{"a ledger without a folder", []edit{{"ledger: ./ledger", "ledger: {key: {file: ledger.key}}"}}},
	{"a ledger in two homes", []edit{{"ledger: ./ledger", "ledger: {folder: ./ledger, blob: 'https://stcontoso.blob.core.windows.net/ledger'}"}}},
	{"a ledger in a place that is no container", []edit{{"ledger: ./ledger", "ledger: {blob: 'https://stcontoso.blob.core.windows.net'}"}}},
	{"a ledger at an address with a signature", []edit{{"ledger: ./ledger", "ledger: {blob: 'https://stcontoso.blob.core.windows.net/ledger?sv=2022-11-02&sig=abc'}"}}},
	{"events without a ledger", []edit{{"ledger: ./ledger", "events: {local: {lines: {file: events.jsonl}}}"}}},
	{"events that go nowhere", []edit{{"ledger: ./ledger", "ledger: ./ledger\nevents: {siem: {}}"}}},
	{"events that go to two places at once", []edit{{"ledger: ./ledger", "ledger: ./ledger\nevents: {siem: {lines: {file: a, stdout: true}}}"}}},
	{"events to Azure Monitor with words in place of ids", []edit{{"ledger: ./ledger", "ledger: ./ledger\nevents: {siem: {monitor: {endpoint: 'https://dce.example.com/x', rule: my-rule, stream: Events}}}"}}},
	{"events in the clear, with a password", []edit{{"ledger: ./ledger", "ledger: ./ledger\nevents: {siem: {webhook: {url: 'http://u:p@siem.example.com', signingKey: {vault: own, secret: k}, timeout: 3m}}}"}}},
	{"a ledger's key in two places", []edit{{"ledger: ./ledger", "ledger: {folder: ./ledger, key: {file: ledger.key, env: LEDGER_KEY}}"}}},
	{"a ledger's key nowhere", []edit{{"ledger: ./ledger", "ledger: {folder: ./ledger, key: {}}"}}},
	{"a ledger's key where its place belongs", []edit{{"ledger: ./ledger", "ledger: {folder: ./ledger, key: PRIVATE+KEY+prod+12345678+AAAA}"}}},
	{"a ledger's key where its file belongs", []edit{{"ledger: ./ledger", "ledger: {folder: ./ledger, key: {file: PRIVATE+KEY+prod+12345678+AAAA}}"}}},
	{"a ledger's key in a vault", []edit{{"ledger: ./ledger", "ledger: {folder: ./ledger, key: {vault: own, secret: ledger-key}}"}}},
	{"a ledger that is a list", []edit{{"ledger: ./ledger", "ledger: [./ledger]"}}},
	{"a ledger that is a number", []edit{{"ledger: ./ledger", "ledger: 7"}}},
	{"a sweep window that is too short", []edit{{"ledger:", "sweepWindow: 29m\nledger:"}}},
	{"a duration without its unit", []edit{{"lifetime: 30d", "lifetime: 30"}}},
	{"a duration with a fraction", []edit{{"lifetime: 30d", "lifetime: 1.5d"}}},
	{"a duration of nothing", []edit{{"lifetime: 30d", "lifetime: 0d"}}},
	{"a negative duration", []edit{{"lifetime: 30d", "lifetime: -30d"}}},
	{"a duration in weeks", []edit{{"lifetime: 30d", "lifetime: 4w"}}},
	{"a duration in seconds", []edit{{"overlap: 1d12h", "overlap: 90s"}}},
	{"a duration in words", []edit{{"lifetime: 30d", "lifetime: 30 days"}}},
	{"a duration in capitals", []edit{{"lifetime: 30d", "lifetime: 30D"}}},
	{"a duration past all bounds", []edit{{"lifetime: 30d", "lifetime: 99999999999999999999d"}}},
	{"a strategy that is none", []edit{{"strategy: replace", "strategy: replce"}}},
	{"the tag that is Rekey's", []edit{{"{team: platform", "{Rekey: mine, team: platform"}}},
	{"fifteen tags", []edit{{"{team: platform", "{team: platform, t1: a, t2: a, t3: a, t4: a, t5: a, t6: a, t7: a, t8: a, t9: a, t10: a, t11: a, t12: a, t13: a"}}},
	{"a tag that is a number", []edit{{"team: platform", "cost: 123"}}},
	{"a probe that the kind does not have", []edit{{"probe: projects", "probe: project"}}},
	{"a probe for a kind that has none", []edit{{"random: {}", "random: {}\n    check: {probe: x}"}}},
	{"a reserved name of a secret", []edit{{"secret: salt", "secret: salt--pending"}}},
	{"an adoption by id and name", []edit{{"{name: old one}", "{name: old one, id: eb2ab58c-d382-4db6-b2ab-33b55dd51529}"}}},
	{"a consumer of no kind", consumers("c: {cache: 1h}")},
	{"a consumer of two kinds", consumers("c: {mail: {}, hook: {room: hall}}")},
	{"a misspelt kind of consumer", consumers("c: {hok: {room: hall}}")},
	{"a kind of issuer where a consumer belongs", consumers("c: {random: {}}")},
	{"a kind of consumer where an issuer belongs", []edit{{"random: {}", "hook: {room: hall}"}}},
	{"a bad name of a consumer", consumers("C_1: {mail: {}}")},
	{"consumers in a list", consumers("- mail")},
	{"a consumer that its kind refuses", consumers("c: {hook: {room: cellar}}")},
	{"a program that is a text", consumers("c: {mail: {say: /bin/write -x}}")},
	{"a program without a name", consumers("c: {mail: {say: ['', x]}}")},
	{"a program that is nothing", consumers("c: {mail: {say: []}}")},
	{"a program with a number", consumers("c: {mail: {say: [write, 7]}}")},
	{"a consumer that keeps the value where its credential is kept", consumers("c: {drawer: {in: {vault: prod, secret: SALT}}}")},
	{"a consumer that keeps the value where another credential is kept", consumers("c: {drawer: {in: {vault: prod, secret: devops-pat-token}}}")},
	{"two consumers that keep values in one secret", consumers("c: {drawer: {in: {vault: prod, secret: s}}}\n      d: {drawer: {in: {vault: prod, secret: S}}}")},
	{"a consumer that keeps the value where an account's password is", consumers("c: {drawer: {in: {vault: own, secret: svc-devops-pat-msal}}}")},
	{"a consumer that keeps the value under a reserved name", consumers("c: {drawer: {in: {vault: prod, secret: s--pending}}}")},
	{"a consumer that its kind warns of", consumers("c: {hook: {room: attic}}")},
	{"a consumer without what its kind requires", consumers("c: {hook: {}}")},
	{"a cache that the overlap does not cover", consumers("c: {hook: {room: hall}, cache: 25h}")},
	{"a cache by default that the overlap does not cover", append(consumers("c: {hook: {room: hall}}"), edit{"overlap: 24h", "overlap: 30m"})},
	{"a cache for a kind that has none", consumers("c: {mail: {}, cache: 1h}")},
	{"one thing that is told twice", consumers("c: {hook: {room: hall}}\n      d: {hook: {room: HALL}}")},
	{"one thing that two credentials tell", append(consumers("c: {hook: {room: hall}}"), edit{"    tags: {team", "    consumers: {e: {hook: {room: hall}}}\n    tags: {team"})},
	{"a check of no kind", trials("c: {timeout: 1m}")},
	{"a check of two kinds", trials("c: {http: {url: https://a.example}, command: {run: [x]}}")},
	{"a check by http to another machine", trials("c: {http: {url: http://api.contoso.com/health}}")},
	{"a check by http on this machine", append(trials("c: {http: {url: http://localhost:8080/health}}\n      d: {http: {url: 'http://127.0.0.1/'}}\n      e: {http: {url: 'http://[::1]:1/'}}"), edit{"tenant: contoso.onmicrosoft.com", "tenant: x y"})},
	{"a check by http to a name that begins like this machine's", trials("c: {http: {url: http://localhost.contoso.com/}}")},
	{"a check with a password in its address", trials("c: {http: {url: https://u:hunter22@api.contoso.com/}}")},
	{"a check by another protocol", trials("c: {http: {url: file:///etc/passwd}}")},
	{"a check that does not send the value where it says that it does", trials("c: {http: {url: https://a.example, header: Authorization, value: Bearer value}}")},
	{"a check whose header is two lines", trials("c: {http: {url: https://a.example, header: X, value: \"{value}\\nX: y\"}}")},
	{"a check that expects no status", trials("c: {http: {url: https://a.example, status: 99}}")},
	{"a check that may take long", trials("c: {command: {run: [x]}, timeout: 3m}")},
	{"a check by a line for a shell", trials("c: {command: {run: ./smoke.sh -q}}")},
	{"a rollback that comes too late", append(trials("c: {command: {run: [x]}}\n    rollbackAfter: 10d"), edit{"    enabled: false\n", ""})},
	{"a key twice", []edit{{"    overlap: 24h", "    overlap: 24h\n    overlap: 25h"}}},
	{"a credential twice", []edit{{"  salt:\n", "  devops-pat:\n"}}},
	{"a section twice", []edit{{"vaults:\n", "schedule: 2h\nvaults:\n"}}},
	{"several problems, all of them", []edit{{"tenant: contoso.onmicrosoft.com", "tenant: x y"}, {"lifetime: 30d", "lifetime: 30"}, {"secret: salt", "secret: s_t"}, {"    random: {}\n", "    randon: {}\n"}}},
	{"a token pasted in as a value", []edit{{"contentType: text/plain", "contentType: " + newPAT}}},
	{"a token pasted in as a key", []edit{{"contentType: text/plain", newPAT + ": text/plain"}}},
	{"a token of the old form", []edit{{"secret: salt", "secret: " + oldPAT}}},
	{"a client secret pasted in", []edit{{"env", "env"}, {"managedIdentity: {}", "clientSecret: {clientId: eb2ab58c-d382-4db6-b2ab-33b55dd51529, env: " + appSecret + "}"}}},
	{"a token in a comment", []edit{{"lifetime: 30d", "lifetime: 30d # was " + newPAT}}},
	{"a token in a broken line", []edit{{"contentType: text/plain", "contentType: \"" + newPAT}}},
	{"escapes for the terminal", []edit{{"organization: contoso", `organization: "\e[31m\u202e"`}}},
	{"a text of many characters", []edit{{"organization: contoso", "organization: " + strings.Repeat("ä", 200)}}},
	{"a key with blanks and dots", []edit{{"contentType: text/plain", "content type v1.0: text/plain"}}},
	{"a control character", []edit{{"organization: contoso", "organization: con\x1b[31mtoso"}}},
	{"not UTF-8", []edit{{"organization: contoso", "organization: con\xfftoso"}}},
	{"UTF-16", []edit{{sound, "\xff\xfev\x00"}}},
	{"a tab", []edit{{"    lifetime: 30d", "\tlifetime: 30d"}}},
	{"nothing", []edit{{sound, ""}}},
	{"nothing but comments", []edit{{sound, "# rekey\n\n"}}},
	{"a text", []edit{{sound, "hello\n"}}},
	{"a list", []edit{{sound, "- hello\n"}}},
	{"two documents", []edit{{"credentials:\n", "---\ncredentials:\n"}}},
	{"a bracket that is not closed", []edit{{"[vso.packaging, vso.code]", "[vso.packaging, vso.code"}}},
	{"a quote that is not closed", []edit{{"organization: contoso", "organization: \"contoso"}}},
	{"a line that is indented wrongly", []edit{{"    lifetime: 90d", "   lifetime: 90d"}}},
	{"an entry that is indented less than its neighbours", []edit{{"  salt:\n", " salt:\n"}}},
	{"a section that cannot be read is not missing, and its names are not wrong", []edit{{"vaults:\n  own: {name", "vaults: [\n  own: {name"}}},
	{"a colon without a blank", []edit{{"ledger: ./ledger", "ledger:./ledger"}}},
	{"an anchor that is not there", []edit{{"random: {}", "random: *nothing"}}},
	{"an anchor in itself", []edit{{"random: {}", "random: &r {length: *r}"}}},
	{"a merge of a text", []edit{{"random: {}", "random: {}\n    <<: hello"}}},
	{"a YAML tag", []edit{{"organization: contoso", "organization: !!str contoso"}}},
	{"a question mark", []edit{{"    enabled: false\n", "    ? enabled\n    : false\n"}}},
}

// trials gives the second credential checks.
func trials(lines string) []edit {
	return []edit{{"    enabled: false\n", "    enabled: false\n    checks:\n      " + lines + "\n"}}
}

// consumers gives the second credential consumers.
func consumers(lines string) []edit {
	return []edit{{"    enabled: false\n", "    enabled: false\n    consumers:\n      " + lines + "\n"}}
}

// These have the shapes that services give out; nobody ever gave out these.
var (
	newPAT    = strings.Repeat("Ab3", 25) + "xAZDOwxyz1234"[:9]
	oldPAT    = strings.Repeat("ab2c", 13)
	appSecret = "abc8Q~" + strings.Repeat("Xy1", 11) + "z"
)

func changed(t *testing.T, edits []edit) []byte {
	t.Helper()
	src := sound
	for _, e := range edits {
		if e.old == e.new {
			continue
		}
		if !strings.Contains(src, e.old) {
			t.Fatalf("the sound manifest has no %q", e.old)
		}
		src = strings.Replace(src, e.old, e.new, 1)
	}
	return []byte(src)
}

func TestEveryProblemIsSaidOnOneLine(t *testing.T) {
	var b strings.Builder
	for _, c := range bad {
		src := changed(t, c.edits)
		m, ps := manifest.Parse("rekey.yaml", src, kinds())
		if len(ps) == 0 {
			t.Errorf("%s: no problem", c.name)
		}
		if (m == nil) != ps.Failed() {
			t.Errorf("%s: manifest %v, failed %v", c.name, m != nil, ps.Failed())
		}
		fmt.Fprintf(&b, "# %s\n%s\n", c.name, ps)
		for _, s := range []string{newPAT, oldPAT, appSecret, "hunter2"} {
			if strings.Contains(ps.String()+fmt.Sprintf("%+v", ps), s) {
				t.Errorf("%s: a secret is repeated: %s", c.name, ps)
			}
		}
		inside(t, src, ps)
	}
	golden(t, "problems.golden", []byte(b.String()))
}

// inside checks what holds for the problems of any file.
func inside(t *testing.T, src []byte, ps manifest.Problems) {
	t.Helper()
	lines := strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")
	for _, p := range ps {
		if p.Line < 1 || p.Line > len(lines) {
			t.Errorf("line %d of %d: %s", p.Line, len(lines), p)
			continue
		}
		if n := len([]rune(strings.TrimPrefix(lines[p.Line-1], "\ufeff"))); p.Column < 1 || p.Column > n+1 {
			t.Errorf("column %d of %d: %s", p.Column, n, p)
		}
		if s := p.String(); strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e }) {
			t.Errorf("not fit for a terminal: %q", s)
		}
		if p.Message == "" || len(p.Text) > 8*80+10 {
			t.Errorf("%+v", p)
		}
	}
	if !slices.IsSortedFunc(ps, func(a, b manifest.Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	}) {
		t.Errorf("not in order:\n%s", ps)
	}
}

func TestNearest(t *testing.T) {
	among := []string{"lifetime", "rotateBefore", "overlap", "store", "pat"}
	for word, want := range map[string]string{
		"lifetme": "lifetime", "LIFETIME": "lifetime", "lifetiem": "lifetime", "rotate_before": "rotateBefore", "pta": "pat",
		"overlaps": "overlap", "xy": "", "": "", "colour": "", "stroe": "store", strings.Repeat("x", 1000): "",
	} {
		if got := manifest.Nearest(word, among); got != want {
			t.Errorf("Nearest(%.20q) is %q, want %q", word, got, want)
		}
	}
}

func TestWhatLooksLikeASecretIsFoundAnywhere(t *testing.T) {
	token := "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL3ZhdWx0In0." + strings.Repeat("Zz9_", 20)
	refresh := "1.A" + strings.Repeat("Zz9_", 30)
	for _, s := range []string{newPAT, newPAT[1:] + "Z", oldPAT, appSecret, token, refresh, "-----BEGIN PRIVATE KEY-----"} {
		for _, where := range []string{"# %s\n", "# x=%s;\n", "note: '%s'\n", "note: x-%s-y\n", "? %s\n", "- [%s\n", "  x%%: \"%s\n"} {
			src := fmt.Sprintf(where, s)
			_, ps := manifest.Parse("rekey.yaml", []byte(sound+src), kinds())
			if !slices.ContainsFunc(ps, func(p manifest.Problem) bool {
				return p.Text == "[secret?]" && strings.Contains(p.Message, "looks like")
			}) {
				t.Errorf("not found in %.40q:\n%s", src, ps)
			}
			if strings.Contains(fmt.Sprintf("%s%+v", ps, ps), s[3:len(s)-3]) {
				t.Errorf("repeated: %s", ps)
			}
		}
	}
	for _, s := range []string{
		"2bfcc342-eb74-4427-832c-db82f28995f4", strings.Repeat("a", 52), strings.Repeat("ab2c", 12), strings.Repeat("a1b2", 30),
		"a-secret-with-a-rather-long-name-that-someone-thought-was-good-1", "abc8Q~short",
	} {
		if _, ps := manifest.Parse("rekey.yaml", []byte("# "+s+"\n"+sound), kinds()); len(ps) > 0 {
			t.Errorf("%s was taken for a secret: %s", s, ps)
		}
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]string{"30d": "30d", "24h": "1d", "36h": "1d12h", "90m": "1h30m", "1d12h": "1d12h", "1d0h5m": "1d5m", "0d5m": "5m"} {
		d, err := manifest.ParseDuration(s)
		if err != nil || manifest.FormatDuration(d) != want {
			t.Errorf("%s is %s, %v; want %s", s, manifest.FormatDuration(d), err, want)
		}
	}
	for _, s := range []string{"", "d", "12h1d", "1d1d", "1 d", "1h30", "+1d", "1e3d", "٣d", "36501d", "1d\n"} {
		if d, err := manifest.ParseDuration(s); err == nil {
			t.Errorf("%q was read as %s", s, d)
		}
	}
	if got := manifest.FormatDuration(0); got != "0m" {
		t.Error(got)
	}
}
