package simtest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	vaultScope = "https://vault.azure.net/.default"
	patScope   = world.AzureDevOps + "/vso.pats_manage"
)

// signIn gets a token from an official credential.
func signIn(t *testing.T, cred azcore.TokenCredential, scope string) string {
	t.Helper()
	token, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{scope}, EnableCAE: true})
	if err != nil {
		t.Fatal(err)
	}
	if time.Until(token.ExpiresOn) < 50*time.Minute {
		t.Errorf("the client thinks that the token ends %v", token.ExpiresOn)
	}
	return token.Token
}

// assertion reads the header of the client assertion that was last sent.
func (r *recorder) assertion() map[string]any {
	r.t.Helper()
	form, err := url.ParseQuery(string(r.seen[len(r.seen)-1].body))
	if err != nil {
		r.t.Fatal(err)
	}
	head, _, _ := strings.Cut(form.Get("client_assertion"), ".")
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(b, &out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

func TestAnAppSignsInWithItsClientSecret(t *testing.T) {
	r := record(t, nil)
	signIn(t, r.signedIn("consumer"), vaultScope)
	if form, _ := url.ParseQuery(string(r.seen[len(r.seen)-1].body)); form.Get("client_secret") == "" || form.Get("claims") == "" {
		t.Error("the client sent no secret, or did not say that it takes claims challenges")
	}
	r.hold("OpenIDConfiguration 200", "Token 200")
}

func TestAWrongClientSecretIsRefusedAsEntraRefusesIt(t *testing.T) {
	r := record(t, nil)
	a := app(t, world.BuiltIn(), "consumer")
	cred := must(azidentity.NewClientSecretCredential(a.TenantID, a.ClientID, "not the secret", &azidentity.ClientSecretCredentialOptions{ClientOptions: r.options()}))(t)
	_, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{vaultScope}})
	if err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("got %v", err)
	}
	r.hold("Token 401")
}

func TestAnAppSignsInWithItsCertificate(t *testing.T) {
	key := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ci"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	cert := must(x509.ParseCertificate(der))(t)
	r := record(t, func(s *world.State) {
		app(t, *s, "ci").Certificates = []*world.KeyCredential{{
			KeyID: "0a0a0a0a-1b1b-4c2c-8d3d-4e4e4e4e4e4e", Name: "ci", Start: template.NotBefore, End: template.NotAfter, DER: der,
		}}
	})
	a := app(t, world.BuiltIn(), "ci")
	for _, chain := range []bool{false, true} {
		cred := must(azidentity.NewClientCertificateCredential(a.TenantID, a.ClientID, []*x509.Certificate{cert}, crypto.PrivateKey(key),
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: r.options(), SendCertificateChain: chain}))(t)
		signIn(t, cred, vaultScope)
		if h := r.assertion(); h["alg"] != "PS256" || h["x5t#S256"] == nil || (h["x5c"] != nil) != chain {
			t.Errorf("the client's assertion has the header %v", h)
		}
	}
	r.hold("Token 200")
}

func TestAWorkloadSignsInWithItsFederatedTokenFile(t *testing.T) {
	r := record(t, nil)
	a := app(t, world.BuiltIn(), "ci")
	file := filepath.Join(t.TempDir(), "token")
	for _, c := range []struct{ ref, want string }{{"refs/heads/main", ""}, {"refs/heads/other", "AADSTS700213"}} {
		assertion := must(r.sim.Entra().GitHubToken(map[string]any{
			"repository": "contoso/platform", "ref": c.ref, "aud": "api://AzureADTokenExchange",
		}))(t)
		if err := os.WriteFile(file, []byte(assertion), 0o600); err != nil {
			t.Fatal(err)
		}
		cred := must(azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: r.options(), ClientID: a.ClientID, TenantID: a.TenantID, TokenFilePath: file,
		}))(t)
		if c.want == "" {
			signIn(t, cred, vaultScope)
			continue
		}
		if _, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{vaultScope}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v; want %s", c.ref, err, c.want)
		}
	}
	r.hold("Token 200")
}

// msal is MSAL's public client, for what users do.
func (r *recorder) msal(clientID string) public.Client {
	r.t.Helper()
	return must(public.New(clientID, public.WithAuthority("https://login.microsoftonline.com/"+world.TenantID), public.WithHTTPClient(r.client())))(r.t)
}

