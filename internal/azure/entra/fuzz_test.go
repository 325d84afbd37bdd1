package entra_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/entra"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// mark is what the fuzzed bodies quote; no error may repeat it.
const mark = badinput.Secret

// words wants an error to be ours, and to quote nothing of the answer.
func words(t *testing.T, err error) { t.Helper(); hostile.Own(t, err, 600) }

// shelf is a store that holds one value and takes every other.
type shelf struct {
	driver.Store
	value []byte
	puts  int
}

func (s *shelf) Host() string { return "kv.vault.azure.net" }

func (s *shelf) Read(context.Context, string) (driver.Reading, error) {
	r := driver.Reading{Secret: rotation.Secret{State: rotation.Present, Version: "v"}}
	if s.value != nil {
		r.Value = secret.New(bytes.Clone(s.value))
	}
	return r, nil
}

func (s *shelf) Put(context.Context, driver.Put) (driver.Reading, error) {
	s.puts++
	return driver.Reading{Secret: rotation.Secret{State: rotation.Present, Version: "w"}}, nil
}

// platform answers as the identity platform does, but for one of its endpoints.
type platform struct {
	*badinput.Service
	bad string // in the path of what Service answers
}

const (
	authority     = "https://login.microsoftonline.com/contoso.onmicrosoft.com"
	honestRegion  = `{"tenant_discovery_endpoint":"` + authority + `/v2.0/.well-known/openid-configuration","api-version":"1.1","metadata":[{"preferred_network":"login.microsoftonline.com","preferred_cache":"login.windows.net","aliases":["login.microsoftonline.com"]}]}`
	honestConfig  = `{"token_endpoint":"` + authority + `/oauth2/v2.0/token","authorization_endpoint":"` + authority + `/oauth2/v2.0/authorize","device_authorization_endpoint":"` + authority + `/oauth2/v2.0/devicecode","issuer":"` + authority + `/v2.0","tenant_region_scope":"EU","claims_supported":["sub","iss"]}`
	honestRealm   = `{"ver":"1.0","account_type":"Managed","domain_name":"contoso.onmicrosoft.com","cloud_instance_name":"microsoftonline.com","cloud_audience_urn":"urn:federation:MicrosoftOnline"}`
	honestRefusal = `{"error":"invalid_grant","error_description":"AADSTS50126: ` + mark + `","error_codes":[50126],"timestamp":"2026-11-20 00:00:00Z","trace_id":"x","correlation_id":"y","suberror":"bad_token","claims":"{}"}`
)

// honestToken has an ID token and client info, both of which MSAL takes apart.
var honestToken = func() string {
	enc := base64.RawURLEncoding.EncodeToString
	id := enc([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + enc([]byte(`{"iss":"`+authority+`/v2.0","sub":"s","oid":"00000000-0000-4000-8000-000000000001","tid":"00000000-0000-4000-8000-000000000002","preferred_username":"svc@contoso","exp":1796083200}`)) + "." + enc([]byte("signature"))
	return `{"token_type":"Bearer","scope":"openid profile 499b84ac-1321-427f-aa17-267ca6975798/.default","expires_in":3599,"ext_expires_in":3599,"refresh_in":1800,"access_token":"` + mark + `","refresh_token":"` + mark + `","id_token":"` + id + `","client_info":"` + enc([]byte(`{"uid":"u","utid":"t"}`)) + `"}`
}()

func (p platform) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, p.bad) {
		return p.Service.RoundTrip(r)
	}
	honest := &badinput.Service{}
	switch path := strings.ToLower(r.URL.Path); {
	case strings.Contains(path, "discovery/instance"):
		honest.Body = []byte(honestRegion)
	case strings.Contains(path, "openid-configuration"):
		honest.Body = []byte(honestConfig)
	case strings.Contains(path, "userrealm"):
		honest.Body = []byte(honestRealm)
	case strings.Contains(path, "/token"):
		honest.Body = []byte(honestToken)
	default:
		honest.Status = 404
	}
	return honest.RoundTrip(r)
}

