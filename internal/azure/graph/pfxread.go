package graph

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
)

// A PFX without a password, or with an empty one, is read as Rekey and OpenSSL 3 write it: encrypted with AES or triple
// DES, or not at all; with a MAC or without. Whoever may write into the vault may ask for any amount of
// work by a PFX, so what its derivations take is bounded together, before any of it is done.

var (
	oidPlainKeyBag = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidEncrypted   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidPBES2       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}

	errPFX       = errors.New("it is no PFX with a certificate and its key that can be read: it must have no password or an empty one, and be encrypted with AES or triple DES")
	errPFXWork   = errors.New("it is a PFX that takes too much work to read: its iterations are too many")
	errPFXKeys   = errors.New("it is a PFX with more than one private key")
	errPFXKey    = errors.New("its private key is no RSA key, which is all that Entra ID takes")
	errPFXNobody = errors.New("it is a PFX without a certificate of its private key")
)

// hashes are those of MACs, and of HMACs that keys are derived with; SHA-1 is what is meant where none is named.
var (
	macs = map[string]func() hash.Hash{oidSHA1.String(): sha1.New, "2.16.840.1.101.3.4.2.1": sha256.New, "2.16.840.1.101.3.4.2.2": sha512.New384, "2.16.840.1.101.3.4.2.3": sha512.New}
	prfs = map[string]func() hash.Hash{"": sha1.New, "1.2.840.113549.2.7": sha1.New, "1.2.840.113549.2.9": sha256.New, "1.2.840.113549.2.10": sha512.New384, "1.2.840.113549.2.11": sha512.New}
	// aesKeys are the lengths of keys of AES in CBC.
	aesKeys = map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}
)

type anyContent struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
}

type readPFXFile struct {
	Version int
	Safe    anyContent
	Mac     macData `asn1:"optional"`
}

type encryptedData struct {
	Version int
	Content struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte `asn1:"tag:0,optional"`
	}
	Attributes asn1.RawValue `asn1:"tag:1,optional"`
}

type readBag struct {
	ID         asn1.ObjectIdentifier
	Value      asn1.RawValue `asn1:"tag:0,explicit"`
	Attributes asn1.RawValue `asn1:"set,optional"`
}

type readCert struct {
	ID   asn1.ObjectIdentifier
	Data []byte `asn1:"tag:0,explicit"`
}

type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct{ Derivation, Encryption pkix.AlgorithmIdentifier }

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// pfxReader reads one file.
type pfxReader struct {
	password []byte // as UTF-16: the empty one, or none
	work     int    // iterations that are left
	keys     []*rsa.PrivateKey
	others   int // keys that are none of RSA
	certs    []*x509.Certificate
}

// pfxWork is how many hashes reading one file may take, some tenths of a second; what OpenSSL writes takes some ten
// thousand.
const pfxWork = 1_000_000

// whole decodes one value with nothing after it.
func whole(der []byte, into any) error {
	if rest, err := asn1.Unmarshal(der, into); err != nil || len(rest) > 0 {
		return errPFX
	}
	return nil
}

// readPFX reads key and certificate. The certificate is the one of the key, for a chain may come with it.
func readPFX(der []byte) (pair, error) {
	var in readPFXFile
	if err := whole(der, &in); err != nil {
		return pair{}, err
	}
	content, err := octets(in.Safe)
	if err != nil {
		return pair{}, err
	}
	r := &pfxReader{work: pfxWork}
	if in.Mac.Mac.Algorithm.Algorithm == nil {
		// Which of the two it is shows in whether it can be decrypted.
		for _, r.password = range [][]byte{emptyPassword, nil} {
			if err = r.safes(content); err == nil {
				break
			}
			r.keys, r.certs, r.others = nil, nil, 0
		}
	} else if err = r.verify(in.Mac, content); err == nil {
		err = r.safes(content)
	}
	if err != nil {
		return pair{}, err
	}
	return r.pair()
}

// octets is the content of plain data.
func octets(c anyContent) (b []byte, err error) {
	if !c.Type.Equal(oidData) {
		return nil, errPFX
	}
	return b, whole(c.Content.Bytes, &b)
}

func (r *pfxReader) pair() (pair, error) {
	switch {
	case len(r.keys)+r.others > 1:
		return pair{}, errPFXKeys
	case r.others == 1:
		return pair{}, errPFXKey
	case len(r.keys) == 0:
		return pair{}, errPFX
	}
	for _, c := range r.certs {
		if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.Equal(r.keys[0].Public()) {
			return pair{r.keys[0], c}, nil
		}
	}
	return pair{}, errPFXNobody
}

// takes takes iterations from what is left, blocks times.
func (r *pfxReader) takes(iterations, blocks int) error {
	if iterations < 1 || iterations > pfxWork || iterations*blocks > r.work {
		return errPFXWork
	}
	r.work -= iterations * blocks
	return nil
}

// maxSalt bounds a salt; those that are written have 8 to 16 bytes.
const maxSalt = 64

