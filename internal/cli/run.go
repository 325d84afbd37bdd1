package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
)

func (o *options) planCommand() *cobra.Command {
	var detailed, all bool
	cmd := &cobra.Command{
		Use: "plan [NAME...]", Short: "say what apply would do now, why, and when the next thing is due",
		Long: `Plan reads what is there and says what apply would do now, why, and when the next thing is due. It writes nothing
and redeems no token, so an account's own list of tokens is not asked for; what is assumed in its place is said. Only
where an overlap has passed, and nobody but the issuer knows whether the old one was revoked, does it look, if the
account signs in with a password.`,
		Example: example("rekey plan", "rekey plan devops-pat --json", "rekey plan --detailed-exitcode || echo 'something to do'"),
		RunE: func(cmd *cobra.Command, names []string) error {
			doc, err := o.do(cmd.Context(), "plan", names, func(*engine.Credential) {}, engine.Config{}, false)
			if err != nil {
				return err
			}
			return o.finish(doc, all, detailed)
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 4 when there is something to do")
	cmd.Flags().BoolVar(&all, "all", false, "list credentials with nothing to do too")
	return cmd
}

func (o *options) applyCommand() *cobra.Command {
	var wait time.Duration
	var verify, all bool
	cmd := &cobra.Command{
		Use: "apply [NAME...]", Short: "do what is to be done",
		Long: `Apply converges: it replaces what is due, hands it over, and revokes what is past its overlap. Run it every hour; a
run with nothing to do writes nothing. It may be killed at any point and run from anywhere, twice at once too: the next
run finds out what is there and goes on.`,
		Example: example("rekey apply", "rekey apply -f prod.yaml --json", "rekey apply --verify      # probe every current value too"),
		RunE: func(cmd *cobra.Command, names []string) error {
			doc, err := o.do(cmd.Context(), "apply", names, func(c *engine.Credential) { c.Spec.Verify = verify }, engine.Config{MaxWait: wait}, true)
			if err != nil {
				return err
			}
			return o.finish(doc, all, false)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 5*time.Minute, "sleep at most this long for what is due soon; longer waits end the run")
	o.evidenceFlags(cmd)
	cmd.Flags().BoolVar(&verify, "verify", false, "read and probe every current value, and replace what does not work")
	cmd.Flags().BoolVar(&all, "all", false, "list credentials with nothing to do too")
	return cmd
}

func (o *options) rotateCommand() *cobra.Command {
	var wait time.Duration
	var compromised bool
	cmd := &cobra.Command{
		Use: "rotate NAME...", Short: "replace credentials now, due or not",
		Long: `Rotate replaces the named credentials now, due or not. The old ones live on for their overlap; with --compromised
what was there when you asked is revoked as soon as the new ones are published, and whoever still uses it is cut off.`,
		Example: example("rekey rotate devops-pat", "rekey rotate devops-pat --compromised"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("rotate needs the names of the credentials to replace, as in: rekey rotate NAME")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			command := rotation.Rotate
			if compromised {
				command = rotation.Compromised
			}
			doc, err := o.do(cmd.Context(), "rotate", names, func(c *engine.Credential) { c.Spec.Command = command }, engine.Config{MaxWait: wait}, true)
			if err != nil {
				return err
			}
			return o.finish(doc, true, false)
		},
	}
	o.evidenceFlags(cmd)
	cmd.Flags().BoolVar(&compromised, "compromised", false, "revoke the old one as soon as the new one is published")
	cmd.Flags().DurationVar(&wait, "wait", 5*time.Minute, "sleep at most this long for what is due soon")
	return cmd
}

func (o *options) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status [NAME...]", Short: "show what is there, when it expires and when it is replaced",
		Long:    `Status reads the vaults' lists and nothing else: no secret's value and no account.`,
		Example: example("rekey status", "rekey status --json"),
		RunE: func(cmd *cobra.Command, names []string) error {
			a, creds, err := o.credentials(names)
			if err != nil {
				return err
			}
			e := engine.New(engine.Config{Ledger: nothing{}, Log: o.log(), Interval: a.Manifest().Schedule})
			results := e.Status(cmd.Context(), creds)
			doc := report.NewStatus(results)
			if o.json {
				err = writeJSON(o.env.Stdout, doc)
			} else {
				newPrinter(o.env.Stdout, o.env).status(doc, latest(results))
			}
			if err != nil {
				return Exit(ExitFailed, err)
			}
			for _, r := range results {
				if r.Err != nil {
					return Exit(ExitFailed, fmt.Errorf("not everything could be read: %w", r.Err))
				}
			}
			return nil
		},
	}
}

func latest(results []engine.Result) (t time.Time) {
	for _, r := range results {
		if r.Now.After(t) {
			t = r.Now
		}
	}
	return t
}

// nothing is the ledger of commands that have no effects.
type nothing struct{}

func (nothing) Append(e ledger.Entry) error {
	return fmt.Errorf("%s is an effect, and this command has none", e.Effect)
}

func (o *options) credentials(names []string) (*app.App, []engine.Credential, error) {
	a, err := o.open()
	if err != nil {
		return nil, nil, err
	}
	creds, err := a.Credentials(names...)
	if err != nil {
		return nil, nil, Exit(ExitUsage, err)
	}
	return a, creds, nil
}

// do runs credentials and makes the document of what came of it.
func (o *options) do(ctx context.Context, command string, names []string, set func(*engine.Credential), cfg engine.Config, act bool) (report.Run, error) {
	if err := o.checkWords(); err != nil {
		return report.Run{}, err
	}
	a, creds, err := o.credentials(names)
	if err != nil {
		return report.Run{}, err
	}
	for i := range creds {
		set(&creds[i])
	}
	cfg.Log, cfg.Interval, cfg.Ledger, cfg.Rights = o.log(), a.Manifest().Schedule, nothing{}, a.Rights()
	cfg.Approve = a.Approve(o.reason, o.ticket)
	if !act {
		e := engine.New(cfg)
		return report.NewRun(command, e.RunID(), e.Plan(ctx, creds)), nil
	}
	book, err := o.openBook(ctx, a, &cfg)
	if err != nil {
		return report.Run{}, err
	}
	defer book.close()
	w, err := o.evidence.begin(&cfg)
	if err != nil {
		return report.Run{}, err
	}
	if !o.quiet {
		p := newPrinter(o.env.Stderr, o.env)
		cfg.Report, cfg.Waiting = p.progress, p.waiting
		a.Rights().Tell(p.waitingFor, cfg.MaxWait)
	}
	r := ran{engine: engine.New(cfg)}
	release := o.untilReleased(a)
	r.results = r.engine.Run(ctx, creds)
	release()
	r.doc = report.NewRun(command, r.engine.RunID(), r.results)
	r.doc.AddElevations(r.engine.Taken())
	if len(names) == 0 {
		r.doc.AddStrangers(r.engine.Strangers(creds))
	}
	o.end(ctx, a, book, w, r)
	return r.doc, nil
}

// end covers what the run has recorded, and writes its artefact. What was done is done: all that can be said of an
// artefact that could not be written is that it is missing.
func (o *options) end(ctx context.Context, a *app.App, b *book, w *witness, r ran) {
	defer o.handOn(ctx, a, b)
	if w == nil {
		_, _ = o.cover(b)
		return
	}
	defer w.file.Drop()
	out, err := w.state(ctx, a, r, o)
	c, covered := o.cover(b)
	if err == nil {
		err = w.write(r.doc.Run, out, b.ledger, c, covered)
	}
	if err != nil {
		fmt.Fprintf(o.env.Stderr, "rekey: the run has ended as said, but its evidence is missing: %s\n", safe(err.Error()))
		o.unkept = true
	}
}

// finish prints a run and turns it into an exit code. A failure says more than a need for a person.
func (o *options) finish(doc report.Run, all, detailed bool) error {
	if o.json {
		if err := writeJSON(o.env.Stdout, doc); err != nil {
			return Exit(ExitFailed, err)
		}
	} else {
		p := newPrinter(o.env.Stdout, o.env)
		p.told = !o.quiet && terminal(o.env.Stdout) && terminal(o.env.Stderr)
		p.run(doc, all)
	}
	switch {
	case doc.Summary.Failed > 0, o.unkept:
		return Exit(ExitFailed, nil)
	case doc.Summary.Held > 0:
		return Exit(ExitPerson, nil)
	case detailed && doc.Summary.ToDo > 0:
		return Exit(ExitToDo, nil)
	}
	return nil
}

var errCancelled = errors.New("nothing was revoked")
