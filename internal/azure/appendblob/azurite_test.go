package appendblob_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/appendblob"
	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/ledger/hometest"
)

// TestAzuriteIsAHome has Microsoft's own emulator of the Blob service referee: what the simulator and the adapter could
// both have wrong. It is no part of the repository:
//
//	npm install --prefix DIR azurite
//	REKEY_AZURITE=DIR/node_modules/.bin/azurite-blob go test ./internal/azure/appendblob -run Azurite
func TestAzuriteIsAHome(t *testing.T) {
	program := os.Getenv("REKEY_AZURITE")
	if program == "" {
		t.Skip("REKEY_AZURITE names no azurite-blob: install it with npm, and name it")
	}
	a := startAzurite(t, program)
	n := 0
	hometest.Run(t, func(t *testing.T, name string, test func(*testing.T, hometest.Bed)) {
		n++
		base := fmt.Sprintf("%s/ledger/test%d", a.account, n)
		t.Run(name, func(t *testing.T) {
			test(t, hometest.Bed{
				Open: func() ledger.Home { return a.open(t, base) },
				Tear: func(p ledger.Part, text string) {
					a.send(t, base+"/"+string(p)+"?comp=appendblock", text)
				},
			})
		})
	})
}

// azurite is a running emulator.
type azurite struct {
	account string
	client  *http.Client
}

func startAzurite(t *testing.T, program string) *azurite {
	dir := t.TempDir()
	cert, key, pool := certificate(t, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command(program, "--location", dir, "--blobHost", "127.0.0.1", "--blobPort", fmt.Sprint(port), "--oauth", "basic", "--cert", cert, "--key", key,
		"--silent", "--disableTelemetry", "--skipApiVersionCheck")
	out := &output{ready: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	select {
	case <-out.ready:
	case <-time.After(2 * time.Minute):
		t.Fatalf("azurite does not listen: %s", out)
	}
	a := &azurite{account: fmt.Sprintf("https://127.0.0.1:%d/devstoreaccount1", port),
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}}
	a.send(t, a.account+"/ledger?restype=container", "")
	return a
}

// output is what a program prints, until it says that it listens.
type output struct {
	mu    sync.Mutex
	b     bytes.Buffer
	once  sync.Once
	ready chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b.Write(p)
	if strings.Contains(o.b.String(), "successfully listening") || strings.Contains(o.b.String(), "successfully listens") {
		o.once.Do(func() { close(o.ready) })
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool = x509.NewCertPool()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(text)
	for name, b := range map[string][]byte{cert: text, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

// bearer is a token that the emulator takes: it looks at what one says, and not at its signature.
type bearer struct{}

func (bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	now := time.Now()
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	claims := fmt.Sprintf(`{"aud":"https://storage.azure.com","iss":"https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/","iat":%d,"nbf":%d,"exp":%d}`, now.Unix()-60, now.Unix()-60, now.Unix()+3600)
	return azcore.AccessToken{Token: part(`{"typ":"JWT","alg":"RS256"}`) + "." + part(claims) + "." + part("signature"), ExpiresOn: now.Add(time.Hour)}, nil
}

func (a *azurite) open(t *testing.T, base string) *appendblob.Home {
	client := azhttp.NewClient(a.client.Transport, nil)
	cred := azhttp.NewCredential("test", bearer{})
	return appendblob.New(t.Context(), base, client.Renewing(client.Options(cloud.AzurePublic), cred), cred)
}

// send is a request of somebody else's.
func (a *azurite) send(t *testing.T, address, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := bearer{}.GetToken(t.Context(), policy.TokenRequestOptions{})
	req.Header.Set("Authorization", "Bearer "+token.Token)
	req.Header.Set("X-Ms-Version", "2023-11-03")
	resp, err := a.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s", address, resp.Status)
	}
}
