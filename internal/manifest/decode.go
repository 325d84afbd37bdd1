package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder fills structs from the tree. What it cannot fill stays zero and was reported.
type decoder struct {
	c                  *collector
	issuers, consumers []Kind
	// known are the names of accounts, vaults, brokers and elevations; no entry: they could not be read, so no name is wrong.
	known map[string][]string
	// steps bounds what aliases multiply.
	steps int
}

func decode(c *collector, m *Manifest, root *node, kinds []Kind) {
	d := &decoder{c: c, issuers: of(false, kinds), consumers: of(true, kinds), known: map[string][]string{}}
	for _, section := range []string{"accounts", "vaults", "brokers", "elevations"} {
		switch e := root.get(section); {
		case e != nil && e.value.real().shape == mapping:
			d.known[section] = e.value.keys()
		case e == nil && !root.broken:
			d.known[section] = []string{}
		}
	}
	d.fill(reflect.ValueOf(m).Elem(), root, nil, root)
	m.accounts, m.vaults = map[string]int{}, map[string]int{}
	for i, a := range m.Accounts {
		m.accounts[a.Name] = i
	}
	for i, v := range m.Vaults {
		m.vaults[v.Name] = i
	}
}

// at reports a problem where n is.
func (d *decoder) at(n *node, p *place, text, suggestion, format string, args ...any) {
	d.c.add(Problem{Line: int(n.line), Column: int(n.col), Path: p.String(), Text: text, Suggestion: suggestion,
		Message: fmt.Sprintf(format, args...)})
}

// fill decodes a mapping into a struct. key is where the mapping is named: what is missing is reported there.
func (d *decoder) fill(v reflect.Value, n *node, p *place, key *node) {
	fs := fieldsOf(v.Type())
	chosen := d.choice(v.Addr().Interface())
	r := n.real()
	set := make(map[string]*entry, len(r.entries))
	meant := map[string]bool{}
	for i := range r.entries {
		e := &r.entries[i]
		here := &place{up: p, key: e.key.text}
		if j := slices.IndexFunc(fs, func(f field) bool { return f.name == e.key.text }); j >= 0 {
			set[e.key.text] = e
			d.field(v.Field(fs[j].index), &fs[j], e, here)
			continue
		}
		among := names(fs)
		if chosen != nil {
			if d.settings(chosen, e, here) {
				continue
			}
			for _, k := range chosen.kinds {
				among = append(among, k.Name)
			}
		}
		near := ""
		if !d.c.full() {
			near = Nearest(e.key.text, among)
			meant[near] = true
		}
		d.at(e.key, here, e.key.text, near, "unknown key %s", quote(e.key.text))
	}
	for i := range fs {
		f := &fs[i]
		if set[f.name] != nil {
			continue
		}
		if f.required && !meant[f.name] && !r.broken {
			d.at(key, p, "", "", "%s is missing", quote(f.name))
		}
		setDefault(v.Field(f.index), f)
	}
	d.groups(fs, set, meant, p, key)
	if chosen != nil && *chosen.kind == "" && !slices.ContainsFunc(chosen.kinds, func(k Kind) bool { return meant[k.Name] }) {
		d.at(key, p, "", "", "no %s: one of these is missing: %s", chosen.part, kindNames(chosen.kinds))
	}
}

// choice is a struct of which one key is the name of a kind.
type choice struct {
	what, part string // "credential", and what the kind is of: "issuer"
	kinds      []Kind
	kind       *string
	settings   *Settings
}

func (d *decoder) choice(v any) *choice {
	switch x := v.(type) {
	case *Credential:
		return &choice{"credential", "issuer", d.issuers, &x.Kind, &x.Settings}
	case *Consumer:
		return &choice{"consumer", "kind of consumer", d.consumers, &x.Kind, &x.Settings}
	}
	return nil
}

// settings decodes the block of a kind, and says whether the key names one.
func (d *decoder) settings(c *choice, e *entry, p *place) bool {
	i := slices.IndexFunc(c.kinds, func(k Kind) bool { return k.Name == e.key.text })
	if i < 0 {
		return false
	}
	if *c.kind != "" {
		d.at(e.key, p, e.key.text, "", "a %s is one thing: %s is here already", c.what, quote(*c.kind))
		return true
	}
	*c.kind, *c.settings = e.key.text, c.kinds[i].New()
	if d.is(mapping, e.value, p, e.key) {
		d.fill(reflect.ValueOf(*c.settings).Elem(), e.value, p, e.key)
	}
	return true
}

// is checks the shape of a value. A scalar where a mapping belongs is not repeated: it may be a password.
func (d *decoder) is(want shape, n *node, p *place, key *node) bool {
	switch got := n.real().shape; {
	case got == want:
		return true
	case got == absent:
	case got == null:
		empty := map[shape]string{mapping: ": write {} if it has no settings", list: ": write [] for none"}[want]
		d.at(key, p, "", "", "%s has no value%s", quote(key.text), empty)
	default:
		d.at(n, p, "", "", "expected %s, found %s", want, got)
	}
	return false
}

