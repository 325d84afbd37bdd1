package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/printable"
)

func (o *options) listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list WHAT", Short: "list what is there to be named in the manifest",
		Long: `List shows what Rekey's identity, or an account of the manifest, sees: what rekey add chooses from. It reads names and
dates and never the value of a secret, and it changes nothing.`,
		Example: example("rekey list pats --organization contoso", "rekey list service-connections --organization contoso --project platform --json", "rekey list applications --filter web"),
		Args:    known,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	for _, l := range app.Listings() {
		cmd.AddCommand(o.listKindCommand(l))
	}
	return cmd
}

func (o *options) listKindCommand(l *app.Listing) *cobra.Command {
	flags := map[string]*string{}
	var filter string
	line := "rekey list " + l.Name
	for _, x := range l.Needs {
		if !x.Silent {
			line += " --" + x.Flag + " " + strings.ToUpper(x.Flag)
		}
	}
	cmd := &cobra.Command{
		Use: l.Name, Short: l.Short, Long: "List " + l.Short + ".", Example: example(line, line+" --json"), Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.list(cmd.Context(), l, values(flags), filter)
		},
	}
	for _, x := range l.Needs {
		flags[x.Flag] = cmd.Flags().String(x.Flag, "", x.Usage)
	}
	cmd.Flags().StringVar(&filter, "filter", "", "only what has this in its name or id")
	return cmd
}

// listed is a choice in --json.
type listed struct {
	ID    string            `json:"id"`
	Name  string            `json:"name,omitempty"`
	About map[string]string `json:"about"`
	Unfit string            `json:"unfit,omitempty"`
}

func (o *options) list(ctx context.Context, l *app.Listing, given map[string]string, filter string) error {
	a, err := o.open()
	if err != nil {
		return err
	}
	k := o.asker(given)
	q := a.Ask(l.Needs)
	if err := k.answer(ctx, q, l.Needs); err != nil {
		return err
	}
	all, err := l.Choices(ctx, q)
	k.quiet()
	if err != nil {
		if l.ByHand != "" && isOfService(err) && driver.KindOf(err) == driver.Denied {
			fmt.Fprintf(o.env.Stderr, "without that: %s\n", l.ByHand)
		}
		return usage(err)
	}
	if len(all) == 0 && !o.quiet {
		fmt.Fprintf(o.env.Stderr, "Rekey sees none here; %s\n", l.ByHand)
	}
	if filter != "" {
		all = app.Matching(all, filter)
	}
	if !o.json {
		return wrote(o.table(all))
	}
	doc := struct {
		Schema string   `json:"schema"`
		What   string   `json:"what"`
		Items  []listed `json:"items"`
	}{"rekey.list/1", l.Name, []listed{}}
	for _, c := range all {
		x := listed{ID: c.ID, Name: c.Name, Unfit: c.Unfit, About: map[string]string{}}
		for _, about := range c.About {
			if about.Text != "" {
				x.About[about.Name] = about.Text
			}
		}
		doc.Items = append(doc.Items, x)
	}
	return wrote(writeJSON(o.env.Stdout, doc))
}

// table prints choices, the id first: on a terminal the ends of long lines are cut.
func (o *options) table(all []app.Choice) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	named := slices.ContainsFunc(all, func(c app.Choice) bool { return c.Name != "" })
	for _, c := range all {
		about := aboutOf(app.Choice{ID: c.ID, About: c.About})
		if c.Unfit != "" {
			about = strings.TrimPrefix(about+"; cannot be chosen: "+c.Unfit, "; ")
		}
		row := printable.Name(c.ID)
		if named {
			row += "\t" + printable.Name(c.Name)
		}
		fmt.Fprintf(t, "%s\t%s\n", row, safe(about))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	width := 0
	if f, ok := o.env.Stdout.(*os.File); ok && terminal(f) {
		if width, _, _ = term.GetSize(int(f.Fd())); width < 20 {
			width = columns
		}
	}
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimRight(line, " \n"); width > 0 {
			line = cut(line, width-1)
		}
		if _, err := fmt.Fprintln(o.env.Stdout, line); err != nil {
			return err
		}
	}
	return nil
}
