package app

import (
	"context"

	"github.com/rekeyhq/rekey/internal/azure/appendblob"
	"github.com/rekeyhq/rekey/internal/ledger"
)

// Ledger opens the manifest's ledger to be written, nil if it names none. A container is sent nothing yet.
func (a *App) Ledger(ctx context.Context) (ledger.Home, error) {
	switch m := a.cfg.Manifest.Ledger; {
	case m.Blob != "":
		return appendblob.New(ctx, m.Blob, a.client.Renewing(a.options(), a.cred), a.cred), nil
	case m.Folder != "":
		return ledger.OpenFolder(a.Path(m.Folder))
	}
	return nil, nil
}
