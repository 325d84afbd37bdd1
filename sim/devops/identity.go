package devops

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// derived is an id that follows from the seed and its parts alone. Answers are full of ids; drawing them from the
// world's randomness would make every minted value depend on how often somebody looked.
func (s *Service) derived(parts ...any) string {
	sum := sha256.Sum256(fmt.Append(nil, s.w.Seed, parts))
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// storageKey is an identity's id inside Azure DevOps, which is not its object id in Entra.
func (s *Service) storageKey(objectID string) string { return s.derived("storage key", objectID) }

// publicAlias is an identity's profile id.
func (s *Service) publicAlias(objectID string) string { return s.derived("profile", objectID) }

// subjectDescriptor is the opaque name that the graph API uses.
func (s *Service) subjectDescriptor(who *caller) string {
	prefix := "aad."
	if !who.user {
		prefix = "aadsp."
	}
	return prefix + base64.RawStdEncoding.EncodeToString([]byte(s.derived("subject", who.id)))
}
