package scenario

import (
	"bytes"
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/rekeyhq/rekey/internal/report"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim"
	"github.com/rekeyhq/rekey/sim/world"
)

// playCertificate is play with a certificate of the application signing-service, which has one of its owners', and others
// that look like Rekey's.
func playCertificate(t *testing.T, scenario func(b *bed)) {
	t.Helper()
	t.Parallel()
	manifest := usual()
	manifest.certificate = true
	stage(t, manifest, func(s *world.State) {
		a := appOf(s, world.AppSigning)
		a.Owners = append(a.Owners, rekeySP)
		appOf(s, rekeyClient).ApplicationPermissions = []string{"Application.ReadWrite.OwnedBy"}
		s.Knobs.Graph.KeepRemoved = true
		old := rotation.NewGeneration(time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC), [5]byte{1, 2, 3, 4, 5})
		elsewhere := rotation.Target{Vault: prodHost, Name: "another-secret"}
		for i, name := range []string{
			rotation.Stamp{Credential: credential, Hash: elsewhere.Hash(), Generation: old}.String(),
			rotation.Stamp{Credential: "another", Hash: target.Hash(), Generation: old}.String(), // a hash that collides
			"rekey/" + credential + "/typed-by-hand",
		} {
			a.Certificates = append(a.Certificates, &world.KeyCredential{KeyID: fmt.Sprintf("d0d0d0d0-0000-4000-8000-00000000000%d", i), Name: name, DER: []byte{byte(i)},
				Start: time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2000, 11, 1, 0, 0, 0, 0, time.UTC)})
		}
	}, scenario)
}

// certificates are the application's in the form of PATs, removed ones too. The value of one is what the secret holds
// of it.
func (b *bed) certificates() (out []world.PAT) {
	versions := b.versions()
	b.world(func(w *world.World) {
		a := appOf(&w.State, world.AppSigning)
		for _, k := range slices.Concat(a.Certificates, a.RemovedCertificates) {
			p := world.PAT{AuthorizationID: k.KeyID, Name: k.Name, ValidFrom: k.Start, ValidTo: k.End, Revoked: k.Removed, Token: "no value is known"}
			for _, v := range versions {
				if block, _ := pem.Decode([]byte(v.Value[strings.Index(v.Value, "-----BEGIN CERTIFICATE"):])); bytes.Equal(block.Bytes, k.DER) {
					p.Token = v.Value
				}
			}
			out = append(out, p)
		}
	})
	return out
}

// signsIn signs in as the application, with the library that a service of it would use.
func (c *consumer) signsIn(value string) error {
	certs, key, err := azidentity.ParseCertificates([]byte(value), nil)
	if err != nil {
		return err
	}
	options := azidentity.ClientCertificateCredentialOptions{DisableInstanceDiscovery: true}
	options.Transport = asConsumer{c.http}
	options.Retry.MaxRetries = -1
	cred, err := azidentity.NewClientCertificateCredential(world.TenantID, world.AppSigning, certs, key, &options)
	if err != nil {
		return err
	}
	if _, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}}); err != nil {
		return fmt.Errorf("cannot sign in")
	}
	return nil
}

// asConsumer keeps what is done to the product's requests away from the consumer's.
type asConsumer struct{ http *http.Client }

func (c asConsumer) Do(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", "consumer")
	return c.http.Do(req)
}

func TestACertificateLivesItsLife(t *testing.T) {
	playCertificate(t, func(b *bed) {
		b.apply().is(report.Done, "current").did("issue", "publish")
		b.idle()
		b.pass(4*day + time.Minute)
		old := b.record()
		b.apply().is(report.Waiting, "overlap").did("issue", "publish")
		b.pass(23 * time.Hour)
		b.apply().is(report.Waiting, "overlap").did()
		b.pass(time.Hour)
		b.apply().is(report.Done, "current").did("revoke")
		if b.pat(old.IssuerID).Revoked.IsZero() {
			b.Error("the old certificate is alive")
		}
		b.consumer.excused("who still has the compromised certificate is cut off", func() {
			b.run("rotate", "--compromised", credential).did("issue", "publish", "revoke")
		})
		b.consumer.forget()
		b.settle()
	})
}

