// Package random is the issuer of values that Rekey makes itself: passwords, passphrases and key pairs, which live in one
// secret of a vault and nowhere else.
//
// It is not a source of randomness, which is crypto/rand's, and it knows no vault: what there is of a value are the
// versions of its secret, through driver.Versions. What always holds: every value that a policy allows is as likely as
// every other one; a policy that leaves less than MinBits to guess is refused; a value is ended by making its version
// unreadable, and no other version is touched; nothing of a value but a public key leaves this package.
package random

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/secret"
)

// Issuer is a driver.Issuer of order rotation.ChosenByUs. Issue and Check send nothing.
type Issuer struct {
	store      driver.Versions
	credential rotation.CredentialID
	target     rotation.Target
	lifetime   time.Duration
	settings   Settings
}

var _ driver.Issuer = (*Issuer)(nil)

// New makes an issuer of the values of one secret. Nothing is sent.
func New(store driver.Versions, credential, name string, lifetime time.Duration, s Settings) *Issuer {
	return &Issuer{store: store, credential: rotation.CredentialID(credential), target: rotation.Target{Vault: store.Host(), Name: name}, lifetime: lifetime, settings: s}
}

// Existing is the display name of a version that Rekey did not write: what a manifest adopts.
const Existing = "the value that was there"

// ListKey implements driver.Issuer: a secret is its own account.
func (i *Issuer) ListKey() string { return "random/" + strings.ToLower(i.target.String()) }

// Quiet implements driver.Issuer: nothing is used up.
func (i *Issuer) Quiet() bool { return true }

// Shape hashes what the manifest asks of a value. There is one place for all: who moves the secret has another one.
func (i *Issuer) Shape() string {
	sum := sha256.Sum256([]byte(i.settings.form().shape()))
	return "made" + hex.EncodeToString(sum[:3])
}

// List implements driver.Issuer: the versions that can be read and that a record or the manifest names. Of several with
// one record, which a person has copied, one is listed.
func (i *Issuer) List(ctx context.Context) (driver.Listing, error) {
	versions, date, err := i.store.Versions(ctx, i.target.Name)
	if err != nil {
		return driver.Listing{}, err
	}
	out := driver.Listing{Date: date}
	seen := map[string]bool{}
	unrecorded := false
	for _, v := range versions {
		tag, recorded := v.Tags[rotation.RecordTag]
		unrecorded = unrecorded || v.Enabled && !recorded
		r, err := rotation.ParseRecord(tag)
		if err != nil || !v.Enabled || seen[r.IssuerID] {
			continue
		}
		seen[r.IssuerID] = true
		// What was adopted is under our care as what was made here, and bears the stamp that both would have at an issuer.
		out.Issued = append(out.Issued, rotation.Issued{ID: r.IssuerID, Name: i.stamp(r.Generation).String(), From: r.Generation.Time(), To: r.Expires, Shape: r.Shape})
	}
	if !unrecorded || !i.settings.Adopt {
		return out, nil
	}
	// Only the newest one can be adopted, and only a read by name says which that is.
	newest, err := i.store.Read(ctx, i.target.Name)
	newest.Value.Wipe()
	if err != nil {
		return driver.Listing{}, err
	}
	s := newest.Secret
	if _, recorded := s.Tags[rotation.RecordTag]; !recorded && s.State == rotation.Present && s.Enabled && s.Version != "" && !seen[s.Version] {
		out.Issued = append(out.Issued, rotation.Issued{ID: s.Version, Name: Existing, From: s.Created, To: s.Created.Add(i.lifetime), Shape: i.Shape()})
	}
	return out, nil
}

func (i *Issuer) stamp(g rotation.Generation) rotation.Stamp {
	return rotation.Stamp{Credential: i.credential, Hash: i.target.Hash(), Generation: g}
}

// Issue implements driver.Issuer. What it makes is nowhere until it is published, and then its id is its generation.
func (i *Issuer) Issue(ctx context.Context, req driver.IssueRequest) (driver.Issue, error) {
	op := "make " + req.Stamp.String()
	if ctx.Err() != nil {
		return driver.Issue{}, driver.Errorf(driver.Unavailable, op, "", "interrupted")
	}
	fill := req.Random
	if fill == nil {
		fill = func(b []byte) { _, _ = rand.Read(b) } // never fails
	}
	m, err := i.settings.form().make(fill)
	if err != nil {
		return driver.Issue{}, driver.Errorf(driver.Rejected, op, "", "%v", err)
	}
	tags := map[string]string{FingerprintTag: m.fingerprint, PublicKeyTag: m.public}
	return driver.Issue{Value: m.value, Tags: tags, Issued: rotation.Issued{ID: string(req.Stamp.Generation), Name: req.Stamp.String(),
		From: req.Stamp.Generation.Time(), To: req.Until.UTC().Truncate(time.Second), Shape: i.Shape()}}, nil
}

// Check implements driver.Issuer. There is nobody to ask: a value works if it is there, and a key pair if it is one. Who
// uses it is asked through the credential's consumers. A value that a person made before is not held to the policy.
func (i *Issuer) Check(_ context.Context, value secret.Value) (driver.Checked, error) {
	var out driver.Checked
	_ = value.Use(func(b []byte) error {
		out.Why = i.settings.form().wrong(b)
		if len(bytes.TrimSpace(b)) == 0 {
			out.Why = "it is empty"
		}
		return nil
	})
	out.Works = out.Why == ""
	return out, nil
}

// Extend implements driver.Issuer: a value that is to be replaced is not made safer by another date.
func (i *Issuer) Extend(_ context.Context, id string, _ time.Time) (rotation.Issued, error) {
	return rotation.Issued{}, driver.Errorf(driver.Rejected, "extend "+id+" of secret "+i.target.String(), "", "a value of our own making has no date that could be moved")
}

// Revoke implements driver.Issuer: every version that carries the record is made unreadable. What is in none is gone.
func (i *Issuer) Revoke(ctx context.Context, permit rotation.Permit, now time.Time) error {
	if err := permit.Valid(now); err != nil {
		return err
	}
	versions, _, err := i.store.Versions(ctx, i.target.Name)
	if err != nil {
		return err
	}
	for _, v := range versions {
		r, err := rotation.ParseRecord(v.Tags[rotation.RecordTag])
		if err != nil || r.IssuerID != permit.IssuerID() || !v.Enabled {
			continue
		}
		if err := i.store.Disable(ctx, i.target.Name, v.ID); err != nil && driver.KindOf(err) != driver.Missing {
			return err
		}
	}
	return nil
}