func account(p platform, cfg entra.AccountConfig) *entra.Account {
	cfg.Name, cfg.Authority, cfg.ClientID, cfg.Username = "svc", authority, "2bfcc342-eb74-4427-832c-db82f28995f4", "svc@contoso"
	return entra.NewAccount(cfg, azhttp.NewClient(p, nil))
}

// FuzzPasswordSignIn: what the identity platform's endpoints answer, one of them broken.
func FuzzPasswordSignIn(f *testing.F) {
	for i, honest := range []string{honestRegion, honestConfig, honestRealm, honestToken, honestRefusal} {
		for _, b := range badinput.Broken(honest) {
			f.Add(b, byte(min(i, 3)), i/4*400)
		}
	}
	f.Add([]byte(`{"account_type":"Federated","federation_protocol":"WSTrust","federation_metadata_url":"https://evil.example/mex"}`), byte(2), 200)
	f.Add([]byte(strings.ReplaceAll(honestConfig, "https://login.microsoftonline.com", "http://evil.example")), byte(1), 200)
	f.Add([]byte(strings.ReplaceAll(honestRegion, "login.microsoftonline.com", "evil.example")), byte(0), 200)
	for _, id := range []string{"", ".", "..", "a.b.c", "e30.e30.", "e30.bnVsbA.", strings.Repeat(".", 5000)} {
		f.Add([]byte(`{"access_token":"t","expires_in":1,"id_token":"`+id+`","client_info":"`+id+`"}`), byte(3), 200)
	}
	f.Fuzz(func(t *testing.T, body []byte, which byte, status int) {
		if status == 0 {
			status = 200
		}
		if status < 200 || status > 599 {
			return
		}
		bad := []string{"discovery/instance", "openid-configuration", "UserRealm", "/token"}[which%4]
		s := &badinput.Service{Status: status, Body: body}
		badinput.Bounded(t, 4*len(body), func() {
			a := account(platform{s, bad}, entra.AccountConfig{Password: &entra.SecretRef{Store: &shelf{value: []byte("the password")}, Name: "p"}})
			token, err := a.Token(t.Context(), "499b84ac-1321-427f-aa17-267ca6975798/.default", false)
			if err != nil {
				words(t, err)
			} else if token == "" {
				t.Error("a success without a token")
			}
		})
		s.Within(t)
	})
}

// FuzzSealedCache: what a vault's secret says that MSAL's cache is, as the secret holds it and below the wrapping.
func FuzzSealedCache(f *testing.F) {
	honest := `{"Account":{"a-b-c":{"home_account_id":"u.t","environment":"login.microsoftonline.com","realm":"t","local_account_id":"u","authority_type":"MSSTS","username":"svc@contoso"}},"RefreshToken":{"r":{"home_account_id":"u.t","environment":"login.microsoftonline.com","client_id":"2bfcc342-eb74-4427-832c-db82f28995f4","secret":"` + mark + `","credential_type":"RefreshToken"}},"AccessToken":{},"IdToken":{},"AppMetadata":{}}`
	for _, b := range badinput.Broken(honest) {
		f.Add(b, true)
	}
	f.Add(packed(f, []byte(honest)), false)
	f.Add(packed(f, bytes.Repeat([]byte(" "), 8<<20)), false) // 8 KB that become 8 MB
	f.Add(packed(f, []byte(honest))[:40], false)
	f.Add([]byte(mark), false)
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte("\x1f\x8b\x08\x00"))), false)
	f.Fuzz(func(t *testing.T, b []byte, wrap bool) {
		if wrap {
			b = packed(t, b)
		}
		store := &shelf{value: b}
		s := &badinput.Service{Status: 400, Body: []byte(honestRefusal)}
		badinput.Bounded(t, 4*len(b)+4<<10, func() {
			_, err := account(platform{s, "/token"}, entra.AccountConfig{Cache: &entra.SecretRef{Store: store, Name: "c"}}).Token(t.Context(), "scope", false)
			if err != nil {
				words(t, err)
			}
			if store.puts > 2 {
				t.Errorf("a cache that did not work was sealed again %d times", store.puts)
			}
		})
		s.Within(t)
	})
}