// Nobody came for longer than a life: there is nothing left to prove with, and a new list is made.
func TestACertificateThatHasExpiredIsReplaced(t *testing.T) {
	playCertificate(t, func(b *bed) {
		b.apply().is(report.Done, "current")
		b.consumer.excused("nobody ran it in time", func() {
			b.pass(7 * day)
			b.apply().did("issue", "publish")
			b.pass(time.Second)
		})
		b.consumer.forget()
		b.settle()
	})
}

func TestARotationOfACertificateEndsWellWhateverIsLostOnTheWay(t *testing.T) {
	for _, c := range []onARotation{
		{name: "the answer to addKey is lost", faults: []sim.Fault{lost("AddKey")}, did: []string{"issue unknown", "revoke", "issue", "publish"}, alive: 1, newVersions: 1},
		{name: "addKey is cut before it arrives", faults: []sim.Fault{fault("AddKey", sim.DoCut)}, did: []string{"issue unknown", "issue", "publish"}, alive: 1, newVersions: 1},
		{name: "the answer to the PUT is lost", faults: []sim.Fault{lost("SetSecret")}, did: []string{"issue", "publish unknown"}, alive: 1, newVersions: 1},
		{name: "the PUT is cut before it arrives", faults: []sim.Fault{fault("SetSecret", sim.DoCut)}, did: []string{"issue", "publish unknown", "issue", "publish"}, alive: 2, newVersions: 1},
		{name: "the proof is not taken", faults: []sim.Fault{{Operation: "AddKey", Nth: 1, Times: 2, Do: sim.DoAnswer, Status: 401, Body: `{"error":{"code":"Authentication_MissingOrMalformed","message":"no"}}`}},
			did: []string{"issue", "publish"}, alive: 1, newVersions: 1},
	} {
		c.what, c.code = cmp.Or(c.what, report.Waiting), "overlap"
		t.Run(c.name, func(t *testing.T) {
			playCertificate(t, func(b *bed) {
				b.published()
				b.disturbed(c, 1)
				b.settle()
			})
		})
	}
}

func TestAFirstCertificateEndsWellWhateverIsLostOnTheWay(t *testing.T) {
	for name, f := range map[string]sim.Fault{
		"the answer to the list is lost":     lost("UpdateApplication"),
		"the list is cut before it arrives":  fault("UpdateApplication", sim.DoCut),
		"the list is late by seconds":        late("UpdateApplication", 5*time.Second),
		"the list is read wrongly":           {Operation: "GetApplication", Nth: 2, Do: sim.DoTruncate},
		"the last look at the list is cut":   {Operation: "GetApplication", Nth: 3, Do: sim.DoCut},
		"a sign-in is answered with nothing": fault("token:client_credentials", sim.DoCut),
	} {
		t.Run(name, func(t *testing.T) {
			playCertificate(t, func(b *bed) {
				b.faults(f)
				if o := b.apply(); o.code != 0 {
					b.Logf("%v", o)
				}
				b.struck()
				b.pass(2 * window)
				b.settle()
			})
		})
	}
}

// Both find nothing to prove with. Whichever list is the last one, what is published works, and what the owners had is there.
func TestTwoRunsOfAFirstCertificateAtOnce(t *testing.T) {
	for _, meet := range []string{"before UpdateApplication", "after UpdateApplication", "before SetSecret"} {
		t.Run(meet, func(t *testing.T) {
			playCertificate(t, func(b *bed) {
				places := []string{meet}
				if meet != "before SetSecret" {
					places = []string{"after GetApplication", meet}
				}
				b.twoMeet(places...)
				b.pass(2 * window)
				b.settle()
				if n := len(b.alive()); n != 1 {
					b.Errorf("%d are alive", n)
				}
			})
		})
	}
}

func TestACertificateIsRolledBack(t *testing.T) {
	playCertificate(t, func(b *bed) {
		b.apply().is(report.Done, "current")
		first := b.newest()
		b.pass(time.Hour)
		b.run("rotate", credential).is(report.Waiting, "overlap").did("issue", "publish")
		b.run("rollback", credential, "--yes").is(report.Waiting, "overlap").did("rollback")
		if b.newest().Value != first.Value || len(b.versions()) != 3 {
			b.Error("the first certificate is not the newest one's")
		}
		b.pass(day + time.Minute)
		b.settle()
		if n := len(b.alive()); n != 1 {
			b.Errorf("%d are alive", n)
		}
	})
}
