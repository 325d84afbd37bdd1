package azhttp

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

const (
	one = "11111111-1111-4111-8111-111111111111"
	two = "22222222-2222-4222-8222-222222222222"
)

func token(claims string) string {
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

type issues string

func (t issues) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t)}, nil
}

func TestWhoSignedInIsWhomTheTokenNames(t *testing.T) {
	for name, c := range map[string]struct {
		token string
		want  Identity
	}{
		"an application":          {token(`{"appid":"` + one + `","oid":"` + two + `","uti":"abc"}`), Identity{"k", one, two, ""}},
		"a token of version 2.0":  {token(`{"azp":"` + one + `","tid":"` + two + `"}`), Identity{"k", one, "", two}},
		"an id that is none":      {token(`{"appid":"\u001b[2J","oid":"` + two + `"}`), Identity{"k", "", two, ""}},
		"no id at all":            {token(`{"sub":"x"}`), Identity{Kind: "k"}},
		"a token that is opaque":  {"AAAAAAAA", Identity{Kind: "k"}},
		"claims that are no JSON": {token(`hello`), Identity{Kind: "k"}},
		"claims in another form":  {token(`["` + one + `"]`), Identity{Kind: "k"}},
	} {
		t.Run(name, func(t *testing.T) {
			cred := NewCredential("k", issues(c.token))
			if got := cred.Identity(); got != (Identity{Kind: "k"}) {
				t.Errorf("before any token: %+v", got)
			}
			if _, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{}); err != nil {
				t.Fatal(err)
			}
			if got := cred.Identity(); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func FuzzIdentity(f *testing.F) {
	honest := `{"appid":"` + one + `","oid":"` + two + `"}`
	f.Add([]byte(token(honest)))
	for _, b := range badinput.Broken(honest) {
		f.Add([]byte(token(string(b))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var i Identity
		var ok bool
		badinput.Bounded(t, len(b), func() { i, ok = named("k", string(b)) })
		for _, id := range []string{i.ClientID, i.ObjectID, i.Tenant} {
			if id != "" && !guid.MatchString(id) || strings.ContainsAny(id, "\x1b\n") {
				t.Errorf("%q is no id", id)
			}
		}
		if ok && i.ClientID == "" && i.ObjectID == "" {
			t.Error("nobody was named")
		}
	})
}