// over counts what is about to be decoded, and says whether aliases have made too much of it.
func (d *decoder) over(n int, at *node, p *place) bool {
	before := d.steps
	if before <= maxNodes {
		d.steps += n
	}
	if before <= maxNodes && d.steps > maxNodes {
		d.at(at, p, "", "", "aliases make more than %d values", maxNodes)
	}
	return d.steps > maxNodes
}

func (d *decoder) field(v reflect.Value, f *field, e *entry, p *place) {
	if d.over(1, e.key, p) {
		return
	}
	if f.pointer {
		v.Set(reflect.New(f.typ))
		v = v.Elem()
	}
	n := e.value
	switch {
	case f.typ == durationType:
		d.duration(v, n, p, e.key)
	case f.typ == setType:
		d.set(v, n, p, e.key)
	case f.typ == argvType:
		d.argv(v, n, p, e.key)
	case f.typ == tagsType:
		d.tags(v, n, p, e.key)
	case f.listed():
		d.listed(v, n, p, e.key)
	case f.typ.Kind() == reflect.Slice:
		d.named(v, f, n, p, e.key)
	case f.short != "" && n.real().shape != mapping:
		fs := fieldsOf(f.typ)
		i := slices.IndexFunc(fs, func(x field) bool { return x.name == f.short })
		d.text(v.Field(fs[i].index), &fs[i], n, p, e.key)
	case f.typ.Kind() == reflect.Struct:
		if d.is(mapping, n, p, e.key) {
			d.fill(v, n, p, e.key)
		}
	case f.typ.Kind() == reflect.Int:
		d.number(v, f, n, p, e.key)
	case f.typ.Kind() == reflect.Bool:
		if d.is(boolean, n, p, e.key) {
			v.SetBool(strings.EqualFold(n.real().text, "true"))
		}
	default:
		d.text(v, f, n, p, e.key)
	}
}

func (d *decoder) duration(v reflect.Value, n *node, p *place, key *node) {
	r := n.real()
	if r.shape != number && !d.is(text, n, p, key) {
		return
	}
	t, err := ParseDuration(r.text)
	if err != nil {
		d.at(n, p, r.text, "", "%s", err)
		return
	}
	v.SetInt(int64(t))
}

func (d *decoder) number(v reflect.Value, f *field, n *node, p *place, key *node) {
	if !d.is(number, n, p, key) {
		return
	}
	s := n.real().text
	i, err := strconv.Atoi(s)
	if err != nil {
		d.at(n, p, s, "", "%s is not a whole number", quote(s))
		return
	}
	if f.enum != nil && !slices.Contains(f.enum, strconv.Itoa(i)) {
		d.at(n, p, s, "", "%s must be %s", quote(s), strings.Join(f.enum, " or "))
		return
	}
	v.SetInt(int64(i))
}

// plain is a scalar's text where text belongs.
func (d *decoder) plain(n *node, p *place, key *node) (string, bool) {
	switch r := n.real(); r.shape {
	case text:
		return r.text, true
	case number, boolean:
		d.at(n, p, "", "", "expected text, found %s: put it in quotes if it is meant", r.shape)
		return "", false
	default:
		return "", d.is(text, n, p, key)
	}
}

func (d *decoder) text(v reflect.Value, f *field, n *node, p *place, key *node) {
	s, ok := d.plain(n, p, key)
	switch {
	case !ok:
		return
	case s == "":
		d.at(n, p, "", "", "%s is empty", quote(f.name))
		return
	case f.enum != nil && !slices.Contains(f.enum, s):
		d.at(n, p, s, Nearest(s, f.enum), "%s must be %s", quote(s), strings.Join(f.enum, " or "))
		return
	case f.format != nil && !f.format.matches(s):
		shown := f.format.shown(s)
		if shown == hidden {
			s = hidden
		}
		d.at(n, p, s, "", "%s %s", shown, f.format.says)
		return
	case f.ref != "" && d.known[f.ref] != nil && !slices.Contains(d.known[f.ref], s):
		near := ""
		if !d.c.full() {
			near = Nearest(s, d.known[f.ref])
		}
		d.at(n, p, s, near, "there is no %s in %s", quote(s), quote(f.ref))
		return
	}
	v.SetString(s)
}

// items are those of a list, nil if it cannot be read.
func (d *decoder) items(n *node, p *place, key *node) []*node {
	if !d.is(list, n, p, key) {
		return nil
	}
	items := n.real().items
	if len(items) > maxItems {
		d.at(n, p, "", "", "%s has %d entries, more than %d", quote(key.text), len(items), maxItems)
		return nil
	}
	if d.over(len(items), key, p) {
		return nil
	}
	if len(items) == 0 {
		d.at(n, p, "", "", "%s is empty", quote(key.text))
	}
	return items
}

