package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/devops"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/sim/world"
)

// fleet is a world with many accounts and vaults, and the manifest that goes with it.
type fleet struct {
	accounts, vaults, credentials int
}

// state is the built-in world with the fleet's accounts and vaults added. Rekey's own identity may write them all.
func (f fleet) state() world.State {
	s := world.BuiltIn()
	born := time.Date(1999, 9, 1, 8, 0, 0, 0, time.UTC)
	me := s.ManagedIdentities[0]
	org := s.Organizations[0]
	var signIns *world.Vault
	for _, v := range s.Vaults {
		if v.Name == "kv-rekey" {
			signIns = v
		}
	}
	for i := range f.accounts {
		u := &world.User{ID: uuid(1, i), TenantID: me.TenantID, UPN: account(i) + "@contoso.onmicrosoft.com", Name: account(i),
			Password: "Sim." + world.Canary + "." + account(i), PasswordChanged: born}
		s.Users = append(s.Users, u)
		org.Members = append(org.Members, u.ID)
		signIns.Secrets = append(signIns.Secrets, &world.Secret{Name: account(i) + "-password",
			Versions: []*world.SecretVersion{{ID: strings.ReplaceAll(uuid(2, i), "-", ""), Value: u.Password, Created: born, Updated: born}}})
	}
	for i := range f.vaults {
		v := &world.Vault{Name: vault(i), SubscriptionID: signIns.SubscriptionID, ResourceGroup: signIns.ResourceGroup, Location: "westeurope", TenantID: me.TenantID, SoftDeleteDays: 90}
		s.Vaults = append(s.Vaults, v)
		s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: uuid(3, i), Scope: v.ResourceID(), RoleID: world.RoleKeyVaultOfficer,
			PrincipalID: me.ID, PrincipalType: "ServicePrincipal", CreatedBy: me.ID, UpdatedBy: me.ID, Created: born, Updated: born})
	}
	return s
}

// manifest writes the fleet's rekey.yaml and returns its path.
func (f fleet) manifest(b *testing.B) string {
	b.Helper()
	var y strings.Builder
	y.WriteString("version: 1\ntenant: contoso.onmicrosoft.com\nidentity: {managedIdentity: {}}\nschedule: 1h\nledger: ./ledger\nvaults:\n  signin: {name: kv-rekey}\n")
	for i := range f.vaults {
		fmt.Fprintf(&y, "  %s: {name: %s}\n", vault(i), vault(i))
	}
	y.WriteString("accounts:\n")
	for i := range f.accounts {
		fmt.Fprintf(&y, "  %s:\n    clientId: 2bfcc342-eb74-4427-832c-db82f28995f4\n    username: %s@contoso.onmicrosoft.com\n    password: {vault: signin, secret: %s-password}\n", account(i), account(i), account(i))
	}
	y.WriteString("credentials:\n")
	for i := range f.credentials {
		fmt.Fprintf(&y, "  %s:\n    pat: {account: %s, organization: contoso, scopes: [vso.code, vso.packaging]}\n    lifetime: 30d\n    rotateBefore: 5d\n    overlap: 24h\n    store: {vault: %s, secret: %s}\n",
			credential(i), account(i%f.accounts), vault(i%f.vaults), credential(i))
	}
	path := filepath.Join(b.TempDir(), "rekey.yaml")
	if err := os.WriteFile(path, []byte(y.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// published gives every credential but each tenth a secret with a record, as a run left it that long ago; each
// twentieth is due. It is the state that a plan reads; nothing at the issuer goes with it.
func (f fleet) published(s *world.State, now time.Time) {
	vaults := map[string]*world.Vault{}
	for _, v := range s.Vaults {
		vaults[v.Name] = v
	}
	for i := range f.credentials {
		if i%10 == 9 {
			continue
		}
		age := 10 * 24 * time.Hour
		if i%20 == 0 {
			age = 26 * 24 * time.Hour
		}
		born := now.Add(-age)
		var random [5]byte
		random[3], random[4] = byte(i>>8), byte(i)
		r := rotation.Record{Generation: rotation.NewGeneration(born, random), IssuerID: uuid(4, i), Publication: rotation.NewPublication(born, random),
			Shape: shape(i % f.accounts), Expires: born.Add(30 * 24 * time.Hour), RevokeAfter: born.Add(24 * time.Hour)}
		tag, err := r.Encode()
		if err != nil {
			panic(err)
		}
		v := vaults[vault(i%f.vaults)]
		v.Secrets = append(v.Secrets, &world.Secret{Name: credential(i), Versions: []*world.SecretVersion{{ID: strings.ReplaceAll(uuid(5, i), "-", ""),
			Value: world.Canary + credential(i), Created: born, Updated: born, Tags: map[string]string{rotation.RecordTag: tag, "team": "platform"}}}})
	}
}

// shape is what the manifest's settings hash to, so that the records are of what it asks for.
func shape(i int) string {
	return devops.New(policy.ClientOptions{}, user(account(i)), devops.Settings{Organization: "contoso", Scopes: manifest.Set{"vso.code", "vso.packaging"}}).Shape()
}

// user is an account that nobody signs in.
type user string

func (u user) Name() string                                        { return string(u) }
func (u user) Username() string                                    { return string(u) + "@contoso.onmicrosoft.com" }
func (u user) Quiet() bool                                         { return true }
func (u user) Token(context.Context, string, bool) (string, error) { return "", nil }

func account(i int) string    { return fmt.Sprintf("svc-%03d", i) }
func vault(i int) string      { return fmt.Sprintf("kv-fleet-%02d", i) }
func credential(i int) string { return fmt.Sprintf("pat-%05d", i) }

func uuid(kind, i int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, i) }
