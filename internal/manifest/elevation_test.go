package manifest_test

import (
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/manifest"
)

const elevated = `
brokers:
  b: {identity: {azureCLI: {}}}
elevations:
  e: {%}
`

func TestElevationsAreHeldToWhatAzureTakes(t *testing.T) {
	const scope = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-rekey"
	const role = "role: Key Vault Secrets Officer, scope: " + scope
	for name, c := range map[string]struct{ entry, want string }{
		"by PIM unless it is said":                   {role + ", broker: b", ""},
		"a role assignment with a sweep":             {role + ", broker: b, kind: roleAssignment, sweepEvery: 1h", ""},
		"an activation":                              {role + ", kind: pimActivation", ""},
		"a role of the directory":                    {"directoryRole: User Administrator, broker: b", ""},
		"a group":                                    {"group: 00000000-0000-0000-0000-000000000002, access: owner, kind: pimActivation", ""},
		"a role assignment without a sweep":          {role + ", broker: b, kind: roleAssignment", "needs sweepEvery"},
		"a sweep of what PIM ends":                   {role + ", broker: b, sweepEvery: 1h", "is for roleAssignment alone"},
		"without a broker":                           {role, "needs a broker"},
		"an activation by a broker":                  {role + ", kind: pimActivation, broker: b", "a person activates for itself"},
		"an activation for somebody":                 {role + ", kind: pimActivation, principal: 00000000-0000-0000-0000-000000000002", "a person activates for itself"},
		"a broker that is not there":                 {role + ", broker: x", `there is no "x" in "brokers"`},
		"a role without a scope":                     {"role: Owner, broker: b", "a role needs its scope"},
		"a scope without a role":                     {"directoryRole: X, scope: " + scope + ", broker: b", "is for a role at an Azure resource alone"},
		"nothing to take":                            {"broker: b", "right to take"},
		"two things to take":                         {role + ", directoryRole: X, broker: b", "right to take"},
		"a role assignment in the directory":         {"directoryRole: X, broker: b, kind: roleAssignment, sweepEvery: 1h", "only PIM gives for a time"},
		"shorter than Azure takes":                   {role + ", broker: b, for: 4m", "shorter than 5m"},
		"longer than anybody should have it":         {role + ", broker: b, for: 9h", "longer than 8h"},
		"shorter than a replacement may take":        {role + ", broker: b, for: 10m", "warning"},
		"a scope that is no id":                      {"role: Owner, scope: kv-rekey, broker: b", "must be an id below a subscription"},
		"a secret in a vault":                        {"role: Owner, broker: b, scope: " + scope + "/secrets/x", ""},
		"a subscription":                             {"role: Owner, broker: b, scope: /subscriptions/00000000-0000-0000-0000-000000000001", ""},
		"a kind that is misspelt, with what is near": {role + ", broker: b, kind: pimAsignment", `"pimAssignment"`},
	} {
		t.Run(name, func(t *testing.T) {
			src := strings.Replace(string(manifest.Starter()), "\nvaults:", strings.Replace(elevated, "%", c.entry, 1)+"\nvaults:", 1)
			src = strings.Replace(src, "{name: kv-rekey}", "{name: kv-rekey, elevation: e}", 1)
			m, problems := manifest.Parse("rekey.yaml", []byte(src), kinds())
			switch text := problems.String(); {
			case c.want == "warning":
				if m == nil || !strings.Contains(text, "has to be taken again in its middle") {
					t.Errorf("%s", text)
				}
			case c.want == "":
				if m == nil {
					t.Errorf("%s", text)
				}
			case m != nil || !strings.Contains(text, c.want):
				t.Errorf("%s\nwant %s", text, c.want)
			}
		})
	}
}

func TestAVaultUnderARightAtAnotherVaultIsWarnedOf(t *testing.T) {
	src := strings.Replace(string(manifest.Starter()), "\nvaults:", strings.Replace(elevated, "%", "role: Owner, broker: b, scope: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-other", 1)+"\nvaults:", 1)
	src = strings.Replace(src, "{name: kv-rekey}", "{name: kv-rekey, elevation: e}", 1)
	if m, problems := manifest.Parse("rekey.yaml", []byte(src), kinds()); m == nil || !strings.Contains(problems.String(), `"kv-other", and this one is kv-rekey`) {
		t.Errorf("%s", problems)
	}
}

func TestAKeyThatIsWantedOnceRightsWereGivenBackIsInNoVaultUnderOne(t *testing.T) {
	entry := strings.Replace(elevated, "%", "role: Owner, broker: b, scope: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-rekey", 1)
	for vault, want := range map[string]string{
		"{name: kv-rekey, elevation: e}": "events are sent once that was given back: keep the key in another vault",
		"{name: kv-rekey}":               "",
	} {
		src := strings.Replace(string(manifest.Starter()), "\nvaults:", entry+"\nevents: {siem: {webhook: {url: 'https://siem.example.com', signingKey: {vault: rekey, secret: k}}}}\nvaults:", 1)
		src = strings.Replace(src, "{name: kv-rekey}", vault, 1)
		m, problems := manifest.Parse("rekey.yaml", []byte(src), kinds())
		if text := problems.String(); want == "" && m == nil || !strings.Contains(text, want) {
			t.Errorf("%s: %s", vault, text)
		}
	}
}

func TestAnElevationOfTheCommandLineIsHeldToTheSame(t *testing.T) {
	sound := manifest.Elevation{Role: "Owner", Scope: "/subscriptions/00000000-0000-0000-0000-000000000001", Kind: manifest.PIMAssignment, Broker: "b", For: 30 * 60e9}
	for name, c := range map[string]struct {
		change func(*manifest.Elevation)
		want   string
	}{
		"sound":       {func(*manifest.Elevation) {}, ""},
		"a kind":      {func(e *manifest.Elevation) { e.Kind = "x" }, `kind "x" must be one of`},
		"a principal": {func(e *manifest.Elevation) { e.Principal = "alex" }, "principal must be"},
		"a scope":     {func(e *manifest.Elevation) { e.Scope = "kv" }, "scope must be an id"},
		"no broker":   {func(e *manifest.Elevation) { e.Broker = "" }, "needs a broker"},
		"too short":   {func(e *manifest.Elevation) { e.For = 60e9 }, "shorter than 5m"},
	} {
		e := sound
		c.change(&e)
		if err := manifest.CheckElevation(e); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
