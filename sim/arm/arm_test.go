package arm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/wire"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	tenantID = "11111111-1111-4111-8111-111111111111"
	otherID  = "22222222-2222-4222-8222-222222222222"
	subID    = "33333333-3333-4333-8333-333333333333"
	sub2ID   = "44444444-4444-4444-8444-444444444444"
	ownerID  = "aaaaaaaa-0000-4000-8000-000000000001"
	readerID = "aaaaaaaa-0000-4000-8000-000000000002"
	dataID   = "aaaaaaaa-0000-4000-8000-000000000003"
	noneID   = "aaaaaaaa-0000-4000-8000-000000000004"
	miID     = "aaaaaaaa-0000-4000-8000-000000000005"

	sub   = "/subscriptions/" + subID
	group = sub + "/resourceGroups/rg-one"
	vault = group + "/providers/Microsoft.KeyVault/vaults/kv-one"
)

// bench is a world with two subscriptions, three vaults and four principals: an owner of the first subscription, a
// reader of its group, a reader of secrets in one vault, and one with no role.
type bench struct {
	t *testing.T
	w *world.World
	s *Service
}

func newBench(t *testing.T) *bench {
	t.Helper()
	start := time.Date(2026, 11, 1, 12, 0, 0, 120_000_000, time.UTC)
	kv := func(name, sub, group string, protect bool) *world.Vault {
		return &world.Vault{Name: name, SubscriptionID: sub, ResourceGroup: group, Location: "northeurope", TenantID: tenantID, SoftDeleteDays: 30, PurgeProtection: protect}
	}
	assign := func(n int, principal, role, scope string) *world.RoleAssignment {
		return &world.RoleAssignment{Name: fmt.Sprintf("bbbbbbbb-0000-4000-8000-00000000000%d", n), PrincipalID: principal, PrincipalType: "User", RoleID: role, Scope: scope}
	}
	w := world.New(world.State{
		Schema: 1, Seed: 3,
		Tenants: []*world.Tenant{{ID: tenantID, Domain: "contoso.onmicrosoft.com", Name: "Contoso"}, {ID: otherID, Domain: "other.example", Name: "Other"}},
		Users: []*world.User{
			{ID: ownerID, TenantID: tenantID}, {ID: readerID, TenantID: tenantID}, {ID: dataID, TenantID: tenantID}, {ID: noneID, TenantID: tenantID},
		},
		ManagedIdentities: []*world.ManagedIdentity{{ID: miID, TenantID: tenantID}},
		Subscriptions: []*world.Subscription{
			{ID: subID, TenantID: tenantID, Name: "One", ResourceGroups: []string{"rg-one", "rg-two"}},
			{ID: sub2ID, TenantID: otherID, Name: "Two", ResourceGroups: []string{"rg"}},
		},
		Vaults: []*world.Vault{kv("kv-one", subID, "rg-one", false), kv("kv-two", subID, "rg-two", true), kv("kv-far", sub2ID, "rg", false)},
		RoleAssignments: []*world.RoleAssignment{
			assign(1, ownerID, world.RoleOwner, sub),
			assign(2, readerID, world.RoleReader, group),
			assign(3, dataID, world.RoleKeyVaultUser, vault),
		},
	}, func() time.Time { return start })
	b := &bench{t: t, w: w, s: New(w)}
	for name, id := range map[string]string{"owner": ownerID, "reader": readerID, "data": dataID, "none": noneID} {
		w.AddToken("token-of-"+name, world.Token{Tenant: tenantID, ObjectID: id, AppID: "app-of-" + name, Name: name, Audience: "https://management.azure.com", Expires: start.Add(time.Hour)})
	}
	return b
}

type reply struct {
	status int
	header http.Header
	text   string
	m      map[string]any
}

func (b *bench) do(as, method, target, body string) reply {
	b.t.Helper()
	if !strings.Contains(target, "?") {
		target += "?api-version=2022-04-01"
	}
	r := httptest.NewRequest(method, "https://management.azure.com"+target, strings.NewReader(body))
	if as != "" {
		r.Header.Set("Authorization", "Bearer token-of-"+as)
	}
	rec := httptest.NewRecorder()
	b.s.ServeHTTP(rec, r)
	out := reply{status: rec.Code, header: rec.Header(), text: rec.Body.String()}
	if out.text != "" {
		if err := json.Unmarshal([]byte(out.text), &out.m); err != nil {
			b.t.Fatalf("%s %s: %v in %s", method, target, err, out.text)
		}
	}
	return out
}

