package world

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Site is an app of App Service or Functions, or one of its deployment slots, which has settings of its own.
type Site struct {
	Name           string `json:"name"`
	Slot           string `json:"slot,omitempty"`
	SubscriptionID string `json:"subscriptionId"`
	ResourceGroup  string `json:"resourceGroup"`
	Location       string `json:"location"`
	Kind           string `json:"kind,omitempty"` // app, functionapp ...
	// IdentityID is the object id of its managed identity, which its references are resolved as; "" is none.
	IdentityID string            `json:"identityId,omitempty"`
	Settings   map[string]string `json:"appSettings,omitempty"`
	// Uses are what the app uses settings against, by name: those settings are secrets.
	Uses map[string]Target `json:"uses,omitempty"`
	// Resolved is what its references came to when they were Fetched, which is what the app goes on with.
	Resolved map[string]Resolved `json:"resolved,omitempty"`
	Fetched  time.Time           `json:"fetched,omitzero"`
	// Due is when a refresh that was asked for is done.
	Due time.Time `json:"due,omitzero"`
}

// Resolved is what one reference came to.
type Resolved struct {
	Value   string `json:"value,omitempty"`
	Version string `json:"version,omitempty"`
	Status  string `json:"status"`
	// Since is when it came to that value.
	Since time.Time `json:"since,omitzero"`
}

// SitesKept is how long App Service goes on with what it fetched, unless it is asked to refresh.
const SitesKept = 24 * time.Hour

// ResourceID is the app's ARM id, or the slot's.
func (s *Site) ResourceID() string {
	id := "/subscriptions/" + s.SubscriptionID + "/resourceGroups/" + s.ResourceGroup + "/providers/Microsoft.Web/sites/" + s.Name
	if s.Slot != "" {
		id += "/slots/" + s.Slot
	}
	return id
}

// Site finds an app; with a slot, that slot of it.
func (w *World) Site(subscription, group, name, slot string) *Site {
	for _, s := range w.Sites {
		if strings.EqualFold(s.SubscriptionID, subscription) && strings.EqualFold(s.ResourceGroup, group) && strings.EqualFold(s.Name, name) && strings.EqualFold(s.Slot, slot) {
			return s
		}
	}
	return nil
}

// Reference is a setting's value that names a secret of a vault in place of one. Fields are "" for what it does not
// say; one that nothing can be made of has none.
type Reference struct{ Vault, Secret, Version string }

var (
	referenceForm = regexp.MustCompile(`(?is)^\s*@Microsoft\.KeyVault\((.*)\)\s*$`)
	secretURI     = regexp.MustCompile(`(?i)^https://([a-z0-9-]+)\.vault\.[a-z0-9.-]+/secrets/([0-9a-z-]+)/?([0-9a-z]*)/?$`)
)

// ReferenceIn reads a setting's value; ok is false for one that is no reference.
func ReferenceIn(value string) (r Reference, ok bool) {
	m := referenceForm.FindStringSubmatch(value)
	if m == nil {
		return r, false
	}
	for part := range strings.SplitSeq(m[1], ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch v = strings.TrimSpace(v); strings.ToLower(strings.TrimSpace(name)) {
		case "secreturi":
			if u := secretURI.FindStringSubmatch(v); u != nil {
				r = Reference{u[1], u[2], u[3]}
			}
		case "vaultname":
			r.Vault = v
		case "secretname":
			r.Secret = v
		case "secretversion":
			r.Version = v
		}
	}
	if r.Vault == "" || r.Secret == "" {
		return Reference{}, true
	}
	return r, true
}

// SettleSites brings the references of all apps to where they are by now. Locked.
func (w *World) SettleSites() {
	for _, s := range w.Sites {
		w.settleSite(s, w.Now())
	}
}

func (w *World) settleSite(s *Site, now time.Time) {
	kept := cmp.Or(time.Duration(w.Knobs.AppService.KeptFor), SitesKept)
	switch {
	case !s.Fetched.IsZero():
	case len(s.Resolved) > 0:
		s.Fetched = now // as the world's file has it
	default:
		w.Fetch(s, now)
	}
	if !s.Due.IsZero() && !now.Before(s.Due) {
		w.Fetch(s, s.Due)
	}
	if n := now.Sub(s.Fetched) / kept; n > 0 {
		w.Fetch(s, s.Fetched.Add(n*kept))
	}
}

// Fetch resolves all references of an app with the vaults as they were at a time. Locked.
func (w *World) Fetch(s *Site, at time.Time) {
	before := s.Resolved
	s.Resolved, s.Fetched, s.Due = map[string]Resolved{}, at, time.Time{}
	for name, setting := range s.Settings {
		if r, ok := ReferenceIn(setting); ok {
			x := w.resolve(s, r, at)
			if x.Status != "Resolved" {
				x.Value = setting // what the app is given then is the reference itself
			}
			if x.Since = at; before[name].Value == x.Value {
				x.Since = before[name].Since
			}
			s.Resolved[name] = x
		}
	}
}

// resolve is what one reference comes to, with the words of Microsoft's ResolveStatus.
func (w *World) resolve(s *Site, r Reference, at time.Time) Resolved {
	if r.Vault == "" {
		return Resolved{Status: "InvalidSyntax"}
	}
	if s.IdentityID == "" {
		return Resolved{Status: "MSINotEnabled"}
	}
	id := "https://" + r.Vault + ".vault.azure.net/secrets/" + r.Secret
	if r.Version != "" {
		id += "/" + r.Version
	}
	v, x := w.SecretAt(id, at)
	switch {
	case v == nil:
		return Resolved{Status: "VaultNotFound"}
	case !w.AllowedData(s.IdentityID, "Microsoft.KeyVault/vaults/secrets/getSecret/action", v.ResourceID()+"/secrets/"+r.Secret):
		return Resolved{Status: "AccessToKeyVaultDenied"}
	case x == nil && r.Version != "":
		return Resolved{Status: "SecretVersionNotFound"}
	case x == nil:
		return Resolved{Status: "SecretNotFound"}
	}
	return Resolved{Value: x.Value, Version: x.ID, Status: "Resolved"}
}

// holdings are what the app was given for its references, and its settings that are secrets besides.
func (s *Site) holdings() []Holding {
	var out []Holding
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		use, used := s.Uses[name]
		value := s.Settings[name]
		if _, reference := ReferenceIn(value); reference {
			value, used = s.Resolved[name].Value, true
		}
		if used {
			out = append(out, Holding{"app-service", s.ResourceID(), name, value, use})
		}
	}
	return out
}

// each calls f with every secret value of the app, and keeps what f returns.
func (s *Site) each(f func(string) string) {
	for name, x := range s.Resolved {
		if x.Status == "Resolved" {
			x.Value = f(x.Value)
			s.Resolved[name] = x
		}
	}
	for name := range s.Uses {
		if v := s.Settings[name]; v != "" {
			if _, reference := ReferenceIn(v); !reference {
				s.Settings[name] = f(v)
			}
		}
	}
}

func (s *Site) detach() {
	s.Settings, s.Uses, s.Resolved = maps.Clone(s.Settings), maps.Clone(s.Uses), maps.Clone(s.Resolved)
}
