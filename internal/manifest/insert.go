package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Addition is an entry that is to be written into a manifest.
type Addition struct {
	// Path leads to the mapping that it goes into: "credentials"; or "credentials", NAME, "consumers".
	Path []string
	// Lines are the line of its key, and what is below that, indented by two blanks a level.
	Lines []string
}

// key is the entry's name.
func (a Addition) key() string {
	if len(a.Lines) == 0 {
		return ""
	}
	key, _, _ := keyOf(a.Lines[0])
	return key
}

// String is the entry below the keys that lead to it, as lines of a manifest.
func (a Addition) String() string {
	var b strings.Builder
	indent := ""
	for _, key := range a.Path {
		b.WriteString(indent + key + ":\n")
		indent += "  "
	}
	for _, l := range a.Lines {
		b.WriteString(indent + l + "\n")
	}
	return b.String()
}

// Insertion is a manifest with what was added to it.
type Insertion struct {
	Source []byte
	// Problems are those of the whole manifest; with an error among them it must not be used.
	Problems Problems
}

// ByHand is why a manifest cannot be added to: a person has to do it.
type ByHand struct {
	File, Path string
	Line       int // 0: no line
	Why        string
}

func (e *ByHand) Error() string {
	at := visible(e.File)
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", at, e.Line)
	}
	return fmt.Sprintf("%s: nothing can be added to %s: %s", at, visible(e.Path), e.Why)
}

// Insert adds entries to a manifest and keeps every other byte of it: comments, order, line ends. What comes of it is
// read again, and must be the old manifest and the entries, and nothing else.
func Insert(file string, src []byte, kinds []Kind, adds ...Addition) (Insertion, error) {
	out := Insertion{Source: src}
	var grew [][]string
	for _, a := range adds {
		next, err := insert(file, out.Source, a)
		if err != nil {
			return Insertion{}, err
		}
		out.Source = next
		grew = append(grew, append(slices.Clone(a.Path), a.key()))
	}
	_, out.Problems = Parse(file, out.Source, kinds)
	if out.Problems.Failed() {
		return out, nil
	}
	before, after := read(&collector{file: file}, src), read(&collector{file: file}, out.Source)
	if g := (growth{grew, map[[2]*node]bool{}}); before == nil || after == nil || !g.only(before, after, nil) {
		return Insertion{}, &ByHand{File: file, Path: strings.Join(adds[0].Path, "."), Why: "the lines would mean something else there"}
	}
	return out, nil
}

// insert adds one entry.
func insert(file string, src []byte, a Addition) ([]byte, error) {
	c := &collector{file: file}
	root := read(c, src)
	if root == nil {
		return nil, &ByHand{File: file, Path: strings.Join(a.Path, "."), Why: "the file cannot be read"}
	}
	e := editor{c: c, file: file, lines: bytes.SplitAfter(src, []byte("\n")), eol: "\n"}
	if len(e.lines[len(e.lines)-1]) == 0 {
		e.lines = e.lines[:len(e.lines)-1]
	}
	if bytes.HasSuffix(e.lines[0], []byte("\r\n")) {
		e.eol = "\r\n"
	}
	at, rest, err := e.find(root, a.Path)
	if err != nil {
		return nil, err
	}
	lines := a.Lines
	for _, key := range slices.Backward(rest) {
		lines = slices.Concat([]string{key + ":"}, indented("  ", lines))
	}
	lines = indented(strings.Repeat(" ", at.indent), lines)
	return e.put(at, lines, len(a.Path) == len(rest) || len(a.Path) == 1 && len(lines) > 1), nil
}

func indented(by string, lines []string) (out []string) {
	for _, l := range lines {
		out = append(out, by+l)
	}
	return out
}

// editor works on the lines of a file; what the reader says of them is in c.
type editor struct {
	c     *collector
	file  string
	lines [][]byte
	eol   string
}

// spot is a mapping in a file: lines[from:to] hold it, its entries are indented by indent.
type spot struct {
	from, to, indent int
	// braces is the line of a "{}" that has to go, from 0; -1 if there is none.
	braces int
}

