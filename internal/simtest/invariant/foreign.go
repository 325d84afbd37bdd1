package invariant

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/consumer"
	"github.com/rekeyhq/rekey/sim/world"
)

// Bystanders are the tokens and secrets that are none of the product's business, by id.
type Bystanders struct {
	Tokens  map[string]world.PAT
	Secrets map[string]string // vault/name: its versions with all but their values
	// Tags are the foreign tags of the promised secrets when the product came, by secret.
	Tags map[string]map[string]string
	// Consumers are what no tell may change, by kind and then by name: see consumer.Kind.
	Consumers map[string]map[string]string
}

// BystandersOf takes down everything that nothing promised is about.
func BystandersOf(s *world.State, promises []Promise) Bystanders {
	b := Bystanders{Tokens: map[string]world.PAT{}, Secrets: map[string]string{}, Tags: map[string]map[string]string{}}
	b.fromApps(s, promises)
	b.Consumers = besideConsumers(s, promises)
	for _, o := range s.Organizations {
		for _, t := range o.PATs {
			ours := slices.ContainsFunc(promises, func(p Promise) bool {
				_, stamped := p.stampedFor(t.Name)
				return stamped && strings.EqualFold(p.Owner, t.OwnerID) && strings.EqualFold(p.Organization, o.Name)
			})
			if !ours {
				b.Tokens[t.AuthorizationID] = *t
			}
		}
	}
	for _, v := range s.Vaults {
		for _, x := range v.Secrets {
			b.Secrets[v.Name+"/"+x.Name] = digest(x)
		}
	}
	for _, p := range promises {
		name, _, _ := strings.Cut(p.Target.Vault, ".")
		delete(b.Secrets, name+"/"+p.Target.Name)
		for _, c := range p.Consumers { // a copy is told; what no tell may change of it is looked at with the consumers
			delete(b.Secrets, c.At)
		}
		if x := secretOf(s, p.Target); x != nil {
			b.Tags[p.Target.String()] = foreignTags(x)
		}
	}
	return b
}

// besideConsumers is all that no tell may change.
func besideConsumers(s *world.State, promises []Promise) map[string]map[string]string {
	told := map[string][]string{}
	for _, p := range promises {
		for _, c := range p.Consumers {
			told[c.Kind] = append(told[c.Kind], c.At)
		}
	}
	out := map[string]map[string]string{}
	for kind, at := range told {
		out[kind] = consumer.Of(kind).Rest(s, at)
	}
	return out
}

// fromApps adds what the promised applications have beside what is promised.
func (b Bystanders) fromApps(s *world.State, promises []Promise) {
	for _, p := range promises {
		if p.Kind != AppSecret && p.Kind != AppCertificate {
			continue
		}
		for _, t := range p.kind().all(s, p) {
			if _, stamped := p.stampedFor(t.Name); !stamped {
				b.Tokens[t.AuthorizationID] = *t
			}
		}
	}
}

func digest(x *world.Secret) string {
	var b strings.Builder
	for _, v := range x.Versions {
		fmt.Fprintf(&b, "%s %t %d %d", v.ID, v.Disabled, value(v.Expires), value(v.NotBefore))
		for _, k := range slices.Sorted(maps.Keys(v.Tags)) {
			b.WriteString(";" + k + "=" + v.Tags[k])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func foreignTags(x *world.Secret) map[string]string {
	return ForeignTags(x.Versions[len(x.Versions)-1].Tags)
}

// ForeignTags are tags without the record, and without the marks of consumers that can hold none.
func ForeignTags(tags map[string]string) map[string]string {
	out := maps.Clone(tags)
	maps.DeleteFunc(out, func(name, _ string) bool { return name == rotation.RecordTag || strings.HasPrefix(name, "rekey-told-") })
	return out
}

// Disabled is the reason in History.Excused of a version that a person disabled: nobody else may enable it.
const Disabled = "disabled it"

// Foreign holds as long as every bystander is what it was, and the foreign tags of a promised secret are copied from
// version to version.
var Foreign = Checker{
	Name:  "foreign",
	Holds: "nothing without our stamp is changed or revoked, and nothing that is stamped for another secret is touched",
	broken: func(h *History, report func(string, ...any)) {
		seen := map[string]bool{}
		for _, o := range h.State.Organizations {
			for _, t := range o.PATs {
				was, there := h.Foreign.Tokens[t.AuthorizationID]
				if seen[t.AuthorizationID] = true; there && h.Excused[t.AuthorizationID] == "" && was != *t {
					report("token %s (%s) is somebody else's and was changed", t.AuthorizationID, was.Name)
				}
			}
		}
		apps := Bystanders{Tokens: map[string]world.PAT{}}
		apps.fromApps(h.State, h.Promises)
		for id, t := range apps.Tokens {
			was, there := h.Foreign.Tokens[id]
			if seen[id] = true; there && h.Excused[id] == "" && was != t {
				report("credential %s (%s) of an application is somebody else's and was changed", id, was.Name)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(h.Foreign.Tokens)) {
			if !seen[id] {
				report("token %s (%s) is somebody else's and has gone", id, h.Foreign.Tokens[id].Name)
			}
		}
		for _, p := range h.Promises {
			for _, v := range h.scene(p).Versions {
				if h.Excused[v.ID] == Disabled && v.Enabled {
					report("%s: version %s was disabled by a person and is enabled again", p.Target, v.ID)
				}
			}
		}
		now := BystandersOf(h.State, h.Promises)
		for _, name := range slices.Sorted(maps.Keys(h.Foreign.Secrets)) {
			if now.Secrets[name] != h.Foreign.Secrets[name] {
				report("secret %s is somebody else's and was changed", name)
			}
		}
		for _, kind := range slices.Sorted(maps.Keys(h.Foreign.Consumers)) {
			for _, at := range slices.Sorted(maps.Keys(h.Foreign.Consumers[kind])) {
				if h.Excused[at] == "" && now.Consumers[kind][at] != h.Foreign.Consumers[kind][at] {
					report("%s %s: what is not the credential's was changed", kind, at)
				}
			}
		}
		for _, target := range slices.Sorted(maps.Keys(h.Foreign.Tags)) {
			tags, there := now.Tags[target]
			for _, k := range slices.Sorted(maps.Keys(h.Foreign.Tags[target])) {
				if there && h.Excused[target] == "" && tags[k] != h.Foreign.Tags[target][k] {
					report("secret %s lost its tag %s, or another value is in it", target, k)
				}
			}
		}
	},
}
