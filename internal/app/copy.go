package app

import (
	"github.com/rekeyhq/rekey/internal/azure/keyvault"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
)

func makeCopy(a *App, c manifest.Consumer, i issued) driver.Consumer {
	s := *c.Settings.(*keyvault.CopySettings)
	v, _ := a.cfg.Manifest.Vault(s.Vault)
	return keyvault.NewCopy(c.Name, a.vaults[v.Host], s, i.origin)
}
