package entra

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"time"
)

// jwt is a parsed, not yet verified token of somebody else's.
type jwt struct {
	header jwtHeader
	claims map[string]any
	signed string // what the signature is over
	sig    []byte
}

type jwtHeader struct {
	Alg     string `json:"alg"`
	Kid     string `json:"kid"`
	X5T     string `json:"x5t"`
	X5TS256 string `json:"x5t#S256"`
}

func parseJWT(raw string) (*jwt, bool) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, false
	}
	var j jwt
	head, err1 := decode64(parts[0])
	body, err2 := decode64(parts[1])
	sig, err3 := decode64(parts[2])
	if err1 != nil || err2 != nil || err3 != nil || json.Unmarshal(head, &j.header) != nil || json.Unmarshal(body, &j.claims) != nil {
		return nil, false
	}
	j.signed, j.sig = parts[0]+"."+parts[1], sig
	return &j, true
}

// decode64 takes base64 in any of its alphabets, padded or not: clients send thumbprints in all of them
// (facts/real-clients.md).
func decode64(s string) ([]byte, error) {
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s, "="))
	return base64.RawURLEncoding.DecodeString(s)
}

// verifiedBy says whether the key made the signature, with RS256 or PS256: nothing else is accepted.
func (j *jwt) verifiedBy(key *rsa.PublicKey) bool {
	sum := sha256.Sum256([]byte(j.signed))
	switch j.header.Alg {
	case "RS256":
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], j.sig) == nil
	case "PS256":
		return rsa.VerifyPSS(key, crypto.SHA256, sum[:], j.sig, nil) == nil
	}
	return false
}

func (j *jwt) text(claim string) string {
	v, _ := j.claims[claim].(string)
	return v
}

// audiences is the aud claim, a string or a list.
func (j *jwt) audiences() []string {
	switch v := j.claims["aud"].(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			if t, ok := x.(string); ok {
				out = append(out, t)
			}
		}
		return out
	}
	return nil
}

// moment is a time claim: seconds since 1970, whole or not (MSAL for Python sends floats).
func (j *jwt) moment(claim string) (time.Time, bool) {
	v, ok := j.claims[claim].(float64)
	if !ok || math.IsNaN(v) || math.Abs(v) > 1e11 {
		return time.Time{}, false
	}
	whole, part := math.Modf(v)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}

// clockSkew is how far a client's clock may be off.
const clockSkew = 5 * time.Minute

// checkTime judges nbf and exp by the clock that the assertion's maker lives on.
func (j *jwt) checkTime(now time.Time) *failure {
	exp, ok := j.moment("exp")
	if !ok {
		return errJWT("it has no exp")
	}
	from, ok := j.moment("nbf")
	if !ok {
		if from, ok = j.moment("iat"); !ok {
			from = exp.Add(-10 * time.Minute)
		}
	}
	if now.Before(from.Add(-clockSkew)) || !now.Before(exp.Add(clockSkew)) {
		const layout = "2006-01-02T15:04:05.0000000Z"
		return refuseClient(700024, "Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
			now.Format(layout), from.Format(layout), exp.Format(layout))
	}
	return nil
}

func errJWT(why string) *failure {
	return refuseClient(50027, "JWT token is invalid or malformed: %s.", why)
}

// publicKeys are the RSA keys of a key set that may have made a signature: the one of its kid, or all of them if
// either side names none.
func publicKeys(set jwks, kid string) []*rsa.PublicKey {
	var out []*rsa.PublicKey
	for _, k := range set.Keys {
		if k.Type != "RSA" || (kid != "" && k.ID != "" && k.ID != kid) {
			continue
		}
		n, err1 := decode64(k.N)
		e, err2 := decode64(k.E)
		if err1 != nil || err2 != nil || len(n) < 256 || len(e) == 0 || len(e) > 4 {
			continue
		}
		out = append(out, &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())})
	}
	return out
}
