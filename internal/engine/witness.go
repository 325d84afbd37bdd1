package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// witnessed adds to a record that is about to be published what the ledger holds by now, so that the store's versions
// are its witness. It is evidence, which nothing is decided by: where it cannot be had, or does not fit, it is left out.
func (e *Engine) witnessed(r rotation.Record) rotation.Record {
	r.LedgerSize, r.LedgerRoot = 0, ""
	if e.cfg.Witness == nil {
		return r
	}
	size, root, err := e.cfg.Witness()
	if err != nil {
		e.cfg.Log.Debug("the record does not name the ledger", "error", err)
		return r
	}
	with := r
	with.LedgerSize, with.LedgerRoot = size, root
	if _, err := with.Encode(); err != nil {
		return r
	}
	return with
}

// Witness is what a version of a secret says of the ledger.
type Witness struct {
	Secret, Version string
	Created         time.Time
	Size            int64
	Root            string
}

// Witnesses reads what the versions of these credentials' secrets say of the ledger. Of a version whose record cannot be
// read, or names no ledger, nothing is said.
func (e *Engine) Witnesses(ctx context.Context, creds []Credential) (out []Witness, err error) {
	index := e.readIndex(ctx, creds)
	for _, block := range creds {
		members, known := e.expand(ctx, block, index, never)
		for i, c := range members {
			if c.Several != nil { // the block itself
				if known[i] != nil && known[i].Err != nil {
					return nil, known[i].Err
				}
				continue
			}
			store, ok := c.Store.(driver.Versions)
			if !ok {
				return nil, fmt.Errorf("the versions in %s cannot be listed", c.Store.Host())
			}
			versions, _, err := store.Versions(ctx, c.Spec.Target.Name)
			if err != nil {
				return nil, err
			}
			for _, v := range versions {
				if r, err := rotation.ParseRecord(v.Tags[rotation.RecordTag]); err == nil && r.LedgerSize > 0 {
					out = append(out, Witness{c.Spec.Target.String(), v.ID, v.Created, r.LedgerSize, r.LedgerRoot})
				}
			}
		}
	}
	return out, nil
}
