package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/artifact"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/printable"
	"github.com/rekeyhq/rekey/internal/rotation"
)

func (o *options) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate", Short: "check the manifest, all of it at once",
		Long:    "Validate checks the manifest without any connection and prints everything that is wrong with it, with line and column.",
		Example: example("rekey validate", "rekey validate -f prod.yaml --json"),
		Args:    none,
		RunE: func(*cobra.Command, []string) error {
			m, problems, err := o.manifest()
			if err != nil {
				return err
			}
			if o.json {
				doc := struct {
					Schema   string            `json:"schema"`
					Valid    bool              `json:"valid"`
					Problems manifest.Problems `json:"problems"`
				}{"rekey.validate/1", m != nil, problems}
				if doc.Problems == nil {
					doc.Problems = manifest.Problems{}
				}
				if err := writeJSON(o.env.Stdout, doc); err != nil {
					return Exit(ExitFailed, err)
				}
			} else {
				fmt.Fprint(o.env.Stdout, problems)
			}
			if m == nil {
				return Exit(ExitUsage, nil)
			}
			if !o.json {
				fmt.Fprintf(o.env.Stdout, "%s is valid: %s\n", o.file, count(len(m.Credentials), "credential"))
				for _, c := range m.Credentials {
					if d, ok := c.Settings.(manifest.Described); ok {
						fmt.Fprintf(o.env.Stdout, "  %s makes %s\n", c.Name, d.Describe())
					}
				}
			}
			return nil
		},
	}
}

func (o *options) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema [artifact]", Short: "print the manifest's JSON Schema, for editors, or that of a run's artefact",
		Long: `Schema prints the manifest's JSON Schema. An editor that knows it completes names, explains them and marks what is
wrong. It says less than rekey validate, which also holds names against each other.

Schema artifact prints the JSON Schema of what --artifact writes.`,
		Example: example("rekey schema > rekey.schema.json", "# then, as the manifest's first line:", "# yaml-language-server: $schema=rekey.schema.json", "rekey schema artifact"),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "artifact" {
				return nil
			}
			return none(cmd, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				_, err := o.env.Stdout.Write(artifact.Schema())
				return err
			}
			_, err := o.env.Stdout.Write(append(manifest.Schema(app.Kinds()), '\n'))
			return err
		},
	}
}

func (o *options) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version",
		Long:    "Version prints the version, the platform that it was built for, and the Go that built it.",
		Example: example("rekey version", "rekey version --json"),
		Args:    none,
		RunE: func(*cobra.Command, []string) error {
			if o.json {
				return writeJSON(o.env.Stdout, map[string]string{"schema": "rekey.version/1", "version": o.env.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprintf(o.env.Stdout, "rekey %s %s/%s %s\n", o.env.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
			return err
		},
	}
}

func (o *options) loginCommand() *cobra.Command {
	var account string
	var device bool
	cmd := &cobra.Command{
		Use: "login --account NAME", Short: "sign a service account in once, and seal its token in the vault",
		Long: `Login signs in, as a person, the account that owns tokens: in a browser on this machine, or with a code on another
device. What comes of it is sealed in the vault that the manifest names under the account's tokenCache, and renewed
from there on by every run that uses it.`,
		Example: example("rekey login --account svc-devops-pat", "rekey login --account svc-devops-pat --device-code"),
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if account == "" {
				return Exit(ExitUsage, errors.New("login needs --account NAME, a name out of the manifest's accounts"))
			}
			a, err := o.open()
			if err != nil {
				return err
			}
			acc, err := a.Account(account)
			if err != nil {
				return Exit(ExitUsage, err)
			}
			if device {
				err = acc.LoginByDeviceCode(cmd.Context(), app.LoginScope, func(message string) { fmt.Fprintln(o.env.Stderr, safe(message)) })
			} else {
				err = acc.LoginByBrowser(cmd.Context(), app.LoginScope, func(address string) error { return o.browse(a.Manifest(), address) })
			}
			if err != nil {
				return failure(err)
			}
			fmt.Fprintf(o.env.Stdout, "account %s is signed in; its token is sealed in secret %s of vault %s\n", account, acc.Seal().Name, acc.Seal().Store.Host())
			return nil
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "the account's name in the manifest")
	cmd.Flags().BoolVar(&device, "device-code", false, "sign in on another device, with a code; some tenants forbid it")
	return cmd
}

func failure(err error) error {
	var e *driver.Error
	if errors.As(err, &e) && e.Person {
		return Exit(ExitPerson, err)
	}
	return Exit(ExitFailed, err)
}

func (o *options) retireCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "retire NAME", Short: "end a credential's life: revoke everything that Rekey issued for it",
		Long: `Retire shows everything alive that Rekey issued for a credential's secret, and revokes it once that is confirmed.
The secret stays in the vault, with a value that no longer works. Set enabled: false in the manifest, or take the
credential out of it: the next apply would issue a new one.`,
		Example: example("rekey retire devops-pat", "rekey retire devops-pat --yes"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("retire needs the name of the one credential whose life is to end: rekey retire NAME")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			ctx := cmd.Context()
			_, creds, err := o.credentials(names)
			if err != nil {
				return err
			}
			alive, err := engine.New(engine.Config{Ledger: nothing{}, Log: o.log()}).Alive(ctx, creds[0])
			if err != nil {
				return failure(err)
			}
			o.showAlive(names[0], alive)
			if creds[0].Spec.Enabled {
				fmt.Fprintf(o.env.Stderr, "note: the manifest has %s enabled, so the next apply issues a new one: set enabled: false\n", names[0])
			}
			if len(alive) > 0 && !yes {
				if err := o.confirm(names[0], "revoke it", errCancelled); err != nil {
					return err
				}
			}
			return o.retire(ctx, names, alive)
		},
	}
	o.evidenceFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (o *options) retire(ctx context.Context, names []string, shown []rotation.Issued) error {
	ids := make([]string, len(shown)) // never nil, which would stand for everything
	for n, i := range shown {
		ids[n] = i.ID
	}
	doc, err := o.do(ctx, "retire", names, func(c *engine.Credential) { c.Spec.Command, c.Spec.Shown = rotation.Retire, ids }, engine.Config{}, true)
	if err != nil {
		return err
	}
	return o.finish(doc, true, false)
}

func (o *options) showAlive(name string, alive []rotation.Issued) {
	w := o.env.Stderr
	if len(alive) == 0 {
		fmt.Fprintf(w, "%s: nothing that Rekey issued for it is alive\n", name)
		return
	}
	fmt.Fprintf(w, "%s: %s will be revoked, and whoever uses it is cut off:\n", name, count(len(alive), "token"))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, i := range alive {
		fmt.Fprintf(t, "  %s\t%s\tvalid until %s\n", printable.Name(i.ID), printable.Name(i.Name), when(i.To, time.Time{}))
	}
	t.Flush()
}

// confirm asks a person to type the credential's name, and fails with cancelled if they do not.
func (o *options) confirm(name, to string, cancelled error) error {
	if !terminal(o.env.Stdin) {
		return Exit(ExitPerson, fmt.Errorf("%w: nobody is here to confirm it; run it again with --yes", cancelled))
	}
	fmt.Fprintf(o.env.Stderr, "Type %s to %s: ", name, to)
	line, err := bufio.NewReader(io.LimitReader(o.env.Stdin, 200)).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != name {
		return Exit(ExitPerson, cancelled)
	}
	return nil
}
