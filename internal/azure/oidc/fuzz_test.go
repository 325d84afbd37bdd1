package oidc_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rekeyhq/rekey/internal/azure/oidc"
	"github.com/rekeyhq/rekey/internal/driver/drivertest/hostile"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

// mark is what the fuzzed answers quote; no error may repeat it.
const mark = badinput.Secret

func ours(t *testing.T, err error) { t.Helper(); hostile.Own(t, err, 600) }

// FuzzToken: a token of anybody's.
func FuzzToken(f *testing.F) {
	good := sign(jwt.SigningMethodRS256, "r1", rsaKey(), claims())
	for _, s := range []string{good, sign(jwt.SigningMethodES256, "e1", ecKey(), claims()), "", "..", "e30.e30.", "bnVsbA.bnVsbA.", good + "A", good[:len(good)-2], strings.Repeat(".", 100), strings.ReplaceAll(good, ".", ". ")} {
		f.Add(s)
	}
	for _, b := range badinput.Broken(`{"alg":"RS256","kid":"r1"}`) {
		f.Add(b64(b) + good[strings.Index(good, "."):])
	}
	c := client(honest())
	f.Fuzz(func(t *testing.T, raw string) {
		badinput.Bounded(t, 4*len(raw), func() {
			got, _, err := c.Verify(t.Context(), raw, expect())
			if err != nil {
				ours(t, err)
			} else if got["sub"] != "octo-subject" {
				t.Errorf("a token that nobody signed: %v", got)
			}
			_ = oidc.ObjectOf(raw)
		})
	})
}

// endpoints answer as an issuer does, but for one of them.
type endpoints struct {
	*badinput.Service
	honest *published
	bad    string
}

func (e endpoints) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, e.bad) {
		return e.Service.RoundTrip(r)
	}
	return e.honest.RoundTrip(r)
}

// FuzzIssuer: what an issuer publishes, its document or its keys.
func FuzzIssuer(f *testing.F) {
	p := honest()
	for _, b := range badinput.Broken(p.document) {
		f.Add(b, true)
	}
	for _, b := range badinput.Broken(p.keys) {
		f.Add(b, false)
	}
	raw := sign(jwt.SigningMethodRS256, "r1", rsaKey(), claims())
	f.Fuzz(func(t *testing.T, body []byte, document bool) {
		bad := "/keys"
		if document {
			bad = ".well-known"
		}
		s := &badinput.Service{Body: body}
		badinput.Bounded(t, 4*len(body), func() {
			if _, _, err := client(endpoints{s, honest(), bad}).Verify(t.Context(), raw, expect()); err != nil {
				ours(t, err)
			}
		})
		s.Within(t)
	})
}

// FuzzJobToken: what a CI system answers that is asked for a token, and the identity platform that is asked for one.
func FuzzJobToken(f *testing.F) {
	for i, honest := range []string{`{"count":1,"value":"` + mark + `"}`, `{"oidcToken":"` + mark + `"}`, `{"id_token":"` + mark + `"}`, `{"error":"invalid_grant","error_codes":[70008],"error_description":"` + mark + `"}`} {
		for _, b := range badinput.Broken(honest) {
			f.Add(b, byte(i), 200+200*(i/3))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, which byte, status int) {
		if status < 200 || status > 599 {
			return
		}
		s := &badinput.Service{Status: status, Body: body}
		badinput.Bounded(t, 4*len(body), func() {
			var raw string
			var err error
			switch c := client(s); which % 2 {
			case 0:
				raw, err = c.GitHubToken(t.Context(), env("ACTIONS_ID_TOKEN_REQUEST_URL", "https://a.test/t", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "b"), audience)
			case 1:
				raw, err = c.PipelinesToken(t.Context(), env("SYSTEM_OIDCREQUESTURI", "https://a.test/t", "SYSTEM_ACCESSTOKEN", "b"))
			}
			if err != nil {
				ours(t, err)
			} else if raw == "" {
				t.Error("a success without a token")
			}
		})
		s.Within(t)
		r := &badinput.Service{Status: status, Body: body}
		badinput.Bounded(t, 4*len(body), func() {
			raw, err := oidc.Redeem(client(r), t.Context())
			if err != nil {
				ours(t, err)
			} else if raw == "" {
				t.Error("a success without a token")
			}
		})
		r.Within(t)
	})
}