// verify finds the password that the MAC was made with.
func (r *pfxReader) verify(m macData, content []byte) error {
	hash, known := macs[m.Mac.Algorithm.Algorithm.String()]
	if !known || len(m.Salt) > maxSalt {
		return errPFX
	}
	for _, r.password = range [][]byte{emptyPassword, nil} {
		if err := r.takes(m.Iterations, 1); err != nil {
			return err
		}
		h := hmac.New(hash, derive(hash, m.Salt, r.password, m.Iterations, 3, hash().Size()))
		h.Write(content)
		if hmac.Equal(h.Sum(nil), m.Mac.Digest) {
			return nil
		}
	}
	return errPFX
}

// safes reads all safes, encrypted or not.
func (r *pfxReader) safes(content []byte) error {
	var all []anyContent
	if err := whole(content, &all); err != nil {
		return err
	}
	for _, c := range all {
		var plain []byte
		var err error
		if c.Type.Equal(oidEncrypted) {
			var e encryptedData
			if err = whole(c.Content.Bytes, &e); err == nil {
				plain, err = r.decrypt(e.Content.Algorithm, e.Content.Data)
			}
		} else {
			plain, err = octets(c)
		}
		if err == nil {
			err = r.bags(plain)
		}
		clear(plain)
		if err != nil {
			return err
		}
	}
	return nil
}

// bags reads the keys and certificates of a safe, and leaves out what else may be there.
func (r *pfxReader) bags(content []byte) error {
	var all []readBag
	if err := whole(content, &all); err != nil {
		return err
	}
	for _, b := range all {
		switch {
		case b.ID.Equal(oidCertBag):
			var in readCert
			if err := whole(b.Value.Bytes, &in); err != nil {
				return err
			}
			c, err := x509.ParseCertificate(in.Data)
			if err != nil || !in.ID.Equal(oidX509) {
				return errPFX
			}
			r.certs = append(r.certs, c)
		case b.ID.Equal(oidPlainKeyBag):
			if err := r.key(b.Value.Bytes); err != nil {
				return err
			}
		case b.ID.Equal(oidKeyBag):
			var in encryptedKey
			if err := whole(b.Value.Bytes, &in); err != nil {
				return err
			}
			plain, err := r.decrypt(in.Algorithm, in.Data)
			if err == nil {
				err = r.key(plain)
			}
			clear(plain)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *pfxReader) key(der []byte) error {
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return errPFX
	}
	if k, ok := k.(*rsa.PrivateKey); ok {
		r.keys = append(r.keys, k)
	} else {
		r.others++
	}
	return nil
}

// decrypt decrypts what was encrypted with the empty password, or none.
func (r *pfxReader) decrypt(a pkix.AlgorithmIdentifier, data []byte) ([]byte, error) {
	block, iv, err := r.cipher(a)
	if err != nil {
		return nil, err
	}
	if len(iv) != block.BlockSize() || len(data) == 0 || len(data)%block.BlockSize() != 0 {
		return nil, errPFX
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	n := int(out[len(out)-1])
	if n < 1 || n > block.BlockSize() {
		return nil, errPFX
	}
	for _, b := range out[len(out)-n:] {
		if int(b) != n {
			return nil, errPFX
		}
	}
	return out[:len(out)-n], nil
}

func (r *pfxReader) cipher(a pkix.AlgorithmIdentifier) (cipher.Block, []byte, error) {
	if a.Algorithm.Equal(oidPBES2) {
		return r.pbes2(a.Parameters.FullBytes)
	}
	var p kdfParams
	if !a.Algorithm.Equal(oidTripleDES) || whole(a.Parameters.FullBytes, &p) != nil || len(p.Salt) > maxSalt {
		return nil, nil, errPFX
	}
	if err := r.takes(p.Iterations, 3); err != nil { // two of SHA-1 for a key, and one for the initial value
		return nil, nil, err
	}
	block, err := des.NewTripleDESCipher(derive(sha1.New, p.Salt, r.password, p.Iterations, 1, 24))
	return block, derive(sha1.New, p.Salt, r.password, p.Iterations, 2, des.BlockSize), err
}

// pbes2 is that of RFC 8018, where an empty password and none are the same.
func (r *pfxReader) pbes2(der []byte) (cipher.Block, []byte, error) {
	var p pbes2Params
	var k pbkdf2Params
	var iv []byte
	if whole(der, &p) != nil || !p.Derivation.Algorithm.Equal(oidPBKDF2) || whole(p.Derivation.Parameters.FullBytes, &k) != nil || whole(p.Encryption.Parameters.FullBytes, &iv) != nil {
		return nil, nil, errPFX
	}
	size, prf := aesKeys[p.Encryption.Algorithm.String()], prfs[k.PRF.Algorithm.String()]
	if size == 0 || prf == nil || len(k.Salt) > maxSalt || k.KeyLength != 0 && k.KeyLength != size {
		return nil, nil, errPFX
	}
	if err := r.takes(k.Iterations, 2*((size+prf().Size()-1)/prf().Size())); err != nil { // an HMAC is two hashes
		return nil, nil, err
	}
	key, err := pbkdf2.Key(prf, "", k.Salt, k.Iterations, size)
	if err != nil {
		return nil, nil, errPFX
	}
	block, err := aes.NewCipher(key)
	clear(key)
	return block, iv, err
}
