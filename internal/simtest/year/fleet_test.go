package year

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekeyhq/rekey/internal/app"
	"github.com/rekeyhq/rekey/internal/manifest"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/internal/simtest/invariant"
	"github.com/rekeyhq/rekey/sim/world"
)

const (
	day = 24 * time.Hour

	domain       = "contoso.onmicrosoft.com"
	publicClient = "2bfcc342-eb74-4427-832c-db82f28995f4"

	// Rekey's own identity is an app registration here, because azidentity's managed identity keeps its tokens in the
	// process and not in the world.
	rekeyClient = invariant.RekeyClient
	rekeySP     = "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f12"
	secretRekey = "Rk18Q~" + world.Canary + "RekeyItself12345678901"
)

// born is when the fleet was there already; a bubble's clock starts at the year 2000.
var born = time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)

// kind is how the year makes credentials of one kind.
type kind struct {
	// block is the kind's own block in the manifest.
	block func(*fleet, *cred) string
	// choose makes up settings.
	choose func(*cred, *rand.Rand)
	// exists puts a credential that the product is to adopt into the world.
	exists func(*fleet, *cred, *world.State, *rand.Rand)
}

// kinds are the kinds of credentials that the year knows. A kind that the product gains needs its entry here, or
// TestTheYearKnowsEveryKind fails.
var kinds = map[string]kind{
	"pat":               {block: patBlock, choose: choosePAT, exists: existingPAT},
	invariant.AppSecret: {block: appSecretBlock, choose: chooseAppSecret, exists: existingAppSecret},
}

// without are the kinds that no fleet of the year has, with what stands in for it.
var without = map[string]string{
	"appCertificate": "each of its keys is made anew, which takes longer than a run of the year may; its worlds are explored, and scenarios are played with it",
	"random":         "a value of our making is in no list but that of its versions; its worlds are explored, and scenarios are played with it",
	"serviceAccount": "a password is in no list, and the year's accounts sign in with passwords of their own; its worlds are explored, and scenarios are played with it",
	"pats":           "what a block stands for are credentials like others, whose names the year would have to know; its worlds are explored, and a script is played with it",
}

func TestTheYearKnowsEveryKind(t *testing.T) {
	var product []string
	for _, k := range app.Kinds() {
		if k.Consumer {
			continue // see TestTheYearTellsEveryKindOfConsumer
		}
		product = append(product, k.Name)
		if _, ok := kinds[k.Name]; ok == (without[k.Name] != "") {
			t.Errorf("the year does not know the kind %q: give it an entry in kinds", k.Name)
		}
	}
	for name := range kinds {
		if !slices.Contains(product, name) {
			t.Errorf("the product does not know the kind %q", name)
		}
	}
}

// account is a user whose tokens are rotated.
type account struct {
	name, id string
	org      int
	sealed   bool // its sign-in is sealed; otherwise its password lies in the vault
}

func (a account) upn() string    { return a.name + "@" + domain }
func (a account) secret() string { return a.name + "-sign-in" }

// cred is one credential as the manifest has it at the moment.
type cred struct {
	n            int
	kind         string
	name         string
	account      int
	vault        int
	secret       string
	lifetime     time.Duration
	rotateBefore time.Duration
	overlap      time.Duration
	extend       bool
	scopes       []string
	adopt        string // id
	owner        bool   // the manifest sets a tag
	enabled      bool
	consumers    []consumer.One
}

// fleet is what the manifest says and who is there.
type fleet struct {
	every    time.Duration // the schedule
	window   time.Duration // the sweep window
	accounts []account
	orgs     []string
	vaults   []string
	creds    []*cred
}

const signInVault = "kv-year-sign-in"

