package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// openLedger opens the manifest's ledger, or says that there is none and prints the entries. What it returns ends the
// run's part of it: a checkpoint, if anything was recorded. That stops nothing any more, so all it can do is to say so.
func (o *options) openLedger(a *app.App, cfg *engine.Config) (func(), error) {
	m := a.Manifest().Ledger
	if m.Folder == "" {
		fmt.Fprintln(o.env.Stderr, "rekey: no durable ledger: the manifest names none, so its entries are printed here")
		cfg.Ledger = &ledger.Writer{W: o.env.Stderr}
		return func() {}, nil
	}
	key, err := o.ledgerKey(a, m.Key)
	if err != nil {
		return nil, Exit(ExitFailed, fmt.Errorf("nothing is done, since the manifest wants the ledger signed: %w", err))
	}
	folder, err := ledger.OpenFolder(a.Path(m.Folder))
	if err != nil {
		return nil, Exit(ExitFailed, fmt.Errorf("nothing is done that cannot be recorded: %w", err))
	}
	l := ledger.New(folder, key)
	cfg.Ledger = l
	return func() {
		defer folder.Close()
		c, err := l.Checkpoint()
		switch {
		case errors.Is(err, ledger.ErrChanged):
			fmt.Fprintf(o.env.Stderr, "rekey: the ledger was changed: %s; it is not signed over. Say rekey ledger verify, which names what was changed; the entries of this run are written\n", safe(err.Error()))
		case err != nil:
			fmt.Fprintf(o.env.Stderr, "rekey: the entries are written, but no checkpoint covers them yet: %s; the next run that records something makes one\n", safe(err.Error()))
		case c.Size > 0 && key == nil && !o.quiet:
			fmt.Fprintln(o.env.Stderr, "rekey: the ledger is not signed: the manifest names no key for it (rekey ledger keygen makes one)")
		}
	}, nil
}

// ledgerKey reads the key that signs, nil if the manifest names none.
func (o *options) ledgerKey(a *app.App, at *manifest.LedgerKey) (*ledger.Key, error) {
	if at == nil {
		return nil, nil
	}
	place, text := "the environment variable "+at.Env, o.env.Getenv(at.Env)
	if at.File != "" {
		place = "the file " + at.File
		b, err := readSmall(a.Path(at.File))
		if err != nil {
			return nil, fmt.Errorf("read the ledger's key: %w", err)
		}
		text = string(b)
	}
	if text == "" {
		return nil, fmt.Errorf("read the ledger's key: %s is empty or not there", place)
	}
	key, err := ledger.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("read the ledger's key in %s: %w", place, err)
	}
	return key, nil
}

// maxSmall is more than any key, checkpoint or proof has; a file of many checkpoints is larger.
const maxSmall = 64 << 20

// readSmall reads a file that is small if it is what it should be.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		err = fmt.Errorf("%s is too large", name)
	}
	return b, err
}
