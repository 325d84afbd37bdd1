package entra

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"sync"
	"time"
)

// signer is an issuer's key.
type signer struct {
	key  *rsa.PrivateKey
	kid  string
	cert []byte // DER

	// made are signatures by what they are over. The same claims have the same one, and those who play one world a
	// thousand times ask for it a thousand times, at a millisecond each.
	mu   sync.Mutex
	made map[[sha256.Size]byte][]byte
}

// maxMade bounds what is kept.
const maxMade = 4096

// The keys are the process's, not the service's: a test that makes a thousand worlds pays for one. What they sign
// is still bound to a world, which knows its own tokens.
var (
	entraKey  = sync.OnceValue(func() *signer { return newSigner("accounts.accesscontrol.windows.net", 2048) })
	shortKey  = sync.OnceValue(func() *signer { return newSigner("accounts.accesscontrol.windows.net", 1024) })
	githubKey = sync.OnceValue(func() *signer { return newSigner(GitHub, 2048) })

	pipelinesKey = sync.OnceValue(func() *signer { return newSigner(Pipelines, 2048) })
)

// key signs the tokens of a world.
func (s *Service) key() *signer {
	if s.w.Knobs.Entra.ShortKeys {
		return shortKey()
	}
	return entraKey()
}

func newSigner(name string, bits int) *signer {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	cert, err := x509.CreateCertificate(rand.Reader, certTemplate(name), certTemplate(name), key.Public(), key)
	if err != nil {
		panic(err) // the template is a constant
	}
	sum := sha1.Sum(cert)
	return &signer{key: key, kid: b64(sum[:]), cert: cert}
}

// certTemplate is valid under any clock: a test's may start at the year 2000.
func certTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Date(1999, 9, 1, 8, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2199, 9, 1, 8, 0, 0, 0, time.UTC),
	}
}

// jwk is one public key of RFC 7517, in the order of the real service.
type jwk struct {
	Type   string   `json:"kty"`
	Use    string   `json:"use"`
	Alg    string   `json:"alg,omitempty"`
	ID     string   `json:"kid"`
	X5T    string   `json:"x5t,omitempty"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	X5C    []string `json:"x5c,omitempty"`
	Issuer string   `json:"issuer,omitempty"`
}

type jwks struct {
	Keys []jwk `json:"keys"`
}

func (k *signer) jwk(issuer string) jwk {
	return jwk{
		Type: "RSA", Use: "sig", ID: k.kid, X5T: k.kid,
		N: b64(k.key.N.Bytes()), E: b64(big.NewInt(int64(k.key.E)).Bytes()),
		X5C: []string{base64.StdEncoding.EncodeToString(k.cert)}, Issuer: issuer,
	}
}

// sign makes a JWT with RS256. Maps are encoded in the order of their keys, so equal claims make equal tokens.
func (k *signer) sign(claims map[string]any) (string, error) {
	head, err := json.Marshal(map[string]string{"typ": "JWT", "alg": "RS256", "kid": k.kid, "x5t": k.kid})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(signed))
	sig, err := k.signature(sum)
	if err != nil {
		return "", err
	}
	return signed + "." + b64(sig), nil
}

func (k *signer) signature(sum [sha256.Size]byte) ([]byte, error) {
	k.mu.Lock()
	sig, ok := k.made[sum]
	k.mu.Unlock()
	if ok {
		return sig, nil
	}
	sig, err := rsa.SignPKCS1v15(nil, k.key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.made == nil || len(k.made) >= maxMade {
		k.made = map[[sha256.Size]byte][]byte{}
	}
	k.made[sum] = sig
	return sig, nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
