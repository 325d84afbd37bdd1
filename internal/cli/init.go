package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/manifest"
)

func (o *options) initCommand() *cobra.Command {
	flags := map[string]*string{}
	var yes bool
	cmd := &cobra.Command{
		Use: "init", Short: "write a manifest to start from",
		Long: `Init writes a manifest to start from. It never overwrites one.

At a terminal it asks for the tenant, how Rekey signs in and what to begin with; as soon as it can sign in, it lists what
is there. With --yes, or where nobody is to be asked, it writes a commented example.`,
		Example: example("rekey init", "rekey init --yes -f prod.yaml", "rekey init --tenant contoso.onmicrosoft.com --identity managedIdentity"),
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := os.Lstat(o.file); err == nil {
				return o.there()
			}
			given, some := values(flags), false
			for _, v := range given {
				some = some || v != ""
			}
			if yes || !some && !terminal(o.env.Stdin) {
				return o.begin(manifest.Starter(), "put your names in, then run rekey validate")
			}
			return o.interview(cmd.Context(), given)
		},
	}
	for _, x := range app.First() {
		flags[x.Flag] = cmd.Flags().String(x.Flag, "", x.Usage)
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask: write a commented example")
	return cmd
}

func (o *options) there() error {
	return Exit(ExitUsage, fmt.Errorf("%s is there already, and init overwrites nothing: name another file with -f", o.file))
}

// begin writes the first manifest.
func (o *options) begin(text []byte, next string) error {
	f, err := os.OpenFile(o.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return o.there()
	}
	if err != nil {
		return Exit(ExitFailed, err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return Exit(ExitFailed, err)
	}
	fmt.Fprintf(o.env.Stdout, "wrote %s: %s\n", o.file, next)
	return nil
}

// interview asks for what a first manifest needs. The file is written after the last question.
func (o *options) interview(ctx context.Context, given map[string]string) error {
	k := o.asker(given)
	if k.in != nil {
		k.say("Nothing is written before the last answer. To get a commented example instead: rekey init --yes\n")
	}
	q := app.Before(app.First())
	if err := k.answer(ctx, q, app.First()); err != nil {
		return err
	}
	src := app.Begin(q)
	if _, problems := manifest.Parse(o.file, src, app.Kinds()); problems.Failed() {
		fmt.Fprint(o.env.Stderr, problems)
		return Exit(ExitUsage, errors.New("a manifest of these answers would not be valid: nothing was written"))
	}
	if k.in != nil {
		var err error
		if src, err = o.firstCredential(ctx, k, src); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return Exit(ExitPerson, errLeft)
	}
	return o.begin(src, "rekey plan says what becomes of it, and rekey add adds more")
}

// firstCredential adds what is begun with. What cannot be added now is left out, and said.
func (o *options) firstCredential(ctx context.Context, k *asker, src []byte) ([]byte, error) {
	ask := []app.Question{app.FirstCredential()}
	q := app.Before(ask)
	if err := k.answer(ctx, q, ask); err != nil {
		return nil, err
	}
	var commands []string
	switch first := q.Of("credential"); first {
	case "":
		return src, nil
	case "pat":
		k.say("\nA PAT belongs to a user, and only that user can make one. Which one?\n")
		commands = []string{"account", first}
	default:
		commands = []string{first}
	}
	additions := app.Additions()
	for _, command := range commands {
		a := additions[slices.IndexFunc(additions, func(a app.Addition) bool { return a.Command == command })]
		next, _, err := o.grow(ctx, &asker{o: o, in: k.in, counts: k.counts}, src, a)
		switch {
		case errors.Is(err, errLeft):
			return nil, err
		case err != nil:
			newPrinter(o.env.Stderr, o.env).problem(err)
			k.say("it is left out: say rekey add %s when that is mended\n", command)
			return src, nil
		}
		src = next
	}
	return src, nil
}
