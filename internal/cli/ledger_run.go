package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/engine"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// book is the ledger of a run.
type book struct {
	ledger *ledger.Ledger // nil if the manifest names none
	home   ledger.Home
	signed bool
	close  func()
}

// openLedger opens the ledger of what has no artefact. What it returns ends its part: what was recorded is covered and
// handed on.
func (o *options) openLedger(a *app.App, cfg *engine.Config) (func(), error) {
	ctx := context.Background() // what was done is recorded whether or not somebody interrupts it
	b, err := o.openBook(ctx, a, cfg)
	if err != nil {
		return nil, err
	}
	return func() {
		defer b.close()
		_, _ = o.cover(b)
		o.handOn(ctx, a, b)
	}, nil
}

// openBook opens the manifest's ledger, or says that there is none and prints the entries.
func (o *options) openBook(ctx context.Context, a *app.App, cfg *engine.Config) (*book, error) {
	m := a.Manifest().Ledger
	if m.Folder+m.Blob == "" {
		where := "its entries are printed here"
		if o.evidence.dir != "" {
			where += ", and are in the run's artefact"
		}
		fmt.Fprintf(o.env.Stderr, "rekey: no durable ledger: the manifest names none, so %s\n", where)
		cfg.Ledger = &ledger.Writer{W: o.env.Stderr}
		return &book{close: func() {}}, nil
	}
	key, err := o.ledgerKey(a, m.Key)
	if err != nil {
		return nil, Exit(ExitFailed, fmt.Errorf("nothing is done, since the manifest wants the ledger signed: %w", err))
	}
	home, err := a.Ledger(ctx)
	if err != nil {
		return nil, Exit(ExitFailed, fmt.Errorf("nothing is done that cannot be recorded: %w", err))
	}
	l := ledger.New(home, key)
	cfg.Ledger, cfg.Witness = l, l.Witness
	b := &book{l, home, key != nil, func() {}}
	if c, ok := home.(io.Closer); ok {
		b.close = func() { c.Close() }
	}
	return b, nil
}

// cover makes a checkpoint, if anything was recorded. That stops nothing any more, so all it can do is to say so.
func (o *options) cover(b *book) (ledger.Checkpoint, error) {
	if b.ledger == nil {
		return ledger.Checkpoint{}, nil
	}
	c, err := b.ledger.Checkpoint()
	switch {
	case errors.Is(err, ledger.ErrChanged):
		fmt.Fprintf(o.env.Stderr, "rekey: the ledger was changed: %s; it is not signed over. Say rekey ledger verify, which names what was changed; the entries of this run are written\n", safe(err.Error()))
	case err != nil:
		fmt.Fprintf(o.env.Stderr, "rekey: the entries are written, but no checkpoint covers them yet: %s; the next run that records something makes one\n", safe(err.Error()))
	case c.Size > 0 && !b.signed && !o.quiet:
		fmt.Fprintln(o.env.Stderr, "rekey: the ledger is not signed: the manifest names no key for it (rekey ledger keygen makes one)")
	}
	return c, err
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
