package random_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/random"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

func TestValuesOfOurMakingAreAnIssuer(t *testing.T) {
	for name, s := range map[string]random.Settings{
		"password":   {Password: &random.Password{Length: 32, Classes: manifest.Set{"lower", "digit"}}},
		"passphrase": {Passphrase: &random.Passphrase{Words: 7, Separator: "-"}},
		"key pair":   {KeyPair: &random.KeyPair{Type: "ec-p256"}},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Made(t, func(*testing.T) drivertest.MadeBed {
				m := newMemory()
				return drivertest.MadeBed{
					Issuer: random.New(m, "conformance", "conformance", 30*24*time.Hour, s), Name: "conformance", Store: m,
					Twin: random.New(m, "twin", "twin", 30*24*time.Hour, s), Service: m.service(),
					Versions: func() (out []drivertest.Version) {
						for _, v := range m.secrets["conformance"] {
							out = append(out, drivertest.Version{ID: v.ID, Value: v.value, Tags: v.Tags, Enabled: v.Enabled, Expires: v.expires})
						}
						return out
					},
				}
			})
		})
	}
}

// issued makes one value of the given settings.
func issued(t *testing.T, s random.Settings, fill func([]byte)) (driver.Issue, string) {
	t.Helper()
	i := random.New(newMemory(), "conformance", "conformance", 30*24*time.Hour, s)
	g := rotation.NewGeneration(time.Unix(1.8e9, 0), [5]byte{1})
	out, err := i.Issue(t.Context(), driver.IssueRequest{Stamp: rotation.Stamp{Credential: "conformance", Hash: "01234567", Generation: g}, Until: time.Unix(1.9e9, 0), Random: fill})
	if err != nil {
		t.Fatal(err)
	}
	return out, plain(out.Value)
}

func TestEveryPasswordThatAPolicyAllowsIsAsLikelyAsTheOthers(t *testing.T) {
	// Small enough to count: three of "ab12", each with a letter and a digit. 4^3 - 2^3 - 2^3 are 48.
	policy := random.Settings{Password: &random.Password{Length: 3, Alphabet: "21ba", Classes: manifest.Set{"lower", "digit"}}}
	seen := map[string]int{}
	const n = 48 * 200
	fill := seeded()
	for range n {
		_, v := issued(t, policy, fill)
		seen[v]++
	}
	chi := 0.0
	for v, k := range seen {
		if !strings.ContainsAny(v, "ab") || !strings.ContainsAny(v, "12") || len(v) != 3 {
			t.Fatalf("%q is against the policy", v)
		}
		chi += math.Pow(float64(k)-n/48, 2) / (n / 48)
	}
	// 47 degrees of freedom: over 82.7 in one of a thousand. The seed is the same each time.
	if len(seen) != 48 || chi > 82.7 {
		t.Errorf("%d different ones of 48, chi-square %.1f", len(seen), chi)
	}
}

// Of 256 bytes, 76 would be one too many for 90 characters.
func TestEveryCharacterIsAsLikelyAsTheOthers(t *testing.T) {
	var alphabet []byte
	for c := byte('!'); len(alphabet) < 90; c++ {
		alphabet = append(alphabet, c)
	}
	const n = 50_000
	seen, fill := map[byte]float64{}, seeded()
	for range n / 1000 {
		_, v := issued(t, random.Settings{Password: &random.Password{Length: 1000, Alphabet: string(alphabet)}}, fill)
		for i := range len(v) {
			seen[v[i]]++
		}
	}
	chi := 0.0
	for _, c := range alphabet {
		chi += math.Pow(seen[c]-n/90., 2) / (n / 90.)
	}
	// 89 degrees of freedom: over 135.8 in one of a thousand. The seed is the same each time.
	if chi > 135.8 {
		t.Errorf("chi-square %.1f", chi)
	}
}

// seeded is a simple generator with a fixed seed (splitmix64).
func seeded() func([]byte) {
	x := uint64(42)
	return func(b []byte) {
		for i := range b {
			x += 0x9e3779b97f4a7c15
			z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
			z = (z ^ z>>27) * 0x94d049bb133111eb
			b[i] = byte(z >> 56)
		}
	}
}

func TestAPolicyIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		policy  random.Password
		length  int
		all     string   // it has nothing else
		each    []string // and something of each of these
		nothing string
	}{
		"classes make the alphabet":          {random.Password{Length: 40, Classes: manifest.Set{"lower", "upper", "digit"}}, 40, "", []string{lower, strings.ToUpper(lower), digits}, symbols},
		"symbols are those that survive":     {random.Password{Length: 64, Classes: manifest.Set{"symbol"}}, 64, symbols, []string{symbols}, "\"'\\$`& "},
		"what is forbidden does not appear":  {random.Password{Length: 200, Classes: manifest.Set{"digit"}, Forbidden: "0123"}, 200, "456789", nil, "0123"},
		"what people mistake does not":       {random.Password{Length: 300, Classes: manifest.Set{"lower", "upper", "digit"}, Unambiguous: true}, 300, "", nil, "0O1lI|5S2Z8B"},
		"an alphabet is taken as it is":      {random.Password{Length: 100, Alphabet: "xyzxyz-"}, 100, "xyz-", nil, ""},
		"a class within an alphabet appears": {random.Password{Length: 100, Alphabet: "abc!", Classes: manifest.Set{"symbol"}}, 100, "abc!", []string{"!"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				_, v := issued(t, random.Settings{Password: &c.policy}, nil)
				if len(v) != c.length || c.all != "" && strings.Trim(v, c.all) != "" || c.nothing != "" && strings.ContainsAny(v, c.nothing) {
					t.Fatalf("%q", v)
				}
				for _, one := range c.each {
					if !strings.ContainsAny(v, one) {
						t.Fatalf("%q has none of %q", v, one)
					}
				}
			}
		})
	}
}

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
	symbols = "!#%()*+,-./:;<=>?@[]^_{|}~"
)

