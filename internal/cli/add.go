package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
)

func (o *options) addCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "add KIND [NAME]", Short: "add a credential, or what uses one, to the manifest, out of lists of what is there",
		Long: `Add lists what Rekey's identity, or an account of the manifest, sees, and writes what is chosen into the manifest. Every
other line of it stays as it is, to the byte; what comes of it is checked before it takes the file's place.

At a terminal it asks for what no flag says: a number chooses, and so does a part of a name. Without one, flags say
everything; rekey list has what they can name. Names and dates are read, never the value of a secret.`,
		Example: example("rekey add pat", "rekey add app-secret web-secret --application web --vault prod --secret web-client-secret",
			"rekey add service-connection pipelines --to devops-pat --organization contoso --project platform --connection fabrikam",
			"rekey add pat --print              # the lines on stdout, and the file left alone"),
		Args: known,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	for _, a := range app.Additions() {
		cmd.AddCommand(o.addKindCommand(a))
	}
	return cmd
}

func (o *options) addKindCommand(a app.Addition) *cobra.Command {
	flags := map[string]*string{}
	var only bool
	cmd := &cobra.Command{
		Use: a.Command + " [NAME]", Short: a.Short, Long: a.Long, Example: example(a.Examples...),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("%s takes one name, and %q is another", cmd.CommandPath(), args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			given := values(flags)
			if len(args) == 1 {
				given[app.Name] = args[0]
			}
			return o.add(cmd.Context(), a, given, only)
		},
	}
	for _, x := range a.Questions {
		if x.Flag != app.Name {
			flags[x.Flag] = cmd.Flags().String(x.Flag, "", x.Usage)
		}
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&only, "print", false, "print the lines, and leave the file alone")
	return cmd
}

func values(flags map[string]*string) map[string]string {
	out := map[string]string{}
	for name, v := range flags {
		out[name] = *v
	}
	return out
}

// add asks, writes and says what was written.
func (o *options) add(ctx context.Context, a app.Addition, given map[string]string, only bool) error {
	if o.file == "-" && !only {
		return Exit(ExitUsage, errors.New("a manifest that is read from stdin cannot be written: say --print"))
	}
	src, err := o.read()
	if err != nil {
		return Exit(ExitUsage, err)
	}
	k := o.asker(given)
	next, adds, err := o.grow(ctx, k, src, a)
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, x := range adds {
		lines.WriteString(x.String())
	}
	if !only {
		if ctx.Err() != nil {
			return Exit(ExitPerson, errLeft)
		}
		if err := replaceFile(o.file, src, next); err != nil {
			fmt.Fprint(o.env.Stderr, lines.String())
			return Exit(ExitFailed, fmt.Errorf("write the lines above into the manifest: %w", err))
		}
	}
	if o.json {
		return wrote(writeJSON(o.env.Stdout, struct {
			Schema  string `json:"schema"`
			File    string `json:"file"`
			Written bool   `json:"written"`
			Lines   string `json:"lines"`
		}{"rekey.add/1", o.file, !only, lines.String()}))
	}
	fmt.Fprint(o.env.Stdout, lines.String())
	if !only && !o.quiet {
		fmt.Fprintf(o.env.Stderr, "added to %s: rekey plan says what becomes of it\n", safe(o.file))
	}
	return nil
}

func wrote(err error) error {
	if err != nil {
		return Exit(ExitFailed, err)
	}
	return nil
}

// grow is a manifest with what was asked for added to it.
func (o *options) grow(ctx context.Context, k *asker, src []byte, a app.Addition) ([]byte, []manifest.Addition, error) {
	m, problems := manifest.Parse(o.file, src, app.Kinds(), app.Rules()...)
	running, err := o.start(m, problems)
	if err != nil {
		return nil, nil, err
	}
	q := running.Ask(a.Questions)
	if err := k.answer(ctx, q, a.Questions); err != nil {
		return nil, nil, err
	}
	adds, err := a.Write(ctx, q)
	if err != nil {
		return nil, nil, usage(err)
	}
	got, err := manifest.Insert(o.file, src, app.Kinds(), adds...)
	if err != nil || got.Problems.Failed() {
		for _, x := range adds {
			fmt.Fprint(o.env.Stderr, x.String())
		}
	}
	switch {
	case err != nil:
		return nil, nil, Exit(ExitUsage, fmt.Errorf("%w; nothing was written, the lines are above", err))
	case got.Problems.Failed():
		for _, p := range got.Problems {
			if p.Severity == manifest.Error {
				fmt.Fprintln(o.env.Stderr, p)
			}
		}
		return nil, nil, Exit(ExitUsage, errors.New("the manifest would not be valid with the lines above: nothing was written"))
	}
	if !o.quiet {
		for _, n := range q.Notes() {
			fmt.Fprintf(o.env.Stderr, "note: %s\n", safe(n))
		}
		for _, p := range got.Problems {
			if !had(problems, p) {
				fmt.Fprintln(o.env.Stderr, p)
			}
		}
	}
	return got.Source, adds, nil
}

// had says whether a problem was there before.
func had(before manifest.Problems, p manifest.Problem) bool {
	for _, b := range before {
		if b.Path == p.Path && b.Message == p.Message {
			return true
		}
	}
	return false
}

func isOfService(err error) bool { return driver.KindOf(err) != 0 }

// replaceFile puts a text in a file's place, whole or not at all. What somebody else wrote since it was read stays.
func replaceFile(name string, read, text []byte) (err error) {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(real), ".rekey-*.new")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, gone(os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return err
	}
	now, err := os.ReadFile(real)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(now, read):
		return fmt.Errorf("%s was changed meanwhile: nothing was written; run the command again", name)
	}
	return os.Rename(f.Name(), real)
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
