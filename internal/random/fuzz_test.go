package random_test

import (
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/random"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

const honestKey = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n"

// FuzzKey: what a person may have put into the secret of a key pair.
func FuzzKey(f *testing.F) {
	for _, b := range badinput.Broken(honestKey) {
		f.Add(b)
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte(honestKey + honestKey))
	f.Fuzz(func(t *testing.T, value []byte) {
		i := random.New(newMemory(), "c", "s", time.Hour, random.Settings{KeyPair: &random.KeyPair{Type: "ed25519"}})
		badinput.Bounded(t, len(value), func() {
			c, err := i.Check(t.Context(), secret.New(append([]byte(nil), value...)))
			if err != nil || c.Works == (c.Why != "") {
				t.Errorf("works %t (%s), %v", c.Works, c.Why, err)
			}
		})
	})
}

func TestAPrivateKeyOfAPersonWorks(t *testing.T) {
	i := random.New(newMemory(), "c", "s", time.Hour, random.Settings{KeyPair: &random.KeyPair{Type: "ec-p256"}})
	for value, works := range map[string]bool{honestKey: true, honestKey + honestKey: false, "hunter2": false, "": false} {
		c, err := i.Check(t.Context(), secret.New([]byte(value)))
		if err != nil || c.Works != works {
			t.Errorf("%.40q works %t (%s), %v", value, c.Works, c.Why, err)
		}
	}
}
