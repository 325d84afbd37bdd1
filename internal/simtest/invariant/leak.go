package invariant

import (
	"maps"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/simtest/leak"
	"github.com/rekeyhq/rekey/sim/world"
)

// Leak holds if no text holds a secret in any form, nor the canary that every minted one carries.
var Leak = Checker{
	Name:  "leak",
	Holds: "no secret byte is in a log, error, ledger or report",
	broken: func(h *History, report func(string, ...any)) {
		secrets := append([]string{world.Canary}, h.Secrets...)
		for _, where := range slices.Sorted(maps.Keys(h.Texts)) {
			for _, f := range leak.Search(h.Texts[where], secrets) {
				line := strings.Split(h.Texts[where], "\n")[f.Line-1]
				report("%s: %v: %s...", where, f, line[:min(len(line), 40)])
			}
		}
	},
}
