package world

import (
	"slices"
	"strings"
	"time"
)

// Directory is what an Entra directory holds besides users and apps.
type Directory struct {
	Groups []*Group `json:"groups,omitempty"`
	// DirectoryRoleAssignments give directory roles: they say what a principal may do in the directory, as role
	// assignments say what it may do with Azure's resources.
	DirectoryRoleAssignments []*DirectoryRoleAssignment `json:"directoryRoleAssignments,omitempty"`
	// AppManagementPolicies restrict the credentials of apps.
	AppManagementPolicies []*AppManagementPolicy `json:"appManagementPolicies,omitempty"`
	// DeletedApps and DeletedUsers can be restored for 30 days.
	DeletedApps  []*App  `json:"deletedApps,omitempty"`
	DeletedUsers []*User `json:"deletedUsers,omitempty"`
}

// Group is a security group.
type Group struct {
	ID       string   `json:"id"`
	TenantID string   `json:"tenantId"`
	Name     string   `json:"displayName"`
	Members  []string `json:"members,omitempty"` // object ids
}

// DirectoryRoleAssignment gives a principal a directory role in the whole directory.
type DirectoryRoleAssignment struct {
	ID          string `json:"id"`
	TenantID    string `json:"tenantId"`
	RoleID      string `json:"roleDefinitionId"`
	PrincipalID string `json:"principalId"`
}

// AppManagementPolicy restricts the credentials that apps can be given. What an app has already is left alone.
type AppManagementPolicy struct {
	ID       string `json:"id"`
	TenantID string `json:"tenantId"`
	Name     string `json:"displayName"`
	// Default is the tenant's policy for every app that none of the others names.
	Default  bool `json:"default,omitempty"`
	Disabled bool `json:"disabled,omitempty"`
	// Apps are the object ids of the apps that it is assigned to.
	Apps []string `json:"apps,omitempty"`
	// NoSecrets refuses new client secrets (passwordAddition).
	NoSecrets bool `json:"noClientSecrets,omitempty"`
	// MaxSecretLife and MaxCertificateLife bound new ones (passwordLifetime, asymmetricKeyLifetime). 0: no bound.
	MaxSecretLife      Duration `json:"maxClientSecretLife,omitempty"`
	MaxCertificateLife Duration `json:"maxCertificateLife,omitempty"`
	// CreatedAfter spares apps that are older.
	CreatedAfter time.Time `json:"createdAfter,omitzero"`
}

// PolicyFor is the policy in force for an app: the one that names it, or else the tenant's default; nil if neither
// is. Locked.
func (w *World) PolicyFor(a *App) *AppManagementPolicy {
	var found *AppManagementPolicy
	for _, p := range w.AppManagementPolicies {
		named := slices.ContainsFunc(p.Apps, func(id string) bool { return strings.EqualFold(id, a.ID) })
		switch {
		case p.Disabled, !strings.EqualFold(p.TenantID, a.TenantID), !p.CreatedAfter.IsZero() && a.Created.Before(p.CreatedAfter):
		case named:
			return p
		case p.Default && found == nil:
			found = p
		}
	}
	return found
}

// DirectoryRole is a built-in directory role.
type DirectoryRole struct {
	ID   string // the same in every tenant
	Name string
	// Administrator roles guard their holders: few may set the password of one.
	Administrator bool
}

// Ids of the built-in directory roles that the simulator knows.
const (
	RoleGlobalAdministrator         = "62e90394-69f5-4237-9190-012177145e10"
	RolePrivilegedAuthAdministrator = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
	RolePrivilegedRoleAdministrator = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	RoleUserAdministrator           = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	RoleApplicationAdministrator    = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	RoleCloudAppAdministrator       = "158c047a-c907-4556-b7ef-446551a6b5f7"
	RolePasswordAdministrator       = "966707d0-3269-4727-9be2-8c3a10f19b9d"
	RoleHelpdeskAdministrator       = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
	RoleDirectoryReaders            = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
)

// DirectoryRoles are the built-in directory roles that the simulator knows.
var DirectoryRoles = []DirectoryRole{
	{RoleGlobalAdministrator, "Global Administrator", true},
	{RolePrivilegedAuthAdministrator, "Privileged Authentication Administrator", true},
	{RolePrivilegedRoleAdministrator, "Privileged Role Administrator", true},
	{RoleUserAdministrator, "User Administrator", true},
	{RoleApplicationAdministrator, "Application Administrator", true},
	{RoleCloudAppAdministrator, "Cloud Application Administrator", true},
	{RolePasswordAdministrator, "Password Administrator", true},
	{RoleHelpdeskAdministrator, "Helpdesk Administrator", true},
	{RoleDirectoryReaders, "Directory Readers", false},
}

// DirectoryRoleByID finds a built-in directory role.
func DirectoryRoleByID(id string) (DirectoryRole, bool) {
	i := slices.IndexFunc(DirectoryRoles, func(r DirectoryRole) bool { return strings.EqualFold(r.ID, id) })
	if i < 0 {
		return DirectoryRole{}, false
	}
	return DirectoryRoles[i], true
}

// HasDirectoryRole says whether a principal has one of the roles. Locked.
func (w *World) HasDirectoryRole(principal string, roles ...string) bool {
	if slices.ContainsFunc(roles, func(r string) bool { return w.holds(Place{RealmDirectory, "/", r, principal}) }) {
		return true
	}
	return slices.ContainsFunc(w.DirectoryRoleAssignments, func(a *DirectoryRoleAssignment) bool {
		return strings.EqualFold(a.PrincipalID, principal) && slices.ContainsFunc(roles, func(r string) bool { return strings.EqualFold(r, a.RoleID) })
	})
}

