package world

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheBuiltInWorldIsWholeAndRereadable(t *testing.T) {
	if err := BuiltIn().Validate(); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	if err := BuiltIn().Encode(&first); err != nil {
		t.Fatal(err)
	}
	s, err := Decode(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s, BuiltIn()) {
		t.Error("what is read is not what was written")
	}
	if err := s.Encode(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("written twice, it differs")
	}
}

// mustRead edits the built-in world's JSON and reads it.
func mustRead(t *testing.T, edit func(map[string]any)) error {
	t.Helper()
	var b bytes.Buffer
	if err := BuiltIn().Encode(&b); err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(b.Bytes(), &tree); err != nil {
		t.Fatal(err)
	}
	edit(tree)
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Decode(bytes.NewReader(data))
	return err
}

func at(tree map[string]any, list string, i int) map[string]any {
	return tree[list].([]any)[i].(map[string]any)
}

func TestAWorldFileThatIsWrongSaysWhere(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(map[string]any)
		want string
	}{
		"a misspelt member is named with its path":   {func(m map[string]any) { at(m, "users", 0)["pasword"] = "x" }, "unknown member users[0].pasword"},
		"the case of a member counts":                {func(m map[string]any) { at(m, "users", 0)["MfaRequired"] = true }, "unknown member users[0].MfaRequired"},
		"all misspelt members are named":             {func(m map[string]any) { m["a"], m["b"] = 1, 2 }, "unknown member a, b"},
		"an unknown knob is named":                   {func(m map[string]any) { m["knobs"].(map[string]any)["entra"].(map[string]any)["x"] = 1 }, "unknown member knobs.entra.x"},
		"another schema is refused":                  {func(m map[string]any) { m["schema"] = 2 }, "schema is 2"},
		"a missing id is named":                      {func(m map[string]any) { delete(at(m, "apps", 1), "clientId") }, "apps[1].clientId is missing"},
		"two vaults of one name, whatever the case":  {func(m map[string]any) { at(m, "vaults", 1)["name"] = "KV-PAT-PROD" }, `vaults[1].name "KV-PAT-PROD" is the same as vaults[0].name`},
		"a user of an unknown tenant":                {func(m map[string]any) { at(m, "users", 2)["tenantId"] = "nowhere" }, `users[2].tenantId "nowhere" names no tenant of this world`},
		"a member that nobody is":                    {func(m map[string]any) { at(m, "organizations", 0)["members"] = []any{"nobody"} }, `organizations[0].members[0] "nobody" names no principal`},
		"a vault in a resource group that is absent": {func(m map[string]any) { at(m, "vaults", 0)["resourceGroup"] = "rg-none" }, "vaults[0].resourceGroup"},
		"a role that is not known":                   {func(m map[string]any) { at(m, "roleAssignments", 0)["roleDefinitionId"] = "x" }, `roleAssignments[0].roleDefinitionId "x"`},
		"a client secret that opens nothing":         {func(m map[string]any) { at(m, "apps", 1)["clientSecret"] = "other" }, "apps[1].clientSecret"},
		"a null in a list":                           {func(m map[string]any) { m["tenants"] = append(m["tenants"].([]any), nil) }, "tenants[1] is null"},
		"a number where a word belongs":              {func(m map[string]any) { at(m, "users", 0)["id"] = 7 }, "users"},
		"no tenants":                                 {func(m map[string]any) { m["tenants"] = []any{} }, "tenants is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			err := mustRead(t, c.edit)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v; want one with %q", err, c.want)
			}
		})
	}
	for text, want := range map[string]string{
		"":                         "there is no JSON",
		"{\n\"schema\": 1,\n oops": "line 3",
		`{"schema":1} {}`:          "something after",
	} {
		if _, err := Decode(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v; want one with %q", text, err, want)
		}
	}
}

