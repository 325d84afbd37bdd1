package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Schema is the version of State's JSON form.
const Schema = 1

// Encode writes the state in the form that Decode reads.
func (s State) Encode(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

// Decode reads a state strictly and validates it.
func Decode(r io.Reader) (State, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return State{}, err
	}
	var s State
	if err := Strict(data, &s); err != nil {
		return State{}, fmt.Errorf("world: %w", err)
	}
	return s, s.Validate()
}

// Redacted is a deep copy without any secret value, for showing.
func (s State) Redacted() (State, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return State{}, err
	}
	var out State
	if err := json.Unmarshal(data, &out); err != nil {
		return State{}, err
	}
	for _, u := range slices.Concat(out.Users, out.DeletedUsers) {
		u.redact()
	}
	for _, a := range slices.Concat(out.Apps, out.DeletedApps) {
		a.redact()
	}
	for _, m := range out.ManagedIdentities {
		m.Secret = ""
	}
	for _, v := range out.Vaults {
		for _, secret := range v.Secrets {
			for _, x := range secret.Versions {
				x.Value = ""
			}
		}
	}
	for _, o := range out.Organizations {
		for _, p := range o.PATs {
			p.Token = ""
		}
	}
	out.Storage.redact()
	out.each(func(string) string { return "" })
	return out, nil
}

// Validate names everything that keeps the state from being a world: what is missing, what is there twice, and
// what refers to nothing.
func (s State) Validate() error {
	v := validation{seen: map[string]string{}}
	if s.Schema != Schema {
		v.bad("schema", "is %d, and this release reads %d", s.Schema, Schema)
	}
	if len(s.Tenants) == 0 {
		v.bad("tenants", "is missing: a world needs at least one tenant")
	}
	for i, t := range s.Tenants {
		at := v.entry("tenants", i, t == nil)
		if t == nil {
			continue
		}
		v.unique("tenant", at+".id", t.ID)
		v.unique("domain", at+".domain", t.Domain)
	}
	v.directory(s)
	v.groupsAndRoles(s)
	v.resources(s)
	v.organizations(s)
	v.consumers(s)
	v.pim(s)
	v.storage(s)
	if err := errors.Join(v.errs...); err != nil {
		return fmt.Errorf("world: %w", err)
	}
	return nil
}

type validation struct {
	errs []error
	seen map[string]string // kind and lower-case name, to where it was
}

func (v *validation) bad(at, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s %s", at, fmt.Sprintf(format, args...)))
}

// entry is the path of a list's entry, which must not be null.
func (v *validation) entry(list string, i int, null bool) string {
	at := fmt.Sprintf("%s[%d]", list, i)
	if null {
		v.bad(at, "is null")
	}
	return at
}

func (v *validation) need(at, value string) bool {
	if value == "" {
		v.bad(at, "is missing")
	}
	return value != ""
}

// unique needs a value that no other one of its kind has, whatever the case.
func (v *validation) unique(kind, at, value string) {
	if !v.need(at, value) {
		return
	}
	key := kind + " " + strings.ToLower(value)
	if before, twice := v.seen[key]; twice {
		v.bad(at, "%q is the same as %s", value, before)
		return
	}
	v.seen[key] = at
}

// refer needs a value that unique has seen.
func (v *validation) refer(kind, at, value string) {
	if !v.need(at, value) {
		return
	}
	if _, ok := v.seen[kind+" "+strings.ToLower(value)]; !ok {
		v.bad(at, "%q names no %s of this world", value, kind)
	}
}

func (v *validation) directory(s State) {
	for i, u := range s.Users {
		at := v.entry("users", i, u == nil)
		if u == nil {
			continue
		}
		v.unique("principal", at+".id", u.ID)
		v.unique("user", at+".userPrincipalName", u.UPN)
		v.refer("tenant", at+".tenantId", u.TenantID)
	}
	for i, a := range s.Apps {
		at := v.entry("apps", i, a == nil)
		if a == nil {
			continue
		}
		v.unique("application", at+".id", a.ID)
		v.unique("client", at+".clientId", a.ClientID)
		if a.ServicePrincipalID != "" { // one that was made through Graph has none until somebody makes it
			v.unique("principal", at+".servicePrincipalId", a.ServicePrincipalID)
		}
		v.need(at+".displayName", a.Name)
		v.refer("tenant", at+".tenantId", a.TenantID)
		for j, c := range a.Secrets {
			here := v.entry(at+".secrets", j, c == nil)
			if c == nil {
				continue
			}
			v.unique("credential of "+at, here+".keyId", c.KeyID)
			if !c.End.After(c.Start) {
				v.bad(here+".endDateTime", "is not after startDateTime")
			}
		}
		if a.ClientSecret != "" && !slices.ContainsFunc(a.Secrets, func(c *PasswordCredential) bool { return c != nil && c.Value == a.ClientSecret }) {
			v.bad(at+".clientSecret", "is the value of none of its secrets: put it there too")
		}
		for j, f := range a.FederatedCredentials {
			here := v.entry(at+".federatedCredentials", j, f == nil)
			if f == nil {
				continue
			}
			v.need(here+".issuer", f.Issuer)
			v.need(here+".subject", f.Subject)
			if len(f.Audiences) == 0 {
				v.bad(here+".audiences", "is missing")
			}
		}
	}
	for i, m := range s.ManagedIdentities {
		at := v.entry("managedIdentities", i, m == nil)
		if m == nil {
			continue
		}
		v.unique("principal", at+".id", m.ID)
		v.unique("client", at+".clientId", m.ClientID)
		v.refer("tenant", at+".tenantId", m.TenantID)
	}
}

