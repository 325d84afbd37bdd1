package driver

import (
	"regexp"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// Mark is what says, where a service can hold it, which publication a consumer was told, and when by the service's own
// clock.
type Mark struct {
	Publication rotation.Publication
	Told        time.Time // zero if the service sent no date
}

const markTime = "2006-01-02T15:04:05Z"

func (m Mark) String() string {
	if m.Told.IsZero() {
		return string(m.Publication)
	}
	return string(m.Publication) + " " + m.Told.UTC().Format(markTime)
}

var plainMark = regexp.MustCompile(`^([0-9a-z]{18})(?: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ))?$`)

// ParseMark reads a mark; what is none, whoever wrote it, is the zero one: it will be told again.
func ParseMark(s string) Mark {
	m := plainMark.FindStringSubmatch(s)
	if m == nil {
		return Mark{}
	}
	out := Mark{Publication: rotation.Publication(m[1])}
	if m[2] != "" {
		t, err := time.Parse(markTime, m[2])
		if err != nil {
			return Mark{}
		}
		out.Told = t
	}
	return out
}

// inText is a mark at the end of what people wrote.
var inText = regexp.MustCompile(` ?\[rekey ([^\[\]]{1,60})\]`)

// MarkIn finds the mark in a description.
func MarkIn(description string) Mark {
	all := inText.FindAllStringSubmatch(description, 2)
	if len(all) != 1 {
		return Mark{} // none, or two of which nobody knows which one holds
	}
	return ParseMark(all[0][1])
}

// Marked is a description with the mark in place of any older one, and people's words as they were.
func Marked(description string, m Mark) string {
	s := inText.ReplaceAllString(description, "") + " [rekey " + m.String() + "]"
	return strings.TrimPrefix(s, " ")
}
