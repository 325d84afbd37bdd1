package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/oidc"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

const (
	issuer   = "https://issuer.example/tenant"
	audience = "api://rekey-approval"
)

// The keys are made once: they take longer than all tests.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaJWK(id string, k *rsa.PublicKey) string {
	return fmt.Sprintf(`{"kty":"RSA","use":"sig","kid":%q,"n":%q,"e":%q}`, id, b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes()))
}

func ecJWK(id string, k *ecdsa.PublicKey) string {
	point := must(k.Bytes())
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","alg":"ES256","kid":%q,"x":%q,"y":%q}`, id, b64(point[1:33]), b64(point[33:]))
}

// published is an issuer that publishes two keys.
type published struct {
	document, keys string
	calls          int
}

func honest() *published {
	return &published{
		document: `{"issuer":"` + issuer + `","jwks_uri":"https://issuer.example/keys","authorization_endpoint":"https://issuer.example/authorize","token_endpoint":"https://issuer.example/token"}`,
		keys:     `{"keys":[` + rsaJWK("r1", &rsaKey().PublicKey) + "," + ecJWK("e1", &ecKey().PublicKey) + `]}`,
	}
}

func (p *published) RoundTrip(r *http.Request) (*http.Response, error) {
	p.calls++
	s := &badinput.Service{Body: []byte(p.document)}
	if r.URL.Path == "/keys" {
		s.Body = []byte(p.keys)
	}
	return s.RoundTrip(r)
}

var now = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

func client(rt http.RoundTripper) *oidc.Client {
	return oidc.NewClient(azhttp.NewClient(rt, nil), func() time.Time { return now })
}

func claims() jwt.MapClaims {
	return jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "octo-subject", "iat": now.Add(-time.Minute).Unix(), "nbf": now.Add(-5 * time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix()}
}

// sign makes a token of claims, with a method and a key.
func sign(m jwt.SigningMethod, kid string, key crypto.PrivateKey, c jwt.MapClaims) string {
	t := jwt.NewWithClaims(m, c)
	t.Header["kid"] = kid
	return must(t.SignedString(key))
}

func expect() oidc.Expect { return oidc.Expect{At: issuer, Audience: audience} }

// part changes a part of a token: 0 its header, 1 its claims.
func part(raw string, n int, change func(map[string]any)) string {
	parts := strings.Split(raw, ".")
	var v map[string]any
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[n])), &v); err != nil {
		panic(err)
	}
	change(v)
	parts[n] = b64(must(json.Marshal(v)))
	return strings.Join(parts, ".")
}

func refusedFor(t *testing.T, err error, code string) {
	t.Helper()
	e, ok := err.(*driver.Error)
	if !ok || e.Kind != driver.Rejected || e.Code != code || e.Detail == "" {
		t.Errorf("want a refusal for %s, got %v", code, err)
	}
}
