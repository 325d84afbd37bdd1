package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rekeyhq/rekey/internal/artifact"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/printable"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// printer writes text for people.
type printer struct {
	w      io.Writer
	colour bool
	// told says that the progress has shown every effect right above.
	told bool
}

func newPrinter(w io.Writer, env Env) *printer {
	return &printer{w: w, colour: terminal(w) && env.Getenv("NO_COLOR") == "" && env.Getenv("TERM") != "dumb"}
}

// Painter colours text for a stream, if that is a terminal that wants it.
func Painter(env Env, w io.Writer) func(code, text string) string { return newPrinter(w, env).paint }

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
	bold   = "1"
)

func (p *printer) paint(code, s string) string {
	if !p.colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// problem prints an error, and what to do about it.
func (p *printer) problem(err error) {
	fmt.Fprintf(p.w, "%s %s\n", p.paint(red, "rekey: error:"), safe(err.Error()))
	var e *driver.Error
	if errors.As(err, &e) && e.Hint != "" {
		fmt.Fprintf(p.w, "%s %s\n", p.paint(yellow, "rekey: hint:"), safe(e.Hint))
	}
}

// safe makes text fit for a terminal: names come from services.
func safe(s string) string { return printable.Text(s) }

func needs(n int) string {
	if n == 1 {
		return "needs a person"
	}
	return "need a person"
}

// count says how many of something there are.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// writeJSON prints one document, which may end up on a terminal like any text.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(b.Bytes()))
	return err
}

// when prints a time, and how far off it is from now.
func when(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	s := t.UTC().Format("2006-01-02 15:04Z")
	switch d := t.Sub(now); {
	case now.IsZero():
	case d > 48*time.Hour:
		s += fmt.Sprintf(" (in %d days)", int(d/(24*time.Hour)))
	case d > time.Hour:
		s += fmt.Sprintf(" (in %d h)", int(d/time.Hour))
	case d > 0:
		s += fmt.Sprintf(" (in %d min)", max(1, int(d/time.Minute)))
	}
	return s
}

// maxStrangers keeps another manifest's fleet from filling the screen.
const maxStrangers = 5

// run prints a plan or what a run did. Idle credentials beyond a screenful are counted, not listed.
func (p *printer) run(doc report.Run, all bool) {
	plan := doc.Command == "plan"
	hidden := 0
	for _, c := range doc.Credentials {
		idle := c.Outcome == report.Done && len(c.Effects) == 0 && len(c.Notes) == 0
		if idle && !all && len(doc.Credentials) > 20 {
			hidden++
			continue
		}
		p.credential(c, plan)
	}
	if hidden > 0 {
		fmt.Fprintf(p.w, "%s\n", p.paint(dim, fmt.Sprintf("%d more have nothing to do (--all lists them)", hidden)))
	}
	for i, x := range doc.Strangers {
		if i == maxStrangers {
			fmt.Fprintf(p.w, "      and %d more, with --json\n", len(doc.Strangers)-i)
			break
		}
		fmt.Fprintf(p.w, "note  %s (%s) is stamped for no secret of this manifest; it is left alone and ends at %s\n", printable.Name(x.ID), printable.Name(x.Name), when(x.Expires, time.Time{}))
	}
	for _, e := range doc.Elevations {
		p.elevation(e)
	}
	s := doc.Summary
	var parts []string
	for _, x := range []struct {
		n            int
		colour, text string
	}{{s.ToDo, bold, "to do"}, {s.Done, green, "done"}, {s.Waiting, "", "waiting"}, {s.Held, yellow, needs(s.Held)}, {s.Failed, red, "failed"}} {
		text := x.text
		if plan && text == "done" {
			text = "with nothing to do"
		}
		if x.n > 0 {
			parts = append(parts, p.paint(x.colour, fmt.Sprintf("%d %s", x.n, text)))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no credentials"}
	}
	fmt.Fprintf(p.w, "%s: %s\n", doc.Command, strings.Join(parts, ", "))
}

func (p *printer) credential(c report.Credential, plan bool) {
	mark, colour, word := "ok", green, c.Code
	switch c.Outcome {
	case report.ToDo:
		mark, colour, word = "do", bold, c.Action
	case report.Waiting:
		mark, colour, word = "wait", dim, c.Code
	case report.Held:
		mark, colour, word = "HOLD", yellow, c.Code
	case report.Failed:
		mark, colour, word = "FAIL", red, c.Code
	}
	fmt.Fprintf(p.w, "%s  %s  %s\n", p.paint(colour, fmt.Sprintf("%-4s", mark)), p.paint(bold, safe(c.Name)), p.paint(dim, safe(c.Secret)))
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(p.w, "      %s%s\n", label, safe(text))
		}
	}
	if c.Error != nil {
		line("", c.Error.Text)
		line("hint: ", c.Error.Hint)
	} else {
		line(word+": ", c.Why)
	}
	line("decide: ", c.Do)
	for _, n := range c.Notes {
		line("note: ", n)
	}
	for _, e := range c.Effects {
		if p.told {
			break
		}
		if e.Effect == "prove" && e.Outcome == string(ledger.Done) {
			continue // it changes nothing
		}
		text := past[e.Effect] + " " + e.Target
		if e.Outcome != string(ledger.Done) {
			text = "tried to " + e.Effect + " " + e.Target + " (the answer was lost)"
		}
		line("", text)
	}
	for _, x := range c.Consumers {
		switch {
		case plan && c.Outcome == report.ToDo:
			line("tells: ", x.Name+", "+x.Place)
		case !plan && x.State != "" && x.State != report.Current:
			line(x.State+": ", strings.TrimSuffix(x.Name+", "+x.Place+": "+x.Why, ": "))
		}
	}
	for _, x := range c.Checks {
		switch {
		case plan && c.Outcome == report.ToDo:
			line("checks: ", x.Name+", "+x.Place)
		case !plan && x.State != "" && x.State != report.Passing:
			line(x.State+": ", strings.TrimSuffix("check "+x.Name+", "+x.Place+": "+x.Why, ": "))
		}
	}
	if plan && len(c.Assumed) > 0 {
		line("assumed: ", strings.Join(c.Assumed, "; "))
	}
	if c.Outcome == report.Waiting || plan && c.Outcome != report.Failed {
		line("next: ", when(c.Next, time.Time{}))
	}
}

