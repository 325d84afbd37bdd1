package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/artifact"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/printable"
)

// verifyFlags say what is verified, and by what.
type verifyFlags struct {
	folder, proof, export, artifact string
	keys, held                      []string
	vault                           bool
}

func (o *options) ledgerVerifyCommand() *cobra.Command {
	var v verifyFlags
	cmd := &cobra.Command{
		Use: "verify", Short: "hold the ledger, a proof, an export or an artefact against the key that verifies",
		Long: `Verify works the tree out of the entries and holds it against every checkpoint, offline, with nothing but the key that
verifies. It names what does not fit: entries that were altered, dropped, inserted or moved, a ledger that was cut
off, a torn line, a checkpoint that was altered, and two checkpoints that do not agree. With --checkpoint it also shows
that the ledger goes on from a checkpoint that you have kept; nothing else shows that its end, checkpoints included, was
not taken away. Without --key a ledger is only held against itself.

With --vault it signs in with the manifest's identity and reads the tags of all versions of the manifest's secrets: each
one that Rekey published says how many entries the ledger had then, and their root.

It exits with 0 if everything holds, and with 1 if anything does not.`,
		Example: example("rekey ledger verify --key prod-ledger.pub", "rekey ledger verify --folder ./copy --key prod-ledger.pub --checkpoint january.checkpoints", "rekey ledger verify --proof entry-7.json --key prod-ledger.pub", "rekey ledger verify --export audit.jsonl --key prod-ledger.pub", "rekey ledger verify --artifact run.json --key prod-ledger.pub"),
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, err := verifiers(v.keys)
			if err != nil {
				return err
			}
			held, err := heldIn(v.held)
			if err != nil {
				return err
			}
			switch {
			case v.proof != "" && v.export != "" || v.proof != "" && len(held) > 0:
				return Exit(ExitUsage, errors.New("verify --proof checks one proof and nothing else: leave --export and --checkpoint out"))
			case v.artifact != "" && (v.proof+v.export != "" || len(held) > 0):
				return Exit(ExitUsage, errors.New("verify --artifact checks one artefact and nothing else: leave --proof, --export and --checkpoint out"))
			case v.vault && v.proof+v.export+v.artifact != "":
				return Exit(ExitUsage, errors.New("verify --vault holds the ledger against the vaults: leave --proof, --export and --artifact out"))
			case v.proof+v.export+v.artifact != "" && len(keys) == 0:
				return Exit(ExitUsage, errors.New("what came from elsewhere shows nothing without a key: name the one that verifies with --key"))
			case v.artifact != "":
				return o.verifyArtifact(v.artifact, keys)
			case v.proof != "":
				return o.verifyProof(v.proof, keys)
			case v.export != "":
				return o.verifyExport(v.export, keys, held)
			}
			r, err := o.readLedger(cmd.Context(), v.folder)
			if err != nil {
				return err
			}
			var seen []ledger.Seen
			if v.vault {
				if seen, err = o.seenByVaults(cmd.Context()); err != nil {
					return err
				}
			}
			report, err := ledger.Verify(r, ledger.Options{Keys: keys, Held: held, Seen: seen})
			if err != nil {
				return Exit(ExitFailed, err)
			}
			return o.showReport(report)
		},
	}
	folderFlag(cmd, &v.folder)
	cmd.Flags().StringArrayVar(&v.keys, "key", nil, "a key that verifies, or a file with some; again for each further one")
	cmd.Flags().StringArrayVar(&v.held, "checkpoint", nil, "a file with checkpoints of this ledger that you have kept, such as an older copy of ledger.checkpoints")
	cmd.Flags().StringVar(&v.proof, "proof", "", "check this proof, as rekey ledger prove writes it, in place of the ledger")
	cmd.Flags().BoolVar(&v.vault, "vault", false, "hold it against the manifest's vaults too: each version that Rekey published says what the ledger was; this signs in and reads tags")
	cmd.Flags().StringVar(&v.artifact, "artifact", "", "check the artefact of a run, as --artifact writes it, in place of the ledger")
	cmd.Flags().StringVar(&v.export, "export", "", "check this export, as rekey ledger export writes it, in place of the ledger")
	return cmd
}

