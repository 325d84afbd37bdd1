package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// Accounted are settings of what an account issues. Where the account's password is itself a credential of the
// manifest, what the account issues comes after it.
type Accounted interface {
	// UsesAccount is the account's name in the manifest.
	UsesAccount() string
}

// dependencies works out what each credential comes after, and refuses what could never begin.
func (k *checker) dependencies(all []subject) {
	byName, passwords := map[string]int{}, map[string]string{}
	var names []string
	for i, c := range k.m.Credentials {
		byName[c.Name] = i
		names = append(names, c.Name)
		if kind, ok := k.kinds[c.Kind]; ok && kind.Password {
			passwords[k.secretID(SecretRef(c.Store))] = c.Name
		}
	}
	for i := range k.m.Credentials {
		c := &k.m.Credentials[i]
		for n, name := range c.DependsOn {
			path := fmt.Sprintf("dependsOn[%d]", n)
			switch _, there := byName[name]; {
			case name == c.Name:
				k.fail(all[i], path, "it cannot depend on itself")
			case !there:
				k.fail(all[i], path, "no credential %s%s", quote(name), DidYouMean(name, names))
			default:
				c.After = append(c.After, name)
			}
		}
		if name := k.passwordOf(c, passwords); name != "" && name != c.Name && !slices.Contains(c.After, name) {
			c.After = append(c.After, name)
		}
	}
	k.cycles(all, byName)
}

// secretID is where a reference leads to, as owners have it; "" if that is not known.
func (k *checker) secretID(r SecretRef) string {
	host := k.host(r)
	if host == "" || r.Secret == "" {
		return ""
	}
	return host + "/" + strings.ToLower(r.Secret)
}

// passwordOf is the credential that is the password of the account that issues c; "" if there is none.
func (k *checker) passwordOf(c *Credential, passwords map[string]string) string {
	s, ok := c.Settings.(Accounted)
	if !ok {
		return ""
	}
	a, ok := k.m.Account(s.UsesAccount())
	if !ok || a.Password == nil {
		return ""
	}
	if id := k.secretID(*a.Password); id != "" {
		return passwords[id]
	}
	return ""
}

// cycles reports each circle of dependencies once, with its whole way, at the first of its credentials.
func (k *checker) cycles(all []subject, byName map[string]int) {
	const (
		unseen = iota
		open
		closed
	)
	state := make([]int, len(k.m.Credentials))
	var way []int
	// On a stack of our own: a manifest can have ten thousand in a row.
	type frame struct{ at, next int }
	for start := range state {
		if state[start] != unseen {
			continue
		}
		stack := []frame{{at: start}}
		state[start], way = open, []int{start}
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			after := k.m.Credentials[f.at].After
			if f.next == len(after) {
				state[f.at] = closed
				stack, way = stack[:len(stack)-1], way[:len(way)-1]
				continue
			}
			n := byName[after[f.next]]
			f.next++
			switch state[n] {
			case unseen:
				state[n] = open
				stack, way = append(stack, frame{at: n}), append(way, n)
			case open:
				k.circle(all, way[slices.Index(way, n):])
			}
		}
	}
}

// maxWay bounds what a message shows of a circle.
const maxWay = 10

func (k *checker) circle(all []subject, way []int) {
	first := 0
	for i, n := range way {
		if n < way[first] {
			first = i
		}
	}
	way = append(slices.Clone(way[first:]), way[:first]...)
	var names []string
	for i, n := range way {
		if i == maxWay {
			names = append(names, fmt.Sprintf("%d more", len(way)-i))
			break
		}
		names = append(names, k.m.Credentials[n].Name)
	}
	names = append(names, k.m.Credentials[way[0]].Name)
	k.fail(all[way[0]], "dependsOn", "it depends on itself, so nothing of this could begin: %s", strings.Join(names, " -> "))
}