func (d *decoder) argv(v reflect.Value, n *node, p *place, key *node) {
	var out Argv
	for i, item := range d.items(n, p, key) {
		here := &place{up: p, index: i + 1}
		s, ok := d.plain(item, here, &node{line: item.line, col: item.col, text: key.text})
		if ok && s == "" && i == 0 {
			d.at(item, here, "", "", "the program of %s is empty", quote(key.text))
		}
		out = append(out, s)
	}
	v.Set(reflect.ValueOf(out))
}

func (d *decoder) set(v reflect.Value, n *node, p *place, key *node) {
	items := d.items(n, p, key)
	var out Set
	first := map[string]*node{}
	for i, item := range items {
		here := &place{up: p, index: i + 1}
		s, ok := d.plain(item, here, &node{line: item.line, col: item.col, text: key.text})
		switch {
		case !ok:
		case s == "":
			d.at(item, here, "", "", "an entry of %s is empty", quote(key.text))
		case first[s] != nil:
			d.at(item, here, s, "", "%s is here twice, the first time on line %d, column %d", quote(s), first[s].line, first[s].col)
		default:
			first[s] = item
		}
		// What is wrong has its place too: a kind reports by index.
		out = append(out, s)
	}
	v.Set(reflect.ValueOf(out))
}

func (d *decoder) tags(v reflect.Value, n *node, p *place, key *node) {
	if !d.is(mapping, n, p, key) {
		return
	}
	if d.over(len(n.real().entries), key, p) {
		return
	}
	out := map[string]string{}
	for _, e := range n.real().entries {
		if s, ok := d.plain(e.value, &place{up: p, key: e.key.text}, e.key); ok {
			out[e.key.text] = s
		}
	}
	v.Set(reflect.ValueOf(out))
}

// named decodes a mapping of names to structs: one element for each entry, in order, whatever is wrong with it, so
// that the checks find an element's node under the same number.
func (d *decoder) named(v reflect.Value, f *field, n *node, p *place, key *node) {
	if !d.is(mapping, n, p, key) {
		return
	}
	entries := n.real().entries
	if d.over(len(entries), key, p) {
		return
	}
	out := reflect.MakeSlice(f.typ, len(entries), len(entries))
	for i, e := range entries {
		here := &place{up: p, key: e.key.text}
		if !f.key.matches(e.key.text) {
			d.at(e.key, here, e.key.text, "", "the name %s %s", quote(e.key.text), f.key.says)
		}
		out.Index(i).FieldByName("Name").SetString(e.key.text)
		if d.is(mapping, e.value, here, e.key) {
			d.fill(out.Index(i), e.value, here, e.key)
		}
	}
	v.Set(out)
}

// listed decodes a list of mappings, in which order means something.
func (d *decoder) listed(v reflect.Value, n *node, p *place, key *node) {
	items := d.items(n, p, key)
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		here := &place{up: p, index: i + 1}
		at := &node{line: item.line, col: item.col, text: key.text}
		if d.is(mapping, item, here, at) {
			d.fill(out.Index(i), item, here, at)
		}
	}
	v.Set(out)
}

// groups checks that exactly one field of each group is there.
func (d *decoder) groups(fs []field, set map[string]*entry, meant map[string]bool, p *place, key *node) {
	order, members := groups(fs)
	for _, g := range order {
		var all, there []string
		var last *entry
		misspelt := false
		for _, f := range members[g] {
			all = append(all, f.name)
			misspelt = misspelt || meant[f.name]
			if e := set[f.name]; e != nil {
				there = append(there, f.name)
				if last == nil || later(e.key, last.key) {
					last = e
				}
			}
		}
		switch {
		case len(there) == 0 && !members[g][0].atMost && !misspelt:
			d.at(key, p, "", "", "no %s: one of these is missing: %s", g, strings.Join(all, ", "))
		case len(there) > 1:
			d.at(last.key, &place{up: p, key: last.key.text}, last.key.text, "",
				"more than one %s: %s; keep one", g, strings.Join(there, ", "))
		}
	}
}

func later(a, b *node) bool { return a.line > b.line || a.line == b.line && a.col > b.col }

func setDefault(v reflect.Value, f *field) {
	if f.def == "" {
		return
	}
	switch {
	case f.typ == durationType:
		t, err := ParseDuration(f.def)
		if err != nil {
			panic(err)
		}
		v.SetInt(int64(t))
	case v.Kind() == reflect.Bool:
		v.SetBool(f.def == "true")
	case v.Kind() == reflect.Int:
		n, err := strconv.Atoi(f.def)
		if err != nil {
			panic(err)
		}
		v.SetInt(int64(n))
	default:
		v.SetString(f.def)
	}
}
