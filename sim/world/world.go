// Package world is the one world behind all simulated services: its clock, its seeded randomness, its directory,
// vaults, organisations and role assignments, its knobs, and every secret it ever minted or was handed.
//
// It is not a service: it answers no HTTP. What always holds: everything in State is read and changed with the
// world locked; every identifier and every secret comes from the seed; every minted value carries the canary.
package world

import (
	"encoding/base32"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Canary is part of every secret value that the world mints. Tests search every output of the product for it.
const Canary = "REKEYCANARY"

// World is the whole simulated Azure. Lock it for the length of one operation; methods documented with "locked"
// expect that.
type World struct {
	mu sync.Mutex
	State

	rng     *rand.ChaCha8
	now     func() time.Time
	offset  time.Duration
	secrets map[string]bool
	tokens  map[string]Token
	// advanced is called, unlocked, after the clock was moved.
	advanced []func()
}

// New returns a world with the given state. now is the real clock (time.Now, or a synctest bubble's).
func New(s State, now func() time.Time) *World {
	var seed [32]byte
	copy(seed[:], "rekey simulated world "+hex.EncodeToString([]byte{byte(s.Seed), byte(s.Seed >> 8), byte(s.Seed >> 16), byte(s.Seed >> 24)}))
	w := &World{State: s, rng: rand.NewChaCha8(seed), now: now, secrets: map[string]bool{}, tokens: map[string]Token{}}
	w.rememberState()
	return w
}

func (w *World) Lock()   { w.mu.Lock() }
func (w *World) Unlock() { w.mu.Unlock() }

// Now is the world's time: the real clock plus everything it was advanced by. Locked.
func (w *World) Now() time.Time { return w.now().Add(w.offset).UTC() }

// RealNow is the clock that clients live on: assertions' nbf and exp, and TLS, are judged by it.
func (w *World) RealNow() time.Time { return w.now().UTC() }

// Advance moves the world's clock. Tokens expire by it; it never goes back. Unlocked.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	w.offset += d
	fs := slices.Clone(w.advanced)
	w.mu.Unlock()
	for _, f := range fs {
		f()
	}
}

// OnAdvance registers f to be called, unlocked, after each Advance. Locked.
func (w *World) OnAdvance(f func()) { w.advanced = append(w.advanced, f) }

// NewID returns a new version 4 UUID from the seed. Locked.
func (w *World) NewID() string {
	b := w.Random(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// NewVersion returns 32 lower-case hex characters: a Key Vault version id. Locked.
func (w *World) NewVersion() string { return hex.EncodeToString(w.Random(16)) }

// Random returns n bytes from the seed. Locked.
func (w *World) Random(n int) []byte {
	b := make([]byte, n)
	w.rng.Read(b)
	return b
}

// Letters returns n characters of [A-Z2-7] from the seed. Locked.
func (w *World) Letters(n int) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(w.Random(n))[:n]
}

// MintPAT returns a personal access token: 84 characters, "AZDO" at positions 76 to 80, with the canary. Locked.
func (w *World) MintPAT() string {
	v := Canary + w.Letters(76-len(Canary)) + "AZDO" + w.Letters(4)
	w.secrets[v] = true
	return v
}

// MintClientSecret returns an app registration's client secret: 40 characters with "~", with the canary. Locked.
func (w *World) MintClientSecret() string {
	v := w.Letters(3) + "8Q~" + Canary + w.Letters(34-len(Canary))
	w.secrets[v] = true
	return v
}

// MintOpaque returns an opaque secret (a refresh token, a code) with a prefix and the canary. Locked.
func (w *World) MintOpaque(prefix string) string {
	v := prefix + Canary + w.Letters(48)
	w.secrets[v] = true
	return v
}

// Remember records a secret that the world was handed (a password, a secret value, an assertion), so that
// Secrets lists it. Short strings are not secrets. Locked.
func (w *World) Remember(v string) {
	if len(strings.TrimSpace(v)) >= 8 {
		w.secrets[v] = true
	}
}

// Secrets lists every secret that the world holds or ever minted or received. Locked.
func (w *World) Secrets() []string {
	out := make([]string, 0, len(w.secrets))
	for v := range w.secrets {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// Token is an access token that was issued. The token itself is a signed JWT; services look it up here, because a
// revoked user or an advanced clock must end it whatever its signature says.
type Token struct {
	Tenant   string    // tenant id
	ObjectID string    // oid: user, service principal or managed identity
	AppID    string    // client that asked for it
	Name     string    // upn or display name, for the request log
	User     bool      // delegated: a user is signed in
	Audience string    // resource, without a trailing slash: "https://vault.azure.net", "499b84ac-1321-427f-aa17-267ca6975798" ...
	Scopes   []string  // delegated scopes ("vso.pats"), nil for app-only tokens
	Roles    []string  // application permissions ("Application.ReadWrite.All")
	Expires  time.Time // by the world's clock
}

// AddToken records an issued token. Locked.
func (w *World) AddToken(raw string, t Token) {
	w.tokens[raw] = t
	w.secrets[raw] = true
}

// TokenOf finds an issued token; ok is false for one that was never issued. The caller judges expiry and audience.
// Locked.
func (w *World) TokenOf(raw string) (t Token, ok bool) {
	t, ok = w.tokens[raw]
	return t, ok
}