func packed(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(b.Bytes()))
}

// signIn asks one of Rekey's own identities for a token, over a service that answers alike.
func signIn(t *testing.T, s http.RoundTripper, id manifest.Identity, env entra.Environment) error {
	t.Helper()
	client := azhttp.NewClient(s, nil)
	cred, err := entra.NewIdentity(id, "contoso.onmicrosoft.com", client, client.Options(cloud.AzurePublic), env)
	if err != nil {
		return err
	}
	token, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}})
	if err != nil {
		words(t, err)
	} else if token.Token == "" {
		t.Error("a success without a token")
	}
	return nil
}

// FuzzManagedIdentity: what the machine's own endpoint answers.
func FuzzManagedIdentity(f *testing.F) {
	f.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
	f.Setenv("IDENTITY_HEADER", "header")
	for _, b := range badinput.Broken(`{"access_token":"` + mark + `","expires_on":"1796083200","resource":"https://vault.azure.net","token_type":"Bearer","client_id":"x"}`) {
		f.Add(b, 200)
	}
	for _, b := range badinput.Broken(`{"error":"invalid_request","error_description":"` + mark + `","statusCode":400,"message":"` + mark + `"}`) {
		f.Add(b, 400)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		switch status {
		case 404, 408, 410, 429:
			return // asked again
		}
		if status < 200 || status > 499 {
			return
		}
		s := &badinput.Service{Status: status, Body: body}
		badinput.Bounded(t, 2*len(body), func() {
			if err := signIn(t, s, manifest.Identity{ManagedIdentity: &manifest.ManagedIdentity{}}, entra.Environment{}); err != nil {
				t.Fatal(err)
			}
		})
		s.Within(t)
	})
}

// FuzzGitHubToken: what a job's token endpoint answers.
func FuzzGitHubToken(f *testing.F) {
	for _, b := range badinput.Broken(`{"count":1,"value":"` + mark + `"}`) {
		f.Add(b, 200)
	}
	f.Add([]byte(mark), 403)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 599 {
			return
		}
		s := &badinput.Service{Status: status, Body: body}
		env := entra.Environment{Getenv: func(name string) string {
			return map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "https://pipelines.actions.githubusercontent.com/idtoken?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}[name]
		}}
		badinput.Bounded(t, 2*len(body), func() {
			if err := signIn(t, platform{s, "/idtoken"}, manifest.Identity{GitHubOIDC: &manifest.GitHubOIDC{ClientID: "c", Audience: "a"}}, env); err != nil {
				t.Fatal(err)
			}
		})
		s.Within(t)
	})
}

// FuzzIdentityFile: what the files hold that a manifest's identity names. Nothing of them is quoted.
func FuzzIdentityFile(f *testing.F) {
	for _, s := range []string{"", "\n", "value\n", " value\r\n", "\ufeffvalue", "v\x00a\x00l\x00", "\xff\xfev\x00", "two\nlines", mark, strings.Repeat("x", 1<<20),
		"-----BEGIN CERTIFICATE-----\n" + mark + "\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "0\x82\x01\x00\x02\x01\x03"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		env := entra.Environment{ReadFile: func(string) ([]byte, error) { return bytes.Clone(b), nil }, Getenv: func(string) string { return "" }}
		s := &badinput.Service{Status: 400, Body: []byte(honestRefusal)}
		badinput.Bounded(t, 8*len(b), func() {
			err := signIn(t, platform{s, "/token"}, manifest.Identity{ClientSecret: &manifest.ClientSecret{ClientID: "c", File: "secret.txt"}}, env)
			text := strings.TrimSpace(strings.TrimPrefix(string(b), "\ufeff"))
			if (err == nil) != (text != "" && strings.ToValidUTF8(text, "") == text && !strings.ContainsFunc(text, unicode.IsControl)) {
				t.Errorf("%v", err)
			}
			kept(t, err)
			client := azhttp.NewClient(s, nil)
			_, err = entra.NewIdentity(manifest.Identity{ClientCertificate: &manifest.ClientCertificate{ClientID: "c", Path: "cert.pem"}}, "contoso.onmicrosoft.com", client, client.Options(cloud.AzurePublic), env)
			kept(t, err)
		})
	})
}

