package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/events"
	"github.com/rekeyhq/rekey/internal/ledger"
)

const (
	// eventsFor is how long a run waits for its sinks, and briefly for one that a person ends.
	eventsFor = 30 * time.Second
	briefly   = 5 * time.Second
)

func (o *options) eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "events", Short: "hand on what the ledger records: to Azure Monitor, a webhook, a file",
		Long: `Each entry of the ledger is an event for every sink that the manifest names under events. A run sends them at its end;
what a sink did not take, the next run sends. docs/events.md says what an event is.`,
		Example: example("rekey events send", "rekey events send --for 10m --json"),
		Args:    known,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(o.eventsSendCommand())
	return cmd
}

// sent is what became of one sink, in --json.
type sent struct {
	Sink  string `json:"sink"`
	Sent  int    `json:"sent"`
	Error string `json:"error,omitempty"`
}

func (o *options) eventsSendCommand() *cobra.Command {
	var within time.Duration
	cmd := &cobra.Command{
		Use: "send", Short: "send every sink what it has not taken yet",
		Long: `Send hands every sink what it has not taken yet, and changes nothing else. It exits with 1 if anything is left, and
then says why.`,
		Example: example("rekey events send", "rekey events send --for 10m --json"),
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := o.open()
			if err != nil {
				return err
			}
			if len(a.Manifest().Events) == 0 {
				return Exit(ExitUsage, errors.New("the manifest names no sink under events"))
			}
			home, err := a.Ledger(cmd.Context())
			if err != nil {
				return Exit(ExitFailed, err)
			}
			if c, ok := home.(io.Closer); ok {
				defer c.Close()
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), within)
			defer cancel()
			results, err := o.deliver(ctx, a, home)
			if err != nil {
				return Exit(ExitFailed, err)
			}
			return o.showSent(results)
		},
	}
	cmd.Flags().DurationVar(&within, "for", 5*time.Minute, "try at most this long")
	return cmd
}

func (o *options) showSent(results []events.Result) error {
	failed := false
	out := []sent{}
	for _, r := range results {
		x := sent{Sink: r.Sink, Sent: r.Sent}
		if r.Err != nil {
			failed, x.Error = true, safe(r.Err.Error())
			fmt.Fprintf(o.env.Stderr, "rekey: %s\n", left(r))
		}
		if out = append(out, x); !o.json {
			fmt.Fprintf(o.env.Stdout, "%s: %s sent\n", r.Sink, count(r.Sent, "event"))
		}
	}
	if o.json {
		err := writeJSON(o.env.Stdout, struct {
			Schema string `json:"schema"`
			Sinks  []sent `json:"sinks"`
		}{"rekey.events/1", out})
		if err != nil {
			return Exit(ExitFailed, err)
		}
	}
	if failed {
		return Exit(ExitFailed, nil)
	}
	return nil
}

// left says in one line that a sink has not taken everything.
func left(r events.Result) string {
	return fmt.Sprintf("events: %s has not taken all that the ledger has: %s; the next run sends the rest", safe(r.Sink), strings.ReplaceAll(safe(r.Err.Error()), "\n", "; "))
}

func (o *options) deliver(ctx context.Context, a *app.App, home ledger.Home) ([]events.Result, error) {
	out := o.env.Stdout
	if o.json {
		out = o.env.Stderr
	}
	sinks, err := a.Sinks(out)
	if err != nil {
		return nil, err
	}
	return events.Deliver(ctx, home, a.EventSource(), sinks), nil
}

// handOn sends what this run has recorded, and what others have left, for a while. What is not taken is said in a line,
// and changes nothing of how the run has ended.
func (o *options) handOn(ctx context.Context, a *app.App, b *book) {
	if b.home == nil || len(a.Manifest().Events) == 0 {
		return
	}
	within := eventsFor
	if ctx.Err() != nil {
		within = briefly
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	results, err := o.deliver(ctx, a, b.home)
	if err != nil {
		fmt.Fprintf(o.env.Stderr, "rekey: warning: no events were sent: %s\n", safe(err.Error()))
	}
	for _, r := range results {
		if r.Err != nil && !o.quiet {
			fmt.Fprintf(o.env.Stderr, "rekey: warning: %s\n", left(r))
		}
	}
}
