package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/ledger"
)

func (o *options) ledgerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ledger", Short: "show, verify and prove the record of what was intended and done",
		Long: `The ledger has an entry before every effect and one after it. Its entries are the leaves of a Merkle tree, whose root is
signed at the end of each run, so that whoever has the public key can tell, offline, whether an entry was altered,
dropped, inserted or moved. It is evidence: no run decides by it. docs/ledger.md says how to verify it by hand.`,
		Example: example("rekey ledger keygen prod-ledger", "rekey ledger show --since 24h", "rekey ledger verify --key prod-ledger.pub"),
		Args:    known,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(o.ledgerShowCommand(), o.ledgerVerifyCommand(), o.ledgerProveCommand(), o.ledgerExportCommand(), o.ledgerKeygenCommand())
	return cmd
}

// folderFlag is where a ledger lies if it is not the manifest's: an auditor has no manifest.
func folderFlag(cmd *cobra.Command, folder *string) {
	cmd.Flags().StringVar(folder, "folder", "", "the ledger's folder; the manifest's, unless it is said")
}

// readLedger opens a ledger to be read, by its folder or by the manifest's.
func (o *options) readLedger(ctx context.Context, folder string) (ledger.Reader, error) {
	if folder == "" {
		m, problems, err := o.manifest()
		if err != nil {
			return nil, err
		}
		if problems.Failed() {
			fmt.Fprint(o.env.Stderr, problems)
			return nil, Exit(ExitUsage, fmt.Errorf("%w: name the ledger's folder with --folder, or mend the lines above", errManifest))
		}
		if m.Ledger.Blob != "" {
			a, err := o.start(m, problems)
			if err != nil {
				return nil, err
			}
			return a.Ledger(ctx)
		}
		if m.Ledger.Folder == "" {
			return nil, Exit(ExitUsage, fmt.Errorf("the manifest %s names no ledger: name a folder with --folder", o.file))
		}
		if folder = m.Ledger.Folder; !filepath.IsAbs(folder) && o.file != "-" {
			folder = filepath.Join(filepath.Dir(o.file), folder)
		}
	}
	r, err := ledger.ReadFolder(folder)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("there is no ledger in %s: it is made by the first run that has something to do", folder)
	}
	if err != nil {
		return nil, Exit(ExitFailed, err)
	}
	return r, nil
}

// verifiers reads keys that verify: each is one itself, or the name of a file with some.
func verifiers(given []string) (out []ledger.Verifier, err error) {
	for _, text := range given {
		place := "--key"
		if !strings.Contains(text, "+") {
			b, err := readSmall(text)
			if err != nil {
				return nil, Exit(ExitUsage, fmt.Errorf("read the key that verifies: %w", err))
			}
			place, text = text, string(b)
		}
		keys, err := ledger.ParseVerifiers(text)
		if err != nil {
			return nil, Exit(ExitUsage, fmt.Errorf("read the key that verifies in %s: %w", place, err))
		}
		out = append(out, keys...)
	}
	return out, nil
}

func (o *options) ledgerKeygenCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "keygen NAME", Short: "make the key pair that signs and verifies a ledger",
		Long: `Keygen makes an Ed25519 key pair. The key that signs goes into NAME.key, which only its owner can read; the one that
verifies goes into NAME.pub, and is printed: give it to whoever is to verify the ledger. Neither file is ever
overwritten.

NAME names the ledger, and stands in each checkpoint: make one key for each ledger. In a CI system keep the key in a
protected variable and name that in the manifest; not in a vault that a run needs its rights for.`,
		Example: example("rekey ledger keygen prod-ledger", "rekey ledger keygen prod-ledger --out ./keys"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("keygen needs one name for the key, which is the ledger's too: rekey ledger keygen prod-ledger")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			private, public, err := ledger.MakeKey(args[0])
			if err != nil {
				return Exit(ExitUsage, err)
			}
			key, pub := filepath.Join(out, args[0]+".key"), filepath.Join(out, args[0]+".pub")
			if err := create(key, private, 0o600); err != nil {
				return Exit(ExitFailed, err)
			}
			if err := create(pub, public, 0o644); err != nil {
				_ = os.Remove(key) // nothing was signed with it
				return Exit(ExitFailed, err)
			}
			if o.json {
				return wrote(writeJSON(o.env.Stdout, map[string]string{"schema": "rekey.ledger-key/1", "name": args[0], "key": public, "signs": key, "verifies": pub}))
			}
			fmt.Fprintln(o.env.Stdout, public)
			if !o.quiet {
				fmt.Fprintf(o.env.Stderr, "%s signs, and is secret; %s, printed above, verifies. In the manifest:\n\n  ledger:\n    folder: ./ledger\n    key: {file: %s}\n", key, pub, key)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", ".", "the folder that the two files are written to")
	return cmd
}

// create writes a file that does not exist yet.
func create(name, text string, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists, and a key is never overwritten: take another name, or another folder with --out", name)
	}
	if err != nil {
		return fmt.Errorf("write a key: %w", err)
	}
	if _, err = f.WriteString(text + "\n"); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(name)
		return fmt.Errorf("write a key: %w", err)
	}
	return nil
}