// seenByVaults is what the versions of the manifest's secrets say of the ledger.
func (o *options) seenByVaults(ctx context.Context) (out []ledger.Seen, err error) {
	_, creds, err := o.credentials(nil)
	if err != nil {
		return nil, err
	}
	all, err := engine.New(engine.Config{Ledger: nothing{}, Log: o.log()}).Witnesses(ctx, creds)
	if err != nil {
		return nil, failure(err)
	}
	for _, w := range all {
		name := fmt.Sprintf("version %s of secret %s, of %s,", printable.Name(w.Version), printable.Name(w.Secret), when(w.Created, time.Time{}))
		out = append(out, ledger.Seen{Name: name, Size: w.Size, Root: w.Root})
	}
	return out, nil
}

func heldIn(files []string) (out []ledger.Held, err error) {
	for _, name := range files {
		b, err := readSmall(name)
		if err != nil {
			return nil, Exit(ExitUsage, fmt.Errorf("read a checkpoint that was kept: %w", err))
		}
		out = append(out, ledger.Held{Name: name, Text: string(b)})
	}
	return out, nil
}

// showReport prints what a ledger was found to be.
func (o *options) showReport(r ledger.Report) error {
	if o.json {
		if err := writeJSON(o.env.Stdout, r); err != nil {
			return Exit(ExitFailed, err)
		}
	} else {
		o.printReport(r)
	}
	if !r.OK {
		return Exit(ExitFailed, nil)
	}
	return nil
}

func (o *options) printReport(r ledger.Report) {
	p := newPrinter(o.env.Stdout, o.env)
	for _, f := range r.Findings {
		word := p.paint(yellow, "note ")
		if f.Problem {
			word = p.paint(red, "wrong")
		}
		fmt.Fprintf(p.w, "%s  %s: %s\n", word, f.Kind, safe(f.Says))
		if f.Do != "" {
			fmt.Fprintf(p.w, "       what to do: %s\n", f.Do)
		}
	}
	if r.More > 0 {
		fmt.Fprintf(p.w, "       and %d more\n", r.More)
	}
	by := "a signed checkpoint"
	if !r.Signed {
		by = "a checkpoint (no key was given, so the ledger was only held against itself)"
	}
	word := p.paint(green, "ok")
	if !r.OK {
		word = p.paint(red, "does not hold")
	}
	if r.Witnesses > 0 {
		by += "; held against " + count(r.Witnesses, "version") + " in the vaults"
	}
	fmt.Fprintf(p.w, "ledger: %s; %s, %d of them under %s\n", word, entriesOf(r.Entries), r.Covered, by)
}

