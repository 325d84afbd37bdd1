package explore

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	credential = "devops-pat"
	secretName = "devops-pat-token"
	prodHost   = "kv-pat-prod.vault.azure.net"
	svcPAT     = "ff477466-a73a-42ae-9376-b5bb89bac062"
	scopes     = "vso.code vso.packaging"

	// Rekey's own identity is an app registration here, because azidentity's managed identity keeps its tokens in the
	// process and not in the world.
	rekeyClient = invariant.RekeyClient
	secretRekey = "Rk18Q~" + world.Canary + "RekeyItself12345678901"

	// signInClient is the app that the service account signs in to.
	signInClient = "2bfcc342-eb74-4427-832c-db82f28995f4"

	// adoptedID is a person's token, which the starts of an adoption name in the manifest; elsewhere it is a bystander.
	adoptedID = "b0b0b0b0-0000-4000-8000-000000000000"

	day = 24 * time.Hour
)

// promise is what the manifest below says.
var promise = invariant.Promise{
	Credential: credential, Target: rotation.Target{Vault: prodHost, Name: secretName},
	Organization: "contoso", Owner: svcPAT, Adopts: adoptedID,
	Lifetime: 6 * day, RotateBefore: 2 * day, Overlap: day, Window: time.Hour, Cache: time.Hour,
}

// theManifest has no schedule, so that every run takes the census that is otherwise taken once a day: what a run finds
// is then a function of the world and not of the time of day.
func theManifest(pat, more string) *manifest.Manifest {
	src := fmt.Sprintf(`version: 1
tenant: contoso.onmicrosoft.com
identity:
  clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}
accounts:
  svc-devops-pat:
    clientId: %s
    username: svc-devops-pat@contoso.onmicrosoft.com
    password: {vault: rekey, secret: svc-devops-pat-password}
vaults:
  rekey: {name: kv-rekey}
  prod: {name: kv-pat-prod}
credentials:
  devops-pat:
    pat:
      account: svc-devops-pat
      organization: contoso
      scopes: [vso.code, vso.packaging]
%s
    tags: {owner: platform}
%s
    lifetime: 6d
    rotateBefore: 2d
    overlap: 24h
    store: {vault: prod, secret: %s}
`, rekeyClient, signInClient, pat, more, secretName)
	m, problems := manifest.Parse("rekey.yaml", []byte(src), app.Kinds())
	if m == nil || problems.Failed() {
		panic(fmt.Sprint(problems))
	}
	return m
}

var plainManifest = sync.OnceValue(func() *manifest.Manifest { return theManifest("", "") })

// born is when everything began: a bubble's clock starts an hour later.
var born = time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)

// theWorld is the built-in one with Rekey as an app, with the least that it needs, and with tokens that are none of
// its business.
func theWorld() world.State {
	s := world.BuiltIn()
	s.Knobs.Entra.ShortKeys = true
	withoutBystanders(&s)
	long := time.Date(1999, 9, 1, 8, 0, 0, 0, time.UTC)
	s.Apps = append(s.Apps, &world.App{
		ID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f10", ClientID: rekeyClient, TenantID: world.TenantID, Name: "rekey-ci",
		ServicePrincipalID: rekeySP, ClientSecret: secretRekey,
		Secrets: []*world.PasswordCredential{{KeyID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f13", Start: long, End: long.AddDate(200, 0, 0), Value: secretRekey}},
	})
	for i, v := range s.Vaults {
		s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{
			Name: fmt.Sprintf("5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f2%d", i), Scope: v.ResourceID(),
			RoleID: world.RoleKeyVaultOfficer, PrincipalID: rekeySP, PrincipalType: "ServicePrincipal",
		})
	}
	elsewhere := rotation.Target{Vault: prodHost, Name: "another-secret"}
	old := rotation.NewGeneration(born.Add(-day), [5]byte{1, 2, 3, 4, 5})
	for i, name := range []string{
		"deploy-script", // a person's
		rotation.Stamp{Credential: "another", Hash: elsewhere.Hash(), Generation: old}.String(),
		rotation.Stamp{Credential: credential, Hash: elsewhere.Hash(), Generation: old}.String(),
		rotation.Stamp{Credential: "another", Hash: promise.Target.Hash(), Generation: old}.String(), // a hash that collides
		"rekey/" + credential + "/typed-by-hand",
	} {
		addPAT(&s, fmt.Sprintf("b0b0b0b0-0000-4000-8000-00000000000%d", i), name, born.Add(-day), 200*day)
	}
	return s
}

// withoutBystanders leaves out what the credential of these worlds has nothing to do with: a world is copied, and
// searched for each of its secrets, at every run.
func withoutBystanders(s *world.State) {
	s.Consumers, s.Directory = world.Consumers{}, world.Directory{}
	s.Apps = slices.DeleteFunc(s.Apps, func(a *world.App) bool { return a.Name != "consumer" && a.ClientID != signInClient })
	for _, a := range s.Apps {
		a.AppRoles = nil
	}
	for _, o := range s.Organizations {
		o.ServiceEndpoints, o.VariableGroups, o.Administrators = nil, nil, nil
	}
	s.Vaults = slices.DeleteFunc(s.Vaults, func(v *world.Vault) bool { return v.Name != "kv-pat-prod" && v.Name != "kv-rekey" })
	s.RoleAssignments = slices.DeleteFunc(s.RoleAssignments, func(a *world.RoleAssignment) bool {
		return !slices.ContainsFunc(s.Vaults, func(v *world.Vault) bool { return v.ResourceID() == a.Scope })
	})
}

// addPAT gives the account a token and returns its value.
func addPAT(s *world.State, id, name string, from time.Time, life time.Duration) *world.PAT {
	o := s.Organizations[0]
	value := fmt.Sprintf("%s%064dAZDO%s", world.Canary, len(o.PATs), "TEST")
	p := &world.PAT{AuthorizationID: id, OwnerID: svcPAT, Name: name, Scope: scopes, ValidFrom: from, ValidTo: from.Add(life), Token: value}
	o.PATs = append(o.PATs, p)
	return p
}

// prod is the vault that is published to, and secret the secret in it, nil if there is none.
func prod(s *world.State) *world.Vault {
	return s.Vaults[slices.IndexFunc(s.Vaults, func(v *world.Vault) bool { return v.Name == "kv-pat-prod" })]
}

func secret(s *world.State) *world.Secret {
	v := prod(s)
	if i := slices.IndexFunc(v.Secrets, func(x *world.Secret) bool { return x.Name == secretName }); i >= 0 {
		return v.Secrets[i]
	}
	return nil
}

func newest(s *world.State) *world.SecretVersion {
	x := secret(s)
	return x.Versions[len(x.Versions)-1]
}

// pat finds a token by its id.
func pat(s *world.State, id string) *world.PAT {
	for _, p := range s.Organizations[0].PATs {
		if p.AuthorizationID == id {
			return p
		}
	}
	return nil
}
