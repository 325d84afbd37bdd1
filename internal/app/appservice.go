package app

import (
	"context"
	"regexp"
	"strings"

	"github.com/rekeyhq/rekey/internal/azure/appservice"
	"github.com/rekeyhq/rekey/internal/azure/resources"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
)

func makeAppService(a *App, c manifest.Consumer, i issued) driver.Consumer {
	s := *c.Settings.(*appservice.Settings)
	x := appservice.New(a.resources(), s, i.origin.Target)
	if !s.Refresh {
		return appservice.NewUntold(c.Name, x, i.origin.Store)
	}
	return a.hooked(c, i, x)
}

// apps are the apps of App Service and Functions that Rekey's identity sees.
var apps = &Listing{
	Name: "app-services", Short: "the apps of App Service and Functions that Rekey's identity sees",
	ByHand: "its resource id is on the app's page Properties",
	list: func(ctx context.Context, q *Asked) ([]Choice, error) {
		return q.App.listed(ctx, resources.Apps, q.heard)
	},
}

// addAppService adds an app as a consumer.
func addAppService() Addition {
	return Addition{
		Command: "app-service", Short: "add an app whose settings refer to a credential in the vault",
		Long: "Add app-service writes a consumer of a credential into the manifest: an app of App Service or Functions.\n" + consumerText + `
Its settings must refer to the credential's secret in the vault, without a version. They are never changed.`,
		Examples: []string{
			"rekey add app-service",
			"rekey add app-service shop --to shop-secret --app shop-web --slot staging",
		},
		Questions: []Question{
			toCredential(),
			{Flag: "app", Ask: "Which app?", Usage: "the app, by resource id or name", Form: isApp, List: apps},
			{Flag: "slot", Usage: "the deployment slot; the app itself, unless it is said", Form: isSlot, None: "the app itself", Silent: true},
			named("the consumer's name", func(q *Asked) string {
				id := q.Of("app")
				return strings.TrimSuffix(id[strings.LastIndexByte(id, '/')+1:]+"-"+q.Of("slot"), "-")
			}), cached(),
		},
		write: func(_ context.Context, q *Asked) ([]manifest.Addition, error) {
			settings := []string{"app: " + manifest.Scalar(q.Of("app"))}
			if slot := q.Of("slot"); slot != "" {
				settings = append(settings, "slot: "+manifest.Scalar(slot))
			}
			return q.consumer("appService", settings...), nil
		},
	}
}

var (
	isApp  = regexp.MustCompile(`(?i)^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/?#%]{1,90}/providers/Microsoft\.Web/sites/[A-Za-z0-9][A-Za-z0-9-]{0,59}$`)
	isSlot = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,58}$`)
)