// status prints a table that fits a terminal.
func (p *printer) status(doc report.Status, now time.Time) {
	t := tabwriter.NewWriter(p.w, 0, 4, 2, ' ', 0)
	head, tells := "CREDENTIAL\tSTATE\tEXPIRES\tREPLACED FROM\tSECRET", false
	for _, e := range doc.Credentials {
		tells = tells || len(e.Consumers) > 0
	}
	if tells {
		head += "\tTELLS"
	}
	fmt.Fprintln(t, head)
	for _, e := range doc.Credentials {
		state := e.State
		switch {
		case e.State == "rolled-back":
			state += ", next try " + e.Replace.UTC().Format("2006-01-02 15:04Z")
		case e.State == "overlap":
			state += " until " + e.RevokeOld.UTC().Format("2006-01-02 15:04Z")
		}
		if e.Error != nil {
			state += ": " + e.Error.Kind
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s", safe(e.Name), safe(state), when(e.Expires, now), when(e.Replace, time.Time{}), safe(strings.Replace(e.Secret, ".vault.azure.net/", "/", 1)))
		if tells {
			fmt.Fprintf(t, "\t%d", len(e.Consumers))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

// progress prints ledger entries as they come. On a terminal it also says what is under way.
func (p *printer) progress(e ledger.Entry) {
	if e.Effect == "prove" && e.Phase != ledger.Failed || e.Effect == artifact.Attested {
		return
	}
	name := p.paint(bold, safe(cmp.Or(e.Credential, string(roleName))))
	switch e.Phase {
	case ledger.Intended:
		if terminal(p.w) {
			fmt.Fprintf(p.w, "%s  %s ...\n", name, p.paint(dim, present[e.Effect]+" "+safe(e.Target)))
		}
	case ledger.Done:
		text := past[e.Effect] + " " + safe(e.Target)
		if !e.Expires.IsZero() && (e.Effect == "issue" || e.Effect == "elevate") {
			text += ", valid until " + when(e.Expires, time.Time{})
		}
		fmt.Fprintf(p.w, "%s  %s\n", name, text)
	case ledger.Unknown:
		fmt.Fprintf(p.w, "%s  %s\n", name, p.paint(yellow, e.Effect+" "+safe(e.Target)+": the answer was lost; looking what became of it"))
	case ledger.Recovered:
		fmt.Fprintf(p.w, "%s  %s %s after all\n", name, past[e.Effect], safe(e.Target))
	case ledger.Failed:
		fmt.Fprintf(p.w, "%s  %s\n", name, p.paint(red, safe(e.Error)))
	}
}

// waiting says why nothing moves.
func (p *printer) waiting(name rotation.CredentialID, until time.Time, why string) {
	fmt.Fprintf(p.w, "%s  %s\n", p.paint(bold, safe(string(name))), p.paint(dim, "waiting until "+until.UTC().Format("2006-01-02 15:04:05Z")+": "+safe(why)))
}

var present = map[string]string{"prove": "proving", "issue": "issuing", "publish": "publishing", "revoke": "revoking", "extend": "extending", "amend": "writing the record of", "tell": "telling", "rollback": "rolling back", "prepare": "preparing", "set": "setting", "appoint": "appointing", "elevate": "taking", "release": "giving back"}

var past = map[string]string{"prove": "proved", "issue": "issued", "publish": "published", "revoke": "revoked", "extend": "extended", "amend": "wrote the record of", "tell": "told", "rollback": "rolled back", "prepare": "prepared", "set": "set", "appoint": "appointed", "elevate": "took", "release": "gave back"}
