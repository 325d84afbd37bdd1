package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// builder makes the tree of a file from its pieces.
type builder struct {
	c       *collector
	anchors map[string]*node
	nodes   int
	// line is what a piece's first line adds to the library's line numbers.
	line int
}

// build returns the root, a mapping, or nil.
func build(c *collector, ps []piece) *node {
	b := &builder{c: c, anchors: map[string]*node{}}
	count := len(ps)
	for _, p := range ps {
		count += len(p.parts)
	}
	if count > maxPieces {
		c.add(Problem{Message: fmt.Sprintf("the file has %d entries, more than %d", count, maxPieces)})
		return nil
	}
	root := &node{shape: mapping, line: 1, col: 1}
	for _, p := range ps {
		if p.header == "" {
			b.piece(root, p, 1, nil)
			continue
		}
		key := &node{shape: text, text: p.header, line: int32(p.line), col: 1}
		m := &node{shape: mapping, line: key.line, col: key.col}
		at := &place{key: p.header}
		for _, part := range p.parts {
			b.piece(m, part, 2, at)
		}
		b.entry(root, key, m, nil)
	}
	return root
}

// piece parses one piece and adds its entries to the mapping that it is part of.
func (b *builder) piece(into *node, p piece, depth int, at *place) {
	b.line = p.line - 1
	limit := maxPiece
	flow := into.line == 1 && at == nil && strings.HasPrefix(strings.TrimLeft(p.text, " "), "{")
	if flow {
		limit = maxFlow
	}
	switch {
	case len(p.text) > limit:
		b.lost(into, p, at, Problem{Line: p.line, Column: 1, Message: fmt.Sprintf(
			"what begins here has %d bytes, more than %d: write one credential, account or vault per entry, each on lines of its own", len(p.text), limit)})
		return
	case !flow && strings.Count(p.text, "\n") > maxPieceLines:
		b.lost(into, p, at, Problem{Line: p.line, Column: 1, Message: fmt.Sprintf(
			"what begins here has more than %d lines: write one credential, account or vault per entry", maxPieceLines)})
		return
	}
	if n, count, ok := quickly(p); ok && b.nodes+count < maxNodes {
		b.nodes += count
		for _, e := range n.entries {
			b.entry(into, e.key, e.value, at)
		}
		return
	}
	body, err := parse(p.text)
	if err != nil {
		b.lost(into, p, at, b.syntax(err, p))
		return
	}
	n := b.value(body, depth-1, at)
	switch n.shape {
	case mapping:
		for _, e := range n.entries {
			b.entry(into, e.key, e.value, at)
		}
	case absent:
		into.broken = true
	default:
		b.lost(into, p, at, Problem{Line: int(n.line), Column: int(n.col),
			Message: fmt.Sprintf("expected a key, a colon and a space here, found %s", n.shape)})
	}
}

// lost reports why a piece could not be read. Its key stays known, so that nobody is told that it is missing.
func (b *builder) lost(into *node, p piece, at *place, pr Problem) {
	pr.Path = at.String()
	first, _, _ := strings.Cut(p.text, "\n")
	indent := indentation(first)
	name, _, ok := keyOf(first[indent:])
	if !ok {
		into.broken = true
		b.c.add(pr)
		return
	}
	key := &node{shape: text, text: name, line: int32(p.line), col: int32(indent + 1)}
	if pr.Line == p.line || indentation(b.c.lines[min(max(pr.Line, 1), len(b.c.lines))-1]) > indent {
		pr.Path = (&place{up: at, key: key.text}).String()
	}
	b.c.add(pr)
	b.entry(into, key, &node{line: key.line, col: key.col}, at)
}

// refused is what the library reads and a manifest does without.
type refused struct {
	tk  *token.Token
	msg string
}

func (r *refused) Error() string          { return r.msg }
func (r *refused) GetToken() *token.Token { return r.tk }
func (r *refused) GetMessage() string     { return r.msg }

// parse runs the library over one piece. It guards what the library does not: recursion on each bracket and dash,
// and panics.
func parse(src string) (body ast.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("this cannot be read")
		}
	}()
	tokens := lexer.Tokenize(src)
	depth, dashes, dashLine := 0, 0, 0
	for _, tk := range tokens {
		switch tk.Type {
		case token.TagType:
			return nil, &refused{tk, "tags like !!str are not used in a manifest"}
		case token.MappingKeyType:
			return nil, &refused{tk, "a key is written as 'key:', without a question mark"}
		case token.DirectiveType:
			return nil, &refused{tk, "directives are not used in a manifest"}
		case token.DocumentHeaderType, token.DocumentEndType:
			return nil, &refused{tk, "a manifest is one document"}
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.SequenceEntryType:
			if tk.Position.Line != dashLine {
				dashes, dashLine = 0, tk.Position.Line
			}
			dashes++
		}
		if depth > maxDepth || dashes > maxDepth {
			return nil, &refused{tk, fmt.Sprintf("nested deeper than %d", maxDepth)}
		}
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		return nil, errors.New("this cannot be read")
	}
	return f.Docs[0].Body, nil
}

var noBlank = regexp.MustCompile(`^\s*[A-Za-z0-9_-]+:[^\s/]`)

