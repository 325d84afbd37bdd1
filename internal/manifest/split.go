package manifest

import (
	"fmt"
	"slices"
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

// longestKey is far more than any name may have.
const longestKey = 512

// keyOf is the key of a line that begins an entry of a block map, with the indentation cut off, and what follows its
// colon.
//
// Reading a file in pieces is sound because YAML demands that whatever belongs to an entry is indented deeper than
// its key (closing brackets and the dashes of a list aside, which do not look like a key). A line that looks like a
// key and is not one, in a quoted text or brackets that were indented wrongly, cuts a piece that is then not valid by
// itself: the result is an error, never a different meaning.
func keyOf(l string) (key, rest string, ok bool) {
	if l == "" {
		return "", "", false
	}
	head := l[:min(len(l), longestKey)]
	colon := -1
	switch c := l[0]; {
	case c == '"' || c == '\'':
		end := strings.IndexByte(head[1:], c) + 1
		if end == 0 || c == '"' && strings.IndexByte(head[:end], '\\') >= 0 {
			return "", "", false
		}
		key, colon = head[1:end], end+1
	case strings.IndexByte(" \t#:{}[],&*!|>%@`", c) >= 0:
		return "", "", false
	case (c == '-' || c == '?') && (len(l) == 1 || strings.IndexByte(" \t:#-", l[1]) >= 0):
		return "", "", false
	default:
		colon = strings.IndexAny(head, ":#")
		if colon < 0 {
			return "", "", false
		}
		key = strings.TrimRight(head[:colon], " \t")
	}
	if colon >= len(head) || l[colon] != ':' {
		return "", "", false
	}
	rest = l[colon+1:]
	return key, rest, rest == "" || rest[0] == ' ' || rest[0] == '\t'
}

func isKey(l string) bool {
	_, _, ok := keyOf(l)
	return ok
}

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
			c.add(Problem{Line: i + 1, Column: 1, Text: m, Message: fmt.Sprintf("%s begins or ends a document: a manifest is one", quote(m))})
			lines = slices.Clone(lines)
			lines[i] = ""
		}
	}
	if !isKey(firstSignificant(lines, first)) {
		return wholeFile(lines, first)
	}
	if merges(lines[first:], 0) {
		return wholeFile(lines, first)
	}
	top := cutAt(c, lines, first, len(lines), 0)
	for i := range top {
		top[i] = section(c, top[i], lines)
	}
	return top
}

// wholeFile is for what is not a block map, as JSON is: its lines may stand anywhere.
func wholeFile(lines []string, from int) []piece {
	return []piece{{text: strings.Join(lines[from:], "\n") + "\n", line: from + 1}}
}

// section cuts a piece further if it is a key alone with a block map below it.
func section(c *collector, p piece, lines []string) piece {
	from := p.line - 1
	to := from + strings.Count(p.text, "\n")
	key, rest, ok := keyOf(lines[from])
	if !ok || !isName(key) || !insignificant(rest) {
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
	if indent == 0 || !isKey(lines[child][indent:]) {
		return p
	}
	if merges(lines[child:to], indent) {
		return p
	}
	p.header = key
	p.parts = cutAt(c, lines, child, to, indent)
	p.text = ""
	return p
}

// merges says whether a merge stands among the entries at that indentation: what it means depends on all of them.
func merges(lines []string, indent int) bool {
	return slices.ContainsFunc(lines, func(l string) bool {
		return indentation(l) == indent && strings.HasPrefix(l[indent:], "<<")
	})
}

// cutAt cuts lines[from:to] before each line that begins an entry at that indentation.
func cutAt(c *collector, lines []string, from, to, indent int) []piece {
	var ps []piece
	begin, lost := -1, false
	flush := func(end int) {
		if begin < 0 {
			return
		}
		ps = append(ps, piece{line: begin + 1, text: strings.Join(lines[begin:end], "\n") + "\n"})
		begin = -1
	}
	for i := from; i < to; i++ {
		l := lines[i]
		if insignificant(l) {
			continue
		}
		switch in := indentation(l); {
		case in < indent && isKey(l[in:]):
			flush(i)
			lost = true
			c.add(Problem{Line: i + 1, Column: in + 1,
				Message: fmt.Sprintf("this line is indented by %d, what stands beside it by %d", in, indent)})
		case in == indent && isKey(l[in:]):
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
