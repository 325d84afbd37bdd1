package world

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Target is what a value is used against. The zero Target is "anything of this world that would take it".
type Target struct {
	// ClientID is an app registration's: the value is its client secret.
	ClientID string `json:"clientId,omitempty"`
	TenantID string `json:"tenantId,omitempty"`
	// Organization is an Azure DevOps organisation's name: the value is a PAT for it.
	Organization string `json:"organization,omitempty"`
	// User is a user principal name: the value is the password.
	User string `json:"user,omitempty"`
	// Secret is the id of a Key Vault secret: the value must be that of its newest version.
	Secret string `json:"vaultSecret,omitempty"`
}

// Attempt is how an attempt to use a value ended. It never holds the value.
type Attempt struct {
	Works bool
	// Why is what the service says to a value that does not work.
	Why string
}

func refused(format string, args ...any) Attempt { return Attempt{Why: fmt.Sprintf(format, args...)} }

var worked = Attempt{Works: true}

// Try says whether a value would be taken where it is used, in whatever region: what has not reached all of them, or
// was removed in one, is refused, since some use of it would be. It looks and changes nothing. Locked.
func (w *World) Try(value string, t Target) Attempt {
	switch {
	case value == "":
		return refused("there is no value")
	case t.ClientID != "":
		return w.tryClientSecret(value, t)
	case t.Organization != "":
		return w.tryPAT(value, t.Organization)
	case t.User != "":
		return w.tryPassword(value, t.User)
	case t.Secret != "":
		return w.tryNewest(value, t.Secret)
	}
	return w.tryAnything(value)
}

func (w *World) tryClientSecret(value string, t Target) Attempt {
	for _, a := range w.Apps {
		if !strings.EqualFold(a.ClientID, t.ClientID) || t.TenantID != "" && !strings.EqualFold(a.TenantID, w.tenantID(t.TenantID)) {
			continue
		}
		if a.Disabled {
			return refused("AADSTS7000112: Application '%s'(%s) is disabled.", a.ClientID, a.Name)
		}
		return w.tryApp(value, a)
	}
	return refused("AADSTS700016: Application with identifier '%s' was not found in the directory '%s'.", t.ClientID, cmp.Or(t.TenantID, "Contoso"))
}

// tenantID finds a tenant's id by its id or domain.
func (w *World) tenantID(name string) string {
	for _, t := range w.Tenants {
		if strings.EqualFold(t.Domain, name) {
			return t.ID
		}
	}
	return name
}

func (w *World) tryApp(value string, a *App) Attempt {
	now := w.Now()
	expired := false
	for _, s := range slices.Concat(a.Secrets, a.ServicePrincipalSecrets) {
		switch {
		case s.Value != value || now.Before(s.Start):
		case !s.End.IsZero() && !now.Before(s.End):
			expired = true
		case !s.Created.IsZero() && now.Before(s.Created.Add(time.Duration(w.Knobs.Entra.NewSecretDelay))):
		default:
			return worked
		}
	}
	if expired {
		return refused("AADSTS7000222: The provided client secret keys for app '%s' are expired.", a.ClientID)
	}
	return refused("AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", a.ClientID)
}

func (w *World) tryPAT(value, organization string) Attempt {
	for _, o := range w.Organizations {
		for _, p := range o.PATs {
			if p.Token != value || !p.AllOrgs && !strings.EqualFold(o.Name, organization) {
				continue
			}
			if !w.Alive(p) || !w.active(p.OwnerID) {
				return refused("TF400813: the personal access token has expired or was revoked")
			}
			return worked
		}
	}
	return refused("TF400813: no such personal access token for %s", organization)
}

func (w *World) active(user string) bool {
	for _, u := range w.Users {
		if strings.EqualFold(u.ID, user) {
			return !u.Disabled
		}
	}
	return false
}

