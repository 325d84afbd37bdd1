package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/printable"
	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
)

var errNotRolledBack = errors.New("nothing was rolled back")

func (o *options) rollbackCommand() *cobra.Command {
	var wait time.Duration
	var yes bool
	cmd := &cobra.Command{
		Use: "rollback NAME", Short: "publish the value before the current one again, and tell everything that uses it",
		Long: `Rollback publishes the value before the current one again and hands it to every consumer, while that credential still
lives and was not compromised. What it is rolled back from lives on for its overlap, as after any publication. The next
replacement by itself waits for a day, or for less if the credential ends before; rekey rotate replaces it at once.

Apply does the same by itself when consumers do not work with a new value past the manifest's rollbackAfter. Running
rollback twice is harmless: what was rolled back already is left as it is.`,
		Example: example("rekey rollback devops-pat", "rekey rollback devops-pat --yes --json"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("rollback needs the name of the one credential to roll back: rekey rollback NAME")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			a, creds, err := o.credentials(names)
			if err != nil {
				return err
			}
			creds[0].Spec.Command = rotation.Rollback
			plan := engine.New(engine.Config{Ledger: nothing{}, Log: o.log(), Interval: a.Manifest().Schedule})
			results := plan.Plan(cmd.Context(), creds)
			act, ok := results[0].Decision.Action.(rotation.Restore)
			if !ok {
				return o.finish(report.NewRun("rollback", plan.RunID(), results), true, false)
			}
			o.showRestore(names[0], act.Record)
			if !yes {
				if err := o.confirm(names[0], "publish it again", errNotRolledBack); err != nil {
					return err
				}
			}
			return o.rollback(cmd.Context(), names, []string{act.Record.IssuerID, act.Record.Predecessor}, wait)
		},
	}
	o.evidenceFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().DurationVar(&wait, "wait", 5*time.Minute, "sleep at most this long for what is due soon")
	return cmd
}

func (o *options) rollback(ctx context.Context, names, shown []string, wait time.Duration) error {
	set := func(c *engine.Credential) { c.Spec.Command, c.Spec.Shown = rotation.Rollback, shown }
	doc, err := o.do(ctx, "rollback", names, set, engine.Config{MaxWait: wait}, true)
	if err != nil {
		return err
	}
	return o.finish(doc, true, false)
}

// showRestore says what is about to be done.
func (o *options) showRestore(name string, r rotation.Record) {
	fmt.Fprintf(o.env.Stderr, "%s: %s, issued %s and valid until %s, is published again in place of %s, which lives on for its overlap; by itself it is replaced again from %s on\n",
		name, printable.Name(r.IssuerID), when(r.Generation.Time(), time.Time{}), when(r.Expires, time.Time{}), printable.Name(r.Predecessor), when(r.NotBefore, time.Time{}))
}
