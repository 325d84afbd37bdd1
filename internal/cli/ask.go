package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/printable"
)

var errLeft = errors.New("left before the end: nothing was written")

const (
	// columns is the width that every line for a person fits in, and screen how many choices are shown at once.
	columns = 80
	screen  = 15
)

// asker asks a person at a terminal, or goes by flags alone.
type asker struct {
	o      *options
	in     *bufio.Reader // nil: nobody is here
	flags  map[string]string
	counts bool // how many were listed so far is shown
	shown  bool // and stands there now
}

func (o *options) asker(flags map[string]string) *asker {
	k := &asker{o: o, flags: flags}
	if terminal(o.env.Stdin) {
		k.in = bufio.NewReader(io.LimitReader(o.env.Stdin, 1<<20))
	}
	k.counts = k.in != nil && terminal(o.env.Stderr)
	return k
}

func (k *asker) say(format string, args ...any) { fmt.Fprintf(k.o.env.Stderr, format, args...) }

// answer gets answers to all questions: by flag, by default, or by asking. What nobody says is named all at once.
func (k *asker) answer(ctx context.Context, q *app.Asked, questions []app.Question) error {
	var missing []string
	asked := false
	q.Heard = k.heard
	for _, x := range questions {
		if x.Skip != nil && x.Skip(q) {
			continue
		}
		if given := k.flags[x.Flag]; given != "" {
			if len(missing) > 0 { // it may be one of a list that cannot be asked for yet
				continue
			}
			err := q.Take(ctx, x, given)
			k.quiet()
			if err != nil {
				if isOfService(err) && x.List != nil {
					k.say("without that list: %s\n", safe(x.List.ByHand))
				}
				return usage(err)
			}
			continue
		}
		otherwise := ""
		if x.Default != nil {
			var err error
			if otherwise, err = x.Default(ctx, q); err != nil && len(missing) == 0 {
				return usage(err)
			}
		}
		switch {
		case otherwise != "" && (x.Silent || k.in == nil && x.Flag != app.Name):
			q.Say(x.Flag, otherwise)
		case x.None != "" && (x.Silent || k.in == nil):
		case k.in == nil:
			missing = append(missing, x.Word())
		default:
			asked = true
			if err := k.ask(ctx, q, x, otherwise); err != nil {
				return err
			}
		}
	}
	if asked {
		k.say("\n")
	}
	if len(missing) > 0 {
		return Exit(ExitUsage, fmt.Errorf("nobody is here to be asked: give %s", strings.Join(missing, ", ")))
	}
	return nil
}

// usage is an error of what was given, or of a service that was asked because of it.
func usage(err error) error {
	var e *exit
	if errors.As(err, &e) {
		return err
	}
	if f := failure(err); isOfService(err) {
		return f
	}
	return Exit(ExitUsage, err)
}

// ask asks one question until there is an answer.
func (k *asker) ask(ctx context.Context, q *app.Asked, x app.Question, otherwise string) error {
	k.say("\n%s\n", x.Ask)
	var all []app.Choice
	if x.Lists(q) {
		var err error
		all, err = q.Choices(ctx, x)
		k.quiet()
		switch {
		case ctx.Err() != nil:
			return Exit(ExitPerson, errLeft)
		case err != nil:
			newPrinter(k.o.env.Stderr, k.o.env).problem(err)
		case len(all) == 0:
			k.say("  there is nothing to choose from that Rekey sees\n")
		}
		if len(all) == 0 && x.List.ByHand != "" {
			k.say("  %s\n", safe(x.List.ByHand))
		}
	}
	l := &page{all: all}
	l.filter("")
	for again := true; ; {
		if again && len(all) > 0 {
			k.say("%s", l.text())
		}
		again = true
		text, err := k.line(ctx, prompt(l, x, otherwise))
		if err != nil {
			return err
		}
		switch n, isNumber := number(text); {
		case text == "" && l.more():
			l.from += screen
		case text == "" && otherwise != "":
			q.Say(x.Flag, otherwise)
			return nil
		case text == "" && x.None != "":
			return nil
		case text == "" && l.narrow != "":
			l.filter("")
		case text == "":
			k.say("  something must be chosen here\n")
			again = false
		case isNumber && n >= 1 && n <= len(l.fit):
			q.Choose(x.Flag, l.fit[n-1])
			return nil
		case x.Many && l.several(text) != nil:
			q.ChooseAll(x.Flag, l.several(text))
			return nil
		case len(all) > 0 && l.one(text) != nil:
			q.Choose(x.Flag, *l.one(text))
			return nil
		case len(all) > 0 && len(app.Matching(all, text)) > 0:
			if l.filter(text); len(l.shown) == 1 {
				k.say("  %s cannot be chosen: %s\n", printable.Name(l.shown[0].Shown()), safe(l.shown[0].Unfit))
				l.filter("")
				again = false
			}
		case x.Form == nil || x.Form.MatchString(text):
			q.Choose(x.Flag, app.Choice{ID: text})
			return nil
		default:
			k.say("  that is none of them, and not of the form that it must have: %s\n", x.Usage)
			again = false
		}
	}
}

