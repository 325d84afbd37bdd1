package app

import (
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/hook/command"
	"github.com/rekeyhq/rekey/internal/hook/webhook"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// tagged are consumers that are marked in a tag of the credential's own secret, which must have room for it.
type tagged interface{ Tag() string }

func makeWebhook(a *App, c manifest.Consumer, i issued) driver.Consumer {
	s := *c.Settings.(*webhook.Settings)
	v, _ := a.cfg.Manifest.Vault(s.SigningKey.Vault)
	return a.hooked(c, i, webhook.New(a.options(), s, a.vaults[v.Host], i.origin.Target))
}

func makeCommand(a *App, c manifest.Consumer, i issued) driver.Consumer {
	return a.hooked(c, i, command.New(*c.Settings.(*command.Settings), a.Path("."), a.cfg.Getenv, command.Run))
}

func (a *App) hooked(c manifest.Consumer, i issued, r hook.Receiver) driver.Consumer {
	return hook.New(c.Name, i.credential, i.origin.Store, i.origin.Target, r)
}
