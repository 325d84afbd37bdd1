package manifest

import (
	"strings"
	"unicode/utf8"
)

// quick reads the pieces that nearly all of a large file consists of: block maps whose values are plain words, quoted
// texts without escapes, true, false, and brackets of those on one line. It says no to everything else, and the YAML
// library reads that. It exists because the library takes half a second of CPU for ten thousand credentials, a
// quarter of what a whole plan may take; this takes a tenth. FuzzQuick holds it to the library: the same nodes at the
// same places, or no answer.
type quick struct {
	lines []string
	// line is the number of lines[0] in the file.
	line int
	// at is the line that is read next.
	at int
	// flow and pos are the one line of brackets that is being read.
	flow string
	pos  int
	// nodes are counted for the limit of the whole file.
	nodes int
}

// quickDepth is far less than maxDepth, which is the library's to check.
const quickDepth = 8

// quickly returns the mapping that a piece is, if it is simple enough.
func quickly(p piece) (n *node, nodes int, ok bool) {
	q := &quick{lines: strings.Split(p.text, "\n"), line: p.line}
	q.skip()
	if q.at == len(q.lines) {
		return nil, 0, false
	}
	n, ok = q.block(indentation(q.lines[q.at]), 1)
	return n, q.nodes, ok && q.at == len(q.lines)
}

func (q *quick) skip() {
	for q.at < len(q.lines) && insignificant(q.lines[q.at]) {
		q.at++
	}
}

func (q *quick) node(s shape, text string, col int) *node {
	q.nodes++
	return &node{shape: s, text: text, line: int32(q.line + q.at), col: int32(col + 1)}
}

// block reads the entries at one indentation.
func (q *quick) block(indent, depth int) (*node, bool) {
	if depth > quickDepth {
		return nil, false
	}
	m := q.node(mapping, "", indent)
	for q.at < len(q.lines) && indentation(q.lines[q.at]) == indent {
		l := q.lines[q.at]
		key, end, ok := word(l, indent)
		if !ok || end >= len(l) || l[end] != ':' || !isName(key) || m.get(key) != nil {
			return nil, false
		}
		k := q.node(text, key, indent)
		var v *node
		switch rest := l[end+1:]; {
		case rest == "":
			q.at++
			q.skip()
			if q.at == len(q.lines) || indentation(q.lines[q.at]) <= indent {
				return nil, false
			}
			v, ok = q.block(indentation(q.lines[q.at]), depth+1)
		case rest[0] != ' ':
			return nil, false
		default:
			q.flow, q.pos = l, end+1
			q.blanks()
			v, ok = q.value(depth + 1)
			if q.pos != len(l) {
				return nil, false
			}
			q.at++
			q.skip()
		}
		if !ok {
			return nil, false
		}
		m.put(entry{k, v})
	}
	// What is deeper now continues a value that ended, or is an entry between two indentations.
	return m, q.at == len(q.lines) || indentation(q.lines[q.at]) < indent
}

func (q *quick) blanks() {
	for q.pos < len(q.flow) && q.flow[q.pos] == ' ' {
		q.pos++
	}
}

func (q *quick) eat(c byte) bool {
	if q.pos < len(q.flow) && q.flow[q.pos] == c {
		q.pos++
		return true
	}
	return false
}

// column is where a byte of the line is, in characters.
func (q *quick) column(pos int) int { return utf8.RuneCountInString(q.flow[:pos]) }

func (q *quick) value(depth int) (*node, bool) {
	if depth > quickDepth || q.pos == len(q.flow) {
		return nil, false
	}
	start := q.column(q.pos)
	switch q.flow[q.pos] {
	case '{':
		q.pos++
		return q.braces(start, depth)
	case '[':
		q.pos++
		return q.brackets(start, depth)
	}
	quoted := q.flow[q.pos] == '"'
	s, end, ok := word(q.flow, q.pos)
	if !ok {
		return nil, false
	}
	q.pos = end
	sh := text
	if !quoted {
		if sh = plainShape(s); sh == absent {
			return nil, false
		}
	}
	return q.node(sh, s, start), true
}

func (q *quick) braces(start, depth int) (*node, bool) {
	m := q.node(mapping, "", start)
	q.blanks()
	if q.eat('}') {
		return m, true
	}
	for {
		q.blanks()
		col := q.column(q.pos)
		key, end, ok := word(q.flow, q.pos)
		if !ok || !isName(key) || m.get(key) != nil {
			return nil, false
		}
		q.pos = end
		if !q.eat(':') || !q.eat(' ') {
			return nil, false
		}
		if len(m.entries) == 0 {
			m.line, m.col = int32(q.line+q.at), int32(col+1)
		}
		k := q.node(text, key, col)
		q.blanks()
		v, ok := q.value(depth + 1)
		if !ok {
			return nil, false
		}
		m.put(entry{k, v})
		q.blanks()
		if q.eat('}') {
			return m, true
		}
		if !q.eat(',') {
			return nil, false
		}
	}
}

func (q *quick) brackets(start, depth int) (*node, bool) {
	l := q.node(list, "", start)
	q.blanks()
	if q.eat(']') {
		return l, true
	}
	for {
		q.blanks()
		v, ok := q.value(depth + 1)
		if !ok {
			return nil, false
		}
		l.items = append(l.items, v)
		q.blanks()
		if q.eat(']') {
			return l, true
		}
		if !q.eat(',') {
			return nil, false
		}
	}
}

// word reads a plain word or a quoted text that begins at a byte of the line, and returns where it ends.
func word(l string, from int) (s string, end int, ok bool) {
	if from < len(l) && l[from] == '"' {
		n := strings.IndexByte(l[from+1:], '"')
		if n < 0 {
			return "", 0, false
		}
		s = l[from+1 : from+1+n]
		return s, from + n + 2, !strings.ContainsAny(s, "\\\t")
	}
	end = from
	for end < len(l) && (alnum(l[end]) || strings.IndexByte("_-./@", l[end]) >= 0) {
		end++
	}
	return l[from:end], end, end > from
}

// isName says that a key is what YAML takes for text in any case.
func isName(s string) bool {
	if s == "" || !(s[0] >= 'a' && s[0] <= 'z') || special(s) {
		return false
	}
	for i := range len(s) {
		if !alnum(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return true
}

// plainShape is what a word without quotes is, or absent if that takes the library's rules for numbers.
func plainShape(s string) shape {
	if s == "true" || s == "false" {
		return boolean
	}
	if special(s) {
		return absent
	}
	if c := s[0]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
		return text
	}
	// 30d, 24h: digits and one of the manifest's units are no number in any notation.
	n := strings.TrimLeft(s, "0123456789")
	if len(n) == 1 && len(n) < len(s) && strings.Contains("dhm", n) {
		return text
	}
	return absent
}

// special are the words that some YAML reads as something else than text.
func special(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan":
		return true
	}
	return false
}
