package appservice_test

import (
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

func TestAnAppIsAConsumer(t *testing.T) {
	for name, c := range map[string]struct {
		slot  string
		knobs world.AppServiceKnobs
	}{
		"that says nothing of versions":       {},
		"that says which version it has":      {knobs: world.AppServiceKnobs{SaysVersion: true}},
		"that answers a refresh with nothing": {knobs: world.AppServiceKnobs{SaysNothing: true, SaysVersion: true}},
		"a slot of it":                        {slot: world.SlotStaging},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Consumer(t, func(t *testing.T) drivertest.ConsumerBed {
				b := newBed(t, c.slot)
				b.knobs(func(k *world.AppServiceKnobs) { *k = c.knobs })
				absent := settings(c.slot)
				absent.App = appID("not-there")
				x := drivertest.ConsumerBed{
					Consumer: b.consumer(operator, settings(c.slot), target), Twin: b.consumer(operator, settings(c.slot), target), Powerless: b.consumer(reader, settings(c.slot), target),
					Absent:  b.consumer(operator, absent, rotation.Target{Vault: target.Vault, Name: "nothing"}),
					Service: simulated.Service(b.srv, simulated.Operations{"Preflight": "appservice GetKeyVaultReferences", "Read": "keyvault GetSecret", "Write": "appservice RefreshKeyVaultReferences"}, refusal),
					Value:   b.mint, Holds: b.holds, Rest: b.rest,
					Replace: func(v string) {
						b.locked(func(_ *world.World, app *world.Site, _ *world.Secret) {
							r := app.Resolved[setting]
							r.Value = v
							app.Resolved[setting] = r
						})
					},
					Slow: func(d time.Duration) { b.knobs(func(k *world.AppServiceKnobs) { k.RefreshTakes = world.Duration(d) }) },
					Weak: true, Forgets: true, Lapse: simulated.Lapse,
				}
				if c.knobs.SaysVersion {
					x.Deaf = func() { b.knobs(func(k *world.AppServiceKnobs) { k.Ignore = true }) }
				}
				return x
			})
		})
	}
}
