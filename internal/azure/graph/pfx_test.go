package graph

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/rekeyhq/rekey/internal/secret"
)

// encoded is a pair, and the bytes of its PFX.
func encoded(t *testing.T) (pair, []byte) {
	t.Helper()
	p, err := newPair(2048, "c", time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	v, err := CertificateSettings{Format: "pfx"}.encode(p)
	if err != nil {
		t.Fatal(err)
	}
	var der []byte
	if err := v.Use(func(b []byte) error { der, err = base64.StdEncoding.DecodeString(string(b)); return err }); err != nil {
		t.Fatal(err)
	}
	return p, der
}

func TestAPFXIsReadByOthersAndHere(t *testing.T) {
	t.Parallel()
	for range 5 { // what is derived has leading zeros at times
		p, der := encoded(t)
		certs, key, err := azidentity.ParseCertificates(der, nil)
		if err != nil || len(certs) != 1 || !certs[0].Equal(p.cert) || !p.key.Equal(key) {
			t.Errorf("azidentity reads %d certificates: %v", len(certs), err)
		}
		back, err := readPair(secret.New([]byte(base64.StdEncoding.EncodeToString(der))))
		if err != nil || !back.key.Equal(p.key) || !back.cert.Equal(p.cert) {
			t.Errorf("read back: %v", err)
		}
	}
}

func TestAPFXThatWasChangedIsNotRead(t *testing.T) {
	t.Parallel()
	_, der := encoded(t)
	for n := 0; n < len(der); n += 7 {
		changed := append([]byte(nil), der...)
		changed[n] ^= 1
		if p, err := readPFX(changed); err == nil && p.cert == nil {
			t.Fatalf("byte %d: neither a certificate nor an error", n)
		} else if err == nil && n > 60 && n < len(der)-60 {
			t.Errorf("byte %d of %d may be another one", n, len(der))
		}
	}
}
