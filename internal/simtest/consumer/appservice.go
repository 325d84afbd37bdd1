package consumer

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const appSetting = "Credential"

// appService is an app whose setting refers to the credential's own secret. Its mark is a tag of that secret. Where App
// Service never reads the vault by itself and says nothing of versions, what an app holds is what a refresh brought.
var appService = Kind{
	Name: "appService", Make: makeApp,
	Operation: func(r *http.Request) string {
		_, rest := appIn(r)
		switch method, below, ok := strings.Cut(r.Method+" "+rest, " config/configreferences/appsettings"); {
		case !ok:
			return ""
		case method == "GET" && below == "":
			return "GetKeyVaultReferences"
		case method == "POST" && below == "/refresh":
			return "RefreshKeyVaultReferences"
		}
		return ""
	},
	Looks: []string{"GetKeyVaultReferences"}, Tells: []string{"RefreshKeyVaultReferences"}, MarksSecret: true,
	About: func(r *http.Request) string { at, _ := appIn(r); return at },
	Holds: func(w *world.World, at string) Holding {
		w.SettleSites()
		x := appAt(&w.State, at)
		if x == nil {
			return Holding{}
		}
		h := Holding{There: true, Value: x.Resolved[appSetting].Value, Since: x.Resolved[appSetting].Since}
		if v := markedVersion(&w.State, x); v != nil {
			f := strings.Fields(v.Tags[toldTag(x)])
			// One that came along when a person published an older version again is of another version, and says nothing.
			if len(f) == 4 && (strings.HasPrefix(v.ID, f[3]) || !strings.Contains(v.Tags["rekey"], f[0])) {
				h.Publication, h.Told = marked(f[0] + " " + f[1])
			}
		}
		return h
	},
	Put: func(s *world.State, at, value string) {
		x := appAt(s, at)
		r := x.Resolved[appSetting]
		r.Value = value
		x.Resolved[appSetting] = r
	},
	Remove: func(s *world.State, at string) func(*world.State) {
		gone := appAt(s, at)
		s.Sites = slices.DeleteFunc(slices.Clone(s.Sites), func(x *world.Site) bool { return x == gone })
		return func(s *world.State) { s.Sites = append(s.Sites, gone) }
	},
	Unmark: func(s *world.State, at string) {
		x := appAt(s, at)
		if v := markedVersion(s, x); v != nil {
			delete(v.Tags, toldTag(x))
		}
	},
	Rest: func(s *world.State, _ []string) map[string]string {
		out := map[string]string{}
		for _, x := range s.Sites {
			y := *x
			y.Resolved, y.Fetched, y.Due = nil, time.Time{}, time.Time{}
			out[strings.ToLower(x.ResourceID())] = digest(y)
		}
		return out
	},
}

// makeApp adds an app of which Rekey is a contributor, and that may read what vaults hold.
func makeApp(s *world.State, m Making) One {
	name := fmt.Sprintf("app-%d", m.N)
	reader := &world.ManagedIdentity{ID: "e3e3e3e3-0000-4000-8000-" + tail("appService", m.N), ClientID: "e4e4e4e4-0000-4000-8000-" + tail("appService", m.N), TenantID: world.TenantID, Name: name, Secret: "Mi." + world.Canary + "." + name}
	s.ManagedIdentities = append(s.ManagedIdentities, reader)
	x := &world.Site{Name: name, SubscriptionID: world.SubscriptionID, ResourceGroup: world.ResourceGroupApps, Location: "westeurope", Kind: "app", IdentityID: reader.ID,
		Settings: map[string]string{appSetting: "@Microsoft.KeyVault(SecretUri=" + m.Secret + ")", "Color": "red"}, Uses: map[string]world.Target{appSetting: m.Use},
		Resolved: map[string]world.Resolved{appSetting: {Value: m.Value, Status: "Resolved"}}}
	other := *x
	other.Name, other.Settings, other.Uses, other.Resolved = "other-"+name, maps.Clone(x.Settings), maps.Clone(x.Uses), maps.Clone(x.Resolved)
	s.Sites = append(s.Sites, x, &other)
	s.Knobs.AppService.KeptFor = world.Duration(200 * 365 * 24 * time.Hour)
	s.RoleAssignments = append(s.RoleAssignments, assigned(m, world.RoleWebsiteContributor, x.ResourceID(), m.Rekey, 200),
		assigned(m, world.RoleKeyVaultUser, "/subscriptions/"+world.SubscriptionID, reader.ID, 201))
	return One{Kind: "appService", ID: name, At: strings.ToLower(x.ResourceID()), Cache: time.Hour, Block: "appService: {app: " + x.ResourceID() + "}"}
}

func toldTag(x *world.Site) string { return "rekey-told-" + x.Name }

// markedVersion is the newest version of the secret that an app refers to; nil if there is none.
func markedVersion(s *world.State, x *world.Site) *world.SecretVersion {
	r, _ := world.ReferenceIn(x.Settings[appSetting])
	if secret := secretAt(s, strings.ToLower(r.Vault)+"/"+r.Secret); secret != nil {
		return secret.Versions[len(secret.Versions)-1]
	}
	return nil
}

func appAt(s *world.State, at string) *world.Site {
	for _, x := range s.Sites {
		if strings.EqualFold(x.ResourceID(), at) {
			return x
		}
	}
	return nil
}

// appIn is the app that a request is about, and what follows it in the path.
func appIn(r *http.Request) (at, rest string) {
	const provider = "/providers/microsoft.web/sites/"
	path := strings.ToLower(r.URL.Path)
	before, after, ok := strings.Cut(path, provider)
	if r.URL.Host != manager || !ok {
		return "", ""
	}
	name, rest, _ := strings.Cut(after, "/")
	return before + provider + name, rest
}
