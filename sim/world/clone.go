package world

import (
	"maps"
	"slices"
)

// Clone is a copy that shares nothing with s that either could change: a world can be kept, and gone on with twice.
func (s State) Clone() State {
	s.Tenants = cloneAll(s.Tenants, nil)
	s.Users = cloneAll(s.Users, nil)
	s.Apps = cloneAll(s.Apps, (*App).detach)
	s.Directory = s.Directory.clone()
	s.ManagedIdentities = cloneAll(s.ManagedIdentities, func(m *ManagedIdentity) {
		m.ApplicationPermissions = slices.Clone(m.ApplicationPermissions)
	})
	s.Subscriptions = cloneAll(s.Subscriptions, func(x *Subscription) { x.ResourceGroups = slices.Clone(x.ResourceGroups) })
	s.Vaults = cloneAll(s.Vaults, func(v *Vault) {
		v.Secrets = cloneAll(v.Secrets, func(x *Secret) { x.Versions = cloneAll(x.Versions, (*SecretVersion).detach) })
	})
	s.RoleAssignments = cloneAll(s.RoleAssignments, func(a *RoleAssignment) {
		a.Description, a.Condition, a.ConditionVer = clonePointer(a.Description), clonePointer(a.Condition), clonePointer(a.ConditionVer)
	})
	s.Organizations = cloneAll(s.Organizations, func(o *Organization) {
		o.Members = slices.Clone(o.Members)
		o.Projects = cloneAll(o.Projects, func(p *Project) { p.Administrators = slices.Clone(p.Administrators) })
		o.PATs = cloneAll(o.PATs, nil)
		o.detach()
	})
	s.Consumers = s.Consumers.clone()
	s.PIM = s.PIM.clone()
	s.Storage = s.Storage.clone()
	s.Knobs.Automation.DeadWorkers = slices.Clone(s.Knobs.Automation.DeadWorkers)
	s.Knobs.DevOps.ClampUpdateToCreation = clonePointer(s.Knobs.DevOps.ClampUpdateToCreation)
	return s
}

func (a *App) detach() {
	certificate := func(c *KeyCredential) { c.DER = slices.Clone(c.DER) }
	a.RedirectURIs = slices.Clone(a.RedirectURIs)
	a.Secrets = cloneAll(a.Secrets, nil)
	a.Certificates = cloneAll(a.Certificates, certificate)
	a.FederatedCredentials = cloneAll(a.FederatedCredentials, func(f *FederatedCredential) { f.Audiences = slices.Clone(f.Audiences) })
	a.ApplicationPermissions = slices.Clone(a.ApplicationPermissions)
	a.DelegatedPermissions = maps.Clone(a.DelegatedPermissions)
	for k, v := range a.DelegatedPermissions {
		a.DelegatedPermissions[k] = slices.Clone(v)
	}
	a.Owners = slices.Clone(a.Owners)
	a.AppRoles = cloneAll(a.AppRoles, func(r *AppRole) { r.Assigned = slices.Clone(r.Assigned) })
	a.ServicePrincipalOwners = slices.Clone(a.ServicePrincipalOwners)
	a.ServicePrincipalSecrets = cloneAll(a.ServicePrincipalSecrets, nil)
	a.ServicePrincipalCertificates = cloneAll(a.ServicePrincipalCertificates, certificate)
	a.RemovedSecrets = cloneAll(a.RemovedSecrets, nil)
	a.RemovedCertificates = cloneAll(a.RemovedCertificates, certificate)
}

func (v *SecretVersion) detach() {
	v.ContentType, v.NotBefore, v.Expires = clonePointer(v.ContentType), clonePointer(v.NotBefore), clonePointer(v.Expires)
	v.Tags = maps.Clone(v.Tags)
}

// cloneAll copies a list and what it points to; detach then copies what those share with their originals.
func cloneAll[T any](list []*T, detach func(*T)) []*T {
	if list == nil {
		return nil
	}
	out := make([]*T, len(list))
	for i, p := range list {
		c := *p
		if detach != nil {
			detach(&c)
		}
		out[i] = &c
	}
	return out
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
