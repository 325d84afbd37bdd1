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

const (
	copyVault = "kv-rekey"
	copyTag   = "rekey-copy"
)

// copied is a copy of the value in another vault. Its calls are a vault's own, and are told from the store's by their
// address. That it is compared with the original is no call of its own, so here it counts as one that cannot be tried.
var copied = Kind{
	Name: "copy", Make: makeCopy, Operation: func(*http.Request) string { return "" },
	Looks: []string{"GetSecret"}, Tells: []string{"SetSecret"},
	About: func(r *http.Request) string {
		vault, ours := strings.CutSuffix(r.URL.Host, ".vault.azure.net")
		if parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); ours && len(parts) > 1 && parts[0] == "secrets" {
			return strings.ToLower(vault + "/" + parts[1])
		}
		return ""
	},
	Holds: func(w *world.World, at string) Holding {
		v := newestAt(&w.State, at)
		if v == nil || v.Disabled {
			return Holding{}
		}
		h := Holding{There: true, Value: v.Value}
		if mark, _, marked := strings.Cut(v.Tags[copyTag], " "); marked {
			h.Publication, h.Told = mark, v.Created
		}
		return h
	},
	// A person's script that writes a new version takes the tags along.
	Put: func(s *world.State, at, value string) {
		x := secretAt(s, at)
		last := *x.Versions[len(x.Versions)-1]
		last.ID, last.Value, last.Tags = fmt.Sprintf("%032x", 0xc0b1e5+len(x.Versions)), value, maps.Clone(last.Tags)
		x.Versions = append(x.Versions, &last)
	},
	Remove: func(s *world.State, at string) func(*world.State) {
		x := secretAt(s, at)
		x.Deleted = time.Now()
		return func(s *world.State) {
			if x := secretOf(s, at, true); x != nil { // else the service has purged it, by a date that is too old
				x.Deleted = time.Time{}
			}
		}
	},
	Unmark: func(s *world.State, at string) { delete(newestAt(s, at).Tags, copyTag) },
	Rest: func(s *world.State, told []string) map[string]string {
		out := map[string]string{}
		for _, v := range s.Vaults {
			for _, x := range v.Secrets {
				at := strings.ToLower(v.Name + "/" + x.Name)
				if !strings.Contains(x.Name, "copy-") || !x.Deleted.IsZero() {
					continue
				}
				out[at] = digest(x)
				if slices.Contains(told, at) {
					tags := maps.Clone(x.Versions[len(x.Versions)-1].Tags)
					delete(tags, copyTag)
					out[at] = digest(tags)
				}
			}
		}
		return out
	},
}

// makeCopy puts a secret that somebody wrote where the copy is to be, which the manifest says may be written over.
func makeCopy(s *world.State, m Making) One {
	name := fmt.Sprintf("copy-%d", m.N)
	v := s.Vaults[slices.IndexFunc(s.Vaults, func(v *world.Vault) bool { return v.Name == copyVault })]
	for i, n := range []string{name, "other-" + name} {
		v.Secrets = append(v.Secrets, &world.Secret{Name: n, Versions: []*world.SecretVersion{{
			ID: fmt.Sprintf("c0b1e5c0b1e5c0b1e5c0b1e5c0b1%04x", 2*m.N+i), Value: m.Value, Created: m.At, Updated: m.At, Tags: map[string]string{"owner": "a team"},
		}}})
	}
	return One{Kind: "copy", ID: name, At: copyVault + "/" + name, Cache: time.Hour,
		Block: fmt.Sprintf("copy: {vault: rekey, secret: %s, adopt: true}", name)}
}

func secretAt(s *world.State, at string) *world.Secret { return secretOf(s, at, false) }

// secretOf finds a secret, or with deleted the one of that name that was.
func secretOf(s *world.State, at string, deleted bool) *world.Secret {
	vault, name, _ := strings.Cut(at, "/")
	for _, v := range s.Vaults {
		for _, x := range v.Secrets {
			if v.Name == vault && strings.EqualFold(x.Name, name) && x.Deleted.IsZero() != deleted {
				return x
			}
		}
	}
	return nil
}

func newestAt(s *world.State, at string) *world.SecretVersion {
	x := secretAt(s, at)
	if x == nil {
		return nil
	}
	return x.Versions[len(x.Versions)-1]
}
