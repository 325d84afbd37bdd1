package elevation

import (
	"context"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
)

// Store is a store whose values are read and written under a right. What its list shows needs none, so that a run with
// nothing to do takes nothing.
type Store struct {
	vault
	right *Grant
}

// vault is what is embedded under a name that none of its methods has.
type vault interface{ driver.Versions }

// NewStore puts a store under a right.
func NewStore(s driver.Versions, right *Grant) *Store { return &Store{s, right} }

// Right is the right that it is under.
func (s *Store) Right() *Grant { return s.right }

// under does a call that gives something.
func under[T any](ctx context.Context, g *Grant, p patience, do func(context.Context) (T, error)) (out T, err error) {
	err = g.use(ctx, p, func(ctx context.Context) error {
		var err error
		out, err = do(ctx)
		return err
	})
	return out, err
}

// Read implements driver.Store.
func (s *Store) Read(ctx context.Context, name string) (driver.Reading, error) {
	return under(ctx, s.right, patient, func(ctx context.Context) (driver.Reading, error) { return s.vault.Read(ctx, name) })
}

// Vacant implements driver.Store.
func (s *Store) Vacant(ctx context.Context, name string) (driver.Reading, error) {
	return under(ctx, s.right, patient, func(ctx context.Context) (driver.Reading, error) { return s.vault.Vacant(ctx, name) })
}

// Earlier implements driver.Store.
func (s *Store) Earlier(ctx context.Context, name string, wanted func(map[string]string) bool) (driver.Reading, error) {
	return under(ctx, s.right, patient, func(ctx context.Context) (driver.Reading, error) { return s.vault.Earlier(ctx, name, wanted) })
}

// Prove implements driver.Store.
func (s *Store) Prove(ctx context.Context, name, version string) error {
	return s.right.use(ctx, patient, func(ctx context.Context) error { return s.vault.Prove(ctx, name, version) })
}

// Put implements driver.Store. What it rests on gets too old, so it neither waits for the right to be honoured nor is it
// sent when the right took too long to renew.
func (s *Store) Put(ctx context.Context, put driver.Put) (driver.Reading, error) {
	asked, within := s.right.m.wall(), put.Within
	return under(ctx, s.right, prompt, func(ctx context.Context) (driver.Reading, error) {
		if within > 0 {
			waited := s.right.m.wall().Sub(asked)
			if waited >= within {
				return driver.Reading{}, driver.Errorf(driver.Unavailable, "write secret "+put.Name+" of vault "+s.Host(), "", "to renew %s took %s, and what is to be written was checked before that", s.right.right, waited.Round(time.Second))
			}
			put.Within = within - waited
		}
		return s.vault.Put(ctx, put)
	})
}

// Amend implements driver.Store.
func (s *Store) Amend(ctx context.Context, name, version string, tags map[string]string, expires time.Time) error {
	return s.right.use(ctx, prompt, func(ctx context.Context) error { return s.vault.Amend(ctx, name, version, tags, expires) })
}

// Disable implements driver.Versions.
func (s *Store) Disable(ctx context.Context, name, version string) error {
	return s.right.use(ctx, prompt, func(ctx context.Context) error { return s.vault.Disable(ctx, name, version) })
}
