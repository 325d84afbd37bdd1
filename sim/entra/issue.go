package entra

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/sim/world"
)

// issue is what tokens are made of.
type issue struct {
	tenant   *world.Tenant
	client   client
	ask      ask
	audience string // the aud claim
	object   string // oid
	user     *world.User
	scopes   []string
	roles    []string
	session  session
	// resourceID is a user-assigned managed identity's.
	resourceID string
}

const defaultTokenLife = 3599 * time.Second

func (s *Service) tokenLife() time.Duration {
	if d := time.Duration(s.w.Knobs.Entra.TokenLife); d > 0 {
		return d
	}
	return defaultTokenLife
}

// accessToken makes, signs and records an access token. Locked.
func (s *Service) accessToken(t issue) (raw string, expires time.Time, err error) {
	now := s.w.Now()
	expires = now.Add(s.tokenLife())
	r := t.ask.resource
	if r.byID {
		t.audience = r.id
	}
	claims := map[string]any{
		"aud": t.audience,
		"iat": now.Add(-5 * time.Minute).Unix(),
		"nbf": now.Add(-5 * time.Minute).Unix(),
		"exp": expires.Unix(),
		"oid": t.object,
		"sub": t.object,
		"tid": t.tenant.ID,
		"uti": s.tokenID(),
	}
	if r.v2 {
		claims["iss"], claims["ver"] = issuerV2(t.tenant.ID), "2.0"
		claims["azp"], claims["azpacr"] = t.client.id, string(t.client.proof)
	} else {
		claims["iss"], claims["ver"] = issuerV1(t.tenant.ID), "1.0"
		claims["idp"] = issuerV1(t.tenant.ID)
		claims["appid"], claims["appidacr"], claims["app_displayname"] = t.client.id, string(t.client.proof), t.client.name
	}
	if t.resourceID != "" {
		claims["xms_mirid"] = t.resourceID
	}
	record := world.Token{
		Tenant: t.tenant.ID, ObjectID: t.object, AppID: t.client.id, Name: t.client.name,
		Audience: r.audience, Roles: t.roles, Expires: expires,
	}
	if t.user == nil {
		claims["idtyp"] = "app"
		if len(t.roles) > 0 {
			claims["roles"] = t.roles
		}
	} else {
		claims["idtyp"] = "user"
		claims["sub"] = pairwise(t)
		claims["name"], claims["upn"], claims["unique_name"] = t.user.Name, t.user.UPN, t.user.UPN
		claims["scp"] = strings.Join(t.scopes, " ")
		claims["amr"] = t.session.methods()
		record.Name, record.User, record.Scopes = t.user.UPN, true, t.scopes
	}
	raw, err = s.key().sign(claims)
	if err != nil {
		return "", time.Time{}, err
	}
	s.w.AddToken(raw, record)
	return raw, expires, nil
}

// tokenID is the uti claim. It carries the canary, so that a token's payload is found where the token is not.
func (s *Service) tokenID() string { return world.Canary + s.w.Letters(11) }

func (x session) methods() []string {
	out := []string{}
	if x.typed {
		out = append(out, "pwd")
	}
	if x.mfa {
		out = append(out, "mfa")
	}
	return out
}

// idToken tells the client who signed in. Clients judge it by their own clock, so it is on real time.
func (s *Service) idToken(t issue, v2 bool) (string, error) {
	now := s.w.RealNow()
	claims := map[string]any{
		"aud":  t.client.id,
		"iat":  now.Add(-5 * time.Minute).Unix(),
		"nbf":  now.Add(-5 * time.Minute).Unix(),
		"exp":  now.Add(time.Hour).Unix(),
		"name": t.user.Name,
		"oid":  t.user.ID,
		"sub":  pairwise(t),
		"tid":  t.tenant.ID,
		"uti":  s.tokenID(),
	}
	if v2 {
		claims["iss"], claims["ver"], claims["preferred_username"] = issuerV2(t.tenant.ID), "2.0", t.user.UPN
	} else {
		claims["iss"], claims["ver"], claims["upn"], claims["unique_name"] = issuerV1(t.tenant.ID), "1.0", t.user.UPN, t.user.UPN
	}
	if t.session.nonce != "" {
		claims["nonce"] = t.session.nonce
	}
	s.membership(t, claims)
	raw, err := s.key().sign(claims)
	if err == nil {
		s.w.Remember(raw)
	}
	return raw, err
}

// clientInfo is what MSAL keys its cache by.
func clientInfo(t issue) string {
	b, _ := json.Marshal(struct {
		UID  string `json:"uid"`
		UTID string `json:"utid"`
	}{t.user.ID, t.tenant.ID})
	return b64(b)
}

// v1Scope has no resource in it.
func v1Scope(t issue) string { return strings.Join(t.scopes, " ") }

// pairwise is a subject that differs per client.
func pairwise(t issue) string {
	sum := sha256.Sum256([]byte(t.tenant.ID + t.user.ID + t.client.id))
	return b64(sum[:])
}

// IssueAppToken makes an app-only token for the managed identity endpoint, which has checked the caller. expiresOn is by
// the world's clock. Unlocked.
func (s *Service) IssueAppToken(objectID, clientID, tenantID, name, resource string) (token string, expiresOn time.Time, err error) {
	s.w.Lock()
	defer s.w.Unlock()
	t := s.tenant(tenantID)
	if t == nil {
		return "", time.Time{}, errTenant(tenantID)
	}
	r := s.resource(resource, t)
	if r == nil {
		return "", time.Time{}, errResource(resource, tenantName(t))
	}
	x := issue{
		tenant: t, client: client{id: clientID, name: name, proof: byAssertion}, ask: ask{resource: r},
		audience: resource, object: objectID,
	}
	for _, mi := range s.w.ManagedIdentities {
		if strings.EqualFold(mi.ID, objectID) {
			x.resourceID = mi.ResourceID
			if r.id == graphID {
				x.roles = mi.ApplicationPermissions
			}
		}
	}
	for _, a := range s.w.Apps {
		if strings.EqualFold(a.ServicePrincipalID, objectID) && r.id == graphID {
			x.roles = a.ApplicationPermissions
		}
	}
	token, expiresOn, err = s.accessToken(x)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("signing a token for %s: %w", name, err)
	}
	return token, expiresOn, nil
}
