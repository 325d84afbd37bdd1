package graph

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

const (
	// proofAudience is the id of the directory as a resource.
	proofAudience = "00000002-0000-0000-c000-000000000000"
	proofLife     = 10 * time.Minute
	clockSkew     = 5 * time.Minute
)

// proves says whether a proof shows possession of a key that the object has (facts 3.1): a token that one of its
// valid certificates signed, issued by the object's id, living ten minutes at most. Its times are on the clock of
// whoever made it.
func (c *call) proves(h holder, proof string) bool {
	parts := strings.Split(proof, ".")
	if len(parts) != 3 {
		return false
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		Aud any     `json:"aud"`
		Iss string  `json:"iss"`
		Nbf float64 `json:"nbf"`
		Exp float64 `json:"exp"`
	}
	sig, err := decodeKey(parts[2])
	if err != nil || !readPart(parts[0], &header) || !readPart(parts[1], &claims) {
		return false
	}
	if math.Abs(claims.Nbf) > 1e11 || math.Abs(claims.Exp) > 1e11 || !strings.EqualFold(claims.Iss, h.id()) || !hasAudience(claims.Aud) {
		return false
	}
	real := c.w.RealNow()
	from, until := time.Unix(int64(claims.Nbf), 0), time.Unix(int64(claims.Exp), 0)
	if real.Before(from.Add(-clockSkew)) || !real.Before(until.Add(clockSkew)) || !until.After(from) || until.Sub(from) > proofLife {
		return false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return slices.ContainsFunc(*h.keys(), func(k *world.KeyCredential) bool {
		cert, err := x509.ParseCertificate(k.DER)
		if err != nil || c.now.Before(k.Start) || !c.now.Before(k.End) {
			return false
		}
		key, ok := cert.PublicKey.(*rsa.PublicKey)
		switch {
		case !ok:
			return false
		case header.Alg == "RS256":
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil
		case header.Alg == "PS256":
			return rsa.VerifyPSS(key, crypto.SHA256, sum[:], sig, nil) == nil
		}
		return false
	})
}

func readPart(part string, into any) bool {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
	return err == nil && json.Unmarshal(b, into) == nil
}

func hasAudience(aud any) bool {
	list, ok := aud.([]any)
	if !ok {
		list = []any{aud}
	}
	return slices.Contains(list, any(proofAudience))
}