func (b *bench) ok(as, method, target, body string) reply {
	b.t.Helper()
	r := b.do(as, method, target, body)
	if r.status != 200 {
		b.t.Fatalf("%s %s: %d %s", method, target, r.status, r.text)
	}
	return r
}

func (r reply) refused(t *testing.T, status int, code string) {
	t.Helper()
	e, _ := r.m["error"].(map[string]any)
	if r.status != status || e["code"] != code {
		t.Errorf("got %d %s, want %d %s", r.status, r.text, status, code)
	}
}

func (r reply) message() string {
	e, _ := r.m["error"].(map[string]any)
	s, _ := e["message"].(string)
	return s
}

// names of the items of a list.
func (r reply) names() string {
	var out []string
	items, ok := r.m["value"].([]any)
	if !ok {
		return "no list: " + r.text
	}
	for _, i := range items {
		m := i.(map[string]any)
		name, _ := m["name"].(string)
		if name == "" {
			name, _ = m["displayName"].(string)
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func filter(s string) string { return "?api-version=2022-04-01&$filter=" + url.PathEscape(s) }

func TestRequestsWithoutAGoodTokenAreRefusedWithTheTenant(t *testing.T) {
	b := newBench(t)
	b.w.Lock()
	good := world.Token{Tenant: tenantID, ObjectID: ownerID, Audience: "https://management.core.windows.net", Expires: b.w.Now().Add(time.Hour)}
	late, foreign, graph := good, good, good
	late.Expires, foreign.Tenant, graph.Audience = b.w.Now(), otherID, "https://graph.microsoft.com"
	for name, tok := range map[string]world.Token{"good": good, "late": late, "foreign": foreign, "graph": graph} {
		b.w.AddToken("token-of-"+name, tok)
	}
	b.w.Unlock()
	b.ok("good", "GET", sub, "")
	for _, c := range []struct{ as, target, code, tenant string }{
		{"", sub, "AuthenticationFailed", tenantID},
		{"", "/subscriptions/" + sub2ID, "AuthenticationFailed", otherID},
		{"", "/whatever?x=y", "AuthenticationFailed", tenantID},
		{"nobody", sub, "InvalidAuthenticationToken", tenantID},
		{"late", sub, "ExpiredAuthenticationToken", tenantID},
		{"graph", sub, "InvalidAuthenticationTokenAudience", tenantID},
		{"foreign", sub, "InvalidAuthenticationTokenTenant", tenantID},
	} {
		r := b.do(c.as, "GET", c.target, "")
		r.refused(t, 401, c.code)
		want := `Bearer authorization_uri="https://login.windows.net/` + c.tenant + `", error="invalid_token", error_description="`
		if got := r.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, want) {
			t.Errorf("%s %s: %s", c.as, c.target, got)
		}
	}
	b.w.Advance(time.Hour)
	b.do("owner", "GET", sub, "").refused(t, 401, "ExpiredAuthenticationToken")
}

func TestAnApiVersionIsRequired(t *testing.T) {
	b := newBench(t)
	b.do("owner", "GET", "/subscriptions?a=b", "").refused(t, 400, "MissingApiVersionParameter")
	b.do("owner", "GET", "/subscriptions?api-version=new", "").refused(t, 400, "InvalidApiVersionParameter")
	for _, v := range []string{"2015-11-01", "2019-11-01", "2022-05-01-preview", "2031-01-01"} {
		b.ok("owner", "GET", "/subscriptions?api-version="+v, "")
	}
}

func TestOperationsAreNamedByMethodAndPathInAnyCase(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ method, target, want string }{
		{"GET", "/tenants", "ListTenants"},
		{"GET", "/subscriptions/", "ListSubscriptions"},
		{"GET", "/SUBSCRIPTIONS/" + subID, "GetSubscription"},
		{"GET", sub + "/resources", "ListResources"},
		{"GET", sub + "/resourcegroups", "ListResourceGroups"},
		{"GET", group, "GetResourceGroup"},
		{"GET", strings.ToLower(vault), "GetVault"},
		{"PUT", vault, "unknown"},
		{"GET", vault + "/secrets/x", "unknown"},
		{"GET", group + "/providers/microsoft.keyvault/VAULTS", "ListVaults"},
		{"GET", sub + "/providers/Microsoft.KeyVault/vaults", "ListVaults"},
		{"GET", "/providers/Microsoft.Authorization/roleDefinitions/x", "GetRoleDefinition"},
		{"GET", vault + "/providers/microsoft.authorization/roledefinitions", "ListRoleDefinitions"},
		{"PUT", vault + "/providers/Microsoft.Authorization/roleAssignments/x", "PutRoleAssignment"},
		{"GET", sub + "/providers/Microsoft.Authorization/roleAssignments/x", "GetRoleAssignment"},
		{"DELETE", sub + "/providers/Microsoft.Authorization/roleAssignments/x", "DeleteRoleAssignment"},
		{"GET", sub + "/providers/Microsoft.Authorization/roleAssignments", "ListRoleAssignments"},
		{"PUT", sub + "/providers/Microsoft.Authorization/roleDefinitions/x", "unknown"},
		{"PUT", sub + "/providers/Microsoft.Authorization/roleAssignmentScheduleRequests/x", "PutRoleAssignmentRequest"},
		{"POST", vault + "/providers/Microsoft.Authorization/roleEligibilityScheduleRequests/x/validate", "ValidateRoleEligibilityRequest"},
		{"PATCH", "/providers/Microsoft.Authorization/roleAssignmentApprovals/x/stages/y", "DecideApprovalStage"},
		{"POST", sub + "/providers/Microsoft.Authorization/roleAssignmentScheduleRequests/x/other", "unknown"},
		{"POST", "/subscriptions", "unknown"},
		{"GET", "/", "unknown"},
	} {
		if got := b.s.Operation(httptest.NewRequest(c.method, "https://management.azure.com"+c.target, nil)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.target, got, c.want)
		}
	}
}

