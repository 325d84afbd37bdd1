package manifest

import "strconv"

type shape int8

const (
	absent shape = iota // could not be read; was reported
	null
	text
	number
	boolean
	list
	mapping
	alias
)

func (s shape) String() string {
	return [...]string{"nothing", "nothing", "text", "a number", "true or false", "a list", "a mapping", "an alias"}[s]
}

// node is one value of the file. It is a tenth of what the YAML library keeps for the same value, and all of a file
// is in memory at once.
type node struct {
	shape     shape
	line, col int32
	text      string
	items     []*node // of a list
	entries   []entry // of a mapping, no key twice, merges already made
	target    *node   // of an alias
	index     map[string]int
	broken    bool // some of it could not be read: what is not there may be in that
}

type entry struct {
	key   *node
	value *node
}

// real is the node that an alias stands for.
func (n *node) real() *node {
	for n != nil && n.shape == alias {
		n = n.target
	}
	return n
}

// indexed is the number of entries from which a mapping is searched by an index.
const indexed = 16

// get is the entry with that key, or nil.
func (n *node) get(key string) *entry {
	n = n.real()
	if n == nil {
		return nil
	}
	if n.index != nil {
		if i, ok := n.index[key]; ok {
			return &n.entries[i]
		}
		return nil
	}
	for i := range n.entries {
		if n.entries[i].key.text == key {
			return &n.entries[i]
		}
	}
	return nil
}

// put appends an entry whose key is new.
func (n *node) put(e entry) {
	n.entries = append(n.entries, e)
	switch {
	case n.index != nil:
		n.index[e.key.text] = len(n.entries) - 1
	case len(n.entries) == indexed:
		n.index = make(map[string]int)
		for i, e := range n.entries {
			n.index[e.key.text] = i
		}
	}
}

// keys are the names in a mapping.
func (n *node) keys() []string {
	names := []string{}
	if n = n.real(); n != nil {
		for _, e := range n.entries {
			names = append(names, e.key.text)
		}
	}
	return names
}

// pathAt is the path of the value or key that begins last before a place, if that is on the same line.
func (n *node) pathAt(line, col int) string {
	best, bestCol := "", int32(0)
	var walk func(n *node, p *place)
	near := func(n *node, p *place) {
		if int(n.line) == line && int(n.col) <= col && n.col >= bestCol {
			best, bestCol = p.String(), n.col
		}
	}
	walk = func(n *node, p *place) {
		if n == nil {
			return
		}
		near(n, p)
		for i := range n.items {
			walk(n.items[i], &place{up: p, index: i + 1})
		}
		for _, e := range n.entries {
			at := &place{up: p, key: e.key.text}
			near(e.key, at)
			walk(e.value, at)
		}
	}
	walk(n, nil)
	return best
}

// place is where in the manifest something is; a chain, because almost no path is ever printed.
type place struct {
	up    *place
	key   string
	index int // from 1; 0: it is a key
}

func (p *place) String() string {
	if p == nil {
		return ""
	}
	up := p.up.String()
	switch {
	case p.index > 0:
		return up + "[" + strconv.Itoa(p.index-1) + "]"
	case up == "":
		return segment(p.key)
	}
	return up + "." + segment(p.key)
}

// segment is a key in a path: as it is where that is clear, else in quotes.
func segment(key string) string {
	for i := range len(key) {
		if c := key[i]; !alnum(c) && c != '-' && c != '_' {
			return quote(key)
		}
	}
	if key == "" || len(key) > maxShown {
		return quote(key)
	}
	return redact(key)
}
