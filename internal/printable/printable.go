// Package printable makes text from outside fit to be shown: names that people typed into a portal, and whatever else
// services answer, can hold commands to a terminal, reversed writing or a whole book.
//
// It is not for files' names, shells or HTML, each of which has rules of its own, and it removes no secret. What always
// holds: nothing that it returns has a control character, a line break, an invisible or a direction-changing character
// in it; Text may replace and cut, JSON changes the spelling alone and keeps every character's value.
package printable

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxText is longer than any sentence of ours with honest names in it, in characters.
	maxText = 2000
	// maxName is longer than any name that an honest service takes, in characters.
	maxName = 256
)

// hidden says whether a character does something other than to be seen: controls (C0, DEL, C1), line and paragraph
// separators, what changes the direction or is not seen, private use, and halves of pairs.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

// Text is one line for people: what cannot be shown becomes U+FFFD, a line break or a tab a blank, and what is too long
// ends in an ellipsis.
func Text(s string) string { return line(s, maxText) }

// Name is Text for a name that stands beside others, in a table or a sentence.
func Name(s string) string { return line(s, maxName) }

func line(s string, most int) string {
	n := 0
	for at := range s {
		if n++; n > most {
			s = s[:at] + "…"
			break
		}
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case hidden(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

// JSON spells what a terminal would obey as escapes, in text that encoding/json wrote: that package escapes C0 alone.
// The value stays the same, because such characters stand only within strings. It returns b itself if there are none.
func JSON(b []byte) []byte {
	special := func(r rune) bool { return r >= 0x7f && hidden(r) }
	first := bytes.IndexFunc(b, special)
	if first < 0 {
		return b
	}
	var out bytes.Buffer
	out.Grow(len(b) + 64)
	out.Write(b[:first])
	for rest := b[first:]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case !special(r):
			out.Write(rest[:size])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		rest = rest[size:]
	}
	return out.Bytes()
}
