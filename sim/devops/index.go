package devops

import (
	"strings"

	"github.com/rekeyhq/rekey/sim/world"
)

// index finds a PAT by its value or its id without a walk over all of them: a fleet has tens of thousands, and each
// call with a PAT looks one up. It is rebuilt when the world's lists are not the ones that it was built from.
type index struct {
	marks  []mark
	values map[string]place
	ids    map[idKey]place
}

// mark is what an organisation's list looked like.
type mark struct {
	org         *world.Organization
	n           int
	first, last *world.PAT
}

type place struct {
	org *world.Organization
	i   int
}

type idKey struct {
	org *world.Organization
	id  string
}

func markOf(o *world.Organization) mark {
	m := mark{org: o, n: len(o.PATs)}
	if m.n > 0 {
		m.first, m.last = o.PATs[0], o.PATs[m.n-1]
	}
	return m
}

// byValue finds a PAT and the organisation that it was made in; nil if there is none.
func (x *index) byValue(w *world.World, value string) (*world.Organization, *world.PAT) {
	if value == "" {
		return nil, nil
	}
	x.refresh(w)
	p, ok := x.values[value]
	if ok && p.org.PATs[p.i].Token != value {
		x.build(w)
		p, ok = x.values[value]
	}
	if !ok {
		return nil, nil
	}
	return p.org, p.org.PATs[p.i]
}

// byID finds a PAT of an organisation by its authorization id; nil if there is none.
func (x *index) byID(w *world.World, o *world.Organization, id string) *world.PAT {
	x.refresh(w)
	k := idKey{o, strings.ToLower(id)}
	p, ok := x.ids[k]
	if ok && !strings.EqualFold(o.PATs[p.i].AuthorizationID, id) {
		x.build(w)
		p, ok = x.ids[k]
	}
	if !ok {
		return nil
	}
	return o.PATs[p.i]
}

// add appends a PAT to an organisation and to the index.
func (x *index) add(w *world.World, o *world.Organization, p *world.PAT) {
	x.refresh(w)
	o.PATs = append(o.PATs, p)
	x.enter(place{o, len(o.PATs) - 1})
	for i := range x.marks {
		if x.marks[i].org == o {
			x.marks[i] = markOf(o)
		}
	}
}

func (x *index) enter(p place) {
	pat := p.org.PATs[p.i]
	if pat.Token != "" {
		x.values[pat.Token] = p
	}
	x.ids[idKey{p.org, strings.ToLower(pat.AuthorizationID)}] = p
}

func (x *index) refresh(w *world.World) {
	fresh := x.values != nil && len(x.marks) == len(w.Organizations)
	for i := 0; fresh && i < len(x.marks); i++ {
		fresh = x.marks[i] == markOf(w.Organizations[i])
	}
	if !fresh {
		x.build(w)
	}
}

func (x *index) build(w *world.World) {
	x.marks, x.values, x.ids = nil, map[string]place{}, map[idKey]place{}
	for _, o := range w.Organizations {
		x.marks = append(x.marks, markOf(o))
		for i := range o.PATs {
			x.enter(place{o, i})
		}
	}
}