// IsAdministrator says whether a principal has any role that guards its holders. Locked.
func (w *World) IsAdministrator(principal string) bool {
	return slices.ContainsFunc(w.DirectoryAssignments(), func(a *DirectoryRoleAssignment) bool {
		r, ok := DirectoryRoleByID(a.RoleID)
		return ok && r.Administrator && strings.EqualFold(a.PrincipalID, principal)
	})
}

func (d Directory) clone() Directory {
	d.Groups = cloneAll(d.Groups, func(g *Group) { g.Members = slices.Clone(g.Members) })
	d.DirectoryRoleAssignments = cloneAll(d.DirectoryRoleAssignments, nil)
	d.AppManagementPolicies = cloneAll(d.AppManagementPolicies, func(p *AppManagementPolicy) { p.Apps = slices.Clone(p.Apps) })
	d.DeletedApps = cloneAll(d.DeletedApps, (*App).detach)
	d.DeletedUsers = cloneAll(d.DeletedUsers, nil)
	return d
}

// Clone is a copy that shares nothing with a that either could change.
func (a *App) Clone() *App { return cloneAll([]*App{a}, (*App).detach)[0] }

// redact clears the secrets that an app and its service principal hold.
func (a *App) redact() {
	a.ClientSecret = ""
	for _, list := range [][]*PasswordCredential{a.Secrets, a.ServicePrincipalSecrets, a.RemovedSecrets} {
		for _, c := range list {
			c.Value = ""
		}
	}
}

func (u *User) redact() { u.Password, u.PreviousPassword = "", "" }

// values lists what an app holds, for the world to remember.
func (a *App) values() []string {
	out := []string{a.ClientSecret}
	for _, c := range slices.Concat(a.Secrets, a.ServicePrincipalSecrets, a.RemovedSecrets) {
		out = append(out, c.Value)
	}
	return out
}

func (v *validation) groupsAndRoles(s State) {
	for i, g := range s.Groups {
		at := v.entry("groups", i, g == nil)
		if g == nil {
			continue
		}
		v.unique("principal", at+".id", g.ID)
		v.need(at+".displayName", g.Name)
		v.refer("tenant", at+".tenantId", g.TenantID)
	}
	for i, g := range s.Groups {
		if g == nil {
			continue
		}
		for j, m := range g.Members {
			v.refer("principal", v.entry(v.entry("groups", i, false)+".members", j, false), m)
		}
	}
	for i, a := range s.Apps {
		if a == nil {
			continue
		}
		at := v.entry("apps", i, false)
		for j, o := range a.Owners {
			v.refer("principal", v.entry(at+".owners", j, false), o)
		}
		for j, r := range a.AppRoles {
			here := v.entry(at+".appRoles", j, r == nil)
			if r == nil {
				continue
			}
			v.need(here+".name", r.Name)
			for k, id := range r.Assigned {
				v.refer("principal", v.entry(here+".assigned", k, false), id)
			}
		}
		for j, o := range a.ServicePrincipalOwners {
			v.refer("principal", v.entry(at+".servicePrincipalOwners", j, false), o)
		}
		if a.SignInAudience != "" && !slices.Contains(SignInAudiences, a.SignInAudience) {
			v.bad(at+".signInAudience", "%q is not one of %s", a.SignInAudience, strings.Join(SignInAudiences, ", "))
		}
	}
	for i, a := range s.DirectoryRoleAssignments {
		at := v.entry("directoryRoleAssignments", i, a == nil)
		if a == nil {
			continue
		}
		v.unique("directory role assignment", at+".id", a.ID)
		v.refer("tenant", at+".tenantId", a.TenantID)
		v.need(at+".principalId", a.PrincipalID)
		if _, ok := DirectoryRoleByID(a.RoleID); v.need(at+".roleDefinitionId", a.RoleID) && !ok {
			v.bad(at+".roleDefinitionId", "%q is no directory role that the simulator knows", a.RoleID)
		}
	}
	for i, p := range s.AppManagementPolicies {
		at := v.entry("appManagementPolicies", i, p == nil)
		if p == nil {
			continue
		}
		v.unique("policy", at+".id", p.ID)
		v.refer("tenant", at+".tenantId", p.TenantID)
		for j, a := range p.Apps {
			v.refer("application", v.entry(at+".apps", j, false), a)
		}
	}
	for i, a := range s.DeletedApps {
		if at := v.entry("deletedApps", i, a == nil); a != nil {
			v.unique("application", at+".id", a.ID)
			v.refer("tenant", at+".tenantId", a.TenantID)
		}
	}
	for i, u := range s.DeletedUsers {
		if at := v.entry("deletedUsers", i, u == nil); u != nil {
			v.unique("principal", at+".id", u.ID)
			v.refer("tenant", at+".tenantId", u.TenantID)
		}
	}
}

// SignInAudiences are who an app can be for.
var SignInAudiences = []string{"AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"}

// Audience is who the app is for.
func (a *App) Audience() string {
	if a.SignInAudience == "" {
		return SignInAudiences[0]
	}
	return a.SignInAudience
}

// Personal says whether personal Microsoft accounts may sign in to the app.
func (a *App) Personal() bool { return strings.Contains(a.Audience(), "PersonalMicrosoftAccount") }