func TestARedactedWorldHoldsNoSecret(t *testing.T) {
	s := BuiltIn()
	s.Organizations[0].PATs = []*PAT{{AuthorizationID: "a", OwnerID: s.Users[0].ID, Token: "a token with " + Canary}}
	s.Users[0].PreviousPassword = "an old password with " + Canary
	s.DeletedUsers = []*User{{Password: "a deleted user's password with " + Canary}}
	s.DeletedApps = []*App{{Secrets: []*PasswordCredential{{Value: "a deleted app's secret with " + Canary}}}}
	s.Apps[0].ServicePrincipalSecrets = []*PasswordCredential{{Value: "a service principal's secret with " + Canary}}
	s.Apps[0].RemovedSecrets = []*PasswordCredential{{Value: "a removed secret with " + Canary}}
	s.AutomationAccounts[0].Jobs = []*Job{{Name: "a", Runbook: "Set-ReportingSecret", Parameters: map[string]string{"ClientSecret": "a job's parameter with " + Canary}}}
	w := New(s, time.Now)
	w.Remember(s.AutomationAccounts[0].Jobs[0].Parameters["ClientSecret"])
	r, err := w.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	secrets := w.Secrets()
	if len(secrets) < 6 {
		t.Fatalf("the world holds only %d secrets: this test could not fail", len(secrets))
	}
	for _, v := range secrets {
		if bytes.Contains(b, []byte(v)) {
			t.Errorf("a secret is left in it, of %d characters", len(v))
		}
	}
	if s.Users[0].Password == "" {
		t.Error("redacting changed the world itself")
	}
}

// A member that is new and may hold a secret must be thought about: cleared by Redacted, or listed here.
func TestEveryMemberThatSoundsSecretIsKnown(t *testing.T) {
	known := []string{
		"User.password", "App.clientSecret", "App.secrets", "PasswordCredential.value", "PasswordCredential.keyId", "KeyCredential.keyId",
		"ManagedIdentity.identityHeader", "Vault.secrets", "SecretVersion.value", "PAT.token",
		"User.previousPassword", "App.servicePrincipalSecrets", "App.servicePrincipalCertificates", "App.removedSecrets", "App.removedCertificates",
		"AppManagementPolicy.noClientSecrets", "AppManagementPolicy.maxClientSecretLife", "AppManagementPolicy.maxCertificateLife",
		"Script.valueParameter", "Target.vaultSecret", "AutomationVariable.value", "AutomationCredential.password",
		"Connection.parameterValues", "Connection.nonSecretParameterValues", "Connection.customParameterValues",
		"User.passwordExpired", "User.passwordChanged", "App.certificates", "KeyCredential.certificate", "FederatedCredential.jwks",
	}
	suspicious := regexp.MustCompile(`(?i)secret|password|token|value|key|code|header|jwks|certificate`)
	visited := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(ty reflect.Type) {
		for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct || visited[ty] || ty == reflect.TypeFor[time.Time]() || strings.HasSuffix(ty.Name(), "Knobs") {
			return
		}
		visited[ty] = true
		for f := range ty.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if full := ty.Name() + "." + name; suspicious.MatchString(name) && !slices.Contains(known, full) {
				t.Errorf("%s may hold a secret: clear it in Redacted, then list it here", full)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[State]())
	if len(visited) < 10 {
		t.Fatalf("only %d types were looked at", len(visited))
	}
}

func TestBuiltInPasswordsSurviveAShell(t *testing.T) {
	plain := regexp.MustCompile(`^[A-Za-z0-9.@~_-]+$`)
	s := BuiltIn()
	for _, u := range s.Users {
		if !plain.MatchString(u.Password) || !strings.Contains(u.Password, Canary) {
			t.Errorf("password of %s", u.UPN)
		}
	}
	for _, a := range s.Apps {
		if v := a.ClientSecret; v != "" && (len(v) != 40 || v[3:6] != "8Q~" || !plain.MatchString(v) || !strings.Contains(v, Canary)) {
			t.Errorf("client secret of %s has not the real form", a.Name)
		}
	}
}
