package app

import (
	"github.com/rekeyhq/rekey/internal/azure/automation"
	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/logicapps"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// resources is Azure Resource Manager as Rekey itself.
func (a *App) resources() *azhttp.Resources {
	return azhttp.NewResources(a.client.Renewing(a.options(), a.cred), a.cred)
}

func makeRunbook(a *App, c manifest.Consumer, i issued) driver.Consumer {
	return automation.NewRunbook(c.Name, a.resources(), *c.Settings.(*automation.RunbookSettings), i.secretID)
}

func makeVariable(a *App, c manifest.Consumer, _ issued) driver.Consumer {
	return automation.NewVariable(c.Name, a.resources(), *c.Settings.(*automation.VariableSettings))
}

func makeCredentialAsset(a *App, c manifest.Consumer, _ issued) driver.Consumer {
	return automation.NewCredential(c.Name, a.resources(), *c.Settings.(*automation.CredentialSettings))
}

func makeAPIConnections(a *App, c manifest.Consumer, i issued) driver.Consumer {
	return logicapps.New(c.Name, a.resources(), *c.Settings.(*logicapps.Settings), logicapps.Use{ClientID: i.use.clientID, Tenant: a.cfg.Manifest.Tenant})
}