func TestAPassphraseIsWordsOfThreeSyllables(t *testing.T) {
	_, v := issued(t, random.Settings{Passphrase: &random.Passphrase{Words: 6, Separator: ". "}}, nil)
	words := strings.Split(v, ". ")
	if len(words) != 6 {
		t.Fatalf("%q", v)
	}
	for _, w := range words {
		for i := range len(w) {
			set := "bdfghjklmnprstvz"
			if i%2 == 1 {
				set = "aiou"
			}
			if len(w) != 6 || !strings.Contains(set, w[i:i+1]) {
				t.Errorf("word %q", w)
			}
		}
	}
}

func TestAKeyPairIsAPrivateKeyWithWhatMayBeKnownOfIt(t *testing.T) {
	for kind, public := range map[string]bool{"ec-p256": true, "ec-p384": true, "ed25519": true, "rsa-3072": false} {
		t.Run(kind, func(t *testing.T) {
			i, v := issued(t, random.Settings{KeyPair: &random.KeyPair{Type: kind}}, nil)
			block, rest := pem.Decode([]byte(v))
			if block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
				t.Fatal("no PKCS #8 key in PEM alone")
			}
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			var der []byte
			is := ""
			switch k := key.(type) {
			case *ecdsa.PrivateKey:
				der, _ = x509.MarshalPKIXPublicKey(k.Public())
				is = fmt.Sprintf("ec-p%d", k.Curve.Params().BitSize)
			case ed25519.PrivateKey:
				der, _ = x509.MarshalPKIXPublicKey(k.Public())
				is = "ed25519"
			case *rsa.PrivateKey:
				der, _ = x509.MarshalPKIXPublicKey(k.Public())
				is = fmt.Sprintf("rsa-%d", k.N.BitLen())
			}
			sum := sha256.Sum256(der)
			if is != kind || i.Tags["rekey-fingerprint"] != "SHA256:"+base64.StdEncoding.EncodeToString(sum[:]) {
				t.Errorf("%s with tags %v", is, i.Tags)
			}
			if got := i.Tags["rekey-public-key"]; got != base64.StdEncoding.EncodeToString(der) && public || got != "" && !public {
				t.Errorf("public key %q", got)
			}
		})
	}
	i, _ := issued(t, random.Settings{Passphrase: &random.Passphrase{Words: 7}}, nil)
	if v, there := i.Tags["rekey-fingerprint"]; !there || v != "" {
		t.Error("what a key pair left in the tags stays beside a passphrase")
	}
}

func TestTheNewestValueThatNobodyRecordedCanBeAdopted(t *testing.T) {
	m := newMemory()
	put := func(v string, tags map[string]string) string {
		m.now = m.now.Add(time.Hour)
		r, _ := m.Put(t.Context(), driver.Put{Name: "s", Value: secret.New([]byte(v)), Tags: tags})
		return r.Secret.Version
	}
	put("older", nil)
	newest := put("newest", map[string]string{"team": "a"})
	list := func(adopt bool) []rotation.Issued {
		t.Helper()
		l, err := random.New(m, "c", "s", 30*24*time.Hour, random.Settings{Password: &random.Password{Length: 32, Classes: manifest.Set{"lower"}}, Adopt: adopt}).List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l.Issued
	}
	if l := list(false); len(l) != 0 {
		t.Errorf("without a word of the manifest: %+v", l)
	}
	l := list(true)
	if len(l) != 1 || l[0].ID != newest || l[0].Name != random.Existing || !l[0].To.Equal(m.now.Add(30*24*time.Hour)) {
		t.Errorf("%+v", l)
	}
	// Once it has a record it is one of ours, however the next one is written.
	tag, err := rotation.Record{Generation: rotation.NewGeneration(m.now, [5]byte{}), IssuerID: newest, Publication: rotation.NewPublication(m.now, [5]byte{}), Expires: m.now.Add(time.Hour)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.secrets["s"][1].Tags[rotation.RecordTag] = tag
	for _, adopt := range []bool{true, false} {
		if l := list(adopt); len(l) != 1 || l[0].ID != newest || !strings.HasPrefix(l[0].Name, "rekey/c/") {
			t.Errorf("adopt %t: %+v", adopt, l)
		}
	}
}