func TestWhatIsNotSimulatedSaysSo(t *testing.T) {
	b := newBench(t)
	r := b.do("owner", "PUT", vault, "{}")
	r.refused(t, 501, "NotImplemented")
	if !strings.Contains(r.message(), "simulator") {
		t.Error(r.message())
	}
}

func TestSubscriptionsInThePathMustExist(t *testing.T) {
	b := newBench(t)
	b.do("owner", "GET", "/subscriptions/"+noneID, "").refused(t, 404, "SubscriptionNotFound")
	b.do("owner", "PUT", "/subscriptions/"+noneID+"/providers/Microsoft.Authorization/roleAssignments/x", "{}").refused(t, 404, "SubscriptionNotFound")
	b.do("owner", "GET", "/subscriptions/mine", "").refused(t, 400, "InvalidSubscriptionId")
}

func TestAPrincipalSeesTheSubscriptionsThatItHasARoleIn(t *testing.T) {
	b := newBench(t)
	for as, want := range map[string]string{"owner": "One", "reader": "One", "data": "One", "none": ""} {
		if got := b.ok(as, "GET", "/subscriptions", "").names(); got != want {
			t.Errorf("%s sees %q, want %q", as, got, want)
		}
	}
	b.do("none", "GET", sub, "").refused(t, 403, "AuthorizationFailed")
	b.w.Lock()
	b.w.Knobs.ARM.HideDataOnlySubscriptions = true
	b.w.Unlock()
	if got := b.ok("data", "GET", "/subscriptions", "").names(); got != "" {
		t.Errorf("with the knob, data sees %q", got)
	}
	if got := b.ok("reader", "GET", "/subscriptions", "").names(); got != "One" {
		t.Errorf("with the knob, reader sees %q", got)
	}
	r := b.ok("owner", "GET", sub, "")
	if r.m["id"] != sub || r.m["subscriptionId"] != subID || r.m["state"] != "Enabled" || r.m["tenantId"] != tenantID || r.m["displayName"] != "One" || r.m["subscriptionPolicies"] == nil {
		t.Error(r.text)
	}
	if got := b.ok("none", "GET", "/tenants", "").names(); got != "Contoso" {
		t.Errorf("tenants: %s", got)
	}
}

