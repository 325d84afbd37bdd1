package entra

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

var (
	ownKey   = sync.OnceValue(func() *signer { return newSigner("worker", 2048) })
	otherKey = sync.OnceValue(func() *signer { return newSigner("stranger", 2048) })
)

// assertion makes a client assertion as a client would.
func assertion(t *testing.T, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	head, err1 := json.Marshal(header)
	body, err2 := json.Marshal(claims)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	signed := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(signed))
	var sig []byte
	var err error
	switch header["alg"] {
	case "PS256":
		sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
	default:
		sig, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(sig)
}

// withCertificate gives the consumer a certificate, and the header and claims of a good assertion.
func withCertificate(t *testing.T) (x *sim, header, claims map[string]any) {
	x = newSim(t)
	x.app(consumer).Certificates = []*world.KeyCredential{{KeyID: "k", Start: x.now.Add(-time.Hour), End: x.now.Add(time.Hour), DER: ownKey().cert}}
	long := sha256.Sum256(ownKey().cert)
	return x, map[string]any{"typ": "JWT", "alg": "PS256", "x5t#S256": b64(long[:])}, map[string]any{
		"aud": tokenURL(world.TenantID), "iss": consumer, "sub": consumer, "jti": "1", "nbf": x.now.Unix(), "exp": x.now.Add(10 * time.Minute).Unix(),
	}
}

func (x *sim) assertionForm(app, raw string) url.Values {
	return pairs("grant_type", "client_credentials", "client_id", app, "client_assertion_type", bearerAssertion, "client_assertion", raw, "scope", vaultScope)
}

func TestACertificateSignsInInEveryFormThatClientsUse(t *testing.T) {
	short, long := sha1.Sum(ownKey().cert), sha256.Sum256(ownKey().cert)
	for _, c := range []struct {
		what           string
		header, claims map[string]any
	}{
		{"Go: PS256, SHA-256 in padded standard base64", map[string]any{"x5t#S256": base64.StdEncoding.EncodeToString(long[:])}, nil},
		{"JavaScript: PS256, SHA-256 in base64url", nil, nil},
		{"Python: RS256, SHA-1 in padded base64url, times as floats", map[string]any{"alg": "RS256", "x5t#S256": "", "x5t": base64.URLEncoding.EncodeToString(short[:])}, map[string]any{"nbf": nil, "iat": 1795255200.25, "exp": 1795255800.75}},
		{"RS256, SHA-1 in base64url", map[string]any{"alg": "RS256", "x5t#S256": "", "x5t": b64(short[:])}, nil},
		{"with the chain", map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString(ownKey().cert)}}, nil},
		{"for the domain's v1 endpoint", nil, map[string]any{"aud": "https://login.windows.net/contoso.onmicrosoft.com/oauth2/token"}},
		{"for the v2 issuer", nil, map[string]any{"aud": "https://login.microsoftonline.com/" + world.TenantID + "/v2.0"}},
		{"for the v1 issuer, in a list", nil, map[string]any{"aud": []string{"https://sts.windows.net/" + world.TenantID + "/"}}},
		{"by a clock four minutes ahead", nil, map[string]any{"nbf": 1795255200 + 240}},
	} {
		t.Run(c.what, func(t *testing.T) {
			x, header, claims := withCertificate(t)
			maps.Copy(header, c.header)
			maps.Copy(claims, c.claims)
			m := x.token(x.assertionForm(consumer, assertion(t, ownKey().key, header, claims))).ok(t)
			if claimsOf(t, m["access_token"])["appidacr"] != "2" {
				t.Error("the token does not say that an assertion proved the client")
			}
		})
	}
}

