package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity says whether a problem stops Rekey.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one thing that is wrong with a manifest. Its texts never hold a secret that was recognised, nor a
// control character.
type Problem struct {
	File       string   `json:"file"`
	Line       int      `json:"line"`
	Column     int      `json:"column"` // in characters, from 1
	Severity   Severity `json:"severity"`
	Path       string   `json:"path,omitempty"` // credentials.devops-pat.lifetime
	Text       string   `json:"text,omitempty"` // the offending text
	Message    string   `json:"message"`
	Suggestion string   `json:"suggestion,omitempty"` // what was probably meant
}

// String is the problem on one line: rekey.yaml:12:5: credentials.x.lifetme: unknown key "lifetme" (did you mean
// "lifetime"?)
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Suggestion != "" {
		fmt.Fprintf(&b, " (did you mean %s?)", quote(p.Suggestion))
	}
	return b.String()
}

// Problems are all problems of a manifest in the order of the file.
type Problems []Problem

// Failed says whether one of them is an error.
func (ps Problems) Failed() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// String is one line for each.
func (ps Problems) String() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// maxProblems keeps a broken file of four megabytes from becoming a hundred megabytes of complaints.
const maxProblems = 1000

type collector struct {
	file  string
	lines []string
	list  []Problem
	// failed says that there was an error, more that there was something after the list was full.
	failed, more bool
}

func (c *collector) full() bool { return len(c.list) >= maxProblems }

// add takes a problem with Line and Column as well as they are known, and puts them inside the file.
func (c *collector) add(p Problem) {
	if p.Severity == "" {
		p.Severity = Error
	}
	c.failed = c.failed || p.Severity == Error
	if c.full() {
		c.more = true
		return
	}
	p.File = visible(c.file)
	p.Line = max(1, min(p.Line, len(c.lines)))
	width := 0
	if p.Line <= len(c.lines) {
		width = utf8.RuneCountInString(c.lines[p.Line-1])
	}
	p.Column = max(1, min(p.Column, width+1))
	p.Path = visible(redact(p.Path))
	p.Text = visible(cut(redact(p.Text)))
	p.Message = visible(redact(p.Message))
	p.Suggestion = visible(redact(p.Suggestion))
	c.list = append(c.list, p)
}

func (c *collector) sorted() Problems {
	if c.more {
		last := Problem{File: visible(c.file), Line: max(1, len(c.lines)), Column: 1, Severity: Warning,
			Message: fmt.Sprintf("there are more problems than the %d that are shown", maxProblems)}
		if c.failed {
			last.Severity = Error
		}
		c.list = append(c.list, last)
		c.more = false
	}
	slices.SortStableFunc(c.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	c.list = slices.Compact(c.list)
	return c.list
}

// maxShown is how much of an offending text is repeated.
const maxShown = 80

// quote shows a text of the file in a message: in quotes, one line, nothing that a terminal would obey, no secret.
func quote(s string) string { return strconv.Quote(cut(redact(s))) }

func cut(s string) string {
	n := 0
	for i := range s {
		if n == maxShown {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// visible makes what is not printable visible; everything else stays as it is.
func visible(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 && utf8.ValidString(s) {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
