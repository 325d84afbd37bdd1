package explore

import (
	"fmt"
	"slices"
)

// crossed are two runs at once on one world, in every order of their points with at most so many changes of turn. What
// changes nothing that the other could see, the way to an access token, is not interrupted. With faults, something
// happens to the first of them at every point as well.
func crossed(n *node, alone ending, changes int, faults bool) (out []job) {
	if len(alone.points) == 0 {
		return nil
	}
	stops := []int{}
	for i, p := range alone.points[0] {
		if !p.signingIn() {
			stops = append(stops, i)
		}
	}
	for _, turns := range orders(stops, len(alone.points[0]), changes) {
		name := "two runs, turns " + fmt.Sprint(turns)
		order := []int{}
		for i, k := range turns {
			order = append(order, slices.Repeat([]int{i % 2}, k)...)
		}
		out = append(out, job{n, script{name: name, plans: []map[int]outcome{nil, nil}, order: order}})
		if !faults {
			continue
		}
		for i, p := range alone.points[0] {
			if p.signingIn() {
				continue
			}
			for _, o := range outcomes(p) {
				out = append(out, job{n, script{name: name, plans: []map[int]outcome{{i: o}, nil}, order: order}})
			}
		}
	}
	return out
}

// orders lists how many steps each takes until it is the other one's turn; who has the last turn goes on to its end,
// and then the other one does. stops are the points before which one may be interrupted, of so many points.
func orders(stops []int, points, changes int) [][]int {
	const toTheEnd = 60
	var out [][]int
	var grow func(turns []int, at [2]int, left int)
	grow = func(turns []int, at [2]int, left int) {
		who := len(turns) % 2
		if left == 0 {
			out = append(out, append(slices.Clone(turns), toTheEnd))
			return
		}
		for _, stop := range stops {
			if stop > at[who] {
				next := at
				next[who] = stop
				grow(append(slices.Clone(turns), stop-at[who]), next, left-1)
			}
		}
	}
	for k := 1; k <= changes; k++ {
		grow(nil, [2]int{}, k)
	}
	return out
}

// interferences have a person act in the middle of a run, before each of its points.
func interferences(n *node, alone ending) (out []job) {
	if len(alone.points) == 0 {
		return nil
	}
	for i, p := range alone.points[0] {
		if p.signingIn() || p.ledger() {
			continue
		}
		deeds := n.deeds()
		if len(n.promise.Consumers) > 0 {
			// What people do to the vault meanwhile is in the fields without consumers.
			if deeds = deedsTo(n.promise.Consumers); !telling(p) {
				continue
			}
		}
		for _, d := range deeds {
			// What cannot be done in this world may be possible half-way, and the other way round.
			out = append(out, job{n, script{
				name: fmt.Sprintf("before %s#%d a person %s", p.Label, i, d.name), persons: true, plans: []map[int]outcome{nil},
				during: map[int]deed{i: d},
			}})
		}
	}
	return out
}