func TestAnAssertionIsRefused(t *testing.T) {
	strange := sha256.Sum256(otherKey().cert)
	for _, c := range []struct {
		why            string
		header, claims map[string]any
		key            *rsa.PrivateKey
		code           int
	}{
		{"with a thumbprint of no certificate of the app", map[string]any{"x5t#S256": b64(strange[:])}, nil, otherKey().key, 700027},
		{"without a thumbprint", map[string]any{"x5t#S256": ""}, nil, nil, 700027},
		{"signed with another key", nil, nil, otherKey().key, 700027},
		{"for another tenant", nil, map[string]any{"aud": tokenURL("00000000-0000-0000-0000-000000000001")}, nil, 700023},
		{"without an audience", nil, map[string]any{"aud": nil}, nil, 700023},
		{"of another client", nil, map[string]any{"iss": administrator, "sub": administrator}, nil, 700021},
		{"about another subject", nil, map[string]any{"sub": administrator}, nil, 700021},
		{"that has expired", nil, map[string]any{"nbf": 1795255200 - 1200, "exp": 1795255200 - 300}, nil, 700024},
		{"from the future", nil, map[string]any{"nbf": 1795255200 + 301}, nil, 700024},
		{"without an end", nil, map[string]any{"exp": nil}, nil, 50027},
		{"with no algorithm", map[string]any{"alg": "none"}, nil, nil, 50027},
		{"with a shared key's algorithm", map[string]any{"alg": "HS256"}, nil, nil, 50027},
	} {
		t.Run(c.why, func(t *testing.T) {
			x, header, claims := withCertificate(t)
			maps.Copy(header, c.header)
			maps.Copy(claims, c.claims)
			key := c.key
			if key == nil {
				key = ownKey().key
			}
			x.token(x.assertionForm(consumer, assertion(t, key, header, claims))).refused(t, 401, "invalid_client", c.code)
		})
	}

	x, header, claims := withCertificate(t)
	raw := assertion(t, ownKey().key, header, claims)
	x.token(x.assertionForm(consumer, "not.a.token")).refused(t, 401, "invalid_client", 50027)
	x.token(with(x.assertionForm(consumer, raw), "client_assertion_type", "")).refused(t, 400, "invalid_request", 900144)
	x.token(with(x.assertionForm(consumer, raw), "client_assertion_type", "urn:other")).refused(t, 400, "invalid_request", 90023)
	head, rest, _ := strings.Cut(raw, ".")
	_, sig, _ := strings.Cut(rest, ".")
	claims["exp"] = x.now.Add(time.Hour).Unix()
	body, _ := json.Marshal(claims)
	x.token(x.assertionForm(consumer, head+"."+b64(body)+"."+sig)).refused(t, 401, "invalid_client", 700027)
	x.app(consumer).Certificates[0].End = x.now
	x.token(x.assertionForm(consumer, raw)).refused(t, 401, "invalid_client", 700027)
}

func TestAssertionsAreJudgedByTheRealClock(t *testing.T) {
	x, header, claims := withCertificate(t)
	x.app(consumer).Certificates[0].End = x.now.AddDate(1, 0, 0)
	raw := assertion(t, ownKey().key, header, claims)
	x.w.Advance(30 * 24 * time.Hour)
	access := x.token(x.assertionForm(consumer, raw)).ok(t)["access_token"]
	if got, want := x.record(access).Expires, x.now.Add(30*24*time.Hour+3599*time.Second); !got.Equal(want) {
		t.Errorf("the token expires %v, want %v by the world's clock", got, want)
	}
	x.now = x.now.Add(15 * time.Minute)
	x.token(x.assertionForm(consumer, raw)).refused(t, 401, "invalid_client", 700024)
}