func TestAUserSignsInWithAPasswordAndGoesOnWithTheRefreshToken(t *testing.T) {
	r := record(t, nil)
	u := user(t, world.BuiltIn(), "svc-devops-pat")
	c := r.msal(world.ClientAzureCLI)
	ctx := context.Background()
	//lint:ignore SA1019 what is deprecated is simulated, because the product falls back on it
	first := must(c.AcquireTokenByUsernamePassword(ctx, []string{patScope}, u.UPN, u.Password))(t)
	if first.Account.PreferredUsername != u.UPN || first.IDToken.Oid != u.ID {
		t.Errorf("the client reads %+v", first.Account)
	}
	// A token for something else is had with the refresh token.
	next := must(c.AcquireTokenSilent(ctx, []string{vaultScope}, public.WithSilentAccount(first.Account)))(t)
	if next.AccessToken == first.AccessToken {
		t.Error("the second token is the first")
	}
	form, _ := url.ParseQuery(string(r.seen[len(r.seen)-1].body))
	if form.Get("grant_type") != "refresh_token" {
		t.Errorf("the second token was had by %q", form.Get("grant_type"))
	}
	r.hold("UserRealm 200", "Token 200")
}

func TestAUserWithASecondFactorGetsNoTokenForAPassword(t *testing.T) {
	r := record(t, nil)
	u := user(t, world.BuiltIn(), "svc-mfa")
	//lint:ignore SA1019 what is deprecated is simulated, because the product falls back on it
	_, err := r.msal(world.ClientAzureCLI).AcquireTokenByUsernamePassword(context.Background(), []string{patScope}, u.UPN, u.Password)
	if err == nil || !strings.Contains(err.Error(), "AADSTS50076") {
		t.Errorf("got %v", err)
	}
	r.hold("Token 400")
}

func TestAPersonApprovesADeviceCode(t *testing.T) {
	r := record(t, func(s *world.State) { s.Knobs.Entra.DeviceInterval = world.Duration(time.Second) })
	u := user(t, world.BuiltIn(), "alex")
	cred := must(azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
		ClientOptions: r.options(), TenantID: world.TenantID, ClientID: app(t, world.BuiltIn(), "rekey-public").ClientID,
		UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
			if m.VerificationURL != "https://microsoft.com/devicelogin" {
				t.Errorf("the person is sent to %s", m.VerificationURL)
			}
			return r.sim.Entra().ApproveDevice(m.UserCode, u.UPN)
		},
	}))(t)
	signIn(t, cred, patScope)
	r.hold("DeviceCode 200", "Token 200")
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]+)">`)
	formField  = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
)

// browser is a person with a browser: it fills in the sign-in page, and sends the form that comes back to the
// client's own listener, which is a real one.
func (r *recorder) browser(u *world.User) func(string) error {
	return func(address string) error {
		resp, err := r.client().Get(address)
		if err != nil {
			return err
		}
		resp.Body.Close()
		resp, err = r.client().PostForm(address, url.Values{"username": {u.UPN}, "password": {u.Password}})
		if err != nil {
			return err
		}
		page, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		action := formAction.FindSubmatch(page)
		if action == nil {
			return errors.New("the sign-in page sent no form back")
		}
		fields := url.Values{}
		for _, f := range formField.FindAllSubmatch(page, -1) {
			fields.Set(string(f[1]), html.UnescapeString(string(f[2])))
		}
		resp, err = (&http.Client{Transport: &http.Transport{Proxy: nil}}).PostForm(html.UnescapeString(string(action[1])), fields)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
}

func TestAPersonSignsInWithABrowser(t *testing.T) {
	r := record(t, nil)
	u := user(t, world.BuiltIn(), "alex")
	c := r.msal(app(t, world.BuiltIn(), "rekey-public").ClientID)
	got := must(c.AcquireTokenInteractive(context.Background(), []string{patScope}, public.WithOpenURL(r.browser(u))))(t)
	if got.Account.PreferredUsername != u.UPN {
		t.Errorf("the client reads %+v", got.Account)
	}
	form, _ := url.ParseQuery(string(r.seen[len(r.seen)-1].body))
	if form.Get("grant_type") != "authorization_code" || form.Get("code_verifier") == "" {
		t.Error("the client sent no code with its verifier")
	}
	r.hold("Token 200")
}

var identities atomic.Int64

// newIdentity is a user-assigned managed identity that no other test has: MSAL keeps an identity's tokens for the
// whole process.
func newIdentity() *world.ManagedIdentity {
	n := identities.Add(1)
	return &world.ManagedIdentity{
		ID: fmt.Sprintf("a7bd7cea-133a-46cf-b58c-%012x", n), ClientID: fmt.Sprintf("eb2ab58c-d382-4db6-b2ac-%012x", n),
		TenantID: world.TenantID, Name: "assigned", ResourceID: fmt.Sprintf("/subscriptions/%s/resourceGroups/rg-rekey/providers/Microsoft.ManagedIdentity/userAssignedIdentities/%d", world.SubscriptionID, n),
	}
}

func TestAMachineSignsInWithItsManagedIdentity(t *testing.T) {
	for _, c := range []struct {
		where, endpoint, operation string
		id                         func(*world.ManagedIdentity) azidentity.ManagedIDKind
	}{
		{"on App Service, by client id", "http://localhost/msi/token", "ManagedIdentity 200",
			func(m *world.ManagedIdentity) azidentity.ManagedIDKind { return azidentity.ClientID(m.ClientID) }},
		{"on App Service, by object id", "http://localhost/msi/token", "ManagedIdentity 200",
			func(m *world.ManagedIdentity) azidentity.ManagedIDKind { return azidentity.ObjectID(m.ID) }},
		{"on App Service, by resource id", "http://localhost/msi/token", "ManagedIdentity 200",
			func(m *world.ManagedIdentity) azidentity.ManagedIDKind { return azidentity.ResourceID(m.ResourceID) }},
		{"on a virtual machine, by client id", "", "MetadataService 200",
			func(m *world.ManagedIdentity) azidentity.ManagedIDKind { return azidentity.ClientID(m.ClientID) }},
		{"on a virtual machine, by object id", "", "MetadataService 200",
			func(m *world.ManagedIdentity) azidentity.ManagedIDKind { return azidentity.ObjectID(m.ID) }},
		{"on a virtual machine, by resource id", "", "MetadataService 200",
			func(m *world.ManagedIdentity) azidentity.ManagedIDKind { return azidentity.ResourceID(m.ResourceID) }},
	} {
		t.Run(c.where, func(t *testing.T) {
			for _, name := range []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT"} {
				t.Setenv(name, "")
			}
			if c.endpoint != "" {
				t.Setenv("IDENTITY_ENDPOINT", c.endpoint)
				t.Setenv("IDENTITY_HEADER", world.BuiltIn().ManagedIdentities[0].Secret)
			}
			m := newIdentity()
			r := record(t, func(s *world.State) { s.ManagedIdentities = append(s.ManagedIdentities, m) })
			cred := must(azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: r.options(), ID: c.id(m)}))(t)
			signIn(t, cred, vaultScope)
			r.hold(c.operation)
		})
	}
}

