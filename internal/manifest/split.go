package manifest

import (
	"fmt"
	"regexp"
	"strings"
)

// piece is a run of lines that is one YAML document of its own.
type piece struct {
	text string
	line int // of its first line, from 1
	// header is a section's key ("credentials:") whose entries are pieces of their own, in parts.
	header string
	parts  []piece
}

// keyLine matches a line that begins an entry of a block map, at the indentation that was cut off.
//
// Reading a file in pieces is sound because YAML demands that whatever belongs to an entry is indented deeper than
// its key (closing brackets and the dashes of a list aside, which do not look like a key). A line that looks like a
// key and is not one, in a quoted text or brackets that were indented wrongly, cuts a piece that is then not valid by
// itself: the result is an error, never a different meaning.
var keyLine = regexp.MustCompile(`^("[^"\\]*"|'[^']*'|[^\s#:{}\[\],&*!|>'"%@` + "`" + `?-][^:#]*|[?-][^\s:#-][^:#]*):(\s|$)`)

// sectionLine matches a key with nothing but a comment after it.
var sectionLine = regexp.MustCompile(`^:\s*(#.*)?$`)

// pieces cuts the file into its top-level entries, and a section whose entries begin on lines of their own into
// those. The YAML library then never sees more than one credential: in time because it is quadratic in the entries
// of a map, in memory because its tokens and tree are a hundred times the text. And a syntax error in one credential
// does not hide what is wrong with the others.
func pieces(c *collector) []piece {
	lines := c.lines
	first := 0
	for ; first < len(lines); first++ {
		l := lines[first]
		if insignificant(l) {
			continue
		}
		if marker(l) == "---" && insignificant(l[3:]) {
			first++
		}
		break
	}
	for i := first; i < len(lines); i++ {
		if m := marker(lines[i]); m != "" {
			c.add(Problem{Line: i + 1, Column: 1, Text: m, Message: fmt.Sprintf("%s begins another document: a manifest is one", quote(m))})
			lines = lines[:i]
			break
		}
	}
	top := cutAt(c, lines, first, len(lines), 0)
	if len(top) == 0 {
		return nil
	}
	if len(top) == 1 && !keyLine.MatchString(firstSignificant(lines, first)) {
		return top
	}
	for i := range top {
		top[i] = section(c, top[i], lines)
	}
	return top
}

// section cuts a piece further if it is a key alone with a block map below it.
func section(c *collector, p piece, lines []string) piece {
	from := p.line - 1
	to := from + strings.Count(p.text, "\n")
	m := keyLine.FindStringSubmatch(lines[from])
	if m == nil || !sectionLine.MatchString(lines[from][len(m[0])-len(m[2])-1:]) {
		return p
	}
	child := from + 1
	for child < to && insignificant(lines[child]) {
		child++
	}
	if child == to {
		return p
	}
	indent := indentation(lines[child])
	if indent == 0 || !keyLine.MatchString(lines[child][indent:]) {
		return p
	}
	p.header = strings.Trim(strings.TrimSpace(m[1]), `"'`)
	p.parts = cutAt(c, lines, child, to, indent)
	p.text = ""
	return p
}

// cutAt cuts lines[from:to] before each line that begins an entry at that indentation.
func cutAt(c *collector, lines []string, from, to, indent int) []piece {
	var ps []piece
	begin, lost := -1, false
	flush := func(end int) {
		if begin < 0 {
			return
		}
		last := end
		for last > begin && insignificant(lines[last-1]) {
			last--
		}
		ps = append(ps, piece{line: begin + 1, text: strings.Join(lines[begin:last], "\n") + "\n"})
		begin = -1
	}
	for i := from; i < to; i++ {
		l := lines[i]
		if insignificant(l) {
			continue
		}
		switch in := indentation(l); {
		case in < indent && keyLine.MatchString(l[in:]):
			flush(i)
			lost = true
			c.add(Problem{Line: i + 1, Column: in + 1,
				Message: fmt.Sprintf("this line is indented by %d, what stands beside it by %d", in, indent)})
		case in == indent && keyLine.MatchString(l[in:]):
			flush(i)
			begin, lost = i, false
		case begin < 0 && !lost:
			begin = i
		}
	}
	flush(to)
	return ps
}

func firstSignificant(lines []string, from int) string {
	for _, l := range lines[from:] {
		if !insignificant(l) {
			return l
		}
	}
	return ""
}

// insignificant lines are blank or a comment.
func insignificant(l string) bool {
	l = strings.TrimLeft(l, " \t")
	return l == "" || l[0] == '#'
}

func indentation(l string) int { return len(l) - len(strings.TrimLeft(l, " ")) }

// marker is the document marker that a line begins with, or "".
func marker(l string) string {
	if len(l) >= 3 && (l[:3] == "---" || l[:3] == "...") && (len(l) == 3 || l[3] == ' ' || l[3] == '\t') {
		return l[:3]
	}
	return ""
}
