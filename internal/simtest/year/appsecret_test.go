package year

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

// appID and appObject are the application of a credential that is a client secret: each has its own.
func (c *cred) appID() string     { return uuid(20, c.n) }
func (c *cred) appObject() string { return uuid(21, c.n) }

func chooseAppSecret(c *cred, rng *rand.Rand) {
	if c.extend = false; rng.IntN(8) == 0 {
		c.adopt = uuid(7, c.n)
	}
}

func appSecretBlock(_ *fleet, c *cred) string {
	if c.adopt != "" {
		return "{appId: " + c.appID() + ", adopt: {id: " + c.adopt + "}}"
	}
	return "{appId: " + c.appID() + "}"
}

// apps adds the applications of the fleet, each with a client secret of the team that it belongs to.
func (f *fleet) apps(s *world.State) {
	for _, c := range f.creds {
		if c.kind != invariant.AppSecret {
			continue
		}
		s.Apps = append(s.Apps, &world.App{
			ID: c.appObject(), ClientID: c.appID(), TenantID: world.TenantID, Name: c.name, ServicePrincipalID: uuid(22, c.n), Owners: []string{rekeySP},
			Secrets: []*world.PasswordCredential{{KeyID: uuid(23, c.n), Name: "made by hand", Start: born.Add(-day), End: born.Add(900 * day),
				Value: fmt.Sprintf("Th%04d~%sTeamTeamTeamTeam", c.n, world.Canary)}},
		})
	}
}

func existingAppSecret(f *fleet, c *cred, s *world.State, rng *rand.Rand) {
	from := born.Add(-time.Duration(rng.IntN(20)) * day)
	value := fmt.Sprintf("Ad%04d~%sAdoptAdoptAdopt", c.n, world.Canary)
	for _, a := range s.Apps {
		if a.ClientID == c.appID() {
			a.Secrets = append(a.Secrets, &world.PasswordCredential{KeyID: c.adopt, Name: fmt.Sprintf("made by hand %d", c.n), Start: from, End: from.Add(60 * day), Value: value})
		}
	}
	v := vault(s, f.vaults[c.vault])
	v.Secrets = append(v.Secrets, &world.Secret{Name: c.secret, Versions: []*world.SecretVersion{{ID: strings.ReplaceAll(uuid(8, c.n), "-", ""),
		Value: value, Created: from, Updated: from, Tags: map[string]string{"team": "platform"}}}})
}

// app is the application of a client secret, nil for another kind.
func (l *life) app() *world.App {
	if len(l.state.Apps) == 0 {
		return nil
	}
	return l.state.Apps[0]
}

func isPAT(l *life) bool { return l.app() == nil }

// ofApp are the client secrets that are the product's business, those that were removed too.
func (l *life) ofApp() (out []*world.PAT) {
	for _, p := range invariant.TokensOf(&l.state, *l.promise()) {
		if l.owned[p.AuthorizationID] {
			out = append(out, p)
		}
	}
	return out
}

// indexApps takes note of the client secrets that are new.
func (b *book) indexApps() {
	for _, l := range b.ofApps {
		if n := len(l.app().Secrets) + len(l.app().RemovedSecrets); n != b.apps[l] {
			b.apps[l] = n
			for _, p := range invariant.TokensOf(&l.state, *l.promise()) {
				b.byValue[p.Token] = p.AuthorizationID
				for _, own := range b.owners(p) {
					own.owned[p.AuthorizationID], b.byToken[p.AuthorizationID] = true, own
				}
			}
		}
	}
}

// listed are the lives whose application a path is about.
func (b *book) listed(path string) (out []*life) {
	for _, l := range b.ofApps {
		if a := l.app(); strings.Contains(path, a.ClientID) || strings.Contains(path, a.ID) {
			out = append(out, l)
		}
	}
	return out
}

// revoke ends a credential at its issuer, as a person does.
func (h *hand) revoke(p *world.PAT) {
	a, now := h.l.app(), h.w.Now()
	if a == nil {
		p.Revoked = now
		return
	}
	i := slices.IndexFunc(a.Secrets, func(x *world.PasswordCredential) bool { return x.KeyID == p.AuthorizationID })
	if i < 0 {
		return // removed already
	}
	gone := *a.Secrets[i]
	gone.Removed = now
	a.Secrets, a.RemovedSecrets = slices.Delete(slices.Clone(a.Secrets), i, i+1), append(a.RemovedSecrets, &gone)
}

// again makes a credential with the name of another one.
func (h *hand) again(p world.PAT) {
	if a := h.l.app(); a != nil {
		x := &world.PasswordCredential{KeyID: h.w.NewID(), Name: p.Name, Start: h.w.Now(), End: p.ValidTo, Value: "By~" + world.Canary + h.w.Letters(20)}
		a.Secrets = append(a.Secrets, x)
		h.w.Remember(x.Value)
		return
	}
	p.AuthorizationID, p.Token, p.ValidFrom = h.w.NewID(), h.w.MintPAT(), h.w.Now()
	for _, o := range h.w.Organizations {
		if o.Name == h.l.promise().Organization {
			o.PATs = append(o.PATs, &p)
		}
	}
}

// teams looks whether the client secrets of teams are what they were. The world and the year are locked.
func (y *year) teams() {
	for _, l := range y.book.ofApps {
		if !slices.ContainsFunc(l.app().Secrets, func(x *world.PasswordCredential) bool { return x.KeyID == uuid(23, l.n) && x.Name == "made by hand" }) {
			y.report(l, []invariant.Violation{{Invariant: invariant.Foreign.Name, What: l.promise().Target.String() + ": a team's client secret is not what it was"}})
		}
	}
}
