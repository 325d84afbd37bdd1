package graph

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/secret"
)

// pair is a certificate with its private key.
type pair struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

// early is how much before its making a certificate is valid: clocks differ.
const early = 5 * time.Minute

// newPair makes a key and signs its certificate with it. The times are the issuer's, not this machine's.
func newPair(bits int, name string, now, until time.Time) (pair, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return pair{}, errors.New("no key pair could be made")
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return pair{}, errors.New("no serial number could be made")
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: now.Add(-early).UTC().Truncate(time.Second), NotAfter: until.UTC().Truncate(time.Second), BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return pair{}, errors.New("no certificate could be made")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, errors.New("the certificate that was made cannot be read")
	}
	return pair{key, cert}, nil
}

// pem is what az, azidentity and most others take: the key in PKCS #8, and the certificate after it.
func (p pair) pem() (secret.Value, error) {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return secret.Value{}, errors.New("the key cannot be encoded")
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	clear(der)
	out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})...)
	return secret.New(out), nil
}

// maxPEM bounds what is read as a certificate with its key: no secret of a vault is longer.
const maxPEM = 25_000

// readPair reads a certificate with its RSA key out of a PFX without a password, or out of PEM, in any order and with
// anything between; the certificate is the one of that key, for a chain may come with it.
func readPair(value secret.Value) (p pair, err error) {
	err = value.Use(func(b []byte) error {
		if len(b) > maxPEM {
			return errors.New("it is too long for a certificate with its key")
		}
		if der, err := base64.StdEncoding.DecodeString(string(b)); err == nil && len(der) > 0 {
			defer clear(der)
			p, err = readPFX(der)
			return err
		}
		var certs []*x509.Certificate
		for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
			switch {
			case block.Type == "CERTIFICATE":
				c, err := x509.ParseCertificate(block.Bytes)
				if err != nil {
					return errors.New("a certificate in it cannot be read")
				}
				certs = append(certs, c)
			case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
			case p.key != nil:
				return errors.New("it holds more than one private key")
			default:
				if p.key = readKey(block.Bytes); p.key == nil {
					return errors.New("its private key is no RSA key, which is all that Entra ID takes")
				}
				clear(block.Bytes)
			}
		}
		if p.key == nil {
			return errors.New("it is no certificate with its private key in PEM")
		}
		for _, c := range certs {
			if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.Equal(p.key.Public()) {
				p.cert = c
				return nil
			}
		}
		return errors.New("it holds no certificate of its private key")
	})
	return p, err
}

func readKey(der []byte) *rsa.PrivateKey {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		out, _ := k.(*rsa.PrivateKey)
		return out
	}
	k, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil
	}
	return k
}

// tokenLife is how long what a pair signs is good for. Entra ID compares it with its own clock, and allows five minutes.
const tokenLife = 10 * time.Minute

// assertion is what an application signs in with in place of a secret (facts/azure-devops-entra.md 8.2).
func (p pair) assertion(audience, clientID string, now time.Time) (secret.Value, error) {
	thumb := sha256.Sum256(p.cert.Raw)
	return p.sign(map[string]string{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(thumb[:])},
		map[string]any{"aud": audience, "iss": clientID, "sub": clientID, "jti": newGUID()}, now, func(sum []byte) ([]byte, error) {
			return rsa.SignPSS(rand.Reader, p.key, crypto.SHA256, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		})
}

// directory is the resource that a proof of possession is for.
const directory = "00000002-0000-0000-c000-000000000000"

// proof shows that who asks has a certificate of the application (facts/keyvault-graph-arm.md 3.1). Its issuer is the
// object's id, and not the app id.
func (p pair) proof(objectID string, now time.Time) (secret.Value, error) {
	thumb := sha1.Sum(p.cert.Raw) // how certificates are named there
	return p.sign(map[string]string{"alg": "RS256", "typ": "JWT", "kid": strings.ToUpper(hex.EncodeToString(thumb[:])), "x5t": base64.RawURLEncoding.EncodeToString(thumb[:])},
		map[string]any{"aud": directory, "iss": objectID}, now, func(sum []byte) ([]byte, error) {
			return rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum)
		})
}

func (p pair) sign(header map[string]string, claims map[string]any, now time.Time, sign func(sum []byte) ([]byte, error)) (secret.Value, error) {
	claims["nbf"], claims["iat"], claims["exp"] = now.Unix(), now.Unix(), now.Add(tokenLife).Unix()
	h, err := json.Marshal(header)
	c, err2 := json.Marshal(claims)
	if err != nil || err2 != nil {
		return secret.Value{}, errors.New("what is to be signed cannot be encoded")
	}
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	sum := sha256.Sum256([]byte(text))
	sig, err := sign(sum[:])
	if err != nil {
		return secret.Value{}, errors.New("the key signs nothing")
	}
	return secret.New([]byte(text + "." + base64.RawURLEncoding.EncodeToString(sig))), nil
}

// newGUID is a random id, as a credential of a list that replaces another one has to have.
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