// kept wants an error about a file to quote nothing of it.
func kept(t *testing.T, err error) {
	t.Helper()
	if err != nil && (strings.Contains(err.Error(), mark) || len(err.Error()) > 300) {
		t.Errorf("%q", err)
	}
}

func TestASecretFromAFileIsOneLineOfText(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		sent string // "": refused
	}{
		"a line":                     {"the~value\n", "the~value"},
		"a line of Windows":          {"the~value\r\n", "the~value"},
		"a mark that an editor made": {"\ufeffthe~value\r\n", "the~value"},
		"two bytes a character":      {"\xff\xfet\x00h\x00e\x00", ""},
		"nothing":                    {" \n", ""},
		"two lines":                  {"the\nvalue", ""},
	} {
		t.Run(name, func(t *testing.T) {
			sent := ""
			hear := roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Body != nil {
					_ = r.ParseForm()
					sent = r.PostForm.Get("client_secret")
				}
				return platform{&badinput.Service{}, "nothing"}.RoundTrip(r)
			})
			env := entra.Environment{ReadFile: func(string) ([]byte, error) { return []byte(c.file), nil }, Getenv: os.Getenv}
			err := signIn(t, hear, manifest.Identity{ClientSecret: &manifest.ClientSecret{ClientID: "c", File: "secret.txt"}}, env)
			if sent != c.sent || (err == nil) != (c.sent != "") {
				t.Errorf("%q was sent, %v", sent, err)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheHonestAnswersOfTheFuzzTargetsAreHonest(t *testing.T) {
	for _, s := range []string{honestRegion, honestConfig, honestRealm, honestToken, honestRefusal} {
		if !json.Valid([]byte(s)) {
			t.Errorf("%s", s)
		}
	}
	a := account(platform{&badinput.Service{}, "nothing"}, entra.AccountConfig{Password: &entra.SecretRef{Store: &shelf{value: []byte("p")}, Name: "p"}})
	if token, err := a.Token(t.Context(), "499b84ac-1321-427f-aa17-267ca6975798/.default", false); err != nil || token != mark {
		t.Errorf("%q, %v", token, err)
	}
}

func TestAnEndlessAnswerOfTheIdentityPlatformIsNotReadToItsEnd(t *testing.T) {
	for _, bad := range []string{"discovery/instance", "openid-configuration", "UserRealm", "/token"} {
		s := &badinput.Service{Endless: true, Body: []byte("{}")}
		badinput.Bounded(t, 4*badinput.MostRead, func() {
			a := account(platform{s, bad}, entra.AccountConfig{Password: &entra.SecretRef{Store: &shelf{value: []byte("p")}, Name: "p"}})
			if _, err := a.Token(t.Context(), "scope", false); err == nil {
				t.Errorf("%s: it was taken", bad)
			} else {
				words(t, err)
			}
		})
		s.Within(t)
	}
}

// FuzzClientSignIn: the same answers for an application, which another part of MSAL reads.
func FuzzClientSignIn(f *testing.F) {
	for i, honest := range []string{honestRegion, honestConfig, honestToken, honestRefusal} {
		for _, b := range badinput.Broken(honest) {
			f.Add(b, byte(min(i, 2)), 200+i/3*200)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, which byte, status int) {
		if status < 200 || status > 499 || status == 408 || status == 429 {
			return // asked again
		}
		s := &badinput.Service{Status: status, Body: body}
		env := entra.Environment{Getenv: func(string) string { return "the value" }}
		badinput.Bounded(t, 4*len(body), func() {
			bad := []string{"discovery/instance", "openid-configuration", "/token"}[which%3]
			if err := signIn(t, platform{s, bad}, manifest.Identity{ClientSecret: &manifest.ClientSecret{ClientID: "c", Env: "X"}}, env); err != nil {
				t.Fatal(err)
			}
		})
		s.Within(t)
	})
}
