package entra

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

type literally string

func (l literally) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(l)}, nil
}

func token(claims string) literally {
	return literally("e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln")
}

func TestATokenSaysWhomItIsOf(t *testing.T) {
	for name, c := range map[string]struct {
		token    literally
		id, kind string
	}{
		"an application":                {token(`{"oid":"a1","idtyp":"app"}`), "a1", "ServicePrincipal"},
		"an application that is silent": {token(`{"oid":"a1","roles":[]}`), "a1", "ServicePrincipal"},
		"a person":                      {token(`{"oid":"u1","idtyp":"user","scp":"x"}`), "u1", "User"},
		"a person through a program":    {token(`{"oid":"u1","scp":"user_impersonation"}`), "u1", "User"},
		"nobody":                        {token(`{}`), "", ""},
		"no token":                      {"opaque", "", ""},
	} {
		id, kind, err := Holder(t.Context(), c.token, "scope")
		if id != c.id || kind != c.kind || (err == nil) != (c.id != "") {
			t.Errorf("%s: %q, %q, %v", name, id, kind, err)
		}
	}
}

// FuzzHolder: a token comes from Entra ID, or from what answers in its place.
func FuzzHolder(f *testing.F) {
	for _, b := range badinput.Broken(string(token(`{"oid":"a1","idtyp":"app"}`))) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		badinput.Bounded(t, 4*len(b), func() {
			id, _, err := Holder(t.Context(), literally(b), "scope")
			if (err == nil) == (id == "") || err != nil && len(b) > 20 && strings.Contains(err.Error(), string(b)) {
				t.Errorf("%q, %v", id, err)
			}
		})
	})
}
