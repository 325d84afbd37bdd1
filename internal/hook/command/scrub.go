package command

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/rekeyhq/rekey/internal/printable"
	"github.com/rekeyhq/rekey/internal/secret"
)

const (
	// kept is how much of the end of an output is kept, and shown how much of that a person is shown, in bytes.
	kept  = 8 << 10
	shown = 400
	// window is the shortest part of a value that is looked for: less than that says nothing, and is everywhere.
	window = 8
	masked = '*'
)

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-kept):]...)
	if over := len(t.b) - kept; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// said is the end of an output, for people: one line, without any part of the value that is long enough to be one,
// however it is spelt.
func said(output []byte, value secret.Value) string {
	_ = value.Use(func(v []byte) error {
		for _, form := range forms(v) {
			mask(output, form)
			clear(form)
		}
		return nil
	})
	output = bytes.TrimSpace(output)
	if over := len(output) - shown; over > 0 {
		output = output[over:]
	}
	return strings.TrimSpace(printable.Text(strings.ToValidUTF8(string(output), "")))
}

// forms are the ways in which programs spell a value.
func forms(v []byte) [][]byte {
	text := string(v)
	out := [][]byte{bytes.Clone(v), []byte(url.QueryEscape(text)), []byte(url.PathEscape(text)), []byte(hex.EncodeToString(v)), []byte(strings.ToUpper(hex.EncodeToString(v)))}
	if quoted, err := json.Marshal(text); err == nil {
		out = append(out, quoted[1:len(quoted)-1])
	}
	// What stands before the value shifts its base64.
	for shift := range 3 {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			b := []byte(e.EncodeToString(append(make([]byte, shift), v...)))
			// The first and the last characters hold what stands around it.
			b = bytes.TrimRight(b, "=")
			if from := (8*shift + 5) / 6; len(b) > from+1 {
				out = append(out, b[from:len(b)-1])
			}
		}
	}
	return out
}

// mask overwrites each run of text that has at least window bytes in common with the form, or all of a shorter one.
func mask(text, form []byte) {
	n := min(window, len(form))
	if n == 0 {
		return
	}
	parts := make(map[string]bool, len(form))
	for i := 0; i+n <= len(form); i++ {
		parts[string(form[i:i+n])] = true
	}
	original := bytes.Clone(text)
	defer clear(original)
	for i := 0; i+n <= len(original); i++ {
		if parts[string(original[i:i+n])] {
			for j := i; j < i+n; j++ {
				text[j] = masked
			}
		}
	}
}