func TestAFederatedAssertionMustMatchExactly(t *testing.T) {
	good := map[string]any{"aud": tokenExchange, "repository": "contoso/platform", "ref": "refs/heads/main"}
	for _, c := range []struct {
		what   string
		claims map[string]any
		world  func(*sim)
		status int
		code   int
	}{
		{"as it is trusted", nil, nil, 200, 0},
		{"of another branch", map[string]any{"ref": "refs/heads/dev"}, nil, 401, 700213},
		{"of the branch in another case", map[string]any{"ref": "refs/heads/Main"}, nil, 401, 700213},
		{"of another issuer", map[string]any{"iss": "https://token.actions.githubusercontent.com/"}, nil, 401, 700211},
		{"for another audience", map[string]any{"aud": "https://github.com/contoso"}, nil, 401, 700212},
		{"too late", map[string]any{"exp": 1795255200 - 301}, nil, 401, 700024},
		{"to an app that trusts nobody", nil, func(x *sim) { x.app(ciApp).FederatedCredentials = nil }, 401, 70025},
		{"whose issuer's keys are others", nil, func(x *sim) {
			set, _ := json.Marshal(jwks{[]jwk{otherKey().jwk("")}})
			x.app(ciApp).FederatedCredentials[0].JWKS = string(set)
		}, 401, 700027},
	} {
		t.Run(c.what, func(t *testing.T) {
			x := newSim(t)
			claims := maps.Clone(good)
			maps.Copy(claims, c.claims)
			raw, err := x.GitHubToken(claims)
			if err != nil {
				t.Fatal(err)
			}
			if c.world != nil {
				c.world(x)
			}
			a := x.token(x.assertionForm(ciApp, raw))
			if c.status == 200 {
				a.ok(t)
				return
			}
			a.refused(t, c.status, "invalid_client", c.code)
			if c.code/10 == 70021 {
				x.w.Knobs.Entra.OldFederationErrors = true
				x.token(x.assertionForm(ciApp, raw)).refused(t, 400, "invalid_request", 70021)
			}
		})
	}
}

func TestAnotherIssuerIsTrustedThroughItsKeySet(t *testing.T) {
	x := newSim(t)
	set, _ := json.Marshal(jwks{[]jwk{otherKey().jwk("")}})
	x.app(ciApp).FederatedCredentials = append(x.app(ciApp).FederatedCredentials, &world.FederatedCredential{
		Issuer: "https://vstoken.dev.azure.com/1", Subject: "sc://contoso/platform/azure", Audiences: []string{tokenExchange}, JWKS: string(set),
	})
	claims := map[string]any{"iss": "https://vstoken.dev.azure.com/1", "sub": "sc://contoso/platform/azure", "aud": tokenExchange, "exp": x.now.Add(time.Minute).Unix()}
	header := map[string]any{"alg": "RS256", "kid": otherKey().kid}
	x.token(x.assertionForm(ciApp, assertion(t, otherKey().key, header, claims))).ok(t)
	x.token(x.assertionForm(ciApp, assertion(t, ownKey().key, header, claims))).refused(t, 401, "invalid_client", 700027)
}

func TestAManagedIdentityStandsInForAnApp(t *testing.T) {
	x := newSim(t)
	mi := x.w.ManagedIdentities[0]
	x.app(ciApp).FederatedCredentials = []*world.FederatedCredential{{Issuer: issuerV2(world.TenantID), Subject: mi.ID, Audiences: []string{tokenExchange}}}
	x.w.Advance(30 * 24 * time.Hour)
	raw, expires, err := x.IssueAppToken(mi.ID, mi.ClientID, mi.TenantID, mi.Name, tokenExchange)
	if err != nil {
		t.Fatal(err)
	}
	if want := x.now.Add(30*24*time.Hour + 3599*time.Second); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
	x.token(x.assertionForm(ciApp, raw)).ok(t)
	x.w.Advance(2 * time.Hour)
	x.token(x.assertionForm(ciApp, raw)).refused(t, 401, "invalid_client", 700024)
}

func TestTheManagedIdentityEndpointGetsTokens(t *testing.T) {
	x := newSim(t)
	mi := x.w.ManagedIdentities[0]
	raw, _, err := x.IssueAppToken(mi.ID, mi.ClientID, mi.TenantID, mi.Name, "https://vault.azure.net/")
	if err != nil {
		t.Fatal(err)
	}
	if got := x.record(raw); got.ObjectID != mi.ID || got.Audience != "https://vault.azure.net" || got.User || got.Name != mi.Name {
		t.Errorf("%+v", got)
	}
	if _, _, err := x.IssueAppToken(mi.ID, mi.ClientID, mi.TenantID, mi.Name, "https://nothing.example"); err == nil || !contains(err.Error(), "AADSTS500011") {
		t.Errorf("an unknown resource: %v", err)
	}
	if _, _, err := x.IssueAppToken(mi.ID, mi.ClientID, "nobody.example", mi.Name, "https://vault.azure.net"); err == nil || !contains(err.Error(), "AADSTS90002") {
		t.Errorf("an unknown tenant: %v", err)
	}
}
