package graph_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

const (
	honestKey  = `{"customKeyIdentifier":"AB","displayName":"rekey/c/00000000/0","endDateTime":"2026-12-01T00:00:00Z","key":null,"keyId":"00000000-0000-4000-8000-000000000002","startDateTime":"2026-11-01T00:00:00Z","type":"AsymmetricX509Cert","usage":"Verify","unknown":[1]}`
	honestKeys = `{"id":"00000000-0000-4000-8000-000000000001","appId":"00000000-0000-4000-8000-000000000009","keyCredentials":[` + honestKey + `],"owners":[{"id":"x"}]}`
	honestPEM  = "text\n-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
)

func certificates(s *badinput.Service) *graph.Certificates {
	opts := azhttp.NewClient(s, nil).Options(cloud.AzurePublic)
	return graph.NewCertificates(graph.NewClient(opts, opts, hostile.Nobody{}), "https://login.microsoftonline.com/contoso", nil, "n", graph.CertificateSettings{AppID: "00000000-0000-4000-8000-000000000009"})
}

// FuzzCertificateList: what is answered to who reads an application's certificates.
func FuzzCertificateList(f *testing.F) {
	for _, b := range badinput.Broken(honestKeys) {
		f.Add(b)
	}
	for _, s := range []string{`{"id":"a","appId":"b","keyCredentials":[null]}`, `{"id":"a","appId":"b","keyCredentials":null}`, `{"id":"a","appId":"b","keyCredentials":[1,{}]}`,
		`{"id":"a","appId":"b","keyCredentials":[{"keyId":"k","displayName":"rekey/"},{"keyId":"k","displayName":"rekey/"}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &badinput.Service{Body: body, Header: http.Header{"Date": {"Sun, 01 Nov 2026 12:00:00 GMT"}}}
		var l driver.Listing
		var err error
		badinput.Bounded(t, 2*len(body), func() { l, err = certificates(s).List(t.Context()) })
		s.Within(t)
		hostile.Listing(t, l, err, words)
	})
}

// FuzzCertificate: what a person may have put into the secret of a certificate.
func FuzzCertificate(f *testing.F) {
	for _, b := range badinput.Broken(honestPEM) {
		f.Add(b)
	}
	f.Add([]byte(strings.Repeat("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", 3)))
	f.Add([]byte("MDkCAQMwEQYJKoZIhvcNAQcBoAQEAjAAMCEwHzAHBgUrDgMCGgQUAAAAAAAAAAAAAAAAAAAAAAAAAAAECAAAAAAAAAAAAgIIAA=="))
	f.Add([]byte("MIAGCSqGSIb3DQEHAaCA"))
	f.Fuzz(func(t *testing.T, value []byte) {
		s := &badinput.Service{Body: []byte(honestKeys), Header: http.Header{"Date": {"Sun, 01 Nov 2026 12:00:00 GMT"}}}
		badinput.Bounded(t, len(value), func() {
			c, err := certificates(s).Check(t.Context(), secret.New(append([]byte(nil), value...)))
			if err != nil {
				words(t, err)
			} else if c.Works || c.Why == "" || len(value) > 8 && strings.Contains(c.Why, string(value)) {
				t.Errorf("works %v (%s)", c.Works, c.Why)
			}
		})
		s.Within(t)
	})
}
