package roles

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// lease is one run's share of an assignment.
type lease struct {
	run   string
	until time.Time
}

// markTime is written to the second, as the services' own dates are.
const markTime = "2006-01-02T15:04:05Z"

// maxLeases bounds a description. Of more the oldest go: whose share is forgotten takes the role again when it is missing.
const maxLeases = 8

var (
	isMark  = regexp.MustCompile(`^rekey until (\S{20}) \(((?:run [0-9a-z]{1,40} until \S{20}(?:, )?){1,16})\)`)
	isLease = regexp.MustCompile(`run ([0-9a-z]{1,40}) until (\S{20})`)
)

// markOf is what an assignment's description says: until when at the latest, and which run has it until when. A person
// reads it in the portal, and the sweep anywhere.
func markOf(leases []lease, reason string) string {
	leases = slices.Clone(leases)
	slices.SortFunc(leases, func(a, b lease) int { return a.until.Compare(b.until) })
	leases = leases[max(0, len(leases)-maxLeases):]
	var each []string
	for _, l := range leases {
		each = append(each, "run "+l.run+" until "+l.until.UTC().Format(markTime))
	}
	out := "rekey until " + end(leases).Format(markTime) + " (" + strings.Join(each, ", ") + ")"
	if reason = plainWords(reason); reason != "" {
		out += ": " + reason
	}
	return out
}

// parseMark reads a description; ours says whether it is one of this product's.
func parseMark(s string) (leases []lease, ours bool) {
	m := isMark.FindStringSubmatch(s)
	if m == nil {
		return nil, false
	}
	for _, one := range isLease.FindAllStringSubmatch(m[2], -1) {
		t, err := time.Parse(markTime, one[2])
		if err != nil {
			return nil, false
		}
		leases = append(leases, lease{one[1], t})
	}
	return leases, len(leases) > 0
}

// end is when the last of some leases ends.
func end(leases []lease) (t time.Time) {
	for _, l := range leases {
		if l.until.After(t) {
			t = l.until
		}
	}
	return t.UTC()
}

// alive are those that are not over.
func alive(leases []lease, now time.Time) []lease {
	return slices.DeleteFunc(slices.Clone(leases), func(l lease) bool { return !l.until.After(now) })
}

// without are those of other runs.
func without(leases []lease, run string) []lease {
	return slices.DeleteFunc(slices.Clone(leases), func(l lease) bool { return l.run == run })
}

func runsOf(leases []lease) (out []string) {
	for _, l := range leases {
		out = append(out, l.run)
	}
	return out
}

// maxWords bounds what a person may say in a description or a justification.
const maxWords = 200

// plainWords makes one short line of what a person said.
func plainWords(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxWords {
		s = string(r[:maxWords])
	}
	return s
}
