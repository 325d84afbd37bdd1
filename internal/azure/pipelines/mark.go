package pipelines

import (
	"regexp"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// mark is what says which publication something was told, and when by the service's own clock.
type mark struct {
	publication rotation.Publication
	told        time.Time // zero if the service sent no date
}

const markTime = "2006-01-02T15:04:05Z"

func (m mark) String() string {
	if m.told.IsZero() {
		return string(m.publication)
	}
	return string(m.publication) + " " + m.told.UTC().Format(markTime)
}

var plainMark = regexp.MustCompile(`^([0-9a-z]{18})(?: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ))?$`)

// parseMark reads a mark; what is none, whoever wrote it, is the zero one: it will be told again.
func parseMark(s string) mark {
	m := plainMark.FindStringSubmatch(s)
	if m == nil {
		return mark{}
	}
	out := mark{publication: rotation.Publication(m[1])}
	if m[2] != "" {
		t, err := time.Parse(markTime, m[2])
		if err != nil {
			return mark{}
		}
		out.told = t
	}
	return out
}

// inText is a mark at the end of what people wrote.
var inText = regexp.MustCompile(` ?\[rekey ([^\[\]]{1,60})\]`)

// markOf finds the mark in a description.
func markOf(description string) mark {
	all := inText.FindAllStringSubmatch(description, 2)
	if len(all) != 1 {
		return mark{} // none, or two of which nobody knows which one holds
	}
	return parseMark(all[0][1])
}

// marked is a description with the mark in place of any older one, and people's words as they were.
func marked(description string, m mark) string {
	s := inText.ReplaceAllString(description, "") + " [rekey " + m.String() + "]"
	return strings.TrimPrefix(s, " ")
}
