package graph

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"

	"github.com/rekeyhq/rekey/internal/secret"
)

// A PFX (PKCS #12, RFC 7292) holds key and certificate in one file. It is written here in the oldest form, with the
// empty password, as Key Vault itself gives certificates out: Windows, .NET and the Azure SDKs all read that. Its
// encryption protects nothing, and nothing is rested on it: the vault is what protects the value. Only what was written
// here is read here.

var (
	oidData        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidKeyBag      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidLocalKeyID  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
	oidTripleDES   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	oidSHA1        = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	emptyPassword  = []byte{0, 0} // as UTF-16 with its end
	errNotOurPFX   = errors.New("it is no PFX of the form that Rekey writes")
	errPFXEncoding = errors.New("the certificate cannot be encoded as PFX")
)

type pfx struct {
	Version int
	Safe    contentInfo
	Mac     macData
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
	Iterations int
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
	if keys.Data, err = tripleDES(keys.Algorithm.Params, pad(key), true); err != nil {
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
	h := hmac.New(sha1.New, derive(m.Salt, m.Iterations, 3, sha1.Size))
	h.Write(content)
	return h.Sum(nil)
}

func pad(b []byte) []byte {
	n := des.BlockSize - len(b)%des.BlockSize
	return append(bytes.Clone(b), bytes.Repeat([]byte{byte(n)}, n)...)
}

func tripleDES(k kdfParams, data []byte, encrypt bool) ([]byte, error) {
	block, err := des.NewTripleDESCipher(derive(k.Salt, k.Iterations, 1, 24))
	if err != nil || len(data) == 0 || len(data)%des.BlockSize != 0 {
		return nil, errNotOurPFX
	}
	iv, out := derive(k.Salt, k.Iterations, 2, des.BlockSize), make([]byte, len(data))
	if encrypt {
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, data)
	} else {
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	}
	return out, nil
}

// derive is the derivation of RFC 7292, appendix B.2, with SHA-1 and the empty password. purpose is 1 for a key, 2 for an
// initial value, 3 for a MAC.
func derive(salt []byte, iterations int, purpose byte, size int) []byte {
	const v = 64
	fill := func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		n := (len(b) + v - 1) / v * v
		return bytes.Repeat(b, n/len(b)+1)[:n]
	}
	d, i := bytes.Repeat([]byte{purpose}, v), append(fill(salt), fill(emptyPassword)...)
	var out []byte
	for len(out) < size {
		a := sha1.Sum(append(bytes.Clone(d), i...))
		for range iterations - 1 {
			a = sha1.Sum(a[:])
		}
		out = append(out, a[:]...)
		b := new(big.Int).SetBytes(fill(a[:])[:v])
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

// readPFX reads what pfx has written, and nothing else: others' may ask for any amount of work.
func readPFX(der []byte) (p pair, err error) {
	var in pfx
	if rest, err := asn1.Unmarshal(der, &in); err != nil || len(rest) > 0 || in.Mac.Iterations != iterations || len(in.Mac.Salt) > 64 {
		return pair{}, errNotOurPFX
	}
	if !hmac.Equal(in.Mac.digest(in.Safe.Content), in.Mac.Mac.Digest) {
		return pair{}, errNotOurPFX
	}
	var safes []contentInfo
	if rest, err := asn1.Unmarshal(in.Safe.Content, &safes); err != nil || len(rest) > 0 || len(safes) != 2 {
		return pair{}, errNotOurPFX
	}
	var cert certBag
	var key shrouded
	for n, into := range []any{&cert, &key} {
		var bags []safeBag
		if rest, err := asn1.Unmarshal(safes[n].Content, &bags); err != nil || len(rest) > 0 || len(bags) != 1 {
			return pair{}, errNotOurPFX
		}
		if rest, err := asn1.Unmarshal(bags[0].Value.Bytes, into); err != nil || len(rest) > 0 {
			return pair{}, errNotOurPFX
		}
	}
	if key.Algorithm.Params.Iterations != iterations || len(key.Algorithm.Params.Salt) > 64 {
		return pair{}, errNotOurPFX
	}
	plain, err := tripleDES(key.Algorithm.Params, key.Data, false)
	if err != nil {
		return pair{}, err
	}
	defer clear(plain)
	n := int(plain[len(plain)-1])
	if n < 1 || n > des.BlockSize {
		return pair{}, errNotOurPFX
	}
	if p.key = readKey(plain[:len(plain)-n]); p.key == nil {
		return pair{}, errNotOurPFX
	}
	if p.cert, err = x509.ParseCertificate(cert.Data); err != nil {
		return pair{}, errNotOurPFX
	}
	if k, ok := p.cert.PublicKey.(*rsa.PublicKey); !ok || !k.Equal(p.key.Public()) {
		return pair{}, errNotOurPFX
	}
	return p, nil
}
