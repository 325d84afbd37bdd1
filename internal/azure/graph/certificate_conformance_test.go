package graph_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/driver/drivertest"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/simulated"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// vault is a store that holds one value, or none.
type vault struct {
	driver.Store
	s     *sim.Server
	value string
}

func (v *vault) Read(context.Context, string) (driver.Reading, error) {
	w := v.s.World()
	w.Lock()
	defer w.Unlock()
	r := driver.Reading{Secret: rotation.Secret{State: rotation.Absent}, Date: w.Now()}
	if v.value != "" {
		r.Secret, r.Value = rotation.Secret{State: rotation.Present, Enabled: true}, secret.New([]byte(v.value))
	}
	return r, nil
}

// theirs is the certificate of the application signing-service, with its key.
func theirs(s *sim.Server) string {
	w := s.World()
	w.Lock()
	defer w.Unlock()
	for _, v := range w.Vaults {
		for _, x := range v.Secrets {
			if x.Name == "signing-service-certificate" {
				return x.Versions[0].Value
			}
		}
	}
	panic("no certificate")
}

func ours(w *world.World) {
	app(w, world.AppSigning).Owners = append(app(w, world.AppSigning).Owners, w.Apps[len(w.Apps)-1].ServicePrincipalID)
}

func TestAppCertificatesAreAnIssuer(t *testing.T) {
	drivertest.Issuer(t, func(t *testing.T) drivertest.IssuerBed {
		s, client := over(t, ours)
		store := &vault{s: s, value: theirs(s)}
		return drivertest.IssuerBed{
			Issuer: graph.NewCertificates(client, authority, store, "n", graph.CertificateSettings{AppID: world.AppSigning}),
			Twin:   graph.NewCertificates(client, authority, store, "m", graph.CertificateSettings{AppID: strings.ToUpper(world.AppSigning)}),
			Service: simulated.Service(s, simulated.Operations{"List": "graph GetApplication", "Issue": "graph AddKey", "Check": "entra token:client_credentials",
				"Extend": "graph none", "Revoke": "graph RemoveKey"}, refusal),
			Fill: func(n int) {
				w := s.World()
				w.Lock()
				defer w.Unlock()
				a := app(w, world.AppSigning)
				for i := range n {
					a.Certificates = append(a.Certificates, &world.KeyCredential{KeyID: w.NewID(), Name: fmt.Sprintf("by hand %d", i), Start: w.Now(), End: w.Now().Add(24 * time.Hour), DER: []byte{byte(i), byte(i >> 8)}})
				}
			},
			Whole: true, Fixed: true,
			Lapse: simulated.Lapse,
		}
	})
}