// Alive says whether a PAT still authenticates, under the policies that hold now. Locked.
func (w *World) Alive(p *PAT) bool {
	k := w.Knobs.DevOps
	now := w.Now()
	if !now.Before(p.ValidTo) {
		return false
	}
	if !p.Revoked.IsZero() && !now.Before(p.Revoked.Add(time.Duration(k.RevokeLatency))) {
		return false
	}
	if p.AllOrgs && !now.Before(k.Retirement()) {
		return false
	}
	if idle := time.Duration(k.Inactivity); idle > 0 {
		used := p.ValidFrom
		if p.LastUsed.After(used) {
			used = p.LastUsed
		}
		return now.Before(used.Add(idle))
	}
	return true
}

// Retirement is when PATs for all organisations stop.
func (k DevOpsKnobs) Retirement() time.Time {
	if k.GlobalRetirement.IsZero() {
		return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	}
	return k.GlobalRetirement
}

func (w *World) tryPassword(value, upn string) Attempt {
	for _, u := range w.Users {
		if !strings.EqualFold(u.UPN, upn) {
			continue
		}
		switch {
		case u.Disabled:
			return refused("AADSTS50057: The user account is disabled.")
		case u.Password != value, !u.PasswordChanged.IsZero() && w.Now().Before(u.PasswordChanged.Add(time.Duration(w.Knobs.Entra.NewPasswordDelay))):
			return refused("AADSTS50126: Error validating credentials due to invalid username or password.")
		case u.PasswordExpired:
			return refused("AADSTS50055: The password is expired.")
		}
		return worked
	}
	return refused("AADSTS50034: The user account does not exist in the directory.")
}

func (w *World) tryNewest(value, id string) Attempt {
	_, v := w.SecretAt(id, w.Now())
	if v == nil || v.Value != value {
		return refused("it is not the newest version's")
	}
	return worked
}

// tryAnything looks for anything that would take the value.
func (w *World) tryAnything(value string) Attempt {
	for _, a := range w.Apps {
		if !a.Disabled && w.tryApp(value, a).Works {
			return worked
		}
	}
	for _, o := range w.Organizations {
		if w.tryPAT(value, o.Name).Works {
			return worked
		}
	}
	for _, u := range w.Users {
		if w.tryPassword(value, u.UPN).Works {
			return worked
		}
	}
	for _, v := range w.Vaults {
		for _, s := range v.Secrets {
			if n := len(s.Versions); n > 0 && s.Deleted.IsZero() && s.Versions[n-1].Value == value && !s.Versions[n-1].Disabled {
				return worked
			}
		}
	}
	return refused("nothing in this world takes it")
}

// SecretAt finds the version of a vault secret that its id (with a version or without one) named at a time; nil if
// there was none that could be read. Locked.
func (w *World) SecretAt(id string, at time.Time) (*Vault, *SecretVersion) {
	u, err := url.Parse(id)
	if err != nil {
		return nil, nil
	}
	vault, _, _ := strings.Cut(u.Hostname(), ".")
	path := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(path) < 2 || !strings.EqualFold(path[0], "secrets") {
		return nil, nil
	}
	for _, v := range w.Vaults {
		if !strings.EqualFold(v.Name, vault) {
			continue
		}
		for _, s := range v.Secrets {
			if !strings.EqualFold(s.Name, path[1]) || !s.Deleted.IsZero() {
				continue
			}
			for i := len(s.Versions) - 1; i >= 0; i-- {
				x := s.Versions[i]
				if len(path) > 2 && x.ID != path[2] || x.Created.After(at) {
					continue
				}
				if x.Disabled {
					return v, nil
				}
				return v, x
			}
		}
		return v, nil
	}
	return nil, nil
}

// Knows says whether a principal has any role at a subscription, above it or in it: it may sign in to it then.
// Locked.
func (w *World) Knows(principal, subscription string) bool {
	scope := "/subscriptions/" + subscription
	for _, a := range w.RoleAssignments {
		if a.Removed.IsZero() && strings.EqualFold(a.PrincipalID, principal) && (covers(a.Scope, scope) || covers(scope, a.Scope)) {
			return true
		}
	}
	return false
}
