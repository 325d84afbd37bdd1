package check

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"

	"github.com/rekeyhq/rekey/internal/secret"
)

// piece is how many bytes in a row count as a part of the value: a program can print half of it, or line by line.
const piece = 6

const taken = "[secret]"

// scrub takes every part of the value out of a text, as it is and as programs are likely to write it.
func scrub(text []byte, v secret.Value) []byte {
	hide := make([]bool, len(text))
	_ = v.Use(func(b []byte) error {
		forms := [][]byte{b, []byte(url.QueryEscape(string(b))), []byte(hex.EncodeToString(b))}
		// Base 64 writes the same bytes in three ways, by where in the text they begin.
		for _, before := range []string{"", ":", "::"} {
			forms = append(forms, []byte(base64.StdEncoding.EncodeToString(append([]byte(before), b...))), []byte(base64.URLEncoding.EncodeToString(append([]byte(before), b...))))
		}
		for _, form := range forms {
			mark(text, form, hide)
		}
		return nil
	})
	var out []byte
	for i, b := range text {
		switch {
		case !hide[i]:
			out = append(out, b)
		case i == 0 || !hide[i-1]:
			out = append(out, taken...)
		}
	}
	return out
}

// mark marks where a text has a piece of a form. What is shorter than a piece is looked for as a whole.
func mark(text, form []byte, hide []bool) {
	n := min(piece, len(form))
	if n == 0 {
		return
	}
	pieces := map[string]bool{}
	for i := 0; i+n <= len(form); i++ {
		pieces[string(form[i:i+n])] = true
	}
	for i := 0; i+n <= len(text); i++ {
		if pieces[string(text[i:i+n])] {
			for j := range n {
				hide[i+j] = true
			}
		}
	}
}