func entriesOf(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

func (o *options) verifyProof(name string, keys []ledger.Verifier) error {
	b, err := readSmall(name)
	if err != nil {
		return Exit(ExitUsage, fmt.Errorf("read the proof: %w", err))
	}
	p, err := ledger.ParseProof(b)
	if err != nil {
		return Exit(ExitUsage, fmt.Errorf("read the proof %s: %w", name, err))
	}
	got, err := p.Check(keys)
	if err != nil {
		return Exit(ExitFailed, err)
	}
	if o.json {
		return wrote(writeJSON(o.env.Stdout, struct {
			Schema string       `json:"schema"`
			Entry  int64        `json:"entry"`
			Of     int64        `json:"of"`
			Origin string       `json:"origin"`
			Said   ledger.Entry `json:"said"`
		}{"rekey.ledger-proved/1", got.Entry, got.Checkpoint.Size, got.Checkpoint.Origin, got.Said}))
	}
	fmt.Fprintf(o.env.Stdout, "ok: this is entry %d of the %d that %s has signed\n", got.Entry, got.Checkpoint.Size, got.Checkpoint.Origin)
	if e := got.Said; e.Run != "" {
		fmt.Fprintf(o.env.Stdout, "  %s  %s  %s %s  %s\n", e.Time.UTC().Format(time.RFC3339), printable.Name(e.Credential), printable.Name(e.Effect), e.Phase, printable.Name(e.Target))
	}
	return nil
}

func (o *options) verifyArtifact(name string, keys []ledger.Verifier) error {
	b, err := readSmall(name)
	if err != nil {
		return Exit(ExitUsage, fmt.Errorf("read the artefact: %w", err))
	}
	got, err := artifact.Verify(b, keys)
	if err != nil {
		return Exit(ExitFailed, err)
	}
	if o.json {
		return wrote(writeJSON(o.env.Stdout, struct {
			Schema  string `json:"schema"`
			Run     string `json:"run"`
			Command string `json:"command"`
			Outcome string `json:"outcome"`
			Entries int    `json:"entries"`
			Of      int64  `json:"of"`
			Origin  string `json:"origin"`
		}{"rekey.artifact-verified/1", got.Run, got.Command, got.Outcome, got.Entries, got.Checkpoint.Size, got.Checkpoint.Origin}))
	}
	fmt.Fprintf(o.env.Stdout, "ok: this is what run %s (%s, %s) has said of itself: its %s are among the %d that %s has signed, the last one with the digest of its statement\n",
		printable.Name(got.Run), printable.Name(got.Command), printable.Name(got.Outcome), entriesOf(int64(got.Entries)), got.Checkpoint.Size, got.Checkpoint.Origin)
	return nil
}

func (o *options) verifyExport(name string, keys []ledger.Verifier, held []ledger.Held) error {
	f, err := os.Open(name)
	if err != nil {
		return Exit(ExitUsage, fmt.Errorf("read the export: %w", err))
	}
	defer f.Close()
	var kept []ledger.Checkpoint
	for _, h := range held {
		some, err := ledger.ParseHeld(h, keys)
		if err != nil {
			return Exit(ExitFailed, err)
		}
		kept = append(kept, some...)
	}
	got, err := ledger.CheckExport(f, keys, kept)
	if err != nil {
		return Exit(ExitFailed, err)
	}
	if o.json {
		return wrote(writeJSON(o.env.Stdout, struct {
			Schema   string `json:"schema"`
			Entries  int64  `json:"entries"`
			Of       int64  `json:"of"`
			Complete bool   `json:"complete"`
			Origin   string `json:"origin"`
		}{"rekey.ledger-exported/1", got.Entries, got.Checkpoint.Size, got.Complete, got.Checkpoint.Origin}))
	}
	what := "each of them proved; what was left out is not shown"
	if got.Complete {
		what = "all of them"
	}
	fmt.Fprintf(o.env.Stdout, "ok: %s of the %d that %s has signed, %s\n", entriesOf(got.Entries), got.Checkpoint.Size, got.Checkpoint.Origin, what)
	return nil
}

func (o *options) ledgerProveCommand() *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use: "prove ENTRY", Short: "write the proof that an entry is in the ledger",
		Long: `Prove writes, as JSON, an entry, the newest signed checkpoint, and the hashes that lead from the one to the other. Whoever
has the key that verifies can check it without the ledger: rekey ledger verify --proof FILE. ENTRY is the number that
show prints, or RUN:SEQ.`,
		Example: example("rekey ledger prove 7 > entry-7.json", "rekey ledger prove 01m7y2pqh4tqpq43th:3"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("prove needs one entry, by its number or as RUN:SEQ: rekey ledger prove 7")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := o.readLedger(cmd.Context(), folder)
			if err != nil {
				return err
			}
			n, err := entryNumber(r, args[0])
			if err != nil {
				return err
			}
			p, err := ledger.Prove(r, n)
			if errors.Is(err, ledger.ErrNotCovered) {
				err = fmt.Errorf("%w: the next run that records something signs everything that is there", err)
			}
			if err != nil {
				return Exit(ExitFailed, err)
			}
			return wrote(writeJSON(o.env.Stdout, p))
		},
	}
	folderFlag(cmd, &folder)
	return cmd
}

func (o *options) ledgerExportCommand() *cobra.Command {
	var folder, out string
	var of selection
	cmd := &cobra.Command{
		Use: "export", Short: "write entries, a signed checkpoint and proofs as one file for an auditor",
		Long: `Export writes what the newest signed checkpoint covers as lines of JSON: first the checkpoint, then the entries as they
were written, last how many there are. Without a filter it is all of them, which together are their own proof; with one,
each entry has a proof of its own. Whoever has the key that verifies can check it without the ledger: rekey ledger verify
--export FILE.`,
		Example: example("rekey ledger export > audit.jsonl", "rekey ledger export --credential devops-pat --since 2026-01-01 --out audit.jsonl"),
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
			to := o.env.Stdout
			if out != "" {
				f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return Exit(ExitUsage, fmt.Errorf("write the export: %w", err))
				}
				defer f.Close()
				to = f
			}
			b := bufio.NewWriter(to)
			c, n, err := ledger.Export(r, b, wanted)
			if err = errors.Join(err, b.Flush()); err != nil {
				return Exit(ExitFailed, fmt.Errorf("write the export: %w", err))
			}
			if !o.quiet {
				fmt.Fprintf(o.env.Stderr, "%s of the %d that %s has signed\n", entriesOf(n), c.Size, c.Origin)
			}
			return nil
		},
	}
	folderFlag(cmd, &folder)
	of.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "the file to write, which must not exist yet; standard output unless it is said")
	return cmd
}
