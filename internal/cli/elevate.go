package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/artifact"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// asked is what a person says of a right on the command line.
type asked struct {
	role, scope, kind, broker, principal string
	length, sweep                        time.Duration
}

func (o *options) elevateCommand() *cobra.Command {
	var q asked
	cmd := &cobra.Command{
		Use: "elevate [NAME] [flags] -- COMMAND [ARG...]", Short: "run a command under a role that is taken for it and given back",
		Long: `Elevate takes a role for Rekey's identity (or the one that --principal names), waits until it is honoured, runs the
command, and gives the role back whatever becomes of it: when the command fails, when it or Rekey is interrupted, when
the terminal goes away. If Rekey itself is killed, Azure ends a pimAssignment at its stated end, and the next
'rekey elevations sweep' a roleAssignment.

NAME is one of the manifest's elevations; --role and --scope say another one. The command's own sign-in is its own
business: run it as the identity that gets the role.

Elevate exits as the command does: with its code, or with 128 and the number of the signal that ended it. It exits with 1,
or with 3 where a person is needed, if the role could not be taken: then the command was not run. And with 1 where the
role could not be given back.`,
		Example: example("rekey elevate vault-writer --reason 'rotate the signing key' -- ./rotate.sh",
			"rekey elevate --role 'Key Vault Secrets Officer' --scope /subscriptions/.../vaults/kv-prod --for 15m --ticket INC-42 -- az keyvault secret set ..."),
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at < 0 || at > 1 || len(args) == at {
				return errors.New("elevate needs the command to run after --, as in: rekey elevate NAME -- COMMAND ARG")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at := cmd.ArgsLenAtDash()
			return o.elevate(cmd, q, args[:at], args[at:])
		},
	}
	q.flags(cmd)
	o.evidenceFlags(cmd)
	return cmd
}

func (q *asked) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.role, "role", "", "the role, by its name or id")
	f.StringVar(&q.scope, "scope", "", "where: the id of a vault, a resource group ...")
	f.StringVar(&q.kind, "kind", "", "pimAssignment, roleAssignment or pimActivation")
	f.StringVar(&q.broker, "broker", "", "who gives it: a name out of the manifest's brokers; its only one unless said")
	f.StringVar(&q.principal, "principal", "", "the object id of who gets it; Rekey's own identity unless said")
	f.DurationVar(&q.length, "for", 0, "for how long, 5m at least; the manifest's unless said, else 30m")
	f.DurationVar(&q.sweep, "sweep-every", 0, "how often 'rekey elevations sweep' comes: a roleAssignment needs it")
}

// entry is the elevation that is asked for: the manifest's under a name, with what the flags change of it.
func (q *asked) entry(m *manifest.Manifest, names []string) (manifest.Elevation, error) {
	e := manifest.Elevation{Kind: manifest.PIMAssignment, For: 30 * time.Minute}
	switch {
	case len(names) == 1:
		var ok bool
		if e, ok = m.Elevation(names[0]); !ok {
			var known []string
			for _, x := range m.Elevations {
				known = append(known, x.Name)
			}
			return e, fmt.Errorf("no elevation %q in the manifest%s", names[0], manifest.DidYouMean(names[0], known))
		}
	case q.role == "" || q.scope == "":
		return e, errors.New("say which role is to be taken: a name out of the manifest's elevations, or --role and --scope")
	}
	for _, x := range []struct{ to, from *string }{{&e.Role, &q.role}, {&e.Scope, &q.scope}, {&e.Kind, &q.kind}, {&e.Broker, &q.broker}, {&e.Principal, &q.principal}} {
		if *x.from != "" {
			*x.to = *x.from
		}
	}
	if q.length != 0 {
		e.For = q.length
	}
	if q.sweep != 0 {
		e.SweepEvery = q.sweep
	}
	if e.Broker == "" && e.Kind != manifest.PIMActivation && len(m.Brokers) == 1 {
		e.Broker = m.Brokers[0].Name
	}
	return e, manifest.CheckElevation(e)
}

