package rotation_test

import (
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// An issuer's dates have fractions of a second and a record's have none.
func TestACredentialIsDueAtItsThresholdWhateverFractionOfASecondTheIssuerKeeps(t *testing.T) {
	born := time.Date(2026, 1, 1, 12, 0, 0, 27_000_000, time.UTC)
	spec := rotation.Spec{
		Name: "pat", Target: rotation.Target{Vault: "v.vault.azure.net", Name: "pat"}, Enabled: true, Shape: "s",
		Lifetime: 30 * 24 * time.Hour, RotateBefore: 5 * 24 * time.Hour, Overlap: 24 * time.Hour, SweepWindow: time.Hour,
	}
	r := rotation.Record{
		Generation: rotation.NewGeneration(born, [5]byte{}), Publication: rotation.NewPublication(born, [5]byte{}),
		IssuerID: "id", Shape: "s", Expires: born.Add(spec.Lifetime),
	}
	tag, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if r, err = rotation.ParseRecord(tag); err != nil {
		t.Fatal(err)
	}
	now := spec.DueAt(r)
	d := rotation.Decide(spec, rotation.Observation{
		Direct:   true,
		Secret:   rotation.Known(rotation.Secret{State: rotation.Present, Enabled: true, Created: born, Tags: map[string]string{rotation.RecordTag: tag}}),
		Versions: rotation.Known([]rotation.Record{r}),
		Issued: rotation.Known([]rotation.Issued{{ID: "id", From: born, To: born.Add(spec.Lifetime), Shape: "s",
			Name: rotation.Stamp{Credential: spec.Name, Hash: spec.Target.Hash(), Generation: r.Generation}.String()}}),
		StoreDate: now, IssuerDate: now,
	}, now)
	if d.Kind != rotation.Act || d.Code != "due" {
		t.Errorf("at the threshold it decides %s (%s): %s", d.Kind, d.Code, d.Why)
	}
}
