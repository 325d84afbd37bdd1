package oidc_test

import (
	"crypto/x509"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rekeyhq/rekey/internal/azure/oidc"
	"github.com/rekeyhq/rekey/internal/driver"
)

func TestATokenOfTheIssuersKeyCounts(t *testing.T) {
	for name, raw := range map[string]string{
		"RS256": sign(jwt.SigningMethodRS256, "r1", rsaKey(), claims()),
		"ES256": sign(jwt.SigningMethodES256, "e1", ecKey(), claims()),
	} {
		got, from, err := client(honest()).Verify(t.Context(), raw, expect())
		if err != nil || from != issuer || got["sub"] != "octo-subject" {
			t.Errorf("%s: %v %s %v", name, got, from, err)
		}
	}
}

func TestATokenThatDoesNotCountIsRefusedForOneReason(t *testing.T) {
	good := sign(jwt.SigningMethodRS256, "r1", rsaKey(), claims())
	claimed := func(change func(jwt.MapClaims)) string {
		c := claims()
		change(c)
		return sign(jwt.SigningMethodRS256, "r1", rsaKey(), c)
	}
	der, err := x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	none := sign(jwt.SigningMethodNone, "r1", jwt.UnsafeAllowNoneSignatureType, claims())
	for name, c := range map[string]struct{ raw, code string }{
		"nothing":                        {"", oidc.Malformed},
		"two parts":                      {"a.b", oidc.Malformed},
		"no JSON":                        {"YQ.YQ.YQ", oidc.Malformed},
		"more than any token":            {strings.Repeat("a", 70<<10) + "..", oidc.Malformed},
		"no algorithm":                   {none, oidc.Algorithm},
		"HMAC with the public key":       {sign(jwt.SigningMethodHS256, "r1", der, claims()), oidc.Algorithm},
		"another RSA algorithm":          {sign(jwt.SigningMethodPS256, "r1", rsaKey(), claims()), oidc.Algorithm},
		"an algorithm that there is not": {part(good, 0, func(h map[string]any) { h["alg"] = "XS256" }), oidc.Algorithm},
		"no key's id":                    {part(good, 0, func(h map[string]any) { delete(h, "kid") }), oidc.UnknownKey},
		"another key":                    {sign(jwt.SigningMethodRS256, "r2", otherKey(), claims()), oidc.UnknownKey},
		"another key of that name":       {sign(jwt.SigningMethodRS256, "r1", otherKey(), claims()), oidc.Signature},
		"the key for another algorithm":  {sign(jwt.SigningMethodRS256, "e1", rsaKey(), claims()), oidc.Signature},
		"edited claims":                  {part(good, 1, func(c map[string]any) { c["sub"] = "octo-other" }), oidc.Signature},
		"an edited header":               {part(good, 0, func(h map[string]any) { h["x"] = 1 }), oidc.Signature},
		"no signature":                   {good[:strings.LastIndex(good, ".")+1], oidc.Signature},
		"another issuer":                 {claimed(func(c jwt.MapClaims) { c["iss"] = issuer + "2" }), oidc.Issuer},
		"no issuer":                      {claimed(func(c jwt.MapClaims) { delete(c, "iss") }), oidc.Issuer},
		"another audience":               {claimed(func(c jwt.MapClaims) { c["aud"] = "api://AzureADTokenExchange" }), oidc.Audience},
		"two audiences":                  {claimed(func(c jwt.MapClaims) { c["aud"] = []string{audience, "x"} }), oidc.Audience},
		"an audience that is a number":   {claimed(func(c jwt.MapClaims) { c["aud"] = 7 }), oidc.Audience},
		"expired":                        {claimed(func(c jwt.MapClaims) { c["exp"] = now.Add(-3 * time.Minute).Unix() }), oidc.Time},
		"not yet":                        {claimed(func(c jwt.MapClaims) { c["nbf"] = now.Add(3 * time.Minute).Unix() }), oidc.Time},
		"made in the future":             {claimed(func(c jwt.MapClaims) { c["iat"] = now.Add(3 * time.Minute).Unix() }), oidc.Time},
		"no end":                         {claimed(func(c jwt.MapClaims) { delete(c, "exp") }), oidc.Time},
		"an end that is a text":          {claimed(func(c jwt.MapClaims) { c["exp"] = "2030" }), oidc.Time},
		"no beginning":                   {claimed(func(c jwt.MapClaims) { delete(c, "iat") }), oidc.Time},
		"a nbf that is a text":           {claimed(func(c jwt.MapClaims) { c["nbf"] = "x" }), oidc.Time},
		"a life of a year":               {claimed(func(c jwt.MapClaims) { c["exp"] = now.Add(365 * 24 * time.Hour).Unix() }), oidc.Time},
		"a time beyond all":              {claimed(func(c jwt.MapClaims) { c["exp"] = math.MaxFloat64 }), oidc.Time},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := client(honest()).Verify(t.Context(), c.raw, expect())
			refusedFor(t, err, c.code)
			if got != nil {
				t.Errorf("its claims are given all the same: %v", got)
			}
			if err != nil && strings.Contains(err.Error(), "octo-subject") {
				t.Errorf("the refusal quotes the token: %v", err)
			}
		})
	}
}