// syntax is what the library said, in its words: they are a closed list that repeats keys at most.
func (b *builder) syntax(err error, p piece) Problem {
	pr := Problem{Line: p.line, Column: 1, Message: "not valid YAML: " + cutLine(err.Error())}
	var known interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &known) {
		return pr
	}
	if tk := known.GetToken(); tk != nil && tk.Position != nil {
		pr.Line, pr.Column = b.line+tk.Position.Line, tk.Position.Column
	}
	var own *refused
	if errors.As(err, &own) {
		pr.Message = own.msg
		return pr
	}
	pr.Message = "not valid YAML: " + strings.TrimSpace(cutLine(known.GetMessage()))
	if pr.Line >= 1 && pr.Line <= len(b.c.lines) && noBlank.MatchString(b.c.lines[pr.Line-1]) {
		pr.Message += "; is the blank after the colon missing?"
	}
	return pr
}

func cutLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (b *builder) at(n ast.Node) *node {
	out := &node{line: int32(b.line + 1), col: 1}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		out.line, out.col = int32(b.line+tk.Position.Line), int32(tk.Position.Column)
	}
	return out
}

func (b *builder) fail(n *node, at *place, format string, args ...any) *node {
	b.c.add(Problem{Line: int(n.line), Column: int(n.col), Path: at.String(), Message: fmt.Sprintf(format, args...)})
	n.shape = absent
	return n
}

// value converts the library's node.
func (b *builder) value(n ast.Node, depth int, at *place) *node {
	out := b.at(n)
	if b.nodes++; b.nodes >= maxNodes {
		if b.nodes == maxNodes {
			b.fail(out, at, "the file has more than %d values", maxNodes)
		}
		return out
	}
	if depth > maxDepth {
		return b.fail(out, at, "nested deeper than %d", maxDepth)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		b.fill(out, n.Values, depth, at)
	case *ast.MappingValueNode:
		b.fill(out, []*ast.MappingValueNode{n}, depth, at)
	case *ast.SequenceNode:
		out.shape = list
		for i, v := range n.Values {
			out.items = append(out.items, b.value(v, depth+1, &place{up: at, index: i + 1}))
		}
	case *ast.StringNode:
		out.shape, out.text = text, n.Value
	case *ast.LiteralNode:
		out.shape, out.text = text, n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.shape, out.text = number, n.GetToken().Value
	case *ast.BoolNode:
		out.shape, out.text = boolean, n.GetToken().Value
	case *ast.NullNode:
		out.shape = null
	case *ast.AnchorNode:
		return b.anchor(out, n, depth, at)
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		target, ok := b.anchors[name]
		if !ok {
			return b.fail(out, at, "there is no anchor %s above", quote("&"+name))
		}
		out.shape, out.target = alias, target
	default:
		return b.fail(out, at, "this is not used in a manifest")
	}
	return out
}

// anchor makes the value known under its name only when it is complete, so nothing can contain itself.
func (b *builder) anchor(out *node, n *ast.AnchorNode, depth int, at *place) *node {
	name := n.Name.GetToken().Value
	v := b.value(n.Value, depth+1, at)
	b.anchors[name] = v
	return v
}

// fill makes out a mapping. Merges are made here, once each: what an alias stands for is already complete.
func (b *builder) fill(out *node, values []*ast.MappingValueNode, depth int, at *place) {
	out.shape = mapping
	var merges []*node
	for i, v := range values {
		key := b.at(v.Key)
		if i == 0 {
			out.line, out.col = key.line, key.col
		}
		switch k := v.Key.(type) {
		case *ast.MergeKeyNode:
			merges = append(merges, b.value(v.Value, depth+1, &place{up: at, key: "<<"}))
			continue
		case *ast.StringNode:
			key.shape, key.text = text, k.Value
		case *ast.IntegerNode, *ast.BoolNode, *ast.NullNode, *ast.FloatNode:
			// A name such as 007 or true is a name.
			key.shape, key.text = text, k.GetToken().Value
		default:
			b.fail(key, at, "a key is plain text")
			continue
		}
		here := &place{up: at, key: key.text}
		b.entry(out, key, b.value(v.Value, depth+1, here), at)
	}
	for _, m := range merges {
		sources := []*node{m}
		if r := m.real(); r.shape == list {
			sources = r.items
		}
		for _, from := range sources {
			b.merge(out, from, at)
		}
	}
}

// entry adds an entry unless its key is there already.
func (b *builder) entry(m *node, key, value *node, at *place) {
	if first := m.get(key.text); first != nil {
		here := &place{up: at, key: key.text}
		b.c.add(Problem{Line: int(key.line), Column: int(key.col), Path: here.String(), Text: key.text,
			Message: fmt.Sprintf("%s is here twice, the first time on line %d, column %d", quote(key.text), first.key.line, first.key.col)})
		return
	}
	m.put(entry{key, value})
}

func (b *builder) merge(into *node, from *node, at *place) {
	switch r := from.real(); r.shape {
	case mapping:
		for _, e := range r.entries {
			if b.nodes++; b.nodes >= maxNodes {
				if b.nodes == maxNodes {
					b.fail(&node{line: from.line, col: from.col}, at, "merges make more than %d values", maxNodes)
				}
				return
			}
			if into.get(e.key.text) == nil {
				into.put(e)
			}
		}
	case absent:
	default:
		b.fail(&node{line: from.line, col: from.col}, at, "only a mapping can be merged with '<<', this is %s", r.shape)
	}
}
