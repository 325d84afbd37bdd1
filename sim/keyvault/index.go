package keyvault

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// index finds a vault's secrets by name and in the order of lists. It follows the world's state: it is built again
// when the state was changed by another hand (a secret added or removed at the end), and kept up by this package's
// own changes otherwise.
type index struct {
	vault  *world.Vault
	size   int
	last   *world.Secret
	byName map[string]*entry
	sorted []*entry // by key
}

type entry struct {
	key      string // lower-case name
	secret   *world.Secret
	versions []*world.SecretVersion
}

func (s *Service) indexOf(v *world.Vault) *index {
	x := s.indexes[v]
	if x == nil {
		x = &index{vault: v}
		s.indexes[v] = x
	}
	if x.byName == nil || x.size != len(v.Secrets) || x.last != lastOf(v.Secrets) {
		x.build()
	}
	return x
}

func (x *index) build() {
	x.byName = make(map[string]*entry, len(x.vault.Secrets))
	x.sorted = x.sorted[:0]
	for _, s := range x.vault.Secrets {
		e := &entry{key: strings.ToLower(s.Name), secret: s}
		if len(s.Versions) > 0 && x.byName[e.key] == nil {
			x.byName[e.key] = e
			x.sorted = append(x.sorted, e)
		}
	}
	slices.SortFunc(x.sorted, func(a, b *entry) int { return cmp.Compare(a.key, b.key) })
	x.noteState()
}

func (x *index) noteState() { x.size, x.last = len(x.vault.Secrets), lastOf(x.vault.Secrets) }

func lastOf(s []*world.Secret) *world.Secret {
	if len(s) == 0 {
		return nil
	}
	return s[len(s)-1]
}

func (x *index) add(s *world.Secret) {
	x.vault.Secrets = append(x.vault.Secrets, s)
	e := &entry{key: strings.ToLower(s.Name), secret: s}
	x.byName[e.key] = e
	x.sorted = slices.Insert(x.sorted, x.after(e.key), e)
	x.noteState()
}

func (x *index) remove(e *entry) {
	i := slices.Index(x.vault.Secrets, e.secret)
	x.vault.Secrets = slices.Delete(x.vault.Secrets, i, i+1)
	delete(x.byName, e.key)
	i = x.after(e.key) - 1
	x.sorted = slices.Delete(x.sorted, i, i+1)
	x.noteState()
}

// after is the place in sorted behind every key up to and including key.
func (x *index) after(key string) int {
	i, found := slices.BinarySearchFunc(x.sorted, key, func(e *entry, k string) int { return cmp.Compare(e.key, k) })
	if found {
		i++
	}
	return i
}

// byID are the versions in the order of lists, which is that of their ids: to a client, no order at all.
func (e *entry) byID() []*world.SecretVersion {
	if len(e.versions) != len(e.secret.Versions) {
		e.versions = slices.Clone(e.secret.Versions)
		slices.SortFunc(e.versions, func(a, b *world.SecretVersion) int { return cmp.Compare(a.ID, b.ID) })
	}
	return e.versions
}

// version finds a version by its id, or the newest one for "".
func (e *entry) version(id string) *world.SecretVersion {
	if id == "" {
		return e.secret.Versions[len(e.secret.Versions)-1]
	}
	vs := e.byID()
	i, found := slices.BinarySearchFunc(vs, strings.ToLower(id), func(v *world.SecretVersion, id string) int { return cmp.Compare(v.ID, id) })
	if !found {
		return nil
	}
	return vs[i]
}