func TestATokenThatIsKeptOutlivesItsEnd(t *testing.T) {
	c := claims()
	c["exp"], c["iat"], c["nbf"] = now.Add(-7*time.Hour).Unix(), now.Add(-8*time.Hour).Unix(), now.Add(-8*time.Hour).Unix()
	raw := sign(jwt.SigningMethodRS256, "r1", rsaKey(), c)
	_, _, err := client(honest()).Verify(t.Context(), raw, expect())
	refusedFor(t, err, oidc.Time)
	kept := expect()
	kept.Kept = true
	if _, _, err := client(honest()).Verify(t.Context(), raw, kept); err != nil {
		t.Error(err)
	}
}

func TestWhatAnIssuerPublishesIsHeldToItsOwnHost(t *testing.T) {
	raw := sign(jwt.SigningMethodRS256, "r1", rsaKey(), claims())
	for name, change := range map[string]func(p *published){
		"keys of another host": func(p *published) {
			p.document = strings.Replace(p.document, "issuer.example/keys", "evil.example/keys", 1)
		},
		"keys without TLS": func(p *published) {
			p.document = strings.Replace(p.document, "https://issuer.example/keys", "http://issuer.example/keys", 1)
		},
		"the name of another host": func(p *published) {
			p.document = strings.Replace(p.document, `"issuer":"https://issuer`, `"issuer":"https://evil`, 1)
		},
		"a sign-in at another host": func(p *published) {
			p.document = strings.Replace(p.document, "issuer.example/authorize", "evil.example/authorize", 1)
		},
		"no document": func(p *published) { p.document = "<html>" },
		"no keys":     func(p *published) { p.keys = `{"keys":[]}` },
		"a short key": func(p *published) {
			p.keys = `{"keys":[{"kty":"RSA","kid":"r1","n":"` + b64(make([]byte, 128)) + `","e":"AQAB"}]}`
		},
		"an even exponent": func(p *published) {
			p.keys = strings.Replace(`{"keys":[`+rsaJWK("r1", &rsaKey().PublicKey)+`]}`, `"AQAB"`, `"Ag"`, 1)
		},
		"a point that is not on it": func(p *published) { p.keys = `{"keys":[{"kty":"EC","crv":"P-256","kid":"e1","x":"AQ","y":"AQ"}]}` },
		"a key that encrypts": func(p *published) {
			p.keys = strings.Replace(`{"keys":[`+rsaJWK("r1", &rsaKey().PublicKey)+`]}`, `"sig"`, `"enc"`, 1)
		},
		"two keys of one name": func(p *published) { k := rsaJWK("r1", &rsaKey().PublicKey); p.keys = `{"keys":[` + k + "," + k + `]}` },
	} {
		t.Run(name, func(t *testing.T) {
			p := honest()
			change(p)
			_, _, err := client(p).Verify(t.Context(), raw, expect())
			if driver.KindOf(err) != driver.Unavailable {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestKeysAreReadOnceAndAgainWhenTheIssuerHasNewOnes(t *testing.T) {
	p := honest()
	at := now
	c := oidc.NewClient(azClient(p), func() time.Time { return at })
	old, fresh := sign(jwt.SigningMethodRS256, "r1", rsaKey(), claims()), sign(jwt.SigningMethodRS256, "r2", otherKey(), claims())
	for range 3 {
		if _, _, err := c.Verify(t.Context(), old, expect()); err != nil {
			t.Fatal(err)
		}
	}
	if p.calls != 2 {
		t.Errorf("%d calls for three tokens", p.calls)
	}
	p.keys = `{"keys":[` + rsaJWK("r2", &otherKey().PublicKey) + `]}`
	_, _, err := c.Verify(t.Context(), fresh, expect())
	refusedFor(t, err, oidc.UnknownKey) // whoever names keys that there are not costs the issuer nothing
	if p.calls != 2 {
		t.Errorf("%d calls within a minute", p.calls)
	}
	at = at.Add(2 * time.Minute)
	if _, _, err := c.Verify(t.Context(), fresh, expect()); err != nil || p.calls != 3 {
		t.Errorf("%v, %d calls", err, p.calls)
	}
	_, _, err = c.Verify(t.Context(), old, expect())
	refusedFor(t, err, oidc.UnknownKey)
}

func TestAKeySetIsBounded(t *testing.T) {
	p := honest()
	var many []string
	for i := range 101 {
		many = append(many, rsaJWK(fmt.Sprint("k", i), &rsaKey().PublicKey))
	}
	p.keys = `{"keys":[` + strings.Join(many, ",") + `]}`
	c := client(p)
	if _, _, err := c.Verify(t.Context(), sign(jwt.SigningMethodRS256, "k99", rsaKey(), claims()), expect()); err != nil {
		t.Error(err)
	}
	_, _, err := c.Verify(t.Context(), sign(jwt.SigningMethodRS256, "k100", rsaKey(), claims()), expect())
	refusedFor(t, err, oidc.UnknownKey)
}

func TestTheObjectOfATokenIsReadUnverified(t *testing.T) {
	c := claims()
	maps.Copy(c, jwt.MapClaims{"oid": "4d72fd10-46ca-41d8-be4e-493356bab8a9"})
	if got := oidc.ObjectOf(sign(jwt.SigningMethodRS256, "r2", otherKey(), c)); got != "4d72fd10-46ca-41d8-be4e-493356bab8a9" {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"", "a.b.c", strings.Repeat("a", 70<<10)} {
		if got := oidc.ObjectOf(bad); got != "" {
			t.Errorf("%q", got)
		}
	}
}
