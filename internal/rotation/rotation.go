// Package rotation is the core of Rekey: given what the manifest asks for and what was observed, Decide says what
// to do next. Everything that decides whether a credential lives or dies is here and nowhere else.
//
// It is not for doing anything: no I/O, no clock, no context, no randomness, and no secret value ever enters it.
// The engine observes, asks, acts and observes again.
//
// What always holds:
//   - Decide is a function of its arguments: the same spec, observation and time give the same decision.
//   - A fact that could not be read is unknown, and deciding on an unknown fact means waiting, never acting.
//   - A bulk read may conclude nothing but "nothing to do"; before an act the one credential is read directly.
//   - Only Decide mints a Permit, and nothing is revoked without one.
//
// The words (credential, issuer, store, consumer, generation, stamp, record, publication, overlap, sweep window,
// Hold) are those of the README.
package rotation

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// CredentialID is a credential's name in the manifest: [a-z0-9-]{1,40}.
type CredentialID string

// Target is the one secret that a credential is published to: its first store.
type Target struct {
	Vault string // host: "kv-pat-prod.vault.azure.net"
	Name  string // secret name, as the manifest writes it
}

func (t Target) String() string { return t.Vault + "/" + t.Name }

// Hash binds a stamp to the secret it was made for: 8 hex digits of SHA-256 of the lower-case host and name. Key
// Vault compares both without case, so the hash does too. 32 bits can collide in a large fleet, so a stamp counts as
// ours only if the credential's name matches as well.
func (t Target) Hash() string {
	sum := sha256.Sum256([]byte(strings.ToLower(t.Vault + "/" + t.Name)))
	return hex.EncodeToString(sum[:4])
}

// Generation is one issue of a credential: 18 lower-case characters of Crockford's base 32, of which the first ten
// are the issuer's time in milliseconds. It sorts by time and is unique.
type Generation string

// Publication is one PUT of a value to the store, in the form of a Generation. Consumers are marked with it. Publishing
// an old value again is a publication of its own.
type Publication string

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// NewGeneration makes a generation from the issuer's time and 40 bits of the caller's randomness.
func NewGeneration(now time.Time, random [5]byte) Generation {
	return Generation(sortableID(now, random))
}

// NewPublication makes a publication from the store's or issuer's time and 40 bits of the caller's randomness.
func NewPublication(now time.Time, random [5]byte) Publication {
	return Publication(sortableID(now, random))
}

func sortableID(now time.Time, random [5]byte) string {
	var out [18]byte
	ms := uint64(now.UnixMilli())
	for i := 9; i >= 0; i-- {
		out[i] = alphabet[ms&31]
		ms >>= 5
	}
	var bits uint64
	for _, b := range random {
		bits = bits<<8 | uint64(b)
	}
	for i := 17; i >= 10; i-- {
		out[i] = alphabet[bits&31]
		bits >>= 5
	}
	return string(out[:])
}

// Time is the issuer's time that the generation holds; zero for a malformed one.
func (g Generation) Time() time.Time {
	if !validID(string(g)) {
		return time.Time{}
	}
	var ms uint64
	for i := range 10 {
		ms = ms<<5 | uint64(strings.IndexByte(alphabet, g[i]))
	}
	return time.UnixMilli(int64(ms)).UTC()
}

func validID(s string) bool {
	if len(s) != 18 {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

// Stamp is Rekey's mark in an issued credential's own display name. It is readable in the portal, and how a
// credential that nobody holds is found again.
type Stamp struct {
	Credential CredentialID
	Hash       string // of the Target it was made for
	Generation Generation
}

// String is the display name: "rekey/<credential>/<hash>/<generation>", at most 75 characters.
func (s Stamp) String() string {
	return "rekey/" + string(s.Credential) + "/" + s.Hash + "/" + string(s.Generation)
}

// ParseStamp reads a display name. ok is false for every name that is not exactly a stamp: what a person typed in
// the portal to look like one is not ours.
func ParseStamp(name string) (s Stamp, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0] != "rekey" || !ValidCredentialID(parts[1]) || len(parts[2]) != 8 || !validID(parts[3]) {
		return Stamp{}, false
	}
	for i := range 8 {
		if !strings.ContainsRune("0123456789abcdef", rune(parts[2][i])) {
			return Stamp{}, false
		}
	}
	return Stamp{CredentialID(parts[1]), parts[2], Generation(parts[3])}, true
}

// LooksStamped says whether a display name claims to be Rekey's without being a valid stamp: reported, never touched.
func LooksStamped(name string) bool { return strings.HasPrefix(name, "rekey/") }

// ValidCredentialID says whether a name matches [a-z0-9-]{1,40}.
func ValidCredentialID(s string) bool {
	if len(s) == 0 || len(s) > 40 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Permit allows the revocation of one issued credential. Only Decide makes one; it is worth nothing for another
// credential and after it has expired.
type Permit struct {
	credential CredentialID
	issuerID   string
	name       string
	reason     string
	expires    time.Time
}

// PermitLife bounds the time between the observation that a revocation rests on and the revocation.
const PermitLife = 2 * time.Minute

func (p Permit) Credential() CredentialID { return p.credential }

// IssuerID is the issuer's id of what may be revoked.
func (p Permit) IssuerID() string { return p.issuerID }

// Name is its display name, for messages.
func (p Permit) Name() string { return p.name }

// Reason says in words why it may be revoked; it goes into the ledger.
func (p Permit) Reason() string { return p.reason }

// Valid returns nil if the permit may be used now.
func (p Permit) Valid(now time.Time) error {
	switch {
	case p.issuerID == "":
		return errors.New("revoke without a permit")
	case !now.Before(p.expires):
		return fmt.Errorf("the permit to revoke %s expired at %s: observe again", p.issuerID, p.expires.Format(time.RFC3339))
	}
	return nil
}