// newFleet makes up a fleet.
func newFleet(seed uint64, credentials int, every time.Duration) *fleet {
	rng := rand.New(rand.NewPCG(seed, 1))
	f := &fleet{every: every, window: pick(rng, 30*time.Minute, time.Hour, time.Hour, 2*time.Hour), orgs: []string{"contoso", "fabrikam"}}
	for i := range credentials / 500 {
		f.orgs = append(f.orgs, fmt.Sprintf("adatum-%d", i))
	}
	for i := range max(3, credentials/50) {
		f.accounts = append(f.accounts, account{name: fmt.Sprintf("svc-%03d", i), id: uuid(1, i), org: i % len(f.orgs), sealed: i%3 > 0})
	}
	for i := range max(3, credentials/40) {
		f.vaults = append(f.vaults, fmt.Sprintf("kv-year-%03d", i))
	}
	names := []string{}
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	for i := range credentials {
		c := &cred{n: i, kind: names[i%len(names)], name: fmt.Sprintf("cred-%05d", i), account: rng.IntN(len(f.accounts)), vault: rng.IntN(len(f.vaults)),
			secret: fmt.Sprintf("cred-%05d", i), enabled: true, extend: rng.IntN(5) == 0, owner: rng.IntN(2) == 0}
		c.lifetime = pick[time.Duration](rng, 7, 10, 14, 14, 30, 30, 30, 60, 60, 90, 180, 364) * day
		c.times(rng, every)
		kinds[c.kind].choose(c, rng)
		f.creds = append(f.creds, c)
	}
	return f
}

// times makes up when a credential of its lifetime is replaced: a run comes at least twice before it must.
func (c *cred) times(rng *rand.Rand, every time.Duration) {
	c.rotateBefore = max(c.lifetime/time.Duration(3+rng.IntN(4)), day, 2*every).Truncate(time.Hour)
	c.overlap = max(every, min(c.rotateBefore, pick(rng, 12*time.Hour, day, day, 2*day, 3*day)))
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

func uuid(kind, i int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, i) }

func choosePAT(c *cred, rng *rand.Rand) {
	for _, s := range []string{"vso.code", "vso.packaging", "vso.build", "vso.work"} {
		if rng.IntN(2) == 0 {
			c.scopes = append(c.scopes, s)
		}
	}
	if len(c.scopes) == 0 {
		c.scopes = []string{"vso.code"}
	}
	if rng.IntN(8) == 0 {
		c.adopt = uuid(7, c.n)
	}
}

func patBlock(f *fleet, c *cred) string {
	a := f.accounts[c.account]
	s := fmt.Sprintf("account: %s, organization: %s, scopes: [%s]", a.name, f.orgs[a.org], strings.Join(c.scopes, ", "))
	if c.adopt != "" {
		s += ", adopt: {id: " + c.adopt + "}"
	}
	return "{" + s + "}"
}

func existingPAT(f *fleet, c *cred, s *world.State, rng *rand.Rand) {
	a := f.accounts[c.account]
	o := organization(s, f.orgs[a.org])
	from := born.Add(-time.Duration(rng.IntN(20)) * day)
	value := fmt.Sprintf("%s%065dAZDO%s", world.Canary, len(o.PATs)*1000+a.org, "YEAR")
	o.PATs = append(o.PATs, &world.PAT{AuthorizationID: c.adopt, OwnerID: a.id, Name: fmt.Sprintf("made by hand %d", c.n), Scope: strings.Join(c.scopes, " "),
		ValidFrom: from, ValidTo: from.Add(60 * day), Token: value})
	v := vault(s, f.vaults[c.vault])
	v.Secrets = append(v.Secrets, &world.Secret{Name: c.secret, Versions: []*world.SecretVersion{{ID: strings.ReplaceAll(uuid(8, c.n), "-", ""),
		Value: value, Created: from, Updated: from, Tags: map[string]string{"team": "platform"}}}})
}

