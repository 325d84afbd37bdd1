package simtest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	graphURL   = "https://graph.microsoft.com/v1.0"
	graphScope = "https://graph.microsoft.com/.default"
)

// graph sends a request as the built-in administrator, of whom everything but owning apps is allowed.
func (r *recorder) graph(token, method, path, body string, want int) map[string]any {
	r.t.Helper()
	return r.call(method, graphURL+strings.ReplaceAll(path, " ", "%20"), token, body, want)
}

func TestGraphAnswersInTheFormOfTheFile(t *testing.T) {
	r := record(t, func(s *world.State) {
		s.AppManagementPolicies = []*world.AppManagementPolicy{{
			ID: "538f1913-366a-440a-95a0-e195cb55b282", TenantID: world.TenantID, Apps: []string{"15cdb287-0299-482f-a8aa-223c6f8295b3"}, NoSecrets: true,
		}}
	})
	token := r.token("administrator", graphScope)
	state := world.BuiltIn()
	billing, signing, shop := app(t, state, "billing-api"), app(t, state, "signing-service"), app(t, state, "shop-web")
	dana := user(t, state, "dana")

	for _, path := range []string{
		"/applications", "/applications?$top=2&$select=id,appId,displayName,passwordCredentials,keyCredentials",
		"/applications?$filter=appId eq '" + billing.ClientID + "'", "/applications/" + billing.ID, "/applications(appId='" + billing.ClientID + "')",
		"/applications/" + signing.ID + "?$select=id,keyCredentials", "/applications/" + shop.ID + "/owners", "/applications/" + shop.ID + "/owners/$ref",
		"/servicePrincipals", "/servicePrincipals/" + billing.ServicePrincipalID, "/servicePrincipals(appId='" + billing.ClientID + "')",
		"/users/" + dana.ID, "/users/" + dana.UPN, "/users/" + dana.ID + "?$select=id,accountEnabled,lastPasswordChangeDateTime,passwordProfile",
		"/roleManagement/directory/roleAssignments", "/roleManagement/directory/roleDefinitions",
		"/roleManagement/directory/roleDefinitions/" + world.RoleUserAdministrator,
	} {
		r.graph(token, "GET", path, "", 200)
	}
	r.graph(token, "GET", "/applications/"+shop.ClientID, "", 404)
	r.graph(token, "GET", "/applications?$filter=notes eq 'x'", "", 400)
	r.graph("", "GET", "/applications", "", 401)
	r.graph(r.token("consumer", graphScope), "GET", "/applications", "", 403)

	made := r.graph(token, "POST", "/applications", `{"displayName":"made","signInAudience":"AzureADMyOrg"}`, 201)
	path := "/applications/" + made["id"].(string)
	r.graph(token, "POST", "/servicePrincipals", `{"appId":"`+made["appId"].(string)+`"}`, 201)
	r.graph(token, "PATCH", path, `{"displayName":"renamed"}`, 204)
	r.graph(token, "PATCH", path, `{"passwordCredentials":[{"displayName":"x"}]}`, 400)
	secret := r.graph(token, "POST", path+"/addPassword", `{"passwordCredential":{"displayName":"one","endDateTime":"2190-01-01T00:00:00Z"}}`, 200)
	r.graph(token, "POST", "/applications(appId='"+made["appId"].(string)+"')/microsoft.graph.addPassword", `{"passwordCredential":{"displayName":"two"}}`, 200)
	r.graph(token, "POST", path+"/removePassword", `{"keyId":"`+secret["keyId"].(string)+`"}`, 204)
	r.graph(token, "POST", path+"/removePassword", `{"keyId":"`+secret["keyId"].(string)+`"}`, 400)
	r.graph(token, "POST", "/applications/"+shop.ID+"/addPassword", `{}`, 400)
	r.graph(token, "POST", "/servicePrincipals/"+billing.ServicePrincipalID+"/addPassword", `{"passwordCredential":{"displayName":"of the service principal"}}`, 200)
	r.graph(token, "POST", path+"/owners/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/`+dana.ID+`"}`, 204)
	r.graph(token, "DELETE", path+"/owners/"+dana.ID+"/$ref", "", 204)
	r.graph(token, "DELETE", path, "", 204)
	r.graph(token, "PATCH", "/users/svc-batch@contoso.onmicrosoft.com", `{"passwordProfile":{"password":"N3w.password.1","forceChangePasswordNextSignIn":false}}`, 204)
	r.graph(token, "PATCH", "/users/svc-batch@contoso.onmicrosoft.com", `{"passwordProfile":{"password":"weak"}}`, 400)
	role := r.graph(token, "POST", "/roleManagement/directory/roleAssignments",
		fmt.Sprintf(`{"principalId":%q,"roleDefinitionId":%q,"directoryScopeId":"/"}`, dana.ID, world.RoleDirectoryReaders), 201)
	r.graph(token, "GET", "/roleManagement/directory/roleAssignments/"+role["id"].(string), "", 200)
	r.graph(token, "DELETE", "/roleManagement/directory/roleAssignments/"+role["id"].(string), "", 204)

	r.hold("application_ListApplication 200", "application_GetApplication 200", "application_GetApplicationGraphBPreAppId 200",
		"application_CreateApplication 201", "application_UpdateApplication 204", "application_UpdateApplication 400", "application_DeleteApplication 204",
		"application_addPassword 200", "application_removePassword 204", "application_removePassword 400", "application_ListOwner 200",
		"application_ListOwnerGraphBPreRef 200", "application_CreateOwnerGraphBPreRef 204", "application.owner_DeleteDirectoryObjectGraphBPreRef 204",
		"servicePrincipal_ListServicePrincipal 200", "servicePrincipal_GetServicePrincipal 200", "servicePrincipal_CreateServicePrincipal 201",
		"servicePrincipal_addPassword 200", "user_GetUser 200", "user_UpdateUser 204", "user_UpdateUser 400",
		"roleManagement.directory_ListRoleAssignment 200", "roleManagement.directory_CreateRoleAssignment 201", "roleManagement.directory_ListRoleDefinition 200")
}

func TestGraphsRefusalsAreInTheFormOfTheFileToo(t *testing.T) {
	r := record(t, func(s *world.State) { s.Knobs.Graph.WriteGap = world.Duration(time.Hour) })
	token := r.token("administrator", graphScope)
	add := "/applications/" + app(t, world.BuiltIn(), "shop-web").ID + "/addPassword"
	r.graph(token, "POST", add, `{}`, 200)
	r.graph(token, "POST", add, `{}`, 400)
	remove := strings.Replace(add, "addPassword", "removePassword", 1)
	known := app(t, world.BuiltIn(), "shop-web").Secrets[0].KeyID
	r.graph(token, "POST", remove, `{"keyId":"`+known+`"}`, 409)
	for range 57 {
		r.graph(token, "POST", remove, `{"keyId":"`+known+`"}`, 409)
	}
	r.graph(token, "POST", remove, `{"keyId":"`+known+`"}`, 429)
	r.hold("application_removePassword 409", "application_removePassword 429")
}

// The file is read through a translation; what is wrong must still be found.
func TestGraphsFileFindsWhatIsWrong(t *testing.T) {
	r := record(t, nil)
	token := r.token("administrator", graphScope)
	a := app(t, world.BuiltIn(), "billing-api")
	r.graph(token, "POST", "/applications/"+a.ID+"/addPassword", `{"passwordCredential":{"displayName":"x"}}`, 200)
	r.graph(token, "GET", "/applications/"+a.ID, "", 200)
	r.graph(token, "GET", "/applications/"+a.ClientID, "", 404)
	b := r.hold()
	n := len(r.seen)
	added, got, absent := r.seen[n-3], r.seen[n-2], r.seen[n-1]
	replace := func(x exchange, old, new string) exchange {
		x.answer = []byte(strings.Replace(string(x.answer), old, new, 1))
		return x
	}
	misspelt := added
	misspelt.body = []byte(`{"passwordCredential":{"displayname":"x"}}`)
	asked := got
	asked.url = must(got.url.Parse("?$selekt=id"))(t)
	for _, c := range []struct {
		why  string
		x    exchange
		want string
	}{
		{"a member of a request that is misspelt", misspelt, "request: unknown at body.passwordCredential.displayname"},
		{"a query option that is misspelt", asked, "request: unknown at query.$selekt"},
		{"a member of an answer that is misspelt", replace(added, `"hint"`, `"tip"`), "answer: unknown at body.tip"},
		{"a date that is none", replace(added, `"startDateTime":"`, `"startDateTime":"the day of `), "answer: pattern at body.startDateTime"},
		{"a key id that is no GUID", replace(added, `"keyId":"`, `"keyId":"x`), "answer: pattern at body.keyId"},
		{"a list that is none", replace(got, `"tags":[]`, `"tags":{}`), "answer: type at body.tags"},
		{"an error without a code", replace(absent, `"code"`, `"kode"`), "answer: required at body.error.code"},
	} {
		if _, wrong := b.judge(c.x); !slices.ContainsFunc(wrong, func(w string) bool { return strings.HasPrefix(w, c.want) }) {
			t.Errorf("%s: found %q; want %q", c.why, wrong, c.want)
		}
	}
}

// signIn asks for a token with Microsoft's client.
func (r *recorder) signIn(cred azcore.TokenCredential) error {
	_, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{vaultScope}})
	return err
}

func TestAnAppsNewSecretSignsInThroughMicrosoftsClient(t *testing.T) {
	r := record(t, func(s *world.State) {
		s.Knobs.Entra.NewSecretDelay, s.Knobs.Entra.Regions = world.Duration(10*time.Second), 2
	})
	token := r.token("administrator", graphScope)
	a := app(t, world.BuiltIn(), "deploy-platform")
	made := r.graph(token, "POST", "/applications/"+a.ID+"/addPassword", `{"passwordCredential":{"displayName":"new"}}`, 200)
	signIn := func(value string) error {
		cred := must(azidentity.NewClientSecretCredential(a.TenantID, a.ClientID, value, &azidentity.ClientSecretCredentialOptions{ClientOptions: r.options()}))(t)
		return r.signIn(cred)
	}
	value := made["secretText"].(string)
	if err := signIn(value); err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("at once: %v", err)
	}
	r.sim.World().Advance(10 * time.Second)
	for range 3 {
		if err := signIn(value); err != nil {
			t.Error(err)
		}
	}
	if err := signIn(a.ClientSecret); err != nil {
		t.Errorf("the old one: %v", err)
	}
	r.graph(token, "POST", "/applications/"+a.ID+"/removePassword", `{"keyId":"`+a.Secrets[0].KeyID+`"}`, 204)
	if err := signIn(a.ClientSecret); err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("the removed one: %v", err)
	}
	r.sim.World().Advance(3 * 365 * 24 * time.Hour)
	if err := signIn(value); err == nil || !strings.Contains(err.Error(), "AADSTS7000222") {
		t.Errorf("when it has expired: %v", err)
	}
}

func TestAnAppsNewCertificateSignsInThroughMicrosoftsClient(t *testing.T) {
	r := record(t, nil)
	state := world.BuiltIn()
	a := app(t, state, "signing-service")
	oldKey, oldCert := keyInVault(t, state)
	signIn := func(key *rsa.PrivateKey, cert *x509.Certificate) error {
		cred := must(azidentity.NewClientCertificateCredential(a.TenantID, a.ClientID, []*x509.Certificate{cert}, key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: r.options()}))(t)
		return r.signIn(cred)
	}
	if err := signIn(oldKey, oldCert); err != nil {
		t.Fatal(err)
	}
	newKey := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "new"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	newCert := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, newKey.Public(), newKey))(t)))(t)
	if err := signIn(newKey, newCert); err == nil || !strings.Contains(err.Error(), "AADSTS700027") {
		t.Errorf("before it is added: %v", err)
	}
	token := r.token("administrator", graphScope)
	body := must(json.Marshal(map[string]any{
		"keyCredential":      map[string]any{"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.StdEncoding.EncodeToString(newCert.Raw)},
		"passwordCredential": nil, "proof": proofOf(t, oldKey, a.ID),
	}))(t)
	r.graph(token, "POST", "/applications/"+a.ID+"/addKey", string(body), 200)
	if err := signIn(newKey, newCert); err != nil {
		t.Error(err)
	}
	r.graph(token, "POST", "/applications/"+a.ID+"/removeKey", fmt.Sprintf(`{"keyId":%q,"proof":%q}`, a.Certificates[0].KeyID, proofOf(t, newKey, a.ID)), 204)
	if err := signIn(oldKey, oldCert); err == nil || !strings.Contains(err.Error(), "AADSTS700027") {
		t.Errorf("the removed one: %v", err)
	}
	r.hold("application_addKey 200", "application_removeKey 204")
}

// keyInVault is the built-in app's, as its owner keeps it.
func keyInVault(t *testing.T, s world.State) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	for _, v := range s.Vaults {
		i := slices.IndexFunc(v.Secrets, func(x *world.Secret) bool { return x.Name == "signing-service-certificate" })
		if i < 0 {
			continue
		}
		key, rest := pem.Decode([]byte(v.Secrets[i].Versions[0].Value))
		cert, _ := pem.Decode(rest)
		return must(x509.ParsePKCS8PrivateKey(key.Bytes))(t).(*rsa.PrivateKey), must(x509.ParseCertificate(cert.Bytes))(t)
	}
	t.Fatal("no vault has the key")
	return nil, nil
}

func proofOf(t *testing.T, key *rsa.PrivateKey, object string) string {
	t.Helper()
	now := time.Now()
	b64 := base64.RawURLEncoding.EncodeToString
	claims := must(json.Marshal(map[string]any{"aud": "00000002-0000-0000-c000-000000000000", "iss": object, "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}))(t)
	signed := b64([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + b64(claims)
	sum := sha256.Sum256([]byte(signed))
	return signed + "." + b64(must(rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]))(t))
}

func TestAServiceAccountsNewPasswordSignsInAndEndsItsSessions(t *testing.T) {
	r := record(t, nil)
	u := user(t, world.BuiltIn(), "svc-batch")
	signIn := func(want int, password string) map[string]any {
		return r.grant(want, "grant_type", "password", "client_id", world.ClientAzureCLI, "username", u.UPN, "password", password, "scope", vaultScope+" offline_access")
	}
	session := signIn(200, u.Password)["refresh_token"].(string)
	redeem := func(want int) {
		r.grant(want, "grant_type", "refresh_token", "client_id", world.ClientAzureCLI, "refresh_token", session, "scope", vaultScope)
	}
	redeem(200)
	token := r.token("administrator", graphScope)
	r.graph(token, "PATCH", "/users/"+u.ID, `{"passwordProfile":{"password":"N3w.password.1","forceChangePasswordNextSignIn":false}}`, 204)
	signIn(400, u.Password)
	redeem(400)
	session = signIn(200, "N3w.password.1")["refresh_token"].(string)
	redeem(200)
	r.call("POST", graphURL+"/users/"+u.ID+"/revokeSignInSessions", token, "", 200)
	redeem(400)
	signIn(200, "N3w.password.1")
}
