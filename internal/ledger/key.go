package ledger

import (
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Key signs checkpoints. It prints as nothing of itself.
type Key struct{ signer note.Signer }

// Name names the key, and so the ledger that it signs.
func (k *Key) Name() string { return k.signer.Name() }

// Verifier checks what a key has signed.
type Verifier struct{ note.Verifier }

// keyName is what a key may be called: it stands in each checkpoint, and in the names of files.
var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

var errKeyName = errors.New("the name of a ledger's key must be 1 to 63 lower-case letters, digits, '.', '_' and '-', such as prod-ledger")

// MakeKey makes a key pair: the text of the key that signs, which is secret, and that of the one that verifies.
func MakeKey(name string) (private, public string, err error) {
	if !keyName.MatchString(name) {
		return "", "", errKeyName
	}
	return note.GenerateKey(rand.Reader, name)
}

// ParseKey reads the key that signs. Nothing of the text is in an error.
func ParseKey(text string) (*Key, error) {
	s, err := note.NewSigner(strings.TrimSpace(text))
	if err != nil || !keyName.MatchString(s.Name()) {
		return nil, errors.New("it is not the key of a ledger: one begins with PRIVATE+KEY+ and is one line, as rekey ledger keygen writes it")
	}
	return &Key{s}, nil
}

// ParseVerifiers reads keys that verify, one a line.
func ParseVerifiers(text string) ([]Verifier, error) {
	var out []Verifier
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if strings.HasPrefix(line, "PRIVATE+KEY") {
			return nil, errors.New("this is the key that signs, which nobody needs to verify; the one that verifies is the other one, in the file that ends in .pub")
		}
		v, err := note.NewVerifier(line)
		if err != nil || !keyName.MatchString(v.Name()) {
			return nil, fmt.Errorf("it is not a key that verifies: one is a name, a + and what follows, as rekey ledger keygen prints it")
		}
		out = append(out, Verifier{v})
	}
	if len(out) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return out, nil
}
