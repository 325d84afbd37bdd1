package random

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/rekeyhq/rekey/internal/secret"
)

// Tags of a key pair's secret. Whoever may read them need not read the value.
const (
	// FingerprintTag is "SHA256:" and the base64 of the SHA-256 of the public key in DER (SubjectPublicKeyInfo).
	FingerprintTag = "rekey-fingerprint"
	// PublicKeyTag is the public key itself, the base64 of the same DER, where it fits into a tag: not of RSA.
	PublicKeyTag = "rekey-public-key"

	maxTag   = 256
	pemBlock = "PRIVATE KEY" // PKCS#8
	maxPEM   = 25_000        // no secret of a vault is longer
)

// Key types, as the manifest names them.
const (
	rsa3072 = "rsa-3072"
	rsa4096 = "rsa-4096"
	ecP256  = "ec-p256"
	ecP384  = "ec-p384"
	edwards = "ed25519"
)

// strength is about how many bits of work an attack on a key of a type is (NIST SP 800-57 part 1, table 2).
var strength = map[string]float64{rsa3072: 128, rsa4096: 152, ecP256: 128, ecP384: 192, edwards: 128}

type keyPair struct{ kind string }

func (k keyPair) shape() string    { return "keyPair " + k.kind }
func (k keyPair) describe() string { return "a key pair, " + k.kind }
func (k keyPair) bits() float64    { return strength[k.kind] }

// make takes no randomness but Go's own, which is all that it makes keys of.
func (k keyPair) make(func([]byte)) (made, error) {
	var key crypto.Signer
	var err error
	switch k.kind {
	case rsa3072:
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case rsa4096:
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	case ecP256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ecP384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case edwards:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return made{}, fmt.Errorf("no key type %q", k.kind)
	}
	if err != nil {
		return made{}, errors.New("the key pair could not be made")
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return made{}, errors.New("the key pair could not be encoded")
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return made{}, errors.New("the public key could not be encoded")
	}
	sum := sha256.Sum256(public)
	m := made{fingerprint: "SHA256:" + base64.StdEncoding.EncodeToString(sum[:]), public: base64.StdEncoding.EncodeToString(public)}
	if len(m.public) > maxTag {
		m.public = ""
	}
	m.value = secret.New(pem.EncodeToMemory(&pem.Block{Type: pemBlock, Bytes: der}))
	clear(der)
	return m, nil
}

// wrong reads the key. One of another type than is asked for works: it is replaced because the manifest has changed, or
// was a person's. What else stands beside it, like parameters or a certificate, is let be.
func (k keyPair) wrong(b []byte) string {
	keys := 0
	if len(b) > maxPEM {
		return "it is too long for a private key"
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		var err error
		switch block.Type {
		case pemBlock:
			_, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			_, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			_, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue
		}
		clear(block.Bytes)
		if keys++; err != nil {
			return "it holds a private key that cannot be read"
		}
	}
	if keys != 1 {
		return "it is not one private key in PEM"
	}
	return ""
}
