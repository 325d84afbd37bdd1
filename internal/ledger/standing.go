package ledger

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
)

// Numbered is an entry with the number of its line.
type Numbered struct {
	Number int64
	Entry
}

// standing are the effects whose answers were lost, and of which there is no later word.
type standing map[string]Numbered

func keyOf(e Entry) string {
	return e.Run + "\x00" + e.Credential + "\x00" + e.Effect + "\x00" + e.Target + "\x00" + e.Publication
}

func (s standing) see(n int64, e Entry) {
	switch e.Phase {
	case Unknown:
		s[keyOf(e)] = Numbered{n, e}
	case Recovered:
		delete(s, keyOf(e))
	}
}

// about says whether a line may be of interest, without reading all of it.
func (s standing) about(line []byte) bool {
	return bytes.Contains(line, []byte(`,"phase":"unknown",`)) || bytes.Contains(line, []byte(`,"phase":"recovered",`))
}

func (s standing) list() []Numbered {
	return slices.SortedFunc(maps.Values(s), func(a, b Numbered) int { return cmp.Compare(a.Number, b.Number) })
}

// Standing lists the effects whose answers were lost, and of which there is no later word.
func Standing(r Reader) ([]Numbered, error) {
	s := standing{}
	err := Walk(r, func(n int64, e Entry) error {
		s.see(n, e)
		return nil
	})
	return s.list(), err
}