// find leads to the mapping of a path, as far as it is there; rest is what is missing of the path.
func (e *editor) find(root *node, path []string) (at spot, rest []string, err error) {
	byHand := func(n int, line int32, why string) error {
		return &ByHand{File: e.file, Path: strings.Join(path[:n], "."), Line: int(line), Why: why}
	}
	at = spot{to: len(e.lines), braces: -1}
	m := root
	for i, key := range path {
		if !e.block(m, at) {
			return spot{}, nil, byHand(i, int32(at.from), "its entries do not stand on lines of their own: add it by hand")
		}
		if len(m.entries) > 0 {
			at.indent = int(m.entries[0].key.col) - 1
		}
		entry := m.get(key)
		if entry == nil {
			return at, path[i:], nil
		}
		line := int(entry.key.line)
		if line <= at.from || line > at.to {
			return spot{}, nil, byHand(i+1, 0, "it comes from another place, by an alias or a merge: add it by hand")
		}
		for _, other := range m.entries {
			if n := int(other.key.line); n > line && n <= at.to {
				at.to = n - 1
			}
		}
		at.from, at.indent = line, at.indent+2
		text := e.c.lines[line-1]
		_, after, _ := keyOf(text[indentation(text):])
		switch {
		case insignificant(after) && entry.value.shape != alias:
		case emptyBraces.MatchString(after):
			at.braces = line - 1
		default:
			return spot{}, nil, byHand(i+1, entry.key.line, "what it holds begins on its own line: put each entry on a line of its own, or add it by hand")
		}
		if m = entry.value; m.shape != mapping && m.shape != null && m.shape != absent {
			return spot{}, nil, byHand(i+1, entry.key.line, "it is "+m.shape.String()+" where entries are expected")
		}
	}
	if !e.block(m, at) {
		return spot{}, nil, byHand(len(path), int32(at.from), "its entries do not stand on lines of their own: add it by hand")
	}
	if len(m.entries) > 0 {
		at.indent = int(m.entries[0].key.col) - 1
	}
	return at, nil, nil
}

var emptyBraces = regexp.MustCompile(`^[ \t]*\{[ \t]*\}[ \t]*(?:#.*)?$`)

// block says whether every entry of a mapping begins a line of its own, all alike indented, or is from elsewhere.
func (e *editor) block(m *node, at spot) bool {
	for _, l := range e.c.lines[at.from:min(at.to, len(e.c.lines))] {
		if insignificant(l) || marker(l) != "" {
			continue
		}
		if !isKey(l[indentation(l):]) {
			return false
		}
		break
	}
	indent := -1
	for _, x := range m.entries {
		line := int(x.key.line)
		if line <= at.from || line > at.to {
			continue
		}
		text := e.c.lines[line-1]
		in := indentation(text)
		if indent < 0 {
			indent = in
		}
		if in != indent || in != int(x.key.col)-1 || !isKey(text[in:]) {
			return false
		}
	}
	return true
}

// put writes lines behind the last line of a mapping. What follows that, blank lines and comments that stand further
// left, belongs to what comes next. apart asks for a blank line between.
func (e *editor) put(at spot, lines []string, apart bool) []byte {
	end := at.to
	for end > at.from {
		l := e.c.lines[min(end, len(e.c.lines))-1]
		if end <= len(e.c.lines) && strings.TrimSpace(l) != "" && (!insignificant(l) || indentation(l) >= at.indent) {
			break
		}
		end--
	}
	var b bytes.Buffer
	for i, l := range e.lines[:end] {
		if i == at.braces {
			l = braces.ReplaceAll(l, nil)
		}
		b.Write(l)
	}
	if n := b.Len(); n > 0 && b.Bytes()[n-1] != '\n' {
		b.WriteString(e.eol)
	}
	if apart && end > at.from {
		b.WriteString(e.eol)
	}
	for _, l := range lines {
		b.WriteString(l + e.eol)
	}
	for _, l := range e.lines[end:] {
		b.Write(l)
	}
	return b.Bytes()
}

var braces = regexp.MustCompile(`[ \t]*\{[ \t]*\}`)

// growth compares trees: what is in the second one and not in the first one must be what was added.
type growth struct {
	added [][]string
	same  map[[2]*node]bool
}

func (g growth) only(before, after *node, path []string) bool {
	before, after = before.real(), after.real()
	if before == nil || after == nil {
		return before == after
	}
	pair := [2]*node{before, after}
	if g.same[pair] {
		return true
	}
	leads := slices.ContainsFunc(g.added, func(p []string) bool { return len(p) > len(path) && slices.Equal(p[:len(path)], path) })
	if before.shape == null && leads {
		before = &node{shape: mapping}
	}
	if before.shape != after.shape || before.text != after.text || len(before.items) != len(after.items) {
		return false
	}
	for i := range before.items {
		if !g.only(before.items[i], after.items[i], nil) {
			return false
		}
	}
	for _, e := range before.entries {
		there := after.get(e.key.text)
		if there == nil || !g.only(e.value, there.value, below(path, leads, e.key.text)) {
			return false
		}
	}
	for _, e := range after.entries {
		at := below(path, leads, e.key.text)
		if before.get(e.key.text) == nil && !slices.ContainsFunc(g.added, func(p []string) bool { return len(p) >= len(at) && leads && slices.Equal(p[:len(at)], at) }) {
			return false
		}
	}
	g.same[pair] = true
	return true
}

// below is the path of an entry; where nothing was added it is that of nothing.
func below(path []string, leads bool, key string) []string {
	if !leads {
		return []string{""}
	}
	return append(slices.Clone(path), key)
}

var plainScalar = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9._@/-]*(?: [A-Za-z0-9._@/-]+)*$|^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^[0-9]+[dhm]$`)

// Scalar writes a text as a value of a manifest: as it is where that means the text and nothing else, else quoted.
func Scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf":
	default:
		if plainScalar.MatchString(s) {
			return s
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
