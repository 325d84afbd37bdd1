package invariant

import (
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

// Scene is one secret and the tokens around it, as they really are at an instant.
type Scene struct {
	At      time.Time
	State   rotation.SecretState
	Deleted time.Time
	// Versions are the secret's, oldest first; of a deleted one too.
	Versions []Version
	// Tokens are those of the account that are or were stamped for this secret, or whose value is in a version.
	Tokens []Token
}

// Version is one version of the secret.
type Version struct {
	ID      string
	Created time.Time
	Enabled bool
	// Record is what its tag says, if that can be read.
	Record *rotation.Record
	// Holds is the id of the token whose value it is, "" for a value that is no token here.
	Holds string
}

// Token is a token, dead or alive.
type Token struct {
	ID         string
	Name       string
	Generation rotation.Generation // "" without a stamp for this secret
	From, To   time.Time
	Revoked    time.Time
	Accepted   time.Time // from when on it works everywhere
}

// Alive says whether the token works at an instant, whatever its revocation takes to arrive.
func (t Token) Alive(at time.Time) bool { return at.Before(t.Dead()) }

// Dead is when the token stopped or will stop to work.
func (t Token) Dead() time.Time {
	if !t.Revoked.IsZero() && t.Revoked.Before(t.To) {
		return t.Revoked
	}
	return t.To
}

// Born is the later of the two dates that a token's age can be told by.
func (t Token) Born() time.Time {
	if g := t.Generation.Time(); g.After(t.From) {
		return g
	}
	return t.From
}

// Newest is the newest version, nil if there is none that could be read.
func (s *Scene) Newest() *Version {
	if s.State != rotation.Present {
		return nil
	}
	return &s.Versions[len(s.Versions)-1]
}

// version finds a version by its id, nil if there is none.
func (s *Scene) version(id string) *Version {
	for i := range s.Versions {
		if s.Versions[i].ID == id {
			return &s.Versions[i]
		}
	}
	return nil
}

// Token finds a token by its id.
func (s *Scene) Token(id string) (Token, bool) {
	for _, t := range s.Tokens {
		if t.ID == id {
			return t, true
		}
	}
	return Token{}, false
}

// published says whether a token is in any version: its value, or a record that names it.
func (s *Scene) published(t Token) bool {
	for _, v := range s.Versions {
		if v.Holds == t.ID {
			return true
		}
		if names(v.Record, t) {
			return true
		}
	}
	return false
}

// names says whether a record names a token; nil names none.
func names(r *rotation.Record, t Token) bool {
	return r != nil && (r.IssuerID == t.ID || r.Predecessor == t.ID || t.Generation != "" && r.Generation == t.Generation)
}

// SupersededAt is when a version stopped to be what a reader gets; zero if it has not.
func (s *Scene) SupersededAt(i int) time.Time {
	if i+1 < len(s.Versions) {
		return s.Versions[i+1].Created
	}
	return s.Deleted
}

// SceneOf looks at the world.
func SceneOf(s *world.State, p Promise, now time.Time) *Scene {
	out := &Scene{At: now, State: rotation.Absent}
	tokens := p.kind().all(s, p)
	holds := map[string]bool{}
	if secret := secretOf(s, p.Target); secret != nil {
		out.State, out.Deleted = rotation.Present, secret.Deleted
		if !secret.Deleted.IsZero() {
			out.State = rotation.SoftDeleted
		}
		for _, v := range secret.Versions {
			x := Version{ID: v.ID, Created: v.Created, Enabled: !v.Disabled}
			if r, err := rotation.ParseRecord(v.Tags[rotation.RecordTag]); err == nil {
				x.Record = &r
			}
			if i := slices.IndexFunc(tokens, func(t *world.PAT) bool { return t.Token == v.Value }); i >= 0 {
				x.Holds = tokens[i].AuthorizationID
				holds[x.Holds] = true
			}
			out.Versions = append(out.Versions, x)
		}
	}
	for _, t := range tokens {
		stamp, ok := p.stampedFor(t.Name)
		if !strings.EqualFold(t.OwnerID, p.Owner) || !ok && !holds[t.AuthorizationID] {
			continue
		}
		x := Token{ID: t.AuthorizationID, Name: t.Name, From: t.ValidFrom, To: t.ValidTo, Revoked: t.Revoked}
		if ok {
			x.Generation = stamp.Generation
		}
		if accepted := p.kind().accepted; accepted != nil {
			x.Accepted = accepted(s, p, x.ID)
		}
		out.Tokens = append(out.Tokens, x)
	}
	return out
}

func secretOf(s *world.State, target rotation.Target) *world.Secret {
	name, _, _ := strings.Cut(target.Vault, ".")
	for _, v := range s.Vaults {
		if !strings.EqualFold(v.Name, name) {
			continue
		}
		for _, x := range v.Secrets {
			if strings.EqualFold(x.Name, target.Name) {
				return x
			}
		}
	}
	return nil
}