// text is the manifest.
func (f *fleet) text() string {
	var y strings.Builder
	fmt.Fprintf(&y, "version: 1\ntenant: %s\nidentity:\n  clientSecret: {clientId: %s, env: REKEY_CLIENT_SECRET}\nschedule: %dh\nsweepWindow: %dm\nvaults:\n  signin: {name: %s}\n  rekey: {name: kv-rekey}\n",
		domain, rekeyClient, f.every/time.Hour, f.window/time.Minute, signInVault)
	for _, v := range f.vaults {
		fmt.Fprintf(&y, "  %s: {name: %s}\n", v, v)
	}
	y.WriteString("accounts:\n")
	for _, a := range f.accounts {
		by := "password"
		if a.sealed {
			by = "tokenCache"
		}
		fmt.Fprintf(&y, "  %s:\n    clientId: %s\n    username: %s\n    %s: {vault: signin, secret: %s}\n", a.name, publicClient, a.upn(), by, a.secret())
	}
	y.WriteString("credentials:\n")
	for _, c := range f.creds {
		fmt.Fprintf(&y, "  %s:\n    %s: %s\n    lifetime: %dh\n    rotateBefore: %dh\n    overlap: %dh\n", c.name, c.kind, kinds[c.kind].block(f, c),
			c.lifetime/time.Hour, c.rotateBefore/time.Hour, c.overlap/time.Hour)
		if c.extend && c.kind == "pat" { // nothing else has a date that can be moved
			y.WriteString("    strategy: extend\n")
		}
		if !c.enabled {
			y.WriteString("    enabled: false\n")
		}
		if c.owner {
			y.WriteString("    tags: {owner: platform}\n")
		}
		fmt.Fprintf(&y, "    store: {vault: %s, secret: %s}\n%s", f.vaults[c.vault], c.secret, c.toldText())
	}
	return y.String()
}

// edition is the manifest as it was at a time.
type edition struct {
	n        int
	manifest *manifest.Manifest
	byName   map[string]int
	promises []invariant.Promise // by the number of the credential
	enabled  []bool
}

func (f *fleet) edition(n int) *edition {
	m, problems := manifest.Parse("rekey.yaml", []byte(f.text()), app.Kinds())
	if m == nil || problems.Failed() {
		panic(fmt.Sprint(problems))
	}
	e := &edition{n: n, manifest: m, byName: map[string]int{}}
	for _, c := range f.creds {
		e.byName[c.name] = c.n
		e.enabled = append(e.enabled, c.enabled)
		e.promises = append(e.promises, f.promise(c))
	}
	return e
}

func (f *fleet) promise(c *cred) invariant.Promise {
	a := f.accounts[c.account]
	p := invariant.Promise{Credential: rotation.CredentialID(c.name), Target: rotation.Target{Vault: f.vaults[c.vault] + ".vault.azure.net", Name: c.secret},
		Organization: f.orgs[a.org], Owner: a.id, Adopts: c.adopt, Lifetime: c.lifetime, RotateBefore: c.rotateBefore, Overlap: c.overlap, Window: f.window, Cache: time.Hour, Consumers: c.consumers}
	if c.kind == invariant.AppSecret {
		p.Kind, p.Organization, p.Owner = c.kind, "", c.appID()
	}
	return p
}

