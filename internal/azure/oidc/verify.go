package oidc

import (
	"context"
	"crypto"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	jwt "github.com/golang-jwt/jwt/v5"

	"github.com/rekeyhq/rekey/internal/driver"
)

// Expect is what a token is held to.
type Expect struct {
	// At is the issuer's address, below which its metadata lies.
	At string
	// Issuer is what iss must say; "" for what the metadata says.
	Issuer string
	// Audience must be the only audience.
	Audience string
	// Kept says that the token is verified later than it lives: it is evidence of a sign-in, and nobody is let in by it.
	// Whoever keeps one sees to how long it counts.
	Kept bool
}

const (
	// maxToken is far more than any honest token has.
	maxToken = 64 << 10
	// skew is how far this machine's clock and the issuer's may be apart.
	skew = 2 * time.Minute
	// maxLife is the longest life of a token that is believed, but for one that is kept.
	maxLife = 24 * time.Hour
)

// Codes of refusals, each for one reason.
const (
	Malformed  = "Malformed"
	Algorithm  = "Algorithm"
	UnknownKey = "UnknownKey"
	Signature  = "Signature"
	Issuer     = "Issuer"
	Audience   = "Audience"
	Time       = "Time"
)

// Verify gives the claims of a token, and the name of its issuer. A token that does not count is a driver.Error of kind
// Rejected; every other error says that nothing is known of it.
func (c *Client) Verify(ctx context.Context, raw string, want Expect) (map[string]any, string, error) {
	const op = "verify the token"
	no := func(code, detail string) (map[string]any, string, error) {
		return nil, "", &driver.Error{Kind: driver.Rejected, Op: op, Code: code, Detail: detail}
	}
	if len(raw) > maxToken || strings.Count(raw, ".") != 2 {
		return no(Malformed, "it is no token")
	}
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding(), jwt.WithValidMethods([]string{"RS256", "ES256"}))
	unverified, _, err := parser.ParseUnverified(raw, jwt.MapClaims{})
	if err != nil {
		if alg := unverified; alg != nil && alg.Header != nil && errors.Is(err, jwt.ErrTokenUnverifiable) {
			return no(Algorithm, "it is signed with an algorithm that does not count; RS256 and ES256 do")
		}
		return no(Malformed, "it is no token")
	}
	if alg := unverified.Method.Alg(); alg != "RS256" && alg != "ES256" {
		return no(Algorithm, "it is signed with an algorithm that does not count; RS256 and ES256 do")
	}
	kid, _ := unverified.Header["kid"].(string)
	if kid == "" {
		return no(UnknownKey, "it does not say which key it is signed with")
	}
	from, k, ok, err := c.key(ctx, want.At, kid)
	if err != nil {
		return nil, "", err
	}
	if !ok {
		return no(UnknownKey, "it is signed with a key that its issuer does not publish")
	}
	token, err := parser.Parse(raw, func(t *jwt.Token) (any, error) {
		if t.Method.Alg() != k.alg {
			return nil, errors.New("the key is for another algorithm")
		}
		return crypto.PublicKey(k.public), nil
	})
	if err != nil || !token.Valid {
		return no(Signature, "its signature is not that of its issuer's key: it was edited, or made by somebody else")
	}
	claims, _ := token.Claims.(jwt.MapClaims)
	iss, _ := claims["iss"].(string)
	if want.Issuer == "" {
		want.Issuer = from
	}
	if iss != want.Issuer || iss != from {
		return no(Issuer, "it is of another issuer")
	}
	if aud := list(claims["aud"]); !slices.Equal(aud, []string{want.Audience}) {
		return no(Audience, "it is for another audience")
	}
	if why := inTime(claims, c.now(), want.Kept); why != "" {
		return no(Time, why)
	}
	return claims, from, nil
}

// ObjectOf is the object id in a token of one's own, unverified: "" if it has none. It is good for refusing alone.
func ObjectOf(raw string) string {
	if len(raw) > maxToken {
		return ""
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(raw, claims); err != nil {
		return ""
	}
	id, _ := claims["oid"].(string)
	return id
}

// key finds a key by its id. One that is not there may be new, so the keys are read again, though not for ever.
func (c *Client) key(ctx context.Context, at, kid string) (name string, k key, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := c.discover(ctx, at)
	if err != nil {
		return "", key{}, false, err
	}
	if k, ok = i.keys[kid]; !ok && c.now().Sub(i.read) > againAfter {
		if err := c.readKeys(ctx, "read the keys of "+at, i); err != nil {
			return "", key{}, false, err
		}
		k, ok = i.keys[kid]
	}
	return i.name, k, ok, nil
}

// inTime says what is wrong with a token's times; "" if nothing is.
func inTime(claims jwt.MapClaims, now time.Time, kept bool) string {
	exp, ok := moment(claims["exp"])
	if !ok {
		return "it does not say when it ends"
	}
	iat, ok := moment(claims["iat"])
	if !ok {
		return "it does not say when it was made"
	}
	nbf, ok := moment(claims["nbf"])
	if _, there := claims["nbf"]; !ok && there {
		return "it does not say from when on it counts"
	}
	switch {
	case now.Before(iat.Add(-skew)) || now.Before(nbf.Add(-skew)):
		return "it does not count yet: check this machine's clock"
	case !kept && !now.Before(exp.Add(skew)):
		return "it has expired"
	case exp.Sub(iat) > maxLife || !exp.After(iat):
		return "it lives longer than any honest token"
	}
	return ""
}

// moment is a claim that is a time; a missing one is none.
func moment(claim any) (time.Time, bool) {
	v, ok := claim.(float64)
	if !ok || math.IsNaN(v) || v < 0 || v > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(v), 0), true
}

// list is a claim that is a text or a list of texts; everything else is nothing.
func list(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			s, ok := x.(string)
			if !ok {
				return nil
			}
			out = append(out, s)
		}
		return out
	}
	return nil
}
