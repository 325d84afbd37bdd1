package graph

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"hash"
	"math/big"

	"github.com/rekeyhq/rekey/internal/secret"
)

// A PFX (PKCS #12, RFC 7292) holds key and certificate in one file. It is written here in the oldest form, with the
// empty password, as Key Vault itself gives certificates out: Windows, .NET and the Azure SDKs all read that. Its
// encryption protects nothing, and nothing is rested on it: the vault is what protects the value. What others write is
// read in pfxread.go.

var (
	oidData        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidKeyBag      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidLocalKeyID  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
	oidTripleDES   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	oidSHA1        = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	emptyPassword  = []byte{0, 0} // as UTF-16 with its end
	errPFXEncoding = errors.New("the certificate cannot be encoded as PFX")
)

type pfx struct {
	Version int
	Safe    contentInfo
	Mac     macData `asn1:"optional"`
}

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content []byte `asn1:"tag:0,explicit"`
}

type macData struct {
	Mac struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	Salt       []byte
	Iterations int `asn1:"optional,default:1"`
}

type safeBag struct {
	ID         asn1.ObjectIdentifier
	Value      asn1.RawValue // with its tag [0]
	Attributes []attribute   `asn1:"set"`
}

type attribute struct {
	ID    asn1.ObjectIdentifier
	Value [][]byte `asn1:"set"`
}

type certBag struct {
	ID   asn1.ObjectIdentifier
	Data []byte `asn1:"tag:0,explicit"`
}

type shrouded struct {
	Algorithm struct {
		ID     asn1.ObjectIdentifier
		Params kdfParams
	}
	Data []byte
}

type kdfParams struct {
	Salt       []byte
	Iterations int
}

const iterations = 2048

// pfx is the base64 of a PFX, as a secret of a vault holds one.
func (p pair) pfx() (secret.Value, error) {
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return secret.Value{}, errPFXEncoding
	}
	defer clear(key)
	var keys shrouded
	keys.Algorithm.ID, keys.Algorithm.Params = oidTripleDES, kdfParams{salt(), iterations}
	if keys.Data, err = tripleDES(keys.Algorithm.Params, pad(key)); err != nil {
		return secret.Value{}, errPFXEncoding
	}
	id := sha1.Sum(p.cert.Raw)
	same := []attribute{{oidLocalKeyID, [][]byte{id[:]}}}
	certs, err1 := safe(oidCertBag, certBag{oidX509, p.cert.Raw}, same)
	hidden, err2 := safe(oidKeyBag, keys, same)
	content, err3 := asn1.Marshal([]contentInfo{certs, hidden})
	if errors.Join(err1, err2, err3) != nil {
		return secret.Value{}, errPFXEncoding
	}
	out := pfx{Version: 3, Safe: contentInfo{oidData, content}, Mac: macData{Salt: salt(), Iterations: iterations}}
	out.Mac.Mac.Algorithm = pkix.AlgorithmIdentifier{Algorithm: oidSHA1, Parameters: asn1.NullRawValue}
	out.Mac.Mac.Digest = out.Mac.digest(content)
	der, err := asn1.Marshal(out)
	if err != nil {
		return secret.Value{}, errPFXEncoding
	}
	return secret.New([]byte(base64.StdEncoding.EncodeToString(der))), nil
}

func salt() []byte {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	return b
}

// safe is a safe with one bag in it.
func safe(id asn1.ObjectIdentifier, value any, attributes []attribute) (contentInfo, error) {
	v, err := asn1.Marshal(value)
	if err != nil {
		return contentInfo{}, err
	}
	all, err := asn1.Marshal([]safeBag{{ID: id, Value: asn1.RawValue{FullBytes: explicit(v)}, Attributes: attributes}})
	return contentInfo{oidData, all}, err
}

// explicit puts the tag [0] around what is encoded, which the encoder does not do to raw bytes.
func explicit(der []byte) []byte {
	out, _ := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der})
	return out
}

func (m macData) digest(content []byte) []byte {
	h := hmac.New(sha1.New, derive(sha1.New, m.Salt, emptyPassword, m.Iterations, 3, sha1.Size))
	h.Write(content)
	return h.Sum(nil)
}

func pad(b []byte) []byte {
	n := des.BlockSize - len(b)%des.BlockSize
	return append(bytes.Clone(b), bytes.Repeat([]byte{byte(n)}, n)...)
}

func tripleDES(k kdfParams, data []byte) ([]byte, error) {
	block, err := des.NewTripleDESCipher(derive(sha1.New, k.Salt, emptyPassword, k.Iterations, 1, 24))
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	cipher.NewCBCEncrypter(block, derive(sha1.New, k.Salt, emptyPassword, k.Iterations, 2, des.BlockSize)).CryptBlocks(out, data)
	return out, nil
}

// derive is the derivation of RFC 7292, appendix B.2. purpose is 1 for a key, 2 for an initial value, 3 for a MAC.
func derive(hash func() hash.Hash, salt, password []byte, iterations int, purpose byte, size int) []byte {
	h := hash()
	v := h.BlockSize()
	fill := func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		n := (len(b) + v - 1) / v * v
		return bytes.Repeat(b, n/len(b)+1)[:n]
	}
	d, i := bytes.Repeat([]byte{purpose}, v), append(fill(salt), fill(password)...)
	var out []byte
	for len(out) < size {
		h.Reset()
		h.Write(d)
		h.Write(i)
		a := h.Sum(nil)
		for range iterations - 1 {
			h.Reset()
			h.Write(a)
			a = h.Sum(a[:0])
		}
		out = append(out, a...)
		b := new(big.Int).SetBytes(fill(a)[:v])
		b.Add(b, big.NewInt(1))
		for j := 0; j < len(i); j += v {
			sum := new(big.Int).Add(new(big.Int).SetBytes(i[j:j+v]), b).Bytes()
			if len(sum) > v {
				sum = sum[len(sum)-v:]
			}
			clear(i[j : j+v])
			copy(i[j+v-len(sum):j+v], sum)
		}
	}
	return out[:size]
}
