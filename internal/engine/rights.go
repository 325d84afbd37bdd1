package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/rekeyhq/rekey/internal/elevation"
	"github.com/rekeyhq/rekey/internal/ledger"
	"github.com/rekeyhq/rekey/internal/rotation"
)

// Begin lets what needs a right take it from now on. Run does it itself.
func (e *Engine) Begin() {
	if e.cfg.Rights == nil {
		return
	}
	e.cfg.Rights.Begin(e.run, e.Effect)
}

// GiveBack gives back what was taken. Run does it itself.
func (e *Engine) GiveBack(ctx context.Context) {
	if e.cfg.Rights != nil {
		e.taken = append(e.taken, e.cfg.Rights.End(ctx)...)
	}
}

// Taken are the rights that this run had.
func (e *Engine) Taken() []elevation.Taken { return e.taken }

// underRight is a store whose values are read and written under a right.
type underRight interface{ Right() *elevation.Grant }

// assumeRead stands in for a direct read in a plan, which takes no right: the vault's list is taken for what is there.
func (p *pass) assumeRead() (assumed string, ok bool) {
	if _, ok := p.c.Store.(underRight); !ok || !p.obs.Secret.Known && !p.listed {
		return "", false
	}
	if p.listed {
		p.obs.Secret = rotation.Known(rotation.Secret{State: rotation.Absent})
	}
	p.obs.Direct = true
	return "that the secret is as the vault's list shows it", true
}

// rightNotes say which right a run would take.
func (p *pass) rightNotes(d rotation.Decision) []rotation.Note {
	s, ok := p.c.Store.(underRight)
	if !ok || d.Kind != rotation.Act {
		return nil
	}
	g := s.Right()
	return []rotation.Note{{Code: "elevation", Text: fmt.Sprintf("takes %s for %s, and gives it back", g.Right(), g.Length())}}
}

// Effect does one thing that is no credential's, with an entry before it and one after it.
func (e *Engine) Effect(entry ledger.Entry, do func(*ledger.Entry) error) error {
	_, err := e.effect(entry, func() time.Time { return e.wall().UTC() }, do)
	return err
}
