package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/manifest"
)

func (o *options) elevationsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "elevations", Short: "show, extend, sweep and revoke the roles that were taken for a time",
		Long: `Elevations are the roles that runs have taken and not given back yet, whoever they were: each of the manifest's
elevations is looked for in Azure, by the mark that every run leaves there.`,
		Example: example("rekey elevations list", "rekey elevations sweep            # every sweepEvery, from a schedule", "rekey elevations revoke --all      # the emergency stop"),
		Args:    known,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(o.elevationsList(), o.elevationsSweep(), o.elevationsRevoke(), o.elevationsExtend())
	return cmd
}

// held is one that was found, with what can end it.
type held struct {
	driver.Found
	elevator driver.Elevator
	entry    manifest.Elevation
}

// line is one as it is printed.
type line struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Role  string    `json:"role"`
	Place string    `json:"place"`
	Kind  string    `json:"kind"`
	State string    `json:"state"` // in force, waiting, over
	Until time.Time `json:"until,omitzero"`
	Bound time.Time `json:"bound,omitzero"`
	Runs  []string  `json:"runs"`
	Error string    `json:"error,omitempty"`
}

func (h held) line() line {
	r := h.elevator.Right()
	l := line{ID: h.ID, Name: h.entry.Name, Role: h.Role, Place: r.Place, Kind: h.entry.Kind, State: "in force", Until: h.Until, Bound: h.Bound, Runs: h.Runs}
	switch {
	case h.State == driver.Asked:
		l.State = "waiting"
	case h.over():
		l.State = "over"
	}
	return l
}

func (h held) over() bool { return elevation.Over(h.Found) }

// find looks for all of the manifest's. One that cannot be looked for is reported, and the others are looked for.
func (o *options) find(ctx context.Context, a *app.App) (out []held, err error) {
	seen := map[string]bool{}
	for _, e := range a.Manifest().Elevations {
		x, xerr := a.Elevator(e)
		if xerr != nil {
			return nil, Exit(ExitUsage, fmt.Errorf("elevation %s: %w", e.Name, xerr))
		}
		found, ferr := x.Find(ctx)
		if ferr != nil {
			newPrinter(o.env.Stderr, o.env).problem(fmt.Errorf("elevation %s: %w", e.Name, ferr))
			err = Exit(ExitFailed, nil)
			continue
		}
		for _, f := range found {
			if !seen[f.ID] {
				seen[f.ID] = true
				out = append(out, held{f, x, e})
			}
		}
	}
	return out, err
}

func (o *options) elevationsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list what is in force, waits for approval, or should be gone", Args: none,
		Example: example("rekey elevations list", "rekey elevations list --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := o.open()
			if err != nil {
				return err
			}
			all, err := o.find(cmd.Context(), a)
			lines := make([]line, 0, len(all))
			for _, h := range all {
				lines = append(lines, h.line())
			}
			return errors.Join(o.lines(lines), err)
		},
	}
}

