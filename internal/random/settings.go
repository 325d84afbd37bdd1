package random

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/rekeyhq/rekey/internal/manifest"
)

// MinBits is the least that a value must leave to guess. 80 bits are out of reach for who can try a million million a
// second for a thousand years; what is made without a wish has far more.
const MinBits = 80

// Settings are the block "random" of a credential.
type Settings struct {
	Password   *Password   `yaml:"password" one:"form of the value" doc:"A random text."`
	Passphrase *Passphrase `yaml:"passphrase" one:"form of the value" doc:"Random words that can be spoken, of three syllables each."`
	KeyPair    *KeyPair    `yaml:"keyPair" one:"form of the value" doc:"A key pair: the private key is the value, in PEM (PKCS #8); tags of the secret hold the public key's fingerprint and, unless it is RSA, the public key."`
	Adopt      bool        `yaml:"adopt" doc:"true: take over the value that is in the secret already, whoever made it, and replace it when its time has come."`
}

// Password is the policy of a random text.
type Password struct {
	Length      int          `yaml:"length" default:"32" doc:"How many characters."`
	Classes     manifest.Set `yaml:"classes" doc:"Kinds of characters of which each must appear: lower, upper, digit, symbol. Without it: lower, upper, digit."`
	Alphabet    string       `yaml:"alphabet" doc:"The characters to choose from, if not those of the classes. ASCII, without spaces."`
	Forbidden   string       `yaml:"forbidden" doc:"Characters that must not appear."`
	Unambiguous bool         `yaml:"unambiguous" doc:"true: without characters that people take for one another, like 0 and O."`
}

// Passphrase is how words are put together.
type Passphrase struct {
	Words     int    `yaml:"words" default:"7" doc:"How many words."`
	Separator string `yaml:"separator" default:"-" doc:"What stands between two words."`
}

// KeyPair is the type of a key.
type KeyPair struct {
	Type string `yaml:"type" enum:"ec-p256,ec-p384,ed25519,rsa-3072,rsa-4096" default:"ec-p256" doc:"Algorithm and size."`
}

// Kind is what a manifest can say about a value of our own making.
func Kind() manifest.Kind {
	return manifest.Kind{
		Name: "random",
		Doc:  "A value that Rekey makes itself: a password, a passphrase or a key pair.",
		New:  func() manifest.Settings { return &Settings{} },
	}
}

// form is what the settings ask for.
func (s *Settings) form() form {
	switch {
	case s.Password != nil:
		return newPassword(*s.Password)
	case s.Passphrase != nil:
		return passphrase{s.Passphrase.Words, s.Passphrase.Separator}
	case s.KeyPair != nil:
		return keyPair{s.KeyPair.Type}
	}
	return password{}
}

// Describe says what is made, and how much of it there is to guess.
func (s *Settings) Describe() string {
	f := s.form()
	if s.KeyPair != nil {
		return fmt.Sprintf("%s: about %.0f bits of security", f.describe(), f.bits())
	}
	return fmt.Sprintf("%s: %.0f bits to guess", f.describe(), math.Floor(f.bits()))
}

const (
	maxLength = 1024
	maxWords  = 64
)

// Check implements manifest.Settings.
func (s *Settings) Check(report func(path, text string), in manifest.Context) {
	if in.Strategy == manifest.Extend {
		report("", "a value of our own making has no date that could be moved: take out 'strategy: extend', and it is replaced")
	}
	switch {
	case s.Password != nil:
		s.Password.check(report)
	case s.Passphrase != nil:
		s.Passphrase.check(report)
	}
}

func (p *Password) check(report func(path, text string)) {
	if len(p.Classes) == 0 && p.Alphabet == "" {
		p.Classes = manifest.Set{"digit", "lower", "upper"}
	}
	for i, c := range p.Classes {
		if _, known := classes[c]; !known {
			report(fmt.Sprintf("password.classes[%d]", i), "must be lower, upper, digit or symbol")
			return
		}
	}
	if invisible(p.Alphabet) {
		report("password.alphabet", "must be visible ASCII characters, without spaces")
		return
	}
	if p.Length < 1 || p.Length > maxLength {
		report("password.length", fmt.Sprintf("must be 1 to %d", maxLength))
		return
	}
	made := newPassword(*p)
	for i, c := range made.names {
		if made.required[i] == "" {
			report("password", fmt.Sprintf("must have a character of class %s, and the alphabet leaves none", c))
			return
		}
	}
	if tooWeak("password", made, report) {
		return
	}
	// At worst a thousand draws for one password.
	all := new(big.Int).Exp(big.NewInt(int64(len(made.alphabet))), big.NewInt(int64(made.length)), nil)
	if all.Cmp(new(big.Int).Mul(made.count(), big.NewInt(1000))) > 0 {
		report("password", "asks for characters that hardly ever come together by chance: more of each class, or a longer password")
	}
}

func invisible(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (p *Passphrase) check(report func(path, text string)) {
	switch {
	case p.Words < 1 || p.Words > maxWords:
		report("passphrase.words", fmt.Sprintf("must be 1 to %d", maxWords))
	case len(p.Separator) > 8 || strings.ContainsFunc(p.Separator, func(r rune) bool { return r < ' ' || r > '~' }):
		report("passphrase.separator", "must be at most 8 ASCII characters")
	default:
		tooWeak("passphrase", passphrase{p.Words, p.Separator}, report)
	}
}

func tooWeak(path string, f form, report func(path, text string)) bool {
	if f.bits() >= MinBits {
		return false
	}
	report(path, fmt.Sprintf("leaves %.0f bits to guess (%s), and %d are the least: make it longer, or allow more characters", math.Floor(f.bits()), f.describe(), MinBits))
	return true
}
