// Package leak looks for secrets in what a program printed or kept: as they are, and in every form in which they get
// lost by accident.
//
// It is for tests alone, and no scanner for secrets that nobody knows: it is told what to look for. What always holds:
// a finding never repeats the secret; a secret that is longer than a piece is found by its beginning, its middle or its
// end as well, since what is cut off by a log is lost all the same.
package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
)

// Finding is one secret in one form.
type Finding struct {
	// Secret is which of the secrets that were searched for, by its place in the list.
	Secret int
	Form   string
	// Line is where, from 1.
	Line int
}

func (f Finding) String() string {
	return fmt.Sprintf("secret %d, %s, in line %d", f.Secret, f.Form, f.Line)
}

// whole is up to which length only a whole secret counts. What is longer is looked for by three pieces of this length:
// it is shorter than any fragment of a secret that could be used, and longer than what two secrets or a secret and a
// name have in common by chance.
const whole = 40

// Search finds each secret at most once in each form.
func Search(text string, secrets []string) []Finding {
	var found []Finding
	joined := unfold(text)
	here, across := gramsOf(text), gramsOf(joined.text)
	for i, s := range secrets {
		n := needlesOf(s)
		var forms []string
		for _, f := range n.forms {
			if !here.mayHold(f.Text) {
				continue
			}
			if at := strings.Index(text, f.Text); at >= 0 && !slices.Contains(forms, f.Name) {
				forms = append(forms, f.Name)
				found = append(found, Finding{i, f.Name, 1 + strings.Count(text[:at], "\n")})
			}
		}
		for _, f := range n.foldable {
			if slices.Contains(forms, f.Name) || !across.mayHold(f.Text) {
				continue
			}
			if at := strings.Index(joined.text, f.Text); at >= 0 {
				found = append(found, Finding{i, f.Name + ", folded over lines", joined.line(at)})
			}
		}
	}
	return found
}

// needles are what one secret is looked for by.
type needles struct {
	forms []Form
	// foldable are the forms that are looked for across the ends of lines too, of a secret's beginning: base64 is folded
	// by whoever wraps it for mail or PEM, and a long line by whoever wraps lines.
	foldable []Form
}

// known are the needles of secrets that were looked for before: an exploration looks for the same ones a million times.
var known = struct {
	sync.Mutex
	of map[string]needles
}{of: map[string]needles{}}

// maxKnown bounds them; it is more than any world holds.
const maxKnown = 2000

func needlesOf(s string) needles {
	known.Lock()
	defer known.Unlock()
	n, ok := known.of[s]
	if ok {
		return n
	}
	for _, piece := range pieces(s) {
		n.forms = append(n.forms, Forms(piece)...)
	}
	n.foldable = slices.DeleteFunc(Forms(pieces(s)[0]), func(f Form) bool { return f.Name != "plain" && !strings.HasPrefix(f.Name, "base64") })
	if len(known.of) >= maxKnown {
		clear(known.of)
	}
	known.of[s] = n
	return n
}

// grams are the four bytes in a row that a text has, each as one bit at its hash. A text without those of a needle has
// no such needle; looking for hundreds of needles in each of millions of texts takes a fifth of an exploration otherwise.
type grams [1 << 16 / 64]uint64

func gramsOf(text string) *grams {
	g := new(grams)
	for i := 0; i+4 <= len(text); i++ {
		n := gram(text[i:])
		g[n/64] |= 1 << (n % 64)
	}
	return g
}

func gram(s string) uint32 {
	return (uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24) * 2654435761 >> 16
}

func (g *grams) mayHold(needle string) bool {
	if len(needle) < 4 {
		return true
	}
	for _, at := range [...]int{0, (len(needle) - 4) / 2, len(needle) - 4} {
		if n := gram(needle[at:]); g[n/64]&(1<<(n%64)) == 0 {
			return false
		}
	}
	return true
}

// unfolded is a text without its folds, and where they were.
type unfolded struct {
	text  string
	folds []int // in the text as it is now, of each fold that was taken out
}

// unfold joins lines: without what ends one, a quoted-printable "=" before it included, and the blanks that the next
// one begins with.
func unfold(text string) unfolded {
	if !strings.Contains(text, "\n") {
		return unfolded{text: text}
	}
	var b strings.Builder
	b.Grow(len(text))
	var u unfolded
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			u.folds = append(u.folds, b.Len())
			line = strings.TrimLeft(line, " \t")
		}
		b.WriteString(strings.TrimSuffix(strings.TrimSuffix(line, "\r"), "="))
	}
	u.text = b.String()
	return u
}

// line is the line, from 1, that a place in the joined text begins in.
func (u unfolded) line(at int) int {
	n, _ := slices.BinarySearch(u.folds, at+1)
	return n + 1
}

func pieces(s string) []string {
	if len(s) <= whole {
		return []string{s}
	}
	mid := (len(s) - whole) / 2
	return []string{s[:whole], s[mid : mid+whole], s[len(s)-whole:]}
}

// Form is one way in which a secret can be written.
type Form struct{ Name, Text string }

// Forms are the ways in which a secret can be written, each once. A form is part of every text that holds the secret
// in that way, whatever stands before and after it.
func Forms(s string) []Form {
	if s == "" {
		return nil
	}
	forms := []Form{{"plain", s}}
	add := func(name, text string) {
		if text != "" && !slices.ContainsFunc(forms, func(f Form) bool { return f.Text == text }) {
			forms = append(forms, Form{name, text})
		}
	}
	for shift := range 3 {
		add("base64, shifted by "+strconv.Itoa(shift), aligned(base64.RawStdEncoding, s, shift))
		add("base64url, shifted by "+strconv.Itoa(shift), aligned(base64.RawURLEncoding, s, shift))
	}
	lower := hex.EncodeToString([]byte(s))
	add("hex", lower)
	add("upper-case hex", strings.ToUpper(lower))
	for _, escape := range []func(string) string{url.QueryEscape, url.PathEscape} {
		escaped := escape(s)
		add("URL-escaped", escaped)
		add("URL-escaped in lower case", lowerEscapes(escaped))
	}
	add("JSON-escaped", jsonEscaped(s, true))
	add("JSON-escaped without HTML", jsonEscaped(s, false))
	add("UTF-16, low byte first", wide(s, 0))
	add("UTF-16, high byte first", wide(s, 1))
	quoted := strconv.Quote(s)
	add("quoted", quoted[1:len(quoted)-1])
	return forms
}

// aligned is the part of an encoding that depends on the secret alone when shift bytes of something else, modulo
// three, come before it, and anything after it.
func aligned(enc *base64.Encoding, s string, shift int) string {
	encoded := enc.EncodeToString(append(make([]byte, shift), s...))
	first := (shift*8 + 5) / 6           // characters that hold a bit of what comes before
	last := (shift + len(s)) * 8 / 6     // characters without a bit of what comes after
	if first >= last || last-first < 8 { // too short to mean anything
		return ""
	}
	return encoded[first:last]
}

// wide is a text as Windows writes it, two bytes a character; order is where in a pair the zero of an ASCII character is
// not.
func wide(s string, order int) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if order == 0 {
			b = append(b, byte(u), byte(u>>8))
		} else {
			b = append(b, byte(u>>8), byte(u))
		}
	}
	return string(b)
}

func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

func jsonEscaped(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if e.Encode(s) != nil { // strings are always encodable
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}
