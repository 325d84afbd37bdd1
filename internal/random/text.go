package random

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/secret"
)

// form is one way to make a value.
type form interface {
	// shape names everything that the manifest asks for, so that another wish is another text.
	shape() string
	// describe says in words what is made; bits is how much there is to guess.
	describe() string
	bits() float64
	make(fill func([]byte)) (made, error)
	// wrong says why bytes cannot be such a value; "" if they can.
	wrong(b []byte) string
}

// made is a value with what may be known of it.
type made struct {
	value               secret.Value
	fingerprint, public string
}

// classes are the kinds of characters by their names. Quotes, backslash, '$' and '`' are left out: what ends up in a
// shell, a connection string or a YAML file must survive it.
var classes = map[string]string{
	"lower":  "abcdefghijklmnopqrstuvwxyz",
	"upper":  "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
	"digit":  "0123456789",
	"symbol": "!#%()*+,-./:;<=>?@[]^_{|}~",
}

// ambiguous are the characters that people take for one another.
const ambiguous = "0O1lI|5S2Z8B"

// password is a text of characters.
type password struct {
	length   int
	alphabet string   // each character once, in order
	required []string // the characters of each class that must appear
	names    []string // of these classes
}

func newPassword(s Password) password {
	p := password{length: s.Length, names: s.Classes.Sorted()}
	from := s.Alphabet
	for _, c := range p.names {
		if s.Alphabet == "" {
			from += classes[c]
		}
	}
	leave := s.Forbidden
	if s.Unambiguous {
		leave += ambiguous
	}
	p.alphabet = distinct(from, leave)
	for _, c := range p.names {
		p.required = append(p.required, common(classes[c], p.alphabet))
	}
	return p
}

// distinct is each byte of a text once, in order, without those of another.
func distinct(from, without string) string {
	var out []byte
	for i := range len(from) {
		if strings.IndexByte(without, from[i]) < 0 && !slices.Contains(out, from[i]) {
			out = append(out, from[i])
		}
	}
	slices.Sort(out)
	return string(out)
}

func common(a, b string) string {
	var out []byte
	for i := range len(a) {
		if strings.IndexByte(b, a[i]) >= 0 {
			out = append(out, a[i])
		}
	}
	return string(out)
}

func (p password) shape() string {
	return fmt.Sprintf("password %d %q %q", p.length, p.alphabet, p.names)
}

func (p password) describe() string {
	with := ""
	if len(p.names) > 0 {
		with = ", with at least one " + strings.Join(p.names, ", one ")
	}
	return fmt.Sprintf("a password of %d of %d characters%s", p.length, len(p.alphabet), with)
}

// count is how many passwords there are: those of the alphabet without those that lack a required class, by inclusion
// and exclusion over the classes, which have no character in common.
func (p password) count() *big.Int {
	total := new(big.Int)
	for set := range 1 << len(p.required) {
		left, sign := len(p.alphabet), int64(1)
		for i, c := range p.required {
			if set>>i&1 == 1 {
				left, sign = left-len(c), -sign
			}
		}
		n := new(big.Int).Exp(big.NewInt(int64(left)), big.NewInt(int64(p.length)), nil)
		total.Add(total, n.Mul(n, big.NewInt(sign)))
	}
	return total
}

func (p password) bits() float64 { return log2(p.count()) }

func log2(n *big.Int) float64 {
	if n.Sign() <= 0 {
		return 0
	}
	f := new(big.Float).SetInt(n)
	mantissa, _ := new(big.Float).SetMantExp(f, -f.MantExp(nil)).Float64()
	return float64(f.MantExp(nil)) + math.Log2(mantissa)
}

// maxDraws bounds how often a password is drawn until it has all its classes; Check has seen that far fewer are enough.
const maxDraws = 100_000

// make draws the whole password anew until it has a character of each required class, so that each one that the policy
// allows is as likely as any other; to put missing ones in would favour some.
func (p password) make(fill func([]byte)) (made, error) {
	if len(p.alphabet) < 2 || p.length < 1 {
		return made{}, errors.New("the policy leaves nothing to choose from")
	}
	b := make([]byte, p.length)
	for range maxDraws {
		for i := range b {
			b[i] = p.alphabet[draw(fill, len(p.alphabet))]
		}
		if p.complete(b) {
			return made{value: secret.New(b)}, nil
		}
	}
	clear(b)
	return made{}, errors.New("the policy asks for characters that hardly ever come together")
}

func (p password) complete(b []byte) bool {
	for _, c := range p.required {
		if !slices.ContainsFunc(b, func(x byte) bool { return strings.IndexByte(c, x) >= 0 }) {
			return false
		}
	}
	return true
}

func (password) wrong([]byte) string { return "" }

// draw gives a number below n, at most 256, each as likely as the others: bytes beyond the last whole multiple of n are
// drawn again.
func draw(fill func([]byte), n int) int {
	var b [1]byte
	for whole := 256 - 256%n; ; {
		if fill(b[:]); int(b[0]) < whole {
			return int(b[0]) % n
		}
	}
}

// A passphrase is made of syllables, a consonant and a vowel each, so that it can be spoken and typed. No two sound
// alike: there is no c, q, w, x or y, and no e.
const (
	consonants = "bdfghjklmnprstvz"
	vowels     = "aiou"
	syllables  = 3 // of a word
)

type passphrase struct {
	words     int
	separator string
}

func (p passphrase) shape() string { return fmt.Sprintf("passphrase %d %q", p.words, p.separator) }

func (p passphrase) describe() string { return fmt.Sprintf("a passphrase of %d words", p.words) }

func (p passphrase) bits() float64 {
	return float64(p.words*syllables) * math.Log2(float64(len(consonants)*len(vowels)))
}

func (p passphrase) make(fill func([]byte)) (made, error) {
	b := make([]byte, 0, p.words*(2*syllables+len(p.separator)))
	for w := range p.words {
		if w > 0 {
			b = append(b, p.separator...)
		}
		for range syllables {
			b = append(b, consonants[draw(fill, len(consonants))], vowels[draw(fill, len(vowels))])
		}
	}
	return made{value: secret.New(b)}, nil
}

func (passphrase) wrong([]byte) string { return "" }
