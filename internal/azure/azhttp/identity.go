package azhttp

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
)

// Identity is whom the identity platform has issued a token for.
type Identity struct {
	Kind                       string // as the manifest names it
	ClientID, ObjectID, Tenant string // "" where the token did not say
}

// Identity is the one that has signed in; without ids if none has, or if its tokens are not to be read.
func (c *Credential) Identity() Identity {
	if i := c.who.Load(); i != nil {
		return *i
	}
	return Identity{Kind: c.what}
}

// maxToken is more than any access token has.
const maxToken = 64 << 10

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// named takes the ids out of an access token. It came from the identity platform itself, so its signature need not be
// looked at; that it can be read is promised by nobody, so that nothing depends on it.
func named(kind, token string) (Identity, bool) {
	i := Identity{Kind: kind}
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return i, false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return i, false
	}
	var claims struct {
		AppID string `json:"appid"`
		Azp   string `json:"azp"`
		OID   string `json:"oid"`
		TID   string `json:"tid"`
	}
	if json.Unmarshal(body, &claims) != nil {
		return i, false
	}
	if claims.AppID == "" {
		claims.AppID = claims.Azp // tokens of version 2.0
	}
	for to, id := range map[*string]string{&i.ClientID: claims.AppID, &i.ObjectID: claims.OID, &i.Tenant: claims.TID} {
		if guid.MatchString(id) {
			*to = id
		}
	}
	return i, i.ClientID != "" || i.ObjectID != ""
}
