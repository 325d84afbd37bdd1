package devops

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/rekeyhq/rekey/internal/rotation"
)

// maxName is how long a credential's name may be.
const maxName = 40

// prefix is what all names of a block's credentials begin with.
func (s *Several) prefix(org string) string {
	if org == "" {
		return s.block + "-"
	}
	return s.block + "-" + org + "-"
}

func (s *Several) credential(org, slug string) rotation.CredentialID {
	return rotation.CredentialID(s.prefix(org) + slug)
}

func (s *Several) secret(org, slug string) string {
	return strings.NewReplacer(placeName, slug, placeOrganization, org).Replace(s.template)
}

func (s *Several) target(org, slug string) rotation.Target {
	return rotation.Target{Vault: s.vault, Name: s.secret(org, slug)}
}

// slug makes a display name fit for a name: what is cut off, or cannot be written, is stood for by a hash of the whole,
// so that two names do not become one by being long.
func (s *Several) slug(org, display string) (slug, why string) {
	lossy := false
	var b strings.Builder
	for _, r := range strings.ToLower(display) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		default:
			lossy = lossy || r > 127
			if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
				b.WriteByte('-')
			}
		}
	}
	slug = strings.Trim(b.String(), "-")
	room := maxName - len(s.prefix(org))
	if !lossy && slug != "" && len(slug) <= room {
		return slug, ""
	}
	sum := sha256.Sum256([]byte(display))
	tail := hex.EncodeToString(sum[:3])
	if room < len(tail)+2 {
		return tail, fmt.Sprintf("the block's name leaves no room for that of a PAT: %s has %d characters of %d", s.prefix(org), len(s.prefix(org)), maxName)
	}
	slug = strings.Trim(slug[:min(len(slug), room-len(tail)-1)], "-")
	return strings.TrimPrefix(slug+"-"+tail, "-"), ""
}

// slugOf reads a name out of a secret's, as the template has it. Key Vault's names are case-insensitive.
func (s *Several) slugOf(secret, org string) (string, bool) {
	form := strings.ToLower(strings.ReplaceAll(s.template, placeOrganization, org))
	before, after, _ := strings.Cut(form, placeName)
	rest, ok := strings.CutPrefix(strings.ToLower(secret), before)
	if !ok {
		return "", false
	}
	slug, ok := strings.CutSuffix(rest, after)
	return slug, ok && slug != "" && rotation.ValidCredentialID(string(s.credential(org, slug)))
}
