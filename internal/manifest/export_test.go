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