func (o *options) elevate(cmd *cobra.Command, q asked, names, command []string) error {
	if err := o.checkWords(); err != nil {
		return err
	}
	a, err := o.open()
	if err != nil {
		return err
	}
	e, err := q.entry(a.Manifest(), names)
	if err != nil {
		return Exit(ExitUsage, err)
	}
	right, err := a.RightOf(e)
	if err != nil {
		return Exit(ExitUsage, err)
	}
	program, err := exec.LookPath(command[0])
	if err != nil {
		return Exit(ExitUsage, fmt.Errorf("the command was not run, and no role taken: %w", err))
	}
	cfg := engine.Config{Log: o.log(), Rights: a.Rights()}
	// What was done is recorded and handed on whether or not somebody interrupts it.
	ctx := context.WithoutCancel(cmd.Context())
	book, err := o.openBook(ctx, a, &cfg)
	if err != nil {
		return err
	}
	defer book.close()
	w, err := o.evidence.begin(&cfg)
	if err != nil {
		return err
	}
	if !o.quiet {
		p := newPrinter(o.env.Stderr, o.env)
		cfg.Report = p.progress
		a.Rights().Tell(p.waitingFor, 0)
	}
	// Whoever ends this run wants the command to end and the role to be given back, and not this process to die.
	signals := make(chan os.Signal, 4)
	defer o.hear(func(s os.Signal) {
		select {
		case signals <- s:
		default: // it has heard enough of them
		}
	})()

	r := ran{engine: engine.New(cfg)}
	r.engine.Begin()
	code, err := o.under(cmd.Context(), a, e, right, func() (int, error) {
		code, err := o.command(program, command, right, signals)
		if err == nil {
			r.program = &artifact.Program{Name: command[0], ExitCode: code}
		}
		return code, err
	})
	r.engine.GiveBack(ctx)
	kept := o.given(r.engine.Taken())
	var de *driver.Error
	switch r.outcome = artifact.Failed; {
	case errors.As(err, &de) && de.Person:
		r.outcome, err = artifact.Person, failure(err)
	case err != nil:
		err = failure(err)
	case code == 0 && kept:
		err = Exit(ExitFailed, nil)
	case code != 0:
		err = Exit(code, nil)
	default:
		r.outcome = artifact.Done
	}
	r.doc = report.NewRun("elevate", r.engine.RunID(), nil)
	r.doc.AddElevations(r.engine.Taken())
	if o.end(ctx, a, book, w, r); err == nil && o.unkept {
		err = Exit(ExitFailed, nil)
	}
	return err
}

// under takes the right, and goes on when it is honoured.
func (o *options) under(ctx context.Context, a *app.App, e manifest.Elevation, right *elevation.Grant, do func() (int, error)) (int, error) {
	if err := right.Do(ctx, a.Probe(e)); err != nil {
		return 0, err
	}
	return do()
}

// command runs the command until it ends, and hands signals on to it.
func (o *options) command(program string, args []string, right *elevation.Grant, signals <-chan os.Signal) (int, error) {
	if h := right.Held(); !o.quiet && !h.Standing {
		fmt.Fprintf(o.env.Stderr, "rekey: %s until %s, for %s\n", right.Right(), when(h.Until, time.Time{}), safe(args[0]))
	}
	child := exec.Command(program, args[1:]...)
	child.Args[0] = args[0]
	child.Stdin, child.Stdout, child.Stderr = o.env.Stdin, o.env.Stdout, o.env.Stderr
	if err := child.Start(); err != nil {
		return 0, fmt.Errorf("run %s: %w", args[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	for {
		select {
		case s := <-signals:
			// At a terminal, who presses Ctrl-C has told the command too.
			if s != os.Interrupt || !terminal(o.env.Stdin) {
				_ = child.Process.Signal(s)
			}
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				if n := signalOf(exit); n > 0 {
					return 128 + n, nil
				}
				return exit.ExitCode(), nil
			}
			return 0, err
		}
	}
}

// given says what became of the rights that were had, and whether one could not be given back.
func (o *options) given(all []elevation.Taken) (kept bool) {
	p := newPrinter(o.env.Stderr, o.env)
	for _, e := range report.Elevations(all) {
		if e.Error != nil || !o.quiet {
			p.elevation(e)
		}
		kept = kept || e.Error != nil
	}
	return kept
}

// untilReleased keeps a second interrupt from ending the program while it has rights that it can give back. What it
// returns undoes that.
func (o *options) untilReleased(a *app.App) func() {
	if len(a.Manifest().Elevations) == 0 {
		return func() {}
	}
	return o.hear(func(os.Signal) {})
}

func (o *options) hear(f func(os.Signal)) (stop func()) {
	if o.env.Signals == nil {
		return func() {}
	}
	return o.env.Signals(f)
}

// elevation says what became of a right.
func (p *printer) elevation(e report.Elevation) {
	name := safe(e.Role + " at " + e.Place)
	switch {
	case e.Standing:
		fmt.Fprintf(p.w, "role  %s was there anyway, and stays; rekey doctor says what to do about it\n", name)
	case e.Error != nil:
		fmt.Fprintf(p.w, "role  %s %s: %s; it ends at %s at the latest\n", name, p.paint(red, "could not be given back"), safe(e.Error.Text), when(e.Bound, time.Time{}))
	case e.Left && e.Bound.After(e.Until):
		fmt.Fprintf(p.w, "role  %s, %s privileged; others have it until %s\n", name, seconds(e.Seconds), when(e.Until, time.Time{}))
	case e.Left:
		fmt.Fprintf(p.w, "role  %s, %s privileged; Azure ends it at %s\n", name, seconds(e.Seconds), when(e.Until, time.Time{}))
	default:
		fmt.Fprintf(p.w, "role  %s, %s privileged, given back\n", name, seconds(e.Seconds))
	}
}

func seconds(n int) string { return (time.Duration(n) * time.Second).String() }

// roleName stands in progress where a credential's name does otherwise.
const roleName rotation.CredentialID = "role"

// waitingFor says what the run waits for.
func (p *printer) waitingFor(what string, until time.Time) {
	p.waiting(roleName, until, what)
}