// world is the built-in one with the fleet's people, vaults and organisations.
func (f *fleet) world(seed uint64) world.State {
	rng := rand.New(rand.NewPCG(seed, 2))
	s := world.BuiltIn()
	s.Seed = uint32(seed)
	long := time.Date(1999, 9, 1, 8, 0, 0, 0, time.UTC)
	s.Apps = append(s.Apps, &world.App{
		ID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f10", ClientID: rekeyClient, TenantID: world.TenantID, Name: "rekey-ci",
		ServicePrincipalID: rekeySP, ClientSecret: secretRekey,
		Secrets: []*world.PasswordCredential{{KeyID: "5f0a6d4e-7a08-4d0f-9d4c-4f9f0b1f6f13", Start: long, End: long.AddDate(200, 0, 0), Value: secretRekey}},
	})
	s.Apps[len(s.Apps)-1].ApplicationPermissions = []string{"Application.ReadWrite.OwnedBy"}
	f.apps(&s)
	s.Knobs = calmKnobs
	for i, name := range f.orgs[2:] {
		s.Organizations = append(s.Organizations, &world.Organization{ID: uuid(2, i), Name: name, TenantID: world.TenantID})
	}
	for i, v := range s.Vaults {
		if v.Name == "kv-rekey" { // copies are kept there
			s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: uuid(30, i), Scope: v.ResourceID(),
				RoleID: world.RoleKeyVaultOfficer, PrincipalID: rekeySP, PrincipalType: "ServicePrincipal", Created: long, Updated: long})
		}
	}
	for i, name := range append(slices.Clone(f.vaults), signInVault) {
		v := &world.Vault{Name: name, SubscriptionID: world.SubscriptionID, ResourceGroup: "rg-rekey", Location: "westeurope", TenantID: world.TenantID, SoftDeleteDays: 90}
		s.Vaults = append(s.Vaults, v)
		s.RoleAssignments = append(s.RoleAssignments, &world.RoleAssignment{Name: uuid(3, i), Scope: v.ResourceID(),
			RoleID: world.RoleKeyVaultOfficer, PrincipalID: rekeySP, PrincipalType: "ServicePrincipal", Created: long, Updated: long})
	}
	signIns := vault(&s, signInVault)
	for i, a := range f.accounts {
		u := &world.User{ID: a.id, TenantID: world.TenantID, UPN: a.upn(), Name: a.name, Password: "Sim." + world.Canary + "." + a.name, PasswordChanged: long}
		s.Users = append(s.Users, u)
		o := organization(&s, f.orgs[a.org])
		o.Members = append(o.Members, a.id)
		if !a.sealed {
			signIns.Secrets = append(signIns.Secrets, &world.Secret{Name: a.secret(), Versions: []*world.SecretVersion{{
				ID: strings.ReplaceAll(uuid(4, i), "-", ""), Value: u.Password, Created: long, Updated: long}}})
		}
		// What is none of the product's business: a person's token, and one that is stamped for another manifest's secret.
		elsewhere := rotation.Target{Vault: "kv-elsewhere.vault.azure.net", Name: a.name}
		for j, name := range []string{"deploy-script", rotation.Stamp{Credential: "elsewhere", Hash: elsewhere.Hash(), Generation: rotation.NewGeneration(born.Add(-day), [5]byte{1, byte(i)})}.String()} {
			o.PATs = append(o.PATs, &world.PAT{AuthorizationID: uuid(5+j, i), OwnerID: a.id, Name: name, Scope: "vso.code", ValidFrom: born.Add(-day), ValidTo: born.Add(900 * day),
				Token: fmt.Sprintf("%s%065dAZDO%s", world.Canary, 5_000_000+10*i+j, "YEAR")})
		}
	}
	v := vault(&s, f.vaults[0])
	v.Secrets = append(v.Secrets, &world.Secret{Name: "somebody-elses", Versions: []*world.SecretVersion{{
		ID: strings.ReplaceAll(uuid(9, 1), "-", ""), Value: "somebody else's value", Created: long, Updated: long, Tags: map[string]string{"team": "others"}}}})
	for _, c := range f.creds {
		if c.adopt != "" {
			kinds[c.kind].exists(f, c, &s, rng)
		}
	}
	f.consumers(&s, seed)
	return s
}

func vault(s *world.State, name string) *world.Vault {
	return s.Vaults[slices.IndexFunc(s.Vaults, func(v *world.Vault) bool { return v.Name == name })]
}

func organization(s *world.State, name string) *world.Organization {
	return s.Organizations[slices.IndexFunc(s.Organizations, func(o *world.Organization) bool { return o.Name == name })]
}