func (v *validation) resources(s State) {
	for i, sub := range s.Subscriptions {
		at := v.entry("subscriptions", i, sub == nil)
		if sub == nil {
			continue
		}
		v.unique("subscription", at+".id", sub.ID)
		v.refer("tenant", at+".tenantId", sub.TenantID)
		for j, g := range sub.ResourceGroups {
			v.unique("resource group", fmt.Sprintf("%s.resourceGroups[%d]", at, j), sub.ID+"/"+g)
		}
	}
	for i, kv := range s.Vaults {
		at := v.entry("vaults", i, kv == nil)
		if kv == nil {
			continue
		}
		v.unique("vault", at+".name", kv.Name)
		v.refer("tenant", at+".tenantId", kv.TenantID)
		v.refer("subscription", at+".subscriptionId", kv.SubscriptionID)
		if v.need(at+".resourceGroup", kv.ResourceGroup) {
			v.refer("resource group", at+".resourceGroup", kv.SubscriptionID+"/"+kv.ResourceGroup)
		}
		if kv.SoftDeleteDays < 7 || kv.SoftDeleteDays > 90 {
			v.bad(at+".softDeleteDays", "is %d; Key Vault keeps deleted secrets for 7 to 90 days", kv.SoftDeleteDays)
		}
		for j, secret := range kv.Secrets {
			here := v.entry(at+".secrets", j, secret == nil)
			if secret == nil {
				continue
			}
			v.unique("secret of "+at, here+".name", secret.Name)
			if len(secret.Versions) == 0 {
				v.bad(here+".versions", "is missing: a secret has at least one version")
			}
			for k, x := range secret.Versions {
				if deep := v.entry(here+".versions", k, x == nil); x != nil {
					v.unique("version of "+here, deep+".id", x.ID)
				}
			}
		}
	}
	for i, a := range s.RoleAssignments {
		at := v.entry("roleAssignments", i, a == nil)
		if a == nil {
			continue
		}
		v.unique("role assignment", at+".name", a.Name)
		v.need(at+".principalId", a.PrincipalID) // may outlive its principal, as in Azure
		if v.need(at+".scope", a.Scope) && !strings.HasPrefix(a.Scope, "/") {
			v.bad(at+".scope", "%q does not begin with \"/\"", a.Scope)
		}
		if _, ok := RoleByID(a.RoleID); v.need(at+".roleDefinitionId", a.RoleID) && !ok {
			v.bad(at+".roleDefinitionId", "%q is no built-in role that the simulator knows", a.RoleID)
		}
		if a.Condition != nil && *a.Condition != "" {
			if _, err := ParseCondition(*a.Condition); err != nil {
				v.bad(at+".condition", "is none that the simulator could enforce: %v", err)
			}
		}
	}
}

func (v *validation) organizations(s State) {
	for i, o := range s.Organizations {
		at := v.entry("organizations", i, o == nil)
		if o == nil {
			continue
		}
		v.unique("organization id", at+".id", o.ID)
		v.unique("organization", at+".name", o.Name)
		v.refer("tenant", at+".tenantId", o.TenantID)
		for j, m := range o.Members {
			v.refer("principal", fmt.Sprintf("%s.members[%d]", at, j), m)
		}
		for j, p := range o.Projects {
			here := v.entry(at+".projects", j, p == nil)
			if p == nil {
				continue
			}
			v.unique("project id", here+".id", p.ID)
			v.unique("project of "+at, here+".name", p.Name)
		}
		for j, p := range o.PATs {
			here := v.entry(at+".pats", j, p == nil)
			if p == nil {
				continue
			}
			v.unique("PAT", here+".authorizationId", p.AuthorizationID)
			v.refer("principal", here+".ownerId", p.OwnerID)
		}
	}
}