// lines prints elevations.
func (o *options) lines(all []line) error {
	if o.json {
		if err := writeJSON(o.env.Stdout, map[string]any{"schema": "rekey.elevations/1", "elevations": all}); err != nil {
			return Exit(ExitFailed, err)
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(o.env.Stdout, "none")
		return nil
	}
	w := tabwriter.NewWriter(o.env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tROLE\tPLACE\tSTATE\tUNTIL\tRUNS")
	for _, l := range all {
		until := "-"
		if !l.Until.IsZero() {
			until = when(l.Until, time.Time{})
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\n", safe(l.ID), safe(l.Role), safe(l.Place), l.State, until, len(l.Runs))
	}
	return w.Flush()
}

func (o *options) elevationsSweep() *cobra.Command {
	return &cobra.Command{
		Use: "sweep", Short: "end what is past its stated end", Args: none,
		Long: `Sweep removes the role assignments whose runs have died and left them past their stated end. Run it as often as the
manifest's sweepEvery says: that is what bounds such an assignment. What PIM gave ends by itself.`,
		Example: example("rekey elevations sweep"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.endThose(cmd.Context(), "it is past its stated end", func(h held) bool { return h.over() && h.entry.Kind == manifest.RoleAssignment })
		},
	}
}

func (o *options) elevationsRevoke() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "revoke [ID]", Short: "end one now, or with --all every one: the emergency stop",
		Long: `Revoke takes roles away from whoever has them, runs under way too: those fail where they stand, and the next run goes
on. Azure keeps what PIM gave less than five minutes ago until those are over.`,
		Example: example("rekey elevations revoke --all", "rekey elevations revoke 0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e80"),
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return errors.New("revoke needs the id of one elevation, as rekey elevations list shows it, or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.endThose(cmd.Context(), "a person has revoked it", func(h held) bool { return all || h.ID == args[0] }, args...)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every one of the manifest's")
	return cmd
}

// endThose ends some of those that are found. named are ids that must be among them.
func (o *options) endThose(ctx context.Context, why string, some func(held) bool, named ...string) error {
	a, err := o.open()
	if err != nil {
		return err
	}
	cfg := engine.Config{Log: o.log()}
	closeLedger, err := o.openLedger(a, &cfg)
	if err != nil {
		return err
	}
	defer closeLedger()
	run, p := engine.New(cfg), newPrinter(o.env.Stderr, o.env)
	lines, seen := []line{}, map[string]bool{}
	var failed error
	for _, e := range a.Manifest().Elevations {
		x, err := a.Elevator(e)
		if err != nil {
			return Exit(ExitUsage, fmt.Errorf("elevation %s: %w", e.Name, err))
		}
		ended, err := elevation.End(ctx, x, run.Effect, why, func(f driver.Found) bool { return !seen[f.ID] && some(held{f, x, e}) })
		if err != nil {
			p.problem(fmt.Errorf("elevation %s: %w", e.Name, err))
			failed = Exit(ExitFailed, nil)
		}
		for _, y := range ended {
			seen[y.ID] = true
			l := held{y.Found, x, e}.line()
			switch {
			case y.Err != nil:
				l.Error, failed = y.Err.Error(), Exit(ExitFailed, nil)
				p.problem(y.Err)
			case y.Left.State == driver.Elevated:
				failed = Exit(ExitFailed, nil)
				fmt.Fprintf(o.env.Stderr, "rekey: %s is too young to be taken away; Azure ends it at %s: say so again in five minutes\n", safe(x.Right().String()), when(y.Left.Until, time.Time{}))
			default:
				l.State = "over"
			}
			lines = append(lines, l)
		}
	}
	if len(named) > 0 && len(lines) == 0 && failed == nil {
		return Exit(ExitFailed, fmt.Errorf("no elevation %s is in force: rekey elevations list shows those that are", named[0]))
	}
	return errors.Join(o.lines(lines), failed)
}

func (o *options) elevationsExtend() *cobra.Command {
	var length time.Duration
	cmd := &cobra.Command{
		Use: "extend ID", Short: "move the end of one that is in force", Args: cobra.ExactArgs(1),
		Long:    `Extend moves the end of an elevation, for a command that takes longer than was thought. What a person has activated cannot be moved.`,
		Example: example("rekey elevations extend 0b5d4c63-2f51-4d0e-9c7e-1a2b3c4d5e80 --for 30m"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := o.open()
			if err != nil {
				return err
			}
			all, failed := o.find(cmd.Context(), a)
			for _, h := range all {
				if h.ID != args[0] || h.State != driver.Elevated || h.over() {
					continue
				}
				if err := a.Rights().Grant(h.elevator, length).Allowed(cmd.Context()); err != nil {
					return failure(err)
				}
				cfg := engine.Config{Log: o.log()}
				closeLedger, err := o.openLedger(a, &cfg)
				if err != nil {
					return err
				}
				defer closeLedger()
				var e driver.Elevation
				err = engine.New(cfg).Effect(ledger.Entry{Effect: "elevate", Target: h.elevator.Right().String(), IssuerID: h.ID, Reason: "a person extends it"}, func(entry *ledger.Entry) error {
					var err error
					e, err = h.elevator.Take(cmd.Context(), driver.Ask{Run: h.Runs[0], For: length, Reason: "extended"})
					entry.Expires = e.Until
					return err
				})
				if err != nil {
					return failure(err)
				}
				h.Elevation = e
				return o.lines([]line{h.line()})
			}
			if failed != nil {
				return failed
			}
			return Exit(ExitFailed, fmt.Errorf("no elevation %s is in force: rekey elevations list shows those that are", args[0]))
		},
	}
	cmd.Flags().DurationVar(&length, "for", 30*time.Minute, "for how long from now on")
	return cmd
}
