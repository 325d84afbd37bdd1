package appservice

import (
	"fmt"
	"regexp"
	"time"

	"github.com/rekeyhq/rekey/internal/manifest"
)

const (
	// cache is how long an app's processes may go on with what they were given before a refresh, unless the manifest says
	// so.
	cache = time.Hour
	// kept is how long App Service goes on with what it has read, if nobody asks it to refresh.
	kept = 24 * time.Hour
)

// Settings are the block "appService" of a consumer.
type Settings struct {
	App      string       `yaml:"app,required" pattern:"^/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[^/?#%]{1,90}/providers/Microsoft.Web/sites/[A-Za-z0-9][A-Za-z0-9-]{0,59}$" says:"must be the resource id of an app: /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Web/sites/NAME" doc:"The resource id of the app, a web app or a function app. Its settings must refer to the credential's secret without a version."`
	Slot     string       `yaml:"slot" pattern:"^[A-Za-z0-9][A-Za-z0-9_-]{0,58}$" says:"must be the name of a deployment slot" doc:"The deployment slot, which has settings of its own; without it, the app itself."`
	Settings manifest.Set `yaml:"settings" doc:"The names of the settings that refer to the secret; without them, every setting that does."`
	Refresh  bool         `yaml:"refresh" default:"true" doc:"false: App Service is not asked to read the secret anew, and does so by itself within 24 hours, which is the cache then."`
}

// Kind is what a manifest can say about an app.
func Kind() manifest.Kind {
	return manifest.Kind{Name: "appService", Consumer: true, Cache: cache,
		Doc: "An app of App Service or Functions whose settings refer to the secret in the vault.",
		New: func() manifest.Settings { return &Settings{} }}
}

// settingForm is how a setting can be called.
var settingForm = regexp.MustCompile(`^[A-Za-z0-9_.:()-]{1,200}$`)

// Check implements manifest.Settings.
func (s *Settings) Check(report func(path, text string), _ manifest.Context) {
	for i, name := range s.Settings {
		if !settingForm.MatchString(name) {
			report(fmt.Sprintf("settings[%d]", i), "must be the name of a setting")
		}
	}
}

// DefaultCache implements manifest.Cached.
func (s *Settings) DefaultCache() time.Duration {
	if s.Refresh {
		return cache
	}
	return kept
}
