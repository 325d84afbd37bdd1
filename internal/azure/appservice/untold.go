package appservice

import (
	"context"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Untold is an app that nobody asks to refresh, as a driver.Consumer: it takes each publication by itself, a day after
// that was published at the latest. So it counts as told by the publication itself, and its cache is that day.
type Untold struct {
	name  string
	app   *App
	store driver.Store
}

var (
	_ driver.Consumer = (*Untold)(nil)
	_ driver.Noted    = (*Untold)(nil)
)

// NewUntold makes a consumer of that name in the manifest. Nothing is sent.
func NewUntold(name string, app *App, store driver.Store) *Untold { return &Untold{name, app, store} }

// ID implements driver.Consumer.
func (u *Untold) ID() string { return u.name }

// Place implements driver.Consumer.
func (u *Untold) Place() string { return u.app.Place() }

// Notes implements driver.Noted.
func (u *Untold) Notes() []string { return u.app.Notes() }

// Preflight implements driver.Consumer.
func (u *Untold) Preflight(ctx context.Context) error { return u.app.fit(ctx, "prepare "+u.Place()) }

// State implements driver.Consumer.
func (u *Untold) State(ctx context.Context, _ []rotation.Publication) (rotation.ConsumerState, error) {
	return u.state(ctx)
}

// Tell implements driver.Consumer. It changes nothing.
func (u *Untold) Tell(ctx context.Context, _ rotation.Publication, _ secret.Value) (rotation.ConsumerState, error) {
	s, err := u.state(ctx)
	s.Said = "nothing was sent: App Service reads the vault by itself"
	return s, err
}

func (u *Untold) state(ctx context.Context) (rotation.ConsumerState, error) {
	r, err := u.store.Read(ctx, u.app.target.Name)
	r.Value.Wipe()
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	s := rotation.ConsumerState{Weak: true}
	record, err := rotation.ParseRecord(r.Secret.Tags[rotation.RecordTag])
	if err != nil || r.Secret.State != rotation.Present {
		s.Why = "nothing was published yet"
		return s, nil
	}
	s.Publication, s.Told = record.Publication, r.Secret.Created
	all, err := u.app.read(ctx, "look at "+u.Place())
	if err != nil {
		return rotation.ConsumerState{}, err
	}
	if e := u.app.unfit(all); e != nil {
		s.Why = e.Detail
	} else if r.Date.Sub(s.Told) > kept {
		// Until then it may be on another version, or remember that there was none.
		s.Why = unresolved(all)
	}
	s.Works = s.Why == ""
	return s, nil
}
