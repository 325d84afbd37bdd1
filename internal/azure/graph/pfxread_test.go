package graph

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// written is a PFX that OpenSSL 3.0 has written, of keys that nothing uses (openssl pkcs12 -export).
func written(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "pfx", name+".pfx"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ofOpenSSL is the hash of the certificate that they hold.
const ofOpenSSL = "e2daeffbdd78c9c8e3bae3e3e4ed05cb9c18809a56ea8cf4179fe149a8adb79b"

func TestWhatOpenSSLWritesWithoutAPasswordIsRead(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"default", "without-mac", "not-encrypted", "triple-des", "triple-des-without-mac", "chain"} {
		t.Run(name, func(t *testing.T) {
			text := base64.StdEncoding.EncodeToString(written(t, name))
			for _, value := range []string{text, text[:64] + "\r\n" + text[64:] + "\n"} {
				p, err := readPair(secret.New([]byte(value)))
				if err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprintf("%x", sha256.Sum256(p.cert.Raw)); got != ofOpenSSL {
					t.Errorf("another certificate: %s", got)
				}
				if !p.key.PublicKey.Equal(p.cert.PublicKey) {
					t.Error("another key")
				}
			}
		})
	}
}

func TestAPFXThatIsNotReadSaysWhy(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{"password": errPFX, "rc2": errPFX, "ec": errPFXKey, "without-key": errPFX, "without-certificate": errPFXNobody, "iterations": errPFXWork} {
		if _, err := readPFX(written(t, name)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

// outer takes a file apart, and puts it together again.
func outer(t *testing.T, der []byte, change func(*pfx)) []byte {
	t.Helper()
	var in pfx
	if err := whole(der, &in); err != nil {
		t.Fatal(err)
	}
	change(&in)
	out, err := asn1.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Others take no password for no bytes, where OpenSSL takes the end of a text.
func TestAMACOfNoPasswordIsOneOfTheEmptyPassword(t *testing.T) {
	t.Parallel()
	none := outer(t, written(t, "default"), func(p *pfx) {
		h := hmac.New(sha256.New, derive(sha256.New, p.Mac.Salt, nil, p.Mac.Iterations, 3, sha256.Size))
		h.Write(p.Safe.Content)
		p.Mac.Mac.Digest = h.Sum(nil)
	})
	if _, err := readPFX(none); err != nil {
		t.Error(err)
	}
	wrong := outer(t, none, func(p *pfx) { p.Mac.Mac.Digest[0] ^= 1 })
	if _, err := readPFX(wrong); !errors.Is(err, errPFX) {
		t.Errorf("a wrong MAC: %v", err)
	}
}

func TestWhatAsksForTooMuchWorkIsRefusedBeforeItIsDone(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, 0, pfxWork + 1, 1 << 31, 1<<62 + 1} {
		for from, name := range map[string]string{"the MAC's": "default", "a triple DES MAC's": "triple-des"} {
			der := outer(t, written(t, name), func(p *pfx) { p.Mac.Iterations = n })
			if _, err := readPFX(der); !errors.Is(err, errPFXWork) {
				t.Errorf("%d iterations of %s: %v", n, from, err)
			}
		}
	}
	// Many that are few each.
	r := &pfxReader{work: pfxWork}
	for range 100 {
		if err := r.takes(pfxWork/4, 1); err != nil {
			if r.work != 0 {
				t.Errorf("%d are left", r.work)
			}
			return
		}
	}
	t.Error("there is no end to it")
}

// Of two keys nobody knows which is meant, and a certificate of another key proves nothing.
func TestAPFXIsOfOneKeyAndItsCertificate(t *testing.T) {
	t.Parallel()
	_, der := encoded(t)
	another, other := encoded(t)
	safes := func(der []byte) (all []contentInfo) {
		outer(t, der, func(p *pfx) {
			if err := whole(p.Safe.Content, &all); err != nil {
				t.Fatal(err)
			}
		})
		return all
	}
	one, two := safes(der), safes(other)
	for name, c := range map[string]struct {
		all  []contentInfo
		want error
	}{
		"another one's certificate": {[]contentInfo{two[0], one[1]}, errPFXNobody},
		"two keys":                  {[]contentInfo{one[0], one[1], two[1]}, errPFXKeys},
		"both certificates":         {[]contentInfo{one[0], two[0], two[1]}, nil},
		"nothing":                   {[]contentInfo{}, errPFX},
	} {
		changed := outer(t, der, func(p *pfx) {
			content, err := asn1.Marshal(c.all)
			if err != nil {
				t.Fatal(err)
			}
			p.Safe.Content, p.Mac.Mac.Digest = content, p.Mac.digest(content)
		})
		p, err := readPFX(changed)
		if !errors.Is(err, c.want) || c.want == nil && !p.cert.Equal(another.cert) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzPFX: what a person or a tool may have put into the secret of a certificate. A file without a MAC is read to its end.
func FuzzPFX(f *testing.F) {
	for _, name := range []string{"default", "without-mac", "not-encrypted", "triple-des-without-mac", "ec"} {
		f.Add(written(f, name))
		f.Add(written(f, name)[:900])
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		badinput.Bounded(t, 4*len(der), func() {
			p, err := readPFX(der)
			switch {
			case err == nil && (p.cert == nil || !p.key.PublicKey.Equal(p.cert.PublicKey)):
				t.Error("neither a pair nor an error")
			case err != nil && (p.key != nil || p.cert != nil || !strings.HasPrefix(err.Error(), "it")):
				t.Errorf("%v", err)
			}
		})
	})
}
