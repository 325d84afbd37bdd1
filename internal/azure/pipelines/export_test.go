package pipelines

import (
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// Marked is a description with a mark.
func Marked(description string, p rotation.Publication, told time.Time) string {
	return marked(description, mark{p, told})
}

// MarkOf is what a description's mark says.
func MarkOf(description string) (rotation.Publication, time.Time) {
	m := markOf(description)
	return m.publication, m.told
}