func prompt(l *page, x app.Question, otherwise string) string {
	var says []string
	switch {
	case len(l.fit) > 0 && x.Many:
		says = append(says, "numbers, or a part of a name")
	case len(l.fit) > 0:
		says = append(says, "a number, or a part of a name")
	case len(l.all) > 0:
		says = append(says, "none of these can be chosen: type another's id")
	}
	switch {
	case l.more():
		says = append(says, "Enter for more")
	case otherwise != "":
		says = append(says, "Enter for "+safe(otherwise))
	case x.None != "":
		says = append(says, "Enter to "+x.None)
	case l.narrow != "":
		says = append(says, "Enter for all of them")
	}
	if len(says) == 0 {
		return "> "
	}
	return strings.Join(says, "; ") + "> "
}

// line reads what a person types. An interrupt is heard while nothing is typed.
func (k *asker) line(ctx context.Context, prompt string) (string, error) {
	k.say("%s", prompt)
	type typed struct {
		text string
		err  error
	}
	heard := make(chan typed, 1)
	go func() {
		text, err := k.in.ReadString('\n')
		heard <- typed{text, err}
	}()
	select {
	case <-ctx.Done():
		k.say("\n")
		return "", Exit(ExitPerson, errLeft)
	case t := <-heard:
		if t.err != nil && strings.TrimSpace(t.text) == "" {
			k.say("\n")
			return "", Exit(ExitPerson, errLeft)
		}
		return strings.TrimSpace(t.text), nil
	}
}

// heard shows how much of a long list is there.
func (k *asker) heard(n int) {
	if k.counts && n >= 100 {
		k.shown = true
		k.say("\r  %d so far ...", n)
	}
}

// quiet clears that away.
func (k *asker) quiet() {
	if k.shown {
		k.shown = false
		k.say("\r%s\r", strings.Repeat(" ", 20))
	}
}

// page is what is shown of a list.
type page struct {
	all, shown, fit []app.Choice
	narrow          string
	from            int
}

// filter narrows the list to what has a text in it. Numbers are those of the narrowed list.
func (l *page) filter(text string) {
	l.narrow, l.from, l.shown, l.fit = text, 0, l.all, nil
	if text != "" {
		l.shown = app.Matching(l.all, text)
	}
	for _, c := range l.shown {
		if c.Unfit == "" {
			l.fit = append(l.fit, c)
		}
	}
}

func (l *page) more() bool { return l.from+screen < len(l.shown) }

// one is the only choice that a text means, if it can be chosen.
func (l *page) one(text string) *app.Choice {
	if found := app.Matching(l.all, text); len(found) == 1 && found[0].Unfit == "" {
		return &found[0]
	}
	return nil
}

// several are the choices of several numbers; nil if the text is anything else.
func (l *page) several(text string) (out []app.Choice) {
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, ok := number(part)
		if !ok || n < 1 || n > len(l.fit) {
			return nil
		}
		out = append(out, l.fit[n-1])
	}
	return out
}

// text is the part that is shown, a line each.
func (l *page) text() string {
	var b strings.Builder
	wide := 0
	part := l.shown[l.from:min(l.from+screen, len(l.shown))]
	for _, c := range part {
		wide = max(wide, min(30, utf8.RuneCountInString(printable.Name(c.Shown()))))
	}
	at := 0
	for _, c := range l.shown[:l.from] {
		if c.Unfit == "" {
			at++
		}
	}
	for _, c := range part {
		mark, about := "   -", "cannot be chosen: "+c.Unfit
		if c.Unfit == "" {
			at++
			mark, about = fmt.Sprintf("%4d", at), aboutOf(c)
		}
		name := cut(printable.Name(c.Shown()), 30)
		b.WriteString(cut(strings.TrimRight(mark+"  "+name+strings.Repeat(" ", wide-utf8.RuneCountInString(name))+"  "+safe(about), " "), columns-1) + "\n")
	}
	if rest := len(l.shown) - l.from - len(part); rest > 0 {
		fmt.Fprintf(&b, "      and %d more\n", rest)
	}
	return b.String()
}

func aboutOf(c app.Choice) string {
	var parts []string
	if c.Name != "" && len(c.ID) <= 12 && c.ID != c.Name {
		parts = append(parts, c.ID)
	}
	for _, a := range c.About {
		if a.Text != "" {
			parts = append(parts, a.Name+" "+a.Text)
		}
	}
	return strings.Join(parts, ", ")
}

// cut makes a text fit a width.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// number reads a number that was typed.
func number(s string) (n int, ok bool) {
	if s == "" || len(s) > 6 {
		return 0, false
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return 0, false
		}
		n = 10*n + int(r-'0')
	}
	return n, true
}