func TestTheTokenEndpointAnswersEachGrantWithItsOwnMembers(t *testing.T) {
	r := record(t, nil)
	s := world.BuiltIn()
	u, public, consumer := user(t, s, "svc-devops-pat"), app(t, s, "rekey-public"), app(t, s, "consumer")
	members := func(got map[string]any, want ...string) {
		t.Helper()
		for _, k := range []string{"scope", "refresh_token", "id_token"} {
			wanted := strings.Contains(" "+strings.Join(want, " ")+" ", " "+k+" ")
			if _, ok := got[k]; ok != wanted {
				t.Errorf("%s: there is %v, wanted is %v", k, ok, wanted)
			}
		}
	}
	members(r.grant(200, "grant_type", "client_credentials", "client_id", consumer.ClientID, "client_secret", consumer.ClientSecret, "scope", vaultScope))
	password := []string{"grant_type", "password", "client_id", public.ClientID, "username", u.UPN, "password", u.Password, "scope"}
	members(r.grant(200, append(password, patScope)...), "scope")
	full := r.grant(200, append(password, patScope+" openid profile offline_access")...)
	members(full, "scope", "refresh_token", "id_token")
	refreshed := r.grant(200, "grant_type", "refresh_token", "client_id", public.ClientID, "refresh_token", full["refresh_token"].(string), "scope", patScope+" offline_access")
	members(refreshed, "scope", "refresh_token")
	if refreshed["refresh_token"] == full["refresh_token"] {
		t.Error("the refresh token was not replaced")
	}
	r.grant(400, "grant_type", "refresh_token", "client_id", public.ClientID, "refresh_token", "no such token", "scope", patScope)
	r.grant(400, append(password, "nonsense")...)
	r.call("GET", "https://login.microsoftonline.com/common/discovery/instance?api-version=1.1&authorization_endpoint="+
		url.QueryEscape("https://login.microsoftonline.com/"+world.TenantID+"/oauth2/v2.0/authorize"), "", "", 200)
	r.call("GET", "https://login.microsoftonline.com/common/discovery/v2.0/keys", "", "", 200)
	r.call("GET", "https://login.microsoftonline.com/common/UserRealm/"+u.UPN+"?api-version=1.0", "", "", 200)
	for _, tenant := range []string{world.TenantID, "contoso.onmicrosoft.com", "common", "organizations"} {
		r.call("GET", "https://login.microsoftonline.com/"+tenant+"/v2.0/.well-known/openid-configuration", "", "", 200)
	}
	r.call("GET", "https://login.microsoftonline.com/nowhere.example/v2.0/.well-known/openid-configuration", "", "", 400)
	r.hold("Token 200", "Token 400", "InstanceDiscovery 200", "Keys 200", "UserRealm 200", "OpenIDConfiguration 200", "OpenIDConfiguration 400")
}
