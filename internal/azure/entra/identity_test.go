package entra_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/entra"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// machine is where Rekey runs: its environment, its files, and what it can reach.
type machine struct {
	s     *sim.Server
	env   map[string]string
	files map[string][]byte
	// pipelines answers for the organisation's own token endpoint, which the simulator does not have.
	pipelines func(*http.Request) *http.Response
}

func (m *machine) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.pipelines != nil && r.URL.Host == "pipelines.contoso.example" {
		return m.pipelines(r), nil
	}
	return m.s.Transport().RoundTrip(r)
}

// identity makes what a manifest names, and never lets it probe: the machine's own identity is always on loopback.
func (m *machine) identity(t *testing.T, id manifest.Identity) (*azhttp.Credential, error) {
	t.Helper()
	client := azhttp.NewClient(m, nil)
	return entra.NewIdentity(id, "contoso.onmicrosoft.com", client, client.Options(cloud.AzurePublic), entra.Environment{
		Getenv: func(name string) string { return m.env[name] },
		ReadFile: func(path string) ([]byte, error) {
			if b, ok := m.files[path]; ok {
				return b, nil
			}
			return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
		},
	})
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	s, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1"+sim.IdentityPath)
	t.Setenv("IDENTITY_HEADER", s.World().ManagedIdentities[0].Secret)
	return &machine{s: s, env: map[string]string{}, files: map[string][]byte{}}
}

func (m *machine) app(name string) *world.App {
	return m.s.World().Apps[slices.IndexFunc(m.s.World().Apps, func(a *world.App) bool { return a.Name == name })]
}

var mainBranch = map[string]any{"repository": "contoso/platform", "ref": "refs/heads/main"}

func (m *machine) assertion(t *testing.T) string {
	t.Helper()
	claims := map[string]any{"aud": "api://AzureADTokenExchange"}
	for k, v := range mainBranch {
		claims[k] = v
	}
	raw, err := m.s.Entra().GitHubToken(claims)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// certificate gives an app a certificate, and returns it with its key as a PEM file.
func certificate(t *testing.T, a *world.App) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rekey"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a.Certificates = append(a.Certificates, &world.KeyCredential{KeyID: "00000000-0000-4000-8000-00000000ce27", Start: c.NotBefore, End: c.NotAfter, DER: der})
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
}

func TestEachIdentityOfAManifestSignsIn(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*testing.T, *machine) (manifest.Identity, string) // and the object id of who is to be signed in
	}{
		{"managedIdentity", func(t *testing.T, m *machine) (manifest.Identity, string) {
			return manifest.Identity{ManagedIdentity: &manifest.ManagedIdentity{}}, m.s.World().ManagedIdentities[0].ID
		}},
		{"managedIdentity, user-assigned, by client id", func(t *testing.T, m *machine) (manifest.Identity, string) {
			w := m.s.World()
			assigned := &world.ManagedIdentity{ID: w.NewID(), ClientID: w.NewID(), TenantID: world.TenantID, Name: "assigned",
				ResourceID: "/subscriptions/" + world.SubscriptionID + "/resourceGroups/rg-rekey/providers/Microsoft.ManagedIdentity/userAssignedIdentities/assigned"}
			w.ManagedIdentities = append(w.ManagedIdentities, assigned)
			return manifest.Identity{ManagedIdentity: &manifest.ManagedIdentity{ClientID: assigned.ClientID}}, assigned.ID
		}},
		{"workloadIdentity", func(t *testing.T, m *machine) (manifest.Identity, string) {
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte(m.assertion(t)), 0o600); err != nil {
				t.Fatal(err)
			}
			return manifest.Identity{WorkloadIdentity: &manifest.WorkloadIdentity{ClientID: m.app("ci").ClientID, TokenFile: file}}, m.app("ci").ServicePrincipalID
		}},
		{"githubOIDC", func(t *testing.T, m *machine) (manifest.Identity, string) {
			m.env["ACTIONS_ID_TOKEN_REQUEST_URL"] = "https://token.actions.githubusercontent.com/_sim/token?api-version=2.0"
			m.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = m.s.Entra().MintRunnerToken(mainBranch)
			return manifest.Identity{GitHubOIDC: &manifest.GitHubOIDC{ClientID: m.app("ci").ClientID, Audience: "api://AzureADTokenExchange"}}, m.app("ci").ServicePrincipalID
		}},
		{"azurePipelines", func(t *testing.T, m *machine) (manifest.Identity, string) {
			const access = "the job's System.AccessToken"
			t.Setenv("SYSTEM_OIDCREQUESTURI", "https://pipelines.contoso.example/oidc")
			m.env["SYSTEM_ACCESSTOKEN"] = access
			m.pipelines = func(r *http.Request) *http.Response {
				resp := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
					Body: io.NopCloser(strings.NewReader(`{"oidcToken":"` + m.assertion(t) + `"}`))}
				if r.Header.Get("Authorization") != "Bearer "+access || r.URL.Query().Get("serviceConnectionId") != "00000000-0000-4000-8000-00000000c0de" {
					resp.StatusCode = 401
				}
				return resp
			}
			return manifest.Identity{AzurePipelines: &manifest.AzurePipelines{ClientID: m.app("ci").ClientID, ServiceConnectionID: "00000000-0000-4000-8000-00000000c0de"}}, m.app("ci").ServicePrincipalID
		}},
		{"clientCertificate", func(t *testing.T, m *machine) (manifest.Identity, string) {
			m.files["rekey.pem"] = certificate(t, m.app("consumer"))
			return manifest.Identity{ClientCertificate: &manifest.ClientCertificate{ClientID: m.app("consumer").ClientID, Path: "rekey.pem"}}, m.app("consumer").ServicePrincipalID
		}},
		{"clientSecret, in the environment", func(t *testing.T, m *machine) (manifest.Identity, string) {
			m.env["REKEY_SECRET"] = m.app("consumer").ClientSecret
			return manifest.Identity{ClientSecret: &manifest.ClientSecret{ClientID: m.app("consumer").ClientID, Env: "REKEY_SECRET"}}, m.app("consumer").ServicePrincipalID
		}},
		{"clientSecret, in a file", func(t *testing.T, m *machine) (manifest.Identity, string) {
			m.files["secret"] = []byte(m.app("consumer").ClientSecret + "\n")
			return manifest.Identity{ClientSecret: &manifest.ClientSecret{ClientID: m.app("consumer").ClientID, File: "secret"}}, m.app("consumer").ServicePrincipalID
		}},
		{"azureCLI", func(t *testing.T, m *machine) (manifest.Identity, string) {
			if runtime.GOOS == "windows" {
				t.Skip("the stand-in for az is a shell script")
			}
			token, expires, err := m.s.Entra().IssueAppToken(m.app("ci").ServicePrincipalID, m.app("ci").ClientID, world.TenantID, "ci", "https://vault.azure.net")
			if err != nil {
				t.Fatal(err)
			}
			script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in\n*'account get-access-token'*vault.azure.net*) echo '{\"accessToken\":\"%s\",\"expires_on\":%d,\"tokenType\":\"Bearer\"}';;\n*) exit 2;;\nesac\n", token, expires.Unix())
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "az"), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			return manifest.Identity{AzureCLI: &manifest.AzureCLI{}}, m.app("ci").ServicePrincipalID
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			id, want := c.make(t, m)
			cred, err := m.identity(t, id)
			if err != nil {
				t.Fatal(err)
			}
			got, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}})
			if err != nil {
				t.Fatal(err)
			}
			w := m.s.World()
			w.Lock()
			defer w.Unlock()
			if token, ok := w.TokenOf(got.Token); !ok || token.ObjectID != want || token.Audience != "https://vault.azure.net" {
				t.Errorf("signed in as %s for %s, want %s", token.ObjectID, token.Audience, want)
			}
		})
	}
}

