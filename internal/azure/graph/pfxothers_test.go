package graph_test

import (
	"encoding/base64"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/rekeyhq/rekey/internal/azure/graph"
	"github.com/rekeyhq/rekey/internal/secret"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// A certificate that is taken over may lie in the vault as OpenSSL 3 wrote it: it signs in, and proves that another one
// may be added beside it.
func TestACertificateInAPFXOfOpenSSLProvesTheNext(t *testing.T) {
	file := func(name string) []byte {
		b, err := os.ReadFile("testdata/pfx/" + name + ".pfx")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	certs, _, err := azidentity.ParseCertificates(file("triple-des"), nil) // the same one, in a form that it reads
	if err != nil {
		t.Fatal(err)
	}
	playCertificate(t, true, func(t *testing.T, s *sim.Server, store *vault, i *graph.Certificates) {
		w := s.World()
		w.Lock()
		a := app(w, world.AppSigning)
		a.Certificates = append(a.Certificates, &world.KeyCredential{KeyID: w.NewID(), Name: "by hand", Start: w.Now().Add(-time.Hour), End: w.Now().Add(time.Hour), DER: certs[0].Raw})
		w.Unlock()
		store.value = base64.StdEncoding.EncodeToString(file("default"))
		if checked, err := i.Check(t.Context(), secret.New([]byte(store.value))); err != nil || !checked.Works {
			t.Errorf("works %v (%s), %v", checked.Works, checked.Why, err)
		}
		if _, err := i.Issue(t.Context(), request(time.Now(), 1)); err != nil || sent(s, "AddKey") != 1 || sent(s, "UpdateApplication") != 0 {
			t.Errorf("%v: %d additions with a proof, %d new lists", err, sent(s, "AddKey"), sent(s, "UpdateApplication"))
		}
	})
}
