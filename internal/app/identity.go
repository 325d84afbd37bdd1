package app

import "github.com/rekeyhq/rekey/internal/manifest"

// Identity is who runs.
type Identity struct {
	Kind string // as the manifest names it
	// Verified says that the ids are of a token that the identity platform has issued; else the manifest says them.
	Verified                   bool
	ClientID, ObjectID, Tenant string
}

// Identity says who has signed in so far, and if nobody has, who the manifest names.
func (a *App) Identity() Identity {
	i := a.cred.Identity()
	out := Identity{Kind: i.Kind, Verified: i.ClientID != "" || i.ObjectID != "", ClientID: i.ClientID, ObjectID: i.ObjectID, Tenant: i.Tenant}
	if !out.Verified {
		out.ClientID, out.Tenant = clientID(a.cfg.Manifest.Identity), a.cfg.Manifest.Tenant
	}
	return out
}

// clientID is the manifest's, "" where it names none.
func clientID(i manifest.Identity) string {
	switch {
	case i.ManagedIdentity != nil:
		return i.ManagedIdentity.ClientID
	case i.WorkloadIdentity != nil:
		return i.WorkloadIdentity.ClientID
	case i.GitHubOIDC != nil:
		return i.GitHubOIDC.ClientID
	case i.AzurePipelines != nil:
		return i.AzurePipelines.ClientID
	case i.ClientCertificate != nil:
		return i.ClientCertificate.ClientID
	case i.ClientSecret != nil:
		return i.ClientSecret.ClientID
	}
	return ""
}
