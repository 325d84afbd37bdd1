package manifest

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits. They are far from what a person or a generator writes (ten thousand credentials take two and a half
// megabytes) and near enough that no file costs more than seconds: the YAML library's time grows with the square of
// some things, such as blank lines in a block of text or keys in a map, and its memory is a thousand times a file of
// nothing but commas.
const (
	maxFile       = 4 << 20
	maxPiece      = 64 << 10  // one credential, account or other piece; see split
	maxFlow       = 512 << 10 // a file that is one {...}, as JSON is: it cannot be read in pieces
	maxPieceLines = 2000
	maxBlank      = 100 // blank lines in a row
	maxPieces     = 50_000
	maxNodes      = 1_000_000
	maxItems      = 500 // in one list
	maxDepth      = 20
)

// read turns the file into its tree, or nil if nothing can be said beyond what was reported.
func read(c *collector, src []byte) *node {
	if len(src) > maxFile {
		c.add(Problem{Message: fmt.Sprintf("the file has %d bytes, more than %d", len(src), maxFile)})
		return nil
	}
	text, ok := clean(c, src)
	if !ok {
		return nil
	}
	c.lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	pasted := pastedSecrets(c, text)
	if !lineRules(c) {
		return nil
	}
	root := build(c, pieces(c))
	for _, p := range pasted {
		p.Path = root.pathAt(p.Line, p.Column)
		c.add(p)
	}
	return root
}

// clean takes off a byte order mark, makes CRLF LF, and refuses what is not text.
func clean(c *collector, src []byte) (string, bool) {
	if bytes.HasPrefix(src, []byte{0xff, 0xfe}) || bytes.HasPrefix(src, []byte{0xfe, 0xff}) {
		c.add(Problem{Message: "the file is UTF-16: save it as UTF-8"})
		return "", false
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	line, column := 1, 1
	for i := 0; i < len(src); {
		r, n := rune(src[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(src[i:])
		}
		bad := ""
		switch {
		case r == utf8.RuneError && n == 1:
			bad = "this is not UTF-8"
		case r < ' ' && r != '\n' && r != '\t', r >= 0x7f && r < 0xa0 && r != 0x85:
			bad = fmt.Sprintf("control character %U", r)
		}
		if bad != "" {
			c.lines = strings.Split(string(bytes.ToValidUTF8(src, []byte("\ufffd"))), "\n")
			c.add(Problem{Line: line, Column: column, Message: bad})
			return "", false
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		i += n
	}
	return string(src), true
}

// pastedSecrets finds credentials in the whole text, comments too: a file that a parser refuses must not repeat them
// either.
func pastedSecrets(c *collector, text string) []Problem {
	var ps []Problem
	line, from := 1, 0
	for _, s := range secrets(text) {
		line += strings.Count(text[from:s.from], "\n")
		from = s.from
		start := strings.LastIndexByte(text[:s.from], '\n') + 1
		ps = append(ps, Problem{Line: line, Column: utf8.RuneCountInString(text[start:s.from]) + 1, Text: hidden,
			Message: fmt.Sprintf("%s looks like %s: a manifest names secrets and never holds one; take it out and revoke it", hidden, s.what)})
		if len(ps) == maxProblems {
			break
		}
	}
	return ps
}

// lineRules checks what must hold before the YAML library may see the lines.
func lineRules(c *collector) bool {
	ok, blank, content := true, 0, false
	for i, l := range c.lines {
		rest := strings.TrimLeft(l, " \t")
		if rest == "" {
			if blank++; blank == maxBlank+1 {
				c.add(Problem{Line: i + 1, Column: 1, Message: fmt.Sprintf("more than %d blank lines in a row", maxBlank)})
				ok = false
			}
			continue
		}
		blank = 0
		if rest[0] == '#' {
			continue
		}
		content = true
		if t := strings.IndexByte(l[:len(l)-len(rest)], '\t'); t >= 0 {
			c.add(Problem{Line: i + 1, Column: t + 1, Message: "a tab indents this line: YAML is indented with spaces"})
			ok = false
		}
	}
	if !content {
		c.add(Problem{Message: "the manifest is empty: 'rekey init' writes one to start from"})
		return false
	}
	return ok
}
