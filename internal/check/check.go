// Package check proves that a value works by what a manifest names for it: a request that carries the value in a header,
// or a program that reads it from its standard input.
//
// It is not the probe of an issuer, which each kind has built in, and not a consumer: nothing is told anything here. What
// always holds: the value is in no argument, environment, address, error or answer of a check; it goes over HTTPS or to
// this machine, and never where a redirect leads; time and what is read are bounded.
package check

import (
	"strings"

	"github.com/rekeyhq/rekey/internal/printable"
	"github.com/rekeyhq/rekey/internal/secret"
)

// shownFor is how much of what a program said is repeated.
const shownFor = 300

// said makes what a program said fit to be repeated: one line, without the value.
func said(out []byte, v secret.Value) string {
	text := strings.Join(strings.Fields(string(scrub(out, v))), " ")
	if len(text) > shownFor {
		text = "..." + text[len(text)-shownFor:]
	}
	return printable.Text(strings.ToValidUTF8(text, ""))
}
