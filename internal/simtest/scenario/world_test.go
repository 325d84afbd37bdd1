package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	credential = "devops-pat"
	secretName = "devops-pat-token"
	prodHost   = "kv-pat-prod.vault.azure.net"

	svcPAT = "svc-devops-pat@contoso.onmicrosoft.com"
	svcMFA = "svc-mfa@contoso.onmicrosoft.com"

	// Rekey's own identity is an app registration here, because azidentity's managed identity keeps its tokens in the
	// process and not in the world.
	rekeyClient = "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f11"
	rekeySP     = "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f12"
	secretRekey = "Rk18Q~" + world.Canary + "RekeyItself12345678901"
)

var target = rotation.Target{Vault: prodHost, Name: secretName}

// theWorld is the built-in one with Rekey as an app, and with tokens that are none of Rekey's business.
func theWorld() world.State {
	s := world.BuiltIn()
	// The longest that a tenant's policy allows: signing tokens is most of what a scenario costs.
	s.Knobs.Entra.TokenLife = world.Duration(day)
	born := time.Date(1999, 9, 1, 8, 0, 0, 0, time.UTC)
	s.Apps = append(s.Apps, &world.App{
		ID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f10", ClientID: rekeyClient, TenantID: world.TenantID, Name: "rekey-ci",
		ServicePrincipalID: rekeySP, ClientSecret: secretRekey,
		Secrets: []*world.PasswordCredential{{KeyID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f13", Start: born, End: born.AddDate(200, 0, 0), Value: secretRekey}},
	})
	for i, v := range s.Vaults {
		s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{
			Name: fmt.Sprintf("5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f2%d", i), Scope: v.ResourceID(),
			RoleID: world.RoleKeyVaultOfficer, PrincipalID: rekeySP, PrincipalType: "ServicePrincipal",
		})
	}
	org := s.Organizations[0]
	old := rotation.NewGeneration(time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC), [5]byte{1, 2, 3, 4, 5})
	elsewhere := rotation.Target{Vault: prodHost, Name: "another-secret"}
	for i, name := range []string{
		"deploy-script", // a person's
		rotation.Stamp{Credential: "another", Hash: elsewhere.Hash(), Generation: old}.String(),
		rotation.Stamp{Credential: credential, Hash: elsewhere.Hash(), Generation: old}.String(),
		rotation.Stamp{Credential: "another", Hash: target.Hash(), Generation: old}.String(), // a hash that collides
		"rekey/" + credential + "/typed-by-hand",
	} {
		org.PATs = append(org.PATs, thePAT(s, i, svcPAT, name))
	}
	org.PATs = append(org.PATs, thePAT(s, 9, "alex@contoso.onmicrosoft.com", rotation.Stamp{Credential: credential, Hash: target.Hash(), Generation: old}.String()))
	return s
}

// thePAT is a token that somebody made long before.
func thePAT(s world.State, i int, owner, name string) *world.PAT {
	u := s.Users[slices.IndexFunc(s.Users, func(u *world.User) bool { return u.UPN == owner })]
	return &world.PAT{
		AuthorizationID: fmt.Sprintf("b0b0b0b0-0000-4000-8000-00000000000%d", i), OwnerID: u.ID, Name: name,
		Scope: "vso.code vso.packaging", ValidFrom: time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC), ValidTo: time.Date(2000, 11, 1, 0, 0, 0, 0, time.UTC),
		Token: tokenOf(i),
	}
}

// tokenOf has the form of a real one: 84 characters.
func tokenOf(i int) string {
	return fmt.Sprintf("%s%s%dAZDO%04d", world.Canary, strings.Repeat("K", 64), i, i)
}

// pats are the organisation's tokens as they are now, revoked ones too; or an application's client secrets.
func (b *bed) pats() (out []world.PAT) {
	if b.manifest.certificate {
		return b.certificates()
	}
	if b.manifest.made != "" {
		return b.made()
	}
	if b.manifest.secret {
		return b.secrets()
	}
	b.world(func(w *world.World) {
		for _, p := range w.Organizations[0].PATs {
			out = append(out, *p)
		}
	})
	return out
}

func (b *bed) now() (t time.Time) {
	b.world(func(w *world.World) { t = w.Now() })
	return t
}

// alive are the tokens stamped for the secret that are alive now.
func (b *bed) alive() (out []world.PAT) {
	now := b.now()
	for _, p := range b.pats() {
		st, ok := rotation.ParseStamp(p.Name)
		if _, bystander := b.bystanders[p.AuthorizationID]; bystander || !ok || st.Hash != target.Hash() || st.Credential != credential {
			continue
		}
		if p.Revoked.IsZero() && now.Before(p.ValidTo) {
			out = append(out, p)
		}
	}
	return out
}

// vault gives the vault of the secret. Locked.
func vaultOf(w *world.World, name string) *world.Vault {
	return w.Vaults[slices.IndexFunc(w.Vaults, func(v *world.Vault) bool { return v.Name == name })]
}

// secretOf gives a secret, nil if there is none. Locked.
func secretOf(v *world.Vault, name string) *world.Secret {
	i := slices.IndexFunc(v.Secrets, func(s *world.Secret) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return nil
	}
	return v.Secrets[i]
}

// versions are the secret's, oldest first.
func (b *bed) versions() (out []world.SecretVersion) {
	b.world(func(w *world.World) {
		if s := secretOf(vaultOf(w, "kv-pat-prod"), secretName); s != nil {
			for _, v := range s.Versions {
				out = append(out, *v)
			}
		}
	})
	return out
}

// newest is the newest version; the test ends if there is none.
func (b *bed) newest() world.SecretVersion {
	b.Helper()
	all := b.versions()
	if len(all) == 0 {
		b.Fatal("the secret has no version")
	}
	return all[len(all)-1]
}

// record is the newest version's.
func (b *bed) record() rotation.Record {
	b.Helper()
	r, err := rotation.ParseRecord(b.newest().Tags[rotation.RecordTag])
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// edit changes the secret as a person would; the versions' own slice is given.
func (b *bed) edit(f func(w *world.World, s *world.Secret)) {
	b.Helper()
	b.world(func(w *world.World) {
		s := secretOf(vaultOf(w, "kv-pat-prod"), secretName)
		if s == nil {
			b.Fatal("there is no secret to edit")
		}
		f(w, s)
	})
}

// pat finds a token by id.
func (b *bed) pat(id string) world.PAT {
	b.Helper()
	for _, p := range b.pats() {
		if p.AuthorizationID == id {
			return p
		}
	}
	b.Fatalf("there is no PAT %s", id)
	return world.PAT{}
}

// editPAT changes a token as its owner would in the portal.
func (b *bed) editPAT(id string, f func(w *world.World, p *world.PAT)) {
	b.Helper()
	b.world(func(w *world.World) {
		for _, p := range w.Organizations[0].PATs {
			if p.AuthorizationID == id {
				f(w, p)
				return
			}
		}
		b.Fatalf("there is no PAT %s", id)
	})
}
