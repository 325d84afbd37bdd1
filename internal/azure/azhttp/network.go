package azhttp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// Network is the transport to the network, through the proxy that the environment names. caFile is the file of
// certificate authorities that SSL_CERT_FILE names, for a network whose proxy ends TLS; they are trusted beside the
// system's. Go reads that variable by itself on Linux and not on macOS or Windows, and one way must work on all.
func Network(caFile string) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 128 // as many as an engine works on at once
	t.MaxResponseHeaderBytes = 256 << 10
	t.ResponseHeaderTimeout = 100 * time.Second // Azure DevOps may hold a request for 30 s before it answers
	t.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authorities that SSL_CERT_FILE names: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the file %s, which SSL_CERT_FILE names, holds no certificate in PEM", caFile)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool}
	return t, nil
}
