package manifest

import (
	"fmt"
	"strings"
)

// Quickly is what the quick reader makes of a piece; ok says whether it does.
func Quickly(src string) (tree string, ok bool) {
	n, _, ok := quickly(piece{text: src, line: 1})
	if !ok {
		return "", false
	}
	return dump(n), true
}

// Slowly is what the YAML library makes of it.
func Slowly(src string) string {
	c := &collector{lines: strings.Split(src, "\n")}
	b := &builder{c: c, anchors: map[string]*node{}}
	body, err := parse(src)
	if err != nil {
		return "error: " + err.Error()
	}
	n := b.value(body, 1, nil)
	if len(c.list) > 0 {
		return "problems: " + c.sorted().String()
	}
	return dump(n)
}

func dump(n *node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d:%d %s %q", n.line, n.col, n.shape, n.text)
	for _, i := range n.items {
		b.WriteString(" [" + dump(i) + "]")
	}
	for _, e := range n.entries {
		b.WriteString(" {" + dump(e.key) + " = " + dump(e.value) + "}")
	}
	return b.String()
}

// InPieces is the tree of a file as Parse reads it, InOnePiece as the YAML library reads it whole; ok says that there
// was nothing to complain of.
func InPieces(src string) (tree string, ok bool) {
	c := &collector{}
	root := read(c, []byte(src))
	if root == nil || len(c.list) > 0 {
		return "", false
	}
	return values(root), true
}

func InOnePiece(src string) string {
	c := &collector{lines: strings.Split(src, "\n")}
	b := &builder{c: c, anchors: map[string]*node{}}
	body, err := parse(src)
	if err != nil {
		return "error: " + err.Error()
	}
	n := b.value(body, 1, nil)
	if len(c.list) > 0 {
		return "problems: " + c.sorted().String()
	}
	return values(n)
}

// values is a tree with the places of its keys alone: a section begins at its key or at its first entry, and the
// library is a column off now and then where a value continues on another line.
func values(n *node) string {
	var b strings.Builder
	n = n.real()
	fmt.Fprintf(&b, "%s %q", n.shape, n.text)
	for _, i := range n.items {
		b.WriteString(" [" + values(i) + "]")
	}
	for _, e := range n.entries {
		fmt.Fprintf(&b, " {%d:%d %q = %s}", e.key.line, e.key.col, e.key.text, values(e.value))
	}
	return b.String()
}
