package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/printable"
)

// selection is which entries are meant.
type selection struct{ credential, run, since string }

func (s *selection) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.credential, "credential", "", "only entries of this credential")
	cmd.Flags().StringVar(&s.run, "run", "", "only entries of this run")
	cmd.Flags().StringVar(&s.since, "since", "", "only entries from then on: a duration such as 24h or 7d, or a date such as 2026-11-21 or 2026-11-21T03:34:00Z")
}

// wanted is nil if everything is.
func (s *selection) wanted() (ledger.Wanted, error) {
	from, err := since(s.since, time.Now())
	if err != nil {
		return nil, Exit(ExitUsage, err)
	}
	if *s == (selection{}) {
		return nil, nil
	}
	return func(_ int64, e ledger.Entry) bool {
		return (s.credential == "" || e.Credential == s.credential) && (s.run == "" || e.Run == s.run) && !e.Time.Before(from)
	}, nil
}

// since reads a duration before now, or a date.
func since(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := manifest.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since %q is neither a duration such as 24h or 7d nor a date such as 2026-11-21", text)
}

// shown is an entry with its number, in --json.
type shown struct {
	Number int64 `json:"entry"`
	ledger.Entry
}

func (o *options) ledgerShowCommand() *cobra.Command {
	var folder string
	var of selection
	var last int
	var unknown bool
	cmd := &cobra.Command{
		Use: "show", Short: "show entries, the newest last",
		Long: `Show prints entries in the order in which they were written. It reads what is there and holds it against nothing: verify
does that. With --json each entry is whole, with its reason, its ids and what an error said.`,
		Example: example("rekey ledger show --last 20", "rekey ledger show --credential devops-pat --since 7d", "rekey ledger show --run 01m7y2pqh4tqpq43th --json"),
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := of.wanted()
			if err != nil {
				return err
			}
			r, err := o.readLedger(cmd.Context(), folder)
			if err != nil {
				return err
			}
			if unknown {
				all, err := standing(r, wanted)
				if err != nil {
					return Exit(ExitFailed, err)
				}
				return wrote(o.showEntries(all))
			}
			var all []shown
			err = ledger.Walk(r, func(n int64, e ledger.Entry) error {
				if wanted != nil && !wanted(n, e) {
					return nil
				}
				if all = append(all, shown{n, e}); last > 0 && len(all) >= 2*last {
					all = slices.Delete(all, 0, len(all)-last)
				}
				return nil
			})
			if err != nil {
				return Exit(ExitFailed, err)
			}
			if last > 0 && len(all) > last {
				all = all[len(all)-last:]
			}
			return wrote(o.showEntries(all))
		},
	}
	folderFlag(cmd, &folder)
	of.flags(cmd)
	cmd.Flags().BoolVar(&unknown, "unknown", false, "only effects whose answers were lost, and of which there is no later word")
	cmd.Flags().IntVar(&last, "last", 0, "only so many of the newest; 0 is all")
	return cmd
}

// standing are the entries of effects whose ends nobody knows.
func standing(r ledger.Reader, wanted ledger.Wanted) (all []shown, err error) {
	open, err := ledger.Standing(r)
	for _, x := range open {
		if wanted == nil || wanted(x.Number, x.Entry) {
			all = append(all, shown{x.Number, x.Entry})
		}
	}
	return all, err
}

func (o *options) showEntries(all []shown) error {
	if o.json {
		if all == nil {
			all = []shown{}
		}
		return writeJSON(o.env.Stdout, struct {
			Schema  string  `json:"schema"`
			Entries []shown `json:"entries"`
		}{"rekey.ledger-show/1", all})
	}
	if len(all) == 0 {
		fmt.Fprintln(o.env.Stderr, "no entry fits")
		return nil
	}
	width := 0
	if f, ok := o.env.Stdout.(*os.File); ok && terminal(f) {
		width, _, _ = term.GetSize(int(f.Fd()))
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ENTRY\tTIME\tCREDENTIAL\tEFFECT\tPHASE\tTARGET")
	for _, e := range all {
		about := printable.Name(e.Target)
		if e.Error != "" {
			about += ": " + printable.Text(e.Error)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", e.Number, e.Time.UTC().Format("2006-01-02 15:04:05Z"), printable.Name(e.Credential), printable.Name(e.Effect), e.Phase, about)
	}
	t.Flush()
	for l := range strings.Lines(b.String()) {
		if _, err := io.WriteString(o.env.Stdout, fit(strings.TrimRight(l, " \n"), width)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// fit cuts a line to a terminal's width, which is 0 where there is none.
func fit(l string, width int) string {
	if r := []rune(l); width > 1 && len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return l
}

// entryNumber is an entry's, by its number or as RUN:SEQ.
func entryNumber(r ledger.Reader, text string) (int64, error) {
	run, of, named := strings.Cut(text, ":")
	if !named {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 {
			return 0, Exit(ExitUsage, fmt.Errorf("%q is no entry: name one by its number, or as RUN:SEQ, as rekey ledger show --json has them", text))
		}
		return n, nil
	}
	seq, err := strconv.Atoi(of)
	if err != nil {
		return 0, Exit(ExitUsage, fmt.Errorf("%q is no entry: after the run comes its entry's number, as in %s:1", text, run))
	}
	found, stop := int64(0), errors.New("found")
	err = ledger.Walk(r, func(n int64, e ledger.Entry) error {
		if e.Run == run && e.Seq == seq {
			found = n
			return stop
		}
		return nil
	})
	if err != nil && !errors.Is(err, stop) {
		return 0, Exit(ExitFailed, err)
	}
	if found == 0 {
		return 0, Exit(ExitFailed, fmt.Errorf("the ledger has no entry %d of a run %s", seq, run))
	}
	return found, nil
}
