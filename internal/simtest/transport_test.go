package simtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// listen starts a simulator on loopback, and gives the certificates that its clients trust.
func listen(t *testing.T, cfg sim.ListenConfig) (*sim.Server, *sim.Endpoints, *x509.CertPool) {
	t.Helper()
	s := must(sim.New(sim.Config{Dir: t.TempDir()}))(t)
	ctx, stop := context.WithCancel(context.Background())
	e := must(s.Listen(ctx, cfg))(t)
	t.Cleanup(func() { stop(); e.Wait() })
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(must(os.ReadFile(e.CA))(t)) {
		t.Fatal("the authority's file holds no certificate")
	}
	return s, e, pool
}

// everything has Microsoft's clients sign in and use vault and organisation, over whatever r's transport is.
func everything(t *testing.T, r *recorder) {
	secretsLife(t, r, r.secrets(r.signedIn("administrator")))
	bearer := r.person()
	made := r.call("POST", patsURL+"?api-version=7.1-preview.1", bearer, `{"displayName":"one","scope":"vso.project","allOrgs":false}`, 200)
	pat := made["patToken"].(map[string]any)["token"].(string)
	r.call("GET", "https://dev.azure.com/contoso/_apis/connectionData?api-version=7.1-preview.1", basic(pat), "", 200)
	r.hold("Token 200", "SetSecret 200", "Pats_Create 200", "ConnectionData 200")
}

func TestMicrosoftsClientsGoThroughTheProxy(t *testing.T) {
	s, e, pool := listen(t, sim.ListenConfig{})
	proxy := must(url.Parse(e.Proxy))(t)
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	everything(t, &recorder{t: t, sim: s, base: transport})
}

func TestMicrosoftsClientsComeByName(t *testing.T) {
	s, e, pool := listen(t, sim.ListenConfig{TLS: "127.0.0.1:0"})
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		// What a hosts file does: every name is this machine.
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, e.TLS)
		},
	}
	defer transport.CloseIdleConnections()
	everything(t, &recorder{t: t, sim: s, base: transport})
}

func TestAManagedIdentitySignsInOverLoopback(t *testing.T) {
	s, e, _ := listen(t, sim.ListenConfig{})
	m := newIdentity()
	s.World().Lock()
	s.World().ManagedIdentities = append(s.World().ManagedIdentities, m)
	s.World().Unlock()
	t.Setenv("IDENTITY_ENDPOINT", e.Control+sim.IdentityPath)
	t.Setenv("IDENTITY_HEADER", world.BuiltIn().ManagedIdentities[0].Secret)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	r := &recorder{t: t, sim: s, base: transport}
	cred := must(azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: r.options(), ID: azidentity.ClientID(m.ClientID)}))(t)
	signIn(t, cred, vaultScope)
	r.hold("ManagedIdentity 200")
}
