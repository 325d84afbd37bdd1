package year

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/rekeyhq/rekey/internal/simtest/leak"
	"github.com/rekeyhq/rekey/sim/world"
)

// sinks is everything that the product printed or kept, until it was searched for secrets. A year has far too many
// secrets and too much text to look for each in all, so a text is gone through once: at every byte, the eight that
// follow are looked up among the beginnings of what is searched for.
type sinks struct {
	texts map[string]*strings.Builder
	size  int64 // of what was searched
	known map[string]bool
	maybe [1 << 15]uint64     // a bit for each hash of a beginning
	forms map[uint64][]string // by beginning
}

func newSinks() *sinks {
	s := &sinks{texts: map[string]*strings.Builder{}, known: map[string]bool{}, forms: map[uint64][]string{}}
	s.know(world.Canary) // every minted secret holds it
	return s
}

// keep takes a text, to be searched later.
func (s *sinks) keep(where, text string) {
	b := s.texts[where]
	if b == nil {
		b = &strings.Builder{}
		s.texts[where] = b
	}
	b.WriteString(text)
	b.WriteByte('\n')
}

// piece is how much of a secret is enough to be one: what is longer is looked for by its beginning and its end too.
const piece = 40

// know has a secret searched for from now on.
func (s *sinks) know(secret string) {
	if s.known[secret] || len(secret) < 8 {
		return
	}
	s.known[secret] = true
	parts := []string{secret}
	if len(secret) > piece {
		parts = []string{secret[:piece], secret[(len(secret)-piece)/2:][:piece], secret[len(secret)-piece:]}
	}
	for _, part := range parts {
		if strings.Count(part, "A") > piece/2 || strings.Count(part, "0") > piece/2 {
			continue // padding, which is no secret
		}
		for _, f := range leak.Forms(part) {
			if len(f.Text) < 8 {
				continue
			}
			k := binary.LittleEndian.Uint64([]byte(f.Text))
			s.forms[k] = append(s.forms[k], f.Text)
			h := hash20(k)
			s.maybe[h>>6] |= 1 << (h & 63)
		}
	}
}

func hash20(k uint64) uint64 { return k * 0x9E3779B97F4A7C15 >> 43 }

// search looks for every secret in what was kept, says where, and drops it.
func (s *sinks) search() (found []string) {
	for where, b := range s.texts {
		text := b.String()
		s.size += int64(len(text))
		if line := s.first(text); line != "" {
			found = append(found, fmt.Sprintf("%s: %s...", where, line))
		}
		delete(s.texts, where)
	}
	return found
}

// first gives the beginning of the first line with a secret, "" for none.
func (s *sinks) first(text string) string {
	raw := []byte(text)
	for i := 0; i+8 <= len(raw); i++ {
		k := binary.LittleEndian.Uint64(raw[i:])
		h := hash20(k)
		if s.maybe[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, form := range s.forms[k] {
			if strings.HasPrefix(text[i:], form) {
				line := text[strings.LastIndexByte(text[:i], '\n')+1 : i]
				return fmt.Sprintf("line %d: %.60s", 1+strings.Count(text[:i], "\n"), line)
			}
		}
	}
	return ""
}