func TestVaultsAndGroupsAreReadWithTheRightRole(t *testing.T) {
	b := newBench(t)
	r := b.ok("reader", "GET", "/subscriptions/"+subID+"/RESOURCEGROUPS/RG-ONE/providers/microsoft.keyvault/vaults/KV-ONE", "")
	p, _ := r.m["properties"].(map[string]any)
	if r.m["id"] != vault || r.m["location"] != "northeurope" || p["vaultUri"] != "https://kv-one.vault.azure.net/" || p["tenantId"] != tenantID ||
		p["enableRbacAuthorization"] != true || p["enableSoftDelete"] != true || p["softDeleteRetentionInDays"] != 30.0 ||
		p["provisioningState"] != "Succeeded" || p["publicNetworkAccess"] != "Enabled" || fmt.Sprint(p["accessPolicies"]) != "[]" {
		t.Error(r.text)
	}
	if _, there := p["enablePurgeProtection"]; there {
		t.Error("purge protection is stated although it is off")
	}
	two := strings.NewReplacer("rg-one", "rg-two", "kv-one", "kv-two").Replace(vault)
	if p := b.ok("owner", "GET", two, "").m["properties"].(map[string]any); p["enablePurgeProtection"] != true {
		t.Error(p)
	}
	for _, c := range []struct{ as, target, want string }{
		{"owner", sub + "/providers/Microsoft.KeyVault/vaults", "kv-one kv-two"},
		{"owner", group + "/providers/Microsoft.KeyVault/vaults", "kv-one"},
		{"reader", group + "/providers/Microsoft.KeyVault/vaults", "kv-one"},
		{"owner", sub + "/resourcegroups", "rg-one rg-two"},
		{"reader", sub + "/resourcegroups", "rg-one"},
		{"owner", sub + "/resources", "kv-one kv-two"},
		{"reader", sub + "/resources", "kv-one"},
		{"data", sub + "/resources", ""},
		{"owner", sub + "/resources" + filter("resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'KV-Two'"), "kv-two"},
		{"owner", sub + "/resources" + strings.ReplaceAll(strings.Replace(filter("resourceType eq 'Microsoft.KeyVault/vaults'"), "$filter", "%24filter", 1), "%20", "+"), "kv-one kv-two"},
		{"owner", sub + "/resources" + filter("resourceType eq 'Microsoft.Web/sites'"), ""},
	} {
		if got := b.ok(c.as, "GET", c.target, "").names(); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.as, c.target, got, c.want)
		}
	}
	for _, c := range []struct {
		as, target string
		status     int
		code       string
	}{
		{"data", vault, 403, "AuthorizationFailed"},
		{"reader", sub + "/providers/Microsoft.KeyVault/vaults", 403, "AuthorizationFailed"},
		{"reader", two, 403, "AuthorizationFailed"},
		{"none", group, 403, "AuthorizationFailed"},
		{"none", sub + "/resources", 403, "AuthorizationFailed"},
		{"none", sub + "/resourcegroups", 403, "AuthorizationFailed"},
		{"owner", vault + "x", 404, "ResourceNotFound"},
		{"owner", sub + "/resourceGroups/none", 404, "ResourceGroupNotFound"},
		{"owner", sub + "/resourceGroups/none/providers/Microsoft.KeyVault/vaults", 404, "ResourceGroupNotFound"},
		{"owner", sub + "/resources" + filter("color eq 'red'"), 400, "InvalidFilter"},
	} {
		b.do(c.as, "GET", c.target, "").refused(t, c.status, c.code)
	}
	if got := b.ok("reader", "GET", group, ""); got.m["id"] != group || got.m["location"] != "northeurope" {
		t.Error(got.text)
	}
}

func TestTheGatewaysRefusalSaysWhoAndWhat(t *testing.T) {
	b := newBench(t)
	r := b.do("data", "GET", vault, "")
	if want := "The client 'app-of-data' with object id '" + dataID + "' does not have authorization to perform action 'Microsoft.KeyVault/vaults/read' over scope '" + vault + "' or the scope is invalid. If access was recently granted, please refresh your credentials."; r.message() != want {
		t.Errorf("%s\nwant %s", r.message(), want)
	}
	if r.header.Get("x-ms-failure-cause") != "gateway" || r.header.Get("x-ms-request-id") == "" || r.header.Get("x-ms-correlation-request-id") == "" {
		t.Error(r.header)
	}
	if r := b.ok("owner", "GET", vault, ""); r.header.Get("x-ms-failure-cause") != "" {
		t.Error("a success names a cause of failure")
	}
	r = b.do("reader", "PUT", vault+"/providers/Microsoft.Authorization/roleAssignments/"+noneID, "{}")
	if !strings.Contains(r.message(), "does not have authorization or an ABAC condition not fulfilled to perform action 'Microsoft.Authorization/roleAssignments/write'") {
		t.Error(r.message())
	}
}

func TestTheLogLearnsWhoCalled(t *testing.T) {
	b := newBench(t)
	var c wire.Call
	r := httptest.NewRequest("GET", "https://management.azure.com/subscriptions?api-version=2022-12-01", nil)
	r.Header.Set("Authorization", "Bearer token-of-data")
	r = r.WithContext(wire.WithCall(r.Context(), &c))
	b.s.ServeHTTP(httptest.NewRecorder(), r)
	if want := (wire.Call{Principal: "data"}); c != want {
		t.Errorf("%+v", c)
	}
}