func TestAnIdentityThatCannotWorkSaysWhatIsMissing(t *testing.T) {
	const id = "00000000-0000-4000-8000-000000000001"
	for _, c := range []struct {
		name string
		id   manifest.Identity
		want string
	}{
		{"none", manifest.Identity{}, "names no identity"},
		{"a secret's variable", manifest.Identity{ClientSecret: &manifest.ClientSecret{ClientID: id, Env: "REKEY_SECRET"}}, "REKEY_SECRET is not set"},
		{"a secret's file", manifest.Identity{ClientSecret: &manifest.ClientSecret{ClientID: id, File: "none"}}, "none"},
		{"a certificate's file", manifest.Identity{ClientCertificate: &manifest.ClientCertificate{ClientID: id, Path: "none.pem"}}, "none.pem"},
		{"a certificate", manifest.Identity{ClientCertificate: &manifest.ClientCertificate{ClientID: id, Path: "bad.pem"}}, "bad.pem holds no certificate"},
		{"a pipeline's access", manifest.Identity{AzurePipelines: &manifest.AzurePipelines{ClientID: id, ServiceConnectionID: id}}, "SYSTEM_ACCESSTOKEN"},
	} {
		m := newMachine(t)
		m.files["bad.pem"] = []byte("-----BEGIN PRIVATE KEY-----\ns3cr3t key\n")
		_, err := m.identity(t, c.id)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	m := newMachine(t)
	cred, err := m.identity(t, manifest.Identity{GitHubOIDC: &manifest.GitHubOIDC{ClientID: id}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"x/.default"}})
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != driver.Denied || !strings.Contains(e.Hint, "id-token: write") {
		t.Errorf("a job without id-token: write: %v", err)
	}
}

func TestARefusedIdentitySaysItsCodeAndNoSecret(t *testing.T) {
	m := newMachine(t)
	const wrong = "wr0ng~secret-of-some-length-for-consumer"
	m.env["REKEY_SECRET"] = wrong
	cred, err := m.identity(t, manifest.Identity{ClientSecret: &manifest.ClientSecret{ClientID: m.app("consumer").ClientID, Env: "REKEY_SECRET"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}})
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != driver.Denied || e.Code != "AADSTS7000215" || bytes.Contains([]byte(err.Error()+e.Hint), []byte(wrong)) {
		t.Errorf("%v", err)
	}
}
