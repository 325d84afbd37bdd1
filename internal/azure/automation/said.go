package automation

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// maxSaid bounds what of a job's output goes to the ledger and into an error.
	maxSaid = 600
	// maxRead bounds what of it is looked at.
	maxRead = 8 << 10
	// shortest is how much of the value in one piece is taken for a part of it: a console breaks long lines.
	shortest = 6
	hidden   = "[hidden]"
)

// guid is long, has digits and letters, and is what people look for.
var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// words are runs of what secrets are made of.
var words = regexp.MustCompile(`[A-Za-z0-9~_.+/=!@#$%^&*-]{20,}`)

// said is what a job wrote, fit to be kept: printable, short, without the value or a piece of it, and without whatever
// else looks like a secret, since a script may well print the one before.
func said(output string, value secret.Value) string {
	text := words.ReplaceAllStringFunc(output[:min(len(output), maxRead)], func(w string) string {
		if guid.MatchString(w) || !looksSecret(w) {
			return w
		}
		return hidden
	})
	b := []byte(text)
	_ = value.Use(func(v []byte) error {
		hide(b, v)
		return nil
	})
	text = pieces.ReplaceAllString(string(bytes.ToValidUTF8(b, []byte("?"))), hidden)
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if len(text) > maxSaid {
		cut := maxSaid
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + " ..."
	}
	return text
}

// gone stands for a byte of the value until the text is put together.
const gone = 0x1a

var pieces = regexp.MustCompile("\x1a+")

// hide overwrites each piece of v in b that is long enough to be one. What is shorter than a piece is hidden whole.
func hide(b, v []byte) {
	least := min(shortest, len(v))
	if least == 0 {
		return
	}
	for i := 0; i+least <= len(b); {
		n := least
		if !bytes.Contains(v, b[i:i+n]) {
			i++
			continue
		}
		for i+n < len(b) && bytes.Contains(v, b[i:i+n+1]) {
			n++
		}
		for j := range n {
			b[i+j] = gone
		}
		i += n
	}
}

// looksSecret says whether a long word is one that no person made up: both cases and a digit, or longer than any word.
func looksSecret(w string) bool {
	upper, lower, digit := false, false, false
	for _, r := range w {
		upper, lower, digit = upper || unicode.IsUpper(r), lower || unicode.IsLower(r), digit || unicode.IsDigit(r)
	}
	return digit && (upper && lower || len(w) >= 40)
}
