package manifest

import (
	"maps"
	"slices"
	"strings"
)

// template is what the secrets of a block that stands for many credentials are called: what comes before the first
// place, and what comes after the last one.
type template struct {
	s                   subject
	host, before, after string
}

// template checks the name of a credential's secret, or the template of a block's.
func (k *checker) template(s subject, c *Credential, kind Kind) {
	name := c.Store.Secret
	if len(kind.Places) == 0 {
		if strings.Contains(name, "{") {
			k.fail(s, "store.secret", "%s is one credential, so its secret has a name and no template", quote(c.Kind))
		}
		return
	}
	if name != "" && strings.Count(name, kind.Places[0]) != 1 {
		k.fail(s, "store.secret", "%s stands for many credentials, so the names of their secrets need %s once, as in pat-%s", quote(c.Kind), kind.Places[0], kind.Places[0])
		return
	}
	for _, p := range kind.Places[1:] {
		if strings.Count(name, p) > 1 {
			k.fail(s, "store.secret", "%s is there twice", p)
		}
	}
	if len(c.Consumers) > 0 {
		k.fail(s, "consumers", "%s stands for many credentials, and a consumer uses one: give that one a credential of its own", quote(c.Kind))
	}
	host := k.host(SecretRef(c.Store))
	if host == "" || name == "" {
		return
	}
	name = strings.ToLower(name)
	k.templates = append(k.templates, template{s: s, host: host, before: name[:strings.Index(name, "{")], after: name[strings.LastIndex(name, "}")+1:]})
}

// allTemplates refuses what could become the same secret twice, without knowing what there is to name.
func (k *checker) allTemplates() {
	for i, t := range k.templates {
		for _, o := range k.templates[:i] {
			if t.host == o.host && begins(t.before, o.before) && begins(reversed(t.after), reversed(o.after)) {
				k.fail(t.s, "store.secret", "its secrets could have the same names as those of %s on line %d", o.s.at.String(), o.s.node.key.line)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(k.owners)) {
			host, name, _ := strings.Cut(id, "/")
			of := k.owners[id]
			if host == t.host && !strings.Contains(name, "{") && len(name) > len(t.before)+len(t.after) && strings.HasPrefix(name, t.before) && strings.HasSuffix(name, t.after) {
				k.fail(t.s, "store.secret", "one of its secrets could be %s, which is that of %s on line %d, column %d", quote(name), of.what, of.at.line, of.at.col)
			}
		}
	}
}

// begins says whether one of two texts begins with the other.
func begins(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
