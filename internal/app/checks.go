package app

import (
	"github.com/rekeyhq/rekey/internal/check"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/manifest"
)

// trials makes a credential's own checks in the manifest's order.
func (a *App) trials(c manifest.Credential) (out []driver.Check) {
	for _, t := range c.Checks {
		if t.HTTP != nil {
			out = append(out, check.NewRequest(t, a.cfg.Transport))
		} else {
			out = append(out, check.NewProgram(t, a.cfg.Folder, a.cfg.Getenv))
		}
	}
	return out
}

func trialNames(c manifest.Credential) (out []string) {
	for _, t := range c.Checks {
		out = append(out, t.Name)
	}
	return out
}
